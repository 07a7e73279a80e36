//! `/api/v1/marketing/campaigns` and `/sends`

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use postroom_operations::marketing::{
    AudienceView, CampaignReport, CampaignView, CampaignsWanted, SEND_STATES, SendAsk, SendChange, SendOrder,
    SendOrderKind, SendView, SendsWanted, SplitWish, TestReport,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::messages::{Trial, limit};
use crate::api::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CampaignListing {
    /// Only this account.
    account: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// What parts a number from its account in a cursor.
const JOINT: char = '/';

/// Where a page begins, as it was given.
pub(crate) fn after(cursor: Option<&str>) -> Result<Option<(String, i64)>, Problem> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let parts = cursor.rsplit_once(JOINT);
    let read = parts.and_then(|(account, id)| Some((account.to_owned(), id.parse().ok()?)));
    read.map(Some).ok_or_else(|| Problem::input("cursor: use the value of next as it was given"))
}

/// The cursor behind a campaign.
pub(crate) fn cursor(last: &CampaignView) -> String {
    format!("{}{JOINT}{}", last.account, last.id)
}

/// Campaigns as they were last read, account by account, those made last first.
#[utoipa::path(get, path = "/api/v1/marketing/campaigns", tag = "marketing_campaigns", params(CampaignListing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Campaigns), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<CampaignListing>,
) -> Result<Json<Value>, Problem> {
    let page = limit(listing.limit)?;
    let after = after(listing.cursor.as_deref())?;
    let wanted = CampaignsWanted { account: listing.account, after, limit: page + 1 };
    let mut items = app.operations.campaigns(&actor, wanted).await?;
    let more = items.len() > page as usize;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(cursor);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One campaign, by its number at the service, its name, or its row in the CRM.
#[utoipa::path(get, path = "/api/v1/marketing/campaigns/{account}/{campaign}", tag = "marketing_campaigns",
    params(("account" = String, Path), ("campaign" = String, Path)),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Campaign), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, campaign)): Path<(String, String)>,
) -> Result<Json<CampaignView>, Problem> {
    Ok(Json(app.operations.campaign(&actor, Some(&account), &campaign).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Reporting {
    /// Asks the service for its figures of now, in one call; otherwise those of the last run stand beside ours.
    #[serde(default)]
    ask: bool,
}

/// What came of a campaign: totals, opens of people and of machines, links, days, purchases, and gaps to the service's figures.
#[utoipa::path(get, path = "/api/v1/marketing/campaigns/{account}/{campaign}/report", tag = "marketing_campaigns",
    params(("account" = String, Path), ("campaign" = String, Path), Reporting),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::CampaignReport), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn report(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, campaign)): Path<(String, String)>,
    Query(reporting): Query<Reporting>,
) -> Result<Json<CampaignReport>, Problem> {
    Ok(Json(app.operations.campaign_report(&actor, Some(&account), &campaign, reporting.ask).await?))
}

/// Marketing lists.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lists {
    /// By name or id.
    lists: Vec<String>,
}

/// Says whom a send to lists would reach, who is left out and why, and what it costs. Nothing is written.
#[utoipa::path(post, path = "/api/v1/marketing/campaigns/{account}/{campaign}/audience", tag = "marketing_campaigns",
    params(("account" = String, Path), ("campaign" = String, Path)),
    extensions(("x-permission" = json!("marketing_edit"))),
    responses((status = 200, body = schema::CampaignAudience), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn audience(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, campaign)): Path<(String, String)>,
    input::Json(body): input::Json<Lists>,
) -> Result<Json<AudienceView>, Problem> {
    Ok(Json(app.operations.audience(&actor, Some(&account), &campaign, &body.lists).await?))
}

/// Who gets a test mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestTo {
    /// 1 to 10 addresses.
    to: Vec<String>,
}

/// Sends a campaign once to each of a few addresses, to look at. Who opted out gets none; a lost answer is not repeated.
#[utoipa::path(post, path = "/api/v1/marketing/campaigns/{account}/{campaign}/test", tag = "marketing_campaigns",
    params(("account" = String, Path), ("campaign" = String, Path), Trial),
    extensions(("x-permission" = json!("marketing_send_single"))),
    responses((status = 200, body = schema::TestReport), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn test(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, campaign)): Path<(String, String)>,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<TestTo>,
) -> Result<Json<TestReport>, Problem> {
    let (account, to, dry_run) = (Some(account.as_str()), &body.to, trial.dry_run);
    Ok(Json(app.operations.test_campaign(&actor, account, &campaign, to, dry_run).await?))
}

/// A send that is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// By name or id.
    lists: Vec<String>,
    /// The number of people that whoever asks believes in: another one refuses the send.
    expected_count: u64,
    /// Not before, RFC 3339; left out, at once.
    at: Option<String>,
    /// `METRIC/PERCENT/HOURS`, such as `opens/20/4`.
    split: Option<String>,
    /// It goes to whoever joins the lists from now on, `expected_count` at once at most, until it is cancelled.
    #[serde(default)]
    new_members: bool,
    /// A UUID of the caller's: the same again asks once.
    #[schema(value_type = Option<String>)]
    id: Option<Uuid>,
}

/// Asks for a send to lists. It is prepared, held here until its time, and handed over once.
#[utoipa::path(post, path = "/api/v1/marketing/campaigns/{account}/{campaign}/send", tag = "marketing_campaigns",
    params(("account" = String, Path), ("campaign" = String, Path), Trial),
    extensions(("x-permission" = json!("marketing_send"))),
    responses((status = 200, body = schema::SendOrder), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn send(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((account, campaign)): Path<(String, String)>,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<Ask>,
) -> Result<Json<SendOrder>, Problem> {
    let at = body.at.map(|at| at.parse::<Timestamp>()).transpose();
    let split = body.split.map(|split| split.parse::<SplitWish>()).transpose();
    let ask = SendAsk {
        account: Some(account),
        campaign,
        lists: body.lists,
        expected: body.expected_count,
        at: at.map_err(|_| Problem::at("/at", "at is a time such as 2026-01-31T00:00:00Z"))?,
        split: split.map_err(|text| Problem::at("/split", text))?,
        new_members: body.new_members,
        id: body.id,
    };
    Ok(Json(app.operations.ask_send(&actor, &ask, trial.dry_run).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SendListing {
    /// Only this account.
    account: Option<String>,
    /// Only sends of this campaign, by its number.
    campaign: Option<i64>,
    /// `preparing`, `waiting`, `held`, `paused`, `sending`, `unknown`, `sent`, `failed`, `cancelled`.
    state: Option<String>,
    /// 1 to 200, default 50.
    limit: Option<u64>,
    /// `next` of the page before.
    cursor: Option<Uuid>,
}

/// A state of sends by its word.
pub(crate) fn send_state(text: Option<&str>) -> Result<Option<String>, Problem> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if !SEND_STATES.contains(&text) => {
            Err(Problem::input(format!("state: use one of {}", SEND_STATES.join(", "))))
        }
        other => Ok(other.map(str::to_owned)),
    }
}

/// Sends, newest request first.
#[utoipa::path(get, path = "/api/v1/marketing/sends", tag = "marketing_sends", params(SendListing),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Sends), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn sends(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(listing): Query<SendListing>,
) -> Result<Json<Value>, Problem> {
    let page = limit(listing.limit)?;
    let wanted = SendsWanted {
        account: listing.account,
        campaign: listing.campaign,
        state: send_state(listing.state.as_deref())?,
        after: listing.cursor,
        limit: page + 1,
    };
    let mut items = app.operations.sends(&actor, wanted).await?;
    let more = items.len() > page as usize;
    items.truncate(page as usize);
    let next = items.last().filter(|_| more).map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One send: where it stands, what holds it, and what may be ordered.
#[utoipa::path(get, path = "/api/v1/marketing/sends/{id}", tag = "marketing_sends",
    params(("id" = String, Path, description = "The request's row in the CRM")),
    extensions(("x-permission" = json!("marketing_view"))),
    responses((status = 200, body = schema::Send), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn show_send(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<SendView>, Problem> {
    Ok(Json(app.operations.send(&actor, input::guid(&id)?).await?))
}

/// An order by its word in a path; `expect` needs its number.
pub(crate) fn send_order(word: &str, expected: Option<u64>) -> Result<SendOrderKind, Problem> {
    Ok(match (word, expected) {
        ("pause", _) => SendOrderKind::Pause,
        ("resume", _) => SendOrderKind::Resume,
        ("cancel", _) => SendOrderKind::Cancel,
        ("approve", _) => SendOrderKind::Approve,
        ("expect", Some(number)) => SendOrderKind::Expect(number),
        ("expect", None) => return Err(Problem::at("/expected_count", "say how many people are right")),
        ("go_on", _) => SendOrderKind::GoOn,
        ("found", _) => SendOrderKind::Found,
        ("unsent", _) => SendOrderKind::Unsent,
        _ => return Err(Problem::not_found(format!("{word:?} is nothing that can be ordered of a send"))),
    })
}

/// What an order needs.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The number of people that is right, for `expect`.
    expected_count: Option<u64>,
}

/// Orders something of a send: `pause`, `resume`, `cancel`, `approve`; `expect` and `go_on` answer what it asks, `found` and
/// `unsent` say what became of one whose answer was lost.
#[utoipa::path(post, path = "/api/v1/marketing/sends/{id}/{order}", tag = "marketing_sends",
    params(("id" = String, Path, description = "The request's row in the CRM"), ("order" = String, Path), Trial),
    extensions(("x-permission" = json!("marketing_send"))),
    responses((status = 200, body = schema::SendChange), (status = "4XX", body = ProblemView)))]
pub(in crate::api) async fn order(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((id, order)): Path<(String, String)>,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<Order>,
) -> Result<Json<SendChange>, Problem> {
    let kind = send_order(&order, body.expected_count)?;
    Ok(Json(app.operations.order_send(&actor, input::guid(&id)?, kind, trial.dry_run).await?))
}
