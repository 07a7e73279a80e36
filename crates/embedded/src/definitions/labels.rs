//! What standard tables are called by people, where their names do not say it.

use postroom_core::metadata::{ColumnKind, Label};

use crate::schema::{Column, Kind, Table, Texts, names};

/// Table, singular, plural.
const TABLES: &[(&str, &str, &str)] = &[
    ("activitypointer", "Activity", "Activities"),
    ("activitymimeattachment", "Attachment", "Attachments"),
    ("annotation", "Note", "Notes"),
    ("asyncoperation", "System Job", "System Jobs"),
    ("bulkoperation", "Quick Campaign", "Quick Campaigns"),
    ("email", "Email Message", "Email Messages"),
    ("incident", "Case", "Cases"),
    ("list", "Marketing List", "Marketing Lists"),
    ("listmember", "Marketing List Member", "Marketing List Members"),
    ("role", "Security Role", "Security Roles"),
    ("salesorder", "Order", "Orders"),
    ("savedquery", "View", "Views"),
    ("systemuser", "User", "Users"),
    ("template", "Email Template", "Email Templates"),
    ("transactioncurrency", "Currency", "Currencies"),
    ("userquery", "Saved View", "Saved Views"),
];

/// A label over the one that is there: with `merge` languages that it does not name stay.
pub(crate) fn over(have: &Label, given: Option<Label>, merge: bool) -> Label {
    let Some(Label(mut texts)) = given else { return have.clone() };
    if merge {
        let named: Vec<u32> = texts.iter().map(|(language, _)| *language).collect();
        texts.extend(have.0.iter().filter(|(language, _)| !named.contains(language)).cloned());
    }
    Label(texts)
}

pub(super) fn label(texts: &Texts) -> Label {
    Label(texts.clone())
}

/// Singular and plural.
pub(super) fn of_table(table: &Table, schema_name: &str) -> (Label, Label) {
    let standard = TABLES.iter().find(|(name, ..)| *name == table.name);
    let one = standard.map_or_else(|| names::words(schema_name), |(_, one, _)| (*one).to_owned());
    let many = standard.map_or_else(|| names::plural(&one), |(.., many)| (*many).to_owned());
    let given = |texts: &Texts, text: String| match texts.is_empty() {
        true => Label::english(text),
        false => label(texts),
    };
    (given(&table.labels, one), given(&table.plural, many))
}

pub(super) fn of_column(column: &Column, schema_name: &str) -> Label {
    match (&column.labels, &column.label) {
        (texts, _) if !texts.is_empty() => label(texts),
        (_, Some(text)) => Label::english(text.clone()),
        _ => Label::english(names::words(schema_name)),
    }
}

/// Whether a column of this kind is told of in this way.
pub(super) fn same_kind(told: &ColumnKind, kind: Kind) -> bool {
    match told {
        ColumnKind::BigInt => kind == Kind::BigInteger,
        ColumnKind::DateTime { .. } => kind == Kind::Time,
        ColumnKind::MultiSelect { .. } => kind == Kind::MultiChoice,
        ColumnKind::State { .. } => kind == Kind::State,
        ColumnKind::Status { .. } => kind == Kind::Status,
        ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } | ColumnKind::Owner { .. } => {
            kind == Kind::Lookup
        }
        ColumnKind::PartyList { .. } => kind == Kind::PartyList,
        ColumnKind::Uniqueidentifier => matches!(kind, Kind::Id | Kind::Guid | Kind::Lookup),
        ColumnKind::Memo { .. } => matches!(kind, Kind::Body | Kind::File),
        ColumnKind::EntityName => kind == Kind::Text,
        ColumnKind::File { .. } | ColumnKind::Image { .. } => kind == Kind::File,
        _ => false,
    }
}
