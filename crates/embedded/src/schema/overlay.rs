//! Puts the tables of the embedded file right: single columns by the list of [`super::corrections`], columns and whole
//! tables that the file lacks or misjudges here.

use super::column::{Behavior, Choice, Column, Format, Kind, Preset, Targets};
use super::corrections::{CORRECTIONS, Fix};
use super::names;
use super::table::{Ownership, Table};

const REGARDED: &[&str] = &[
    "account",
    "contact",
    "lead",
    "opportunity",
    "incident",
    "campaign",
    "campaignactivity",
    "salesorder",
    "quote",
    "invoice",
    "contract",
    "bulkoperation",
];
/// Tables whose rows the file gives an owner that they do not have: they belong to the organisation or to a parent row.
const UNOWNED: &[&str] = &[
    "activityparty",
    "activitymimeattachment",
    "queueitem",
    "listmember",
    "businessunit",
    "systemuser",
    "team",
    "transactioncurrency",
];
/// Tables whose rows are activities.
pub(super) const ACTIVITIES: &[&str] = &[
    "activitypointer",
    "appointment",
    "bulkoperation",
    "campaignactivity",
    "campaignresponse",
    "email",
    "fax",
    "letter",
    "phonecall",
    "task",
];

/// Tables whose rows may have notes.
pub(super) const NOTED: &[&str] = &[
    "account",
    "contact",
    "lead",
    "opportunity",
    "incident",
    "campaign",
    "campaignactivity",
    "campaignresponse",
    "list",
    "salesorder",
    "quote",
    "invoice",
    "contract",
    "bulkoperation",
    "email",
    "task",
    "phonecall",
    "letter",
    "fax",
    "appointment",
    "mailbox",
    "emailserverprofile",
];

/// Columns that the file lacks: table, column.
fn additions() -> Vec<(&'static str, Column)> {
    let mut added = vec![
        ("email", Column::lookup("correlatedactivityid", &["email"])),
        ("email", Column::new("correlatedsubjectchanged", Kind::Boolean)),
        ("email", Column::text("internetmessageheaders", 500)),
        ("email", Column::lookup("acceptingentityid", &["queue", "systemuser"])),
        ("email", Column::lookup("receivingmailboxid", &["mailbox"])),
        ("email", Column::new("isduplicatesenderunresolved", Kind::Boolean)),
        ("email", Column::new("related", Kind::PartyList)),
        ("activityparty", Column::text("unresolvedpartyname", 200)),
        ("activityparty", Column::text("externalid", 200)),
        ("activityparty", Column::text("externalidtype", 200)),
        ("campaignresponse", Column::new("from", Kind::PartyList)),
    ];
    for table in ["campaignactivity", "campaignresponse", "bulkoperation"] {
        let regarding = match table {
            "bulkoperation" => {
                Column::lookup("regardingobjectid", &["account", "campaign", "contact", "lead", "list"])
            }
            _ => Column::lookup("regardingobjectid", &["campaign"]),
        };
        // The file has these three as if they were not activities.
        added.extend([
            (table, Column::new("activityid", Kind::Id).required()),
            (table, Column::text("subject", 200)),
            (table, regarding.indexed()),
            (table, Column::new("actualstart", Kind::Time)),
            (table, Column::new("actualend", Kind::Time)),
            (table, Column::new("scheduledstart", Kind::Time)),
            (table, Column::new("scheduledend", Kind::Time)),
        ]);
    }
    added.extend(ACTIVITIES.iter().map(|table| (*table, Column::text("activitytypecode", 64).read_only())));
    added
}

/// Puts the tables right.
pub(super) fn apply(tables: &mut [Table]) {
    for (name, column) in additions() {
        let table =
            tables.iter_mut().find(|table| table.name == name).expect("a test applies every addition");
        table.columns.push(column);
        table.index();
    }
    for table in tables.iter_mut() {
        let name = table.name.clone();
        table.activity = ACTIVITIES.contains(&name.as_str());
        table.has_activities = REGARDED.contains(&name.as_str());
        if table.primary_name.is_none() && table.activity {
            table.primary_name = Some("subject".into());
        }
        for correction in
            CORRECTIONS.iter().filter(|correction| correction.table == "*" || correction.table == name)
        {
            let hit = |column: &&mut Column| correction.columns.contains(&column.name.as_str());
            table.columns.iter_mut().filter(hit).for_each(|column| put_right(column, &correction.fix));
        }
        by_table(table);
    }
}

fn put_right(column: &mut Column, fix: &Fix) {
    match fix {
        Fix::ReadOnly => column.read_only = true,
        Fix::Writable => column.read_only = false,
        Fix::NotRequired => column.required = false,
        Fix::Kind(kind) => {
            column.kind = *kind;
            if !matches!(kind, Kind::Choice) {
                column.choices.clear();
            }
        }
        Fix::Targets(tables) => column.targets = Targets::named(tables),
        Fix::AnyWithActivities => column.targets = Targets::AnyWithActivities,
        Fix::Boolean(value) => column.preset = Some(Preset::Boolean(*value)),
        Fix::Number(value) => column.preset = Some(Preset::Number(*value)),
        Fix::Text(value) => column.preset = Some(Preset::Text((*value).to_owned())),
        Fix::Indexed => column.indexed = true,
        Fix::NoPreset => column.preset = None,
        Fix::States(pairs) => {
            let state = |choice: &Choice| {
                pairs.iter().find(|(value, _)| *value == choice.value).map(|(_, state)| *state)
            };
            column.choices.iter_mut().for_each(|choice| choice.state = state(choice));
        }
    }
}

/// Corrections that concern a whole table.
fn by_table(table: &mut Table) {
    if UNOWNED.contains(&table.name.as_str()) {
        table.ownership = Ownership::None;
        for column in table.columns.iter_mut().filter(|column| column.name == "ownerid") {
            (column.required, column.read_only) = (false, true);
        }
    }
    // The platform makes the one organisation row and its settings; only the name is a person's to give.
    if table.name == "organization" {
        let settings = |column: &&mut Column| column.kind != Kind::Id && column.name != "name";
        table.columns.iter_mut().filter(settings).for_each(|column| column.required = false);
    }
    // Derived from the customer lookups by the platform; on their own tables these names are the primary key.
    let derived = |column: &&mut Column| {
        matches!(column.name.as_str(), "accountid" | "contactid") && column.kind == Kind::Guid
            || column.name.ends_with("_composite")
    };
    table.columns.iter_mut().filter(derived).for_each(|column| column.read_only = true);
    table.has_notes = NOTED.contains(&table.name.as_str());
    for column in &mut table.columns {
        column.format = column.format.or_else(|| format(column));
        if column.format == Some(Format::DateOnly) && column.name != "lastusedincampaign" {
            column.behavior = Behavior::DateOnly;
        }
    }
}

/// Longer texts are memos; some are memos though they are short.
const LONGEST_STRING: u32 = 4000;
const MEMOS: &[&str] =
    &["description", "objective", "message", "query", "fetchxml", "layoutxml", "companyhistory", "comments"];
/// Times of which the platform's forms show the date alone.
const DATES: &[&str] = &[
    "birthdate",
    "anniversary",
    "lastusedincampaign",
    "estimatedclosedate",
    "actualclosedate",
    "finaldecisiondate",
];

fn format(column: &Column) -> Option<Format> {
    let name = column.name.as_str();
    match column.kind {
        Kind::Text if name.ends_with("typecode") => Some(Format::EntityName),
        Kind::Text if MEMOS.contains(&name) || name.ends_with("_composite") => Some(Format::Memo),
        Kind::Text if column.max_length.is_none_or(|length| length > LONGEST_STRING) => Some(Format::Memo),
        Kind::Time if DATES.contains(&name) => Some(Format::DateOnly),
        Kind::Lookup if ["customerid", "parentcustomerid"].contains(&name) => Some(Format::Customer),
        _ => None,
    }
}

/// Tables that get a number by themselves: table, column, prefix.
pub(crate) const AUTO_NUMBERS: &[(&str, &str, &str)] = &[
    ("incident", "ticketnumber", "CAS"),
    ("quote", "quotenumber", "QUO"),
    ("salesorder", "ordernumber", "ORD"),
    ("invoice", "invoicenumber", "INV"),
];

/// The object type code of a standard table: in queue items and list members.
pub(crate) fn type_code(table: &str) -> Option<i64> {
    names::of(table).map(|names| names.type_code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_correction_hits_something_and_says_why() {
        let mut tables = super::super::data::tables();
        apply(&mut tables);
        for correction in CORRECTIONS {
            assert!(!correction.why.is_empty());
            for column in correction.columns {
                let named = |table: &&Table| correction.table == "*" || table.name == correction.table;
                let hit = tables.iter().filter(named).any(|table| table.column(column).is_some());
                assert!(hit, "{}.{column}: {}", correction.table, correction.why);
            }
        }
        assert_eq!(tables.len(), 58);
    }
}
