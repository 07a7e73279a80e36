//! The audit trail: who did what to which object, append-only.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, Ids};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Tx};
use serde::Serialize;
use uuid::Uuid;

use crate::{Actor, Operations, Permission};

/// One thing that was done.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    pub actor: String,
    pub door: String,
    /// `message.attach`, `token.create`, …
    pub action: String,
    /// What it was done to: an id, a record.
    pub object: String,
    /// Before and after, in a few words; no bodies, no secrets.
    pub detail: String,
}

impl Entry {
    pub(crate) fn new(
        actor: &Actor,
        at: Timestamp,
        action: &str,
        object: impl ToString,
        detail: &str,
    ) -> Self {
        Entry {
            at,
            actor: actor.name.clone(),
            door: actor.door.to_string(),
            action: action.into(),
            object: object.to_string(),
            detail: detail.into(),
        }
    }
}

/// Adds an entry to the caller's unit.
pub(crate) async fn append(tx: &mut Tx, ids: &Ids, now: Timestamp, entry: &Entry) -> Result<(), Error> {
    append_all(tx, &[(ids.next(), entry.clone())], now).await
}

async fn append_all(tx: &mut Tx, entries: &[(Uuid, Entry)], now: Timestamp) -> Result<(), Error> {
    let mut insert = Insert::into("audit", &["id", "at", "actor", "door", "action", "object", "detail"]);
    for (id, entry) in entries {
        insert.row([
            (*id).into(),
            now.as_microsecond().into(),
            entry.actor.clone().into(),
            entry.door.clone().into(),
            entry.action.clone().into(),
            entry.object.clone().into(),
            entry.detail.clone().into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}

impl Operations {
    /// What was done to an object, newest first.
    pub async fn audit_of(&self, actor: &Actor, object: &str, limit: u64) -> Result<Vec<Entry>, Fault> {
        actor.needs(Permission::Read)?;
        let select = Query::select()
            .columns(["at", "actor", "door", "action", "object", "detail"])
            .from("audit")
            .and_where(Expr::col("object").eq(object))
            .order_by("id", Order::Desc)
            .limit(limit)
            .to_owned();
        let rows = self.0.store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
        let entry = |row: &postroom_store::Row| -> Result<Entry, Error> {
            Ok(Entry {
                at: row.at(0)?,
                actor: row.at(1)?,
                door: row.at(2)?,
                action: row.at(3)?,
                object: row.at(4)?,
                detail: row.at(5)?,
            })
        };
        rows.map_err(Fault::from)?.iter().map(|row| entry(row).map_err(Fault::from)).collect()
    }

    pub(crate) async fn record_audit(&self, entry: Entry) -> Result<(), Fault> {
        self.record_audits(vec![(self.0.ids.next(), entry)]).await
    }

    /// Entries that belong together, each with its id.
    pub(crate) async fn record_audits(&self, entries: Vec<(Uuid, Entry)>) -> Result<(), Fault> {
        let now = self.0.clock.now();
        let unit = self
            .0
            .store
            .write("operations.audit", move |tx| async move { append_all(tx, &entries, now).await }.boxed());
        unit.await.map_err(|error: Error| Fault::from(error))
    }

    /// Inserts a row and tells the audit trail, in one unit.
    pub(crate) async fn insert_audited(
        &self,
        step: &'static str,
        insert: Insert,
        entry: Entry,
    ) -> Result<(), Fault> {
        let (ids, now) = (self.0.ids.clone(), self.0.clock.now());
        let unit = self.0.store.write(step, move |tx| {
            async move {
                tx.insert(&insert).await?;
                append(tx, &ids, now, &entry).await
            }
            .boxed()
        });
        unit.await.map_err(|error: Error| Fault::from(error))
    }
}
