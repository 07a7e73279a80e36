//! Values to SQLite and back.

use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, Statement, ToSql};
use sea_query::Value;

use crate::cell::Cell;
use crate::{Error, Row};

struct Param<'v>(&'v Value);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self.0 {
            Value::Bool(Some(value)) => ValueRef::Integer(i64::from(*value)),
            Value::Int(Some(number)) => ValueRef::Integer(i64::from(*number)),
            Value::BigInt(Some(number)) => ValueRef::Integer(*number),
            Value::Unsigned(Some(number)) => ValueRef::Integer(i64::from(*number)),
            Value::BigUnsigned(Some(number)) => {
                ValueRef::Integer(i64::try_from(*number).expect("counts and limits stay below 2^63"))
            }
            Value::Double(Some(number)) => ValueRef::Real(*number),
            Value::String(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Value::Uuid(Some(uuid)) => ValueRef::Blob(uuid.as_bytes()),
            Value::Bool(None)
            | Value::Int(None)
            | Value::BigInt(None)
            | Value::Unsigned(None)
            | Value::BigUnsigned(None)
            | Value::Double(None)
            | Value::String(None)
            | Value::Bytes(None)
            | Value::Uuid(None) => ValueRef::Null,
            other => {
                return Err(rusqlite::Error::ToSqlConversionFailure(
                    format!("no binding for {other:?}").into(),
                ));
            }
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

pub(super) fn bind(statement: &mut Statement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    values
        .iter()
        .enumerate()
        .try_for_each(|(place, value)| statement.raw_bind_parameter(place + 1, Param(value)))
}

pub(super) fn rows(statement: &mut Statement<'_>) -> rusqlite::Result<Vec<Row>> {
    let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let cells =
            (0..columns.len()).map(|place| row.get_ref(place).map(cell)).collect::<rusqlite::Result<_>>()?;
        found.push(Row { columns: columns.clone(), cells });
    }
    Ok(found)
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

pub(super) fn error(error: rusqlite::Error, sql: &str) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Away(error.to_string()),
        Some(ErrorCode::ConstraintViolation) => Error::Conflict(error.to_string()),
        _ => Error::Statement { sql: sql.chars().take(300).collect(), reason: error.to_string() },
    }
}
