//! Reads the table descriptions that come with the crate (`data/dataverse-tables*.json`).
//!
//! They are facts taken from public documents and not complete; [`super::overlay`] puts right what is missing or wrong.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::column::{Choice, Column, Format, Kind, Preset, Targets};
use super::table::{Ownership, Table};

const FILE: &str = include_str!("../../data/dataverse-tables.json");
/// Further tables, and further columns of some of the others.
const MORE: &str = include_str!("../../data/dataverse-tables-more.json");

#[derive(Deserialize)]
struct File {
    tables: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    display: Option<String>,
    max_length: Option<u32>,
    min: Option<Bound>,
    max: Option<Bound>,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    targets: Vec<String>,
    required: Option<String>,
}

/// Bounds stand there as text or as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bound {
    Text(String),
    Number(f64),
}

impl Bound {
    fn number(&self) -> Option<f64> {
        match self {
            Bound::Text(text) => text.parse().ok(),
            Bound::Number(number) => Some(*number),
        }
    }
}

/// The tables as the files have them, in order of their names.
pub(super) fn tables() -> Vec<Table> {
    let mut all: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for text in [FILE, MORE] {
        let file: File =
            serde_json::from_str(text).expect("the embedded table files are valid: a test reads them");
        for (name, entries) in file.tables {
            all.entry(name).or_default().extend(entries);
        }
    }
    all.into_iter().map(|(name, entries)| table(name, &entries)).collect()
}

fn table(name: String, entries: &[Entry]) -> Table {
    let key = primary_key(&name, entries);
    let columns: Vec<Column> = entries.iter().map(|entry| column(entry, &key)).collect();
    let mut table = Table::new(name, key, columns);
    table.primary_name = primary_name(&table);
    let owned = table.column("ownerid").is_some_and(|owner| owner.kind == Kind::Lookup && owner.required);
    table.ownership = if owned { Ownership::User } else { Ownership::None };
    table
}

fn primary_key(table: &str, entries: &[Entry]) -> String {
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    let own = format!("{table}id");
    let of_one = format!("{}id", table.strip_suffix('s').unwrap_or(table));
    match table {
        "usersettings" => "systemuserid".into(),
        _ if has(&own) => own,
        // Tables of pairs are named in the plural: `systemuserroles`, `systemuserroleid`.
        _ if has(&of_one) => of_one,
        // Activities share one key; three of them lack it in the file and get it from the overlay.
        _ => "activityid".into(),
    }
}

fn primary_name(table: &Table) -> Option<String> {
    let names: &[&str] = match table.name.as_str() {
        "attachment" | "activitymimeattachment" => &["filename"],
        "usersettings" | "activityparty" => &[],
        _ => &["fullname", "name", "listname", "currencyname", "friendlyname", "title", "subject"],
    };
    names.iter().find(|name| table.column(name).is_some()).map(|name| (*name).to_owned())
}

fn column(entry: &Entry, key: &str) -> Column {
    let kind = match entry.name == key {
        true => Kind::Id,
        false => kind(entry),
    };
    let required = kind == Kind::Id || entry.required.as_deref() == Some("systemrequired");
    let mut column = Column {
        label: entry.display.clone(),
        max_length: entry.max_length,
        min: entry.min.as_ref().and_then(Bound::number),
        max: entry.max.as_ref().and_then(Bound::number),
        choices: entry.options.clone(),
        required,
        // `…_base` amounts are computed by the server from the amount and the exchange rate.
        read_only: entry.kind == "baseCurrency",
        format: format(&entry.kind),
        ..Column::new(entry.name.clone(), kind)
    };
    if kind == Kind::Lookup {
        column.targets = Targets::Named(entry.targets.clone());
    }
    column.preset = preset(&column);
    column
}

fn kind(entry: &Entry) -> Kind {
    match entry.kind.as_str() {
        "entityId" | "guid" => Kind::Guid,
        "integer" | "smallInteger" | "minutes" | "timezone" | "language" => Kind::Integer,
        "bigInteger" | "cdsVersionNumber" => Kind::BigInteger,
        "boolean" => Kind::Boolean,
        "choice" if entry.name == "statecode" => Kind::State,
        "choice" => Kind::Choice,
        "status" => Kind::Status,
        "double" | "latitude" | "longitude" => Kind::Double,
        "decimal" => Kind::Decimal,
        "currency" | "baseCurrency" => Kind::Money,
        "dateTime" => Kind::Time,
        "lookup" => Kind::Lookup,
        "partylist" => Kind::PartyList,
        _ => Kind::Text,
    }
}

fn format(kind: &str) -> Option<Format> {
    Some(match kind {
        "email" => Format::Email,
        "url" => Format::Url,
        "phone" => Format::Phone,
        "tickerSymbol" => Format::TickerSymbol,
        "minutes" => Format::Duration,
        "timezone" => Format::TimeZone,
        "language" => Format::Language,
        _ => return None,
    })
}

/// What the platform puts into a required column by itself, and `false` for the consent columns, which are never null.
fn preset(column: &Column) -> Option<Preset> {
    let lowest = || column.choices.iter().map(|choice| choice.value).min();
    match column.kind {
        Kind::Boolean if column.required || column.name.starts_with("donot") => Some(Preset::Boolean(false)),
        Kind::Choice if column.required => lowest().map(Preset::Number),
        Kind::Integer if column.required => Some(Preset::Number(column.min.unwrap_or(0.0).max(0.0) as i64)),
        _ => None,
    }
}
