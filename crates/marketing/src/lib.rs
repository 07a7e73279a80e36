//! The marketing half's rules: people, lists, campaigns, sends, behaviour and consent, in step between the CRM and the
//! e-mail marketing service.
//!
//! [`solution`] describes what the CRM must hold for it; [`fields`] converts and merges mapped values;
//! [`consent`] says who may be mailed. This crate knows no adapter: it calls the ports of
//! `postroom_core`.

pub mod consent;
pub mod fields;
pub mod solution;
