//! Dotdigital: the make of [`postroom_core::marketing::Marketing`] that speaks to the service over the network.
//!
//! # Design
//!
//! * **Rooms.** [`config`]: where the account is. [`auth`]: the API user, and rest after a refusal. `wire`: bytes to rows and
//!   back. `client`: one request with region, limits and repeats. `port`: the port's words, a file for each of its traits.
//! * **Two APIs at once.** People go in and out by v3, which knows identifiers and says who is who; everything else is v2.
//!   An account without v3 is served by v2 alone ([`config::Api::V2`]).
//!   One that takes SOAP alone is served by that ([`config::Api::Soap`], `soap`).
//! * **Tolerant reading.** Members are found without regard to case, dates in each spelling that was ever seen, unknown
//!   words are kept. Pages are split into rows while they arrive; a page is never in memory twice.
//! * **Pages that shift.** v2 pages by offset while rows come and go. Each page begins a little before the end of the last
//!   one, and its rows are matched with what was seen ([`paging`]).
//! * **Repeats.** What may be repeated is repeated with growing waits; what reaches people is sent once. An answer that is
//!   lost on such a way is [`postroom_core::Verdict::Unknown`].
//! * **Nothing of people in errors.** Faults hold the service's constant and the sentence of one table (`refusal`), never a
//!   body, an address or a URL.
//!
//! The HTTP client is handed in: proxies, certificates and pins are settings of the program, not of this crate.
//!
//! Source: the service's OpenAPI documents of v2 and v3, and developer.dotdigital.com.

mod ask;
pub mod auth;
mod client;
pub mod config;
mod date;
mod limits;
mod paging;
mod port;
mod refusal;
mod region;
mod sink;
mod soap;
mod spool;
mod wire;

pub use auth::Credentials;
pub use config::{Api, ConfigError, Settings};
pub use port::Dotdigital;
