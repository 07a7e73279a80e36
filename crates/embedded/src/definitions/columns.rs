//! A column of the schema as `ColumnInfo`.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, DateTimeBehavior, Label, OptionItem, OptionSet, RequiredLevel,
};

use super::{id, labels, relations, tables};
use crate::schema::{
    Behavior, Choice, Column, Format, GlobalSet, Kind, Preset, Schema, Table, Texts, Wanted, names,
};

/// Lengths of texts that name none.
const STRING: u32 = 4000;
const MEMO: u32 = 1_048_576;
/// What SQL Server's `money` holds.
const MONEY: f64 = 922_337_203_685_477.0;
const DECIMAL: f64 = 100_000_000_000.0;
const FILE_KB: u32 = 32_768;

pub(super) fn describe(schema: &Schema, table: &Table, column: &Column, place: usize) -> ColumnInfo {
    let name = schema_name(table, column);
    ColumnInfo {
        id: id("column", &format!("{}.{}", table.name, column.name)),
        logical_name: column.name.clone(),
        label: labels::of_column(column, &name),
        schema_name: name,
        description: labels::label(&column.description),
        kind: kind(schema, table, column),
        required: required(column),
        valid_for_create: !column.read_only,
        valid_for_update: !column.read_only && column.kind != Kind::Id,
        valid_for_read: true,
        is_primary_id: column.name == table.primary_key,
        is_primary_name: table.primary_name.as_ref() == Some(&column.name),
        is_custom: tables::is_custom_column(table, column),
        is_secured: column.secured,
        attribute_of: attribute_of(table, column),
        number: i32::try_from(place + 1).expect("a table has a few hundred columns"),
    }
}

pub(super) fn schema_name(table: &Table, column: &Column) -> String {
    let published = || names::of(&table.name).and_then(|names| names.column(&column.name)).map(str::to_owned);
    column.schema_name.clone().or_else(published).unwrap_or_else(|| column.name.clone())
}

fn required(column: &Column) -> RequiredLevel {
    match column.wanted {
        _ if column.required => RequiredLevel::SystemRequired,
        Wanted::Application => RequiredLevel::ApplicationRequired,
        Wanted::Recommended => RequiredLevel::Recommended,
        Wanted::Optional => RequiredLevel::None,
    }
}

/// Amounts in the base currency and composed addresses only show another column.
fn attribute_of(table: &Table, column: &Column) -> Option<String> {
    let shown = column.name.strip_suffix("_base").filter(|_| column.kind == Kind::Money);
    shown.filter(|shown| table.column(shown).is_some()).map(str::to_owned)
}

fn kind(schema: &Schema, table: &Table, column: &Column) -> ColumnKind {
    match column.kind {
        Kind::Id | Kind::Guid => ColumnKind::Uniqueidentifier,
        Kind::Text => text(column),
        Kind::Body => ColumnKind::Memo { max_length: column.max_length.unwrap_or(MEMO) },
        Kind::File => file(table, column),
        Kind::Integer => ColumnKind::Integer {
            min: column.min.map_or(i32::MIN, |min| min as i32),
            max: column.max.map_or(i32::MAX, |max| max as i32),
            format: number_format(column.format).to_owned(),
        },
        Kind::BigInteger => ColumnKind::BigInt,
        Kind::Boolean => boolean(column),
        Kind::Choice => ColumnKind::Picklist { options: options(table, column), default: preset(column) },
        Kind::MultiChoice => ColumnKind::MultiSelect { options: options(table, column) },
        Kind::State => ColumnKind::State { options: states(table, column) },
        Kind::Status => ColumnKind::Status { options: options(table, column) },
        Kind::Double | Kind::Decimal | Kind::Money => number(column),
        Kind::Time => ColumnKind::DateTime {
            date_only: column.format == Some(Format::DateOnly),
            behavior: behavior(column.behavior),
        },
        Kind::PartyList => ColumnKind::PartyList { targets: parties(schema) },
        Kind::Lookup => lookup(schema, table, column),
    }
}

fn text(column: &Column) -> ColumnKind {
    let format = match column.format {
        Some(Format::Memo) => return ColumnKind::Memo { max_length: column.max_length.unwrap_or(MEMO) },
        Some(Format::EntityName) => return ColumnKind::EntityName,
        Some(Format::Email) => "Email",
        Some(Format::Url) => "Url",
        Some(Format::Phone) => "Phone",
        Some(Format::TextArea) => "TextArea",
        Some(Format::TickerSymbol) => "TickerSymbol",
        Some(Format::PhoneticGuide) => "PhoneticGuide",
        _ => "Text",
    };
    ColumnKind::String { max_length: column.max_length.unwrap_or(STRING), format: format.to_owned() }
}

fn number_format(format: Option<Format>) -> &'static str {
    match format {
        Some(Format::Duration) => "Duration",
        Some(Format::TimeZone) => "TimeZone",
        Some(Format::Language) => "Language",
        Some(Format::Locale) => "Locale",
        _ => "None",
    }
}

/// The bytes of standard tables are base64 texts on the platform; file columns are those made at run time.
fn file(table: &Table, column: &Column) -> ColumnKind {
    let max_kb = column.max_length.unwrap_or(FILE_KB);
    match column.format {
        _ if !tables::is_custom_column(table, column) => {
            ColumnKind::Memo { max_length: column.max_length.unwrap_or(MEMO) }
        }
        Some(Format::Image) => ColumnKind::Image { max_kb },
        _ => ColumnKind::File { max_kb },
    }
}

fn boolean(column: &Column) -> ColumnKind {
    let named = |value: i64, otherwise: &str| {
        let choice = column.choices.iter().find(|choice| choice.value == value);
        choice.map_or_else(|| Label::english(otherwise), label)
    };
    let (yes, no) = spoken(&column.name);
    let default = column.preset == Some(Preset::Boolean(true));
    ColumnKind::Boolean { yes: named(1, yes), no: named(0, no), default }
}

/// True and false as the standard columns call them.
fn spoken(column: &str) -> (&'static str, &'static str) {
    match column {
        "donotsendmm" => ("Do Not Send", "Send"),
        "directioncode" => ("Outgoing", "Incoming"),
        _ if column.starts_with("donot") && column != "donotsendonoptout" => ("Do Not Allow", "Allow"),
        _ => ("Yes", "No"),
    }
}

fn number(column: &Column) -> ColumnKind {
    let range = |bound: f64| (column.min.unwrap_or(-bound), column.max.unwrap_or(bound));
    let precision = |usual: u8| column.precision.unwrap_or(usual);
    match column.kind {
        Kind::Money => {
            let (min, max) = range(MONEY);
            let source = column.precision_source.unwrap_or(2);
            ColumnKind::Money { min, max, precision: precision(4), source }
        }
        Kind::Double => {
            let (min, max) = range(DECIMAL);
            ColumnKind::Double { min, max, precision: precision(5) }
        }
        _ => {
            let (min, max) = range(DECIMAL);
            ColumnKind::Decimal { min, max, precision: precision(10) }
        }
    }
}

fn behavior(behavior: Behavior) -> DateTimeBehavior {
    match behavior {
        Behavior::UserLocal => DateTimeBehavior::UserLocal,
        Behavior::DateOnly => DateTimeBehavior::DateOnly,
        Behavior::TimeZoneIndependent => DateTimeBehavior::TimeZoneIndependent,
    }
}

fn lookup(schema: &Schema, table: &Table, column: &Column) -> ColumnKind {
    if tables::is_intersect(table) && relations::is_end(table, column) {
        return ColumnKind::Uniqueidentifier;
    }
    let targets = relations::targets(schema, column);
    match column.format {
        _ if column.name == "ownerid" => ColumnKind::Owner { targets },
        Some(Format::Customer) => ColumnKind::Customer { targets },
        _ => ColumnKind::Lookup { targets },
    }
}

fn parties(schema: &Schema) -> Vec<String> {
    let party = schema.table("activityparty").ok().and_then(|parties| parties.column("partyid"));
    party.map(|party| relations::targets(schema, party)).unwrap_or_default()
}

fn preset(column: &Column) -> Option<i32> {
    match column.preset {
        Some(Preset::Number(number)) => i32::try_from(number).ok(),
        _ => None,
    }
}

fn label(choice: &Choice) -> Label {
    match choice.labels.is_empty() {
        true => Label::english(choice.label.trim()),
        false => labels::label(&choice.labels),
    }
}

fn item(choice: &Choice) -> OptionItem {
    OptionItem {
        value: narrow(choice.value),
        label: label(choice),
        state: choice.state.map(narrow),
        default_status: None,
    }
}

fn narrow(value: i64) -> i32 {
    i32::try_from(value)
        .expect("option values are 32-bit numbers: a test asks every standard one, rules the others")
}

/// A local option set is named by its column.
fn options(table: &Table, column: &Column) -> OptionSet {
    let local = format!("{}_{}", table.name, column.name);
    let name = column.option_set.clone().unwrap_or(local);
    OptionSet {
        id: id("optionset", &name),
        is_global: column.option_set.is_some(),
        is_custom: tables::is_custom_column(table, column),
        label: labels::of_column(column, &schema_name(table, column)),
        description: Label::default(),
        options: column.choices.iter().map(item).collect(),
        name,
    }
}

/// A state's first status is the one a row gets with it.
fn states(table: &Table, column: &Column) -> OptionSet {
    let mut set = options(table, column);
    let statuses = table.columns.iter().find(|column| column.kind == Kind::Status);
    for state in &mut set.options {
        let first = statuses.and_then(|statuses| {
            statuses.choices.iter().find(|choice| choice.state == Some(i64::from(state.value)))
        });
        state.default_status = first.map(|choice| narrow(choice.value));
    }
    set
}

/// A global option set as it is told.
pub(super) fn global(set: &GlobalSet) -> OptionSet {
    let named = |texts: &Texts| match texts.is_empty() {
        true => Label::english(names::words(&set.name)),
        false => labels::label(texts),
    };
    OptionSet {
        id: id("optionset", &set.name),
        name: set.name.clone(),
        is_global: true,
        is_custom: true,
        label: named(&set.labels),
        description: labels::label(&set.description),
        options: set.choices.iter().map(item).collect(),
    }
}
