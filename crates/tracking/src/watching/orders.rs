//! What people see of watched mailboxes, and what they order.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Cursor, WatchReport};
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Order, Query};
use postroom_store::{Error, Row, Store};
use serde::Serialize;

/// Where a watcher stands in one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub server: String,
    pub folder: String,
    pub cursor: Cursor,
    pub at: Timestamp,
}

/// One mailbox as its watcher left it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Overview {
    pub paused: bool,
    /// Mail since then is to be read again.
    pub rescan_since: Option<Timestamp>,
    /// `None` until a watcher reported.
    pub report: Option<WatchReport>,
    pub reported_at: Option<Timestamp>,
    pub folders: Vec<Place>,
}

/// Every mailbox that a watcher or a person wrote about, by name.
pub async fn overview(store: &Store) -> Result<BTreeMap<String, Overview>, Error> {
    let mailboxes = Query::select()
        .columns(["mailbox", "paused", "rescan_since", "report", "at"])
        .from("watch_mailbox")
        .to_owned();
    let folders = Query::select()
        .columns(["mailbox", "server", "folder", "cursor", "at"])
        .from("watch_folder")
        .order_by("folder", Order::Asc)
        .order_by("server", Order::Asc)
        .to_owned();
    let read = store.read(move |tx| {
        async move { Ok::<_, Error>((tx.query(&mailboxes).await?, tx.query(&folders).await?)) }.boxed()
    });
    let (mailboxes, folders) = read.await?;
    let mut all: BTreeMap<String, Overview> = BTreeMap::new();
    for row in &mailboxes {
        all.insert(row.at(0)?, of_row(row)?);
    }
    for row in &folders {
        let text: String = row.at(3)?;
        let place = Place {
            server: row.at(1)?,
            folder: row.at(2)?,
            cursor: serde_json::from_str(&text).unwrap_or_default(),
            at: row.at(4)?,
        };
        all.entry(row.at(0)?).or_default().folders.push(place);
    }
    Ok(all)
}

fn of_row(row: &Row) -> Result<Overview, Error> {
    let report: Option<String> = row.at(3)?;
    let report = report.and_then(|text| serde_json::from_str(&text).ok());
    Ok(Overview {
        paused: row.at(1)?,
        rescan_since: row.at(2)?,
        reported_at: report.is_some().then(|| row.at(4)).transpose()?,
        report,
        folders: Vec::new(),
    })
}

/// Stops a watcher until [`resume`]; it ends what it is at.
pub async fn pause(store: &Store, mailbox: &str, now: Timestamp) -> Result<(), Error> {
    set_paused(store, mailbox, true, now).await
}

pub async fn resume(store: &Store, mailbox: &str, now: Timestamp) -> Result<(), Error> {
    set_paused(store, mailbox, false, now).await
}

async fn set_paused(store: &Store, mailbox: &str, paused: bool, now: Timestamp) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table("watch_mailbox")
        .columns(["mailbox", "paused", "at"])
        .values_panic([mailbox.to_owned().into(), paused.into(), now.as_microsecond().into()])
        .on_conflict(OnConflict::column("mailbox").update_columns(["paused"]).to_owned())
        .to_owned();
    let unit =
        store.write("watch.paused", move |tx| async move { tx.execute(&insert).await.map(drop) }.boxed());
    unit.await?;
    store.wake();
    Ok(())
}

/// Has a mailbox's mail since then read again. Known mail is not doubled. `order` names the wish; a new one takes the
/// place of one that was not carried out yet.
pub async fn rescan(
    store: &Store,
    mailbox: &str,
    order: String,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table("watch_mailbox")
        .columns(["mailbox", "paused", "rescan", "rescan_since", "at"])
        .values_panic([
            mailbox.to_owned().into(),
            false.into(),
            order.into(),
            since.as_microsecond().into(),
            now.as_microsecond().into(),
        ])
        .on_conflict(OnConflict::column("mailbox").update_columns(["rescan", "rescan_since"]).to_owned())
        .to_owned();
    let unit =
        store.write("watch.rescan", move |tx| async move { tx.execute(&insert).await.map(drop) }.boxed());
    unit.await?;
    store.wake();
    Ok(())
}

/// Forgets where the watchers stood in a mailbox: met again, it is a new one. Its mail stays.
pub async fn forget(store: &Store, mailbox: &str) -> Result<(), Error> {
    let by_name = || Expr::col("mailbox").eq(mailbox.to_owned());
    let folders = Query::delete().from_table("watch_folder").and_where(by_name()).to_owned();
    let own = Query::delete().from_table("watch_mailbox").and_where(by_name()).to_owned();
    let unit = store.write("watch.forgotten", move |tx| {
        async move {
            tx.execute(&folders).await?;
            tx.execute(&own).await.map(drop)
        }
        .boxed()
    });
    unit.await
}
