//! The table `form_response`: what people sent, as the service tells it, and what the CRM was told of it.

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::address::normal;
use postroom_core::marketing::Response;
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Insert, Row as Cells, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sync::{Act, Sample, To};

/// Ids of one statement.
const ASKED: usize = 256;

const COLUMNS: [&str; 12] = [
    "account",
    "response",
    "form",
    "address",
    "at",
    "data",
    "answers",
    "matched",
    "record_table",
    "record",
    "told_crm",
    "version",
];

/// One answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    pub field: i64,
    pub part: Option<i64>,
    pub value: String,
}

/// What a response says besides whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    pub started: Option<Timestamp>,
    pub complete: bool,
    pub completed: Option<Timestamp>,
    pub answers: Vec<Given>,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub response: i64,
    pub form: i64,
    /// In normal form; empty when nobody said who it is from.
    pub address: String,
    pub at: Timestamp,
    pub content: Content,
    /// The answers that the CRM was given last.
    pub answers: Vec<Uuid>,
    /// A label of the option set *Match Result*, once the CRM was told.
    pub matched: Option<String>,
    pub record: Option<RecordRef>,
    pub told_crm: bool,
    pub version: i64,
}

impl Stored {
    /// What a dry run shows of telling the CRM.
    pub(crate) fn sample(&self) -> Sample {
        let who = if self.address.is_empty() { "somebody without an address" } else { &self.address };
        Sample::of(To::Crm, Act::Create, format!("response {} of {who}", self.response))
    }

    /// A response as it came. Without any moment it happened when it was seen.
    pub fn of(form: i64, response: Response, seen: Timestamp) -> Self {
        let at = response.completed.or(response.started).unwrap_or(seen);
        let given = |answer: postroom_core::marketing::Answer| Given {
            field: answer.field,
            part: answer.part,
            value: answer.value,
        };
        let content = Content {
            started: response.started,
            complete: response.complete,
            completed: response.completed,
            answers: response.answers.into_iter().map(given).collect(),
        };
        Stored {
            response: response.id,
            form,
            address: normal(&response.email.unwrap_or_default()),
            at,
            content,
            answers: Vec::new(),
            matched: None,
            record: None,
            told_crm: false,
            version: 0,
        }
    }
}

/// Takes responses in; answers those that are new or other than before, and how many are as they were.
pub async fn take(tx: &mut Tx, account: &str, responses: Vec<Stored>) -> Result<(Vec<Stored>, u64), Error> {
    let mut by_id: std::collections::BTreeMap<i64, Stored> =
        responses.into_iter().map(|row| (row.response, row)).collect();
    let ids: Vec<i64> = by_id.keys().copied().collect();
    let mut same = 0;
    for some in ids.chunks(ASKED) {
        let mut known = select(account);
        known.and_where(Expr::col("response").is_in(some.iter().copied()));
        for known in load(tx, &known).await? {
            let Some(row) = by_id.get_mut(&known.response) else { continue };
            if row.content == known.content && row.address == known.address {
                by_id.remove(&known.response);
                same += 1;
                continue;
            }
            (row.answers, row.matched, row.record) = (known.answers, known.matched, known.record);
            row.version = known.version + 1;
        }
    }
    let rows: Vec<Stored> = by_id.into_values().collect();
    put(tx, account, &rows).await?;
    Ok((rows, same))
}

/// Responses of an account, to be narrowed by the caller.
pub fn select(account: &str) -> SelectStatement {
    let by_account = Expr::col("account").eq(account);
    Query::select().columns(COLUMNS).from("form_response").and_where(by_account).to_owned()
}

pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Stored>, Error> {
    tx.query(select).await?.iter().map(read).collect()
}

fn read(cells: &Cells) -> Result<Stored, Error> {
    let (data, answers): (String, String) = (cells.at(5)?, cells.at(6)?);
    let (table, record): (Option<String>, Option<Uuid>) = (cells.at(8)?, cells.at(9)?);
    let wrong = |column: &str| Error::Cell { column: column.to_owned(), wanted: "JSON of a response" };
    Ok(Stored {
        response: cells.at(1)?,
        form: cells.at(2)?,
        address: cells.at(3)?,
        at: cells.at(4)?,
        content: serde_json::from_str(&data).map_err(|_| wrong("data"))?,
        answers: serde_json::from_str(&answers).map_err(|_| wrong("answers"))?,
        matched: cells.at(7)?,
        record: table.zip(record).map(|(table, id)| RecordRef::new(table, id)),
        told_crm: cells.at(10)?,
        version: cells.at(11)?,
    })
}

async fn put(tx: &mut Tx, account: &str, rows: &[Stored]) -> Result<(), Error> {
    for some in rows.chunks(ASKED) {
        let mut delete = Query::delete();
        delete
            .from_table("form_response")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("response").is_in(some.iter().map(|row| row.response)));
        tx.execute(&delete).await?;
    }
    let mut insert = Insert::into("form_response", &COLUMNS);
    for row in rows {
        let (table, record) = row.record.clone().map(|at| (at.table, at.id)).unzip();
        insert.row([
            account.into(),
            row.response.into(),
            row.form.into(),
            row.address.as_str().into(),
            row.at.as_microsecond().into(),
            serde_json::to_string(&row.content).expect("texts and numbers under names").into(),
            serde_json::to_string(&row.answers).expect("a list of ids").into(),
            row.matched.clone().into(),
            table.into(),
            record.into(),
            row.told_crm.into(),
            row.version.into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}

/// The next responses to a form of which the CRM has yet to hear.
pub async fn untold(tx: &mut Tx, account: &str, form: i64, limit: u64) -> Result<Vec<Stored>, Error> {
    let mut untold = select(account);
    untold
        .and_where(Expr::col("form").eq(form))
        .and_where(Expr::col("told_crm").eq(false))
        .order_by("response", Order::Asc)
        .limit(limit);
    load(tx, &untold).await
}

/// How many responses to a form the CRM has yet to hear of.
pub async fn waiting(tx: &mut Tx, account: &str, form: i64) -> Result<u64, Error> {
    let number = Query::select()
        .expr(Expr::col("response").count())
        .from("form_response")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("form").eq(form))
        .and_where(Expr::col("told_crm").eq(false))
        .to_owned();
    tx.query_one(&number).await?.map_or(Ok(0), |row| row.at(0))
}

/// Notes what the CRM was told, of rows that are still as they were then.
pub async fn told(tx: &mut Tx, account: &str, rows: &[Stored]) -> Result<(), Error> {
    for row in rows {
        let (table, record) = row.record.clone().map(|at| (at.table, at.id)).unzip();
        let mut update = Query::update();
        update
            .table("form_response")
            .value("told_crm", true)
            .value("answers", serde_json::to_string(&row.answers).expect("a list of ids"))
            .value("matched", row.matched.clone())
            .value("record_table", table)
            .value("record", record)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("response").eq(row.response))
            .and_where(Expr::col("version").eq(row.version));
        tx.execute(&update).await?;
    }
    Ok(())
}
