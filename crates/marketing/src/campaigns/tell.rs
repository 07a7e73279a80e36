//! The CRM hears of campaigns that changed: a row of `esc_emailcampaign` for each.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use postroom_core::{Change, ChangeSet, Record, RecordRef, Value, Verdict};
use postroom_store::sql::{Expr, ExprTrait};

use super::row::{self, Row};
use crate::people::stored;
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

pub(super) const TABLE: &str = "esc_emailcampaign";
/// Rows of one lot.
const LOT: u64 = 200;

pub(super) async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let mut after = i64::MIN;
    loop {
        let account = turn.account.name.clone();
        let rows = turn.read(move |tx| {
            async move {
                let mut untold = row::select(&account, after);
                untold.and_where(Expr::col("told").eq(false)).limit(LOT);
                row::load(tx, &untold).await
            }
            .boxed()
        });
        let rows = rows.await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        tell(turn, rows).await?;
    }
}

async fn tell(turn: &mut Turn, rows: Vec<Row>) -> Result<(), Halt> {
    let fresh = |rows: &[Row]| rows.iter().filter(|row| !row.made).count() as u64;
    let side = |turn: &mut Turn, rows: &[Row]| {
        let side = &mut turn.counts.to_crm;
        side.sent += rows.len() as u64;
        side.new += fresh(rows);
        side.changed += rows.len() as u64 - fresh(rows);
    };
    if turn.dry {
        side(turn, &rows);
        return Ok(());
    }
    let sets = rows.iter().map(|row| ChangeSet { changes: changes(turn, row) }).collect();
    let answers = turn.engine.crm.apply(sets).await;
    let (mut told, mut rejects, mut stop) = (Vec::new(), Vec::new(), None);
    for (row, answer) in rows.into_iter().zip(answers) {
        match answer {
            Ok(_) => told.push(row),
            Err(fault) if fault.verdict == Verdict::Reject => {
                let subject = format!("campaign {} {}", row.id, row.name);
                rejects.push(crate::sync::turn::rejected(subject, &fault, row.header));
            }
            Err(fault) => stop = Some(fault),
        }
    }
    side(turn, &told);
    turn.counts.to_crm.sent += rejects.len() as u64;
    turn.counts.to_crm.rejected += rejects.len() as u64;
    let (account, told) =
        (turn.account.name.clone(), told.iter().map(|row| (row.id, row.version)).collect::<Vec<_>>());
    let noted = turn.page("marketing.campaigns_told", move |tx, _| {
        async move { row::told(tx, &account, &told).await }.boxed()
    });
    noted.await?;
    turn.reject(rejects).await?;
    stop.map_or(Ok(()), |fault| Err(fault.into()))
}

/// A row that is new takes the users' columns from the service or their defaults; from then on they are the users'.
fn changes(turn: &Turn, row: &Row) -> Vec<Change> {
    let header = stored::read(&row.header);
    let record = record(turn, row, &header);
    if row.made {
        return vec![Change::Upsert(record)];
    }
    let kind = match header.get("kind").and_then(Value::as_str) {
        Some("Triggered") => "Triggered",
        Some("Template") => "Template",
        Some("AiTemplate") => "AiTemplate",
        _ => "Standard",
    };
    let made = record
        .clone()
        .with("esc_campaigntype", Set::CampaignType.value(kind).map_or(Value::Null, Value::from))
        .with("esc_syncenabled", true)
        .with("esc_allowrepeatsends", false);
    // One that is there already keeps what users said.
    vec![Change::Create(made), Change::Upsert(record)]
}

fn record(turn: &Turn, row: &Row, header: &BTreeMap<String, Value>) -> Record {
    let key = turn.connected.key.campaign(row.id);
    let totals = row.totals.as_deref().map(stored::read).unwrap_or_default();
    let mut record = Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_servicecampaignid", row.id)
        .with("esc_isdeletedremotely", row.gone)
        .with("esc_lastsynchronised", turn.now())
        .with("esc_lastactivityupdate", row.counted)
        .with("esc_lastsyncedon", turn.now());
    // What the service no longer says is cleared.
    let says = [
        "esc_subject",
        "esc_fromname",
        "esc_fromaddress",
        "esc_replyaction",
        "esc_replyemail",
        "esc_lastsent",
    ];
    for column in
        says.into_iter().filter(|column| !header.contains_key(*column) && !totals.contains_key(*column))
    {
        record = record.with(column, Value::Null);
    }
    let header = header.iter().filter(|(name, _)| *name != "kind" && !totals.contains_key(name.as_str()));
    for (name, value) in header.chain(&totals) {
        record = record.with(name.as_str(), value.clone());
    }
    record
}
