//! Buttons on forms and above lists: *Sync now*, *Send* and *Add to program*. Each writes a row that asks the connector for
//! something; none reaches outside the CRM. What they do stands in `scripts/requests.js`, a web resource.
//!
//! Who may press what is said twice: a display rule hides a button from whoever may not write its row, and the server
//! refuses the row.

use postroom_formats::solution::WebResource;
use postroom_formats::xml::Element;

use super::new;
use crate::solution::definitions::id;

/// The script behind the buttons.
const SCRIPT: &str = "esc_/scripts/requests.js";

/// Something to be asked for.
struct Button {
    word: &'static str,
    label: &'static str,
    tip: &'static str,
    /// Of the script.
    function: &'static str,
    /// The table whose rows say it, and what must be allowed there.
    asks: (&'static str, &'static str),
    /// Where it stands.
    tables: &'static [&'static str],
}

const BUTTONS: &[Button] = &[
    Button {
        word: "syncnow",
        label: "Sync now",
        tip: "Ask the connector to synchronise this list at once.",
        function: "esc.requests.syncNow",
        asks: ("list", "Write"),
        tables: &["list"],
    },
    Button {
        word: "send",
        label: "Send",
        tip: "Ask the connector to send an e-mail campaign.",
        function: "esc.requests.send",
        asks: ("esc_emailsend", "Create"),
        tables: &["list", "esc_emailcampaign"],
    },
    Button {
        word: "request",
        label: "Send",
        tip: "Ask the connector to send this, now or at its time.",
        function: "esc.requests.request",
        asks: ("esc_emailsend", "Write"),
        tables: &["esc_emailsend"],
    },
    Button {
        word: "sendone",
        label: "Send",
        tip: "Ask the connector to send an e-mail campaign to this person.",
        function: "esc.requests.sendOne",
        asks: ("esc_emailsinglesend", "Create"),
        tables: &["contact", "lead", "account"],
    },
    Button {
        word: "program",
        label: "Add to program",
        tip: "Ask the connector to put this person into a program of the service.",
        function: "esc.requests.addToProgram",
        asks: ("esc_emailsinglesend", "Create"),
        tables: &["contact", "lead", "account"],
    },
];

/// The buttons of a table, when it has any.
pub fn of(table: &str) -> Option<Element> {
    let buttons: Vec<&Button> = BUTTONS.iter().filter(|button| button.tables.contains(&table)).collect();
    if buttons.is_empty() {
        return None;
    }
    let places = buttons.iter().zip(0..).flat_map(|(button, place)| {
        [action(table, button, "Form", place), action(table, button, "HomepageGrid", place)]
    });
    let commands = buttons
        .iter()
        .flat_map(|button| [command(table, button, "Form"), command(table, button, "HomepageGrid")]);
    let shown = buttons.iter().map(|button| display_rule(table, button));
    let one = new("EnableRule").attribute("Id", format!("esc.{table}.one")).with(
        new("SelectionCountRule")
            .attribute("AppliesTo", "SelectedEntity")
            .attribute("Maximum", "1")
            .attribute("Minimum", "1"),
    );
    let rules = new("RuleDefinitions")
        .with(new("TabDisplayRules"))
        .with(new("DisplayRules").with_all(shown))
        .with(new("EnableRules").with(one));
    let templates = new("Templates").with(new("RibbonTemplates").attribute("Id", "Mscrm.Templates"));
    Some(
        new("RibbonDiffXml")
            .with(new("CustomActions").with_all(places))
            .with(templates)
            .with(new("CommandDefinitions").with_all(commands))
            .with(rules)
            .with(new("LocLabels")),
    )
}

fn name(table: &str, button: &Button, place: &str, what: &str) -> String {
    format!("esc.{table}.{place}.{}.{what}", button.word)
}

fn action(table: &str, button: &Button, place: &str, order: u32) -> Element {
    let group = if place == "Form" { "Save" } else { "Management" };
    let shown = new("Button")
        .attribute("Id", name(table, button, place, "Button"))
        .attribute("Command", name(table, button, place, "Command"))
        .attribute("Sequence", (60 + order).to_string())
        .attribute("LabelText", button.label)
        .attribute("Alt", button.label)
        .attribute("ToolTipTitle", button.label)
        .attribute("ToolTipDescription", button.tip)
        .attribute("TemplateAlias", "o1");
    new("CustomAction")
        .attribute("Id", name(table, button, place, "Action"))
        .attribute("Location", format!("Mscrm.{place}.{table}.MainTab.{group}.Controls._children"))
        .attribute("Sequence", (60 + order).to_string())
        .with(new("CommandUIDefinition").with(shown))
}

/// On a form the row is the one that is open; above a list it is the one that is chosen.
fn command(table: &str, button: &Button, place: &str) -> Element {
    let call = new("JavaScriptFunction")
        .attribute("FunctionName", button.function)
        .attribute("Library", format!("$webresource:{SCRIPT}"));
    let call = match place {
        "Form" => call.with(new("StringParameter").attribute("Value", table)),
        _ => call
            .with(new("StringParameter").attribute("Value", table))
            .with(new("CrmParameter").attribute("Value", "SelectedControlSelectedItemReferences")),
    };
    let enabled = match place {
        "Form" => new("EnableRules"),
        _ => new("EnableRules").with(new("EnableRule").attribute("Id", format!("esc.{table}.one"))),
    };
    new("CommandDefinition")
        .attribute("Id", name(table, button, place, "Command"))
        .with(enabled)
        .with(new("DisplayRules").with(new("DisplayRule").attribute("Id", rule_name(table, button))))
        .with(new("Actions").with(call))
}

fn rule_name(table: &str, button: &Button) -> String {
    format!("esc.{table}.{}.Allowed", button.word)
}

fn display_rule(table: &str, button: &Button) -> Element {
    let (asked, kind) = button.asks;
    let rule = new("EntityPrivilegeRule")
        .attribute("EntityName", asked)
        .attribute("PrivilegeType", kind)
        .attribute("PrivilegeDepth", "Basic");
    new("DisplayRule").attribute("Id", rule_name(table, button)).with(rule)
}

/// The script as a web resource.
pub fn script() -> WebResource {
    WebResource {
        id: id(&format!("resource:{SCRIPT}")),
        name: SCRIPT.to_owned(),
        display_name: "Requests to the connector".to_owned(),
        description: "What the buttons of the Email Service Connector do.".to_owned(),
        kind: 3,
        content: include_bytes!("../scripts/requests.js").to_vec(),
    }
}
