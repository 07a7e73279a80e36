//! The door: stores a raw mail and the job to file it, in one unit, and answers only when that is durable.
//!
//! The identity is read from the headers here, so that a repeat gets the id of the first, and `message` has one row
//! however often the mail comes. Every distinct form of its bytes is kept: a copy with the same identity may still differ.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{
    Accepted, BodyHash, Clock, Envelope, Fault, Ids, Inbox, Incoming, MailId, MailState, Method, Source,
    address,
};
use postroom_formats::mime;
use postroom_jobs::{self as jobs, NewJob};
use postroom_store::body::{self, Body};
use postroom_store::sql::{Expr, ExprTrait, Query, UpdateStatement};
use postroom_store::{Insert, Store, Tx};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::filing;
use crate::identity::{self, Identity};
use crate::journal;
use crate::privacy;
use crate::rules::Rules;
use crate::thread_index;

/// References kept of one mail. Longer lists keep their nearest ancestors and their root.
pub const REFERENCES: usize = 32;
/// Above this, hashing and compressing leave the async threads.
const HEAVY: usize = 256 * 1024;

/// The make of [`Inbox`] that every way in uses.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    clock: Clock,
    ids: Ids,
    /// Says which mailboxes are journals; `None` opens none.
    rules: Option<Arc<Rules>>,
}

impl Intake {
    pub fn new(store: Store, clock: Clock, ids: Ids) -> Self {
        Intake { store, clock, ids, rules: None }
    }

    /// Opens what comes into the journals that these rules name.
    pub fn with_journals(self, rules: Arc<Rules>) -> Self {
        Intake { rules: Some(rules), ..self }
    }
}

#[async_trait]
impl Inbox for Intake {
    async fn accept(&self, mail: Incoming) -> Result<Accepted, Fault> {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let mail = match &self.rules {
            Some(rules) => journal::opened(mail, rules),
            None => mail,
        };
        let arrival = match mail.raw.len() > HEAVY {
            true => tokio::task::spawn_blocking(move || Arrival::prepare(mail, &ids))
                .await
                .map_err(|error| Fault::bug(format!("preparing a mail stopped: {error}")))?,
            false => Arrival::prepare(mail, &ids),
        };
        let ids = self.ids.clone();
        let (mailbox, direction) = (arrival.mail.mailbox.clone(), arrival.mail.direction.as_str());
        let (hash, raw) = arrival.at_hand();
        let accepted = self
            .store
            .write("mail.accept", move |tx| async move { arrival.store(tx, &ids, now).await }.boxed())
            .await?;
        self.store.at_hand(hash, raw);
        self.store.wake();
        crate::events::accepted(mailbox, direction, accepted.new);
        Ok(accepted)
    }
}

/// A mail at the door, with everything computed that needs no database.
pub(crate) struct Arrival {
    mail: Incoming,
    body: Body,
    identity: Identity,
    id: MailId,
    sighting: Uuid,
    sighting_key: Vec<u8>,
    headers: Headers,
}

/// A mail that was here before.
struct Known {
    id: MailId,
    erased: bool,
    purged: bool,
}

/// What the `message` row shows before the mail is filed.
struct Headers {
    subject: String,
    from_address: String,
    from_name: String,
    sent_at: Option<Timestamp>,
    references: Vec<String>,
    conversation: Option<String>,
    parties: String,
    /// The Message-ID as written, where that differs from its normal form.
    id_as_written: Option<String>,
}

impl Arrival {
    pub(crate) fn prepare(mail: Incoming, ids: &Ids) -> Arrival {
        let body = Body::prepare(&mail.raw);
        let scanned = mime::scan_headers(&mail.raw);
        let identity = identity::identify(&mail.raw, &mime::Limits::default());
        let sighting_key = sighting_key(&mail, &body, &identity);
        let headers = Headers::of(&scanned);
        Arrival { body, identity, id: MailId(ids.next()), sighting: ids.next(), sighting_key, headers, mail }
    }

    /// The body's name and bytes, for [`Store::at_hand`].
    pub(crate) fn at_hand(&self) -> (BodyHash, Bytes) {
        (self.body.hash, self.mail.raw.clone())
    }

    pub(crate) async fn store(mut self, tx: &mut Tx, ids: &Ids, now: Timestamp) -> Result<Accepted, Fault> {
        let new = tx.insert(&self.message_row()).await? == 1;
        let known = match new {
            true => Known { id: self.id, erased: false, purged: false },
            false => self.known(tx).await?,
        };
        let id = known.id;
        if known.erased {
            return self.store_erased(tx, id).await;
        }
        let seen = tx.insert(&self.sighting_row(id)).await? == 1;
        if new {
            tx.insert(&self.reference_rows(id)).await?;
        }
        if seen && known.purged {
            tx.execute(&self.refill(id)).await?;
        }
        if new || seen {
            jobs::enqueue(tx, ids, now, vec![filing_job(id)]).await.map_err(Fault::from)?;
            body::put(tx, vec![self.body]).await?;
        }
        Ok(Accepted { id, new })
    }

    /// A mail that was erased is noted as seen, and nothing of it is kept.
    async fn store_erased(&mut self, tx: &mut Tx, id: MailId) -> Result<Accepted, Fault> {
        (self.mail.envelope, self.mail.peer) = (Envelope::default(), None);
        self.body = privacy::tombstone();
        tx.insert(&self.sighting_row(id)).await?;
        body::put(tx, vec![self.body.clone()]).await?;
        Ok(Accepted { id, new: false })
    }

    async fn known(&self, tx: &mut Tx) -> Result<Known, Fault> {
        let by_key = Expr::col("key").eq(self.identity.key.to_vec());
        let columns = ["id", "erased_at", "purged_at"];
        let select = Query::select().columns(columns).from("message").and_where(by_key).to_owned();
        let row = tx.query_one(&select).await?;
        let row = row.ok_or_else(|| Fault::bug("a mail's key was taken, yet no mail has it"))?;
        let (erased, purged): (Option<Timestamp>, Option<Timestamp>) = (row.at(1)?, row.at(2)?);
        Ok(Known { id: MailId(row.at(0)?), erased: erased.is_some(), purged: purged.is_some() })
    }

    /// Seen elsewhere, a mail whose body was purged is decided once more, and that takes all of it.
    fn refill(&self, id: MailId) -> UpdateStatement {
        Query::update()
            .table("message")
            .value("body", self.body.hash.0.to_vec())
            .value("purged_at", Option::<i64>::None)
            .and_where(Expr::col("id").eq(id.0))
            .to_owned()
    }

    fn message_row(&self) -> Insert {
        let columns = [
            "id",
            "key",
            "header_id",
            "subject",
            "from_address",
            "from_name",
            "sent_at",
            "direction",
            "automatic",
            "state",
            "method",
            "reason",
            "mailbox",
            "flags",
            "body",
            "size",
            "received_at",
            "conversation",
            "authentication",
            "parties",
            "header_text",
        ];
        let mut insert = Insert::into("message", &columns).or_skip();
        let headers = &self.headers;
        insert.row([
            self.id.0.into(),
            self.identity.key.to_vec().into(),
            self.identity.message_id.clone().into(),
            headers.subject.clone().into(),
            headers.from_address.clone().into(),
            headers.from_name.clone().into(),
            headers.sent_at.map(Timestamp::as_microsecond).into(),
            self.mail.direction.as_str().into(),
            false.into(),
            MailState::Received.as_str().into(),
            Method::None.as_str().into(),
            "Stored; not looked at yet.".into(),
            self.mail.mailbox.clone().unwrap_or_default().into(),
            "".into(),
            self.body.hash.0.to_vec().into(),
            (self.body.size as i64).into(),
            self.mail.received_at.as_microsecond().into(),
            headers.conversation.clone().into(),
            self.mail.authentication.as_str().into(),
            headers.parties.clone().into(),
            headers.id_as_written.clone().into(),
        ]);
        insert
    }

    fn reference_rows(&self, id: MailId) -> Insert {
        let mut insert = Insert::into("message_ref", &["message", "place", "ref"]);
        for (place, reference) in self.headers.references.iter().enumerate() {
            insert.row([id.0.into(), (place as i64).into(), reference.clone().into()]);
        }
        insert
    }

    fn sighting_row(&self, id: MailId) -> Insert {
        let columns = [
            "id",
            "message",
            "key",
            "body",
            "received_at",
            "source",
            "direction",
            "recipients",
            "mailbox",
            "envelope_from",
            "source_id",
            "peer",
            "folder",
        ];
        let mail = &self.mail;
        let mut insert = Insert::into("sighting", &columns).or_skip();
        insert.row([
            self.sighting.into(),
            id.0.into(),
            self.sighting_key.clone().into(),
            self.body.hash.0.to_vec().into(),
            mail.received_at.as_microsecond().into(),
            mail.source.as_str().into(),
            mail.direction.as_str().into(),
            mail.envelope.to.join("\n").into(),
            mail.mailbox.clone().into(),
            mail.envelope.from.clone().into(),
            mail.source_id.clone().into(),
            mail.peer.clone().into(),
            mail.folder.clone().into(),
        ]);
        insert
    }
}

impl Headers {
    fn of(scanned: &mime::Fields<'_>) -> Headers {
        let from = scanned.from.first().or(scanned.sender.as_ref()).cloned().unwrap_or_default();
        let parties = scanned.from.iter().chain(&scanned.sender).chain(&scanned.reply_to);
        let parties = parties.chain(&scanned.to).chain(&scanned.cc).chain(&scanned.bcc);
        Headers {
            subject: scanned.subject.clone(),
            from_address: from.normal(),
            from_name: from.name,
            sent_at: scanned.date,
            references: references(scanned),
            conversation: conversation(scanned),
            parties: parties.map(|party| party.normal()).collect::<Vec<_>>().join(" "),
            id_as_written: id_as_written(scanned),
        }
    }
}

pub(crate) fn conversation(scanned: &mime::Fields<'_>) -> Option<String> {
    let value = header(scanned, "Thread-Index")?;
    thread_index::conversation(&value).map(|conversation| conversation.to_string())
}

fn id_as_written(scanned: &mime::Fields<'_>) -> Option<String> {
    let normal = format!("<{}>", scanned.message_id.as_ref()?);
    header(scanned, "Message-ID").map(|text| text.trim().to_owned()).filter(|text| *text != normal)
}

/// The first header of that name, decoded.
pub(crate) fn header(scanned: &mime::Fields<'_>, name: &str) -> Option<String> {
    scanned.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.text())
}

/// The ids this mail refers to, nearest first: In-Reply-To, then References from right to left, each once.
pub(crate) fn references(scanned: &mime::Fields<'_>) -> Vec<String> {
    let mut nearest_first: Vec<String> = Vec::new();
    for id in scanned.in_reply_to.iter().chain(scanned.references.iter().rev()) {
        if !nearest_first.contains(id) && Some(id) != scanned.message_id.as_ref() {
            nearest_first.push(id.clone());
        }
        if nearest_first.len() == REFERENCES {
            break;
        }
    }
    nearest_first
}

/// What makes a sighting the same sighting: the source's own name for it when it has one, else the bytes and where
/// they were seen.
fn sighting_key(mail: &Incoming, body: &Body, identity: &Identity) -> Vec<u8> {
    let mut hasher = Sha256::new();
    let place = [mail.source.as_str(), mail.direction.as_str(), mail.mailbox.as_deref().unwrap_or_default()];
    place.iter().for_each(|field| hash_field(&mut hasher, field.as_bytes()));
    hash_field(&mut hasher, &identity.key);
    match (&mail.source_id, mail.source) {
        (Some(id), source) if source != Source::File => hash_field(&mut hasher, id.as_bytes()),
        _ => hash_field(&mut hasher, &body.hash.0),
    }
    mail.envelope.to.iter().for_each(|to| hash_field(&mut hasher, address::normal(to).as_bytes()));
    hasher.finalize().to_vec()
}

fn hash_field(hasher: &mut Sha256, field: &[u8]) {
    hasher.update((field.len() as u64).to_le_bytes());
    hasher.update(field);
}

/// The job that files a mail, or decides it again.
pub fn filing_job(id: MailId) -> NewJob {
    NewJob {
        kind: filing::KIND,
        lane: id.0.simple().to_string(),
        key: None,
        payload: serde_json::json!({ "message": id }),
        due: None,
    }
}
