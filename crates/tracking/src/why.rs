//! The decision for a file: everything the job would do, writing nothing. Without a CRM it tells class, signals and bounce.

use bytes::Bytes;
use futures_util::FutureExt;
use postroom_core::mail::Authentication;
use postroom_core::{BodyHash, Direction, Envelope, Fault, Incoming, MailId, MailState, Method, Source};
use postroom_formats::mime;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Row, Store};
use serde::Serialize;
use uuid::Uuid;

use crate::filing::reading::{self, Reading, Report, Stored};
use crate::filing::{Filing, decide::Ruling};
use crate::rules::Rules;
use crate::{identity, journal};

/// What would become of a mail.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    pub message_id: Option<String>,
    pub subject: String,
    pub from: String,
    pub direction: Direction,
    pub class: postroom_core::Class,
    pub automatic: bool,
    pub state: MailState,
    pub method: Method,
    pub record: Option<postroom_core::RecordRef>,
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce: Option<Report>,
    pub signals: Vec<postroom_core::Signal>,
    pub flags: Vec<String>,
    pub class_evidence: Vec<String>,
    /// Whether a CRM was asked. If not, a signal is shown as found, and its record is not known.
    pub crm_asked: bool,
}

/// Explains a mail with the store and CRM at hand.
pub async fn explain(
    filing: &Filing,
    raw: &[u8],
    direction: Direction,
    mailbox: Option<String>,
) -> Result<Why, Fault> {
    let mail = journal::opened(handed_in(raw, direction, mailbox, filing.clock.now()), &filing.rules);
    let mut stored = pretend(&mail.raw, mail.direction, mail.mailbox, mail.received_at);
    if mail.envelope != Envelope::default() {
        (stored.envelope_from, stored.envelope_to) = (mail.envelope.from, mail.envelope.to);
    }
    // One that is here already is no other mail with its Message-ID, and no answer to itself.
    stored.id = known_as(&filing.store, stored.key.clone()).await?.unwrap_or(stored.id);
    let mut reading = reading::read(stored, &mail.raw, &filing.rules, filing.signer.as_deref());
    let ruling = filing.rule(&mut reading).await?;
    Ok(why(reading, ruling, true))
}

/// A file as a way in would hand it in.
fn handed_in(raw: &[u8], direction: Direction, mailbox: Option<String>, now: jiff::Timestamp) -> Incoming {
    Incoming {
        source: Source::File,
        direction,
        mailbox,
        folder: None,
        envelope: Envelope::default(),
        source_id: None,
        peer: None,
        authentication: Authentication::Unknown,
        received_at: now,
        raw: Bytes::copy_from_slice(raw),
    }
}

/// The id of the mail with this key, when it is stored.
async fn known_as(store: &Store, key: Vec<u8>) -> Result<Option<MailId>, Fault> {
    let select = Query::select().column("id").from("message").and_where(Expr::col("key").eq(key)).to_owned();
    let row = store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
    let row: Option<Row> = row.map_err(|error: Error| Fault::from(error))?;
    row.map(|row| row.at(0).map(MailId)).transpose().map_err(Fault::from)
}

/// Explains a mail with nothing but its bytes.
pub fn explain_alone(raw: &[u8], direction: Direction, now: jiff::Timestamp) -> Why {
    let rules = Rules::new(Uuid::nil());
    let stored = pretend(raw, direction, None, now);
    let reading = reading::read(stored, raw, &rules, None);
    let known = crate::filing::known::Known::default();
    let found = crate::filing::signals::gather(&reading, &known, &rules);
    let signals = found.into_iter().map(|found| found.signal).collect();
    let ruling = Ruling {
        state: MailState::Review,
        method: Method::None,
        record: None,
        parent: None,
        create: None,
        reason: "No CRM was asked: these are the signals found; give --config to see where they lead.".into(),
        signals,
        flags: reading.flags.clone(),
    };
    why(reading, ruling, false)
}

fn why(reading: Reading, ruling: Ruling, crm_asked: bool) -> Why {
    let from = reading.sender();
    Why {
        message_id: reading.stored.header_id.as_ref().map(|id| format!("<{id}>")),
        subject: reading.stored.subject,
        from,
        direction: reading.stored.direction,
        class: reading.class,
        automatic: reading.automatic,
        state: ruling.state,
        method: ruling.method,
        record: ruling.record,
        reason: ruling.reason,
        bounce: reading.report.filter(|_| reading.class == postroom_core::Class::Bounce),
        signals: ruling.signals,
        flags: ruling.flags,
        class_evidence: reading.class_evidence,
        crm_asked,
    }
}

/// The row this mail would have, had it come in.
pub(crate) fn pretend(
    raw: &[u8],
    direction: Direction,
    mailbox: Option<String>,
    now: jiff::Timestamp,
) -> Stored {
    let scanned = mime::scan_headers(raw);
    let identity = identity::identify(raw, &mime::Limits::default());
    Stored {
        id: MailId(Uuid::nil()),
        key: identity.key.to_vec(),
        header_id: identity.message_id,
        subject: scanned.subject.clone(),
        direction,
        state: MailState::Received,
        method: Method::None,
        record: None,
        activity: None,
        body: BodyHash([0; 32]),
        size: raw.len() as u64,
        received_at: now,
        sent_at: scanned.date,
        mailboxes: mailbox.into_iter().collect(),
        folders: Vec::new(),
        conversation: crate::intake::conversation(&scanned),
        authentication: Authentication::Unknown,
        references: crate::intake::references(&scanned),
        envelope_from: crate::intake::header(&scanned, "Return-Path")
            .map(|path| path.trim_matches(['<', '>', ' ']).to_owned()),
        envelope_to: Vec::new(),
        parties: Vec::new(),
        purged: false,
    }
}
