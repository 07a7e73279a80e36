//! What a row may hold and what the server adds to it. Pure: no database here.

pub(crate) mod attachments;
mod coerce;
pub(crate) mod defaults;
mod refusal;
mod state;

pub(crate) use coerce::{choices, coerce};
pub use refusal::Refusal;
pub(crate) use state::{Standing, settle};

use crate::row::Fields;
use crate::schema::{Ownership, Table};

/// Refuses a row that lacks a required column. It looks after the server's own defaults.
pub(crate) fn complete(table: &Table, fields: &Fields) -> Result<(), Refusal> {
    for place in table.required() {
        let column = &table.columns[*place];
        let owner = column.name == "ownerid" && table.ownership == Ownership::None;
        if !owner && fields.get(*place).is_none() {
            return Err(Refusal::Required { table: table.name.clone(), column: column.name.clone() });
        }
    }
    party_names_somebody(table, fields)
}

/// A party is a record or an address; with neither it would say nothing.
fn party_names_somebody(table: &Table, fields: &Fields) -> Result<(), Refusal> {
    let somebody = ["partyid", "addressused", "unresolvedpartyname"];
    match table.name == "activityparty"
        && !somebody.iter().any(|column| fields.named(table, column).is_some())
    {
        true => Err(Refusal::Required { table: table.name.clone(), column: "addressused".into() }),
        false => Ok(()),
    }
}
