//! Campaigns: the list, one with what came of it, and the way to a send: lists, whom it would reach, the number typed.

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use postroom_operations::Session;
use postroom_operations::marketing::{AudienceView, CampaignsWanted, Duty, SendAsk, SendsWanted, SplitWish};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plots;
use super::suppressions::wrong;
use crate::api::{campaigns_after, campaigns_cursor};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{Path, Query};
use crate::pages::render::page;
use crate::pages::{back, done_sentence, text};
use crate::problem::{Problem, Said};

/// Campaigns on a page.
const PAGE: usize = 50;
/// Sends shown with a campaign.
const SENDS: u64 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Listing {
    #[serde(default)]
    cursor: String,
}

fn path_of(account: &str, id: i64) -> String {
    format!("/campaigns/{}/{id}", text::in_path(account))
}

pub(in crate::pages) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(listing): Query<Listing>,
) -> Result<Html<String>, Problem> {
    let after = campaigns_after(Some(&listing.cursor))?;
    let wanted = CampaignsWanted { account: None, after, limit: PAGE as u64 + 1 };
    let mut rows = app.operations.campaigns(&session.actor, wanted).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(campaigns_cursor);
    let values = json!({
        "here": "campaigns",
        "next": next.map(|next| format!("/campaigns?cursor={}", text::in_path(&next))),
        "first": !listing.cursor.is_empty(),
        "rows": rows,
    });
    page(&app, &session, "campaigns.html", values)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Opened {
    /// `yes` asks the service for its figures of now.
    #[serde(default)]
    ask: String,
    #[serde(default)]
    done: Option<String>,
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((account, id)): Path<(String, i64)>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let (operations, actor) = (&app.operations, &session.actor);
    let name = id.to_string();
    let report = operations.campaign_report(actor, Some(&account), &name, opened.ask == "yes").await?;
    let sends = SendsWanted {
        account: Some(account.clone()),
        campaign: Some(id),
        limit: SENDS,
        ..SendsWanted::default()
    };
    let may_edit = operations.has_duty(actor, Duty::Edit).await?;
    let (lists, no_lists) = match may_edit {
        false => (Vec::new(), None),
        // A service or CRM that does not answer takes the form away, not the page.
        true => match operations.sendable_lists(actor, &account).await {
            Ok(lists) => (lists, None),
            Err(fault) => (Vec::new(), Some(fault.message)),
        },
    };
    let values = json!({
        "here": "campaigns",
        "done": done_sentence(opened.done.as_deref()),
        "path": path_of(&account, id),
        "steps": plots::steps(&report),
        "day_plot": plots::days(&report.days),
        "links": plots::links(&report.links),
        "marks": plots::marks(&report.marks),
        "report": report,
        "sends": operations.sends(actor, sends).await?,
        "lists": lists,
        "no_lists": no_lists,
        "may_edit": may_edit,
        "may_send": operations.has_duty(actor, Duty::Send).await?,
    });
    page(&app, &session, "campaign.html", values)
}

/// Whom a send to the lists of the query would reach: `list=GUID`, several times.
pub(in crate::pages) async fn audience(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((account, id)): Path<(String, i64)>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Html<String>, Problem> {
    let lists: Vec<String> =
        pairs.into_iter().filter(|(name, _)| name == "list").map(|(_, list)| list).collect();
    reach(&app, &session, &account, id, lists, json!({})).await
}

/// The page with the blast radius; what cannot be sent says so in its place.
async fn reach(
    app: &App,
    session: &Session,
    account: &str,
    id: i64,
    lists: Vec<String>,
    form: Value,
) -> Result<Html<String>, Problem> {
    let (operations, actor) = (&app.operations, &session.actor);
    let campaign = operations.campaign(actor, Some(account), &id.to_string()).await?;
    let found = operations.audience(actor, Some(account), &id.to_string(), &lists).await;
    let (audience, refused): (Option<AudienceView>, _) = match found {
        Ok(found) => (Some(found), None),
        Err(fault) => (None, Some(wrong(fault)?)),
    };
    let values = json!({
        "here": "campaigns",
        "path": path_of(account, id),
        "campaign": campaign,
        "minutes": audience.as_ref().map(|found| found.seconds.div_ceil(60)),
        "audience": audience,
        "refused": refused,
        "lists": lists.join(","),
        // The same form sent twice asks once.
        "id": form.get("id").cloned().unwrap_or_else(|| json!(operations.new_id())),
        "form": form,
        "may_send": operations.has_duty(actor, Duty::Send).await?,
    });
    page(app, session, "campaign_send.html", values)
}

/// Asks for the send. What is wrong is said on the page, with what was typed.
pub(in crate::pages) async fn send(
    State(app): State<App>,
    Path((account, id)): Path<(String, i64)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let lists: Vec<String> =
        sent.field("lists").split(',').filter(|list| !list.is_empty()).map(str::to_owned).collect();
    let asked = match ask(&account, id, lists.clone(), &sent) {
        Err(text) => Err(text),
        Ok(ask) => match app.operations.ask_send(sent.actor(), &ask, false).await {
            Ok(order) => Ok(order),
            Err(fault) => Err(wrong(fault)?),
        },
    };
    match asked {
        Ok(_) => Ok(back("/sends", "send-asked")),
        Err(text) => {
            let form = json!({
                "wrong": text,
                "expected": sent.field("expected"),
                "at": sent.field("at"),
                "split": sent.field("split"),
                "new_members": sent.field("new_members"),
                "id": sent.field("id"),
            });
            let again = reach(&app, sent.session(), &account, id, lists, form).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Extension(Said), again).into_response())
        }
    }
}

fn ask(account: &str, id: i64, lists: Vec<String>, sent: &Sent) -> Result<SendAsk, String> {
    let expected = sent.field("expected").replace([' ', '\u{202f}'], "");
    let split = Some(sent.field("split")).filter(|split| !split.is_empty());
    Ok(SendAsk {
        account: Some(account.to_owned()),
        campaign: id.to_string(),
        lists,
        expected: expected.parse().map_err(|_| "Type the number of people that you expect.".to_owned())?,
        at: moment(sent.field("at"))?,
        split: split.map(str::parse::<SplitWish>).transpose()?,
        new_members: sent.field("new_members") == "yes",
        id: sent.field("id").parse().ok(),
    })
}

/// What a field for date and time sends, as UTC. Nothing is at once.
fn moment(text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let at: DateTime = text.parse().map_err(|_| format!("{text:?} is no time: write 2026-03-10T09:00"))?;
    at.to_zoned(TimeZone::UTC).map(|at| Some(at.timestamp())).map_err(|error| error.to_string())
}
