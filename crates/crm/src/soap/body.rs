//! Records as entities: values in their columns' types, parties as the activity's party lists.
//!
//! What cannot fit is refused here, by the name of its column, before anything is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use postroom_core::metadata::{ColumnInfo, ColumnKind, Metadata, TableInfo};
use postroom_core::{Code, Content, Fault, Record, RecordRef, Value};
use postroom_formats::soap::names::PARTY_LISTS;
use postroom_formats::soap::value::{Any, Entity, EntityCollection, EntityReference};
use uuid::Uuid;

use crate::promises::{column, is_file, table, unfit};

pub(super) fn reference(at: &RecordRef) -> EntityReference {
    EntityReference::new(at.table.as_str(), at.id)
}

/// What a record's columns say.
pub(super) fn entity(metadata: &Metadata, record: &Record) -> Result<Entity, Fault> {
    let table = table(metadata, &record.at.table)?;
    let mut entity = Entity::new(record.at.table.as_str(), record.at.id);
    for (name, value) in &record.columns {
        entity.attributes.push((name.to_string(), any(table, column(table, name)?, value)?));
    }
    Ok(entity)
}

/// The same with the rows of `activityparty` in the activity's lists: the list says what a party is.
pub(super) fn activity(metadata: &Metadata, record: &Record, parties: &[Record]) -> Result<Entity, Fault> {
    let mut entity = entity(metadata, record)?;
    let info = table(metadata, &record.at.table)?;
    let mut lists: Vec<(&str, Vec<Entity>)> = Vec::new();
    for party in parties {
        let list = list_of(info, party)?;
        let mut row = self::entity(metadata, party)?;
        row.id = Uuid::nil();
        row.attributes.retain(|(name, _)| name != "participationtypemask");
        match lists.iter_mut().find(|(name, _)| *name == list) {
            Some((_, rows)) => rows.push(row),
            None => lists.push((list, vec![row])),
        }
    }
    for (name, rows) in lists {
        let rows = EntityCollection { min_row_version: None, ..EntityCollection::of("activityparty", rows) };
        entity.attributes.push((name.to_owned(), Any::EntityCollection(rows)));
    }
    Ok(entity)
}

/// The list of an activity that a party stands in.
fn list_of<'t>(activity: &'t TableInfo, party: &Record) -> Result<&'t str, Fault> {
    let mask = party.int("participationtypemask").unwrap_or_default();
    let named = |column: &&ColumnInfo| {
        PARTY_LISTS.iter().any(|(name, list)| *list == mask && *name == column.logical_name)
    };
    let found = activity.columns.iter().find(named).map(|column| column.logical_name.as_str());
    found.ok_or_else(|| {
        let text =
            format!("activityparty.participationtypemask {mask} is no list of {}", activity.logical_name);
        Fault::reject(Code::CRM_REFUSED, text)
    })
}

/// A value in the type of its column.
pub(super) fn any(table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<Any, Fault> {
    use ColumnKind as Kind;
    let no = |wanted: &str| unfit(table, column, wanted);
    if *value == Value::Null {
        return Ok(Any::Null);
    }
    if is_file(table, &column.logical_name) {
        return match value {
            Value::Content(Content::Bytes(bytes)) => Ok(Any::String(BASE64.encode(bytes))),
            Value::Text(text) => Ok(Any::String(text.clone())),
            _ => Err(no("a file")),
        };
    }
    match &column.kind {
        Kind::Boolean { .. } => value.as_bool().map(Any::Boolean).ok_or_else(|| no("yes or no")),
        Kind::Integer { .. } => int(value).map(Any::Int).ok_or_else(|| no("a whole number")),
        Kind::Picklist { .. } | Kind::State { .. } | Kind::Status { .. } => {
            int(value).map(Any::OptionSetValue).ok_or_else(|| no("the number of a choice"))
        }
        Kind::BigInt => match value {
            Value::Int(number) => Ok(Any::Long(*number)),
            _ => Err(no("a whole number")),
        },
        Kind::MultiSelect { .. } => choices(value).ok_or_else(|| no("the numbers of choices")),
        Kind::Decimal { .. } => amount(value).map(Any::Decimal).ok_or_else(|| no("a number")),
        Kind::Money { .. } => amount(value).map(Any::Money).ok_or_else(|| no("a number")),
        Kind::Double { .. } => {
            let number = amount(value).and_then(|text| text.parse().ok());
            number.map(Any::Double).ok_or_else(|| no("a number"))
        }
        Kind::DateTime { .. } => moment(value).map(Any::DateTime).ok_or_else(|| no("a time")),
        Kind::Uniqueidentifier => match value {
            Value::Guid(id) => Ok(Any::Guid(*id)),
            Value::Lookup(to) => Ok(Any::Guid(to.id)),
            _ => Err(no("a GUID")),
        },
        Kind::Lookup { targets } | Kind::Customer { targets } => lookup(table, column, value, targets),
        Kind::Owner { .. } => lookup(table, column, value, &[]),
        Kind::PartyList { .. } => Err(no("rows of activityparty in the same set")),
        Kind::Image { .. } | Kind::File { .. } => match value {
            Value::Content(Content::Bytes(bytes)) => Ok(Any::Binary(bytes.to_vec())),
            _ => Err(no("a file")),
        },
        Kind::String { .. } | Kind::Memo { .. } | Kind::EntityName | Kind::Virtual => match value {
            Value::Text(text) => Ok(Any::String(text.clone())),
            Value::Content(Content::Bytes(bytes)) => {
                Ok(Any::String(String::from_utf8_lossy(bytes).into_owned()))
            }
            _ => Err(no("text")),
        },
    }
}

fn lookup(table: &TableInfo, column: &ColumnInfo, value: &Value, targets: &[String]) -> Result<Any, Fault> {
    let Value::Lookup(to) = value else { return Err(unfit(table, column, "the row of a table")) };
    if !targets.is_empty() && !targets.contains(&to.table) {
        let text =
            format!("{}.{} cannot name a row of {}", table.logical_name, column.logical_name, to.table);
        return Err(Fault::reject(Code::CRM_REFUSED, text));
    }
    Ok(Any::EntityReference(reference(to)))
}

fn int(value: &Value) -> Option<i32> {
    match value {
        Value::Int(number) => i32::try_from(*number).ok(),
        Value::Float(number) if number.fract() == 0.0 => format!("{number:.0}").parse().ok(),
        _ => None,
    }
}

fn choices(value: &Value) -> Option<Any> {
    let numbers: Option<Vec<i32>> = match value {
        Value::Text(text) if text.is_empty() => Some(Vec::new()),
        Value::Text(text) => text.split(',').map(|number| number.trim().parse().ok()).collect(),
        Value::Int(number) => i32::try_from(*number).ok().map(|number| vec![number]),
        _ => None,
    };
    numbers.map(Any::OptionSetCollection)
}

/// A number in plain digits.
pub(super) fn amount(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => number.is_finite().then(|| number.to_string()),
        Value::Decimal(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
            let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            (plain(whole) && plain(rest) && !(whole.is_empty() && rest.is_empty())).then(|| text.clone())
        }
        _ => None,
    }
}

/// A time in whole seconds, as the platform keeps them.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    let time = match value {
        Value::Time(time) => *time,
        Value::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    Timestamp::from_second(time.as_second()).ok()
}
