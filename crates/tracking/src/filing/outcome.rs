//! Writes what was decided: the message row, the decision, the finished jobs, and the children to decide again. One unit
//! for the whole lot.
//!
//! Why no child is missed, also with several workers: a child's references are committed when it is accepted, before it
//! is ever decided. A parent's result unit looks for children by reference. Either the child was accepted before that
//! look, and is found; or after it, and then it is decided after the parent's result is visible. A child that is being
//! decided at that very moment is found too and decided once more.

use std::collections::HashSet;

use jiff::Timestamp;
use postroom_core::{Class, Decision, DecisionId, Fault, Ids, MailId, MailState, Method, RecordRef};
use postroom_jobs::{self as jobs, Claim, NewJob};
use postroom_store::body::{self, Body};
use postroom_store::sql::{Expr, ExprTrait, Query, UpdateStatement};
use postroom_store::{Insert, Tx};
use uuid::Uuid;

use crate::filing;
use crate::intake::filing_job;

/// What a lot leaves behind.
pub struct Outcome {
    pub results: Vec<Settled>,
    pub claims: Vec<Claim>,
    /// Mails of this lot that were decided with all their parents in view.
    pub seen: HashSet<Uuid>,
}

/// One mail, decided and written to the CRM.
pub struct Settled {
    pub id: MailId,
    pub header_id: Option<String>,
    pub class: Class,
    pub automatic: bool,
    pub mailbox: String,
    pub record: Option<RecordRef>,
    pub activity: Option<Uuid>,
    pub decision: Decision,
    /// The report of a bounce, kept for `message show`.
    pub report: Option<super::reading::Report>,
    pub unpacked: Vec<Body>,
    /// Everybody in its headers, when a directory named some of them.
    pub parties: Option<String>,
    /// The record is new for this mail, so its children must look again.
    pub moved: bool,
    /// Nothing changed against the decision that stands: no new one is stored.
    pub unchanged: bool,
}

/// Stores the outcome. Fails as a whole when a lease was lost meanwhile.
pub async fn store(tx: &mut Tx, outcome: Outcome, ids: &Ids, now: Timestamp) -> Result<(), Fault> {
    let claims: Vec<&Claim> = outcome.claims.iter().collect();
    jobs::finish(tx, &claims).await.map_err(Fault::from)?;
    let open: Vec<String> = outcome.results.iter().map(|settled| filing_job(settled.id).lane).collect();
    let again = jobs::ready_lanes(tx, filing::KIND, &open).await.map_err(Fault::from)?;
    let mut decisions = Insert::into("decision", &["id", "message", "at", "body"]);
    let mut bodies = Vec::new();
    let mut parents = Vec::new();
    for settled in outcome.results {
        if settled.moved {
            parents.extend(settled.header_id.clone());
        }
        if let Some(parties) = &settled.parties {
            tx.execute(&renamed(settled.id, parties)).await?;
        }
        if settled.unchanged {
            continue;
        }
        // A parent came while this mail was decided: it is decided once more, and until then work is left to do.
        let placed = settled.decision.method == Method::Person;
        let waits = settled.record.is_none() && !placed && again.contains(&filing_job(settled.id).lane);
        let state = if waits { MailState::Parsed } else { settled.decision.state };
        tx.execute(&update(&settled, state, now)).await?;
        let text = decision_text(&settled)?;
        decisions.row([
            settled.decision.id.0.into(),
            settled.id.0.into(),
            now.as_microsecond().into(),
            text.into(),
        ]);
        if settled.activity.is_some() {
            bodies.extend(settled.unpacked); // only an activity's attachments refer to them
        }
    }
    tx.insert(&decisions).await?;
    body::put(tx, bodies).await?;
    let children = children(tx, &parents, &outcome.seen).await?;
    jobs::enqueue(tx, ids, now, children).await.map_err(Fault::from)?;
    Ok(())
}

/// The decision as stored: with the bounce report beside the signals.
fn decision_text(settled: &Settled) -> Result<String, Fault> {
    let stored = StoredDecision { decision: settled.decision.clone(), bounce: settled.report.clone() };
    serde_json::to_string(&stored)
        .map_err(|error| Fault::bug(format!("a decision has no JSON form: {error}")))
}

/// How a decision stands in its row.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct StoredDecision {
    #[serde(flatten)]
    pub decision: Decision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounce: Option<super::reading::Report>,
}

fn update(settled: &Settled, state: MailState, now: Timestamp) -> UpdateStatement {
    let decision = &settled.decision;
    let record = settled.record.as_ref();
    Query::update()
        .table("message")
        .value("class", settled.class.as_str())
        .value("automatic", settled.automatic)
        .value("state", state.as_str())
        .value("method", decision.method.as_str())
        .value("reason", decision.reason.clone())
        .value("mailbox", settled.mailbox.clone())
        .value("flags", decision.flags.join("\n"))
        .value("record_table", record.map(|record| record.table.clone()))
        .value("record_id", record.map(|record| record.id))
        .value("activity_id", settled.activity)
        .value("decision_id", decision.id.0)
        .value("decided_at", now.as_microsecond())
        .and_where(Expr::col("id").eq(settled.id.0))
        // Erased while it was decided: it stays as it is.
        .and_where(Expr::col("erased_at").is_null())
        .to_owned()
}

/// Who is in its headers by a name only is found by the address that a directory knew.
fn renamed(id: MailId, parties: &str) -> UpdateStatement {
    Query::update()
        .table("message")
        .value("parties", parties)
        .and_where(Expr::col("id").eq(id.0))
        .and_where(Expr::col("erased_at").is_null())
        .to_owned()
}

/// Jobs for the mails that refer to `parents` and are not about to be decided anyway.
async fn children(tx: &mut Tx, parents: &[String], seen: &HashSet<Uuid>) -> Result<Vec<NewJob>, Fault> {
    if parents.is_empty() {
        return Ok(Vec::new());
    }
    let mut waiting: Vec<MailId> = Vec::new();
    for some in parents.chunks(500) {
        let select = Query::select()
            .distinct()
            .column(("message_ref", "message"))
            .from("message_ref")
            .inner_join("message", Expr::col(("message", "id")).equals(("message_ref", "message")))
            .and_where(Expr::col(("message_ref", "ref")).is_in(some.iter().cloned()))
            // Only those that wait: a reply that lies on a record stays there when its parent is moved.
            .and_where(Expr::col(("message", "record_id")).is_null())
            .and_where(Expr::col(("message", "method")).ne(Method::Person.as_str()))
            .to_owned();
        for row in tx.query(&select).await? {
            let child: Uuid = row.at(0)?;
            if !seen.contains(&child) && !waiting.contains(&MailId(child)) {
                waiting.push(MailId(child));
            }
        }
    }
    let lanes: Vec<String> = waiting.iter().map(|id| filing_job(*id).lane).collect();
    let ready = jobs::ready_lanes(tx, filing::KIND, &lanes).await.map_err(Fault::from)?;
    reopen(tx, &waiting).await?;
    Ok(waiting.into_iter().map(filing_job).filter(|job| !ready.contains(&job.lane)).collect())
}

/// Shows that mails which were settled without a record have work before them again.
async fn reopen(tx: &mut Tx, mails: &[MailId]) -> Result<(), Fault> {
    let settled = [MailState::Review, MailState::NotTracked].map(MailState::as_str);
    for some in mails.chunks(500) {
        let update = Query::update()
            .table("message")
            .value("state", MailState::Parsed.as_str())
            .and_where(Expr::col("id").is_in(some.iter().map(|id| id.0)))
            .and_where(Expr::col("state").is_in(settled))
            .to_owned();
        tx.execute(&update).await?;
    }
    Ok(())
}

/// A new decision's id and time.
pub fn decision(ids: &Ids, now: Timestamp, ruling: &super::decide::Ruling) -> Decision {
    Decision {
        id: DecisionId(ids.next()),
        at: now,
        rules: crate::rules::VERSION,
        state: ruling.state,
        method: ruling.method,
        record: ruling.record.clone(),
        reason: ruling.reason.clone(),
        signals: ruling.signals.clone(),
        flags: ruling.flags.clone(),
        class_evidence: Vec::new(),
    }
}
