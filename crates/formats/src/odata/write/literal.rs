//! Values to literals, in the form of their columns.

use postroom_core::Value;
use postroom_core::metadata::{ColumnInfo, ColumnKind};

use super::Unsayable;
use crate::odata::options::{Literal, date, number};
use crate::odata::resolve::{Strictness, fitting};

/// The literal that reads back as the value, for a comparison with the column.
///
/// # Errors
/// Bodies, numbers that are none, and text that the column cannot hold.
pub(super) fn literal(column: &ColumnInfo, value: &Value) -> Result<Literal, Unsayable> {
    let unfit = || Unsayable::new(format!("this value of {}", column.logical_name));
    // Text may stand for anything where a query came from FetchXML.
    let fitted = match value {
        Value::Text(text) => {
            fitting(column, &Literal::Text(text.clone()), Strictness::Loose).map_err(|_| unfit())?
        }
        value => value.clone(),
    };
    let plain = match fitted {
        Value::Null => Literal::Null,
        Value::Bool(value) => Literal::Bool(value),
        Value::Int(number) => Literal::Int(number),
        Value::Float(value) => number(&value.to_string()).ok_or_else(unfit)?,
        Value::Decimal(text) => number(&text).ok_or_else(unfit)?,
        Value::Guid(id) => Literal::Guid(id),
        Value::Lookup(record) => Literal::Guid(record.id),
        Value::Time(time) => Literal::Time(time),
        Value::Text(text) => match (&column.kind, date(&text)) {
            (ColumnKind::DateTime { date_only: true, .. }, Some(day)) => Literal::Date(day),
            _ => Literal::Text(text),
        },
        Value::Content(_) => return Err(unfit()),
    };
    let text = matches!(column.kind, ColumnKind::String { .. } | ColumnKind::Memo { .. });
    Ok(match plain {
        Literal::Null | Literal::Text(_) => plain,
        other if text => Literal::Text(other.to_string()),
        other => other,
    })
}

/// The same as text, for lists: those hold nothing else.
///
/// # Errors
/// As [`literal`].
pub(super) fn item(column: &ColumnInfo, value: &Value) -> Result<Literal, Unsayable> {
    Ok(match literal(column, value)? {
        Literal::Text(text) => Literal::Text(text),
        other => Literal::Text(other.to_string()),
    })
}

/// A parameter of a query function, which need not be of the column's type.
///
/// # Errors
/// Bodies and numbers that are none.
pub(super) fn parameter(value: &Value) -> Result<Literal, Unsayable> {
    let unfit = || Unsayable::new("this parameter of a query function");
    match value {
        Value::Int(number) => Ok(Literal::Int(*number)),
        Value::Guid(id) => Ok(Literal::Guid(*id)),
        Value::Lookup(record) => Ok(Literal::Guid(record.id)),
        Value::Text(text) => Ok(Literal::Text(text.clone())),
        Value::Time(time) => Ok(Literal::Text(time.to_string())),
        Value::Decimal(text) => number(text).ok_or_else(unfit),
        _ => Err(unfit()),
    }
}
