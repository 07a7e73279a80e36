//! The marketing half's rules: people, lists, campaigns, sends, behaviour and consent, in step between the CRM and the
//! e-mail marketing service.
//!
//! # Design
//!
//! * [`engine::Engine`] is what every flow works with: the store, the CRM's port, and the [`accounts`] of the service.
//! * [`sync`] says what runs when, and keeps the ledger of runs. A flow works in pages: what a page brought, the counts and
//!   the mark behind it are one unit, so that a run which is cut goes on where it was.
//! * [`people`] are the CRM's contacts, leads and accounts as last read. Opt-outs on *any* record with an address count, so all
//!   of them are here, and a gate needs no CRM to answer.
//! * [`consent`] says who may be mailed; [`suppressions`] keeps both sides in step on who may not. Opt-outs come first in every
//!   cycle, and nothing is sent before the first whole exchange of them.
//! * [`contacts`] keeps people in step: fields both ways, addresses, opt-in types, scores, and who leaves.
//! * [`mapping`] says which columns go with which data labels, [`fields`] converts and merges their values; [`lists`] keeps
//!   marketing lists and their members in step, [`unsubscribes`] who left one of them, [`preferences`] what people want to hear
//!   about; [`sends`] says whom a send mails, and what becomes of it.
//! * [`queue`] are the requests that servers before 9.0 keep in a table of their own.
//! * [`undo`] takes back what a run wrote on the CRM's records.
//! * [`events`] are what people did with what they were sent, [`forms`] what they answered; [`person`] shows, proves and erases
//!   one of them.
//! * [`imports`] writes many people at once and hears what became of each.
//! * [`solution`] describes what the CRM must hold for all of it, and [`keys`] names its rows so that a repeat meets its own.
//! * Counters: `measures`. Tables: `schema`.
//!
//! What is absent: no adapter. The CRM and the service are the ports of `postroom_core`.

pub mod accounts;
pub mod campaigns;
pub mod consent;
pub mod contacts;
pub mod engine;
pub mod events;
pub mod fields;
pub mod forms;
pub mod imports;
pub mod keys;
pub mod lists;
pub mod mandate;
pub mod mapping;
mod measures;
pub mod people;
pub mod person;
pub mod preferences;
pub mod programs;
pub mod queue;
mod schema;
pub mod sends;
mod signed;
pub mod solution;
pub mod suppressions;
pub mod sync;
pub mod undo;
pub mod unsubscribes;

pub use engine::Engine;
pub use schema::MIGRATIONS;
