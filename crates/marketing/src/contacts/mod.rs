//! Contacts, leads and accounts with their mapped fields, both ways (marketing-sync.md 4, 5 and 10).
//!
//! # Design
//!
//! 1. What a killed run left behind is settled ([`crate::imports`]), and the CRM's people are read.
//! 2. [`incoming`]: people of the service that changed since the mark. Each field is merged with what both sides last agreed
//!    on; the CRM gets what it has to get, opt-in types only rise, and somebody who subscribed again there with newer, dated
//!    consent is let back. It comes first, so that what goes out next is already merged.
//! 3. [`outgoing`]: people whose number is behind the mark. One record speaks for an address ([`who::speaker`]); a record that
//!    changes brings everybody with its addresses, old and new, to be looked at again. Whoever gets no mail is not sent and not
//!    deleted; what would be sent as it was is not sent.
//!
//! Who a person is: the service's number, once it is known; until then the address, and where the service has identifiers,
//! one of ours ([`identity`]) that names the record. So a changed address is a change, not a second person.
//!
//! [`first`] gives fields to people whom a send writes first.
//! [`deletions`]: whose record is gone or merged leaves, unless another one has the address. [`scores`]: the service's opinion.

pub(crate) mod created;
pub mod deletions;
pub(crate) mod first;
pub mod identity;
pub mod incoming;
mod merging;
pub mod outgoing;
mod rename;
mod returned;
mod scene;
pub mod scope;
pub mod scores;
mod seen;
pub mod who;

use crate::imports::{self, Purpose};
use crate::mapping::book::Book;
use crate::sync::{Halt, Turn};

/// The flow.
///
/// # Errors
/// Faults of either side; what was written until then stays.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let purpose = Purpose("contacts".to_owned());
    imports::resume(turn, &purpose).await?;
    turn.engine.read_people().await?;
    let identity = identity::ready(turn).await?;
    let book = Book::of(turn.engine.crm.as_ref(), turn.connected.row().id).await?;
    incoming::run(turn, &book, &identity).await?;
    outgoing::run(turn, &book, &identity, &purpose).await
}
