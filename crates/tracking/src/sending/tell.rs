//! What the CRM learns: state and status, the number of attempts, the mail's ids, and in notes why something did not go.
//!
//! Every write repeats safely: the same values change nothing, and a note's id is made of what it says.

use postroom_core::{Change, ChangeSet, Fault, MailState, Record, RecordRef, Value, Verdict};
use postroom_jobs::Claim;

use super::gather::{COMPLETED, SENDING};
use super::ledger::{Entry, Standing, Then};
use super::{Sending, events};
use crate::filing::activity::{cut, derived};

/// statecode Open with statuscode Failed; statuscode Sent (dataverse.md B2).
const OPEN: i64 = 0;
const FAILED: i64 = 8;
const SENT: i64 = 3;
/// Column lengths of dataverse.md B1.
const SUBJECT: usize = 800;
const MESSAGE_ID: usize = 320;
const TRACKING_TOKEN: usize = 50;
/// Characters of a note.
const NOTE: usize = 4000;
/// A copy that cannot be made is tried so often.
const COPIES: u32 = 5;

impl Sending {
    /// Writes to the CRM what it does not know yet; answers the mail with that noted. What the CRM refuses for good is logged and
    /// left: a deleted e-mail has nobody to tell.
    pub(super) async fn tell(&self, entry: Entry) -> Result<Entry, Fault> {
        let due = (status(&entry), i64::from(entry.tries));
        if entry.told == Some(due) {
            return Ok(entry);
        }
        let mut changes = vec![Change::Update(self.standing(&entry))];
        changes.extend(self.note(&entry).map(Change::Create));
        match self.apply(changes).await {
            Ok(()) => {}
            Err(fault) if matches!(fault.verdict, Verdict::Retry { .. } | Verdict::Hold) => {
                return Err(fault);
            }
            Err(fault) => events::untold(entry.id, &fault),
        }
        let after = Entry { told: Some(due), ..entry.clone() };
        self.change("mail.told", &entry, after, Then::Stay).await
    }

    /// Sets the status only.
    pub(super) async fn set_status(&self, entry: &Entry, status: i64) -> Result<(), Fault> {
        let row = Record::new(RecordRef::new("email", entry.activity));
        let row = row.with("statecode", COMPLETED).with("statuscode", status);
        self.apply(vec![Change::Update(row)]).await
    }

    async fn apply(&self, changes: Vec<Change>) -> Result<(), Fault> {
        let answers = self.crm.apply(vec![ChangeSet { changes }]).await;
        let first = answers.into_iter().next();
        first.unwrap_or_else(|| Err(Fault::bug("one change set was given and none answered"))).map(drop)
    }

    /// `senton` is the server's to set.
    fn standing(&self, entry: &Entry) -> Record {
        let status = status(entry);
        let state = if status == FAILED { OPEN } else { COMPLETED };
        let row = Record::new(RecordRef::new("email", entry.activity))
            .with("statecode", state)
            .with("statuscode", status)
            .with("deliveryattempts", i64::from(entry.tries));
        let Some(id) = entry.message_id.as_ref().filter(|_| status != FAILED) else { return row };
        let guid = entry.record.as_ref().map_or(entry.activity, |record| record.id);
        row.with("subject", cut(&entry.subject, SUBJECT))
            .with("messageid", cut(&format!("<{id}>"), MESSAGE_ID))
            .with("trackingtoken", cut(&crate::token::make(guid), TRACKING_TOKEN))
    }

    /// A note about what did not go, or does not go yet.
    fn note(&self, entry: &Entry) -> Option<Record> {
        let (what, title) = match entry.state {
            MailState::Failed => ("failed", "The e-mail was not sent"),
            MailState::Sent if entry.recipients.iter().any(|one| !one.state.was_accepted()) => {
                ("partly", "The e-mail did not reach everybody")
            }
            MailState::Queued if entry.is_open() && self.is_late(entry) => ("late", "The e-mail is delayed"),
            _ => return None,
        };
        let mut text = entry.reason.clone();
        for one in
            entry.recipients.iter().filter(|one| !one.state.was_accepted() && one.state != Standing::Waiting)
        {
            text.push_str(&format!("\n{}: {}", one.address, one.text));
        }
        let id = derived(self.rules.installation, what, entry.id.0.as_bytes());
        let note = Record::new(RecordRef::new("annotation", id))
            .with("objectid", Value::lookup("email", entry.activity))
            .with("subject", title)
            .with("notetext", cut(&text, NOTE));
        Some(note)
    }

    fn is_late(&self, entry: &Entry) -> bool {
        self.clock.now().duration_since(entry.first_at) >= self.options.delay_note
    }

    /// Puts a copy of a sent mail into its sender's folder, once.
    pub(super) async fn copy_once(&self, claim: &Claim, entry: Entry) -> Result<(), Fault> {
        let Some(copy) = self.copy.as_ref().filter(|_| entry.any_accepted() && !entry.copied) else {
            return Ok(());
        };
        let raw = self.raw(&entry).await?;
        let from =
            postroom_formats::mime::scan_headers(&raw).from.first().map(postroom_core::Address::normal);
        if let Err(fault) = copy.keep(&from.unwrap_or_default(), raw.clone()).await {
            let last = claim.attempt >= COPIES || matches!(fault.verdict, Verdict::Reject | Verdict::Bug);
            events::not_copied(entry.id, &fault, last);
            if !last {
                return Err(Fault::retry(fault.code, fault.message));
            }
        }
        let after = Entry { copied: true, ..entry.clone() };
        self.change("mail.copied", &entry, after, Then::Stay).await.map(drop)
    }
}

/// The statuscode that says how a mail stands: Sent as soon as one recipient was accepted.
fn status(entry: &Entry) -> i64 {
    match entry.state {
        MailState::Failed => FAILED,
        _ if entry.any_accepted() => SENT,
        _ => SENDING,
    }
}
