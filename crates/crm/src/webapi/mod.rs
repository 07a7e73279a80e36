//! The Web API of Dynamics 2016 (v8) and later: OData 4 JSON over HTTPS (dataverse.md part A).
//!
//! # Design
//!
//! * [`config`] says where the organisation is; [`auth`] which token goes with a request.
//! * [`wire`] sends one request; [`refusal`] reads what the server says against it.
//! * [`api`] asks for things: batches, definitions ([`metadata`]). [`rows`] reads rows straight into records, [`body`] writes
//!   them.
//! * [`port`] makes the words of [`crate::client`] of these: [`read`] one page, [`changes`] one part of a run, [`write`] sends
//!   sets, [`op`] says what a step is here, [`deliver`] hands mails in.
//!
//! **What a server cannot do** is asked when it is connected, and learned when it refuses: then the other way is taken from
//! there on ([`api::Can`]).
//!
//! **Writes repeat safely.** Ids are the caller's. Before a change whose outcome depends on what is there, that is looked at,
//! in one batch for a whole lot; a lost answer or a refusal that shows that something changed meanwhile leads to another look.

mod api;
pub mod auth;
mod body;
mod changes;
pub mod config;
mod deliver;
mod metadata;
mod multiple;
mod op;
mod port;
mod read;
mod refusal;
mod rows;
mod wire;
mod write;

pub use config::Settings;
pub use port::{Bodies, WebApi};
