//! The rows of `program_enrolment`: one call each.

use jiff::Timestamp;
use postroom_core::marketing::ContactId;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Intent,
    Made,
    Done,
    /// The service refused: nobody was put in.
    Refused,
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Intent => "intent",
            State::Made => "made",
            State::Done => "done",
            State::Refused => "refused",
            State::Unknown => "unknown",
        }
    }

    fn of(text: &str) -> State {
        let all = [State::Intent, State::Made, State::Done, State::Refused];
        all.into_iter().find(|state| state.as_str() == text).unwrap_or(State::Unknown)
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Enrolment {
    pub id: Uuid,
    pub program: i64,
    pub state: State,
    /// When it was about to be made, by the service's clock.
    pub at: Timestamp,
    pub service: Option<String>,
    /// Of the people: finds the call among the service's.
    pub digest: Vec<u8>,
    pub reason: Option<String>,
}

const COLUMNS: [&str; 8] = ["id", "account", "program", "state", "at", "service_id", "digest", "reason"];

/// The same for the same people, in any order.
pub(super) fn digest(people: &[ContactId]) -> Vec<u8> {
    let mut ids: Vec<i64> = people.iter().map(|contact| contact.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id.to_be_bytes());
    }
    hash.finalize().to_vec()
}

pub(super) async fn add(tx: &mut Tx, account: &str, row: &Enrolment) -> Result<(), Error> {
    let mut insert = Insert::into("program_enrolment", &COLUMNS);
    insert.row([
        row.id.into(),
        account.into(),
        row.program.into(),
        row.state.as_str().into(),
        row.at.as_microsecond().into(),
        row.service.clone().into(),
        row.digest.clone().into(),
        row.reason.clone().into(),
    ]);
    tx.insert(&insert).await.map(drop)
}

/// Writes a call that changed. Fails with [`Error::Conflict`] when it is not where it was any more.
pub(super) async fn save(tx: &mut Tx, row: &Enrolment, before: State) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("program_enrolment")
        .value("state", row.state.as_str())
        .value("service_id", row.service.clone())
        .value("reason", row.reason.clone())
        .value("digest", row.digest.clone())
        .and_where(Expr::col("id").eq(row.id))
        .and_where(Expr::col("state").eq(before.as_str()));
    match tx.execute(&update).await? {
        0 => Err(Error::Conflict(format!("somebody else went on with enrolment {}", row.id))),
        _ => Ok(()),
    }
}

/// Ends a call whose outcome was unknown.
pub(super) async fn close(tx: &mut Tx, call: Uuid) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("program_enrolment")
        .value("state", State::Done.as_str())
        .and_where(Expr::col("id").eq(call))
        .and_where(Expr::col("state").eq(State::Unknown.as_str()));
    tx.execute(&update).await.map(drop)
}

/// Calls of an account that have not ended.
pub(super) async fn open(tx: &mut Tx, account: &str) -> Result<Vec<Enrolment>, Error> {
    let states = [State::Intent, State::Made, State::Unknown].map(State::as_str);
    let select = Query::select()
        .columns(COLUMNS)
        .from("program_enrolment")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("state").is_in(states))
        .to_owned();
    let mut open = Vec::new();
    for row in tx.query(&select).await? {
        open.push(Enrolment {
            id: row.at(0)?,
            program: row.at(2)?,
            state: State::of(&row.at::<String>(3)?),
            at: row.at(4)?,
            service: row.at(5)?,
            digest: row.at(6)?,
            reason: row.at(7)?,
        });
    }
    Ok(open)
}

/// How many calls were made since a moment.
pub(super) async fn since(tx: &mut Tx, account: &str, since: Timestamp) -> Result<u64, Error> {
    let select = Query::select()
        .expr(Expr::col("id").count())
        .from("program_enrolment")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("at").gt(since.as_microsecond()))
        .to_owned();
    tx.query_one(&select).await?.map_or(Ok(0), |row| row.at(0))
}
