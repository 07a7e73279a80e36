//! The marketing half's rules: people, lists, campaigns, sends, behaviour and consent, in step between the CRM and the
//! e-mail marketing service.
//!
//! * [`solution`] describes what the CRM must hold for it, and [`keys`] names its rows so that a repeat meets its own.
//! * [`fields`] converts and merges mapped values.
//! * [`consent`] says who may be mailed; [`sends`] whom a send mails, and what becomes of it; [`lists`] who belongs to a list.
//!
//! So far these are the rules alone, without the flows that run them. This crate knows no adapter: the flows will call the
//! ports of `postroom_core`.

pub mod consent;
pub mod fields;
pub mod keys;
pub mod lists;
pub mod sends;
pub mod solution;
