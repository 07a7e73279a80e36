//! Sums on the CRM's standard campaigns that users tied e-mail campaigns to, and their target lists.

use std::collections::{BTreeMap, BTreeSet};

use postroom_core::query::Link;
use postroom_core::{Change, ChangeSet, Filter, Query, Record, RecordRef, Value, Verdict};
use uuid::Uuid;

use super::tell::TABLE;
use crate::sync::turn::{rejected, written};
use crate::sync::{Halt, Turn};

/// A column of the standard campaign, and the one of the e-mail campaign that it sums.
const SUMS: [(&str, &str); 4] = [
    ("esc_numsent", "esc_numtotalsent"),
    ("esc_numopens", "esc_numtotalopens"),
    ("esc_numclicks", "esc_numtotalclicks"),
    ("esc_numunsubscribes", "esc_numtotalunsubscribes"),
];
const COUNT: &str = "esc_emailcampaigncount";

pub(super) async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let mut wanted: Vec<&str> = SUMS.iter().map(|(_, from)| *from).collect();
    wanted.push("esc_campaignid");
    let tied = Filter::Not(Box::new(Filter::Null("esc_campaignid".to_owned())));
    let rows = turn.engine.crm.query(&Query::of(TABLE).select(&wanted).filter(tied)).await?;
    let mut sums: BTreeMap<Uuid, BTreeMap<&str, i64>> = BTreeMap::new();
    for row in &rows {
        let Some(campaign) = row.lookup("esc_campaignid") else { continue };
        let sum = sums.entry(campaign.id).or_default();
        *sum.entry(COUNT).or_default() += 1;
        for (to, from) in SUMS {
            *sum.entry(to).or_default() += row.int(from).unwrap_or(0);
        }
    }
    if sums.is_empty() || turn.dry {
        return Ok(());
    }
    let known = campaigns(turn, sums.keys().copied()).await?;
    write(turn, &sums, &known).await?;
    let targets =
        known.iter().filter(|row| row.get("esc_synctargets").and_then(Value::as_bool) == Some(true));
    attach(turn, targets.map(|row| row.at.id).collect()).await
}

async fn campaigns(turn: &Turn, ids: impl Iterator<Item = Uuid>) -> Result<Vec<Record>, Halt> {
    let ids: Vec<Value> = ids.map(Value::Guid).collect();
    let mut known = Vec::new();
    for some in ids.chunks(100) {
        let mut columns = vec![COUNT, "esc_synctargets"];
        columns.extend(SUMS.iter().map(|(to, _)| *to));
        let these = Filter::In("campaignid".to_owned(), some.to_vec());
        known.extend(turn.engine.crm.query(&Query::of("campaign").select(&columns).filter(these)).await?);
    }
    Ok(known)
}

/// Writes the sums that changed.
async fn write(
    turn: &mut Turn,
    sums: &BTreeMap<Uuid, BTreeMap<&str, i64>>,
    known: &[Record],
) -> Result<(), Halt> {
    let changed: Vec<Record> = known
        .iter()
        .filter_map(|row| {
            let sum = sums.get(&row.at.id)?;
            let differs = sum.iter().any(|(column, number)| row.int(column) != Some(*number));
            let record = Record::new(row.at.clone());
            differs.then(|| sum.iter().fold(record, |record, (column, number)| record.with(*column, *number)))
        })
        .collect();
    let sent: Vec<(String, String)> = changed.iter().map(|row| (row.at.to_string(), written(row))).collect();
    let sets = changed.into_iter().map(|row| ChangeSet { changes: vec![Change::Update(row)] }).collect();
    let mut rejects = Vec::new();
    for ((name, sent), answer) in sent.into_iter().zip(turn.engine.crm.apply(sets).await) {
        turn.counts.to_crm.sent += 1;
        match answer {
            Ok(_) => turn.counts.to_crm.changed += 1,
            Err(fault) if fault.verdict == Verdict::Reject => {
                turn.counts.to_crm.rejected += 1;
                rejects.push(rejected(name, &fault, sent));
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(turn.reject(rejects).await?)
}

/// Ties the lists that sends went to to the standard campaigns that want them as targets.
async fn attach(turn: &mut Turn, campaigns: BTreeSet<Uuid>) -> Result<(), Halt> {
    for campaign in campaigns {
        let of = Link::new(TABLE, "esc_emailcampaignid", "esc_emailcampaignid", "mail")
            .filter(Filter::eq("esc_campaignid", campaign));
        let mut send = Link::new("esc_emailsend", "esc_emailsendid", "esc_emailsendid", "send");
        send.links.push(of);
        let mut pair = Link::new("esc_emailsend_list", "listid", "listid", "pair");
        pair.links.push(send);
        let lists = turn.engine.crm.query(&Query::of("list").select(&["listid"]).link(pair)).await?;
        let there = Link::new("campaignitem", "entityid", "listid", "item")
            .filter(Filter::eq("campaignid", campaign));
        let there = turn.engine.crm.query(&Query::of("list").select(&["listid"]).link(there)).await?;
        let there: BTreeSet<Uuid> = there.iter().map(|row| row.at.id).collect();
        let new: BTreeSet<Uuid> =
            lists.iter().map(|row| row.at.id).filter(|id| !there.contains(id)).collect();
        if new.is_empty() {
            continue;
        }
        let lists: Vec<RecordRef> = new.into_iter().map(|id| RecordRef::new("list", id)).collect();
        let at = RecordRef::new("campaign", campaign);
        turn.engine.crm.associate("campaignlist_association", &at, &lists).await?;
    }
    Ok(())
}
