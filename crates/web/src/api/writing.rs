//! Writing mail of the embedded CRM by REST: about a record, or as the answer to a mail.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};
use postroom_core::RecordRef;
use postroom_operations::{About, Actor, Letter, NewFile, Permission, Unwritten};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messages::Trial;
use super::{schema, table_name};
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

/// A mail to be written. What is left out is filled in as the page's form begins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMail {
    /// A GUID, the e-mail's id to be: sent twice, it makes one e-mail.
    id: Option<String>,
    /// `TABLE/GUID` or address of a queue or user that may send.
    from: Option<String>,
    /// Addresses with commas between.
    to: Option<String>,
    /// The same.
    #[serde(default)]
    cc: String,
    subject: Option<String>,
    /// Plain.
    text: String,
    #[serde(default)]
    files: Vec<Attached>,
}

/// A file that goes with a mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attached {
    name: String,
    /// Media type.
    #[serde(rename = "type", default)]
    kind: String,
    /// Base64.
    body: String,
}

impl NewMail {
    fn letter(self) -> Result<Letter, Problem> {
        let id = self.id.map(|id| Uuid::parse_str(&id)).transpose();
        let file = |(place, file): (usize, Attached)| {
            let bytes = STANDARD.decode(&file.body);
            let bytes = bytes.map_err(|error| {
                Problem::at(format!("/files/{place}/body"), format!("body is no base64: {error}"))
            })?;
            Ok(NewFile { name: file.name, content_type: file.kind, bytes: bytes.into() })
        };
        Ok(Letter {
            id: id.map_err(|_| Problem::at("/id", "id is a GUID"))?,
            from: self.from,
            to: self.to,
            cc: self.cc,
            subject: self.subject,
            text: self.text,
            files: self.files.into_iter().enumerate().map(file).collect::<Result<_, Problem>>()?,
        })
    }
}

async fn written(
    app: &App,
    actor: &Actor,
    about: &About,
    mail: NewMail,
    dry_run: bool,
) -> Result<Response, Problem> {
    actor.needs(Permission::WriteRecords)?;
    let done = app.operations.write_mail(actor, about, mail.letter()?, dry_run).await;
    let done = done.map_err(|error| match error {
        Unwritten::Fault(fault) => Problem::from(fault),
        Unwritten::Fields(errors) => Problem::fields(errors),
    })?;
    let status = if done.new && !dry_run { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/api/v1/records/{}", done.email))];
    let location = (!dry_run).then_some(location);
    Ok((status, location.map(axum::response::AppendHeaders), Json(done)).into_response())
}

/// Writes a mail about a record: an e-mail of the CRM that waits to be sent. 201 when it is new, 200 when it was written
/// before.
#[utoipa::path(post, path = "/api/v1/records/{table}/{id}/mails", tag = "records",
    params(("table" = String, Path), ("id" = String, Path, description = "GUID"), Trial),
    extensions(("x-permission" = json!("write_records"))),
    responses((status = 201, body = schema::Written), (status = 200, body = schema::Written), (status = "4XX", body = ProblemView)))]
pub(super) async fn write(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, id)): Path<(String, String)>,
    Query(trial): Query<Trial>,
    input::Json(mail): input::Json<NewMail>,
) -> Result<Response, Problem> {
    let about = About::Record(RecordRef::new(table_name(&name)?, input::guid(&id)?));
    written(&app, &actor, &about, mail, trial.dry_run).await
}

/// Answers a mail that is filed in the CRM: to whom wrote it, about the same record, in its thread. 201 when it is new, 200
/// when it was written before.
#[utoipa::path(post, path = "/api/v1/messages/{id}/answer", tag = "messages",
    params(("id" = String, Path, description = "`msg_…`"), Trial), extensions(("x-permission" = json!("write_records"))),
    responses((status = 201, body = schema::Written), (status = 200, body = schema::Written), (status = "4XX", body = ProblemView)))]
pub(super) async fn answer(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Query(trial): Query<Trial>,
    input::Json(mail): input::Json<NewMail>,
) -> Result<Response, Problem> {
    written(&app, &actor, &About::Answer(input::id(&id)?), mail, trial.dry_run).await
}
