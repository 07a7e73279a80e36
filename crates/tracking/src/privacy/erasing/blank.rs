//! Our own rows without what they said. The identity key, the sightings' keys, the states and the times stay.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{BodyHash, Decision, DecisionId, Fault, MailId, MailState, Method};
use postroom_jobs as jobs;
use postroom_store::sql::{Expr, ExprTrait, LockType, Query, UpdateStatement, Value};
use postroom_store::{Error, Insert, Tx, body, doomed};
use uuid::Uuid;

use super::Erasing;
use super::find::Found;
use super::receipt::{self, Receipt};
use crate::filing::outcome::StoredDecision;
use crate::intake::filing_job;
use crate::privacy::{reduce, tombstone};
use crate::sending::lane as sending_lane;

/// What stands where a text was.
pub(super) const ERASED: &str = "Erased on request";
const REASON: &str = "Erased on request.";

/// A mail that is about to be blanked.
struct Going {
    found: Found,
    /// Its bytes, and what was unpacked from them.
    bodies: Vec<BodyHash>,
    activities: Vec<Uuid>,
    /// The decision that it gets when it had none.
    decision: DecisionId,
}

impl Erasing {
    /// Blanks these mails with the receipt in one unit; answers how many are in a worker's hands and had to be left.
    pub(super) async fn blank(&self, page: Vec<Found>, receipt: &mut Receipt) -> Result<u64, Fault> {
        let mut going = Vec::with_capacity(page.len());
        for found in page {
            let mut bodies = found.bodies.clone();
            for form in reduce::forms(&self.store, &found.bodies).await? {
                bodies.extend(form.unpacked);
            }
            let (activities, decision) = (self.activities(&found), DecisionId(self.ids.next()));
            going.push(Going { found, bodies, activities, decision });
        }
        if going.is_empty() {
            return Ok(0);
        }
        let (now, before) = (self.clock.now(), receipt.clone());
        let unit = self.store.write("erasing.blanked", move |tx| {
            async move { blank_in(tx, going, before, now).await }.boxed()
        });
        match unit.await {
            Ok((after, busy)) => {
                *receipt = after;
                Ok(busy)
            }
            // A worker took one of them between two looks: the next pass finds it as it is then.
            Err(Error::Conflict(_)) => Ok(1),
            Err(error) => Err(error.into()),
        }
    }
}

async fn blank_in(
    tx: &mut Tx,
    going: Vec<Going>,
    mut receipt: Receipt,
    now: Timestamp,
) -> Result<(Receipt, u64), Error> {
    let lanes = |of: &[&Going]| of.iter().flat_map(|one| lanes(&one.found)).collect::<Vec<String>>();
    let running = jobs::running_lanes(tx, &lanes(&going.iter().collect::<Vec<_>>())).await?;
    let mut free = Vec::with_capacity(going.len());
    for one in &going {
        let is_busy = self::lanes(&one.found).iter().any(|lane| running.contains(lane));
        if !is_busy && is_unchanged(tx, &one.found).await? {
            free.push(one);
        }
    }
    let busy = (going.len() - free.len()) as u64;
    let free_lanes = lanes(&free);
    jobs::drop_waiting(tx, &free_lanes).await?;
    if !jobs::running_lanes(tx, &free_lanes).await?.is_empty() {
        return Err(Error::Conflict("a mail to be erased was claimed meanwhile".into()));
    }
    let tombstone = tombstone();
    let hash = tombstone.hash;
    body::put(tx, vec![tombstone]).await?;
    for one in free {
        rows(tx, one, hash, now).await?;
        note(tx, one, hash, receipt.id).await?;
        receipt.counts.add(&one.found);
    }
    receipt::put(tx, &receipt).await?;
    Ok((receipt, busy))
}

fn lanes(found: &Found) -> Vec<String> {
    let filing = filing_job(MailId(found.id)).lane;
    std::iter::once(filing).chain(found.sends.map(sending_lane)).collect()
}

/// Whether nobody decided it anew since it was read.
async fn is_unchanged(tx: &mut Tx, found: &Found) -> Result<bool, Error> {
    let select = Query::select()
        .columns(["state", "activity_id", "decision_id"])
        .from("message")
        .and_where(Expr::col("id").eq(found.id))
        .and_where(Expr::col("erased_at").is_null())
        .lock(LockType::Update)
        .to_owned();
    let Some(row) = tx.query_one(&select).await? else { return Ok(false) };
    let state: String = row.at(0)?;
    let same = (row.at(1)?, row.at(2)?) == (found.activity, found.decision);
    Ok(same && state == found.state.as_str())
}

async fn rows(tx: &mut Tx, going: &Going, body: BodyHash, now: Timestamp) -> Result<(), Error> {
    let found = &going.found;
    let decision = match found.decision {
        Some(decision) => decision,
        None => {
            decide(tx, going, now).await?;
            going.decision.0
        }
    };
    tx.execute(&message(found, decision, body, now)).await?;
    let by_message = Expr::col("message").eq(found.id);
    let references = Query::delete().from_table("message_ref").and_where(by_message).to_owned();
    tx.execute(&references).await?;
    let seen = Query::update()
        .table("sighting")
        .value("body", Expr::value(bytes(body)))
        .value("recipients", "")
        .value("envelope_from", Option::<String>::None)
        .value("peer", Option::<String>::None)
        .and_where(Expr::col("message").eq(found.id))
        .to_owned();
    tx.execute(&seen).await?;
    decisions(tx, found.id).await?;
    if found.sends.is_some() {
        outgoing(tx, found, body, now).await?;
    }
    Ok(())
}

/// Where a mail stands once there is nothing left of it to decide or to send.
fn settled(state: MailState) -> MailState {
    match state {
        MailState::Received | MailState::Parsed | MailState::Review | MailState::Shelf => {
            MailState::NotTracked
        }
        MailState::Queued | MailState::Held | MailState::Sending | MailState::Unknown => {
            MailState::Suppressed
        }
        other => other,
    }
}

fn bytes(hash: BodyHash) -> Value {
    hash.0.to_vec().into()
}

fn message(found: &Found, decision: Uuid, body: BodyHash, now: Timestamp) -> UpdateStatement {
    let mut update = Query::update();
    update.table("message");
    for column in ["subject", "from_address", "from_name", "flags"] {
        update.value(column, "");
    }
    for column in ["header_id", "header_text", "conversation", "parties"] {
        update.value(column, Option::<String>::None);
    }
    update
        .value("reason", REASON)
        .value("state", settled(found.state).as_str())
        // Like a person's word, it stands against every later decision.
        .value("method", Method::Person.as_str())
        .value("decision_id", decision)
        .value("body", Expr::value(bytes(body)))
        .value("purged_at", now.as_microsecond())
        .value("erased_at", now.as_microsecond())
        .and_where(Expr::col("id").eq(found.id));
    update
}

async fn decide(tx: &mut Tx, going: &Going, now: Timestamp) -> Result<(), Error> {
    let decision = Decision {
        id: going.decision,
        at: now,
        rules: crate::rules::VERSION,
        state: settled(going.found.state),
        method: Method::Person,
        record: None,
        reason: REASON.into(),
        signals: Vec::new(),
        flags: Vec::new(),
        class_evidence: Vec::new(),
    };
    let mut insert = Insert::into("decision", &["id", "message", "at", "body"]);
    insert.row([
        decision.id.0.into(),
        going.found.id.into(),
        now.as_microsecond().into(),
        text(StoredDecision { decision, bounce: None }).into(),
    ]);
    tx.insert(&insert).await.map(drop)
}

fn text(stored: StoredDecision) -> String {
    serde_json::to_string(&stored).expect("a decision is plain data")
}

/// Decisions keep what was decided and when, and lose what they quote.
async fn decisions(tx: &mut Tx, message: Uuid) -> Result<(), Error> {
    let select = Query::select()
        .columns(["id", "body"])
        .from("decision")
        .and_where(Expr::col("message").eq(message))
        .to_owned();
    for row in tx.query(&select).await? {
        let (id, old): (Uuid, String) = (row.at(0)?, row.at(1)?);
        let blank = serde_json::from_str::<StoredDecision>(&old).ok().map(|stored| {
            let decision = Decision {
                reason: REASON.into(),
                signals: Vec::new(),
                flags: Vec::new(),
                class_evidence: Vec::new(),
                ..stored.decision
            };
            text(StoredDecision { decision, bounce: None })
        });
        let update = Query::update()
            .table("decision")
            .value("body", blank.unwrap_or_else(|| "{}".into()))
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        tx.execute(&update).await?;
    }
    Ok(())
}

/// An outgoing mail. Its claim stays: the CRM's e-mail, should it still wait to be sent, is not taken up again.
async fn outgoing(tx: &mut Tx, found: &Found, body: BodyHash, now: Timestamp) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("outgoing")
        .value("subject", "")
        .value("reason", REASON)
        .value("body", Expr::value(bytes(body)))
        .value("reverse_path", Option::<String>::None)
        .value("header_id", Option::<String>::None)
        .value("hold", Option::<String>::None)
        .value("next_try", Option::<i64>::None)
        .value("copied", 1_i64)
        .and_where(Expr::col("id").eq(found.id));
    let state = settled(found.state);
    if state != found.state {
        update.value("state", state.as_str()).value("finished_at", now.as_microsecond());
    }
    tx.execute(&update).await?;
    let recipients = Query::update()
        .table("outgoing_recipient")
        .value("address", "")
        .value("text", "")
        .and_where(Expr::col("outgoing").eq(found.id))
        .to_owned();
    tx.execute(&recipients).await?;
    crate::sending::history::erase(tx, found.id).await
}

/// Notes the activities that the CRM must be told of, and the bodies that go when that is done: until then its rows refer to
/// them, and a sweep of somebody else's would take them for held.
async fn note(tx: &mut Tx, going: &Going, tombstone: BodyHash, erasure: Uuid) -> Result<(), Error> {
    let mut todo = Insert::into("erasure_todo", &["erasure", "activity", "message"]).or_skip();
    for activity in &going.activities {
        todo.row([erasure.into(), (*activity).into(), going.found.id.into()]);
    }
    tx.insert(&todo).await?;
    let mut bodies = Insert::into("erasure_body", &["erasure", "hash"]).or_skip();
    for hash in going.bodies.iter().filter(|hash| **hash != tombstone) {
        bodies.row([erasure.into(), bytes(*hash)]);
    }
    tx.insert(&bodies).await.map(drop)
}

/// Names the bodies of an erasure to the sweep.
pub(super) async fn let_go(tx: &mut Tx, erasure: Uuid) -> Result<(), Error> {
    let of = || Expr::col("erasure").eq(erasure);
    let select = Query::select().column("hash").from("erasure_body").and_where(of()).to_owned();
    let bodies: Vec<BodyHash> =
        tx.query(&select).await?.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    doomed::doom(tx, &bodies).await?;
    let delete = Query::delete().from_table("erasure_body").and_where(of()).to_owned();
    tx.execute(&delete).await.map(drop)
}
