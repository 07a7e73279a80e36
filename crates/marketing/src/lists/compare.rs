//! The comparison of a list: every address that either side has or both had, in pages of the store, so that memory stays flat.
//! What it finds is kept with each address (`list_member.todo`) until it is done; nothing else is changed yet.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::FutureExt;
use postroom_core::RecordRef;
use postroom_store::sql::{Expr, ExprTrait, Order, Query, Value};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::decide::{Facts, Todo, decide};
use super::here::{Action, CrmList};
use crate::consent::gate::{self, Asked};
use crate::consent::standing::{Block, Known, Purpose, blocks};
use crate::sync::Turn;

/// Addresses of one page.
const PAGE: u64 = 1000;
const ASKED: usize = 256;

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Addresses of members in the CRM, and people on the service's list.
    pub here: u64,
    pub there: u64,
    /// Members who get no mail by this list.
    pub left_out: u64,
    pub todo: BTreeMap<Todo, u64>,
}

impl Found {
    pub fn of(&self, todo: Todo) -> u64 {
        self.todo.get(&todo).copied().unwrap_or(0)
    }

    fn add(&mut self, other: Found) {
        self.here += other.here;
        self.there += other.there;
        self.left_out += other.left_out;
        for (todo, number) in other.todo {
            *self.todo.entry(todo).or_default() += number;
        }
    }
}

/// A row of `list_member`.
struct Member {
    address: String,
    contact: Option<i64>,
    /// The reading of the service that saw it last; 0 is not there.
    there: i64,
    agreed: bool,
    todo: String,
    record: Option<Uuid>,
}

const COLUMNS: [&str; 8] = ["account", "list", "address", "contact", "there", "agreed", "todo", "record"];

impl Member {
    /// The row as it is kept from now on.
    fn row(self, frame: &Frame, todo: Todo, lead: Option<Uuid>) -> [Value; COLUMNS.len()] {
        let agreed = match todo {
            Todo::Agree => true,
            Todo::Disagree => false,
            _ => self.agreed,
        };
        [
            frame.account.as_str().into(),
            frame.list.into(),
            self.address.into(),
            self.contact.into(),
            self.there.into(),
            agreed.into(),
            todo.as_str().into(),
            lead.into(),
        ]
    }
}

/// What stays the same over the pages.
#[derive(Clone)]
struct Frame {
    account: String,
    list: Uuid,
    table: &'static str,
    dynamic: bool,
    action: Action,
    dry: bool,
}

/// Compares a list whole.
///
/// # Errors
/// The store's.
pub async fn run(turn: &Turn, list: &CrmList) -> Result<Found, Error> {
    let frame = Frame {
        account: turn.account.name.clone(),
        list: list.at.id,
        table: list.table,
        dynamic: list.dynamic,
        action: list.action,
        dry: turn.dry,
    };
    let (mut found, mut after) = (Found::default(), String::new());
    loop {
        let (frame, behind) = (frame.clone(), after.clone());
        let unit = turn.engine.store.write("marketing.list_compared", move |tx| {
            async move { page(tx, &frame, &behind).await }.boxed()
        });
        let (part, last) = unit.await?;
        found.add(part);
        match last {
            Some(last) => after = last,
            None => return Ok(found),
        }
    }
}

async fn page(tx: &mut Tx, frame: &Frame, after: &str) -> Result<(Found, Option<String>), Error> {
    let members = members(tx, frame, after).await?;
    let Some(last) = members.last().map(|member| member.address.clone()) else {
        return Ok((Found::default(), None));
    };
    let addresses: Vec<String> = members.iter().map(|member| member.address.clone()).collect();
    let records = records(tx, frame, &addresses).await?;
    let asked: Vec<Asked> = addresses.into_iter().map(|address| Asked { address, member: None }).collect();
    let known = gate::known(tx, &frame.account, &asked, Some(frame.list)).await?;
    let mut found = Found::default();
    let mut kept = Insert::into("list_member", &COLUMNS).or_replace_by(&["account", "list", "address"]);
    let mut forgotten = Vec::new();
    for (member, known) in members.into_iter().zip(known) {
        let own = records.get(&member.address).map(Vec::as_slice).unwrap_or_default();
        let (facts, lead) = facts(frame, &member, own, &known);
        let todo = decide(facts);
        found.here += u64::from(facts.here);
        found.there += u64::from(facts.there);
        found.left_out += u64::from(facts.here && facts.blocked);
        *found.todo.entry(todo).or_default() += 1;
        let settles = matches!(todo, Todo::Agree | Todo::Forget | Todo::Disagree);
        if (settles && !frame.dry) || member.todo != todo.as_str() || member.record != lead {
            // What was agreed is no dry run's to change; what was found is only kept until the next comparison.
            let todo = if frame.dry && todo.as_str().is_empty() { Todo::Nothing } else { todo };
            match todo {
                Todo::Forget => forgotten.push(member.address),
                _ => drop(kept.row(member.row(frame, todo, lead))),
            }
        }
    }
    tx.insert(&kept).await?;
    forget(tx, frame, &forgotten).await?;
    Ok((found, Some(last)))
}

/// What is so with an address, and the record that stands for it: an active member, the lowest id of several.
fn facts(frame: &Frame, member: &Member, own: &[Uuid], known: &Known) -> (Facts, Option<Uuid>) {
    let active: HashSet<Uuid> = known
        .holders
        .iter()
        .filter(|holder| holder.active && holder.at.table == frame.table)
        .map(|holder| holder.at.id)
        .collect();
    let lead = own.iter().copied().filter(|id| active.contains(id)).min();
    // Somebody whom no record has is not blocked by that: the service knows the person.
    let against: Vec<Block> = blocks(known, Purpose::Marketing)
        .into_iter()
        .filter(|block| !matches!(block, Block::Inactive(_)))
        .collect();
    let here = !own.is_empty();
    let pending = |block: &Block| match block {
        Block::PendingOptIn => true,
        Block::Suppressed(known) => known.status == postroom_core::marketing::Status::PendingOptIn,
        _ => false,
    };
    let idle = here && lead.is_none();
    let facts = Facts {
        here,
        blocked: !against.is_empty() || idle,
        pending: !against.is_empty() && !idle && against.iter().all(pending),
        there: member.there > 0,
        agreed: member.agreed,
        known: !active.is_empty(),
        dynamic: frame.dynamic,
        action: frame.action,
    };
    (facts, lead.filter(|_| here))
}

async fn members(tx: &mut Tx, frame: &Frame, after: &str) -> Result<Vec<Member>, Error> {
    let select = Query::select()
        .columns(["address", "contact", "there", "agreed", "todo", "record"])
        .from("list_member")
        .and_where(Expr::col("account").eq(frame.account.as_str()))
        .and_where(Expr::col("list").eq(frame.list))
        .and_where(Expr::col("address").gt(after))
        .order_by("address", Order::Asc)
        .limit(PAGE)
        .to_owned();
    let read = |row: &postroom_store::Row| {
        Ok(Member {
            address: row.at(0)?,
            contact: row.at(1)?,
            there: row.at(2)?,
            agreed: row.at(3)?,
            todo: row.at(4)?,
            record: row.at(5)?,
        })
    };
    tx.query(&select).await?.iter().map(read).collect()
}

/// The members in the CRM with each of these addresses.
async fn records(
    tx: &mut Tx,
    frame: &Frame,
    addresses: &[String],
) -> Result<HashMap<String, Vec<Uuid>>, Error> {
    let mut found: HashMap<String, Vec<Uuid>> = HashMap::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["address", "record"])
            .from("list_record")
            .and_where(Expr::col("account").eq(frame.account.as_str()))
            .and_where(Expr::col("list").eq(frame.list))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&select).await? {
            found.entry(row.at(0)?).or_default().push(row.at(1)?);
        }
    }
    Ok(found)
}

async fn forget(tx: &mut Tx, frame: &Frame, addresses: &[String]) -> Result<(), Error> {
    for some in addresses.chunks(ASKED) {
        let mut delete = Query::delete();
        delete
            .from_table("list_member")
            .and_where(Expr::col("account").eq(frame.account.as_str()))
            .and_where(Expr::col("list").eq(frame.list))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
        tx.execute(&delete).await?;
    }
    Ok(())
}

/// The people for whom something is to be done, behind an address: the address, the number at the service, the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    pub address: String,
    pub contact: Option<i64>,
    pub record: Option<RecordRef>,
}

pub(super) async fn to_do(
    tx: &mut Tx,
    (account, list, table): (&str, Uuid, &str),
    todo: Todo,
    after: &str,
    limit: u64,
) -> Result<Vec<Doing>, Error> {
    let select = Query::select()
        .columns(["address", "contact", "record"])
        .from("list_member")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("list").eq(list))
        .and_where(Expr::col("todo").eq(todo.as_str()))
        .and_where(Expr::col("address").gt(after))
        .order_by("address", Order::Asc)
        .limit(limit)
        .to_owned();
    let doing = |row: &postroom_store::Row| {
        let record: Option<Uuid> = row.at(2)?;
        let record = record.map(|id| RecordRef::new(table, id));
        Ok(Doing { address: row.at(0)?, contact: row.at(1)?, record })
    };
    tx.query(&select).await?.iter().map(doing).collect()
}
