//! Literals to values: what is written takes the form of the column it is compared with.

use jiff::tz::TimeZone;
use postroom_core::Value;
use postroom_core::metadata::{ColumnInfo, ColumnKind};

use super::scope::is_lookup;
use crate::odata::Error;
use crate::odata::options::{Literal, date, time};

/// How far a text may be taken for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::odata) enum Strictness {
    /// In comparisons: guids and dates may be quoted, numbers not.
    Typed,
    /// In the parameters of query functions and in keys, where everything may be text.
    Loose,
}

/// The value in the column's form.
///
/// # Errors
/// When it cannot be one.
pub(in crate::odata) fn fitting(
    column: &ColumnInfo,
    literal: &Literal,
    strict: Strictness,
) -> Result<Value, Error> {
    let value = match strict {
        Strictness::Typed => typed(column, literal),
        Strictness::Loose => typed(column, literal).or_else(|| loose(column, literal)),
    };
    value.ok_or_else(|| {
        Error::bad(format!(
            "A binary operator with incompatible types was detected. Found operand types '{}' and '{}' for the property \
             '{}'.",
            edm(column),
            edm_of(literal),
            column.logical_name
        ))
    })
}

fn typed(column: &ColumnInfo, literal: &Literal) -> Option<Value> {
    use ColumnKind as Kind;
    match (&column.kind, literal) {
        (_, Literal::Null) => Some(Value::Null),
        (Kind::Boolean { .. }, Literal::Bool(value)) => Some(Value::Bool(*value)),
        (Kind::Decimal { .. } | Kind::Money { .. }, literal) => decimal(literal),
        (Kind::Double { .. }, Literal::Int(number)) => float(&number.to_string()),
        (Kind::Double { .. }, Literal::Number(text)) => float(text),
        (kind, Literal::Int(number)) if is_whole(kind) => Some(Value::Int(*number)),
        // A number with a point is no integer, but may be more or less than one.
        (kind, Literal::Number(text)) if is_whole(kind) => Some(Value::Decimal(text.clone())),
        (Kind::DateTime { date_only, .. }, literal) => moment(*date_only, literal),
        (Kind::MultiSelect { .. }, Literal::Int(number)) => Some(Value::Text(number.to_string())),
        (
            Kind::String { .. } | Kind::Memo { .. } | Kind::EntityName | Kind::MultiSelect { .. },
            Literal::Text(text),
        ) => Some(Value::Text(text.clone())),
        (kind, literal) if is_guid(kind) => literal.as_guid().map(Value::Guid),
        _ => None,
    }
}

/// Text taken for what it says.
fn loose(column: &ColumnInfo, literal: &Literal) -> Option<Value> {
    let Literal::Text(text) = literal else {
        // Numbers and the like stand bare in lists for text columns.
        let text = matches!(column.kind, ColumnKind::String { .. } | ColumnKind::Memo { .. });
        let bare =
            matches!(literal, Literal::Int(_) | Literal::Number(_) | Literal::Guid(_) | Literal::Date(_));
        return (text && bare).then(|| Value::Text(literal.to_string()));
    };
    let text = text.trim();
    match &column.kind {
        ColumnKind::Boolean { .. } => match text {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        ColumnKind::Double { .. } => float(text),
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => {
            text.parse::<f64>().ok().filter(|number| number.is_finite())?;
            Some(Value::Decimal(text.to_owned()))
        }
        kind if is_whole(kind) => text.parse().ok().map(Value::Int),
        _ => None,
    }
}

fn is_whole(kind: &ColumnKind) -> bool {
    use ColumnKind as Kind;
    matches!(
        kind,
        Kind::Integer { .. }
            | Kind::BigInt
            | Kind::Picklist { .. }
            | Kind::State { .. }
            | Kind::Status { .. }
    )
}

fn is_guid(kind: &ColumnKind) -> bool {
    is_lookup(kind)
        || matches!(kind, ColumnKind::Uniqueidentifier | ColumnKind::File { .. } | ColumnKind::Image { .. })
}

fn decimal(literal: &Literal) -> Option<Value> {
    match literal {
        Literal::Int(number) => Some(Value::Decimal(number.to_string())),
        Literal::Number(text) => Some(Value::Decimal(text.clone())),
        _ => None,
    }
}

fn float(text: &str) -> Option<Value> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float)
}

/// A date stands as text for columns that are dates, as midnight UTC for times.
fn moment(date_only: bool, literal: &Literal) -> Option<Value> {
    let day = match literal {
        Literal::Date(day) => Some(*day),
        Literal::Text(text) => date(text),
        _ => None,
    };
    let at = match literal {
        Literal::Time(at) => Some(*at),
        Literal::Text(text) => time(text),
        _ => None,
    };
    match (date_only, day, at) {
        (true, Some(day), _) => Some(Value::Text(day.to_string())),
        (true, None, Some(at)) => Some(Value::Text(TimeZone::UTC.to_datetime(at).date().to_string())),
        (false, Some(day), _) => {
            TimeZone::UTC.to_timestamp(day.to_datetime(Default::default())).ok().map(Value::Time)
        }
        (false, None, Some(at)) => Some(Value::Time(at)),
        (_, None, None) => None,
    }
}

/// The type of a column in `$metadata`.
fn edm(column: &ColumnInfo) -> &'static str {
    use ColumnKind as Kind;
    match &column.kind {
        Kind::Boolean { .. } => "Edm.Boolean",
        Kind::Integer { .. } | Kind::Picklist { .. } | Kind::State { .. } | Kind::Status { .. } => {
            "Edm.Int32"
        }
        Kind::BigInt => "Edm.Int64",
        Kind::Decimal { .. } | Kind::Money { .. } => "Edm.Decimal",
        Kind::Double { .. } => "Edm.Double",
        Kind::DateTime { date_only: true, .. } => "Edm.Date",
        Kind::DateTime { .. } => "Edm.DateTimeOffset",
        kind if is_guid(kind) => "Edm.Guid",
        _ => "Edm.String",
    }
}

fn edm_of(literal: &Literal) -> &'static str {
    match literal {
        Literal::Null => "null",
        Literal::Bool(_) => "Edm.Boolean",
        Literal::Int(_) => "Edm.Int32",
        Literal::Number(_) => "Edm.Double",
        Literal::Text(_) => "Edm.String",
        Literal::Guid(_) => "Edm.Guid",
        Literal::Time(_) => "Edm.DateTimeOffset",
        Literal::Date(_) => "Edm.Date",
        Literal::Enum(..) => "an enumeration",
        Literal::List(_) => "a collection",
        Literal::Json(_) => "an object",
        Literal::Alias(_) => "an alias",
    }
}
