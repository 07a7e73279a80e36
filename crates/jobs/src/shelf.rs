//! The shelf: jobs set aside for a person, and what a person can do with them.

use jiff::Timestamp;
use postroom_core::{Code, JobId};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Row, Store, Tx};

use crate::schema::{READY, SHELF, in_state};
use crate::settle;
pub use crate::settle::Attempt;

/// A job as a person sees it, on the shelf or not.
#[derive(Debug, Clone)]
pub struct Shown {
    pub id: JobId,
    pub seq: i64,
    pub kind: String,
    pub lane: String,
    pub key: Option<String>,
    pub payload: serde_json::Value,
    /// `ready`, `leased` or `shelf`.
    pub state: String,
    pub due: Timestamp,
    /// How often it was started.
    pub attempt: u32,
    pub first_at: Timestamp,
    pub last_code: Option<Code>,
    pub last_error: Option<String>,
    /// `retry`, `reject`, `hold`, `unknown`, `bug`, or `lost` when its process died.
    pub last_verdict: Option<String>,
    /// The last attempts that failed, oldest first.
    pub history: Vec<Attempt>,
}

/// Which shelved jobs to list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only those behind this `seq`.
    pub after: Option<i64>,
    /// At most so many; 0: all.
    pub limit: u64,
}

/// The shelved jobs, oldest first.
pub async fn list(store: &Store, page: Page) -> Result<Vec<Shown>, Error> {
    let mut select = columns();
    select.and_where(in_state(SHELF)).order_by(("job", "seq"), Order::Asc);
    if let Some(kind) = page.kind {
        select.and_where(Expr::col("kind").eq(kind));
    }
    if let Some(after) = page.after {
        select.and_where(Expr::col("seq").gt(after));
    }
    if page.limit > 0 {
        select.limit(page.limit);
    }
    let rows = store.read(move |tx| Box::pin(async move { tx.query(&select).await })).await?;
    rows.iter().map(shown).collect()
}

/// One unfinished job in whatever state.
pub async fn show(store: &Store, id: JobId) -> Result<Option<Shown>, Error> {
    let mut select = columns();
    select.and_where(Expr::col("id").eq(id.0));
    let row = store.read(move |tx| Box::pin(async move { tx.query_one(&select).await })).await?;
    row.as_ref().map(shown).transpose()
}

/// Puts a shelved job back into the queue, due now, its attempts counted anew; its history stays. Answers whether it was
/// on the shelf. After the commit call `store.wake()`.
pub async fn replay(tx: &mut Tx, now: Timestamp, id: JobId) -> Result<bool, Error> {
    let mut update = Query::update();
    update
        .table("job")
        .value("state", READY)
        .value("attempt", 0_i64)
        .value("due", now.as_microsecond())
        .and_where(Expr::col("id").eq(id.0))
        .and_where(in_state(SHELF));
    Ok(tx.execute(&update).await? > 0)
}

/// Removes a shelved job for good. Answers whether it was on the shelf.
pub async fn discard(tx: &mut Tx, id: JobId) -> Result<bool, Error> {
    let mut delete = Query::delete();
    delete.from_table("job").and_where(Expr::col("id").eq(id.0)).and_where(in_state(SHELF));
    Ok(tx.execute(&delete).await? > 0)
}

fn columns() -> SelectStatement {
    let columns = [
        "id",
        "seq",
        "kind",
        "lane",
        "key",
        "payload",
        "state",
        "due",
        "attempt",
        "first_at",
        "last_code",
        "last_error",
        "last_verdict",
        "history",
    ];
    Query::select().columns(columns).from("job").to_owned()
}

fn shown(row: &Row) -> Result<Shown, Error> {
    let payload: String = row.at(5)?;
    let code: Option<i64> = row.at(10)?;
    Ok(Shown {
        id: JobId(row.at(0)?),
        seq: row.at(1)?,
        kind: row.at(2)?,
        lane: row.at::<Option<String>>(3)?.unwrap_or_default(),
        key: row.at(4)?,
        payload: serde_json::from_str(&payload).unwrap_or(serde_json::Value::String(payload)),
        state: row.at(6)?,
        due: row.at(7)?,
        attempt: row.at(8)?,
        first_at: row.at(9)?,
        last_code: code.and_then(|code| u16::try_from(code).ok()).map(Code),
        last_error: row.at(11)?,
        last_verdict: row.at(12)?,
        history: settle::history(row.at::<Option<String>>(13)?.as_deref()),
    })
}
