//! SQLite and PostgreSQL behind one handle.
//!
//! # Design
//!
//! * [`Store`] has two drivers behind an enum. Work reaches them as a *unit*: a closure over a [`Tx`], written once with
//!   sea-query statements ([`sql`]) that both databases understand.
//! * [`Store::write`] names the unit ("step"). The unit is durable when it returns. Each step has two kill points,
//!   `STEP.before_commit` and `STEP.after_commit` (`postroom_core::kill`).
//! * **SQLite**: one writer thread drains a bounded channel and commits everything that waits in one transaction, each unit
//!   in its own savepoint (group commit, `synchronous=FULL`). A unit's future awaits nothing but the store, so the thread
//!   finishes it in one poll. Readers have connections of their own. Other processes may use the same file.
//! * **PostgreSQL**: a pool; each unit is a transaction. The server groups the flushes.
//! * **A failed commit or sync stops the process** ([`fatal`]): what is on disk is not certain any more, and a restart
//!   recovers. A full disk is no such failure: the unit is rolled back and the caller hears [`Error::Full`].
//! * **Bodies** ([`body`]) are content-addressed, compressed where that helps, small ones in one row, large ones in chunks,
//!   read as streams. Those that nobody refers to any more are removed in two steps ([`doomed`]).
//! * **Migrations** ([`migrate`]) are numbered steps per area, forward only, recorded with a hash.
//!
//! Time is stored as microseconds since 1970 (`i64`), ids as 16 bytes or `uuid`, JSON as text.

pub mod body;
mod cell;
pub mod doomed;
mod error;
pub mod fatal;
pub mod letters;
pub mod migrate;
mod postgres;
mod recent;
mod sqlite;
mod statement;
mod store;
mod tx;

/// The SQL builder that every crate with tables uses.
pub use sea_query as sql;

pub use cell::{FromCell, Row};
pub use error::Error;
pub use statement::{Dialect, Insert, OnConflict};
pub use store::{Options, Store};
pub use tx::Tx;
