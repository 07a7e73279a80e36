//! The make of [`WatchBook`] on the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Accepted, Clock, Cursor, Fault, Folder, Ids, Incoming, Orders, WatchBook, WatchReport};
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Query};
use postroom_store::{Error, Row, Store, Tx};
use tokio::sync::Mutex;

use crate::intake::Arrival;
use crate::journal;
use crate::rules::Rules;

/// How old an order may be when it is obeyed.
const ORDERS: Duration = Duration::from_secs(1);

/// Keeps the watchers' books. Cheap to clone.
#[derive(Clone)]
pub struct Book {
    store: Store,
    clock: Clock,
    ids: Ids,
    rules: Arc<Rules>,
    /// Kept for a moment: hundreds of watchers ask every few seconds.
    orders: Arc<Mutex<Option<Read>>>,
}

/// All mailboxes' orders, and when they were read.
type Read = (Instant, HashMap<String, Orders>);

impl Book {
    /// `rules` say which mailboxes are journals.
    pub fn new(store: Store, clock: Clock, ids: Ids, rules: Arc<Rules>) -> Self {
        Book { store, clock, ids, rules, orders: Arc::default() }
    }
}

#[async_trait]
impl WatchBook for Book {
    async fn cursor(&self, folder: &Folder) -> Result<Option<Cursor>, Fault> {
        let select = Query::select()
            .column("cursor")
            .from("watch_folder")
            .and_where(Expr::col("mailbox").eq(folder.mailbox.clone()))
            .and_where(Expr::col("server").eq(folder.server.clone()))
            .and_where(Expr::col("folder").eq(folder.name.clone()))
            .to_owned();
        let row = self.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        let row = row.map_err(|error: Error| Fault::from(error))?;
        let Some(row) = row else { return Ok(None) };
        let text: String = row.at(0).map_err(Fault::from)?;
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Fault::bug(format!("the cursor of folder {:?} cannot be read: {error}", folder.name))
        })
    }

    async fn take(
        &self,
        folder: &Folder,
        mails: Vec<Incoming>,
        cursor: &Cursor,
    ) -> Result<Vec<Accepted>, Fault> {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let arrivals = prepared(mails, ids.clone(), self.rules.clone()).await?;
        let raws: Vec<_> = arrivals.iter().map(Arrival::at_hand).collect();
        let (folder, cursor) = (folder.clone(), json(cursor)?);
        let taken = self.store.write("mail.watched", move |tx| {
            async move {
                let mut taken = Vec::with_capacity(arrivals.len());
                for arrival in arrivals {
                    taken.push(arrival.store(tx, &ids, now).await?);
                }
                move_cursor(tx, &folder, cursor, now).await?;
                Ok::<_, Fault>(taken)
            }
            .boxed()
        });
        let taken = taken.await?;
        for (hash, raw) in raws {
            self.store.at_hand(hash, raw);
        }
        if !taken.is_empty() {
            self.store.wake();
        }
        Ok(taken)
    }

    async fn orders(&self, mailbox: &str) -> Result<Orders, Fault> {
        let mut read = self.orders.lock().await;
        let fresh = read.as_ref().is_some_and(|(at, _)| at.elapsed() < ORDERS);
        if !fresh {
            *read = Some((Instant::now(), all_orders(&self.store).await?));
        }
        Ok(read.as_ref().and_then(|(_, orders)| orders.get(mailbox)).cloned().unwrap_or_default())
    }

    async fn done(&self, mailbox: &str, order: &str) -> Result<(), Fault> {
        let update = Query::update()
            .table("watch_mailbox")
            .value("rescan", Option::<String>::None)
            .value("rescan_since", Option::<i64>::None)
            .and_where(Expr::col("mailbox").eq(mailbox.to_owned()))
            .and_where(Expr::col("rescan").eq(order.to_owned()))
            .to_owned();
        let unit = self
            .store
            .write("watch.rescanned", move |tx| async move { tx.execute(&update).await.map(drop) }.boxed());
        unit.await.map_err(|error: Error| Fault::from(error))?;
        *self.orders.lock().await = None;
        Ok(())
    }

    async fn report(&self, mailbox: &str, report: &WatchReport) -> Result<(), Fault> {
        let insert = Query::insert()
            .into_table("watch_mailbox")
            .columns(["mailbox", "paused", "report", "at"])
            .values_panic([
                mailbox.to_owned().into(),
                false.into(),
                json(report)?.into(),
                self.clock.now().as_microsecond().into(),
            ])
            .on_conflict(OnConflict::column("mailbox").update_columns(["report", "at"]).to_owned())
            .to_owned();
        let unit = self
            .store
            .write("watch.reported", move |tx| async move { tx.execute(&insert).await.map(drop) }.boxed());
        unit.await.map_err(|error: Error| Fault::from(error))
    }
}

/// What people want of each mailbox they said something about.
async fn all_orders(store: &Store) -> Result<HashMap<String, Orders>, Fault> {
    let select = Query::select()
        .columns(["mailbox", "paused", "rescan", "rescan_since"])
        .from("watch_mailbox")
        .to_owned();
    let rows = store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
    let rows: Vec<Row> = rows.map_err(|error: Error| Fault::from(error))?;
    let orders = |row: &Row| -> Result<(String, Orders), Error> {
        let order: Option<String> = row.at(2)?;
        let since: Option<Timestamp> = row.at(3)?;
        Ok((row.at(0)?, Orders { paused: row.at(1)?, rescan: order.zip(since) }))
    };
    Ok(rows.iter().map(orders).collect::<Result<_, _>>()?)
}

/// Hashing and compressing leave the async threads.
async fn prepared(mails: Vec<Incoming>, ids: Ids, rules: Arc<Rules>) -> Result<Vec<Arrival>, Fault> {
    if mails.is_empty() {
        return Ok(Vec::new());
    }
    let prepare =
        move || mails.into_iter().map(|mail| Arrival::prepare(journal::opened(mail, &rules), &ids)).collect();
    let prepared = tokio::task::spawn_blocking(prepare).await;
    prepared.map_err(|error| Fault::bug(format!("preparing mails stopped: {error}")))
}

fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::bug(format!("a watcher's note is not JSON: {error}")))
}

async fn move_cursor(tx: &mut Tx, folder: &Folder, cursor: String, now: Timestamp) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table("watch_folder")
        .columns(["mailbox", "server", "folder", "cursor", "at"])
        .values_panic([
            folder.mailbox.clone().into(),
            folder.server.clone().into(),
            folder.name.clone().into(),
            cursor.into(),
            now.as_microsecond().into(),
        ])
        .on_conflict(
            OnConflict::columns(["mailbox", "server", "folder"]).update_columns(["cursor", "at"]).to_owned(),
        )
        .to_owned();
    tx.execute(&insert).await.map(drop)
}
