//! Rejected rows get another try: they are settled, what says that the service has them is forgotten, and their sync types are
//! made due. A row that is refused again is a rejected row of the new run.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::look::{self, Refusals};
use super::run::Rejected;
use super::{SyncType, plan};
use crate::contacts::outgoing::touch_records;
use crate::engine::Engine;
use crate::imports::brake;

/// How a row was settled.
pub const REPLAYED: &str = "replayed";

/// What was put back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    pub rows: Vec<Uuid>,
    /// What is due now because of it.
    pub due: BTreeSet<(String, SyncType)>,
}

impl Engine {
    /// Puts back those of these rows that nobody settled, in the name of `who`.
    pub async fn replay(&self, ids: Vec<Uuid>, who: &str) -> Result<Replayed, Fault> {
        let (now, who) = (self.clock.now(), who.to_owned());
        let unit = self.store.write("marketing.replayed", move |tx| {
            async move {
                let mut done = Replayed::default();
                for id in ids {
                    let wanted = Refusals { id: Some(id), open: true, limit: 1, ..Refusals::default() };
                    let Some(row) = look::refusals(tx, &wanted).await?.pop() else { continue };
                    put_back(tx, now, &row).await?;
                    done.rows.push(id);
                    done.due.insert((row.account, row.sync_type));
                }
                for (account, sync_type) in &done.due {
                    plan::mark(tx, account, *sync_type, None, Some(who.clone())).await?;
                }
                Ok(done)
            }
            .boxed()
        });
        let done: Result<Replayed, Error> = unit.await;
        let done = done?;
        self.store.wake();
        Ok(done)
    }
}

async fn put_back(tx: &mut Tx, now: Timestamp, row: &Rejected) -> Result<(), Error> {
    let mut settle = Query::update();
    settle
        .table("sync_reject")
        .value("settled", now.as_microsecond())
        .value("settled_how", REPLAYED)
        .and_where(Expr::col("id").eq(row.id));
    tx.execute(&settle).await?;
    let Ok(record) = row.reject.subject.parse::<RecordRef>() else { return Ok(()) };
    brake::release(tx, &row.account, &record).await?;
    let mut forget = Query::update();
    forget
        .table("person_link")
        .value("digest", Option::<Vec<u8>>::None)
        .and_where(Expr::col("account").eq(row.account.as_str()))
        .and_where(Expr::col("record_table").eq(record.table.as_str()))
        .and_where(Expr::col("record").eq(record.id));
    tx.execute(&forget).await?;
    // The mark of the people's changes may be behind it.
    touch_records(tx, &[record]).await
}
