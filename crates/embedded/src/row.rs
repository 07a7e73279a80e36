//! A row in memory and in the database: values by column place, to cells and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use postroom_core::{Content, RecordRef, Value};
use postroom_store::{Error, Row, sql};

use crate::schema::{Column, Kind, Table, Targets, shape};

/// Values by the place of their column in the table. A few dozen at most, so a list beats a map.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fields(Vec<(usize, Value)>);

impl Fields {
    /// The value; `None` when absent or null.
    pub(crate) fn get(&self, place: usize) -> Option<&Value> {
        self.0
            .iter()
            .find(|(at, _)| *at == place)
            .map(|(_, value)| value)
            .filter(|value| **value != Value::Null)
    }

    pub(crate) fn set(&mut self, place: usize, value: Value) {
        match self.0.iter_mut().find(|(at, _)| *at == place) {
            Some((_, old)) => *old = value,
            None => self.0.push((place, value)),
        }
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(place, _)| *place)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Value)> {
        self.0.iter().map(|(place, value)| (*place, value))
    }

    /// By name; `None` also when the table has no such column.
    pub(crate) fn named(&self, table: &Table, column: &str) -> Option<&Value> {
        table.place(column).and_then(|place| self.get(place))
    }

    pub(crate) fn text(&self, table: &Table, column: &str) -> Option<&str> {
        self.named(table, column).and_then(Value::as_str)
    }

    pub(crate) fn int(&self, table: &Table, column: &str) -> Option<i64> {
        self.named(table, column).and_then(Value::as_int)
    }

    pub(crate) fn lookup(&self, table: &Table, column: &str) -> Option<&RecordRef> {
        self.named(table, column).and_then(Value::as_lookup)
    }
}

/// A value as the cells of its column, in the order of [`shape::cells`].
pub(crate) fn cells(column: &Column, value: Option<&Value>) -> Vec<sql::Value> {
    let mut cells: Vec<sql::Value> = match (column.kind, value) {
        (Kind::Id | Kind::Guid, value) => vec![guid(value).into()],
        (Kind::Lookup, value) => {
            let at = value.and_then(Value::as_lookup);
            vec![at.map(|at| at.id).into(), at.map(|at| at.table.clone()).into()]
        }
        (Kind::Boolean, value) => vec![value.and_then(Value::as_bool).into()],
        (Kind::Double, Some(Value::Float(number))) => vec![Some(*number).into()],
        (Kind::Double, _) => vec![Option::<f64>::None.into()],
        (Kind::Time, Some(Value::Time(time))) => vec![Some(time.as_microsecond()).into()],
        (Kind::Text | Kind::MultiChoice | Kind::Decimal | Kind::Money, value) => {
            vec![value.and_then(Value::as_str).map(str::to_owned).into()]
        }
        (Kind::Body | Kind::File, value) => body_cells(value),
        (_, value) => vec![value.and_then(Value::as_int).into()],
    };
    cells.truncate(shape::width(column));
    cells
}

fn guid(value: Option<&Value>) -> Option<uuid::Uuid> {
    match value {
        Some(Value::Guid(id)) => Some(*id),
        _ => None,
    }
}

/// Inline text beside the handle; one of the two is null.
fn body_cells(value: Option<&Value>) -> Vec<sql::Value> {
    let (inline, handle) = match value {
        Some(Value::Text(text)) => (Some(text.clone()), None),
        Some(Value::Content(Content::Bytes(bytes))) => (Some(BASE64.encode(bytes)), None),
        Some(Value::Content(content)) => (None, content.handle()),
        _ => (None, None),
    };
    vec![inline.into(), handle.into()]
}

/// Adds the cells of these columns to a select.
pub(crate) fn select(select: &mut sql::SelectStatement, table: &Table, places: &[usize]) {
    for place in places {
        for cell in shape::cells(&table.columns[*place]) {
            select.column(cell);
        }
    }
}

/// Reads the columns that [`select`] asked for, beginning at cell `start`. Columns come in the order of `places`.
pub(crate) fn read(row: &Row, start: usize, table: &Table, places: &[usize]) -> Result<Vec<Value>, Error> {
    let mut at = start;
    let mut values = Vec::with_capacity(places.len());
    for place in places {
        let column = &table.columns[*place];
        values.push(value(row, at, column)?);
        at += shape::width(column);
    }
    Ok(values)
}

/// One value that nothing else of the row is read for: long texts move.
pub(crate) fn take(row: &mut Row, at: usize, column: &Column) -> Result<Value, Error> {
    Ok(match column.kind {
        Kind::Text | Kind::MultiChoice => row.take_text(at)?.into(),
        Kind::Decimal | Kind::Money => row.take_text(at)?.map_or(Value::Null, Value::Decimal),
        _ => value(row, at, column)?,
    })
}

/// One value, whose first cell stands at `at`.
pub(crate) fn value(row: &Row, at: usize, column: &Column) -> Result<Value, Error> {
    Ok(match column.kind {
        Kind::Id | Kind::Guid => row.at::<Option<uuid::Uuid>>(at)?.into(),
        Kind::Lookup => lookup(row, at, column)?,
        Kind::Boolean => row.at::<Option<bool>>(at)?.into(),
        Kind::Double => row.at::<Option<f64>>(at)?.into(),
        Kind::Text | Kind::MultiChoice => row.at::<Option<String>>(at)?.into(),
        Kind::Decimal | Kind::Money => row.at::<Option<String>>(at)?.map_or(Value::Null, Value::Decimal),
        Kind::Time => row.at::<Option<jiff::Timestamp>>(at)?.into(),
        Kind::Body | Kind::File => body(row, at, column)?,
        Kind::PartyList => Value::Null,
        Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status => {
            row.at::<Option<i64>>(at)?.into()
        }
    })
}

fn lookup(row: &Row, at: usize, column: &Column) -> Result<Value, Error> {
    let Some(id) = row.at::<Option<uuid::Uuid>>(at)? else { return Ok(Value::Null) };
    let table = match column.targets.several() {
        true => row.at::<Option<String>>(at + 1)?,
        false => None,
    };
    // A lookup that was widened later has no type in its old rows: they mean the first target.
    let first = || match &column.targets {
        Targets::Named(tables) => tables.first().cloned().unwrap_or_default(),
        Targets::AnyWithActivities => String::new(),
    };
    Ok(Value::Lookup(RecordRef::new(table.unwrap_or_else(first), id)))
}

fn body(row: &Row, at: usize, column: &Column) -> Result<Value, Error> {
    if let Some(handle) = row.at::<Option<String>>(at + 1)? {
        let content = Content::from_handle(&handle);
        return content
            .map(Value::Content)
            .ok_or(Error::Cell { column: column.name.clone(), wanted: "body handle" });
    }
    let Some(text) = row.at::<Option<String>>(at)? else { return Ok(Value::Null) };
    if column.kind == Kind::Body {
        return Ok(Value::Text(text));
    }
    let bytes = BASE64
        .decode(text)
        .map_err(|_| Error::Cell { column: column.name.clone(), wanted: "base64 text" })?;
    Ok(Value::Content(Content::Bytes(Bytes::from(bytes))))
}
