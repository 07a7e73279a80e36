//! Mails to single people, asked for by rows of `esc_emailsinglesend` (marketing-entities.md 3.7; marketing-sync.md 7.3).
//!
//! # Design
//!
//! * One row asks for one mail: [`row::Single`] has the request row's id. Mails to one person go one after another: each is a
//!   job in the lane of its person's record.
//! * *Marketing* mails stop at every opt-out; *transactional* ones, which take the role of a manager, at `donotemail` and at
//!   addresses that mail does not reach. All reasons are shown.
//! * The gate is asked in the unit that writes the intents of a lot; then the mails of the lot go in one call. A lost answer is
//!   *needs attention*: the service gives no ids, so nobody can look it up, and it is never made again. A person who
//!   looked says what it was (`Engine::decide_single`).
//! * A marketing mail of a campaign that is not triggered goes to the person's number at the service ([`standard`](self)).
//! * Rows that put somebody into a program are the same, and go on in [`crate::programs`].

pub(crate) mod gate;
mod hand;
mod job;
pub(crate) mod request;
pub mod row;
mod scan;
mod standard;
mod tell;

pub use job::SingleSender;
pub(super) use scan::run;
