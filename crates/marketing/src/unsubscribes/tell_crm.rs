//! The CRM hears who left a list: every record with the address is a member no longer, and a row of `esc_listunsubscriber`
//! says so. All of it says a state, so a repeat does no harm.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Fault, Record, RecordRef, Value, Verdict};

use super::rows::{self, Departure};
use crate::consent::standing::Holder;
use crate::lists::act::leave_list;
use crate::lists::here::{self, CrmList};
use crate::lists::links::Link;
use crate::people;
use crate::solution::options::Set;
use crate::suppressions::rows::{Origin, Told};
use crate::sync::run::Reject;
use crate::sync::turn::rejected;
use crate::sync::{Halt, To, Turn};

const TABLE: &str = "esc_listunsubscriber";
/// Rows of one lot.
const LOT: u64 = 200;

pub async fn run(turn: &mut Turn, links: &[Link]) -> Result<(), Halt> {
    let mut after = (i64::MIN, String::new());
    let mut lists: Option<Vec<CrmList>> = None;
    loop {
        let (account, behind) = (turn.account.name.clone(), after.clone());
        let rows = turn
            .read(move |tx| async move { rows::untold(tx, &account, Told::Crm, &behind, LOT).await }.boxed());
        let rows = rows.await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.list, last.row.address.clone());
        if lists.is_none() {
            lists = Some(here::activated(turn).await?);
        }
        tell(turn, links, lists.as_deref().unwrap_or_default(), rows).await?;
    }
}

async fn tell(turn: &mut Turn, links: &[Link], lists: &[CrmList], rows: Vec<Departure>) -> Result<(), Halt> {
    let addresses: Vec<String> = rows.iter().map(|one| one.row.address.clone()).collect();
    let holders = turn.read(move |tx| async move { people::holders(tx, &addresses).await }.boxed()).await?;
    if turn.dry {
        turn.foresee(rows.iter().map(|one| one.sample(To::Crm)));
        let number = rows.len() as u64;
        turn.counts.to_crm.sent += number;
        turn.counts.to_crm.changed += number;
        return Ok(());
    }
    leave(turn, links, lists, &rows, &holders).await?;
    let none = Vec::new();
    let change = |one: &Departure| {
        let holders = holders.get(&one.row.address).unwrap_or(&none);
        let list = links.iter().find(|link| link.service.as_ref().is_some_and(|id| id.0 == one.list));
        ChangeSet { changes: vec![Change::Upsert(unsubscriber(turn, one, list, holders))] }
    };
    let answers = turn.engine.crm.apply(rows.iter().map(change).collect()).await;
    let (mut told, mut rejects) = (Vec::new(), Vec::new());
    for (one, answer) in rows.into_iter().zip(answers) {
        match answer {
            Ok(_) => told.push(one),
            Err(fault) if fault.verdict == Verdict::Reject => {
                rejects.push(rejected(one.row.address.clone(), &fault, format!("list {}", one.list)));
            }
            Err(fault) => return note(turn, told, rejects).await.and(Err(fault.into())),
        }
    }
    note(turn, told, rejects).await
}

/// Members of static lists. Whom a dynamic list finds is its query's business; the gate keeps the person out.
async fn leave(
    turn: &mut Turn,
    links: &[Link],
    lists: &[CrmList],
    rows: &[Departure],
    holders: &HashMap<String, Vec<Holder>>,
) -> Result<(), Fault> {
    for link in links {
        let list = lists.iter().find(|list| list.at.id == link.list && !list.dynamic);
        let (Some(list), Some(service)) = (list, &link.service) else { continue };
        let gone = rows.iter().filter(|one| one.list == service.0 && one.row.active);
        let members: Vec<RecordRef> = gone
            .filter_map(|one| holders.get(&one.row.address))
            .flatten()
            .filter(|holder| holder.at.table == list.table)
            .map(|holder| holder.at.clone())
            .collect();
        turn.counts.removed += members.len() as u64;
        leave_list(turn, list, &members).await?;
    }
    Ok(())
}

fn unsubscriber(turn: &Turn, one: &Departure, link: Option<&Link>, holders: &[Holder]) -> Record {
    let Departure { list, row } = one;
    let key = turn.connected.key.list_unsubscribe(*list, &row.address);
    let origin = match row.origin {
        Origin::Crm => "CRM",
        Origin::Service | Origin::Elsewhere => "Dotdigital",
        Origin::Here => "Import",
    };
    let option = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
    let reason = Set::ContactStatus.of_service(row.status.as_str()).map_or(Value::Null, Value::from);
    let first = |table: &str| holders.iter().map(|holder| &holder.at).find(|at| at.table == table).cloned();
    let kind = holders.first().and_then(|holder| match holder.at.table.as_str() {
        "contact" => Set::RecordType.value("Contact"),
        "lead" => Set::RecordType.value("Lead"),
        _ => Set::RecordType.value("Account"),
    });
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_name", row.address.as_str())
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_emailaddress", row.address.as_str())
        .with("esc_listid", link.map(|link| RecordRef::new("list", link.list)))
        .with("esc_serviceaddressbookid", *list)
        .with("esc_servicecontactid", row.contact.as_ref().map(|contact| contact.0))
        .with("esc_dateunsubscribed", row.since)
        .with("esc_reason", reason)
        .with("esc_origin", option(Set::Origin, origin))
        .with("esc_isactive", row.active)
        .with("esc_recordtype", kind.map_or(Value::Null, Value::from))
        .with("esc_contactid", first("contact"))
        .with("esc_leadid", first("lead"))
        .with("esc_accountid", first("account"))
        .with("esc_lastsyncedon", turn.now())
}

async fn note(turn: &mut Turn, told: Vec<Departure>, rejects: Vec<Reject>) -> Result<(), Halt> {
    turn.counts.to_crm.sent += (told.len() + rejects.len()) as u64;
    turn.counts.to_crm.changed += told.len() as u64;
    turn.counts.to_crm.rejected += rejects.len() as u64;
    let stored = turn.page("marketing.list_told_crm", move |tx, _| {
        async move { rows::told(tx, Told::Crm, &told).await }.boxed()
    });
    stored.await?;
    turn.reject(rejects).await?;
    Ok(())
}
