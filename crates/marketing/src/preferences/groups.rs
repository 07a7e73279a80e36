//! Subscription groups of the CRM: marketing lists that are offered together. What a person chooses of an item
//! (`esc_emailpreference`) is leaving its list or joining it, the latter only when nothing newer speaks against it.
//!
//! A yes counts from the moment that its row names (`esc_changedon`): that somebody touched the row is no consent. A no counts from
//! the last change of its row on.

use std::collections::HashMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::{ListId, Status};
use postroom_core::{ChangesAsk, Query, Record, RecordRef, Value, Verdict};
use postroom_store::{Error, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::lists::links::{self, Link};
use crate::people;
use crate::suppressions::rows::{self as suppressions, Origin, SaidOut};
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Act, Halt, Sample, To, Turn};
use crate::unsubscribes::linked;
use crate::unsubscribes::rows::{self, SaidIn};
use crate::unsubscribes::unlinked;

const TABLE: &str = "esc_emailpreference";
const ITEM: &str = "esc_emailsubscriptiongroupitem";
const PAGE: u32 = 500;
const COLUMNS: [&str; 8] = [
    "esc_groupitemid",
    "esc_isoptedin",
    "esc_changedon",
    "esc_contactid",
    "esc_leadid",
    "esc_accountid",
    "modifiedon",
    "modifiedby",
];

/// How far the table has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Token(Option<String>);

/// The list of an item, with its link when the service has one for it.
#[derive(Clone)]
struct Listed {
    list: Uuid,
    link: Option<Link>,
}

/// A person's choice of an item's list.
struct Chosen {
    of: Listed,
    people: Vec<RecordRef>,
    opted_in: bool,
    /// None of a yes that is not dated.
    at: Option<Timestamp>,
    source: String,
    actor: String,
}

/// Reads what was chosen since the last look.
///
/// # Errors
/// The CRM's; what was stored until then stays.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let read = turn.read(move |tx| async move { cursor::read(tx, &account, "crm/groups").await }.boxed());
    let mut cursor: Cursor<Token> = read.await?;
    let mut lists = None;
    loop {
        let ask = ChangesAsk {
            table: TABLE.to_owned(),
            columns: Some(COLUMNS.map(str::to_owned).into()),
            since: cursor.place.0.clone(),
            size: PAGE,
        };
        let page = turn.engine.crm.changes(&ask).await?;
        if lists.is_none() && !page.records.is_empty() {
            lists = Some(items(turn).await?);
        }
        let now = turn.now();
        let none = HashMap::new();
        let lists = lists.as_ref().unwrap_or(&none);
        let chosen = page.records.iter().filter_map(|row| chosen(row, lists, now)).collect();
        cursor.place = Token(Some(page.token));
        let (moved, joins) = take(turn, page.records.len() as u64, chosen, cursor.clone()).await?;
        // Joining a list repeats safely; the mark moves when all of it is done.
        for (link, people) in joins {
            join(turn, &link, &people).await?;
        }
        cursor = moved;
        store(turn, &mut cursor).await?;
        if !page.more {
            return Ok(());
        }
    }
}

/// The list of each item.
async fn items(turn: &Turn) -> Result<HashMap<Uuid, Listed>, Halt> {
    let links = linked(turn).await?;
    let rows = turn.engine.crm.query(&Query::of(ITEM).select(&["esc_listid"])).await?;
    let listed = |row: &Record| {
        let list = row.lookup("esc_listid")?.id;
        Some(Listed { list, link: links.iter().find(|link| link.list == list).cloned() })
    };
    Ok(rows.iter().filter_map(|row| Some((row.at.id, listed(row)?))).collect())
}

fn chosen(row: &Record, items: &HashMap<Uuid, Listed>, now: Timestamp) -> Option<Chosen> {
    let of = row.lookup("esc_groupitemid").and_then(|item| items.get(&item.id))?.clone();
    let time = |column: &str| match row.get(column) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    let columns = ["esc_contactid", "esc_leadid", "esc_accountid"];
    let opted_in = row.get("esc_isoptedin").and_then(Value::as_bool) == Some(true);
    let at = match opted_in {
        true => time("esc_changedon"),
        false => Some(time("esc_changedon").max(time("modifiedon")).unwrap_or(now)),
    };
    Some(Chosen {
        of,
        people: columns.into_iter().filter_map(|column| row.lookup(column).cloned()).collect(),
        opted_in,
        at: at.map(|at| at.min(now)),
        source: row.at.to_string(),
        actor: row.lookup("modifiedby").map(ToString::to_string).unwrap_or_default(),
    })
}

type Joins = Vec<(Link, Vec<RecordRef>)>;

async fn take(
    turn: &mut Turn,
    read: u64,
    chosen: Vec<Chosen>,
    cursor: Cursor<Token>,
) -> Result<(Cursor<Token>, Joins), Error> {
    let (ids, now, account) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone());
    let stored = turn.page("marketing.groups_chosen", move |tx, counts| {
        async move {
            counts.read += read;
            let mut joins = Vec::new();
            for one in chosen {
                let Some(at) = one.at else {
                    counts.skip("not dated", one.people.len() as u64);
                    continue;
                };
                let (place, mut people) = ((account.as_str(), one.of.list), Vec::new());
                for person in &one.people {
                    let addresses = people::addresses_of(tx, person).await?;
                    if !one.opted_in {
                        let said: Vec<SaidOut> =
                            addresses.into_iter().map(|address| one.out(address, at)).collect();
                        unlinked::take(tx, &ids, now, place, Origin::Crm, &said).await?;
                    } else if may_join(tx, &ids, now, place, (&one, at), &addresses).await? {
                        people.push(person.clone());
                    } else {
                        counts.skip("gets no mail", 1);
                    }
                }
                if let Some(link) = one.of.link.filter(|_| !people.is_empty()) {
                    joins.push((link, people));
                }
            }
            Ok((cursor, joins))
        }
        .boxed()
    });
    stored.await
}

/// A person is let in by a choice that is newer than the word against the list; never while the account's suppression stands.
async fn may_join(
    tx: &mut Tx,
    ids: &postroom_core::Ids,
    now: Timestamp,
    (account, list): (&str, Uuid),
    (one, at): (&Chosen, Timestamp),
    addresses: &[String],
) -> Result<bool, Error> {
    if addresses.is_empty() || !suppressions::standing(tx, account, addresses).await?.is_empty() {
        return Ok(false);
    }
    let service = links::service_of(tx, account, list).await?;
    let mut may = true;
    for address in addresses {
        let Some(ListId(service)) = service else {
            unlinked::lift(tx, (account, list), address, at).await?;
            continue;
        };
        let said = SaidIn {
            address: address.clone(),
            at,
            source: one.source.clone(),
            actor: one.actor.clone(),
            proof: one.source.clone(),
        };
        may &= rows::lift(tx, ids, now, (account, service), &said).await?;
    }
    Ok(may)
}

impl Chosen {
    fn out(&self, address: String, at: Timestamp) -> SaidOut {
        SaidOut {
            address,
            status: Status::Unsubscribed,
            at,
            contact: None,
            source: self.source.clone(),
            actor: self.actor.clone(),
        }
    }
}

/// Makes people members of the CRM's list; the lists' own flow brings them to the service.
async fn join(turn: &mut Turn, link: &Link, people: &[RecordRef]) -> Result<(), Halt> {
    let of_kind: Vec<RecordRef> =
        people.iter().filter(|person| person.table == link.member_table).cloned().collect();
    let number = of_kind.len() as u64;
    if number == 0 {
        turn.counts.skip("of another kind than the list", people.len() as u64);
        return Ok(());
    }
    turn.counts.to_crm.sent += number;
    if turn.dry {
        turn.foresee(
            of_kind
                .iter()
                .map(|person| Sample::of(To::Crm, Act::Join, person).word("list", link.name.as_str())),
        );
        turn.counts.to_crm.new += number;
        return Ok(());
    }
    let relationship = format!("list{}_association", link.member_table);
    let at = RecordRef::new("list", link.list);
    match turn.engine.crm.associate(&relationship, &at, &of_kind).await {
        Ok(()) => turn.counts.to_crm.new += number,
        // A dynamic or locked list takes nobody.
        Err(fault) if fault.verdict == Verdict::Reject => {
            turn.counts.to_crm.rejected += number;
            let refused =
                |person: &RecordRef| crate::sync::turn::rejected(person.to_string(), &fault, at.to_string());
            let rejects = of_kind.iter().map(refused).collect();
            turn.reject(rejects).await?;
        }
        Err(fault) => return Err(fault.into()),
    }
    Ok(())
}

async fn store(turn: &mut Turn, cursor: &mut Cursor<Token>) -> Result<(), Error> {
    if turn.dry {
        return Ok(());
    }
    let mut moved = cursor.clone();
    let stored = turn.page("marketing.groups_read", move |tx, _| {
        async move {
            moved.write(tx).await?;
            Ok(moved)
        }
        .boxed()
    });
    *cursor = stored.await?;
    Ok(())
}
