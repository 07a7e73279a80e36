//! Data labels, both ways, and the mappings of an account (marketing-sync.md 5).
//!
//! One made in the CRM (`esc_issynced` is not yet set) is made at the service; one found there becomes a row. A label of a type
//! that this version does not know is kept as such. What the service no longer has is marked, unless it has suddenly lost
//! many; a row that a user deleted here comes back, as the field is still there with everybody's values: deleting it is done
//! at the service. Then the columns of the CRM are listed, default mappings made once, and every mapping is checked.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::marketing::{DataField, FieldType, FieldValue, Visibility};
use postroom_core::{Change, Filter, Query, Record, RecordRef, Value, Verdict};
use serde::{Deserialize, Serialize};

use super::book::{self, option};
use super::crm_fields;
use crate::keys::Key;
use crate::solution::options::Set;
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Halt, Turn};

pub(super) const LABELS: &str = "esc_emailcampaigncustomfields";
pub(super) const MAPPINGS: &str = "esc_emaildatamapping";
/// Labels that every account has.
const SYSTEM: [&str; 6] = ["FIRSTNAME", "LASTNAME", "FULLNAME", "GENDER", "POSTCODE", "EMAIL"];
/// What is mapped when an account is synchronised for the first time: label, and path for each table.
const DEFAULTS: [(&str, &str, &str); 9] = [
    ("FIRSTNAME", "contact", "firstname"),
    ("LASTNAME", "contact", "lastname"),
    ("FULLNAME", "contact", "fullname"),
    ("POSTCODE", "contact", "address1_postalcode"),
    ("FIRSTNAME", "lead", "firstname"),
    ("LASTNAME", "lead", "lastname"),
    ("FULLNAME", "lead", "fullname"),
    ("POSTCODE", "lead", "address1_postalcode"),
    ("POSTCODE", "account", "address1_postalcode"),
];
const MISSING: &str = "the service no longer has this data field; its mappings stand still";

/// Whether the defaults have been made.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
struct Begun(bool);

/// The flow.
///
/// # Errors
/// Faults of either side, and a question when the service has lost many labels at once.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let metadata = book::described(turn.engine.crm.as_ref()).await?;
    let there = turn.account.service.fields().await?;
    turn.counts.read += there.len() as u64;
    let rows = rows(turn).await?;
    let made = push(turn, &rows, &there).await?;
    pull(turn, &rows, &there, &made).await?;
    crm_fields::run(turn, &metadata).await?;
    defaults(turn, &metadata).await?;
    paths(turn).await?;
    check(turn, &metadata).await
}

async fn rows(turn: &Turn) -> Result<Vec<Record>, Halt> {
    let columns = [
        "esc_labelname",
        "esc_datatype",
        "esc_defaultvalue",
        "esc_isprivate",
        "esc_issynced",
        "esc_issystem",
        "esc_syncerror",
    ];
    let own = Filter::eq("esc_emailaccountid", turn.connected.row().id);
    Ok(turn.engine.crm.query(&Query::of(LABELS).select(&columns).filter(own)).await?)
}

fn name(row: &Record) -> String {
    row.text("esc_labelname").unwrap_or_default().trim().to_uppercase()
}

fn yes(row: &Record, column: &str) -> bool {
    row.get(column).and_then(Value::as_bool) == Some(true)
}

/// Makes at the service what was made here; answers the names that are there now. What is refused is said on the row.
async fn push(turn: &mut Turn, rows: &[Record], there: &[DataField]) -> Result<Vec<String>, Halt> {
    let (mut made, mut changes) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| !yes(row, "esc_issynced") && row.text("esc_syncerror").is_none()) {
        let name = name(row);
        if there.iter().any(|field| field.name.eq_ignore_ascii_case(&name)) {
            continue;
        }
        turn.counts.to_service.sent += 1;
        let refused = match (bad_name(&name), turn.dry) {
            (Some(reason), _) => Some(reason.to_owned()),
            (None, true) => None,
            (None, false) => match turn.account.service.create_field(&field(row, &name)).await {
                Ok(_) => None,
                Err(fault) if fault.verdict == Verdict::Reject => Some(fault.message),
                Err(fault) => {
                    turn.counts.to_service.sent -= 1;
                    return Err(fault.into());
                }
            },
        };
        let state = Record::new(row.at.clone());
        changes.push(match refused {
            Some(reason) => {
                turn.counts.to_service.rejected += 1;
                state.with("esc_syncerror", reason)
            }
            None => {
                turn.counts.to_service.new += 1;
                made.push(name);
                state.with("esc_issynced", true)
            }
        });
    }
    crm_fields::write(turn, changes.into_iter().map(Change::Update).collect()).await?;
    Ok(made)
}

fn bad_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match name.is_empty() || name.len() > 20 || !name.chars().all(plain) {
        true => Some(
            "a label's name has at most 20 letters, digits, hyphens and underscores; make one with such a name",
        ),
        false => None,
    }
}

fn field(row: &Record, name: &str) -> DataField {
    let kind = option(row, "esc_datatype", Set::DataType).map_or(FieldType::Text, FieldType::from);
    let default = row.text("esc_defaultvalue").filter(|text| !text.is_empty()).map(FieldValue::from);
    let visibility = match row.get("esc_isprivate").and_then(Value::as_bool) {
        Some(false) => Visibility::Public,
        _ => Visibility::Private,
    };
    let kind = match kind {
        FieldType::Other(_) => FieldType::Text,
        known => known,
    };
    DataField { name: name.to_owned(), kind, visibility, default }
}

/// Brings the rows in line with what the service has.
async fn pull(turn: &mut Turn, rows: &[Record], there: &[DataField], made: &[String]) -> Result<(), Halt> {
    let by_name: HashMap<String, &Record> = rows.iter().map(|row| (name(row), row)).collect();
    let mut changes = Vec::new();
    for field in there {
        let found = label(turn, field, by_name.get(&field.name.to_uppercase()).copied());
        changes.extend(found.map(Change::Upsert));
    }
    let is_there = |name: &String| there.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let lost = |row: &&Record| {
        let name = name(row);
        yes(row, "esc_issynced") && name != "EMAIL" && !made.contains(&name) && !is_there(&name)
    };
    let lost: Vec<&Record> = rows.iter().filter(lost).collect();
    let synced = rows.iter().filter(|row| yes(row, "esc_issynced")).count() as u64;
    turn.admit(lost.len() as u64, synced, "marked as missing data labels")?;
    turn.counts.removed += lost.len() as u64;
    changes.extend(lost.into_iter().map(|row| {
        Change::Update(Record::new(row.at.clone()).with("esc_issynced", false).with("esc_syncerror", MISSING))
    }));
    crm_fields::write(turn, changes).await
}

/// The row of a field, if it is not as it should be.
fn label(turn: &Turn, field: &DataField, before: Option<&Record>) -> Option<Record> {
    let name = field.name.to_uppercase();
    let key = turn.connected.key.label(&name);
    let at = before.map_or_else(|| RecordRef::new(LABELS, key.id(LABELS)), |row| row.at.clone());
    let default = match &field.default {
        Some(FieldValue::Text(text) | FieldValue::Number(text)) => {
            Value::Text(text.chars().take(255).collect())
        }
        Some(FieldValue::Bool(yes)) => Value::from(if *yes { "Yes" } else { "No" }),
        Some(FieldValue::Day(day)) => Value::from(day.to_string()),
        Some(FieldValue::Moment(at)) => Value::from(at.to_string()),
        Some(FieldValue::Clear) | None => Value::Null,
    };
    let private = field.visibility != Visibility::Public;
    let row = Record::new(at)
        .with("esc_labelname", name.chars().take(20).collect::<String>())
        .with("esc_datatype", Set::DataType.of_service(field.kind.as_str()))
        .with("esc_defaultvalue", default)
        .with("esc_isprivate", private)
        .with("esc_issynced", true)
        .with("esc_issystem", SYSTEM.contains(&name.as_str()))
        .with("esc_syncerror", Value::Null);
    let same = |before: &Record| {
        row.columns.iter().all(|(column, value)| before.get(column).unwrap_or(&Value::Null) == value)
    };
    if before.is_some_and(same) {
        return None;
    }
    Some(
        row.with("esc_name", name.as_str())
            .with("esc_externalkey", key.as_str())
            .with("esc_emailaccountid", turn.connected.row()),
    )
}

/// The mappings that a new account begins with, once: what a user deletes stays deleted.
async fn defaults(turn: &mut Turn, metadata: &postroom_core::metadata::Metadata) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let mut begun: Cursor<Begun> =
        turn.read(move |tx| async move { cursor::read(tx, &account, "mappings").await }.boxed()).await?;
    if begun.place.0 {
        return Ok(());
    }
    let own = Filter::eq("esc_emailaccountid", turn.connected.row().id);
    let labels = turn.engine.crm.query(&Query::of(LABELS).select(&["esc_labelname"]).filter(own)).await?;
    let labels: HashMap<String, RecordRef> = labels.iter().map(|row| (name(row), row.at.clone())).collect();
    let mut changes = Vec::new();
    for (label, table, column) in DEFAULTS {
        let there = metadata.table(table).is_some_and(|table| table.column(column).is_some());
        let Some(at) = labels.get(label).filter(|_| there) else { continue };
        changes.push(Change::Create(mapping(turn, label, at, table, column)));
    }
    crm_fields::write(turn, changes).await?;
    begun.place = Begun(true);
    if turn.dry {
        return Ok(());
    }
    let stored =
        turn.page("marketing.mappings_begun", move |tx, _| async move { begun.write(tx).await }.boxed());
    Ok(stored.await?)
}

fn mapping(turn: &Turn, label: &str, at: &RecordRef, table: &str, column: &str) -> Record {
    let key = turn.connected.key.mapping(table, label);
    let field = RecordRef::new("esc_crmfield", Key::crm_field(table, column).id("esc_crmfield"));
    let word = Set::RecordType.options().iter().find(|word| word.eq_ignore_ascii_case(table));
    let choice = |set: Set, word: &str| set.value(word).map_or(Value::Null, Value::from);
    Record::new(RecordRef::new(MAPPINGS, key.id(MAPPINGS)))
        .with("esc_name", format!("{label}: {table}.{column}"))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_datalabelid", at.clone())
        .with("esc_entitytype", choice(Set::RecordType, word.copied().unwrap_or_default()))
        .with("esc_crmfieldid", field)
        .with("esc_fieldpath", column)
        .with("esc_direction", choice(Set::MapDirection, "From CRM"))
        .with("esc_emptyrule", choice(Set::EmptyRule, "Send blank"))
        .with("esc_choiceformat", choice(Set::ChoiceFormat, "Label"))
        .with("esc_isvalid", true)
}

/// A mapping for which a user chose a field has that field's path.
async fn paths(turn: &mut Turn) -> Result<(), Halt> {
    let own = Filter::All(vec![
        Filter::eq("esc_emailaccountid", turn.connected.row().id),
        Filter::Null("esc_fieldpath".to_owned()),
    ]);
    let bare = turn.engine.crm.query(&Query::of(MAPPINGS).select(&["esc_crmfieldid"]).filter(own)).await?;
    if bare.is_empty() {
        return Ok(());
    }
    let chosen = bare.iter().filter_map(|row| row.lookup("esc_crmfieldid")).map(|at| Value::from(at.id));
    let fields = Query::of("esc_crmfield")
        .select(&["esc_logicalname"])
        .filter(Filter::In("esc_crmfieldid".to_owned(), chosen.collect()));
    let fields = turn.engine.crm.query(&fields).await?;
    let path = |row: &Record| {
        let at = row.lookup("esc_crmfieldid")?;
        let field = fields.iter().find(|field| field.at.id == at.id)?;
        Some(Record::new(row.at.clone()).with("esc_fieldpath", field.text("esc_logicalname")?))
    };
    let changes = bare.iter().filter_map(path).map(Change::Update).collect();
    crm_fields::write(turn, changes).await
}

/// Marks mappings that cannot be used, with the reason, and takes the mark from those that can.
async fn check(turn: &mut Turn, metadata: &postroom_core::metadata::Metadata) -> Result<(), Halt> {
    let rows = book::read(turn.engine.crm.as_ref(), turn.connected.row().id, metadata).await?;
    let mark = |row: &book::Row| {
        let (valid, message) = match &row.mapping {
            Ok(_) => (true, Value::Null),
            Err(reason) => (false, Value::Text(reason.chars().take(500).collect())),
        };
        let same = yes(&row.record, "esc_isvalid") == valid
            && row.record.get("esc_validationmessage").unwrap_or(&Value::Null) == &message;
        let at = row.record.at.clone();
        (!same).then(|| Record::new(at).with("esc_isvalid", valid).with("esc_validationmessage", message))
    };
    let changes: Vec<Change> = rows.iter().filter_map(mark).map(Change::Update).collect();
    turn.counts.skip("mapping not valid", rows.iter().filter(|row| row.mapping.is_err()).count() as u64);
    crm_fields::write(turn, changes).await
}
