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
mod compose;
mod credentials;
mod delivery;
mod doors;
mod find;
mod gauges;
mod mailboxes;
pub mod marketing;
mod messages;
mod openings;
mod outgoing;
mod privacy;
mod readers;
mod records;
mod replay;
mod review;
mod room;
mod schema;
mod sessions;
mod shelf;
mod solution;
mod stamp;
mod status;
mod timeline;
mod tokens;
mod tracking_tokens;
mod trials;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use postroom_core::{Clock, Crm, Fault, Ids, Inbox, Stamper};
use postroom_jobs::NewJob;
use postroom_store::Store;
use postroom_tracking::filing::Filing;
use postroom_tracking::rules::Rules;

pub use access::{Actor, Door, Permission, Role, Scope};
pub use audit::Entry;
pub use compose::{Composed, Draft, FieldError, NewMail, Sender, Writing};
pub use credentials::Credential;
pub use doors::{Access, DoorSettings, DoorUser, Grant, Limits, NoAccess, Stranger};
pub use find::Named;
pub use gauges::Gauges;
pub use mailboxes::{Forgotten, MailboxDetail, MailboxOrder, MailboxView, SILENT};
pub use messages::{Bulk, Hop, Posted};
pub use openings::Opening;
pub use outgoing::{AnswerView, AttemptView, OutgoingChange, OutgoingView, RecipientView};
pub use postroom_core::{Stamp, StampAsk};
pub use postroom_marketing::solution::Era;
pub use postroom_tracking::display::{FileView, MailView};
pub use postroom_tracking::messages::{Detail, Message, Sighting, Wanted};
pub use postroom_tracking::privacy::erasing::Receipt;
pub use postroom_tracking::privacy::purging::Purged;
pub use postroom_tracking::sending::verbs::Wanted as OutgoingWanted;
pub use postroom_tracking::verify::Books;
pub use postroom_tracking::why::Why;
pub use postroom_tracking::writing::File as NewFile;
pub use privacy::{Erased, Privacy};
pub use records::{ImportReport, RecordView, Rejected};
pub use replay::{Replay, Standing, Turn};
pub use review::{Proposal, ReviewItem};
pub use room::Room;
pub use schema::MIGRATIONS;
pub use sessions::Session;
pub use shelf::ShelfItem;
pub use solution::{SolutionAsk, SolutionFile, SolutionView};
pub use status::{Health, Today};
pub use timeline::{Activity, Attachment, PartyView};
pub use tokens::{NewToken, TokenOrder, TokenView};
pub use tracking_tokens::{FoundToken, TokensFound, TrackingToken};
pub use trials::{CheckPart, CheckWanted, MailboxTest, Told, TrialStep, Trials, Tried};
pub use write::{About, Letter, Unwritten, Written};

/// Everything an operation works on. Cheap to clone.
#[derive(Clone)]
pub struct Operations(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    store: Store,
    clock: Clock,
    ids: Ids,
    crm: Arc<dyn Crm>,
    inbox: Arc<dyn Inbox>,
    filing: Filing,
    /// Makes unguessable bytes: tokens, links, sessions.
    random: fn(&mut [u8]),
    /// Without one no subject is stamped.
    stamper: Option<Arc<dyn Stamper>>,
    /// The mailboxes that have a watcher.
    watched: BTreeSet<String>,
    /// Without it no body is purged and nobody is erased.
    privacy: Option<Privacy>,
    /// Whether mail can be written on the pages.
    writing: Writing,
    /// The embedded CRM's doors, when it is the CRM.
    doors: Option<Arc<doors::Doors>>,
    /// What keeps CRM and marketing service in step.
    marketing: Option<postroom_marketing::Engine>,
    /// Without it mail is taken until the disk is full.
    room: Option<Room>,
    /// Without them neither the configuration nor a mailbox is tried.
    trials: Option<Arc<dyn Trials>>,
    /// What people call this installation.
    called: Arc<str>,
}

impl Operations {
    /// `random` fills a buffer with unguessable bytes.
    pub fn new(filing: Filing, inbox: Arc<dyn Inbox>, random: fn(&mut [u8])) -> Self {
        let (store, clock) = (filing.store.clone(), filing.clock.clone());
        let (ids, crm) = (filing.ids.clone(), filing.crm.clone());
        let (stamper, watched, writing, privacy) = (None, BTreeSet::new(), Writing::default(), None);
        let (doors, marketing, room, trials) = (None, None, None, None);
        let called = Arc::from(filing.rules.installation.to_string());
        Operations(Arc::new(Parts {
            store,
            clock,
            ids,
            crm,
            inbox,
            filing,
            random,
            stamper,
            watched,
            writing,
            privacy,
            doors,
            marketing,
            room,
            trials,
            called,
        }))
    }

    /// Answers which subject a mail should carry by this.
    pub fn with_stamper(self, stamper: Arc<dyn Stamper>) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Operations(Arc::new(Parts { stamper: Some(stamper), ..parts }))
    }

    /// What people call this installation, for instance the address of its pages: shown where another one would take its place.
    pub fn with_called(self, called: &str) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Operations(Arc::new(Parts { called: called.into(), ..parts }))
    }

    /// Says by name which mailboxes are watched on their servers: only those can be paused or read again.
    pub fn with_watched(self, names: impl IntoIterator<Item = String>) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Operations(Arc::new(Parts { watched: names.into_iter().collect(), ..parts }))
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
