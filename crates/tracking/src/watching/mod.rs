//! The books of watched mailboxes: the make of [`WatchBook`](postroom_core::WatchBook), and what people see and order of it.
//!
//! * `watch_folder`: where the watcher stands in each folder. The cursor and the mails that it moves past are written in
//!   one unit, so neither is ever ahead of the other (promise P8).
//! * `watch_mailbox`: how a mailbox fares, and what people ordered: pause, read again since a time.

mod book;
mod orders;
pub(crate) mod schema;

pub use book::Book;
pub use orders::{Overview, Place, forget, overview, pause, rescan, resume};
