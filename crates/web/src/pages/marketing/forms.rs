//! Forms: what each asks, and its responses with the record that each made or found.

use axum::extract::State;
use axum::response::Html;
use serde_json::json;

use super::said;
use crate::app::App;
use crate::auth::SignedIn;
use crate::input::Path;
use crate::pages::render::page;
use crate::problem::Problem;

/// Responses on a page.
const RESPONSES: u64 = 100;

pub(in crate::pages) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
) -> Result<Html<String>, Problem> {
    let (forms, fault) = match app.operations.forms(&session.actor, None).await {
        Ok(forms) => (forms, None),
        Err(fault) => (Vec::new(), Some(said(fault)?)),
    };
    page(&app, &session, "forms.html", json!({ "here": "forms", "forms": forms, "fault": fault }))
}

pub(in crate::pages) async fn show(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Path((account, number)): Path<(String, i64)>,
) -> Result<Html<String>, Problem> {
    let detail = app.operations.form(&session.actor, &account, number, RESPONSES).await?;
    let values = json!({
        "here": "forms",
        "form": detail.form,
        "asks": detail.asks,
        "responses": detail.responses,
    });
    page(&app, &session, "form.html", values)
}
