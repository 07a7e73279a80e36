//! The Web API of Dynamics 2016 (v8) and later: OData 4 JSON over HTTPS (dataverse.md part A).
//!
//! # Design
//!
//! * [`config`] says where the organisation is; [`auth`] which token goes with a request.
//! * [`wire`] sends one request: retries what may be repeated, obeys the server's limits ([`lanes`]), and says *lost* when it
//!   cannot know whether a write happened. [`refusal`] reads what the server says against it.
//! * [`client`] asks for things: pages, batches, definitions ([`metadata`]). [`rows`] reads rows straight into records,
//!   [`body`] writes them.
//! * [`port`] is the CRM: [`read`] pages, [`changes`] runs through changes, [`write`] sends sets,
//!   [`deliver`] hands mails in. What it shares with the other
//!   make stands in `promises`.
//!
//! **What a server cannot do** is asked when it is connected, and learned when it refuses: then the other way is taken from
//! there on ([`client::Can`]).
//!
//! **Writes repeat safely.** Ids are the caller's. Before a change whose outcome depends on what is there, that is looked at,
//! in one batch for a whole lot; a lost answer or a refusal that shows that something changed meanwhile leads to another look.

pub mod auth;
mod body;
mod changes;
mod client;
pub mod config;
mod deliver;
mod limits;
mod look;
mod metadata;
mod multiple;
mod op;
mod port;
mod read;
mod refusal;
mod rows;
mod wire;
mod write;

use crate::lanes;

pub use config::Settings;
pub use port::{Bodies, WebApi};
