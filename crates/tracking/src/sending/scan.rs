//! The look for e-mails that the CRM wants sent, and the claim of each.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::query::Comparison;
use postroom_core::{Code, CrmPage, Fault, Filter, Ids, MailId, MailState, Query as CrmQuery, Record, Value};
use postroom_jobs as jobs;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::entry::{Entry, Hold};
use super::gather::{COMPLETED, PENDING};
use super::{Sending, foreign, ledger};

/// E-mails asked for at once. What was claimed stays Pending Send until its job has run, so this is also what is claimed
/// between two looks.
const BATCH: u64 = 1000;
/// E-mails of one statement.
const ASKED: usize = 256;
/// Between two looks however often it is woken.
const GAP: Duration = Duration::from_millis(500);

/// The loop that looks every now and then, and soon after something happened in this process.
pub struct Scan {
    sending: Sending,
    /// Between two looks. With the lane's job it makes the time until a mail leaves.
    poll: Duration,
}

impl Scan {
    pub fn new(sending: Sending, poll: Duration) -> Self {
        Scan { sending, poll }
    }

    /// Runs until `stop`. A CRM that is away is asked again at the next turn.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let woken = self.sending.store.woken();
            if let Err(fault) = self.sending.scan().await {
                tracing::warn!(event = "mail.scan_failed", code = %fault.code, "Looking for mail to send failed: {fault}");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(GAP.min(self.poll)) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = woken => {}
                () = tokio::time::sleep(self.poll.saturating_sub(GAP)) => {}
            }
        }
    }
}

impl Sending {
    /// Looks once; answers how many e-mails were newly claimed.
    pub async fn scan(&self) -> Result<u64, Fault> {
        if !self.is_safe_mode().await? {
            self.free(Hold::SafeMode, "Safe mode is over.").await?;
        }
        foreign::reconsider(self).await?;
        let (mut total, mut ours) = (0, 0);
        let (mut pending, mut next) = (HashSet::new(), None);
        loop {
            let page: CrmPage = self.pending(next.as_deref()).await?;
            let known = self.known(&page.records).await?;
            ours += page.records.len() as u64 - known.foreign.len() as u64;
            pending.extend(page.records.iter().map(|email| email.at.id));
            total += self.claim(page.records, known).await?;
            next = page.next;
            match next {
                None => break,
                // What was claimed before is still Pending Send until its job has run. What is left to others stands there for
                // as long as they like, and must not hide what is ours.
                Some(_) if ours >= BATCH => return Ok(total),
                Some(_) => {}
            }
        }
        foreign::forget(self, pending).await?;
        Ok(total)
    }

    async fn pending(&self, after: Option<&str>) -> Result<CrmPage, Fault> {
        let size = BATCH as u32;
        match self.crm.page(&pending(Some(self.clock.now())), size, after).await {
            // Dynamics CRM 2011 to 2015 cannot send later, and do not have the column.
            Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => {
                self.crm.page(&pending(None), size, after).await
            }
            page => page,
        }
    }

    async fn known(&self, found: &[Record]) -> Result<Known, Fault> {
        let asked: Vec<Uuid> = found.iter().map(|email| email.at.id).collect();
        let known = self.store.read(move |tx| async move { known(tx, &asked).await }.boxed());
        known.await.map_err(|error: Error| Fault::from(error))
    }

    async fn claim(&self, found: Vec<Record>, known: Known) -> Result<u64, Fault> {
        let fresh = found.into_iter().filter(|email| !known.claimed.contains(&email.at.id));
        let fresh: Vec<Record> = fresh.collect();
        if fresh.is_empty() && known.untold.is_empty() {
            return Ok(0);
        }
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let unit = self.store.write("mail.claimed", move |tx| {
            async move {
                let mut claimed = 0;
                for some in fresh.chunks(ASKED) {
                    claimed += claim_all(tx, &ids, now, some).await?;
                }
                for known in ledger::many(tx, known.untold).await? {
                    tell_again(tx, &ids, now, known).await?;
                }
                Ok(claimed)
            }
            .boxed()
        });
        let claimed: Result<u64, Error> = unit.await;
        let claimed = claimed?;
        self.store.wake();
        Ok(claimed)
    }

    /// What was held for this reason goes on now that it is over.
    pub(super) async fn free(&self, hold: Hold, why: &'static str) -> Result<(), Fault> {
        let held = foreign::held(self, hold).await?;
        if held.is_empty() {
            return Ok(());
        }
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let unit = self.store.write("mail.freed", move |tx| {
            async move {
                for entry in held {
                    let mut after = entry.clone().to(MailState::Queued, why);
                    (after.hold, after.code) = (None, None);
                    ledger::put(tx, &entry, &after, &[MailState::Held]).await?;
                    jobs::enqueue(tx, &ids, now, vec![entry.job()]).await?;
                }
                Ok(())
            }
            .boxed()
        });
        let freed: Result<(), Error> = unit.await;
        freed?;
        self.store.wake();
        Ok(())
    }
}

/// E-mails to be sent, oldest first; with a time, only those that are due by then.
fn pending(due: Option<Timestamp>) -> CrmQuery {
    let later = "delayedemailsendtime";
    let due = due.map(|now| {
        let by_then = Filter::Compare(later.into(), Comparison::Le, Value::Time(now));
        Filter::Any(vec![Filter::Null(later.into()), by_then])
    });
    let mut wanted = vec![
        Filter::eq("statuscode", PENDING),
        Filter::eq("statecode", COMPLETED),
        Filter::eq("directioncode", true),
    ];
    wanted.extend(due);
    CrmQuery::of("email").select(&["subject"]).filter(Filter::All(wanted)).order_by("createdon", false)
}

/// What is known of e-mails that are pending.
#[derive(Default)]
struct Known {
    /// Their activities are claimed.
    claimed: HashSet<Uuid>,
    /// Of these, those that are left to others.
    foreign: HashSet<Uuid>,
    /// Those of whom the CRM was told the end, and says now that it was not.
    untold: Vec<MailId>,
}

/// Looks without writing: what was claimed stays pending until its job has run, and is seen with every look till then.
async fn known(tx: &mut Tx, activities: &[Uuid]) -> Result<Known, Error> {
    let mut known = Known::default();
    for some in activities.chunks(ASKED) {
        let select = Query::select()
            .columns(["claim", "id", "state", "told", "hold"])
            .from("outgoing")
            .and_where(Expr::col("claim").is_in(ledger::padded(some.to_vec())))
            .to_owned();
        for row in tx.query(&select).await? {
            let (activity, hold): (Uuid, Option<String>) = (row.at(0)?, row.at(4)?);
            known.claimed.insert(activity);
            known.foreign.extend((hold.as_deref() == Some(Hold::Foreign.as_str())).then_some(activity));
            let (state, told): (String, Option<i64>) = (row.at(2)?, row.at(3)?);
            let is_over = [MailState::Sent, MailState::Bounced].iter().any(|over| over.as_str() == state);
            known.untold.extend((is_over && told.is_some()).then_some(MailId(row.at(1)?)));
        }
    }
    Ok(known)
}

/// Claims e-mails that nobody had claimed a moment ago; answers how many are ours.
async fn claim_all(tx: &mut Tx, ids: &Ids, now: Timestamp, found: &[Record]) -> Result<u64, Error> {
    let entry = |email: &Record| {
        let subject = email.text("subject").unwrap_or_default().to_owned();
        Entry::new(MailId(ids.next()), email.at.id, subject, now)
    };
    let mut fresh: Vec<Entry> = found.iter().map(entry).collect();
    if tx.insert(&ledger::insert(&fresh)).await? < fresh.len() as u64 {
        // Another process claimed some of them meanwhile.
        let ours = ledger::many(tx, fresh.iter().map(|entry| entry.id).collect()).await?;
        fresh.retain(|entry| ours.iter().any(|own| own.id == entry.id));
    }
    jobs::enqueue(tx, ids, now, fresh.iter().map(Entry::job).collect()).await?;
    Ok(fresh.len() as u64)
}

/// A mail that was *sent* long ago and is pending again had its status lost, in a restored CRM for instance: it is told once
/// more and not sent again.
async fn tell_again(tx: &mut Tx, ids: &Ids, now: Timestamp, known: Entry) -> Result<(), Error> {
    if matches!(known.state, MailState::Sent | MailState::Bounced) && known.told.is_some() {
        let after = Entry { told: None, ..known.clone() };
        ledger::put(tx, &known, &after, &[known.state]).await?;
        jobs::enqueue(tx, ids, now, vec![known.job()]).await?;
    }
    Ok(())
}
