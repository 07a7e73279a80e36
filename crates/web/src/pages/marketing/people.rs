//! One person: both sides' fields beside each other, the consent ledger with its proof of a day, what they did and answered, and
//! for whoever may: two records made one, and erasing. The address stands in the URL.

use axum::extract::State;
use axum::response::{Html, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postroom_core::RecordRef;
use postroom_operations::marketing::{Duty, ProofWanted};
use postroom_operations::{Permission, Session};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::said;
use crate::api::record_named;
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::Query;
use crate::pages::render::page;
use crate::pages::{back, done_sentence, text};
use crate::problem::Problem;

#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::pages) struct Filters {
    #[serde(default)]
    address: String,
    /// The day of the proof.
    #[serde(default)]
    on: String,
    /// `account`, `list:12`, `preference:3`.
    #[serde(default)]
    scope: String,
    /// `yes` counts what erasing would take.
    #[serde(default)]
    erase: String,
    #[serde(default)]
    done: Option<String>,
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let actor = &session.actor;
    let found = match filters.address.trim() {
        "" => json!({}),
        address => match app.operations.person(actor, address).await {
            Ok(person) => json!({ "person": person }),
            Err(fault) => json!({ "refused": said(fault)? }),
        },
    };
    let known = found.get("person").is_some();
    let may_erase =
        actor.role.may(Permission::Administer) && app.operations.has_duty(actor, Duty::Configure).await?;
    let values = json!({
        "here": "people",
        "done": done_sentence(filters.done.as_deref()),
        "found": found,
        "proofs": if known { proofs(&app, &session, &filters).await? } else { json!({}) },
        "erasure": if known && may_erase { erasure(&app, &session, &filters).await? } else { json!({}) },
        "may_suppress": app.operations.has_duty(actor, Duty::Suppress).await?,
        "may_configure": app.operations.has_duty(actor, Duty::Configure).await?,
        "may_erase": may_erase,
        "filters": filters,
    });
    page(&app, &session, "people.html", values)
}

/// Whether the person could be mailed on the day, now when none was given.
async fn proofs(app: &App, session: &Session, filters: &Filters) -> Result<Value, Problem> {
    let scope = Some(filters.scope.clone()).filter(|scope| !scope.is_empty());
    let on = match moment(&filters.on) {
        Ok(on) => on,
        Err(refused) => return Ok(json!({ "refused": refused })),
    };
    let wanted = ProofWanted { address: filters.address.clone(), account: None, scope, on };
    match app.operations.prove_consent(&session.actor, &wanted).await {
        Ok(all) => Ok(json!({ "all": all })),
        Err(fault) => Ok(json!({ "refused": said(fault)? })),
    }
}

/// The end of the day that was given: what happened on it counts.
fn moment(text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("{text:?} is no day: write 2026-03-10");
    let day: Date = text.parse().map_err(|_| wrong())?;
    let next = day.tomorrow().and_then(|next| next.to_zoned(TimeZone::UTC)).map_err(|_| wrong())?;
    Ok(Some(next.timestamp() - jiff::SignedDuration::from_micros(1)))
}

/// What erasing would take, when it was asked for.
async fn erasure(app: &App, session: &Session, filters: &Filters) -> Result<Value, Problem> {
    if filters.erase != "yes" {
        return Ok(json!({}));
    }
    match app.operations.erase_person(&session.actor, &filters.address, true).await {
        Ok(counted) => Ok(json!({ "counted": counted })),
        Err(fault) => Ok(json!({ "refused": said(fault)? })),
    }
}

fn of(address: &str) -> String {
    format!("/people?address={}", text::in_path(address))
}

pub(in crate::pages) async fn erase(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    let address = sent.field("address");
    let receipt = app.operations.erase_person(sent.actor(), address, false).await?;
    Ok(back(&of(address), if receipt.is_whole() { "erased" } else { "erased-partly" }))
}

pub(in crate::pages) async fn merge(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    let (from, into): (RecordRef, RecordRef) =
        (record_named(sent.field("from"))?, record_named(sent.field("into"))?);
    app.operations.merge_people(sent.actor(), &from, &into, false).await?;
    Ok(back(&of(sent.field("address")), "merged"))
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_day_is_proved_at_its_end() {
        let end = moment("2026-03-10").unwrap().unwrap();
        assert_eq!(end.to_string(), "2026-03-10T23:59:59.999999Z");
        assert_eq!(moment(""), Ok(None));
        assert!(moment("yesterday").is_err());
    }
}
