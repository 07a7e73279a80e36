//! What ages out: a mail that is not tracked keeps its header block, its reason and its identity, nothing else; the history of
//! attempts to send is kept for a set time.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{BodyHash, Clock, Fault, JobId, MailId, MailState};
use postroom_jobs::{self as jobs, Claim, Done, NewJob, Plan, Schedule, Worker};
use postroom_store::doomed::{self, Holder};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, UpdateStatement, Value};
use postroom_store::{Error, Store, Tx, body};
use serde::Serialize;
use uuid::Uuid;

use super::reduce::{self, Form};
use crate::intake::filing_job;
use crate::sending::history;

/// The job kind.
pub const KIND: &str = "mail.purge";
/// How long the history of attempts to send is kept.
const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Mails of one unit.
const PAGE: u64 = 64;
/// At which minute of every hour it runs.
const HOURLY: &str = "17 * * * *";

/// Purges bodies. Cheap to clone.
#[derive(Clone)]
pub struct Purging {
    pub store: Store,
    pub clock: Clock,
    /// How long the body of a mail that is not tracked is kept, counted from the decision.
    pub keep: SignedDuration,
    /// Everybody who refers to bodies.
    pub holders: Arc<[Arc<dyn Holder>]>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Mails that lost their body.
    pub messages: u64,
    /// What they had behind their headers.
    pub bytes: u64,
    pub bodies_removed: u64,
    /// Bodies that somebody else still refers to.
    pub bodies_kept: u64,
    /// Attempts to send whose history is no longer kept.
    pub attempts: u64,
    /// What it would do, when nothing was done.
    pub dry_run: bool,
}

/// A mail that may lose its body.
struct Candidate {
    id: Uuid,
    /// The bytes of the message, and of its sightings where they differ.
    bodies: Vec<BodyHash>,
}

impl Purging {
    /// Every hour, over all nodes.
    pub fn plan() -> Plan {
        let schedule = Schedule::new(HOURLY, "UTC").expect("a line and a zone that are fixed here");
        Plan { name: KIND.into(), schedule, job: NewJob::new(KIND, serde_json::Value::Null) }
    }

    /// Purges whatever is old enough. Stopped half-way, the next run goes on.
    pub async fn run(&self, dry_run: bool) -> Result<Purged, Fault> {
        let before = self.clock.now().checked_sub(self.keep).unwrap_or(Timestamp::MIN);
        let mut purged = Purged { dry_run, ..Purged::default() };
        let mut after = None;
        loop {
            let page = self.store.read(move |tx| async move { candidates(tx, before, after).await }.boxed());
            let page: Vec<Candidate> = page.await.map_err(|error: Error| Fault::from(error))?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            self.reduce(page, before, &mut purged).await?;
        }
        purged.attempts = self.forget_attempts(dry_run).await?;
        if !dry_run {
            let swept = doomed::sweep(&self.store, &self.holders).await.map_err(Fault::from)?;
            (purged.bodies_removed, purged.bodies_kept) = (swept.removed, swept.kept);
            if purged.messages + purged.attempts + purged.bodies_removed > 0 {
                self.store.scrub().await.map_err(Fault::from)?;
            }
            crate::events::purged(purged.messages, purged.bytes);
        }
        Ok(purged)
    }

    async fn forget_attempts(&self, dry_run: bool) -> Result<u64, Fault> {
        let before = self.clock.now().checked_sub(HISTORY).unwrap_or(Timestamp::MIN);
        let old = self.store.read(move |tx| async move { history::count(tx, before).await }.boxed());
        let old = old.await.map_err(|error: Error| Fault::from(error))?;
        if dry_run || old == 0 {
            return Ok(old);
        }
        self.purged(move |tx| async move { history::purge(tx, before).await }.boxed()).await
    }

    /// The unit of everything that is thrown away.
    async fn purged<T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        self.store.write("mail.purged", work).await.map_err(Fault::from)
    }

    async fn reduce(
        &self,
        page: Vec<Candidate>,
        before: Timestamp,
        purged: &mut Purged,
    ) -> Result<(), Fault> {
        let mut reduced = Vec::with_capacity(page.len());
        for candidate in page {
            let forms = reduce::forms(&self.store, &candidate.bodies).await?;
            reduced.push((candidate, forms));
        }
        if purged.dry_run {
            purged.messages += reduced.len() as u64;
            purged.bytes += reduced.iter().flat_map(|(_, forms)| forms).map(|form| form.beyond).sum::<u64>();
            return Ok(());
        }
        let now = self.clock.now();
        let unit = self.purged(move |tx| async move { write(tx, reduced, before, now).await }.boxed());
        let (messages, bytes) = unit.await?;
        purged.messages += messages;
        purged.bytes += bytes;
        Ok(())
    }
}

#[async_trait]
impl Worker for Purging {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        1
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut answers = Vec::with_capacity(lot.len());
        for claim in lot {
            answers.push((claim.id, self.run(false).await.map(|_| Done::Completed)));
        }
        answers
    }
}

async fn candidates(tx: &mut Tx, before: Timestamp, after: Option<Uuid>) -> Result<Vec<Candidate>, Error> {
    let mut select = Query::select();
    select
        .columns(["id", "body"])
        .from("message")
        .and_where(Expr::col("state").eq(MailState::NotTracked.as_str()))
        .and_where(Expr::col("activity_id").is_null())
        .and_where(Expr::col("purged_at").is_null())
        .and_where(Expr::col("decided_at").lt(before.as_microsecond()))
        .order_by("id", Order::Asc)
        .limit(PAGE);
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after));
    }
    let mut found = Vec::new();
    for row in tx.query(&select).await? {
        let (id, body): (Uuid, BodyHash) = (row.at(0)?, row.at(1)?);
        let mut bodies = vec![body];
        let seen = Query::select()
            .distinct()
            .column("body")
            .from("sighting")
            .and_where(Expr::col("message").eq(id))
            .to_owned();
        for row in tx.query(&seen).await? {
            bodies.extend(row.at::<BodyHash>(0).ok().filter(|other| *other != body));
        }
        found.push(Candidate { id, bodies });
    }
    Ok(found)
}

/// Puts the header blocks in the bodies' place; answers how many mails and bytes went. A mail that was decided anew
/// meanwhile, or is about to be, is left alone.
async fn write(
    tx: &mut Tx,
    reduced: Vec<(Candidate, Vec<Form>)>,
    before: Timestamp,
    now: Timestamp,
) -> Result<(u64, u64), Error> {
    let lanes: Vec<String> = reduced.iter().map(|(one, _)| filing_job(MailId(one.id)).lane).collect();
    let busy = jobs::busy_lanes(tx, &lanes).await?;
    let (mut messages, mut bytes) = (0, 0);
    for ((candidate, forms), _) in reduced.into_iter().zip(lanes).filter(|(_, lane)| !busy.contains(lane)) {
        let Some(first) = forms.iter().find(|form| form.hash == candidate.bodies[0]) else { continue };
        if tx.execute(&emptied(candidate.id, first, before, now)).await? == 0 {
            continue;
        }
        messages += 1;
        let mut stubs = Vec::with_capacity(forms.len());
        for form in forms {
            bytes += form.beyond;
            tx.execute(&seen_without(candidate.id, &form)).await?;
            let mut going = form.unpacked;
            going.extend(Some(form.hash).filter(|hash| *hash != form.headers.hash));
            doomed::doom(tx, &going).await?;
            stubs.push(form.headers);
        }
        body::put(tx, stubs).await?;
    }
    Ok((messages, bytes))
}

fn hash(hash: BodyHash) -> Value {
    hash.0.to_vec().into()
}

fn emptied(id: Uuid, form: &Form, before: Timestamp, now: Timestamp) -> UpdateStatement {
    Query::update()
        .table("message")
        .value("body", Expr::value(hash(form.headers.hash)))
        .value("purged_at", now.as_microsecond())
        .and_where(Expr::col("id").eq(id))
        .and_where(Expr::col("body").eq(hash(form.hash)))
        .and_where(Expr::col("state").eq(MailState::NotTracked.as_str()))
        .and_where(Expr::col("activity_id").is_null())
        .and_where(Expr::col("decided_at").lt(before.as_microsecond()))
        .to_owned()
}

fn seen_without(id: Uuid, form: &Form) -> UpdateStatement {
    Query::update()
        .table("sighting")
        .value("body", Expr::value(hash(form.headers.hash)))
        .and_where(Expr::col("message").eq(id))
        .and_where(Expr::col("body").eq(hash(form.hash)))
        .to_owned()
}
