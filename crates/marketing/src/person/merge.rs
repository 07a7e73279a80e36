//! Two records that are one person: what belongs to the one goes to the other.
//!
//! Merges of the CRM itself are followed without this (`crate::events::follow`). Opt-outs that stand for an
//! address of the one count for those of the other from then on, and so does what the record itself says against mail.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::Status;
use postroom_core::{Code, Fault, Ids, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};

use crate::consent::carry::{self, Move};
use crate::engine::Engine;
use crate::people::{self, TABLES, links};
use crate::suppressions::rows::{self, Origin, SaidOut};

/// What moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub links: u64,
    pub events: u64,
    pub responses: u64,
}

impl Engine {
    /// Gives everything that is known of `from` to `into`; the CRM hears of it in the next runs. Repeating does no harm.
    ///
    /// # Errors
    /// A refusal when they are one record, or not both contacts, leads or accounts.
    pub async fn merge_people(&self, from: &RecordRef, into: &RecordRef) -> Result<Moved, Fault> {
        let (from, into) = one_kind(from, into)?;
        let scene = self.scene();
        let unit = self.store.write("marketing.person_merged", move |tx| {
            async move { moved(tx, &scene, &from, &into).await }.boxed()
        });
        let moved: Result<Moved, Error> = unit.await;
        Ok(moved?)
    }

    /// What [`Engine::merge_people`] would move. Nothing is written.
    ///
    /// # Errors
    /// As there.
    pub async fn rehearse_merge(&self, from: &RecordRef, into: &RecordRef) -> Result<Moved, Fault> {
        let (from, into) = one_kind(from, into)?;
        let scene = self.scene();
        let unit =
            self.store.rehearse(move |tx| async move { moved(tx, &scene, &from, &into).await }.boxed());
        let moved: Result<Moved, Error> = unit.await;
        Ok(moved?)
    }

    fn scene(&self) -> Scene {
        let accounts = self.accounts.keys().cloned().collect();
        Scene { ids: self.ids.clone(), now: self.clock.now(), accounts }
    }
}

/// Where and when a merge happens.
struct Scene {
    ids: Ids,
    now: Timestamp,
    accounts: Vec<String>,
}

fn one_kind(from: &RecordRef, into: &RecordRef) -> Result<(RecordRef, RecordRef), Fault> {
    if from == into || from.table != into.table || !TABLES.contains(&from.table.as_str()) {
        return Err(Fault::reject(
            Code::API_INPUT,
            format!("{from} and {into} cannot be merged: name two contacts, two leads or two accounts"),
        ));
    }
    Ok((from.clone(), into.clone()))
}

async fn moved(tx: &mut Tx, scene: &Scene, from: &RecordRef, into: &RecordRef) -> Result<Moved, Error> {
    opt_outs(tx, scene, from, into).await?;
    let mut master = Query::update();
    master
        .table("person")
        .value("master", into.id)
        .and_where(Expr::col("record_table").eq(from.table.as_str()))
        .and_where(Expr::col("record").eq(from.id));
    tx.execute(&master).await?;
    let links = relinked(tx, from, into).await?;
    let mut events = Query::update();
    events
        .table("event")
        .value("record", into.id)
        .value("told_crm", Expr::col("in_crm").eq(false))
        .value("version", Expr::col("version").add(1))
        .and_where(Expr::col("record").eq(from.id))
        .and_where(Expr::col("record_table").eq(from.table.as_str()));
    let events = tx.execute(&events).await?;
    let mut responses = Query::update();
    responses
        .table("form_response")
        .value("record", into.id)
        .and_where(Expr::col("record").eq(from.id))
        .and_where(Expr::col("record_table").eq(from.table.as_str()));
    let responses = tx.execute(&responses).await?;
    Ok(Moved { links, events, responses })
}

/// What was said by the one is said by the other.
async fn opt_outs(tx: &mut Tx, scene: &Scene, from: &RecordRef, into: &RecordRef) -> Result<(), Error> {
    let mut own = people::addresses_of(tx, from).await?;
    // The service may know it by an address that it has no more.
    let mut links = links::select_all();
    links.and_where(Expr::col("record_table").eq(from.table.as_str()));
    links.and_where(Expr::col("record").eq(from.id));
    let known = links::load(tx, &links).await?.into_iter().map(|link| link.address);
    own.extend(known.filter(|address| !address.is_empty()));
    let other = people::addresses_of(tx, into).await?;
    carry::carry(tx, &scene.ids, scene.now, &Move::all(&own, &other, from)).await?;
    let flags = Query::select()
        .columns(["flags", "flagged", "modified", "flagged_by"])
        .from("person")
        .and_where(Expr::col("record_table").eq(from.table.as_str()))
        .and_where(Expr::col("record").eq(from.id))
        .and_where(Expr::col("flags").ne(0))
        .to_owned();
    let Some(row) = tx.query_one(&flags).await? else { return Ok(()) };
    let at = row.at::<Option<Timestamp>>(1)?.or(row.at(2)?).unwrap_or(scene.now).min(scene.now);
    let actor = row.at::<Option<String>>(3)?.unwrap_or_default();
    let said = other.into_iter().map(|address| SaidOut {
        address,
        status: Status::Unsubscribed,
        at,
        contact: None,
        source: from.to_string(),
        actor: actor.clone(),
    });
    let said: Vec<SaidOut> = said.collect();
    for account in &scene.accounts {
        rows::take(tx, &scene.ids, scene.now, account, Origin::Crm, &said).await?;
    }
    Ok(())
}

/// A link that the other has already goes: the service's person is the other's.
async fn relinked(tx: &mut Tx, from: &RecordRef, into: &RecordRef) -> Result<u64, Error> {
    let own = Query::select()
        .column("account")
        .from("person_link")
        .and_where(Expr::col("record").eq(into.id))
        .and_where(Expr::col("record_table").eq(into.table.as_str()))
        .to_owned();
    let accounts: Vec<String> =
        tx.query(&own).await?.iter().map(|row| row.at(0)).collect::<Result<_, Error>>()?;
    let mut delete = Query::delete();
    delete
        .from_table("person_link")
        .and_where(Expr::col("record").eq(from.id))
        .and_where(Expr::col("record_table").eq(from.table.as_str()))
        .and_where(Expr::col("account").is_in(accounts));
    tx.execute(&delete).await?;
    let mut update = Query::update();
    update
        .table("person_link")
        .value("record", into.id)
        .and_where(Expr::col("record").eq(from.id))
        .and_where(Expr::col("record_table").eq(from.table.as_str()));
    tx.execute(&update).await
}
