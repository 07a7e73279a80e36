//! The Web API's language: OData v4 as Dynamics speaks it. Text to trees and back; no HTTP, no rows, no JSON bodies.
//!
//! Both ends use it: the embedded CRM's door reads requests and writes answers, the outside client writes requests and
//! reads answers. Source: OData 4.0 part 2 (URL conventions) narrowed and widened to what dataverse.md A4 to A14 and H
//! say that the platform and its clients do.
//!
//! A request goes through it so: [`path::resource`] cuts the URL, [`path::Path`] is its first half, [`options::Options`]
//! the second, [`resolve::plan`] makes both a [`postroom_core::Query`] with the help of the definitions. [`mod@write`] goes the
//! other way. [`batch`] packs many requests in one, [`prefer`] is what a client would like.
//!
//! **Invariants.** Nothing here panics or overflows the stack on any text: nesting is bounded by [`MAX_DEPTH`], sizes by
//! [`MAX_TEXT`]. Every value stays a value: no text of a client becomes a name, a pattern or a tree by being pasted.

pub mod batch;
mod error;
pub mod options;
pub mod path;
pub mod prefer;
pub mod resolve;
mod text;
pub mod write;

pub use error::{Error, hex};

/// How deep expressions and expansions may nest.
pub const MAX_DEPTH: usize = 100;

/// The longest path or query string that is read, in bytes (what a URL inside a batch may have).
pub const MAX_TEXT: usize = 64 * 1024;

/// The namespace of every type, function and action.
pub const NAMESPACE: &str = "Microsoft.Dynamics.CRM";
