//! The rows of one outgoing mail, and the one guarded way to change them.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{BodyHash, Fault, MailId, MailState, RecordRef};
use postroom_jobs::{self as jobs, Claim, NewJob};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement, Value};
use postroom_store::{Error, Insert, Row, Tx};
use serde::Serialize;
use uuid::Uuid;

use super::{KIND, Sending, events};

/// A closed set of words with one text form each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            pub(crate) fn of(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words!(/// How a recipient was named.
    Role { To = "to", Cc = "cc", Bcc = "bcc" });

words!(/// Where a mail stands with one recipient.
Standing {
    /// No answer yet.
    Waiting = "waiting",
    /// A server answered 4yz; it is tried again.
    Later = "later",
    Accepted = "accepted",
    Refused = "refused",
    /// Given up after the time allowed.
    Expired = "expired",
    /// Accepted, then reported as late on its way.
    Delayed = "delayed",
    /// Accepted, then reported as not delivered.
    Bounced = "bounced",
    /// Reported as delivered.
    Delivered = "delivered",
    /// Opened by its reader, who let that be told (RFC 8098).
    Read = "read",
});

words!(/// Why a mail is held.
Hold {
    /// A guard stopped it.
    Rule = "rule",
    /// The database came from a backup; freed when safe mode ends.
    SafeMode = "safe_mode",
    Person = "person",
});

impl Standing {
    /// Whether the mail server still has to be asked.
    pub fn is_open(self) -> bool {
        matches!(self, Standing::Waiting | Standing::Later)
    }

    /// Whether a mail server took the mail for this recipient.
    pub fn was_accepted(self) -> bool {
        matches!(
            self,
            Standing::Accepted | Standing::Delayed | Standing::Bounced | Standing::Delivered | Standing::Read
        )
    }
}

/// One recipient and the last word about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// As given to the mail server.
    pub address: String,
    pub role: Role,
    pub state: Standing,
    /// SMTP reply code.
    pub code: Option<u16>,
    /// Enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// What the server said.
    pub text: String,
    pub at: Timestamp,
}

/// One outgoing mail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub id: MailId,
    pub activity: Uuid,
    /// Queued, held, sending, sent, unknown, bounced, failed or suppressed.
    pub state: MailState,
    /// One sentence for a person.
    pub reason: String,
    /// The documented error, when one stands in the way.
    pub code: Option<u16>,
    pub hold: Option<Hold>,
    /// A person released it: the guards that ask for a confirmation let it pass.
    pub confirmed: bool,
    /// `None` until it is rendered.
    #[serde(skip)]
    pub body: Option<BodyHash>,
    pub reverse_path: String,
    /// Normalised, without angle brackets.
    pub message_id: Option<String>,
    pub subject: String,
    pub record: Option<RecordRef>,
    pub attempts: u32,
    /// Attempts that the mail server answered or could not be reached for.
    pub tries: u32,
    pub next_try: Option<Timestamp>,
    pub first_at: Timestamp,
    pub sending_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    #[serde(skip)]
    pub(super) told: Option<(i64, i64)>,
    #[serde(skip)]
    pub(super) copied: bool,
    pub recipients: Vec<Recipient>,
}

impl Entry {
    /// A wish of the CRM's that was just seen.
    pub(super) fn new(id: MailId, activity: Uuid, subject: String, now: Timestamp) -> Entry {
        Entry {
            id,
            activity,
            state: MailState::Queued,
            reason: "Claimed; not rendered yet.".into(),
            code: None,
            hold: None,
            confirmed: false,
            body: None,
            reverse_path: String::new(),
            message_id: None,
            subject,
            record: None,
            attempts: 0,
            tries: 0,
            next_try: None,
            first_at: now,
            sending_at: None,
            finished_at: None,
            told: None,
            copied: false,
            recipients: Vec::new(),
        }
    }

    pub(super) fn to(mut self, state: MailState, reason: impl Into<String>) -> Entry {
        self.state = state;
        self.reason = reason.into();
        self
    }

    pub(super) fn held(
        self,
        hold: Hold,
        code: Option<postroom_core::Code>,
        reason: impl Into<String>,
    ) -> Entry {
        let held = self.to(MailState::Held, reason);
        Entry { hold: Some(hold), code: code.map(|code| code.0), next_try: None, ..held }
    }

    /// Whether the copy for its sender's folder is made, or given up.
    pub fn is_copied(&self) -> bool {
        self.copied
    }

    /// Whether any server took it.
    pub fn any_accepted(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.state.was_accepted())
    }

    /// Whether somebody still has to be asked for.
    pub fn is_open(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.state.is_open())
    }

    /// The end of a mail that nobody is left to be asked for.
    pub(super) fn concluded(mut self, now: Timestamp) -> Entry {
        let total = self.recipients.len();
        let taken = self.recipients.iter().filter(|recipient| recipient.state.was_accepted()).count();
        (self.finished_at, self.next_try, self.code, self.hold) = (Some(now), None, None, None);
        match taken {
            0 => {
                let why = self
                    .recipients
                    .iter()
                    .map(|recipient| recipient.text.as_str())
                    .find(|text| !text.is_empty());
                let reason = match why {
                    Some(why) => format!("No recipient was accepted: {why}"),
                    None => "No recipient was accepted.".to_owned(),
                };
                self.to(MailState::Failed, reason)
            }
            taken if taken == total => {
                self.to(MailState::Sent, "The mail server took it for all recipients.")
            }
            taken => self
                .to(MailState::Sent, format!("The mail server took it for {taken} of {total} recipients.")),
        }
    }

    /// The lane of its job.
    pub(super) fn lane(&self) -> String {
        lane(self.activity)
    }

    pub(super) fn job(&self) -> NewJob {
        job(self.id, self.activity)
    }
}

/// One lane per activity: a corrected e-mail never overtakes its first form.
pub(crate) fn lane(activity: Uuid) -> String {
    format!("out:{}", activity.simple())
}

/// The job that works an outgoing mail.
pub(super) fn job(id: MailId, activity: Uuid) -> NewJob {
    NewJob::new(KIND, serde_json::json!({ "outgoing": id })).lane(lane(activity))
}

const COLUMNS: [&str; 22] = [
    "id",
    "activity_id",
    "state",
    "reason",
    "code",
    "hold",
    "confirmed",
    "body",
    "reverse_path",
    "header_id",
    "subject",
    "record_table",
    "record_id",
    "attempts",
    "tries",
    "next_try",
    "first_at",
    "sending_at",
    "finished_at",
    "told",
    "told_tries",
    "copied",
];

/// A select over outgoing mails, to be narrowed by the caller.
pub(super) fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("outgoing").to_owned()
}

/// The mails of a select, with their recipients.
pub(super) async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Entry>, Error> {
    let rows = tx.query(select).await?;
    let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, Error>>()?;
    for some in entries.chunks_mut(200) {
        let ids: Vec<Uuid> = some.iter().map(|entry| entry.id.0).collect();
        let select = Query::select()
            .columns(["outgoing", "address", "role", "state", "code", "status", "text", "at"])
            .from("outgoing_recipient")
            .and_where(Expr::col("outgoing").is_in(ids))
            .order_by("outgoing", Order::Asc)
            .order_by("place", Order::Asc)
            .to_owned();
        for row in tx.query(&select).await? {
            let id: Uuid = row.at(0)?;
            let entry = some.iter_mut().find(|entry| entry.id.0 == id);
            entry.expect("only theirs were asked for").recipients.push(recipient(&row)?);
        }
    }
    Ok(entries)
}

pub(super) async fn one(tx: &mut Tx, id: MailId) -> Result<Option<Entry>, Error> {
    let mut by_id = select();
    by_id.and_where(Expr::col("id").eq(id.0));
    Ok(load(tx, &by_id).await?.into_iter().next())
}

fn entry(row: &Row) -> Result<Entry, Error> {
    let state: String = row.at(2)?;
    let hold: Option<String> = row.at(5)?;
    let body: Option<Vec<u8>> = row.at(7)?;
    let table: Option<String> = row.at(11)?;
    let record: Option<Uuid> = row.at(12)?;
    let told: Option<i64> = row.at(19)?;
    let told_tries: Option<i64> = row.at(20)?;
    Ok(Entry {
        id: MailId(row.at(0)?),
        activity: row.at(1)?,
        state: state.parse().unwrap_or(MailState::Held),
        reason: row.at(3)?,
        code: row.at::<Option<i64>>(4)?.and_then(|code| u16::try_from(code).ok()),
        hold: hold.and_then(|hold| Hold::of(&hold)),
        confirmed: row.at(6)?,
        body: body.and_then(|hash| hash.try_into().ok()).map(BodyHash),
        reverse_path: row.at::<Option<String>>(8)?.unwrap_or_default(),
        message_id: row.at(9)?,
        subject: row.at(10)?,
        record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
        attempts: row.at(13)?,
        tries: row.at(14)?,
        next_try: row.at(15)?,
        first_at: row.at(16)?,
        sending_at: row.at(17)?,
        finished_at: row.at(18)?,
        told: told.map(|status| (status, told_tries.unwrap_or_default())),
        copied: row.at::<i64>(21)? != 0,
        recipients: Vec::new(),
    })
}

fn recipient(row: &Row) -> Result<Recipient, Error> {
    let (role, state): (String, String) = (row.at(2)?, row.at(3)?);
    Ok(Recipient {
        address: row.at(1)?,
        role: Role::of(&role).unwrap_or(Role::To),
        state: Standing::of(&state).unwrap_or(Standing::Waiting),
        code: row.at::<Option<i64>>(4)?.and_then(|code| u16::try_from(code).ok()),
        status: row.at(5)?,
        text: row.at(6)?,
        at: row.at(7)?,
    })
}

/// The row of a new wish; skipped when the activity is claimed already.
pub(super) fn insert(entry: &Entry) -> Insert {
    let columns = [
        "id",
        "activity_id",
        "claim",
        "state",
        "reason",
        "subject",
        "confirmed",
        "attempts",
        "tries",
        "first_at",
        "copied",
    ];
    let mut insert = Insert::into("outgoing", &columns).or_skip();
    insert.row([
        entry.id.0.into(),
        entry.activity.into(),
        entry.activity.into(),
        entry.state.as_str().into(),
        entry.reason.clone().into(),
        entry.subject.clone().into(),
        false.into(),
        0_i64.into(),
        0_i64.into(),
        entry.first_at.as_microsecond().into(),
        0_i64.into(),
    ]);
    insert
}

/// Writes `after` over `before`. Fails with [`Error::Conflict`] when the row is no longer in one of the states `from` or has
/// had another attempt: somebody else has it.
pub(super) async fn put(tx: &mut Tx, before: &Entry, after: &Entry, from: &[MailState]) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("outgoing")
        .values(values(after))
        .and_where(Expr::col("id").eq(before.id.0))
        .and_where(Expr::col("attempts").eq(i64::from(before.attempts)))
        .and_where(Expr::col("state").is_in(from.iter().map(|state| state.as_str())));
    if tx.execute(&update).await? == 0 {
        return Err(Error::Conflict(format!("{} is not {} any more", before.id, before.state)));
    }
    put_recipients(tx, before, after).await?;
    if after.body.is_none() {
        return Ok(());
    }
    let message = Query::update()
        .table("message")
        .value("state", after.state.as_str())
        .value("reason", after.reason.clone())
        .and_where(Expr::col("id").eq(after.id.0))
        .to_owned();
    tx.execute(&message).await.map(drop)
}

fn values(entry: &Entry) -> Vec<(&'static str, Expr)> {
    let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
    // A failed or withdrawn mail gives its activity free, to be sent again.
    let over = matches!(entry.state, MailState::Failed | MailState::Suppressed);
    let record = entry.record.as_ref();
    let all: Vec<(&'static str, Value)> = vec![
        ("claim", (!over).then_some(entry.activity).into()),
        ("state", entry.state.as_str().into()),
        ("reason", entry.reason.clone().into()),
        ("code", entry.code.map(i64::from).into()),
        ("hold", entry.hold.map(|hold| hold.as_str().to_owned()).into()),
        ("confirmed", entry.confirmed.into()),
        ("body", entry.body.map(|hash| hash.0.to_vec()).into()),
        ("reverse_path", entry.reverse_path.clone().into()),
        ("header_id", entry.message_id.clone().into()),
        ("subject", entry.subject.clone().into()),
        ("record_table", record.map(|record| record.table.clone()).into()),
        ("record_id", record.map(|record| record.id).into()),
        ("attempts", i64::from(entry.attempts).into()),
        ("tries", i64::from(entry.tries).into()),
        ("next_try", micros(entry.next_try).into()),
        ("sending_at", micros(entry.sending_at).into()),
        ("finished_at", micros(entry.finished_at).into()),
        ("told", entry.told.map(|(status, _)| status).into()),
        ("told_tries", entry.told.map(|(_, tries)| tries).into()),
        ("copied", i64::from(entry.copied).into()),
    ];
    all.into_iter().map(|(name, value)| (name, Expr::value(value))).collect()
}

async fn put_recipients(tx: &mut Tx, before: &Entry, after: &Entry) -> Result<(), Error> {
    let columns = ["outgoing", "place", "address", "role", "state", "code", "status", "text", "at"];
    let mut fresh = Insert::into("outgoing_recipient", &columns);
    for (place, recipient) in after.recipients.iter().enumerate() {
        match before.recipients.get(place) {
            Some(known) if known == recipient => {}
            Some(_) => {
                let update = Query::update()
                    .table("outgoing_recipient")
                    .value("state", recipient.state.as_str())
                    .value("code", recipient.code.map(i64::from))
                    .value("status", recipient.status.clone())
                    .value("text", recipient.text.clone())
                    .value("at", recipient.at.as_microsecond())
                    .and_where(Expr::col("outgoing").eq(after.id.0))
                    .and_where(Expr::col("place").eq(place as i64))
                    .to_owned();
                tx.execute(&update).await?;
            }
            None => {
                fresh.row([
                    after.id.0.into(),
                    (place as i64).into(),
                    recipient.address.clone().into(),
                    recipient.role.as_str().into(),
                    recipient.state.as_str().into(),
                    recipient.code.map(i64::from).into(),
                    recipient.status.clone().into(),
                    recipient.text.clone().into(),
                    recipient.at.as_microsecond().into(),
                ]);
            }
        }
    }
    tx.insert(&fresh).await.map(drop)
}

/// What becomes of the job with a change.
pub(super) enum Then {
    Stay,
    /// The job is done.
    Finish(Claim),
    /// The job is done, and another is due at that time.
    Again(Claim, Timestamp),
}

impl Sending {
    /// Writes a change in one unit, if the row is still as it was read; answers it.
    pub(super) async fn change(
        &self,
        step: &'static str,
        before: &Entry,
        after: Entry,
        then: Then,
    ) -> Result<Entry, Fault> {
        self.change_from(step, before, after, then, vec![before.state]).await
    }

    /// The same from any of several states.
    pub(super) async fn change_from(
        &self,
        step: &'static str,
        before: &Entry,
        after: Entry,
        then: Then,
        from: Vec<MailState>,
    ) -> Result<Entry, Fault> {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let (was, becomes) = (before.clone(), after.clone());
        let unit = self.store.write(step, move |tx| {
            async move {
                put(tx, &was, &becomes, &from).await?;
                settle(tx, &ids, now, &becomes, then).await
            }
            .boxed()
        });
        let done: Result<(), Error> = unit.await;
        done?;
        if before.state != after.state {
            events::stands(after.id, after.state, &after.reason);
        }
        Ok(after)
    }
}

async fn settle(
    tx: &mut Tx,
    ids: &postroom_core::Ids,
    now: Timestamp,
    entry: &Entry,
    then: Then,
) -> Result<(), Error> {
    match then {
        Then::Stay => Ok(()),
        Then::Finish(claim) => jobs::finish(tx, &[&claim]).await,
        Then::Again(claim, due) => {
            jobs::finish(tx, &[&claim]).await?;
            jobs::enqueue(tx, ids, now, vec![entry.job().due(due)]).await.map(drop)
        }
    }
}
