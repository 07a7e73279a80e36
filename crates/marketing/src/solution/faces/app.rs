//! Where the solution stands in the navigation: an area of the site map below 9.0, an app of its own from there on.

use postroom_core::metadata::Label;
use postroom_formats::solution::{App, AppSiteMap, DEFAULT_ICON, Root, component};
use postroom_formats::xml::Element;

use super::new;
use crate::solution::roles::Role;
use crate::solution::{DISPLAY_NAME, Era, tables};

/// The app's and its site map's unique name.
const APP: &str = "esc_EmailServiceConnector";

/// Groups of the area, and the tables in them.
const GROUPS: &[(&str, &str, &[&str])] = &[
    (
        "audience",
        "Audience",
        &["list", "contact", "lead", "account", "esc_emailsupression", "esc_listunsubscriber"],
    ),
    ("campaigns", "Campaigns", &["esc_emailcampaign", "esc_emailsend", "esc_emailsinglesend", "campaign"]),
    (
        "results",
        "Results",
        &[
            "esc_emailcampaigncontactsummary",
            "esc_emailcampaigncontactclick",
            "esc_emailroidetail",
            "esc_socialbookmark",
        ],
    ),
    (
        "preferences",
        "Preferences",
        &[
            "esc_marketingpreference",
            "esc_marketingpreferencesubscription",
            "esc_emailsubscriptiongroup",
            "esc_emailsubscriptiongroupitem",
            "esc_emailpreference",
        ],
    ),
    (
        "forms",
        "Forms",
        &["esc_form", "esc_formquestion", "esc_formquestionoption", "esc_response", "esc_formanswer"],
    ),
    (
        "settings",
        "Connector",
        &[
            "esc_emailaccount",
            "esc_emailcampaignconfiguration",
            "esc_emailcampaigncustomfields",
            "esc_emaildatamapping",
            "esc_crmfield",
            "esc_messagequeue",
        ],
    ),
];

fn is_in(table: &str, era: Era) -> bool {
    tables::named(table).is_none_or(|table| table.is_in(era))
}

/// The area, as a site map with nothing else. `added` marks it as what a managed solution adds to the map that is there.
pub fn site_map(era: Era, added: bool) -> Element {
    let mark = |element: Element| if added { element.attribute("solutionaction", "Added") } else { element };
    let titles =
        |text: &str| new("Titles").with(new("Title").attribute("LCID", "1033").attribute("Title", text));
    let groups = GROUPS.iter().map(|(word, label, tables)| {
        let areas = tables.iter().filter(|table| is_in(table, era)).map(|table| {
            new("SubArea").attribute("Id", format!("esc_sub_{table}")).attribute("Entity", *table)
        });
        new("Group").attribute("Id", format!("esc_group_{word}")).with(titles(label)).with_all(areas)
    });
    let area = new("Area").attribute("Id", "esc_area").attribute("ShowGroups", "true");
    new("SiteMap").with(mark(area).with(titles("Email Marketing")).with_all(groups))
}

/// The site map of the app.
pub fn app_site_map(era: Era) -> AppSiteMap {
    AppSiteMap {
        unique_name: APP.to_owned(),
        names: Label::english(DISPLAY_NAME),
        body: site_map(era, false),
    }
}

/// The app, for those who have one of the solution's roles.
pub fn app(era: Era) -> App {
    let part = |kind, name: &str| Root { kind, schema_name: Some(name.to_owned()), id: None, behavior: 0 };
    let shown = GROUPS.iter().flat_map(|(.., tables)| *tables).filter(|table| is_in(table, era));
    let mut components: Vec<Root> = shown.map(|table| part(component::ENTITY, table)).collect();
    components.push(part(component::SITE_MAP, APP));
    App {
        unique_name: APP.to_owned(),
        names: Label::english(DISPLAY_NAME),
        descriptions: Label::english(
            "Lists, campaigns, sends and their results, in step with the e-mail marketing service.",
        ),
        icon: DEFAULT_ICON,
        form_factor: 1,
        client: 4,
        components,
        roles: Role::ALL.iter().map(|role| role.id()).collect(),
    }
}

/// What the manifest names of it.
pub fn roots() -> [Root; 2] {
    let root = |kind| Root { kind, schema_name: Some(APP.to_owned()), id: None, behavior: 0 };
    [root(component::SITE_MAP), root(component::APP_MODULE)]
}
