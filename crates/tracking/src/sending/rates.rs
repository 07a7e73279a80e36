//! How many mails went lately about a record, in a thread without one, and to an address: the counts that the loop guard judges
//! by.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::Fault;
use postroom_formats::compose::wire_address;
use postroom_store::Error;
use postroom_store::sql::{Asterisk, Expr, ExprTrait, Func, Query};
use uuid::Uuid;

use super::Sending;
use super::gather::Activity;
use super::guard::Rates;
use super::prepare::Candidate;

/// Recipients of a mail whose rate is counted, the first ones.
const COUNTED: usize = 50;
/// Addresses of one question.
const ASKED: usize = 500;

/// The counts of the last hour, and of the lot's own mails so far.
#[derive(Default)]
pub(super) struct Counts {
    records: HashMap<Uuid, u64>,
    /// By the Message-ID that a thread began with.
    threads: HashMap<String, u64>,
    addresses: HashMap<String, u64>,
}

/// Counts for all candidates at once; mails that are not rendered yet count for nothing.
pub(super) async fn count(sending: &Sending, candidates: &[Candidate]) -> Result<Counts, Fault> {
    if candidates.is_empty() {
        return Ok(Counts::default());
    }
    let since = sending.clock.now().checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    let since = since.as_microsecond();
    let activities = || candidates.iter().map(|candidate| &candidate.activity);
    let mut records: Vec<Uuid> =
        activities().filter_map(|one| one.regarding.as_ref().map(|at| at.id)).collect();
    let mut addresses: Vec<String> = activities().flat_map(addresses).collect();
    records.sort_unstable();
    records.dedup();
    addresses.sort_unstable();
    addresses.dedup();
    let threads: Vec<String> = activities().filter_map(thread).map(str::to_owned).collect();
    let read = sending.store.read(move |tx| {
        async move {
            let mut counts = Counts::default();
            for some in records.chunks(ASKED) {
                let select = Query::select()
                    .column("record_id")
                    .expr(Func::count(Expr::col(Asterisk)))
                    .from("outgoing")
                    .and_where(Expr::col("record_id").is_in(some.iter().copied()))
                    .and_where(Expr::col("first_at").gt(since))
                    .and_where(Expr::col("body").is_not_null())
                    .group_by_col("record_id")
                    .to_owned();
                for row in tx.query(&select).await? {
                    counts.records.insert(row.at(0)?, row.at(1)?);
                }
            }
            for some in threads.chunks(ASKED) {
                let select = Query::select()
                    .column(("message_ref", "ref"))
                    .expr(Func::count_distinct(Expr::col(("message_ref", "message"))))
                    .from("message_ref")
                    .inner_join("outgoing", Expr::col(("outgoing", "id")).equals(("message_ref", "message")))
                    .and_where(Expr::col(("message_ref", "ref")).is_in(some.iter().cloned()))
                    .and_where(Expr::col(("outgoing", "first_at")).gt(since))
                    .group_by_col(("message_ref", "ref"))
                    .to_owned();
                for row in tx.query(&select).await? {
                    counts.threads.insert(row.at(0)?, row.at(1)?);
                }
            }
            for some in addresses.chunks(ASKED) {
                let select = Query::select()
                    .column("address")
                    .expr(Func::count(Expr::col(Asterisk)))
                    .from("outgoing_recipient")
                    .and_where(Expr::col("address").is_in(some.iter().cloned()))
                    .and_where(Expr::col("at").gt(since))
                    .group_by_col("address")
                    .to_owned();
                for row in tx.query(&select).await? {
                    counts.addresses.insert(row.at(0)?, row.at(1)?);
                }
            }
            Ok(counts)
        }
        .boxed()
    });
    let counts: Result<Counts, Error> = read.await;
    Ok(counts?)
}

impl Counts {
    pub(super) fn of(&self, activity: &Activity) -> Rates {
        let record = activity.regarding.as_ref().and_then(|record| self.records.get(&record.id));
        let recipient = addresses(activity).filter_map(|address| self.addresses.get(&address)).max().copied();
        let thread = thread(activity).and_then(|thread| self.threads.get(thread));
        Rates {
            record: record.copied().unwrap_or_default(),
            thread: thread.copied().unwrap_or_default(),
            recipient: recipient.unwrap_or_default(),
        }
    }

    /// A mail of this lot will go.
    pub(super) fn note(&mut self, activity: &Activity) {
        if let Some(record) = &activity.regarding {
            *self.records.entry(record.id).or_default() += 1;
        }
        if let Some(thread) = thread(activity) {
            *self.threads.entry(thread.to_owned()).or_default() += 1;
        }
        for address in addresses(activity) {
            *self.addresses.entry(address).or_default() += 1;
        }
    }
}

/// What the thread of an answer without a record began with; with one, the record is what is counted.
fn thread(activity: &Activity) -> Option<&str> {
    let parent = activity.parent.as_ref().filter(|_| activity.regarding.is_none())?;
    Some(parent.references.first().unwrap_or(&parent.message_id))
}

fn addresses(activity: &Activity) -> impl Iterator<Item = String> {
    let wire = |address: &str| wire_address(address).map(|(address, _)| address);
    activity.recipients().filter_map(move |party| wire(&party.address.address)).take(COUNTED)
}
