//! The ledger of runs: what each was asked for, its counts, how it ended, and every row that it could not take over.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::{Code, Ids, Outcome, RunId};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Insert, Row, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SyncType;

/// What became of the rows that went to one side. They add up: `sent` is all the others together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Side {
    pub sent: u64,
    pub new: u64,
    pub changed: u64,
    pub same: u64,
    pub rejected: u64,
    /// Left out, or refused by the service, because the person gets no mail.
    pub suppressed: u64,
}

impl Side {
    /// Counts a row that the CRM took, by what it says of the first of the row's writes.
    pub fn applied(&mut self, outcomes: &[Outcome]) {
        self.sent += 1;
        match outcomes.first() {
            Some(Outcome::Created) => self.new += 1,
            Some(Outcome::Unchanged) => self.same += 1,
            _ => self.changed += 1,
        }
    }

    /// Counts a row that was refused.
    pub fn refused(&mut self) {
        (self.sent, self.rejected) = (self.sent + 1, self.rejected + 1);
    }

    /// Rows that nobody accounts for; 0 in a run that ended well.
    pub fn missing(&self) -> i64 {
        let known = self.new + self.changed + self.same + self.rejected + self.suppressed;
        i64::try_from(self.sent).unwrap_or(i64::MAX) - i64::try_from(known).unwrap_or(i64::MAX)
    }
}

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Rows looked at.
    pub read: u64,
    pub to_crm: Side,
    pub to_service: Side,
    /// Members or rows taken away, and fields on which both sides differed.
    pub removed: u64,
    pub conflicts: u64,
    /// What was left alone, by reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Counts {
    pub fn skip(&mut self, reason: &str, number: u64) {
        if number > 0 {
            *self.skipped.entry(reason.to_owned()).or_default() += number;
        }
    }

    pub fn balances(&self) -> bool {
        self.to_crm.missing() == 0 && self.to_service.missing() == 0
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Done,
    /// Done, with rows that were rejected.
    Partly,
    Failed,
    /// Waits for a person's word.
    Held,
}

impl RunState {
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Done => "done",
            RunState::Partly => "partly",
            RunState::Failed => "failed",
            RunState::Held => "held",
        }
    }

    pub const ALL: [RunState; 5] =
        [RunState::Running, RunState::Done, RunState::Partly, RunState::Failed, RunState::Held];

    fn of(text: &str) -> RunState {
        RunState::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(RunState::Failed)
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub account: String,
    pub sync_type: SyncType,
    /// Who asked: a user, or `schedule`.
    pub asked: String,
    pub dry: bool,
    /// A person said yes to what the run before asked.
    pub confirmed: bool,
    pub state: RunState,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub counts: Counts,
    pub code: Option<Code>,
    pub reason: Option<String>,
    /// The run that this one takes back.
    pub undoes: Option<RunId>,
}

const COLUMNS: [&str; 13] = [
    "id",
    "account",
    "sync_type",
    "asked",
    "dry",
    "confirmed",
    "state",
    "started",
    "ended",
    "counts",
    "code",
    "reason",
    "undoes",
];

/// A select over runs, to be narrowed by the caller.
pub fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("sync_run").order_by("started", Order::Desc).to_owned()
}

/// The runs of a select.
pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Run>, Error> {
    tx.query(select).await?.iter().map(run).collect()
}

pub async fn one(tx: &mut Tx, id: RunId) -> Result<Option<Run>, Error> {
    let mut by_id = select();
    by_id.and_where(Expr::col("id").eq(id.0));
    Ok(load(tx, &by_id).await?.pop())
}

fn run(row: &Row) -> Result<Run, Error> {
    let (sync_type, state, counts): (String, String, String) = (row.at(2)?, row.at(6)?, row.at(9)?);
    let sync_type =
        sync_type.parse().map_err(|_| Error::Cell { column: "sync_type".to_owned(), wanted: "sync type" })?;
    Ok(Run {
        id: RunId(row.at(0)?),
        account: row.at(1)?,
        sync_type,
        asked: row.at(3)?,
        dry: row.at(4)?,
        confirmed: row.at(5)?,
        state: RunState::of(&state),
        started: row.at(7)?,
        ended: row.at(8)?,
        counts: serde_json::from_str(&counts).unwrap_or_default(),
        code: row.at::<Option<i64>>(10)?.and_then(|code| u16::try_from(code).ok()).map(Code),
        reason: row.at(11)?,
        undoes: row.at::<Option<Uuid>>(12)?.map(RunId),
    })
}

/// Writes a run that begins.
pub async fn begin(tx: &mut Tx, run: &Run) -> Result<(), Error> {
    let mut row = Insert::into("sync_run", &COLUMNS);
    row.row([
        run.id.0.into(),
        run.account.clone().into(),
        run.sync_type.as_str().into(),
        run.asked.clone().into(),
        run.dry.into(),
        run.confirmed.into(),
        run.state.as_str().into(),
        run.started.as_microsecond().into(),
        run.ended.map(Timestamp::as_microsecond).into(),
        json(&run.counts).into(),
        run.code.map(|code| i64::from(code.0)).into(),
        run.reason.clone().into(),
        run.undoes.map(|undone| undone.0).into(),
    ]);
    tx.insert(&row).await.map(drop)
}

/// Writes the counts so far, in the unit of the page that they count.
pub async fn progress(tx: &mut Tx, id: RunId, counts: &Counts) -> Result<(), Error> {
    let mut update = Query::update();
    update.table("sync_run").value("counts", json(counts)).and_where(Expr::col("id").eq(id.0));
    tx.execute(&update).await.map(drop)
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ending {
    pub state: RunState,
    pub code: Option<Code>,
    pub reason: Option<String>,
}

pub async fn end(
    tx: &mut Tx,
    id: RunId,
    now: Timestamp,
    counts: &Counts,
    ending: &Ending,
) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("sync_run")
        .value("counts", json(counts))
        .value("state", ending.state.as_str())
        .value("ended", now.as_microsecond())
        .value("code", ending.code.map(|code| i64::from(code.0)))
        .value("reason", ending.reason.clone())
        .and_where(Expr::col("id").eq(id.0));
    tx.execute(&update).await.map(drop)
}

fn json(counts: &Counts) -> String {
    serde_json::to_string(counts).expect("counts are numbers under names")
}

/// A row that could not be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// A record (`contact/GUID`) or an address.
    pub subject: String,
    pub code: Option<Code>,
    pub reason: String,
    /// What was to be written, and what the other side said; JSON or text.
    pub sent: String,
    pub received: String,
}

/// Writes rejected rows of a run. What waits for somebody already is not written once more: it is of the newest run then, and
/// keeps the moment at which it was refused first.
pub async fn reject(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    run: (RunId, &str, SyncType),
    rejects: &[Reject],
) -> Result<(), Error> {
    let columns =
        ["id", "run", "account", "sync_type", "subject", "code", "reason", "sent", "received", "at"];
    let mut rows = Insert::into("sync_reject", &columns);
    let (id, account, sync_type) = run;
    for reject in rejects {
        if again(tx, run, reject).await? {
            continue;
        }
        rows.row([
            ids.next().into(),
            id.0.into(),
            account.into(),
            sync_type.as_str().into(),
            reject.subject.clone().into(),
            reject.code.map(|code| i64::from(code.0)).into(),
            reject.reason.clone().into(),
            reject.sent.clone().into(),
            reject.received.clone().into(),
            now.as_microsecond().into(),
        ]);
    }
    tx.insert(&rows).await.map(drop)
}

/// Gives the open row that says the same to this run; false when there is none.
async fn again(tx: &mut Tx, run: (RunId, &str, SyncType), reject: &Reject) -> Result<bool, Error> {
    let (id, account, sync_type) = run;
    let mut update = Query::update();
    update
        .table("sync_reject")
        .value("run", id.0)
        .value("received", reject.received.as_str())
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("sync_type").eq(sync_type.as_str()))
        .and_where(Expr::col("subject").eq(reject.subject.as_str()))
        .and_where(Expr::col("reason").eq(reject.reason.as_str()))
        .and_where(Expr::col("sent").eq(reject.sent.as_str()))
        .and_where(Expr::col("settled").is_null());
    Ok(tx.execute(&update).await? > 0)
}

/// A rejected row as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    pub id: Uuid,
    pub run: RunId,
    pub account: String,
    pub sync_type: SyncType,
    pub reject: Reject,
    pub at: Timestamp,
    pub settled: Option<Timestamp>,
    pub settled_how: Option<String>,
}

/// Rejected rows, newest first; the caller narrows the select.
pub fn select_rejected() -> SelectStatement {
    let columns = [
        "id",
        "run",
        "account",
        "sync_type",
        "subject",
        "code",
        "reason",
        "sent",
        "received",
        "at",
        "settled",
        "settled_how",
    ];
    Query::select().columns(columns).from("sync_reject").order_by("at", Order::Desc).to_owned()
}

pub async fn load_rejected(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Rejected>, Error> {
    tx.query(select).await?.iter().map(rejected).collect()
}

fn rejected(row: &Row) -> Result<Rejected, Error> {
    let sync_type: String = row.at(3)?;
    Ok(Rejected {
        id: row.at(0)?,
        run: RunId(row.at(1)?),
        account: row.at(2)?,
        sync_type: sync_type
            .parse()
            .map_err(|_| Error::Cell { column: "sync_type".to_owned(), wanted: "sync type" })?,
        reject: Reject {
            subject: row.at(4)?,
            code: row.at::<Option<i64>>(5)?.and_then(|code| u16::try_from(code).ok()).map(Code),
            reason: row.at(6)?,
            sent: row.at(7)?,
            received: row.at(8)?,
        },
        at: row.at(9)?,
        settled: row.at(10)?,
        settled_how: row.at(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_add_up() {
        let side = Side { sent: 10, new: 3, changed: 2, same: 1, rejected: 1, suppressed: 3 };
        assert_eq!(side.missing(), 0);
        assert_eq!(Side { sent: 11, ..side }.missing(), 1);
        assert_eq!(Side { same: 9, ..side }.missing(), -8);
    }
}
