//! Definitions as clients send them, read into the vocabulary of `postroom_core::metadata`. Unknown and read-only members
//! are passed over: clients send back whole what they read. `Complex…` types are the same types in actions.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, KeyInfo, KeyStatus, Label, Metadata, OptionSet, OwnershipType, RequiredLevel,
    TableInfo,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::labels;
use crate::webapi::Problem;

mod kinds;
mod links;

pub(super) use links::{cascade_over, many_to_many, one_to_many};

pub(super) type Body = Map<String, Value>;

/// The object in a request's body.
pub(super) fn object(bytes: &[u8]) -> Result<Body, Problem> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Problem::payload("an object is wanted")),
        Err(error) => Err(Problem::payload(error.to_string())),
    }
}

pub(super) fn text<'b>(body: &'b Body, member: &str) -> Option<&'b str> {
    body.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A text, or the text in the `Value` of a managed property, a format name and their like.
pub(super) fn word<'b>(body: &'b Body, member: &str) -> Option<&'b str> {
    let value = body.get(member)?;
    value.as_str().or_else(|| value.get("Value")?.as_str()).filter(|text| !text.is_empty())
}

pub(super) fn flag(body: &Body, member: &str) -> Option<bool> {
    let value = body.get(member)?;
    value.as_bool().or_else(|| value.get("Value")?.as_bool())
}

/// A whole number, also one written as `1.0` or as text.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let fraction = || value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
    value.as_i64().or_else(fraction).or_else(|| value.as_str()?.trim().parse().ok())
}

fn number<T: TryFrom<i64>>(body: &Body, member: &str) -> Result<Option<T>, Problem> {
    let Some(value) = body.get(member).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = whole(value).and_then(|number| T::try_from(number).ok());
    let wrong = || Problem::payload(format!("The value of '{member}' is not a whole number that fits"));
    number.map(Some).ok_or_else(wrong)
}

fn float(body: &Body, member: &str) -> Result<Option<f64>, Problem> {
    let Some(value) = body.get(member).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let wrong = || Problem::payload(format!("The value of '{member}' is not a number"));
    number.map(Some).ok_or_else(wrong)
}

pub(super) fn list<'b>(body: &'b Body, member: &str) -> impl Iterator<Item = &'b Body> {
    body.get(member).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// What a definition is, without `#`, namespace and `Complex`: `StringAttributeMetadata`.
pub(super) fn class(body: &Body) -> Option<&str> {
    let name = text(body, "@odata.type")?.trim_start_matches('#');
    let name = postroom_formats::odata::path::unqualified(name).unwrap_or(name);
    Some(name.strip_prefix("Complex").unwrap_or(name))
}

fn schema_name(body: &Body, what: &str) -> Result<String, Problem> {
    let name = text(body, "SchemaName").or_else(|| text(body, "LogicalName"));
    let missing = || Problem::bad(format!("Required field 'SchemaName' is missing for {what}"));
    name.map(str::to_owned).ok_or_else(missing)
}

fn new_label(body: &Body, member: &str) -> Label {
    labels::read(body, member).unwrap_or_default()
}

/// A new table.
pub(super) fn table(metadata: &Metadata, body: &Body) -> Result<TableInfo, Problem> {
    let schema_name = schema_name(body, "the table")?;
    let primary = text(body, "PrimaryNameAttribute").map(str::to_ascii_lowercase);
    let mut columns = Vec::new();
    for one in list(body, "Attributes") {
        let mut column = column(metadata, one)?;
        column.is_primary_name |= primary.as_ref() == Some(&column.schema_name.to_ascii_lowercase());
        columns.push(column);
    }
    let is_activity = flag(body, "IsActivity").unwrap_or(false);
    if is_activity {
        // Its primary name is that of all activities; what a client sends for it would be a second subject.
        columns.retain(|column| !column.is_primary_name);
    }
    Ok(TableInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name,
        entity_set: text(body, "EntitySetName").unwrap_or_default().to_owned(),
        type_code: 0,
        label: new_label(body, "DisplayName"),
        collection_label: new_label(body, "DisplayCollectionName"),
        description: new_label(body, "Description"),
        primary_id: String::new(),
        primary_name: None,
        ownership: ownership(text(body, "OwnershipType")),
        is_activity,
        is_activity_party: false,
        has_activities: flag(body, "HasActivities").unwrap_or(false),
        has_notes: flag(body, "HasNotes").unwrap_or(false),
        is_custom: true,
        is_intersect: false,
        is_managed: false,
        change_tracking: flag(body, "ChangeTrackingEnabled").unwrap_or(true),
        columns,
        keys: Vec::new(),
        privileges: Vec::new(),
    })
}

/// Rows of a table that nobody owns belong to the organisation.
fn ownership(word: Option<&str>) -> OwnershipType {
    match word {
        Some("OrganizationOwned" | "None") => OwnershipType::OrganizationOwned,
        _ => OwnershipType::UserOwned,
    }
}

/// A table changed: what the body does not say stays.
pub(super) fn table_over(have: &TableInfo, body: &Body, merge: bool) -> TableInfo {
    let label = |have: &Label, member: &str| labels::over(have, labels::read(body, member), merge);
    TableInfo {
        label: label(&have.label, "DisplayName"),
        collection_label: label(&have.collection_label, "DisplayCollectionName"),
        description: label(&have.description, "Description"),
        has_activities: flag(body, "HasActivities").unwrap_or(have.has_activities),
        has_notes: flag(body, "HasNotes").unwrap_or(have.has_notes),
        change_tracking: flag(body, "ChangeTrackingEnabled").unwrap_or(have.change_tracking),
        columns: Vec::new(),
        ..have.clone()
    }
}

/// A new column.
pub(super) fn column(metadata: &Metadata, body: &Body) -> Result<ColumnInfo, Problem> {
    Ok(ColumnInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: schema_name(body, "the attribute")?,
        label: new_label(body, "DisplayName"),
        description: new_label(body, "Description"),
        kind: kinds::new(metadata, body)?,
        required: required(body).unwrap_or(RequiredLevel::None),
        valid_for_create: true,
        valid_for_update: true,
        valid_for_read: true,
        is_primary_id: false,
        is_primary_name: flag(body, "IsPrimaryName").unwrap_or(false),
        is_custom: true,
        is_secured: flag(body, "IsSecured").unwrap_or(false),
        attribute_of: None,
        number: 0,
    })
}

/// A column changed: what the body does not say stays, and so does its type.
pub(super) fn column_over(have: &ColumnInfo, body: &Body, merge: bool) -> Result<ColumnInfo, Problem> {
    Ok(ColumnInfo {
        label: labels::over(&have.label, labels::read(body, "DisplayName"), merge),
        description: labels::over(&have.description, labels::read(body, "Description"), merge),
        kind: kinds::over(&have.kind, body, merge)?,
        required: required(body).unwrap_or(have.required),
        is_secured: flag(body, "IsSecured").unwrap_or(have.is_secured),
        ..have.clone()
    })
}

fn required(body: &Body) -> Option<RequiredLevel> {
    let level = word(body, "RequiredLevel")?;
    Some(RequiredLevel::from_name(level).unwrap_or(RequiredLevel::None))
}

pub(super) fn key(body: &Body) -> Result<KeyInfo, Problem> {
    let columns = body.get("KeyAttributes").and_then(Value::as_array).into_iter().flatten();
    let columns: Option<Vec<String>> =
        columns.map(|name| name.as_str().map(str::to_ascii_lowercase)).collect();
    Ok(KeyInfo {
        id: Uuid::nil(),
        logical_name: String::new(),
        schema_name: schema_name(body, "the key")?,
        label: new_label(body, "DisplayName"),
        columns: columns.ok_or_else(|| Problem::payload("'KeyAttributes' is a list of logical names"))?,
        status: KeyStatus::Pending,
    })
}

/// A new global option set.
pub(super) fn option_set(body: &Body) -> Result<OptionSet, Problem> {
    let name = text(body, "Name")
        .ok_or_else(|| Problem::bad("Required field 'Name' is missing for the option set"))?;
    Ok(OptionSet {
        id: Uuid::nil(),
        name: name.to_owned(),
        is_global: true,
        is_custom: true,
        label: new_label(body, "DisplayName"),
        description: new_label(body, "Description"),
        options: kinds::options(body)?,
    })
}

pub(super) fn option_set_over(have: &OptionSet, body: &Body, merge: bool) -> OptionSet {
    OptionSet {
        label: labels::over(&have.label, labels::read(body, "DisplayName"), merge),
        description: labels::over(&have.description, labels::read(body, "Description"), merge),
        ..have.clone()
    }
}

/// The lookup of a relationship; its targets come from that.
pub(super) fn lookup(metadata: &Metadata, body: &Body, customer: bool) -> Result<ColumnInfo, Problem> {
    let lookup = body.get("Lookup").and_then(Value::as_object);
    let lookup =
        lookup.ok_or_else(|| Problem::bad("Required field 'Lookup' is missing for the relationship"))?;
    let mut lookup = lookup.clone();
    lookup.insert("@odata.type".into(), "LookupAttributeMetadata".into());
    let info = column(metadata, &lookup)?;
    let kind = match customer {
        true => ColumnKind::Customer { targets: Vec::new() },
        false => ColumnKind::Lookup { targets: Vec::new() },
    };
    Ok(ColumnInfo { kind, ..info })
}
