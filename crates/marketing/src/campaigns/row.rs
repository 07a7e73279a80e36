//! The rows of `campaign`.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Insert, Row as Cells, Tx};

/// A campaign of the service.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: i64,
    pub name: String,
    pub status: String,
    pub sent: Option<Timestamp>,
    /// Columns of the CRM's row as JSON ([`crate::people::stored`]).
    pub header: String,
    pub totals: Option<String>,
    pub counted: Option<Timestamp>,
    pub gone: bool,
    pub seen: i64,
    pub told: bool,
    pub made: bool,
    pub version: i64,
}

const COLUMNS: [&str; 13] = [
    "account", "id", "name", "status", "sent", "header", "totals", "counted", "gone", "seen", "told", "made",
    "version",
];

/// Campaigns of an account behind an id, to be narrowed by the caller.
pub fn select(account: &str, after: i64) -> SelectStatement {
    Query::select()
        .columns(COLUMNS)
        .from("campaign")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("id").gt(after))
        .order_by("id", Order::Asc)
        .to_owned()
}

pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<Row>, Error> {
    tx.query(select).await?.iter().map(read).collect()
}

fn read(row: &Cells) -> Result<Row, Error> {
    Ok(Row {
        id: row.at(1)?,
        name: row.at(2)?,
        status: row.at(3)?,
        sent: row.at(4)?,
        header: row.at(5)?,
        totals: row.at(6)?,
        counted: row.at(7)?,
        gone: row.at(8)?,
        seen: row.at(9)?,
        told: row.at(10)?,
        made: row.at(11)?,
        version: row.at(12)?,
    })
}

/// The rows with these ids, by id.
pub async fn by_id(tx: &mut Tx, account: &str, ids: &[i64]) -> Result<HashMap<i64, Row>, Error> {
    let mut rows = HashMap::new();
    for some in ids.chunks(256) {
        let mut these = select(account, i64::MIN);
        these.and_where(Expr::col("id").is_in(some.iter().copied()));
        rows.extend(load(tx, &these).await?.into_iter().map(|row| (row.id, row)));
    }
    Ok(rows)
}

/// Writes rows as they now are.
pub async fn put(tx: &mut Tx, account: &str, rows: &[Row]) -> Result<(), Error> {
    for some in rows.chunks(256) {
        let mut delete = Query::delete();
        delete
            .from_table("campaign")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("id").is_in(some.iter().map(|row| row.id)));
        tx.execute(&delete).await?;
    }
    let mut insert = Insert::into("campaign", &COLUMNS);
    for row in rows {
        insert.row([
            account.into(),
            row.id.into(),
            row.name.as_str().into(),
            row.status.as_str().into(),
            row.sent.map(Timestamp::as_microsecond).into(),
            row.header.as_str().into(),
            row.totals.clone().into(),
            row.counted.map(Timestamp::as_microsecond).into(),
            row.gone.into(),
            row.seen.into(),
            row.told.into(),
            row.made.into(),
            row.version.into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}

/// Notes that the CRM has these rows as they were.
pub async fn told(tx: &mut Tx, account: &str, rows: &[(i64, i64)]) -> Result<(), Error> {
    for (id, version) in rows {
        let mut update = Query::update();
        update
            .table("campaign")
            .value("told", true)
            .value("made", true)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("id").eq(*id))
            .and_where(Expr::col("version").eq(*version));
        tx.execute(&update).await?;
    }
    Ok(())
}
