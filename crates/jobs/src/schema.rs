//! The queue's tables.

use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{
    ColumnDef, ConditionalStatement, Expr, ExprTrait, Index, IndexCreateStatement, Table,
};

/// Ready to be claimed once it is due.
pub(crate) const READY: &str = "ready";
/// Held by a worker.
pub(crate) const LEASED: &str = "leased";
/// Set aside for a person.
pub(crate) const SHELF: &str = "shelf";

/// The tables `job`, `worker` and `schedule`.
pub const MIGRATIONS: &[Migration] =
    &[Migration { area: "jobs", number: 1, name: "jobs, workers and schedules", statements: tables }];

/// `state = '…'` with the word in the statement itself: only then can the databases use the partial indexes below.
pub(crate) fn in_state(state: &'static str) -> Expr {
    Expr::col(("job", "state")).eq(Expr::cust(format!("'{state}'")))
}

fn tables() -> Vec<Ddl> {
    let job = Table::create()
        .table("job")
        // Never reused, though rows go: the order of a lane and the fences rest on it.
        .col(ColumnDef::new("seq").big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new("id").uuid().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("lane").text())
        .col(ColumnDef::new("key").text())
        .col(ColumnDef::new("payload").text().not_null())
        .col(ColumnDef::new("state").text().not_null())
        .col(ColumnDef::new("due").big_integer().not_null())
        .col(ColumnDef::new("attempt").big_integer().not_null())
        .col(ColumnDef::new("worker").uuid())
        .col(ColumnDef::new("fence").big_integer().not_null())
        .col(ColumnDef::new("first_at").big_integer().not_null())
        .col(ColumnDef::new("last_code").big_integer())
        .col(ColumnDef::new("last_error").text())
        .col(ColumnDef::new("last_verdict").text())
        .col(ColumnDef::new("history").text())
        .to_owned();
    let worker = Table::create()
        .table("worker")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("beat").big_integer().not_null())
        .col(ColumnDef::new("name").text().not_null())
        .to_owned();
    let schedule = Table::create()
        .table("schedule")
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .col(ColumnDef::new("text").text().not_null())
        .col(ColumnDef::new("due").big_integer())
        .col(ColumnDef::new("last").big_integer())
        .to_owned();
    let mut all = vec![Ddl::CreateTable(job), Ddl::CreateTable(worker), Ddl::CreateTable(schedule)];
    all.extend(indexes().into_iter().map(Ddl::CreateIndex));
    all
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &'static str| Index::create().name(name).table("job").to_owned();
    let stands = |column: &'static str| Expr::col(column).is_not_null();
    let state = |state: &'static str| Expr::col("state").eq(state);
    vec![
        index("job_id").col("id").unique().to_owned(),
        index("job_key").col("kind").col("key").unique().and_where(stands("key")).to_owned(),
        index("job_ready").col("kind").col("due").col("seq").and_where(state(READY)).to_owned(),
        index("job_lane").col("lane").col("seq").and_where(stands("lane")).to_owned(),
        // Two jobs of one lane never run at once, whatever two claims saw of each other.
        index("job_running").col("lane").unique().and_where(state(LEASED)).to_owned(),
        index("job_worker").col("worker").and_where(stands("worker")).to_owned(),
        index("job_shelf").col("seq").and_where(state(SHELF)).to_owned(),
    ]
}
