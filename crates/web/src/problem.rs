//! What a failed request answers: a status, a documented code, one sentence (RFC 9457).
//!
//! A handler returns a [`Problem`]; it travels as an extension of its response and is written out by [`render`], which alone
//! knows whether a program or a person asked. Answers that axum makes by itself (404, 405, a rejected extractor) and panics
//! pass the same way.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use postroom_core::{Code, Fault, Verdict, code};
use postroom_operations::FieldError;
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::pages;

/// Seconds after which a caller may come again, when nothing says otherwise.
const COME_AGAIN: u64 = 5;

/// A failure on its way to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub status: StatusCode,
    pub code: Code,
    /// One sentence for the caller: no secrets, no SQL.
    pub detail: String,
    /// Where in a JSON body the errors lie (RFC 6901), each with its sentence.
    pub places: Vec<(String, String)>,
    retry_after: Option<u64>,
}

/// Marks an error answer that is complete as it is: its status is all it says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said;

/// A problem as a program reads it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView {
    /// Names the code: `urn:postroom:error:PR-8001`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    /// `PR-nnnn`: `postroom explain PR-nnnn` says more.
    code: String,
    /// What to do next.
    action: Option<&'static str>,
    /// The id under which the log has this request.
    trace_id: Option<String>,
    errors: Vec<ErrorAt>,
}

/// One place in the request that is wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct ErrorAt {
    /// A JSON pointer into the body.
    pointer: String,
    detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        Problem { status, code, detail: detail.into(), places: Vec::new(), retry_after: None }
    }

    /// 400: the request itself is wrong.
    pub fn input(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, Code::API_INPUT, detail)
    }

    /// 400 with the place in the JSON body.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Problem { places: vec![(pointer.into(), detail.clone())], ..Problem::input(detail) }
    }

    /// 422: the request can be read, and these fields have to be corrected.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let told: Vec<&str> = errors.iter().map(|error| error.text.as_str()).collect();
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Code::API_INPUT, told.join(" "));
        let place = |error: FieldError| (format!("/{}", error.field), error.text);
        Problem { places: errors.into_iter().map(place).collect(), ..problem }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, Code::API_NOT_FOUND, detail)
    }

    /// 401: nobody is signed in.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNAUTHORIZED, Code::API_TOKEN, detail)
    }

    pub fn denied(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::FORBIDDEN, Code::API_DENIED, detail)
    }

    pub fn too_large(limit: u64) -> Self {
        let text = format!("the mail is larger than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, Code::MAIL_TOO_LARGE, text)
    }

    pub fn title(&self) -> &'static str {
        code::entry(self.code).map_or("Error", |entry| entry.title)
    }

    fn view(&self, trace_id: Option<String>) -> ProblemView {
        let place = |(pointer, detail): (String, String)| ErrorAt { pointer, detail };
        ProblemView {
            kind: format!("urn:postroom:error:{}", self.code),
            title: self.title().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_string(),
            action: code::entry(self.code).map(|entry| entry.action),
            trace_id,
            errors: self.places.iter().cloned().map(place).collect(),
        }
    }
}

/// The status of a code; what the table does not name goes by its verdict.
pub(crate) fn status(fault: &Fault) -> StatusCode {
    match fault.code {
        Code::API_INPUT | Code::CRM_UNKNOWN_COLUMN => StatusCode::BAD_REQUEST,
        Code::API_TOKEN => StatusCode::UNAUTHORIZED,
        Code::API_DENIED => StatusCode::FORBIDDEN,
        Code::API_NOT_FOUND | Code::CRM_NOT_FOUND => StatusCode::NOT_FOUND,
        Code::API_CONFLICT
        | Code::CRM_SOLUTION
        | Code::SAFE_MODE
        | Code::MARKETING_STATE
        | Code::MARKETING_AUDIENCE => StatusCode::CONFLICT,
        Code::MAIL_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        Code::CRM_REFUSED | Code::CRM_REFERENCE | Code::CRM_STATE | Code::CRM_REQUIRED => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::STORE_FULL => StatusCode::INSUFFICIENT_STORAGE,
        Code::STORE_AWAY | Code::STORE_CONFLICT | Code::CRM_AWAY | Code::MAIL_BUSY => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => match fault.verdict {
            Verdict::Retry { .. } | Verdict::Hold => StatusCode::SERVICE_UNAVAILABLE,
            Verdict::Reject => StatusCode::BAD_REQUEST,
            Verdict::Unknown | Verdict::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let status = status(&fault);
        let mut problem = Problem::new(status, fault.code, fault.message.clone());
        if let Verdict::Retry { after: Some(after) } = fault.verdict {
            problem.retry_after = u64::try_from(after.as_secs()).ok();
        }
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            // The text of a bug may hold a statement or a row; it is for the log.
            let code = fault.code;
            tracing::error!(event = "http.failed", %code, error = %fault, "A request failed: {fault}");
            problem.detail = code::entry(code).map_or("An internal error.", |entry| entry.meaning).to_owned();
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"postroom\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE) {
            let seconds = self.retry_after.unwrap_or(COME_AGAIN);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes out the problem of a response, for whoever asked.
pub(crate) async fn render(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let trace_id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let is_get = request.method() == http::Method::GET;
    let is_htmx = request.headers().contains_key("hx-request");
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().cloned().or_else(|| unsaid(&response)) else {
        return response;
    };
    let kept = kept(response.headers());
    let mut answer = match is_page(&path) {
        // htmx would put the sign-in page into the middle of the page it is on.
        true if problem.status == StatusCode::UNAUTHORIZED && is_htmx => {
            (StatusCode::NO_CONTENT, [("hx-redirect", "/sign-in")]).into_response()
        }
        true if problem.status == StatusCode::UNAUTHORIZED && is_get => {
            Redirect::to("/sign-in").into_response()
        }
        true => pages::problem(&app, &problem, trace_id),
        false => (problem.status, axum::Json(json!(problem.view(trace_id)))).into_response(),
    };
    if !is_page(&path) {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    answer.headers_mut().extend(kept);
    answer
}

/// Paths that people open; everything else answers programs.
fn is_page(path: &str) -> bool {
    let program = ["/api/", "/agent/", "/healthz", "/readyz", "/startupz", "/metrics"];
    !program.iter().any(|prefix| path.starts_with(prefix))
}

/// The problem behind an error that a layer below answered without words.
fn unsaid(response: &Response) -> Option<Problem> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<Said>().is_some() {
        return None;
    }
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => (Code::API_NOT_FOUND, "There is nothing at this address."),
        StatusCode::METHOD_NOT_ALLOWED => {
            (Code::API_INPUT, "This address does not take that method; Allow names those it takes.")
        }
        StatusCode::REQUEST_TIMEOUT => (Code::API_INPUT, "The request took too long to arrive."),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::API_INPUT, "The body is too large."),
        status if status.is_server_error() => (Code::INTERNAL, "An internal error; the log has more."),
        _ => (Code::API_INPUT, "The request is not valid."),
    };
    Some(Problem::new(status, code, detail))
}

/// Headers of the first answer that hold for the second one too.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let names = [ALLOW, RETRY_AFTER, WWW_AUTHENTICATE];
    names.into_iter().filter_map(|name| headers.get(&name).cloned().map(|value| (name, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fault: Fault, expected: u16) {
        assert_eq!(Problem::from(fault).status.as_u16(), expected);
    }

    #[test]
    fn faults_have_statuses() {
        check(Fault::reject(Code::API_INPUT, ""), 400);
        check(Fault::reject(Code::API_TOKEN, ""), 401);
        check(Fault::reject(Code::API_DENIED, ""), 403);
        check(Fault::reject(Code::API_NOT_FOUND, ""), 404);
        check(Fault::reject(Code::API_CONFLICT, ""), 409);
        check(Fault::reject(Code::MAIL_TOO_LARGE, ""), 413);
        check(Fault::reject(Code::CRM_REFERENCE, ""), 422);
        check(Fault::retry(Code::STORE_FULL, ""), 507);
        check(Fault::retry(Code::STORE_AWAY, ""), 503);
        check(Fault::bug("select * from secrets"), 500);
    }

    #[test]
    fn a_bug_tells_no_statement() {
        let problem = Problem::from(Fault::bug("select * from secrets"));
        assert!(!problem.detail.contains("select"), "{}", problem.detail);
    }
}
