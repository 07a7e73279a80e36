//! Runs and rejected rows as people look at them: newest first, in pages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::RunId;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::SyncType;
use super::run::{self, Rejected, Run, RunState};

/// Which runs are looked for.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    pub account: Option<String>,
    pub sync_type: Option<SyncType>,
    pub state: Option<RunState>,
    /// The last run of the page before.
    pub before: Option<RunId>,
    pub limit: u64,
}

/// Ids are made in the order of time, so they are the order and the cursor.
pub async fn runs(tx: &mut Tx, wanted: &Runs) -> Result<Vec<Run>, Error> {
    let mut select = run::select();
    select.clear_order_by().order_by("id", Order::Desc).limit(wanted.limit);
    if let Some(account) = &wanted.account {
        select.and_where(Expr::col("account").eq(account.as_str()));
    }
    if let Some(sync_type) = wanted.sync_type {
        select.and_where(Expr::col("sync_type").eq(sync_type.as_str()));
    }
    if let Some(state) = wanted.state {
        select.and_where(Expr::col("state").eq(state.as_str()));
    }
    if let Some(before) = wanted.before {
        select.and_where(Expr::col("id").lt(before.0));
    }
    run::load(tx, &select).await
}

/// The last run of a sync type.
pub async fn last(tx: &mut Tx, account: &str, sync_type: SyncType) -> Result<Option<Run>, Error> {
    let mut select = run::select();
    select
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("sync_type").eq(sync_type.as_str()))
        .order_by("id", Order::Desc)
        .limit(1);
    Ok(run::load(tx, &select).await?.pop())
}

/// When a sync type last ended well.
pub async fn last_good(tx: &mut Tx, account: &str, sync_type: SyncType) -> Result<Option<Timestamp>, Error> {
    let good = [RunState::Done, RunState::Partly].map(RunState::as_str);
    let select = Query::select()
        .column("ended")
        .from("sync_run")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("sync_type").eq(sync_type.as_str()))
        .and_where(Expr::col("state").is_in(good))
        .order_by("started", Order::Desc)
        .limit(1)
        .to_owned();
    tx.query_one(&select).await?.map_or(Ok(None), |row| row.at(0))
}

/// Which rejected rows are looked for.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    pub account: Option<String>,
    pub sync_type: Option<SyncType>,
    pub run: Option<RunId>,
    pub id: Option<Uuid>,
    /// Only those that nobody settled.
    pub open: bool,
    /// The last row of the page before.
    pub before: Option<Uuid>,
    pub limit: u64,
}

pub async fn refusals(tx: &mut Tx, wanted: &Refusals) -> Result<Vec<Rejected>, Error> {
    let mut select = run::select_rejected();
    select.clear_order_by().order_by("id", Order::Desc).limit(wanted.limit);
    if let Some(account) = &wanted.account {
        select.and_where(Expr::col("account").eq(account.as_str()));
    }
    if let Some(sync_type) = wanted.sync_type {
        select.and_where(Expr::col("sync_type").eq(sync_type.as_str()));
    }
    if let Some(run) = wanted.run {
        select.and_where(Expr::col("run").eq(run.0));
    }
    if let Some(id) = wanted.id {
        select.and_where(Expr::col("id").eq(id));
    }
    if wanted.open {
        select.and_where(Expr::col("settled").is_null());
    }
    if let Some(before) = wanted.before {
        select.and_where(Expr::col("id").lt(before));
    }
    run::load_rejected(tx, &select).await
}

/// How many rejected rows of an account nobody settled, by sync type.
pub async fn open_refusals(tx: &mut Tx, account: &str) -> Result<BTreeMap<String, u64>, Error> {
    let select = Query::select()
        .column("sync_type")
        .expr(Expr::col("id").count())
        .from("sync_reject")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("settled").is_null())
        .group_by_col("sync_type")
        .to_owned();
    tx.query(&select).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}
