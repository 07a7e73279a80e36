//! What people do with outgoing mail: look, hold, release, give up.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Ids, MailId, MailState};
use postroom_jobs as jobs;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Store, Tx};
use uuid::Uuid;

use super::KIND;
use super::entry::{Entry, Hold, Standing};
use super::ledger;

/// Which mails to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub state: Option<MailState>,
    /// Those of this activity.
    pub activity: Option<Uuid>,
    /// Those about this record.
    pub record: Option<Uuid>,
    /// Only older ones.
    pub before: Option<MailId>,
    /// At most so many; 0: all.
    pub limit: u64,
}

/// What became of a person's word.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done(Box<Entry>),
    NotFound,
    /// It is in this state, in which that cannot be done.
    NotNow(MailState),
}

/// Outgoing mails, newest first.
pub async fn list(store: &Store, wanted: Wanted) -> Result<Vec<Entry>, Error> {
    let mut select = ledger::select();
    if let Some(state) = wanted.state {
        select.and_where(Expr::col("state").eq(state.as_str()));
    }
    if let Some(activity) = wanted.activity {
        select.and_where(Expr::col("activity_id").eq(activity));
    }
    if let Some(record) = wanted.record {
        select.and_where(Expr::col("record_id").eq(record));
    }
    if let Some(before) = wanted.before {
        select.and_where(Expr::col("id").lt(before.0));
    }
    if wanted.limit > 0 {
        select.limit(wanted.limit);
    }
    select.order_by("id", Order::Desc);
    store.read(move |tx| async move { ledger::load(tx, &select).await }.boxed()).await
}

/// One mail with its recipients.
pub async fn show(store: &Store, id: MailId) -> Result<Option<Entry>, Error> {
    store.read(move |tx| async move { ledger::one(tx, id).await }.boxed()).await
}

/// Keeps a queued mail from leaving until it is released.
pub async fn hold(store: &Store, ids: &Ids, now: Timestamp, id: MailId) -> Result<Answer, Error> {
    let held = |entry: Entry| entry.held(Hold::Person, None, "A person held it.");
    change(store, ids, now, id, &[MailState::Queued, MailState::Unknown], held).await
}

/// Lets a held mail go, past the guards that ask for a person's word; sends one of unknown fate again, same Message-ID; tries
/// a queued one now.
pub async fn release(store: &Store, ids: &Ids, now: Timestamp, id: MailId) -> Result<Answer, Error> {
    let free = |entry: Entry| {
        let mut entry = entry.to(MailState::Queued, "A person released it.");
        (entry.hold, entry.code, entry.next_try, entry.confirmed) = (None, None, None, true);
        entry
    };
    change(store, ids, now, id, &[MailState::Held, MailState::Unknown, MailState::Queued], free).await
}

/// Gives a mail up for good. Recipients without an answer count as refused; if any was accepted, the mail stays sent.
pub async fn fail(store: &Store, ids: &Ids, now: Timestamp, id: MailId) -> Result<Answer, Error> {
    let give_up = move |mut entry: Entry| {
        for recipient in entry.recipients.iter_mut().filter(|recipient| recipient.state.is_open()) {
            (recipient.state, recipient.at) = (Standing::Expired, now);
            recipient.text = "a person gave it up".into();
        }
        entry.concluded(now)
    };
    change(store, ids, now, id, &[MailState::Queued, MailState::Held, MailState::Unknown], give_up).await
}

async fn change(
    store: &Store,
    ids: &Ids,
    now: Timestamp,
    id: MailId,
    from: &'static [MailState],
    with: impl Fn(Entry) -> Entry + Send + Sync + 'static,
) -> Result<Answer, Error> {
    let ids = ids.clone();
    let unit = store.write("mail.person", move |tx| {
        async move {
            let Some(entry) = ledger::one(tx, id).await? else { return Ok(Answer::NotFound) };
            if !from.contains(&entry.state) {
                return Ok(Answer::NotNow(entry.state));
            }
            let after = with(entry.clone());
            ledger::put(tx, &entry, &after, &[entry.state]).await?;
            if after.state != MailState::Held {
                rouse(tx, &ids, now, &after).await?;
            }
            Ok(Answer::Done(Box::new(after)))
        }
        .boxed()
    });
    let answer = unit.await?;
    store.wake();
    Ok(answer)
}

/// Makes the job that waits for its time due now, or a new one: a second job would wait behind the first.
async fn rouse(tx: &mut Tx, ids: &Ids, now: Timestamp, entry: &Entry) -> Result<(), Error> {
    let update = Query::update()
        .table("job")
        .value("due", now.as_microsecond())
        .and_where(Expr::col("kind").eq(KIND))
        .and_where(Expr::col("lane").eq(entry.lane()))
        .and_where(Expr::col("state").eq("ready"))
        .to_owned();
    if tx.execute(&update).await? == 0 {
        jobs::enqueue(tx, ids, now, vec![entry.job()]).await?;
    }
    Ok(())
}
