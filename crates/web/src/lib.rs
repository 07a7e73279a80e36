//! The HTTP faces of postroom: health, the agents' door, the REST API, the pages, and the doors of the embedded CRM.
//!
//! # Design
//!
//! * **It holds `Operations` and nothing else.** What a request may do is decided there; a handler only reads the request
//!   and writes the answer. There is no store, no CRM and no parser of mail here.
//! * **A handler is given its caller** (`auth`): the extractors `Agent`, `Caller`, `SignedIn` and `Sent` answer 401 or 403
//!   themselves, so that a route without one of them is public by what stands in its signature.
//! * **A failure is a `problem::Problem`**, rendered in one place: `application/problem+json` for programs, a page with the
//!   same code for people.
//! * **Everything that comes from mail is escaped** by the templates; HTML of a mail is shown only in a sandboxed frame with
//!   a policy of its own (`pages::message`).
//!
//! Walk through it in this order: `server` (sockets), `routes` (all paths), `agent`, `api`, `pages`, `doors`.

mod agent;
mod api;
mod app;
mod auth;
mod doors;
mod download;
mod health;
mod input;
mod pages;
mod problem;
mod routes;
mod security;
mod server;

pub use api::openapi;
pub use app::IsProxy;
pub use server::{Error, Options, Web};
