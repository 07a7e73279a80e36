//! The Organization service of 2011 (SOAP): the way to every Dynamics server from CRM 2011 on (dataverse.md part E).
//!
//! # Design
//!
//! * [`config`] says where the organisation is. [`wire`] sends one operation, signed in by a [`crate::sign_in::Transport`] or
//!   by a claims header in the message; [`refusal`] reads faults.
//! * [`service`] asks for things: messages, many messages in one, definitions. [`ability`] is what the server can do: its
//!   version says so at first, and what it refuses to know is learned.
//! * [`rows`] makes records of rows, [`body`] entities of records, [`query`] puts a query in the service's words.
//! * [`port`] makes the words of [`crate::client`] of these: [`read`] one page, [`changes`] one part of a run, [`write`] sends
//!   sets, [`op`] says what a step is here, [`deliver`] hands mails in.
//!
//! **Sets of changes.** From 2015 Update 1 on a set of several steps is an `ExecuteTransaction`. Before that its steps go one
//! after the other, in one `ExecuteMultiple` that stops at the first refusal where there is one; what was made is taken back
//! then. A set that was cut in two is finished when it is applied again. An email and its parties are one step everywhere.
//!
//! **Versions.** Before 2015 Update 1 the server does not check them: rows are compared here right before they are written.

mod ability;
mod body;
mod changes;
pub mod config;
mod deliver;
mod op;
mod port;
mod query;
mod read;
mod refusal;
mod rows;
mod service;
mod wire;
mod write;

pub use config::Settings;
pub use port::Soap;
