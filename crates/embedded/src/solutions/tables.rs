//! The tables that solutions need besides those of the files of facts: their components, forms, site maps, apps, ribbons.

use crate::schema::{Choice, Column, Format, Kind, Preset, Table};

/// `componenttype`, as far as anything here is one.
const TYPES: &[(i64, &str)] = &[
    (1, "Entity"),
    (2, "Attribute"),
    (9, "Option Set"),
    (10, "Entity Relationship"),
    (14, "Entity Key"),
    (20, "Role"),
    (26, "View"),
    (29, "Workflow"),
    (31, "Report"),
    (36, "Email Template"),
    (50, "Ribbon Customization"),
    (60, "System Form"),
    (61, "Web Resource"),
    (62, "Site Map"),
    (70, "Field Security Profile"),
    (80, "App Module"),
];
const BEHAVIORS: &[(i64, &str)] =
    &[(0, "Include Subcomponents"), (1, "Do not include subcomponents"), (2, "Include As Shell Only")];
const FORMS: &[(i64, &str)] = &[
    (0, "Dashboard"),
    (2, "Main"),
    (5, "Mobile - Express"),
    (6, "Quick View Form"),
    (7, "Quick Create"),
    (11, "Card"),
    (12, "Main - Interactive experience"),
];
/// `systemform.type` and its word in files.
pub(super) const FORM_KINDS: &[(i64, &str)] = &[
    (0, "dashboard"),
    (2, "main"),
    (5, "mobile"),
    (6, "quick"),
    (7, "quickCreate"),
    (11, "card"),
    (12, "mainInteractionCentric"),
];

pub(crate) fn tables() -> Vec<Table> {
    vec![app(), app_component(), app_role(), ribbon(), site_map(), component(), form()]
}

fn version() -> Column {
    Column::new("versionnumber", Kind::BigInteger).read_only().indexed()
}

fn flag(name: &str, value: bool) -> Column {
    Column::new(name, Kind::Boolean).preset(Preset::Boolean(value))
}

fn memo(name: &str) -> Column {
    Column { format: Some(Format::Memo), ..Column::new(name, Kind::Text) }
}

fn key(name: &str) -> Column {
    Column::new(name, Kind::Id).required()
}

fn table_name(name: &str) -> Column {
    Column { format: Some(Format::EntityName), ..Column::text(name, 64) }.indexed()
}

/// When and by whom: as every table of the platform has it.
fn audit() -> [Column; 4] {
    [
        Column::lookup("createdby", &["systemuser"]).read_only(),
        Column::new("createdon", Kind::Time).read_only(),
        Column::lookup("modifiedby", &["systemuser"]).read_only(),
        Column::new("modifiedon", Kind::Time).read_only(),
    ]
}

fn named(mut table: Table, column: &str) -> Table {
    table.primary_name = Some(column.to_owned());
    table.columns.extend(audit());
    table.index();
    table
}

fn component() -> Table {
    let columns = vec![
        key("solutioncomponentid"),
        Column::lookup("solutionid", &["solution"]).indexed(),
        Column::new("objectid", Kind::Guid).indexed(),
        Column { choices: choices(TYPES), ..Column::new("componenttype", Kind::Choice) },
        Column { choices: choices(BEHAVIORS), ..Column::new("rootcomponentbehavior", Kind::Choice) },
        Column::new("rootsolutioncomponentid", Kind::Guid),
        flag("ismetadata", false),
        version(),
    ];
    Table::new("solutioncomponent", "solutioncomponentid", columns)
}

fn choices(of: &[(i64, &str)]) -> Vec<Choice> {
    let one = |(value, label): &(i64, &str)| Choice {
        value: *value,
        label: (*label).to_owned(),
        ..Choice::default()
    };
    of.iter().map(one).collect()
}

fn form() -> Table {
    let columns = vec![
        key("formid"),
        Column::text("name", 256),
        memo("description"),
        table_name("objecttypecode"),
        Column { choices: choices(FORMS), ..Column::new("type", Kind::Choice) },
        memo("formxml"),
        Column {
            choices: choices(&[(0, "Inactive"), (1, "Active")]),
            ..Column::new("formactivationstate", Kind::Choice).preset(Preset::Number(1))
        },
        flag("isdefault", false),
        flag("ismanaged", false),
        flag("iscustomizable", true),
        flag("canbedeleted", true),
        version(),
    ];
    named(Table::new("systemform", "formid", columns), "name")
}

fn site_map() -> Table {
    let columns = vec![
        key("sitemapid"),
        Column::text("sitemapname", 200),
        Column::text("sitemapnameunique", 100).indexed(),
        memo("sitemapxml"),
        flag("isappaware", false),
        flag("ismanaged", false),
        version(),
    ];
    named(Table::new("sitemap", "sitemapid", columns), "sitemapname")
}

fn app() -> Table {
    let columns = vec![
        key("appmoduleid"),
        Column::text("name", 100),
        Column::text("uniquename", 100).indexed(),
        Column::text("description", 2000),
        Column::new("clienttype", Kind::Integer),
        Column::new("formfactor", Kind::Integer),
        Column::new("webresourceid", Kind::Guid),
        Column::text("url", 200),
        flag("isdefault", false),
        flag("ismanaged", false),
        version(),
    ];
    named(Table::new("appmodule", "appmoduleid", columns), "name")
}

fn app_component() -> Table {
    let columns = vec![
        key("appmodulecomponentid"),
        Column::lookup("appmoduleidunique", &["appmodule"]).indexed(),
        Column::new("objectid", Kind::Guid),
        Column { choices: choices(TYPES), ..Column::new("componenttype", Kind::Choice) },
        Column { choices: choices(BEHAVIORS), ..Column::new("rootcomponentbehavior", Kind::Choice) },
        version(),
    ];
    Table::new("appmodulecomponent", "appmodulecomponentid", columns)
}

fn app_role() -> Table {
    let columns = vec![
        key("appmoduleroleid"),
        Column::lookup("appmoduleid", &["appmodule"]).indexed(),
        Column::lookup("roleid", &["role"]),
        version(),
    ];
    Table::new("appmoduleroles", "appmoduleroleid", columns)
}

/// One row holds all that a solution changes in the ribbon of a table, or in the application's (no `entity`).
fn ribbon() -> Table {
    let columns =
        vec![key("ribbondiffid"), table_name("entity"), memo("rdx"), flag("ismanaged", false), version()];
    Table::new("ribbondiff", "ribbondiffid", columns)
}
