//! What a request row asks for, and whether it may: role, account, campaign and lists are fit.

use jiff::Timestamp;
use postroom_core::marketing::{Campaign, CampaignId, CampaignStatus};
use postroom_core::query::Link;
use postroom_core::{Code, Fault, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::row::{CampaignSend, Request, SplitAsk, Target};
use crate::solution::options::Set;
use crate::solution::roles::Duty;
use crate::sync::Turn;

pub(crate) const TABLE: &str = "esc_emailsend";
const LISTS: &str = "esc_emailsend_list";

/// A request that is fit, and the campaign it is for.
#[derive(Debug)]
pub(super) struct Fit {
    pub request: Request,
    pub campaign: Campaign,
}

/// Reads the request row of a send and everything it names.
///
/// # Errors
/// A refusal says in one sentence what is unfit; other faults are those of either side.
pub(super) async fn read(turn: &Turn, send: &CampaignSend) -> Result<Fit, Fault> {
    let by_id = Query::of(TABLE).filter(Filter::eq("esc_emailsendid", send.id));
    let Some(row) = turn.engine.crm.query(&by_id).await?.pop() else {
        return Err(unfit("the request row was deleted"));
    };
    let Some(actor) = row.lookup("createdby").map(|at| at.id) else {
        return Err(unfit("nobody knows who made the request: it has no createdby"));
    };
    let rules = &turn.engine.rules;
    if !rules.permits.may(turn.engine.crm.as_ref(), actor, Duty::Send).await? {
        return Err(unfit(
            "who asks may not send: it takes the role Email Marketing Manager; let somebody who has it make the request",
        ));
    }
    let campaign_row = campaign_row(turn, &row).await?;
    let repeats = yes(&campaign_row, "esc_allowrepeatsends");
    let campaign = service_campaign(turn, &campaign_row).await?;
    let split = split(&row)?;
    match (campaign.split_test, &split) {
        (true, None) => {
            return Err(unfit("the campaign is a split test: say the share, the hours and the metric"));
        }
        (false, Some(_)) => {
            return Err(unfit("the campaign has one version only: it cannot be split-tested"));
        }
        _ => {}
    }
    let of_type = |row: &Record, column, set| choice(row, column, set) == Some("New Member");
    let new_members = of_type(&row, "esc_sendtype", Set::SendType)
        || of_type(&campaign_row, "esc_campaigntype", Set::CampaignType);
    if new_members && split.is_some() {
        return Err(unfit("a send to new members has no audience to be split"));
    }
    let optimised = yes(&row, "esc_timeoptimised");
    if optimised && split.is_some() {
        return Err(unfit("a split test needs a time of its own: it cannot be optimised for each person"));
    }
    let request = Request {
        campaign: Some(campaign_row.at.id),
        campaign_name: campaign.name.clone(),
        actor: Some(actor),
        lists: lists(turn, send.id).await?,
        due: moment(&row, "esc_scheduledsenddate"),
        optimised,
        split,
        expected: number(&row, "esc_expectedcount"),
        repeats,
        new_members,
    };
    Ok(Fit { request, campaign })
}

pub(crate) fn unfit(text: impl Into<String>) -> Fault {
    Fault::reject(Code::MARKETING_STATE, text)
}

pub(crate) fn yes(row: &Record, column: &str) -> bool {
    row.get(column).and_then(Value::as_bool) == Some(true)
}

pub(crate) fn moment(row: &Record, column: &str) -> Option<Timestamp> {
    match row.get(column) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    }
}

pub(crate) fn number(row: &Record, column: &str) -> Option<u64> {
    row.int(column).and_then(|number| u64::try_from(number).ok())
}

pub(crate) fn choice(row: &Record, column: &str, set: Set) -> Option<&'static str> {
    set.option(i32::try_from(row.int(column)?).ok()?)
}

/// The campaign's row in the CRM that a request names: of this account, and not gone.
pub(super) async fn campaign_row(turn: &Turn, row: &Record) -> Result<Record, Fault> {
    let Some(at) = row.lookup("esc_emailcampaignid") else {
        return Err(unfit("the request names no campaign"));
    };
    campaign(turn, at.id).await
}

/// A campaign's row by its id.
pub(crate) async fn campaign(turn: &Turn, id: Uuid) -> Result<Record, Fault> {
    let by_id = Query::of("esc_emailcampaign").filter(Filter::eq("esc_emailcampaignid", id));
    let Some(found) = turn.engine.crm.query(&by_id).await?.pop() else {
        return Err(unfit("the campaign of the request is gone from the CRM"));
    };
    if found.lookup("esc_emailaccountid").map(|at| at.id) != Some(turn.connected.row().id) {
        return Err(unfit("the campaign belongs to another account of the service than the request"));
    }
    if yes(&found, "esc_isdeletedremotely") {
        return Err(unfit("the campaign was deleted at the service"));
    }
    Ok(found)
}

pub(super) fn service_id(campaign_row: &Record) -> Result<CampaignId, Fault> {
    let id = campaign_row.int("esc_servicecampaignid").filter(|id| *id > 0);
    id.map(CampaignId)
        .ok_or_else(|| unfit("the campaign's row does not say which campaign of the service it is"))
}

async fn service_campaign(turn: &Turn, row: &Record) -> Result<Campaign, Fault> {
    let id = service_id(row)?;
    let Some(campaign) = turn.account.service.campaign(&id).await? else {
        return Err(unfit("the campaign is not there any more at the service"));
    };
    match &campaign.status {
        CampaignStatus::Unsent | CampaignStatus::Sent => Ok(campaign),
        CampaignStatus::Triggered => {
            Err(unfit("a triggered campaign goes to single people, not to lists: use a single send"))
        }
        status => Err(unfit(format!("the campaign is {status} at the service; ask again when it is not"))),
    }
}

fn split(row: &Record) -> Result<Option<SplitAsk>, Fault> {
    if !yes(row, "esc_issplittestsend") {
        return Ok(None);
    }
    let small = |column: &str| number(row, column).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let (percent, hours) = (small("esc_splittestpercent"), small("esc_splittesthours"));
    let metric = choice(row, "esc_splittestmetric", Set::SplitMetric);
    match metric {
        Some(metric) if (1..=100).contains(&percent) && hours > 0 => {
            Ok(Some(SplitAsk { metric: metric.to_owned(), percent, hours }))
        }
        _ => Err(unfit("a split test needs a share of 1 to 100 %, hours, and a metric")),
    }
}

/// Whether a request names a list, any list.
pub(super) async fn names_lists(turn: &Turn, send: Uuid) -> Result<bool, Fault> {
    let pair = Link::new(LISTS, "listid", "listid", "pair").filter(Filter::eq("esc_emailsendid", send));
    Ok(!turn.engine.crm.query(&Query::of("list").select(&["listid"]).link(pair).top(1)).await?.is_empty())
}

/// The lists of a request, in the order of their ids.
async fn lists(turn: &Turn, send: Uuid) -> Result<Vec<Target>, Fault> {
    let pair = Link::new(LISTS, "listid", "listid", "pair").filter(Filter::eq("esc_emailsendid", send));
    targets(turn, &Query::of("list").link(pair)).await
}

/// Lists that a query answers, in the order of their ids, each fit to be sent to.
pub(crate) async fn targets(turn: &Turn, query: &Query) -> Result<Vec<Target>, Fault> {
    let mut rows = turn.engine.crm.query(query).await?;
    rows.sort_by_key(|row| row.at.id);
    rows.dedup_by_key(|row| row.at.id);
    if rows.is_empty() {
        return Err(unfit("the request names no list; to the service nobody named means everybody"));
    }
    rows.iter().map(|row| list(row, &turn.connected.row())).collect()
}

/// A list as a target of this account; the refusal says why it is none.
pub(crate) fn list(row: &Record, account: &RecordRef) -> Result<Target, Fault> {
    let name = row.text("listname").unwrap_or_default().to_owned();
    let wrong = |why: &str| Err(unfit(format!("the list {name:?} {why}")));
    if row.int("statecode").is_some_and(|state| state != 0) {
        return wrong("is inactive");
    }
    if !yes(row, "esc_activatedforemail") {
        return wrong("is not activated for e-mail");
    }
    if row.lookup("esc_emailaccountid").map(|at| at.id) != Some(account.id) {
        return wrong("does not belong to this account of the service");
    }
    Ok(Target { list: row.at.id, name })
}
