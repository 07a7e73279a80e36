//! The pages: server-rendered, the same operations as the API, usable without script.
//!
//! * A GET changes nothing; forms post, and the answer is a redirect to the page that shows the result.
//! * Filters and cursors stand in the URL.
//! * Text out of mail goes through the templates' escaping, after [`text::visible`] made its control characters harmless.

mod assets;
mod mailboxes;
mod marketing;
mod message;
mod messages;
mod outgoing;
mod records;
pub(crate) mod render;
mod review;
mod shelf;
mod sign_in;
mod text;
mod today;
mod write;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postroom_core::code;
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::problem::Problem;

/// Bytes of a form.
const FORM: usize = 64 * 1024;

/// Every page.
pub(crate) fn routes() -> Router<App> {
    let written = get(write::form).post(write::send).layer(DefaultBodyLimit::max(write::FORM));
    Router::new()
        .route("/", get(today::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/messages", get(messages::list))
        .route("/messages/{id}", get(message::show))
        .route("/messages/{id}/body", get(message::body))
        .route("/messages/{id}/raw", get(message::raw))
        .route("/messages/{id}/download", get(message::download))
        .route("/messages/{id}/parts/{part}", get(message::part))
        .route("/messages/{id}/attach", post(message::attach))
        .route("/messages/{id}/reject", post(message::reject))
        .route("/messages/{id}/skip", post(message::skip))
        .route("/messages/{id}/replay", post(message::replay))
        .route("/messages/{id}/move", get(message::find_record))
        .route("/messages/{id}/undo", post(message::undo))
        .route("/review", get(review::list))
        .route("/outgoing", get(outgoing::list))
        .route("/outgoing/{id}", get(outgoing::show))
        .route("/outgoing/{id}/hold", post(outgoing::hold))
        .route("/outgoing/{id}/release", post(outgoing::release))
        .route("/outgoing/{id}/fail", post(outgoing::fail))
        .route("/mailboxes", get(mailboxes::list))
        .route("/mailboxes/{name}", get(mailboxes::show))
        .route("/mailboxes/{name}/pause", post(mailboxes::pause))
        .route("/mailboxes/{name}/resume", post(mailboxes::resume))
        .route("/mailboxes/{name}/rescan", post(mailboxes::rescan))
        .route("/records", get(records::list))
        .route("/records/{table}/{id}", get(records::show))
        .route("/records/{table}/{id}/write", written)
        .route("/attachments/{id}", get(records::attachment))
        .route("/shelf", get(shelf::list))
        .route("/shelf/{id}/replay", post(shelf::replay))
        .route("/shelf/{id}/give-up", post(shelf::give_up))
        .route("/sync", get(marketing::sync::overview))
        .route("/sync/runs", get(marketing::sync::runs))
        .route("/sync/runs/{id}", get(marketing::sync::show))
        .route("/sync/runs/{id}/confirm", post(marketing::sync::confirm))
        .route("/sync/runs/{id}/undo", get(marketing::sync::would_undo).post(marketing::sync::undo))
        .route("/sync/runs/{id}/replay", post(marketing::sync::replay))
        .route("/sync/accounts/{name}/pause", post(marketing::sync::pause))
        .route("/sync/accounts/{name}/resume", post(marketing::sync::resume))
        .route("/sync/accounts/{account}/{type}/run", post(marketing::sync::run_now))
        .route("/sync/accounts/{account}/{type}/dry-run", get(marketing::sync::trial))
        .route("/campaigns", get(marketing::campaigns::list))
        .route("/campaigns/{account}/{id}", get(marketing::campaigns::show))
        .route("/campaigns/{account}/{id}/audience", get(marketing::campaigns::audience))
        .route("/campaigns/{account}/{id}/send", post(marketing::campaigns::send))
        .route("/sends", get(marketing::sends::list))
        .route("/sends/single", get(marketing::singles::list))
        .route("/sends/single/{id}", get(marketing::singles::show))
        .route("/sends/single/{id}/{answer}", post(marketing::singles::decide))
        .route("/sends/{id}", get(marketing::sends::show))
        .route("/sends/{id}/{order}", post(marketing::sends::order))
        .route("/mappings", get(marketing::mapping::show))
        .route("/mappings/set", post(marketing::mapping::set))
        .route("/mappings/remove", post(marketing::mapping::remove))
        .route("/lists", get(marketing::lists::list))
        .route("/lists/{id}", get(marketing::lists::show))
        .route("/lists/{id}/sync", post(marketing::lists::sync))
        .route("/people", get(marketing::people::show))
        .route("/people/erase", post(marketing::people::erase))
        .route("/people/merge", post(marketing::people::merge))
        .route("/forms", get(marketing::forms::list))
        .route("/forms/{account}/{number}", get(marketing::forms::show))
        .route("/suppressions", get(marketing::suppressions::list))
        .route("/suppressions/add", post(marketing::suppressions::add))
        .route("/suppressions/lift", post(marketing::suppressions::lift))
        .route("/assets/{name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(FORM))
}

/// The page of a problem: what it is, what it means, what to do.
pub(crate) fn problem(app: &App, problem: &Problem, trace_id: Option<String>) -> Response {
    let entry = code::entry(problem.code);
    let page = app.pages.render(
        "problem.html",
        json!({
            "title": problem.title(),
            "status": problem.status.as_u16(),
            "code": problem.code.to_string(),
            "detail": problem.detail,
            "meaning": entry.map(|entry| entry.meaning),
            "action": entry.map(|entry| entry.action),
            "trace_id": trace_id,
        }),
    );
    match page {
        Ok(page) => (problem.status, page).into_response(),
        // The template of problems has a problem: say it plainly.
        Err(_) => (problem.status, problem.detail.clone()).into_response(),
    }
}

/// Back to a page after a change, with a word about it.
fn back(path: &str, done: &'static str) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{joint}done={done}")).into_response()
}

/// What a page is opened with when something was done before.
#[derive(Deserialize)]
struct Opened {
    done: Option<String>,
}

impl Opened {
    fn sentence(&self) -> Option<&'static str> {
        done_sentence(self.done.as_deref())
    }
}

/// The address of a page of a list: the rows of this state, those after this one.
fn list_url(path: &str, state: &str, cursor: Option<String>) -> String {
    let state =
        (!state.is_empty()).then(|| format!("state={}", utf8_percent_encode(state, NON_ALPHANUMERIC)));
    let cursor = cursor.map(|cursor| format!("cursor={cursor}"));
    let pairs: Vec<String> = [state, cursor].into_iter().flatten().collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// What the banner says after a change; only these words can be shown.
fn done_sentence(done: Option<&str>) -> Option<&'static str> {
    match done? {
        "attached" => Some("Attached. Later replies will follow."),
        "unchanged" => Some("Nothing changed: it was there already, or a person had placed it."),
        "rejected" => Some("Rejected: it belongs to no record."),
        "skipped" => Some("Skipped: it stays untracked."),
        "replayed" => Some("It will be decided again in a moment."),
        "undone" => Some("Undone: it stands as it did before."),
        "held" => Some("Held: it does not leave until it is released."),
        "released" => Some("Released: it leaves in a moment."),
        "failed" => Some("Given up. The CRM will say so in a moment."),
        "paused" => Some("Paused. Its watcher ends what it is at, then waits."),
        "resumed" => Some("Resumed. Its watcher looks again in a moment."),
        "as-it-was" => Some("Nothing changed: it was so already."),
        "rescan" => Some("Ordered: mail since that day is read again. Nothing is added twice."),
        "written" => Some("Written. It is queued and leaves in a moment."),
        "written-before" => Some("This mail was written before: it is not sent twice."),
        "tried" => Some("It will be tried again in a moment."),
        "given-up" => Some("Given up. The mail itself is kept."),
        "asked" => Some("Asked for: it begins in a moment."),
        "account-paused" => Some("Paused. What is under way ends; nothing else begins."),
        "account-resumed" => Some("Resumed. What is due begins in a moment."),
        "confirmed" => Some("Confirmed. It begins again and does not ask."),
        "undo-asked" => Some("Ordered. What it comes to is below, in a moment."),
        "single-decided" => Some("Noted. The CRM's row will say so in a moment; nothing is sent again."),
        "put-back" => Some("Those rows get another try in a moment."),
        "suppressed" => Some("Held back from now on. Both sides are told in a moment."),
        "lifted" => Some("Lifted. Both sides are told in a moment."),
        "lifted-partly" => Some("Lifted, but something else holds mail back: see below."),
        "send-asked" => Some("Asked for. It is prepared in a moment, and held here until its time."),
        "send-ordered" => Some("Ordered. The CRM's row will say so in a moment."),
        "mapped" => Some("Mapped. Everybody is looked at again by the next run of contacts."),
        "unmapped" => Some("Not mapped any more. What both sides have stays."),
        "merged" => Some("Given to the other record. The CRM hears of it in the next runs."),
        "erased" => Some("Erased. What is left is below; nobody mails the address again."),
        "erased-partly" => Some("Begun, and not done yet: erase once more in a while."),
        "signed-out" => Some("You are signed out."),
        _ => None,
    }
}
