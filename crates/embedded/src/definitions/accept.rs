//! Definitions as clients give them, made into what the schema keeps. Only checks; nothing is written here.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, DateTimeBehavior, Label, OptionItem, OptionSet, OwnershipType, RequiredLevel,
    TableInfo,
};

use super::{Problem, labels, links, naming};
use crate::schema::{
    Behavior, Choice, Column, Format, Kind, Ownership, Preset, Schema, Table, Targets, Texts, Wanted, names,
    standard_columns, standard_table,
};

/// What a memo, a text and a file may at most hold.
const LONGEST_MEMO: u32 = 1_048_576;
const LONGEST_STRING: u32 = 4000;
const OWNER_COLUMNS: &[&str] = &["ownerid", "owningbusinessunit", "owninguser", "owningteam"];

/// A new table with its columns.
pub(super) fn table(schema: &Schema, info: &TableInfo) -> Result<Table, Problem> {
    let (schema_name, name) = naming::agreed(&info.schema_name, &info.logical_name)?;
    if schema.find(&name).is_some() {
        return Err(Problem::Taken { what: "table", name });
    }
    let mut table = match info.is_activity {
        true => activity(&name)?,
        false => plain(&name, info)?,
    };
    table.activity = info.is_activity;
    table.has_activities = info.has_activities && !info.is_activity;
    table.has_notes = info.has_notes;
    table.untracked = !info.change_tracking;
    table.labels = texts(&info.label);
    table.plural = texts(&info.collection_label);
    table.description = texts(&info.description);
    table.entity_set = Some(entity_set(info, &name));
    table.schema_name = Some(schema_name);
    for info in &info.columns {
        let column = column(schema, &table, info)?;
        if info.is_primary_name {
            table.primary_name = Some(column.name.clone());
        }
        // The key, the owner and their like stand after what the client names, as the platform lists them.
        table.columns.push(column);
        table.index();
    }
    match &table.primary_name {
        Some(_) => Ok(table),
        None => Err(Problem::unfit("table", &name, "one of its text columns must be the primary name")),
    }
}

fn entity_set(info: &TableInfo, name: &str) -> String {
    match info.entity_set.is_empty() {
        true => names::entity_set(name),
        false => info.entity_set.to_ascii_lowercase(),
    }
}

fn plain(name: &str, info: &TableInfo) -> Result<Table, Problem> {
    let ownership = match info.ownership {
        OwnershipType::UserOwned => Ownership::User,
        OwnershipType::OrganizationOwned => Ownership::Organization,
        OwnershipType::None | OwnershipType::BusinessOwned => {
            return Err(Problem::unfit("table", name, "its rows are owned by users or by the organisation"));
        }
    };
    let key = format!("{name}id");
    let mut columns = vec![Column::new(key.clone(), Kind::Id).required()];
    let of_owner = |column: &Column| OWNER_COLUMNS.contains(&column.name.as_str());
    columns.extend(
        standard_columns().into_iter().filter(|column| ownership == Ownership::User || !of_owner(column)),
    );
    let mut table = Table::new(name, key, columns);
    table.ownership = ownership;
    Ok(table)
}

/// An activity has what all activities have.
fn activity(name: &str) -> Result<Table, Problem> {
    let pointer =
        standard_table("activitypointer").ok_or_else(|| Problem::missing("table", "activitypointer"))?;
    let mut table = Table::new(name, pointer.primary_key.clone(), pointer.columns.clone());
    table.primary_name.clone_from(&pointer.primary_name);
    table.ownership = Ownership::User;
    Ok(table)
}

/// A new column of `table`.
pub(super) fn column(schema: &Schema, table: &Table, info: &ColumnInfo) -> Result<Column, Problem> {
    let (schema_name, name) = naming::agreed(&info.schema_name, &info.logical_name)?;
    if table.column(&name).is_some() {
        return Err(Problem::Taken { what: "column", name: format!("{}.{name}", table.name) });
    }
    if info.is_primary_name && !matches!(info.kind, ColumnKind::String { .. }) {
        return Err(Problem::unfit("column", &name, "a primary name is a text"));
    }
    let mut column = kind(schema, &name, &info.kind)?;
    column.schema_name = Some(schema_name);
    shown(&mut column, info);
    column.secured = info.is_secured;
    if column.kind == Kind::Lookup {
        links::usual(schema, table, &mut column)?;
    }
    Ok(column)
}

/// Label, description and how much a client is asked to fill it.
pub(super) fn shown(column: &mut Column, info: &ColumnInfo) {
    if !info.label.0.is_empty() {
        column.label = info.label.text().map(str::to_owned);
        column.labels = texts(&info.label);
    }
    if !info.description.0.is_empty() {
        column.description = texts(&info.description);
    }
    column.wanted = match info.required {
        RequiredLevel::None => Wanted::Optional,
        RequiredLevel::Recommended => Wanted::Recommended,
        // Rows that are there lack it: the server cannot insist.
        RequiredLevel::ApplicationRequired | RequiredLevel::SystemRequired => Wanted::Application,
    };
}

fn kind(schema: &Schema, name: &str, kind: &ColumnKind) -> Result<Column, Problem> {
    let unfit = |why| Err(Problem::unfit("column", name, why));
    let new = |kind| Column::new(name, kind);
    Ok(match kind {
        ColumnKind::Boolean { yes, no, default } => Column {
            choices: vec![choice(1, yes, "Yes", None), choice(0, no, "No", None)],
            preset: Some(Preset::Boolean(*default)),
            ..new(Kind::Boolean)
        },
        ColumnKind::Integer { min, max, format } => Column {
            min: Some(f64::from(*min)),
            max: Some(f64::from(*max)),
            format: number_format(format),
            ..new(Kind::Integer)
        },
        ColumnKind::BigInt => new(Kind::BigInteger),
        ColumnKind::Decimal { min, max, precision } => bounded(new(Kind::Decimal), *min, *max, *precision)?,
        ColumnKind::Double { min, max, precision } => bounded(new(Kind::Double), *min, *max, *precision)?,
        ColumnKind::Money { min, max, precision, source } => {
            let money = bounded(new(Kind::Money), *min, *max, *precision)?;
            Column { precision_source: Some(*source), ..money }
        }
        ColumnKind::String { max_length, format } => text(new(Kind::Text), *max_length, format)?,
        ColumnKind::Memo { max_length } => match max_length {
            1..=LONGEST_MEMO => {
                Column { max_length: Some(*max_length), format: Some(Format::Memo), ..new(Kind::Text) }
            }
            _ => return unfit("a memo holds 1 to 1048576 characters"),
        },
        ColumnKind::DateTime { date_only, behavior } => Column {
            format: date_only.then_some(Format::DateOnly),
            behavior: match behavior {
                DateTimeBehavior::UserLocal => Behavior::UserLocal,
                DateTimeBehavior::DateOnly => Behavior::DateOnly,
                DateTimeBehavior::TimeZoneIndependent => Behavior::TimeZoneIndependent,
            },
            ..new(Kind::Time)
        },
        ColumnKind::Picklist { options, default } => {
            let mut column = chosen(schema, new(Kind::Choice), options)?;
            column.preset =
                default.filter(|default| *default >= 0).map(|default| Preset::Number(default.into()));
            column
        }
        ColumnKind::MultiSelect { options } => chosen(schema, new(Kind::MultiChoice), options)?,
        ColumnKind::Lookup { targets } => {
            Column { targets: Targets::Named(targets.clone()), ..new(Kind::Lookup) }
        }
        ColumnKind::Customer { .. } => {
            Column { format: Some(Format::Customer), ..Column::lookup(name, &["account", "contact"]) }
        }
        ColumnKind::File { max_kb } => Column { max_length: Some(*max_kb), ..new(Kind::File) },
        ColumnKind::Image { max_kb } => {
            Column { max_length: Some(*max_kb), format: Some(Format::Image), ..new(Kind::File) }
        }
        ColumnKind::Uniqueidentifier => new(Kind::Guid),
        ColumnKind::EntityName => Column { format: Some(Format::EntityName), ..Column::text(name, 64) },
        ColumnKind::State { .. } | ColumnKind::Status { .. } => return unfit("states come with the table"),
        ColumnKind::Owner { .. } => return unfit("the owner comes with the table"),
        ColumnKind::PartyList { .. } => return unfit("party lists come with activities"),
        ColumnKind::Virtual => return unfit("virtual columns cannot be made"),
    })
}

fn text(column: Column, max_length: u32, format: &str) -> Result<Column, Problem> {
    let format = match format {
        "Email" => Some(Format::Email),
        "Url" => Some(Format::Url),
        "Phone" => Some(Format::Phone),
        "TextArea" => Some(Format::TextArea),
        "TickerSymbol" => Some(Format::TickerSymbol),
        "PhoneticGuide" => Some(Format::PhoneticGuide),
        _ => None,
    };
    match max_length {
        1..=LONGEST_STRING => Ok(Column { max_length: Some(max_length), format, ..column }),
        _ => Err(Problem::unfit(
            "column",
            &column.name,
            "a text holds 1 to 4000 characters; a memo holds more",
        )),
    }
}

fn number_format(format: &str) -> Option<Format> {
    match format {
        "Duration" => Some(Format::Duration),
        "TimeZone" => Some(Format::TimeZone),
        "Language" => Some(Format::Language),
        "Locale" => Some(Format::Locale),
        _ => None,
    }
}

fn bounded(column: Column, min: f64, max: f64, precision: u8) -> Result<Column, Problem> {
    match min <= max && precision <= 10 {
        true => Ok(Column { min: Some(min), max: Some(max), precision: Some(precision), ..column }),
        false => {
            Err(Problem::unfit("column", &column.name, "its bounds or its precision (0 to 10) do not fit"))
        }
    }
}

fn chosen(schema: &Schema, mut column: Column, set: &OptionSet) -> Result<Column, Problem> {
    if set.is_global {
        let global = schema.option_sets.iter().find(|global| global.name.eq_ignore_ascii_case(&set.name));
        let global = global.ok_or_else(|| Problem::missing("global option set", &set.name))?;
        column.option_set = Some(global.name.clone());
        column.choices.clone_from(&global.choices);
    } else {
        column.choices = choices(&column.name, &set.options)?;
    }
    Ok(column)
}

/// Options, each with a value of its own.
pub(super) fn choices(name: &str, options: &[OptionItem]) -> Result<Vec<Choice>, Problem> {
    let mut all: Vec<Choice> = Vec::with_capacity(options.len());
    for option in options {
        if all.iter().any(|choice| choice.value == i64::from(option.value)) {
            return Err(Problem::unfit("option set", name, "two of its options have the same value"));
        }
        all.push(choice(option.value, &option.label, "", option.state));
    }
    Ok(all)
}

pub(super) fn choice(value: i32, label: &Label, otherwise: &str, state: Option<i32>) -> Choice {
    Choice {
        value: value.into(),
        label: label.text().unwrap_or(otherwise).to_owned(),
        state: state.map(i64::from),
        labels: texts(label),
    }
}

pub(super) fn texts(label: &Label) -> Texts {
    label.0.clone()
}

/// A changed column; what cannot change is refused.
pub(super) fn changed(have: &Column, table: &Table, info: &ColumnInfo) -> Result<Column, Problem> {
    let name = format!("{}.{}", table.name, have.name);
    let mut column = have.clone();
    shown(&mut column, info);
    if have.required {
        column.wanted = have.wanted;
    }
    column.secured = info.is_secured;
    column.changed = true;
    let other = || Err(Problem::unfit("column", &name, "a column keeps its type"));
    match (&info.kind, have.kind) {
        (ColumnKind::String { max_length, .. } | ColumnKind::Memo { max_length }, Kind::Text) => {
            if have.max_length.is_some_and(|longest| *max_length < longest) {
                return Err(Problem::unfit("column", &name, "it may grow longer, not shorter"));
            }
            column.max_length = have.max_length.map(|_| *max_length);
        }
        (ColumnKind::Integer { min, max, .. }, Kind::Integer) => {
            (column.min, column.max) = (Some(f64::from(*min)), Some(f64::from(*max)));
        }
        (ColumnKind::Decimal { min, max, precision }, Kind::Decimal)
        | (ColumnKind::Double { min, max, precision }, Kind::Double)
        | (ColumnKind::Money { min, max, precision, .. }, Kind::Money) => {
            column = bounded(column, *min, *max, *precision)?;
        }
        (ColumnKind::Boolean { yes, no, default }, Kind::Boolean) => {
            column.choices = vec![choice(1, yes, "Yes", None), choice(0, no, "No", None)];
            column.preset = Some(Preset::Boolean(*default));
        }
        (ColumnKind::Picklist { default, .. }, Kind::Choice) => {
            let default = default.filter(|default| *default >= 0);
            column.preset = default.map(|default| Preset::Number(default.into()));
        }
        (given, kind) if labels::same_kind(given, kind) => {}
        _ => return other(),
    }
    Ok(column)
}
