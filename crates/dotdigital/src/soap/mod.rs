//! The older way in: SOAP v2 at `/v2/api.svc`, for accounts whose owners allow nothing else.
//!
//! # Design
//!
//! * **One port, one mapping.** The port speaks in requests of REST v2 ([`crate::ask::Ask`]). SOAP has the same classes under
//!   the same names, so a request is translated on its way out ([`ways`]: which operation, which parameter gets what) and its
//!   answer on the way in ([`exchange`]: elements to the JSON that REST would have answered). Region, limits, repeats, pages
//!   with their overlap and everything that reads rows are those of REST.
//! * **Faults** carry the same `ERROR_…` constants; they become the same [`crate::refusal::Refusal`]. HTTP's 500, which SOAP 1.1
//!   wants for each fault, says nothing by itself.
//! * **What SOAP does otherwise** (no list by its id, imports as CSV, one person at a time) is in `port::soap`. What it has not
//!   at all is refused with the name of the API that has it, before anything is sent.
//! * An answer is whole in memory before it is read, a page of a thousand rows at most.
//!
//! Not here: the messages themselves ([`postroom_formats::soap::dotdigital`]), v1 (`api.asmx`). Source: protocol-annex.md 5.1.

mod exchange;
mod ways;

pub(crate) use ways::{Call, instead};

/// Where it answers, on the host that REST answers on.
pub(crate) const PATH: &str = "/v2/api.svc";
