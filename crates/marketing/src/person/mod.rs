//! One person: everything that is known, proof of consent, erasure, and two that are one.
//!
//! # Design
//!
//! * [`show`]: the records of the CRM, the person at each account of the service, links, opt-outs, ledger, events and responses.
//! * [`prove`]: could we mail this address on that day, and why: an answer from the ledger alone.
//! * [`erase`]: the opt-out first, on all sides; then the service's person, the CRM's rows of the connector, and what is here.
//!   What has to stay so that nobody is mailed again stays: the suppression, and the ledger under a hash ([`erased`]).
//! * [`merge`]: what belongs to one record goes to another.
//!
//! The CRM's own records of people are their owner's: they are named in the receipt and not touched.

pub mod erase;
pub mod erased;
pub mod merge;
pub mod prove;
pub mod show;

pub use erase::Receipt;
pub use prove::Proof;
pub use show::Shown;
