//! Opt-outs: who gets no marketing mail, why, and the ways in and out. An address that is looked at stands in the URL.

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use postroom_core::Fault;
use postroom_operations::Session;
use postroom_operations::marketing::{Asking, Checked, Duty, LiftReport, Lifting, SuppressionsWanted};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{suppressions_after, suppressions_cursor};
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::Query;
use crate::pages::render::page;
use crate::pages::{back, done_sentence, text};
use crate::problem::{self, Problem, Said};

const PAGE: usize = 50;

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Filters {
    /// A part of the address.
    #[serde(default)]
    q: String,
    /// The address that is looked at.
    #[serde(default)]
    address: String,
    /// `yes` shows lifted ones too.
    #[serde(default)]
    all: String,
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    done: Option<String>,
}

pub(in crate::pages) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let looked = match filters.address.trim() {
        "" => None,
        address => Some(looked_at(&app, &session, address).await?),
    };
    shown(&app, &session, filters, looked, json!({})).await
}

/// What is known of one address; one that is none is a thing to correct in place.
async fn looked_at(app: &App, session: &Session, address: &str) -> Result<Value, Problem> {
    match app.operations.check_suppression(&session.actor, address, None).await {
        Ok(found) => Ok(json!({ "found": found, "liftable": liftable(&found) })),
        Err(fault) => Ok(json!({ "refused": wrong(fault)? })),
    }
}

/// Whether a suppression is there to lift; other marks in the CRM are lifted in the CRM.
fn liftable(found: &Checked) -> bool {
    found.reasons.iter().any(|reason| reason.text.starts_with("the address is suppressed"))
}

/// What a person can correct; anything else stays a problem.
pub(super) fn wrong(fault: Fault) -> Result<String, Problem> {
    match problem::status(&fault) {
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(fault.message),
        _ => Err(fault.into()),
    }
}

async fn shown(
    app: &App,
    session: &Session,
    filters: Filters,
    looked: Option<Value>,
    form: Value,
) -> Result<Html<String>, Problem> {
    let wanted = SuppressionsWanted {
        part: filters.q.clone(),
        account: None,
        active: (filters.all != "yes").then_some(true),
        after: suppressions_after(Some(&filters.cursor))?,
        limit: PAGE as u64 + 1,
    };
    let mut rows = app.operations.suppressions(&session.actor, wanted).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|last| suppressions_cursor(&last.address, &last.account));
    let values = json!({
        "here": "suppressions",
        "done": done_sentence(filters.done.as_deref()),
        "next": next.map(|next| url(&filters, Some(&next))),
        "first": (!filters.cursor.is_empty()).then(|| url(&filters, None)),
        "rows": rows,
        "filters": filters,
        "looked": looked,
        "form": form,
        "may_suppress": app.operations.has_duty(&session.actor, Duty::Suppress).await?,
    });
    page(app, session, "suppressions.html", values)
}

fn url(filters: &Filters, cursor: Option<&str>) -> String {
    let pair =
        |name: &str, value: &str| (!value.is_empty()).then(|| format!("{name}={}", text::in_path(value)));
    let pairs =
        [pair("q", &filters.q), pair("all", &filters.all), pair("cursor", cursor.unwrap_or_default())];
    let pairs: Vec<String> = pairs.into_iter().flatten().collect();
    if pairs.is_empty() { "/suppressions".into() } else { format!("/suppressions?{}", pairs.join("&")) }
}

fn of(address: &str) -> String {
    format!("/suppressions?address={}", text::in_path(address))
}

/// The page once more, with what is to be corrected.
fn refused(page: Html<String>) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Extension(Said), page).into_response()
}

/// Holds mail to an address back. What is wrong with it is said at the field, with what was typed.
pub(in crate::pages) async fn add(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    let asking = Asking { address: sent.field("address").to_owned(), account: None, reason: None };
    match app.operations.suppress(sent.actor(), &asking, false).await {
        Ok(done) => {
            let word = if done.new + done.changed > 0 { "suppressed" } else { "as-it-was" };
            Ok(back(&of(&asking.address), word))
        }
        Err(fault) => {
            let form = json!({ "add": asking.address, "add_wrong": wrong(fault)? });
            Ok(refused(shown(&app, sent.session(), Filters::default(), None, form).await?))
        }
    }
}

/// Lifts a suppression. Proof and day are needed; the operation judges both.
pub(in crate::pages) async fn lift(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    app.operations.needs_duty(sent.actor(), Duty::Suppress).await?;
    let address = sent.field("address").to_owned();
    let lifted = match moment(sent.field("at"), app.clock.now()) {
        Ok(at) => {
            let proof = sent.field("proof").to_owned();
            let lifting = Lifting { address: address.clone(), account: None, proof, at };
            let done = app.operations.lift_suppression(sent.actor(), &lifting, false).await;
            done.map_or_else(|fault| wrong(fault).map(Err), |done| Ok(Ok(done)))?
        }
        Err(text) => Err(text),
    };
    match lifted {
        Ok(LiftReport { still, .. }) => {
            Ok(back(&of(&address), if still.is_empty() { "lifted" } else { "lifted-partly" }))
        }
        Err(text) => {
            let looked = looked_at(&app, sent.session(), &address).await?;
            let form = json!({ "proof": sent.field("proof"), "at": sent.field("at"), "lift_wrong": text });
            let filters = Filters { address, ..Filters::default() };
            Ok(refused(shown(&app, sent.session(), filters, Some(looked), form).await?))
        }
    }
}

/// The moment that was given, in UTC; of a day its beginning: an opt-out of the same day stands.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if text.is_empty() {
        return Err("Say when the person said so: what was said later stands.".to_owned());
    }
    let wrong = || format!("{text:?} is no day: write 2026-03-10 or 2026-03-10T14:30");
    let read = text.parse::<Date>().map(|day| day.at(0, 0, 0, 0));
    let read = if text.contains('T') { text.parse::<DateTime>() } else { read };
    let at = read.map_err(|_| wrong())?.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp();
    match at > now {
        true => Err("The consent is dated in the future.".to_owned()),
        false => Ok(at),
    }
}
