//! For tests only: suites that every make of a port must pass, starters of real peers, and senders that keep books.
//!
//! # Design
//!
//! * **A suite belongs to a port, not to a make** ([`conformance`]). A crate that has a make runs the suite from its
//!   integration tests.
//! * **Real peers** ([`peers`]) are Debian's own programs in a temporary folder on a free loopback port. They end with the
//!   test process, also when that is killed ([`guard`]). A missing program fails the test and says what to install.
//! * **The sender is the judge** ([`mailer`]): what was acknowledged is noted outside the process under test, so a crash
//!   cannot improve the books.
//! * **A bad line** ([`chaos`]) is a proxy that cuts, delays or swallows at a chosen byte or line, the same each time.
//! * **No fixed waits** ([`poll`]): a condition and a deadline.
//!
//! A failure of the kit itself is a panic with a text that says what to do: tests have no other use for it.

pub mod chaos;
pub mod conformance;
pub mod database;
pub mod guard;
pub mod mailer;
pub mod net;
pub mod peers;
pub mod poll;
pub mod process;
pub mod token_server;
