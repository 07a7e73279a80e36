//! What changed since a version: rows by their `versionnumber`, and rows that went.
//!
//! A version is given out while the counter's row is locked, and that lock ends with the unit (`lot::apply`); so every row
//! with a version up to the counter is durable once the counter shows it, and none can come late with a lower one. A
//! deleted row leaves a line in `crm_gone` for [`KEPT`].

use jiff::{SignedDuration, Timestamp};
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Expr, ExprTrait, Func, Index, Query, Table as SqlTable};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use crate::lot::VERSION;
use crate::schema::Table;

/// How long a deleted row is remembered; the platform's `ExpireChangeTrackingInDays` is 7.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(crate) const MIGRATION: Migration =
    Migration { area: "embedded", number: 3, name: "rows that went", statements: gone };

fn gone() -> Vec<Ddl> {
    let list = SqlTable::create()
        .table("crm_gone")
        .col(ColumnDef::new("table_name").text().not_null())
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("gone_at").big_integer().not_null())
        .to_owned();
    let by_version = Index::create()
        .name("crm_gone_version_ix")
        .table("crm_gone")
        .col("table_name")
        .col("version")
        .to_owned();
    let by_time = Index::create().name("crm_gone_time_ix").table("crm_gone").col("gone_at").to_owned();
    vec![Ddl::CreateTable(list), Ddl::CreateIndex(by_version), Ddl::CreateIndex(by_time)]
}

/// Remembers rows of a table that go in this unit, and forgets what is too old.
pub(crate) async fn remember(tx: &mut Tx, table: &Table, ids: &[Uuid], now: Timestamp) -> Result<(), Error> {
    let first = tx.next_numbers(VERSION, ids.len() as u64).await?;
    let mut insert = Insert::into("crm_gone", &["table_name", "id", "version", "gone_at"]);
    for (version, id) in (first..).zip(ids) {
        insert.row([table.name.clone().into(), (*id).into(), version.into(), now.as_microsecond().into()]);
    }
    tx.insert(&insert).await?;
    let old = (now - KEPT).as_microsecond();
    let forget = Query::delete().from_table("crm_gone").and_where(Expr::col("gone_at").lt(old)).to_owned();
    tx.execute(&forget).await.map(drop)
}

/// The highest version that is durable.
pub(crate) async fn newest(tx: &mut Tx) -> Result<i64, Error> {
    tx.last_number(VERSION).await
}

/// The rows of a table that went after `since` and up to `until`, oldest first. One that was made again is not among them.
pub(crate) async fn gone_since(
    tx: &mut Tx,
    table: &Table,
    since: i64,
    until: i64,
) -> Result<Vec<Uuid>, Error> {
    let there = Query::select()
        .expr(Expr::val(1))
        .from(table.storage())
        .and_where(Expr::col((table.storage(), table.primary_key.clone())).equals(("crm_gone", "id")))
        .to_owned();
    let select = Query::select()
        .column("id")
        .expr_as(Func::max(Expr::col("version")), "latest")
        .from("crm_gone")
        .and_where(Expr::col("table_name").eq(table.name.clone()))
        .and_where(Expr::col("version").gt(since))
        .and_where(Expr::col("version").lte(until))
        .and_where(Expr::exists(there).not())
        .group_by_col("id")
        .order_by_expr(Expr::col("latest"), postroom_store::sql::Order::Asc)
        .to_owned();
    tx.query(&select).await?.iter().map(|row| row.at(0)).collect()
}
