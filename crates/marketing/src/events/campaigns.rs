//! Which campaigns are to be read: those that the service names as active since the mark, and those named before that have not
//! been read yet. What is named is written down in the unit that moves the mark, so that none is forgotten.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::{Ask, Campaign};
use postroom_core::{Change, ChangeSet, Filter, Query as CrmQuery, Record, RecordRef, Value, Verdict};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};

use super::Flow;
use crate::solution::options::Set;
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Act, Halt, Turn};

const TABLE: &str = "esc_emailcampaign";
/// Campaigns of one question to the CRM.
const LOT: usize = 200;

/// How far the service has been asked which campaigns are active.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    /// When the last whole listing began, by the service's clock; what happens later is in the next one.
    until: Option<Timestamp>,
    /// A listing that goes on: its next page, since when it asks, and when it began.
    page: Option<String>,
    since: Option<Timestamp>,
    began: Option<Timestamp>,
}

/// A campaign that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub campaign: i64,
    pub name: String,
    /// The service's words.
    pub kind: String,
    pub status: String,
    pub version: i64,
}

impl Due {
    fn of(campaign: &Campaign) -> Self {
        Due {
            campaign: campaign.id.0,
            name: campaign.name.clone(),
            kind: campaign.kind.as_ref().map(ToString::to_string).unwrap_or_default(),
            status: campaign.status.to_string(),
            version: 0,
        }
    }
}

/// What is to be read, whose synchronisation is switched on in the CRM. `now` is the service's time.
///
/// # Errors
/// Faults of either side.
pub async fn due(turn: &mut Turn, flow: Flow, now: Timestamp) -> Result<Vec<Due>, Halt> {
    let named = list(turn, flow, now).await?;
    let account = turn.account.name.clone();
    let stored = turn.read(move |tx| async move { stored(tx, &account, flow).await }.boxed()).await?;
    // In a dry run what was named is not stored.
    let mut all: BTreeMap<i64, Due> = named.into_iter().map(|due| (due.campaign, due)).collect();
    all.extend(stored.into_iter().map(|due| (due.campaign, due)));
    enabled(turn, all.into_values().collect()).await
}

async fn list(turn: &mut Turn, flow: Flow, now: Timestamp) -> Result<Vec<Due>, Halt> {
    let (account, stream) = (turn.account.name.clone(), format!("{}/campaigns", flow.as_str()));
    let mut cursor: Cursor<Place> =
        turn.read(move |tx| async move { cursor::read(tx, &account, &stream).await }.boxed()).await?;
    if cursor.place.page.is_none() {
        (cursor.place.since, cursor.place.began) = (cursor.place.until, Some(now));
    }
    let overlap = turn.engine.rules.overlap;
    let since = cursor.place.since.and_then(|until| until.checked_sub(overlap).ok());
    let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
    let mut all = Vec::new();
    loop {
        let ask = Ask { after: cursor.place.page.clone(), ..Ask::default() };
        let page = turn.account.service.active_campaigns(since, &ask).await?;
        cursor.place.page = page.next;
        let more = cursor.place.page.is_some();
        if !more {
            cursor.place = Place { until: cursor.place.began, ..Place::default() };
        }
        let named: Vec<Due> = page.rows.iter().map(Due::of).collect();
        if turn.dry {
            all.extend(named.iter().cloned());
        }
        cursor = store(turn, flow, named, cursor).await?;
        if !more {
            return Ok(all);
        }
    }
}

async fn store(
    turn: &mut Turn,
    flow: Flow,
    named: Vec<Due>,
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Error> {
    let (account, dry) = (turn.account.name.clone(), turn.dry);
    let stored = turn.page("marketing.active_campaigns", move |tx, _| {
        async move {
            name(tx, &account, flow, &named).await?;
            if !dry {
                cursor.write(tx).await?;
            }
            Ok(cursor)
        }
        .boxed()
    });
    stored.await
}

/// Writes campaigns down as due.
async fn name(tx: &mut Tx, account: &str, flow: Flow, named: &[Due]) -> Result<(), Error> {
    let columns = ["account", "flow", "campaign", "name", "kind", "status", "due", "version"];
    for one in named {
        let mut update = Query::update();
        update
            .table("event_campaign")
            .value("name", one.name.as_str())
            .value("kind", one.kind.as_str())
            .value("status", one.status.as_str())
            .value("due", true)
            .value("version", Expr::col("version").add(1))
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("flow").eq(flow.as_str()))
            .and_where(Expr::col("campaign").eq(one.campaign));
        if tx.execute(&update).await? > 0 {
            continue;
        }
        let mut row = Insert::into("event_campaign", &columns).or_skip();
        row.row([
            account.into(),
            flow.as_str().into(),
            one.campaign.into(),
            one.name.as_str().into(),
            one.kind.as_str().into(),
            one.status.as_str().into(),
            true.into(),
            0_i64.into(),
        ]);
        tx.insert(&row).await?;
    }
    Ok(())
}

async fn stored(tx: &mut Tx, account: &str, flow: Flow) -> Result<Vec<Due>, Error> {
    let select = Query::select()
        .columns(["campaign", "name", "kind", "status", "version"])
        .from("event_campaign")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("flow").eq(flow.as_str()))
        .and_where(Expr::col("due").eq(true))
        .order_by("campaign", Order::Asc)
        .to_owned();
    let due = |row: &postroom_store::Row| {
        Ok(Due {
            campaign: row.at(0)?,
            name: row.at(1)?,
            kind: row.at(2)?,
            status: row.at(3)?,
            version: row.at(4)?,
        })
    };
    tx.query(&select).await?.iter().map(due).collect()
}

/// Notes that a campaign was read, unless it has been named again meanwhile.
pub async fn done(turn: &mut Turn, flow: Flow, due: &Due) -> Result<(), Error> {
    let (account, campaign, version) = (turn.account.name.clone(), due.campaign, due.version);
    let stored = turn.page("marketing.campaign_read", move |tx, _| {
        async move {
            let mut update = Query::update();
            update
                .table("event_campaign")
                .value("due", false)
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("flow").eq(flow.as_str()))
                .and_where(Expr::col("campaign").eq(campaign))
                .and_where(Expr::col("version").eq(version));
            tx.execute(&update).await.map(drop)
        }
        .boxed()
    });
    stored.await
}

/// Those whose row in the CRM is switched on. One without a row gets it, as what people did hangs on it; its figures and
/// texts are the flow of campaigns' business. What is switched off stays due, so that switching it on reads all of it.
async fn enabled(turn: &mut Turn, all: Vec<Due>) -> Result<Vec<Due>, Halt> {
    let mut on = Vec::new();
    for some in all.chunks(LOT) {
        let ids = some.iter().map(|due| Value::Guid(turn.connected.key.campaign(due.campaign).id(TABLE)));
        let query = CrmQuery::of(TABLE)
            .select(&["esc_syncenabled"])
            .filter(Filter::In(format!("{TABLE}id"), ids.collect()));
        let rows = turn.engine.crm.query(&query).await?;
        let state: BTreeMap<_, _> = rows
            .iter()
            .map(|row| (row.at.id, row.get("esc_syncenabled").and_then(Value::as_bool) != Some(false)))
            .collect();
        let id = |due: &Due| turn.connected.key.campaign(due.campaign).id(TABLE);
        let missing: Vec<Due> = some.iter().filter(|due| !state.contains_key(&id(due))).cloned().collect();
        let known = some.iter().filter(|due| state.get(&id(due)).copied().unwrap_or(false)).cloned();
        on.extend(known);
        on.extend(make(turn, missing).await?);
    }
    Ok(on)
}

async fn make(turn: &mut Turn, missing: Vec<Due>) -> Result<Vec<Due>, Halt> {
    if missing.is_empty() {
        return Ok(missing);
    }
    if turn.dry {
        let rows: Vec<Record> = missing.iter().map(|due| row(turn, due)).collect();
        turn.foresee_records(Act::Create, rows.iter().map(|row| (row, None)));
        return Ok(missing);
    }
    let sets = missing.iter().map(|due| ChangeSet { changes: vec![Change::Create(row(turn, due))] });
    let answers = turn.engine.crm.apply(sets.collect()).await;
    let (mut made, mut rejects) = (Vec::new(), Vec::new());
    for (due, answer) in missing.into_iter().zip(answers) {
        match answer {
            Ok(_) => made.push(due),
            Err(fault) if fault.verdict == Verdict::Reject => {
                rejects.push(crate::sync::turn::rejected(
                    format!("campaign {}", due.campaign),
                    &fault,
                    due.name,
                ));
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    turn.reject(rejects).await?;
    Ok(made)
}

fn row(turn: &Turn, due: &Due) -> Record {
    let key = turn.connected.key.campaign(due.campaign);
    let kind = Set::CampaignType.of_service(&due.kind).or_else(|| Set::CampaignType.value("Standard"));
    let name = crate::sends::cut(&due.name, 200);
    Record::new(RecordRef::new(TABLE, key.id(TABLE)))
        .with("esc_name", name.as_str())
        .with("esc_externalkey", key.as_str())
        .with("esc_emailaccountid", turn.connected.row())
        .with("esc_campaignname", name)
        .with("esc_servicecampaignid", due.campaign)
        .with("esc_campaigntype", kind)
        .with("esc_status", Set::CampaignStatus.of_service(&due.status))
        .with("esc_sendstate", Set::SendState.value("Send Complete"))
        .with("esc_issplittest", false)
        .with("esc_syncenabled", true)
        .with("esc_allowrepeatsends", false)
        .with("esc_isdeletedremotely", false)
        .with("esc_lastsyncedon", turn.now())
}
