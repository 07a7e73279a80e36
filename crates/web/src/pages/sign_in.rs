//! Signing in with a one-time link. Opening it uses nothing up, because scanners in mail servers open links too; the button
//! does.

use axum::Form;
use axum::extract::FromRequest;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::SET_COOKIE;
use serde::Deserialize;
use serde_json::json;

use super::done_sentence;
use crate::app::App;
use crate::auth::{self, Sent};
use crate::input::Query;
use crate::problem::Problem;

#[derive(Deserialize)]
pub(super) struct Opened {
    link: Option<String>,
    done: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    Query(opened): Query<Opened>,
) -> Result<Html<String>, Problem> {
    let done = done_sentence(opened.done.as_deref());
    app.pages.render("sign_in.html", json!({ "link": opened.link, "done": done }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    link: String,
}

pub(super) async fn enter(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    auth::same_origin(&app, &parts)?;
    let form = Form::<Entry>::from_request(Request::from_parts(parts, body), &app).await;
    let Form(entry) = form.map_err(|rejection| Problem::input(rejection.body_text()))?;
    let cookie =
        app.operations.sign_in(entry.link.trim()).await.map_err(|fault| match Problem::from(fault) {
            // A page of its own: sending the visitor back to the same dead link would help nobody.
            problem if problem.status == http::StatusCode::UNAUTHORIZED => Problem::denied(problem.detail),
            problem => problem,
        })?;
    Ok(with_cookie(&app, &cookie, "", Redirect::to("/").into_response()))
}

pub(super) async fn leave(State(app): State<App>, sent: Sent) -> Result<Response, Problem> {
    app.operations.sign_out(&sent.cookie).await?;
    let gone = "; Max-Age=0";
    Ok(with_cookie(&app, "", gone, Redirect::to("/sign-in?done=signed-out").into_response()))
}

/// A session cookie: the browser drops it when it closes, the server when the session ends.
fn with_cookie(app: &App, value: &str, more: &str, mut response: Response) -> Response {
    let secure = if app.secure { "; Secure" } else { "" };
    let name = auth::cookie_name(app);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
    let header = HeaderValue::try_from(text).expect("names and secrets are letters, digits and underscores");
    response.headers_mut().append(SET_COOKIE, header);
    response
}
