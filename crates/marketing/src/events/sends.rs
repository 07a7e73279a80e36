//! Which send a recipient's mail belongs to: one that was asked for in the CRM, or one made at the service itself, which gets a
//! row of type *External*.
//!
//! The service tells when each mail left and not by which send. A mail belongs to the newest send that began before it, or at most
//! [`EARLY`] after it, as clocks differ; but not to one of more than a day before: then there was a send that nobody here knows of.
//! What was once decided stays, so reading again makes no other sends.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::query::Link;
use postroom_core::{Change, ChangeSet, Fault, Filter, Query as CrmQuery, Record, RecordRef, Value, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::facts::{Event, Facts};
use crate::keys;
use crate::solution::options::Set;
use crate::sync::turn::{rejected, written};
use crate::sync::{Halt, Turn};

pub const TABLE: &str = "esc_emailsend";
/// How much before its send a mail may seem to leave.
const EARLY: SignedDuration = SignedDuration::from_secs(30);
/// How long a send's mails may take.
const LASTS: SignedDuration = SignedDuration::from_hours(24);
/// Sends told at once.
const LOT: u64 = 200;

/// The sends of a campaign that the CRM knows, by when they began.
pub type Known = Vec<(Timestamp, Uuid)>;

/// Sends of a campaign that have begun, in the CRM.
///
/// # Errors
/// The CRM's.
pub async fn known(turn: &Turn, campaign: i64) -> Result<Known, Fault> {
    let row = turn.connected.key.campaign(campaign).id("esc_emailcampaign");
    let of_campaign = Filter::eq("esc_emailcampaignid", row);
    let begun = Filter::Not(Box::new(Filter::Null("esc_datesent".into())));
    let query = CrmQuery::of(TABLE).select(&["esc_datesent"]).filter(Filter::All(vec![of_campaign, begun]));
    let rows = turn.engine.crm.query(&query).await?;
    let mut known: Known = rows
        .iter()
        .filter_map(|row| match row.get("esc_datesent") {
            Some(Value::Time(at)) => Some((*at, row.at.id)),
            _ => None,
        })
        .collect();
    known.sort();
    Ok(known)
}

/// The send of a mail among those known, oldest first.
fn of_mail(known: &[(Timestamp, Uuid)], sent: Timestamp) -> Option<Uuid> {
    let (began, row) = known.iter().rev().find(|(began, _)| began.duration_since(sent) <= EARLY)?;
    (sent.duration_since(*began) <= LASTS).then_some(*row)
}

/// The sends of these recipients, by their keys; sends that nobody knew are written down, to be told.
pub async fn assign(
    tx: &mut Tx,
    account: &str,
    key: &keys::Account,
    campaign: i64,
    in_crm: &Known,
    recipients: &[Event],
) -> Result<HashMap<String, Uuid>, Error> {
    if recipients.is_empty() {
        return Ok(HashMap::new());
    }
    let mut known = found(tx, account, campaign).await?;
    known.extend(in_crm.iter().copied());
    known.sort();
    known.dedup();
    let mut sorted: Vec<(Timestamp, &str)> = recipients
        .iter()
        .filter_map(|event| match &event.facts {
            Facts::Recipient(counters) => Some((counters.sent?, event.key.as_str())),
            _ => None,
        })
        .collect();
    sorted.sort();
    let mut sends = HashMap::new();
    for (sent, of) in sorted {
        let row = match of_mail(&known, sent) {
            Some(row) => row,
            None => {
                let row = key.found_send(campaign, sent).id(TABLE);
                add(tx, account, campaign, sent, row).await?;
                known.push((sent, row));
                known.sort();
                row
            }
        };
        sends.insert(of.to_owned(), row);
    }
    Ok(sends)
}

async fn found(tx: &mut Tx, account: &str, campaign: i64) -> Result<Known, Error> {
    let select = Query::select()
        .columns(["at", "row"])
        .from("event_send")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("campaign").eq(campaign))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}

async fn add(tx: &mut Tx, account: &str, campaign: i64, at: Timestamp, row: Uuid) -> Result<(), Error> {
    let mut send = Insert::into("event_send", &["account", "campaign", "at", "row", "told_crm"]).or_skip();
    send.row([account.into(), campaign.into(), at.as_microsecond().into(), row.into(), false.into()]);
    tx.insert(&send).await.map(drop)
}

/// A send that the CRM has yet to hear of.
struct Untold {
    campaign: i64,
    at: Timestamp,
}

/// Tells the CRM of sends that were made at the service.
///
/// # Errors
/// The CRM's.
pub async fn tell(turn: &mut Turn) -> Result<(), Halt> {
    if turn.dry {
        return Ok(());
    }
    loop {
        let account = turn.account.name.clone();
        let sends = turn.read(move |tx| async move { untold(tx, &account).await }.boxed()).await?;
        if sends.is_empty() {
            return Ok(());
        }
        let sets = sends.iter().map(|send| ChangeSet { changes: vec![Change::Upsert(row(turn, send))] });
        let answers = turn.engine.crm.apply(sets.collect()).await;
        let mut rejects = Vec::new();
        for (send, answer) in sends.iter().zip(answers) {
            match answer {
                Ok(_) => {}
                Err(fault) if fault.verdict == Verdict::Reject => {
                    let subject = format!("send of campaign {} at {}", send.campaign, send.at);
                    rejects.push(rejected(subject, &fault, written(&row(turn, send))));
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        note(turn, sends).await?;
        turn.reject(rejects).await?;
    }
}

async fn untold(tx: &mut Tx, account: &str) -> Result<Vec<Untold>, Error> {
    let select = Query::select()
        .columns(["campaign", "at"])
        .from("event_send")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("told_crm").eq(false))
        .order_by("campaign", Order::Asc)
        .order_by("at", Order::Asc)
        .limit(LOT)
        .to_owned();
    tx.query(&select).await?.iter().map(|row| Ok(Untold { campaign: row.at(0)?, at: row.at(1)? })).collect()
}

fn row(turn: &Turn, send: &Untold) -> Record {
    let key = turn.connected.key.found_send(send.campaign, send.at);
    let campaign = turn.connected.key.campaign(send.campaign).id("esc_emailcampaign");
    let of_set = |set: Set, label: &str| set.value(label).map_or(Value::Null, Value::from);
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_name", format!("Sent in the e-mail service at {}", send.at))
        .with("esc_description", "Sent in the e-mail service")
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_emailcampaignid", RecordRef::new("esc_emailcampaign", campaign))
        .with("esc_scheduledsenddate", send.at)
        .with("esc_datesent", send.at)
        .with("esc_sendtype", of_set(Set::SendType, "External"))
        .with("esc_sendstatus", of_set(Set::SendStatus, "Sent"))
        .with("esc_lastsyncedon", turn.now())
}

async fn note(turn: &mut Turn, sends: Vec<Untold>) -> Result<(), Error> {
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.found_sends", move |tx, _| {
        async move {
            for send in sends {
                let mut update = Query::update();
                update
                    .table("event_send")
                    .value("told_crm", true)
                    .and_where(Expr::col("account").eq(account.as_str()))
                    .and_where(Expr::col("campaign").eq(send.campaign))
                    .and_where(Expr::col("at").eq(send.at.as_microsecond()));
                tx.execute(&update).await?;
            }
            Ok(())
        }
        .boxed()
    });
    stored.await
}

/// What a send says about whom its rows are about: the kind of record that its lists hold, and the list when it is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    pub table: Option<&'static str>,
    pub list: Option<Uuid>,
}

/// The marketing lists of sends.
///
/// # Errors
/// The CRM's.
pub async fn lists(turn: &Turn, sends: &HashSet<Uuid>) -> Result<HashMap<Uuid, Lists>, Fault> {
    if sends.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = sends.iter().map(|send| Value::Guid(*send)).collect();
    let of_sends = Link::new("esc_emailsend_list", "listid", "listid", "sent")
        .select(&["esc_emailsendid"])
        .filter(Filter::In("esc_emailsendid".into(), ids));
    let query = CrmQuery::of("list").select(&["createdfromcode"]).link(of_sends);
    let mut found: BTreeMap<Uuid, Vec<(Uuid, Option<&'static str>)>> = BTreeMap::new();
    for row in turn.engine.crm.query(&query).await? {
        let send = match row.get("sent.esc_emailsendid") {
            Some(Value::Guid(id)) => *id,
            Some(Value::Lookup(at)) => at.id,
            _ => continue,
        };
        let table = match row.int("createdfromcode") {
            Some(1) => Some("account"),
            Some(2) => Some("contact"),
            Some(4) => Some("lead"),
            _ => None,
        };
        found.entry(send).or_default().push((row.at.id, table));
    }
    let one = |lists: Vec<(Uuid, Option<&'static str>)>| {
        let first = lists.first().copied();
        let table = first.and_then(|(_, table)| table);
        let same = lists.iter().all(|(_, other)| *other == table);
        Lists { table: table.filter(|_| same), list: first.map(|(id, _)| id).filter(|_| lists.len() == 1) }
    };
    Ok(found.into_iter().map(|(send, lists)| (send, one(lists))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-01-{text}:00Z").parse().unwrap()
    }

    #[test]
    fn the_newest_send_before() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let known = [(at("02T08:00"), one), (at("02T12:00"), two)];
        let check =
            |sent: Timestamp, expected: Option<Uuid>| assert_eq!(of_mail(&known, sent), expected, "{sent}");
        check(at("02T08:00"), Some(one));
        check(at("02T11:59"), Some(one));
        check(at("02T11:59") + SignedDuration::from_secs(30), Some(two));
        check(at("03T12:00"), Some(two));
        // Long after the last one, and before the first.
        check(at("03T12:01"), None);
        check(at("02T07:00"), None);
    }
}
