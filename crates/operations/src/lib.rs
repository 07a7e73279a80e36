//! Each thing a person or program may do, once: with its permission and its audit entry.
//!
//! # Design
//!
//! * [`Operations`] is what the CLI, the REST API and the pages hold; none of them reaches the store or the CRM by itself.
//! * Every method that a caller can reach takes an [`Actor`] and names the [`Permission`] it needs; without it the answer is
//!   `PR-8003`. There is no way round: the fields are private.
//! * Whatever changes something writes an audit entry in the same unit, or right before an effect outside the store.
//! * Failures are `postroom_core::Fault`s: a code, a sentence, a verdict.
//!
//! Tables: `api_token` and `session` (hashes only), `sign_in_link` (one use), `audit` (append-only).

mod access;
mod audit;
mod bodies;
mod gauges;
mod mailboxes;
mod messages;
mod openings;
mod records;
mod schema;
mod sessions;
mod shelf;
mod status;
mod timeline;
mod tokens;

use std::sync::Arc;

use postroom_core::{Clock, Crm, Fault, Ids, Inbox};
use postroom_jobs::NewJob;
use postroom_store::Store;
use postroom_tracking::filing::Filing;
use postroom_tracking::rules::Rules;

pub use access::{Actor, Door, Permission, Role, Scope};
pub use audit::Entry;
pub use mailboxes::MailboxView;
pub use messages::{Bulk, Hop, Posted};
pub use openings::Opening;
pub use postroom_tracking::display::{FileView, MailView};
pub use postroom_tracking::messages::{Detail, Message, Sighting, Wanted};
pub use postroom_tracking::verify::Books;
pub use postroom_tracking::why::Why;
pub use records::{ImportReport, RecordView, Rejected};
pub use schema::MIGRATIONS;
pub use sessions::Session;
pub use shelf::ShelfItem;
pub use status::{Health, Today};
pub use timeline::{Activity, Attachment, PartyView};
pub use tokens::{NewToken, TokenView};

/// Everything an operation works on. Cheap to clone.
#[derive(Clone)]
pub struct Operations(Arc<Parts>);

struct Parts {
    store: Store,
    clock: Clock,
    ids: Ids,
    crm: Arc<dyn Crm>,
    inbox: Arc<dyn Inbox>,
    filing: Filing,
    /// Makes unguessable bytes: tokens, links, sessions.
    random: fn(&mut [u8]),
}

impl Operations {
    /// `random` fills a buffer with unguessable bytes.
    pub fn new(filing: Filing, inbox: Arc<dyn Inbox>, random: fn(&mut [u8])) -> Self {
        let (store, clock) = (filing.store.clone(), filing.clock.clone());
        let (ids, crm) = (filing.ids.clone(), filing.crm.clone());
        Operations(Arc::new(Parts { store, clock, ids, crm, inbox, filing, random }))
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.0.filing.rules
    }

    async fn enqueue(&self, step: &'static str, jobs: Vec<NewJob>, entry: audit::Entry) -> Result<(), Fault> {
        use futures_util::FutureExt;
        let (ids, now) = (self.0.ids.clone(), self.0.clock.now());
        self.0
            .store
            .write(step, move |tx| {
                async move {
                    postroom_jobs::enqueue(tx, &ids, now, jobs).await.map_err(Fault::from)?;
                    audit::append(tx, &ids, now, &entry).await.map_err(Fault::from)
                }
                .boxed()
            })
            .await?;
        self.0.store.wake();
        Ok(())
    }
}
