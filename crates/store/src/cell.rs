//! Rows as both databases return them.

use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::BodyHash;
use uuid::Uuid;

use crate::Error;

/// One value of a row, in the few shapes that both databases share.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) columns: Arc<[String]>,
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    /// The value at `place`, counted from 0 in the order of the select list. Cheaper than [`Row::get`] in a loop.
    pub fn at<T: FromCell>(&self, place: usize) -> Result<T, Error> {
        self.cells.get(place).and_then(T::from_cell).ok_or_else(|| self.mismatch::<T>(&place.to_string()))
    }

    /// The value of the column `name`. Use `Option<T>` for columns that may be null.
    pub fn get<T: FromCell>(&self, name: &str) -> Result<T, Error> {
        let place = self.columns.iter().position(|column| column == name);
        place.and_then(|place| T::from_cell(&self.cells[place])).ok_or_else(|| self.mismatch::<T>(name))
    }

    /// The names in the order of the select list.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The raw cell at `place`.
    pub fn cell(&self, place: usize) -> Option<&Cell> {
        self.cells.get(place)
    }

    /// The text at `place`, taken out of the row instead of copied.
    pub fn take_text(&mut self, place: usize) -> Result<Option<String>, Error> {
        match self.cells.get_mut(place) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(text)) => Ok(Some(std::mem::take(text))),
            _ => Err(self.mismatch::<String>(&place.to_string())),
        }
    }

    fn mismatch<T: FromCell>(&self, column: &str) -> Error {
        Error::Cell { column: column.to_owned(), wanted: T::NAME }
    }
}

/// A type that can be read from a cell.
pub trait FromCell: Sized {
    /// The type's name in an error.
    const NAME: &'static str;
    /// `None` when the cell holds something else.
    fn from_cell(cell: &Cell) -> Option<Self>;
}

macro_rules! from_cell {
    ($($type:ty, $name:literal, $pattern:pat => $value:expr;)+) => {
        $(impl FromCell for $type {
            const NAME: &'static str = $name;
            fn from_cell(cell: &Cell) -> Option<Self> {
                match cell { $pattern => $value, _ => None }
            }
        })+
    };
}

from_cell! {
    i64, "whole number", Cell::Int(number) => Some(*number);
    i32, "whole number", Cell::Int(number) => i32::try_from(*number).ok();
    u32, "whole number", Cell::Int(number) => u32::try_from(*number).ok();
    u64, "whole number", Cell::Int(number) => u64::try_from(*number).ok();
    bool, "truth value", Cell::Int(number) => Some(*number != 0);
    String, "text", Cell::Text(text) => Some(text.clone());
    Vec<u8>, "byte string", Cell::Bytes(bytes) => Some(bytes.clone());
    Uuid, "uuid", Cell::Bytes(bytes) => Uuid::from_slice(bytes).ok();
    BodyHash, "hash", Cell::Bytes(bytes) => bytes.as_slice().try_into().ok().map(BodyHash);
    Timestamp, "time", Cell::Int(micros) => Timestamp::from_microsecond(*micros).ok();
}

impl FromCell for f64 {
    const NAME: &'static str = "number";
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Real(number) => Some(*number),
            Cell::Int(number) => Some(*number as f64),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    const NAME: &'static str = T::NAME;
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            other => T::from_cell(other).map(Some),
        }
    }
}
