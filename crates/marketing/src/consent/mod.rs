//! Who may be mailed, and why (design.md P7; marketing-sync.md 9).
//!
//! # Design
//!
//! * [`reason`]: what a status or a fault of the service means for consent. A fault in data is never an opt-out.
//! * [`standing`]: from everything known of an address to a verdict, a pure function. It is asked in the transaction that
//!   writes a send's intent and again just before the call; pages and reports ask the same.
//! * [`gate`] reads what [`standing`] judges, in the unit that asks. [`ledger`]: the rows of the ledger.
//! * [`history`]: the append-only ledger's entries and what they add up to: *could we mail this person on that day, and
//!   why?*
//! * `by_address`: the tables in which a row is what one address said.
//! * [`carry`]: opt-outs follow people to other addresses and through merges.
//!
//! An address is opted out when it is suppressed or unsubscribed at the service, or when *any* record of the CRM with that
//! address says so. The strictest of all wins; an opt-in counts only with a date and its evidence.

pub(crate) mod by_address;
pub mod carry;
pub mod gate;
pub mod history;
pub mod ledger;
pub mod reason;
pub mod standing;
