//! Two records that are one person: what belongs to the one goes to the other.
//!
//! Merges of the CRM itself are followed without this (`crate::events::follow`). Consent needs nothing: opt-outs are of addresses
//! and of every record that has them.

use futures_util::FutureExt;
use postroom_core::{Code, Fault, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};

use crate::engine::Engine;
use crate::people::TABLES;

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
        let unit = self
            .store
            .write("marketing.person_merged", move |tx| async move { moved(tx, &from, &into).await }.boxed());
        let moved: Result<Moved, Error> = unit.await;
        Ok(moved?)
    }

    /// What [`Engine::merge_people`] would move. Nothing is written.
    ///
    /// # Errors
    /// As there.
    pub async fn rehearse_merge(&self, from: &RecordRef, into: &RecordRef) -> Result<Moved, Fault> {
        let (from, into) = one_kind(from, into)?;
        let unit = self.store.rehearse(move |tx| async move { moved(tx, &from, &into).await }.boxed());
        let moved: Result<Moved, Error> = unit.await;
        Ok(moved?)
    }
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

async fn moved(tx: &mut Tx, from: &RecordRef, into: &RecordRef) -> Result<Moved, Error> {
    let mut master = Query::update();
    master
        .table("person")
        .value("master", into.id)
        .and_where(Expr::col("record_table").eq(from.table.as_str()))
        .and_where(Expr::col("record").eq(from.id));
    tx.execute(&master).await?;
    let links = links(tx, from, into).await?;
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

/// A link that the other has already goes: the service's person is the other's.
async fn links(tx: &mut Tx, from: &RecordRef, into: &RecordRef) -> Result<u64, Error> {
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
