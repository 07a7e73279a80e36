//! What of a row is written, by what the definitions say of its columns.

use postroom_core::metadata::{ColumnInfo, ColumnKind, Label, Metadata, RequiredLevel, TableInfo};
use postroom_core::{Change, ChangeSet, Code, Fault, Record, RecordRef, Value};
use uuid::Uuid;

use super::{Before, Ground, Looked, Step, prepare};
use crate::promises::Manner;
use crate::promises::limits::Limits;

fn column(name: &str, kind: ColumnKind, (create, update): (bool, bool)) -> ColumnInfo {
    ColumnInfo {
        id: Uuid::nil(),
        logical_name: name.to_owned(),
        schema_name: name.to_owned(),
        label: Label::default(),
        description: Label::default(),
        kind,
        required: RequiredLevel::None,
        valid_for_create: create,
        valid_for_update: update,
        valid_for_read: true,
        is_primary_id: name == "contactid",
        is_primary_name: false,
        is_custom: false,
        is_secured: false,
        attribute_of: None,
        number: 0,
    }
}

fn metadata() -> Metadata {
    let lookup = ColumnKind::Lookup { targets: vec!["account".into()] };
    let columns = vec![
        column("contactid", ColumnKind::Uniqueidentifier, (true, true)),
        column("open", ColumnKind::BigInt, (true, true)),
        column("first", ColumnKind::BigInt, (true, false)),
        column("later", ColumnKind::BigInt, (false, true)),
        column("closed", ColumnKind::BigInt, (false, false)),
        column("company", lookup, (false, false)),
        column("statuscode", ColumnKind::BigInt, (true, false)),
    ];
    let table =
        TableInfo { entity_set: "contacts".into(), type_code: 2, columns, ..TableInfo::named("Contact") };
    Metadata { tables: vec![table], ..Metadata::default() }
}

/// The columns that a new or a changed row is written with.
fn written(new: bool, name: &str, value: Value) -> Result<Vec<String>, Fault> {
    let row = Record::new(RecordRef::new("contact", Uuid::nil())).with(name, value);
    let change = if new { Change::CreateNew(row) } else { Change::Update(row) };
    let (metadata, looked, limits) = (metadata(), Looked::new(), Limits::default());
    let fits = |_: &TableInfo, column: &ColumnInfo, value: &Value| match value {
        Value::Int(_) => Ok(()),
        _ => Err(Fault::reject(Code::CRM_REFUSED, column.logical_name.clone())),
    };
    let manner = Manner { conditions: true, atomic: true };
    let ground = Ground { metadata: &metadata, looked: &looked, limits: &limits, manner, fits: &fits };
    let steps = prepare(&ChangeSet { changes: vec![change] }, ground, Before::Nothing)?.steps;
    let names = steps.iter().flat_map(|step| match step {
        Step::Create { row, .. } | Step::Update { row, .. } => row.columns.clone(),
        Step::Delete { .. } => Vec::new(),
    });
    Ok(names.map(|(name, _)| name.to_string()).collect())
}

#[track_caller]
fn check(name: &str, new: bool, changed: bool) {
    let expected = |is: bool| if is { vec![name.to_owned()] } else { Vec::new() };
    assert_eq!(written(true, name, Value::Int(1)).unwrap(), expected(new), "{name} of a new row");
    assert_eq!(written(false, name, Value::Int(1)).unwrap(), expected(changed), "{name} of a changed row");
}

#[test]
fn what_this_server_lets_be_written() {
    check("open", true, true);
    check("first", true, false);
    check("later", false, true);
    check("closed", false, false);
    check("contactid", false, false);
    // A state goes by a message of its own, whatever the definitions say.
    check("statuscode", true, true);
}

#[test]
fn what_is_kept_from_us_must_fit_all_the_same() {
    for new in [true, false] {
        let fault = written(new, "closed", Value::text("x")).unwrap_err();
        assert_eq!((fault.code, fault.message.as_str()), (Code::CRM_REFUSED, "closed"));
        assert_eq!(written(new, "no_such_column", Value::Int(1)).unwrap_err().code, Code::CRM_UNKNOWN_COLUMN);
        // What a lookup may lead to is not known here.
        assert_eq!(written(new, "company", Value::text("x")).unwrap(), Vec::<String>::new());
    }
}
