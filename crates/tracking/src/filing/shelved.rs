//! Mail whose job lies on the shelf. Its state says so as long as it lies there and nothing else was decided; each of these
//! belongs into the unit that moves the job.
//!
//! A mail that was settled before keeps its state: the decision stands, and only a second look at it failed.

use jiff::Timestamp;
use postroom_core::{Decision, DecisionId, Ids, MailId, MailState, Method, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, UpdateStatement};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::outcome::StoredDecision;
use crate::intake::filing_job;

/// The mail that a job of this kind is about.
pub fn mail_of(payload: &serde_json::Value) -> Option<MailId> {
    payload.get("message")?.as_str()?.parse().ok()
}

/// Its job was put on the shelf.
pub async fn shelved(tx: &mut Tx, ids: &Ids, now: Timestamp, mail: MailId, why: &str) -> Result<(), Error> {
    let Some(row) = standing(tx, mail).await? else { return Ok(()) };
    if !matches!(row.state, MailState::Received | MailState::Parsed) {
        return Ok(());
    }
    let reason = format!("It could not be filed: {why}");
    let decision = Decision { record: row.record, ..decision(ids, now, MailState::Shelf, reason) };
    settle(tx, mail, &Decision { method: row.method, ..decision }).await
}

/// Its job was taken from the shelf to be tried again. A decision to file it, and a person's word, stand meanwhile.
pub async fn replayed(tx: &mut Tx, mail: MailId) -> Result<(), Error> {
    if standing(tx, mail).await?.is_none_or(|row| row.state != MailState::Shelf) {
        return Ok(());
    }
    let stands = |before: &Decision| before.state == MailState::Tracked || before.method == Method::Person;
    if let Some(before) = before(tx, mail).await?.filter(stands) {
        return tx.execute(&update(mail, &before)).await.map(drop);
    }
    let update = Query::update()
        .table("message")
        .value("state", MailState::Received.as_str())
        .value("reason", "Put back from the shelf; not looked at again yet.")
        .and_where(Expr::col("id").eq(mail.0))
        .to_owned();
    tx.execute(&update).await.map(drop)
}

/// `who` gave its job up, which is gone already. The mail stands as it did before, or waits for a person: it was never
/// decided, and must not be forgotten.
pub async fn dropped(tx: &mut Tx, ids: &Ids, now: Timestamp, mail: MailId, who: &str) -> Result<(), Error> {
    let open = [MailState::Shelf, MailState::Received, MailState::Parsed];
    let open = standing(tx, mail).await?.is_some_and(|row| open.contains(&row.state));
    if !open || has_job(tx, mail).await? {
        return Ok(());
    }
    let decision = match before(tx, mail).await? {
        Some(before) => Decision {
            id: DecisionId(ids.next()),
            at: now,
            reason: format!("Given up on the shelf by {who}. {}", before.reason),
            ..before
        },
        None => {
            let reason =
                format!("It could not be filed, and {who} gave it up on the shelf; a person decides.");
            decision(ids, now, MailState::Review, reason)
        }
    };
    settle(tx, mail, &decision).await
}

/// How a mail stands.
struct Standing {
    state: MailState,
    method: Method,
    record: Option<RecordRef>,
}

/// `None`: it is not there, or was erased.
async fn standing(tx: &mut Tx, mail: MailId) -> Result<Option<Standing>, Error> {
    let select = Query::select()
        .columns(["state", "method", "record_table", "record_id"])
        .from("message")
        .and_where(Expr::col("id").eq(mail.0))
        .and_where(Expr::col("erased_at").is_null())
        .to_owned();
    let Some(row) = tx.query_one(&select).await? else { return Ok(None) };
    let (state, method): (String, String) = (row.at(0)?, row.at(1)?);
    let (table, id): (Option<String>, Option<Uuid>) = (row.at(2)?, row.at(3)?);
    Ok(Some(Standing {
        state: state.parse().unwrap_or(MailState::Received),
        method: method.parse().unwrap_or(Method::None),
        record: table.zip(id).map(|(table, id)| RecordRef::new(table, id)),
    }))
}

/// Whether any job is left that will file it, or lies on the shelf.
async fn has_job(tx: &mut Tx, mail: MailId) -> Result<bool, Error> {
    let select = Query::select()
        .column("seq")
        .from("job")
        .and_where(Expr::col("kind").eq(super::KIND))
        .and_where(Expr::col("lane").eq(filing_job(mail).lane))
        .limit(1)
        .to_owned();
    Ok(tx.query_one(&select).await?.is_some())
}

/// The newest decision that says where the mail belongs.
async fn before(tx: &mut Tx, mail: MailId) -> Result<Option<Decision>, Error> {
    let select = Query::select()
        .column("body")
        .from("decision")
        .and_where(Expr::col("message").eq(mail.0))
        .order_by("at", Order::Desc)
        .order_by("id", Order::Desc)
        .to_owned();
    for row in tx.query(&select).await? {
        let stored: Option<StoredDecision> = serde_json::from_str(&row.at::<String>(0)?).ok();
        let decided = [MailState::Tracked, MailState::NotTracked, MailState::Review];
        if let Some(stored) = stored.filter(|stored| decided.contains(&stored.decision.state)) {
            return Ok(Some(stored.decision));
        }
    }
    Ok(None)
}

fn decision(ids: &Ids, now: Timestamp, state: MailState, reason: String) -> Decision {
    Decision {
        id: DecisionId(ids.next()),
        at: now,
        rules: crate::rules::VERSION,
        state,
        method: Method::None,
        record: None,
        reason,
        signals: Vec::new(),
        flags: Vec::new(),
        class_evidence: Vec::new(),
    }
}

async fn settle(tx: &mut Tx, mail: MailId, decision: &Decision) -> Result<(), Error> {
    let text = serde_json::to_string(decision).expect("a decision always has a JSON form");
    let mut row = Insert::into("decision", &["id", "message", "at", "body"]);
    row.row([decision.id.0.into(), mail.0.into(), decision.at.as_microsecond().into(), text.into()]);
    tx.insert(&row).await?;
    tx.execute(&update(mail, decision)).await.map(drop)
}

fn update(mail: MailId, decision: &Decision) -> UpdateStatement {
    let record = decision.record.as_ref();
    Query::update()
        .table("message")
        .value("state", decision.state.as_str())
        .value("method", decision.method.as_str())
        .value("reason", decision.reason.clone())
        .value("record_table", record.map(|record| record.table.clone()))
        .value("record_id", record.map(|record| record.id))
        .value("decision_id", decision.id.0)
        .value("decided_at", decision.at.as_microsecond())
        .and_where(Expr::col("id").eq(mail.0))
        .to_owned()
}
