//! Writing a mail about a record, or answering one. What was typed is never lost: a refused form comes back as it was.

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use postroom_core::RecordRef;
use postroom_operations::{Actor, Composed, Draft, FieldError, NewMail};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::back;
use super::render::page;
use crate::api::table_name;
use crate::app::App;
use crate::auth::{Sent, SignedIn};
use crate::input::{self, Path, Query};
use crate::problem::{Problem, Said};

/// Bytes of a form with a mail's text in it.
pub(super) const FORM: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opened {
    /// The e-mail to be answered.
    answers: Option<String>,
}

fn record(table: &str, id: &str) -> Result<RecordRef, Problem> {
    Ok(RecordRef::new(table_name(table)?, input::guid(id)?))
}

pub(super) async fn form(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((table, id)): Path<(String, String)>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let at = record(&table, &id)?;
    let answers = opened.answers.as_deref().map(input::guid).transpose()?;
    let draft = app.operations.draft(&session.actor, &at, answers).await?;
    let typed = NewMail {
        id: draft.id,
        from: draft.from.clone(),
        to: draft.to.clone(),
        subject: draft.subject.clone(),
        answers,
        ..NewMail::default()
    };
    page(&app, &session, "write.html", values(&at, &draft, &typed, &[]))
}

fn values(at: &RecordRef, draft: &Draft, typed: &NewMail, errors: &[FieldError]) -> serde_json::Value {
    let of = |field: &str| errors.iter().find(|error| error.field == field).map(|error| error.text.as_str());
    json!({
        "here": "records",
        "at": at,
        "senders": draft.senders,
        "regarding": draft.regarding,
        "errors": errors,
        "wrong": { "from": of("from"), "to": of("to"), "cc": of("cc"), "subject": of("subject"), "text": of("text") },
        "typed": {
            "id": typed.id, "from": typed.from, "to": typed.to, "cc": typed.cc,
            "subject": typed.subject, "text": typed.text, "answers": typed.answers,
        },
    })
}

pub(super) async fn send(
    State(app): State<App>,
    Path((table, id)): Path<(String, String)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let at = record(&table, &id)?;
    let typed = typed(&sent)?;
    let actor: &Actor = sent.actor();
    match app.operations.compose_mail(actor, &at, &typed, false).await? {
        Composed::Made(_) | Composed::Would(_) => Ok(back(&format!("/records/{at}"), "written")),
        Composed::Known(_) => Ok(back(&format!("/records/{at}"), "written-before")),
        Composed::Refused(errors) => {
            let draft = app.operations.draft(actor, &at, typed.answers).await?;
            let page = page(&app, sent.session(), "write.html", values(&at, &draft, &typed, &errors))?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Extension(Said), page).into_response())
        }
    }
}

fn typed(sent: &Sent) -> Result<NewMail, Problem> {
    let id =
        Uuid::parse_str(sent.field("id")).map_err(|_| Problem::input("the form has no id: open it again"))?;
    let answers = Some(sent.field("answers")).filter(|answers| !answers.is_empty());
    let text = |name: &str| sent.field(name).to_owned();
    Ok(NewMail {
        id,
        from: text("from"),
        to: text("to"),
        cc: text("cc"),
        subject: text("subject"),
        text: text("text"),
        answers: answers.map(input::guid).transpose()?,
        files: Vec::new(),
    })
}
