//! Bytes to rows and back, exactly as on the wire: splitting an answer while it arrives, reading members of a row, and the
//! bodies of people that are written. No IO, no words of the port.

pub(crate) mod people;
mod row;
mod split;

pub(crate) use row::{Row, plain};
pub(crate) use split::{Broken, Piece, Splitter};
