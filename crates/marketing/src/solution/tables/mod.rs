//! The tables that the solution makes, by what they are about.

pub mod behaviour;
pub mod campaigns;
pub mod configuration;
pub mod consent;
pub mod forms;

use super::By::Both;
use super::Kind::{Choice, Email, Lookup, Moment, Text};
use super::options::Set;
use super::{Column, Table};

/// The account of the service that a row belongs to.
pub(super) const ACCOUNT: &[Column] =
    &[Column::new("esc_emailaccountid", "Email Account", Lookup("esc_emailaccount")).required().by(Both)];

/// The natural key in words: an alternate key where the server has them, and the name that the row's id is made of.
pub(super) const KEY: &[Column] = &[Column::new("esc_externalkey", "External Key", Text(200)).required()];

/// Whom a row is about, and the address at that time.
pub(super) const RECORD: &[Column] = &[
    Column::new("esc_contactid", "Contact", Lookup("contact")),
    Column::new("esc_leadid", "Lead", Lookup("lead")),
    Column::new("esc_accountid", "Account", Lookup("account")),
    Column::new("esc_recordtype", "Record Type", Choice(Set::RecordType)).required(),
    Column::new("esc_emailaddress", "Email Address", Email).required(),
];

pub(super) const SYNCED: &[Column] = &[Column::new("esc_lastsyncedon", "Last Synced On", Moment)];

/// Every table, in an order in which each lookup names a table that stands before it.
pub fn all() -> impl Iterator<Item = &'static Table> {
    [configuration::TABLES, campaigns::TABLES, behaviour::TABLES, consent::TABLES, forms::TABLES]
        .into_iter()
        .flatten()
}

/// The table with this logical name.
pub fn named(name: &str) -> Option<&'static Table> {
    all().find(|table| table.name == name)
}
