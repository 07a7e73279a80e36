//! Sends of campaigns that somebody asked for in the CRM (design.md P6; marketing-sync.md 7).
//!
//! # Design
//!
//! * A row of `esc_emailsend` with the status *Requested* asks for a send. The flow ([`run`]) makes a row of `campaign_send`
//!   under the same id, so that one row asks for one send, and wakes those whose moment has come; [`job::Sender`] takes a
//!   send as far as it goes now.
//! * Such a row is made by the button in the CRM, by our own commands and pages ([`ask`](self)), and by a row of the older servers'
//!   queue ([`crate::queue`]).
//! * [`state`] is the life of one send, as a machine without effects. Each step stores the next state before anything is done
//!   in it. Before the *intent* every step may be repeated; after it the call is never made again: an answer that is lost, or
//!   a process that died over it, is *unknown*, the service's traces are shown, and a person decides ([`hand`]).
//! * [`audience`] decides who is mailed and counts who is not, and why; preview and send ask the same code. The people are
//!   written down once (`campaign_recipient`) in the unit that asks the gate, and go onto a list made for this send alone,
//!   which is read back and compared.
//! * A send is held here until its time, as the service cannot cancel: pausing, cancelling and late opt-outs work until the
//!   intent (`release`). It waits for opt-outs of both sides that were read after it was ready, and reads who left its lists and
//!   what was said of the preferences that they belong to just before (`latest`).
//! * Who leaves by the link of a mail has left the lists that the send went to (`departures`).
//! * `campaign_mailed` has one row for each person that a campaign went to, written with the intent: two sends cannot both
//!   mail a person, by address or record, unless the campaign allows it.
//! * A request of the type *New Member* watches its lists ([`newcomers`](self)): whoever joins them since gets the campaign, each
//!   lot by a send of its own with all of the above.
//! * What a database from a backup believes to be unsent may have gone out since: it asks first (`restored`).
//! * The request row is told how it stands, and what a user wishes on it is taken (`tell`).

mod ask;
pub mod audience;
mod departures;
mod fill;
mod follow;
pub mod hand;
pub mod job;
mod latest;
mod mailed;
mod members;
mod newcomers;
mod permit;
mod preview;
mod release;
pub(crate) mod request;
mod restored;
pub mod row;
mod scan;
pub mod single;
mod snapshot;
pub mod state;
mod tell;

pub use ask::SendRequest;
pub(crate) use ask::one;
pub use hand::Decision;
pub use job::Sender;
pub use permit::{CrmRoles, Permits};
pub use preview::Preview;
pub(crate) use release::is_fresh;
pub use restored::Asked as AskedAfterRestore;
pub use row::CampaignSend;
pub(crate) use scan::account_of;
pub use single::SingleSender;
pub(crate) use tell::cut;

use crate::sync::{Halt, Turn};

/// The flow: what users ask for, and what is due. It looks often, so it also looks for lists that are to run now.
///
/// # Errors
/// Those of the CRM and of the store. What becomes of a single send stands in its row.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    crate::queue::run(turn).await?;
    scan::run(turn).await?;
    if !turn.dry {
        crate::lists::requests::wake(turn).await?;
    }
    single::run(turn).await?;
    crate::programs::enrol::run(turn).await
}
