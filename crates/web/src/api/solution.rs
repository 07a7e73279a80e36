//! `/api/v1/solution`: the e-mail marketing solution in the CRM.
//!
//! An import may take longer than a request: it goes on when nobody waits for it any more, and `GET /api/v1/solution` says how
//! it ended.

use std::future::Future;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use postroom_core::{Code, Fault};
use postroom_operations::{Era, SolutionAsk, SolutionView};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::messages::Trial;
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::{self, Query};
use crate::problem::{Problem, ProblemView};

/// How long a request waits for the CRM; requests as a whole have two minutes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Generation {
    /// `2011`, `2013`, `2015`, `2016`, `365`; left out, the server's own.
    generation: Option<String>,
}

fn era(text: Option<&str>) -> Result<Option<Era>, Problem> {
    text.map(|text| text.parse::<Era>().map_err(Problem::input)).transpose()
}

/// How the solution stands in the CRM, and what an installation would change.
#[utoipa::path(get, path = "/api/v1/solution", tag = "solution", params(Generation), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Solution), (status = "4XX", body = ProblemView)))]
pub(super) async fn status(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Generation>,
) -> Result<Json<SolutionView>, Problem> {
    let ask = SolutionAsk { era: era(asked.generation.as_deref())?, ..SolutionAsk::default() };
    Ok(Json(app.operations.solution_status(&actor, &ask).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileWanted {
    /// `2011`, `2013`, `2015`, `2016`, `365`; left out, `365`.
    generation: Option<String>,
    /// A managed file: it can be taken out of the CRM again whole.
    #[serde(default)]
    managed: bool,
}

/// The solution as a file that a CRM imports.
#[utoipa::path(get, path = "/api/v1/solution/file", tag = "solution", params(FileWanted),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = Vec<u8>, content_type = "application/zip"), (status = "4XX", body = ProblemView)))]
pub(super) async fn file(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<FileWanted>,
) -> Result<Response, Problem> {
    let made = app.operations.solution_file(&actor, era(asked.generation.as_deref())?, asked.managed)?;
    let name = format!("attachment; filename=\"{}\"", made.name);
    let headers = [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, made.bytes).into_response())
}

/// How the solution is put into the CRM.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InstallSolution {
    /// `2011`, `2013`, `2015`, `2016`, `365`; left out, the server's own.
    generation: Option<String>,
    /// Work in the place of the connector whose mark the organisation bears.
    take_over: bool,
}

impl InstallSolution {
    fn ask(&self, trial: &Trial) -> Result<SolutionAsk, Problem> {
        let era = era(self.generation.as_deref())?;
        Ok(SolutionAsk { era, take_over: self.take_over, dry_run: trial.dry_run })
    }
}

/// Puts the solution into the CRM; what is there of it stays. 202 when the CRM is still at it: ask for the solution again later.
#[utoipa::path(post, path = "/api/v1/solution/install", tag = "solution", params(Trial),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Solution), (status = 202, body = schema::SolutionUnderWay),
        (status = "4XX", body = ProblemView)))]
pub(super) async fn install(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<InstallSolution>,
) -> Result<Response, Problem> {
    let (operations, ask) = (app.operations.clone(), body.ask(&trial)?);
    let work = async move { operations.solution_install(&actor, &ask, |_| {}).await };
    answer(in_time(PATIENCE, work).await)
}

/// Brings the solution in the CRM to this program's version; data stays. 202 as for an installation.
#[utoipa::path(post, path = "/api/v1/solution/upgrade", tag = "solution", params(Trial),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Solution), (status = 202, body = schema::SolutionUnderWay),
        (status = "4XX", body = ProblemView)))]
pub(super) async fn upgrade(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<InstallSolution>,
) -> Result<Response, Problem> {
    let (operations, ask) = (app.operations.clone(), body.ask(&trial)?);
    let work = async move { operations.solution_upgrade(&actor, &ask, |_| {}).await };
    answer(in_time(PATIENCE, work).await)
}

/// Which solution goes, and that its rows may go with it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UninstallSolution {
    /// Also when the organisation bears the mark of another connector.
    take_over: bool,
    /// How many tables go with their rows, as `dry_run=true` says. Needed for anything but a trial.
    expected_count: Option<u64>,
}

/// Takes the solution out of the CRM, with all its rows. It cannot be taken back. 202 as for an installation.
#[utoipa::path(post, path = "/api/v1/solution/uninstall", tag = "solution", params(Trial),
    extensions(("x-permission" = json!("administer"))),
    responses((status = 200, body = schema::Solution), (status = 202, body = schema::SolutionUnderWay),
        (status = "4XX", body = ProblemView)))]
pub(super) async fn uninstall(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    input::Json(body): input::Json<UninstallSolution>,
) -> Result<Response, Problem> {
    let (operations, take_over) = (app.operations.clone(), body.take_over);
    let mut ask = SolutionAsk { era: None, take_over, dry_run: true };
    let before = operations.solution_uninstall(&actor, &ask).await?;
    if trial.dry_run {
        return Ok(Json(before).into_response());
    }
    let count = before.tables.len() as u64;
    match body.expected_count {
        None => {
            let text = "say how many tables go, as dry_run=true counts them";
            return Err(Problem::at("/expected_count", text));
        }
        Some(expected) if expected != count => {
            let text =
                format!("{count} tables would go, not {expected} as expected_count says: nothing was done");
            return Err(Fault::reject(Code::API_CONFLICT, text).into());
        }
        Some(_) => ask.dry_run = false,
    }
    let work = async move { operations.solution_uninstall(&actor, &ask).await };
    answer(in_time(PATIENCE, work).await)
}

/// The end of some work, or `None` when it takes longer; then it goes on by itself.
async fn in_time<T: Send + 'static>(
    patience: Duration,
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<Option<T>, Fault> {
    let work = tokio::spawn(work);
    match tokio::time::timeout(patience, work).await {
        Err(_) => Ok(None),
        Ok(Ok(done)) => done.map(Some),
        Ok(Err(error)) => Err(Fault::bug(format!("the work on the solution ended early: {error}"))),
    }
}

fn answer(ended: Result<Option<SolutionView>, Fault>) -> Result<Response, Problem> {
    Ok(match ended? {
        Some(view) => Json(view).into_response(),
        None => {
            let at = [(header::LOCATION, "/api/v1/solution")];
            let told = json!({ "text": "The CRM is still at it. GET /api/v1/solution says how it stands." });
            (StatusCode::ACCEPTED, at, Json(told)).into_response()
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_takes_long_goes_on_without_its_caller() {
        let (go, wait) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let work = async move {
            wait.await.expect("it is told to go on");
            done.send(()).expect("somebody looks");
            Ok(())
        };
        assert!(in_time(Duration::ZERO, work).await.unwrap().is_none());
        go.send(()).expect("it still runs");
        ended.await.expect("it came to its end");
        let told = answer(Ok(None)).expect("no failure");
        assert_eq!(told.status(), StatusCode::ACCEPTED);
        assert_eq!(told.headers()[header::LOCATION], "/api/v1/solution");
        assert_eq!(in_time(PATIENCE, async { Ok(7) }).await.unwrap(), Some(7));
    }
}
