//! The queue of requests that servers before 9.0 have: rows of `esc_messagequeue`, which users and workflows write
//! (marketing-entities.md 2.6).
//!
//! # Design
//!
//! * A row asks for what the buttons ask for, and by the same ways. For a send it becomes a row of `esc_emailsend`
//!   ([`sending`]) under the queue row's own id and in the name of its maker, so that one queue row is one send, with every gate
//!   that sends have. For a synchronisation the sync types are asked for ([`syncing`]).
//! * [`payload`] reads what a row says: the form in which dotMailer's own connector for SalesLogix wrote it
//!   (`CampaignSendData`), or an id.
//! * [`item`] is a row and its life: *Pending*, taken under a lease and *InProgress*, then *Complete*, *Failed*, or *Dead* when
//!   it was taken too often. A row is taken only as it was read, so two never take one. What is begun may be begun again: whoever
//!   dies over it leaves a lease that runs out.
//! * The flow of the sends looks at it each minute, first things due first ([`run`]). A row stays *InProgress* until what it asked
//!   for has ended, and says why it waits.
//! * A row without an account is for the only one there is; with several it is refused.

mod item;
mod payload;
mod sending;
mod syncing;

use jiff::Timestamp;
use postroom_core::query::Comparison;
use postroom_core::{Fault, Filter, Query, Value, Verdict};
use uuid::Uuid;

use crate::solution::options::Set;
use crate::sync::{Halt, Turn};
use item::{Item, Taken};
use payload::Asked;

pub(crate) const TABLE: &str = "esc_messagequeue";
/// Rows of one look.
const MOST: u64 = 1000;

/// How a row stands once it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// What it asked for goes on; perhaps with what it waits for.
    Waits(Option<String>),
    Complete,
    Failed(String),
    /// It was taken too often without an end.
    Dead(String),
}

/// Looks once: begins what is due, and tells rows what became of them.
///
/// # Errors
/// Those of the CRM and of the store. What is wrong with a row stands in the row.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    if !is_there(turn).await? {
        return Ok(());
    }
    for item in open(turn).await? {
        turn.counts.read += 1;
        if !turn.dry {
            one(turn, item).await?;
        }
    }
    Ok(())
}

/// The lists that rows of the queue ask for, taken or about to be.
///
/// # Errors
/// The CRM's.
pub async fn lists(turn: &Turn) -> Result<Vec<Uuid>, Fault> {
    if !is_there(turn).await? {
        return Ok(Vec::new());
    }
    let asked = open(turn).await?.into_iter().filter_map(|item| match item.asked() {
        Ok(Asked::List(list)) => Some(list),
        _ => None,
    });
    Ok(asked.collect())
}

async fn is_there(turn: &Turn) -> Result<bool, Fault> {
    Ok(has_queue(&turn.engine.crm.capabilities().await?.version))
}

/// Only the organisation's own words of a version begin with a number.
fn has_queue(version: &str) -> bool {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major < 9)
}

/// The account's rows that are due and have not ended, first things due first.
async fn open(turn: &Turn) -> Result<Vec<Item>, Fault> {
    let status = |label: &str| Set::QueueStatus.value(label).map_or(Value::Null, Value::from);
    let due = |at: Timestamp| {
        let past = Filter::Compare("esc_scheduledon".to_owned(), Comparison::Le, Value::Time(at));
        Filter::Any(vec![past, Filter::Null("esc_scheduledon".to_owned())])
    };
    let mut whose = vec![Filter::eq("esc_emailaccountid", turn.connected.row())];
    if is_first(turn) {
        whose.push(Filter::Null("esc_emailaccountid".to_owned()));
    }
    let query = Query::of(TABLE)
        .select(&item::COLUMNS)
        .filter(Filter::All(vec![
            Filter::In("esc_status".to_owned(), vec![status("Pending"), status("InProgress")]),
            due(turn.now()),
            Filter::Any(whose),
        ]))
        .order_by("esc_scheduledon", false)
        .top(MOST);
    let mut items: Vec<Item> = turn.engine.crm.query(&query).await?.into_iter().map(Item::of).collect();
    items.sort_by_key(Item::place);
    Ok(items)
}

/// Rows that name no account are looked at once.
fn is_first(turn: &Turn) -> bool {
    turn.engine.accounts.keys().next() == Some(&turn.account.name)
}

/// One row. A fault that is its own ends it; any other ends the run, and another run goes on when the lease has run out.
async fn one(turn: &mut Turn, item: Item) -> Result<(), Halt> {
    let taken = match item.take(turn).await? {
        Taken::Others => return Ok(()),
        Taken::TooOften(item) => {
            let text = format!(
                "it was taken {} times and never ended: look at the log, then write a new row",
                item.attempts
            );
            return item.settle(turn, Standing::Dead(text)).await;
        }
        Taken::Yes { item, fresh } => (item, fresh),
    };
    let (item, fresh) = taken;
    let standing = match stand(turn, &item, fresh).await {
        Ok(standing) => standing,
        Err(fault) if fault.verdict == Verdict::Reject => Standing::Failed(fault.message),
        Err(fault) => return Err(fault.into()),
    };
    item.settle(turn, standing).await
}

/// Begins what a row asks for, or sees how it went.
async fn stand(turn: &Turn, item: &Item, fresh: bool) -> Result<Standing, Fault> {
    let asked = match item.asked() {
        Ok(asked) => asked,
        Err(text) => return Ok(Standing::Failed(text)),
    };
    if item.account.is_none() && turn.engine.accounts.len() > 1 {
        let text = "there are several accounts of the service: say which one in Email Account, in a new row";
        return Ok(Standing::Failed(text.to_owned()));
    }
    match asked {
        Asked::Send(send) => sending::send(turn, item, send).await,
        Asked::Single(single) => sending::single(turn, item, &single).await,
        Asked::List(list) => syncing::list(turn, item, list, fresh).await,
        Asked::Campaign(campaign) => syncing::campaign(turn, item, campaign, fresh).await,
        Asked::Account(account) => syncing::account(turn, item, account).await,
        Asked::Sync(types) => syncing::types(turn, item, types).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_a_queue() {
        let check = |version: &str, expected: bool| assert_eq!(has_queue(version), expected, "{version}");
        check("5.0.9690.0", true);
        check("8.2.0.0", true);
        check("9.2.24044.200", false);
        check("embedded 0.1.0", false);
        check("", false);
    }
}
