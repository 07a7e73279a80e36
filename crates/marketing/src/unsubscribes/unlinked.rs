//! Who left a list of the CRM that the service has no list for, not yet or not any more: kept by the list's id in the CRM, where
//! the gate finds it, until there is one.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::address::normal;
use postroom_core::marketing::{ContactId, ListId, Status};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Row as Cells, Tx};
use uuid::Uuid;

use super::rows;
use crate::lists::links;
use crate::suppressions::rows::{Origin, SaidOut, Written};

const ASKED: usize = 256;
const TABLE: &str = "list_opt_out_unlinked";
const COLUMNS: [&str; 9] =
    ["account", "list", "address", "status", "at", "contact", "origin", "source", "actor"];

/// Who left a list that is not linked.
pub(crate) struct Left {
    pub account: String,
    pub list: Uuid,
    pub said: SaidOut,
}

/// Takes departures from a list of the CRM: those from a linked one by its id at the service, the others to be kept.
pub async fn take(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, list): (&str, Uuid),
    origin: Origin,
    said: &[SaidOut],
) -> Result<Written, Error> {
    match links::service_of(tx, account, list).await? {
        Some(ListId(service)) => rows::take(tx, ids, now, (account, service), origin, said).await,
        None => keep(tx, (account, list), origin, said).await,
    }
}

/// Keeps departures from a list that is not linked; of one address the newest word.
pub(crate) async fn keep(
    tx: &mut Tx,
    (account, list): (&str, Uuid),
    origin: Origin,
    said: &[SaidOut],
) -> Result<Written, Error> {
    let addresses: Vec<String> = said.iter().map(|said| normal(&said.address)).collect();
    let mut known = standing(tx, account, list, &addresses).await?;
    let (mut written, mut kept) = (Written::default(), HashMap::new());
    for (said, address) in said.iter().zip(addresses) {
        match known.get(&address) {
            Some(at) if *at >= said.at => {
                written.same += 1;
                continue;
            }
            Some(_) => written.changed += 1,
            None => written.new += 1,
        }
        known.insert(address.clone(), said.at);
        kept.insert(address, said);
    }
    let mut rows = Insert::into(TABLE, &COLUMNS).or_replace_by(&["account", "list", "address"]);
    for (address, said) in kept {
        rows.row([
            account.into(),
            list.into(),
            address.into(),
            said.status.as_str().into(),
            said.at.as_microsecond().into(),
            said.contact.as_ref().map(|contact| contact.0).into(),
            origin.as_str().into(),
            said.source.as_str().into(),
            said.actor.as_str().into(),
        ]);
    }
    tx.insert(&rows).await?;
    Ok(written)
}

/// Takes back what is kept of an address, by consent that is newer.
pub async fn lift(
    tx: &mut Tx,
    (account, list): (&str, Uuid),
    address: &str,
    at: Timestamp,
) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete
        .from_table(TABLE)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("address").eq(normal(address)))
        .and_where(Expr::col("at").lt(at.as_microsecond()));
    tx.execute(&delete).await.map(drop)
}

/// Who of these addresses left a list that is not linked, and when.
pub async fn standing(
    tx: &mut Tx,
    account: &str,
    list: Uuid,
    addresses: &[String],
) -> Result<HashMap<String, Timestamp>, Error> {
    let mut left = HashMap::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["address", "at"])
            .from(TABLE)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&select).await? {
            left.insert(row.at(0)?, row.at(1)?);
        }
    }
    Ok(left)
}

/// Which unlinked lists these addresses left, of every account.
pub(crate) async fn standing_of(tx: &mut Tx, addresses: &[String]) -> Result<Vec<Left>, Error> {
    let mut left = Vec::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(COLUMNS)
            .from(TABLE)
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for cells in tx.query(&select).await? {
            let (_, said) = read(&cells)?;
            left.push(Left { account: cells.at(0)?, list: cells.at(1)?, said });
        }
    }
    Ok(left)
}

/// The list has one at the service now: what was kept is said of that one. In the unit that writes the link.
pub async fn linked(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, list): (&str, Uuid),
    service: &ListId,
) -> Result<(), Error> {
    let select = Query::select()
        .columns(COLUMNS)
        .from(TABLE)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .to_owned();
    let mut kept: Vec<(Origin, Vec<SaidOut>)> = Vec::new();
    for cells in tx.query(&select).await? {
        let (origin, said) = read(&cells)?;
        match kept.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, all)) => all.push(said),
            None => kept.push((origin, vec![said])),
        }
    }
    for (origin, said) in kept {
        rows::take(tx, ids, now, (account, service.0), origin, &said).await?;
    }
    let mut delete = Query::delete();
    delete
        .from_table(TABLE)
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list));
    tx.execute(&delete).await.map(drop)
}

/// The service's list is gone, and another is to be made: whoever left it has left that one, too.
pub async fn gone(tx: &mut Tx, (account, list): (&str, Uuid), service: &ListId) -> Result<(), Error> {
    let left = rows::active(tx, (account, service.0)).await?;
    let source = format!("list {service} of the service, which is gone");
    let mut crm = Vec::new();
    let mut there = Vec::new();
    for row in left {
        let said = SaidOut {
            address: row.address,
            status: row.status,
            at: row.since,
            contact: row.contact,
            source: source.clone(),
            actor: String::new(),
        };
        match row.origin {
            Origin::Crm => crm.push(said),
            Origin::Service | Origin::Elsewhere | Origin::Here => there.push(said),
        }
    }
    keep(tx, (account, list), Origin::Crm, &crm).await?;
    keep(tx, (account, list), Origin::Elsewhere, &there).await.map(drop)
}

fn read(cells: &Cells) -> Result<(Origin, SaidOut), Error> {
    let (status, origin): (String, String) = (cells.at(3)?, cells.at(6)?);
    // What the service said of another list it has yet to hear of this one.
    let origin = match Origin::of(&origin) {
        Origin::Service => Origin::Elsewhere,
        other => other,
    };
    let said = SaidOut {
        address: cells.at(2)?,
        status: Status::from(status.as_str()),
        at: cells.at(4)?,
        contact: cells.at::<Option<i64>>(5)?.map(ContactId),
        source: cells.at(7)?,
        actor: cells.at(8)?,
    };
    Ok((origin, said))
}
