//! Values to PostgreSQL and back.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::BytesMut;
use sea_query::Value;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Statement, error::SqlState};

use crate::cell::Cell;
use crate::{Error, Row};

type Failure = Box<dyn StdError + Sync + Send>;

/// A value bound to whatever type the server inferred: whole numbers fit every integer width.
#[derive(Debug)]
pub(super) struct Param<'v>(pub(super) &'v Value);

impl ToSql for Param<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            Value::Bool(Some(value)) => value.to_sql(wanted, out),
            Value::Int(Some(number)) => whole(i64::from(*number), wanted, out),
            Value::BigInt(Some(number)) => whole(*number, wanted, out),
            Value::Unsigned(Some(number)) => whole(i64::from(*number), wanted, out),
            Value::BigUnsigned(Some(number)) => whole(i64::try_from(*number)?, wanted, out),
            Value::Double(Some(number)) => match *wanted {
                Type::FLOAT4 => (*number as f32).to_sql(wanted, out),
                _ => number.to_sql(wanted, out),
            },
            // PostgreSQL's text cannot hold NUL; it is shown as the replacement character instead of losing the row.
            Value::String(Some(text)) if text.contains('\0') => {
                text.replace('\0', "\u{fffd}").to_sql(wanted, out)
            }
            Value::String(Some(text)) => text.to_sql(wanted, out),
            Value::Bytes(Some(bytes)) => bytes.to_sql(wanted, out),
            Value::Uuid(Some(uuid)) => uuid.to_sql(wanted, out),
            Value::Bool(None)
            | Value::Int(None)
            | Value::BigInt(None)
            | Value::Unsigned(None)
            | Value::BigUnsigned(None)
            | Value::Double(None)
            | Value::String(None)
            | Value::Bytes(None)
            | Value::Uuid(None) => Ok(IsNull::Yes),
            other => Err(format!("no binding for {other:?}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// About how many bytes a value takes in a statement.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::String(Some(text)) => text.len(),
        Value::Bytes(Some(bytes)) => bytes.len(),
        _ => 8,
    }
}

fn whole(number: i64, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
    match *wanted {
        Type::INT2 => i16::try_from(number)?.to_sql(wanted, out),
        Type::INT4 => i32::try_from(number)?.to_sql(wanted, out),
        Type::INT8 => number.to_sql(wanted, out),
        Type::FLOAT8 => (number as f64).to_sql(wanted, out),
        // What the server infers where nothing tells it the type: `$1 = $2`, the builder's form of an empty IN list.
        Type::TEXT | Type::UNKNOWN => number.to_string().to_sql(wanted, out),
        _ => Err(format!("a whole number does not fit {wanted}").into()),
    }
}

pub(super) fn rows(
    statement: &Statement,
    rows: &[tokio_postgres::Row],
    sql: &str,
) -> Result<Vec<Row>, Error> {
    let columns: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let read = |row: &tokio_postgres::Row| {
        let cells =
            statement.columns().iter().enumerate().map(|(place, column)| cell(row, place, column.type_()));
        Ok(Row { columns: columns.clone(), cells: cells.collect::<Result<_, tokio_postgres::Error>>()? })
    };
    rows.iter().map(|row| read(row).map_err(|error| self::error(&error, sql))).collect()
}

fn cell(row: &tokio_postgres::Row, place: usize, kind: &Type) -> Result<Cell, tokio_postgres::Error> {
    let cell = match *kind {
        Type::BOOL => row.try_get::<_, Option<bool>>(place)?.map(|value| Cell::Int(i64::from(value))),
        Type::INT2 => row.try_get::<_, Option<i16>>(place)?.map(|number| Cell::Int(i64::from(number))),
        Type::INT4 => row.try_get::<_, Option<i32>>(place)?.map(|number| Cell::Int(i64::from(number))),
        Type::INT8 => row.try_get::<_, Option<i64>>(place)?.map(Cell::Int),
        Type::FLOAT4 => row.try_get::<_, Option<f32>>(place)?.map(|number| Cell::Real(f64::from(number))),
        Type::FLOAT8 => row.try_get::<_, Option<f64>>(place)?.map(Cell::Real),
        Type::NUMERIC => row.try_get::<_, Option<Numeric>>(place)?.map(|Numeric(cell)| cell),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(place)?.map(Cell::Bytes),
        Type::UUID => {
            row.try_get::<_, Option<uuid::Uuid>>(place)?.map(|uuid| Cell::Bytes(uuid.as_bytes().to_vec()))
        }
        _ => row.try_get::<_, Option<String>>(place)?.map(Cell::Text),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

/// What `sum` and `avg` of whole numbers answer: a whole number when it is one, as on SQLite.
struct Numeric(Cell);

impl<'a> FromSql<'a> for Numeric {
    /// The wire form (`numeric_send` in PostgreSQL's `numeric.c`): four 16-bit words (count of digits, weight of the
    /// first, sign, scale), then the digits to base 10,000.
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        let words: Vec<i16> =
            raw.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
        let [_, weight, sign, scale, digits @ ..] = words.as_slice() else {
            return Err("a numeric has four words".into());
        };
        let sign = match sign {
            0 => 1,
            0x4000 => -1,
            _ => return Ok(Numeric(Cell::Real(f64::NAN))), // NaN and the infinities
        };
        if *scale == 0 {
            let digit = |place: i16| i128::from(digits.get(place as usize).copied().unwrap_or(0));
            let whole = (0..=*weight)
                .try_fold(0_i128, |sum, place| sum.checked_mul(10_000)?.checked_add(digit(place)));
            if let Some(whole) = whole.and_then(|whole| i64::try_from(whole * sign).ok()) {
                return Ok(Numeric(Cell::Int(whole)));
            }
        }
        let real = |(place, digit): (usize, &i16)| {
            f64::from(*digit) * 10_000_f64.powi(i32::from(*weight) - i32::try_from(place).unwrap_or(i32::MAX))
        };
        Ok(Numeric(Cell::Real(sign as f64 * digits.iter().enumerate().map(real).sum::<f64>())))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }
}

pub(super) fn error(error: &tokio_postgres::Error, sql: &str) -> Error {
    let Some(database) = error.as_db_error() else {
        return match error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>()) {
            true => Error::Away(error.to_string()),
            false => Error::Statement { sql: sql.chars().take(300).collect(), reason: deep(error) },
        };
    };
    let state = database.code();
    let busy =
        [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE, SqlState::LOCK_NOT_AVAILABLE];
    match state.code() {
        "53100" => Error::Full,
        class if class.starts_with("08") || class.starts_with("57P") || class.starts_with("53") => {
            Error::Away(database.message().to_owned())
        }
        class if class.starts_with("23") || busy.contains(state) => {
            Error::Conflict(database.message().to_owned())
        }
        _ => Error::Statement { sql: sql.chars().take(300).collect(), reason: database.to_string() },
    }
}

/// An error with what lies under it: tokio-postgres names only the outermost.
fn deep(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
