//! The REST API under `/api/v1`, and its OpenAPI document made from these handlers.
//!
//! Each handler names the permission that its operation asks for (`x-permission`); the check itself is the operation's. What
//! is written out is the operations' own serialisation; [`schema`] describes it, and a test compares the two.

mod mailboxes;
mod messages;
mod outgoing;
mod people;
mod records;
mod review;
mod schema;
mod shelf;
mod status;
mod tokens;
mod writing;

pub(crate) use records::{table as table_name, value as filter_value};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Bytes of a JSON body.
const JSON_BODY: usize = 1 << 20;

#[derive(OpenApi)]
#[openapi(
    info(title = "postroom", description = "Mail tracking for Dynamics 365. Errors are application/problem+json (RFC 9457)."),
    components(schemas(crate::problem::ProblemView)),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of scope api: postroom apitoken create --scope api"))
            .build();
        if let Some(components) = document.components.as_mut() {
            components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        }
    }
}

/// All operations. Mails in a body may have `max_message` bytes, imports bytes of their own.
fn operations(max_message: u64) -> OpenApiRouter<App> {
    let raw = DefaultBodyLimit::max(usize::try_from(max_message).unwrap_or(usize::MAX));
    let with_mail = OpenApiRouter::new()
        .routes(routes!(messages::list, messages::import))
        .routes(routes!(messages::why))
        .layer(raw);
    let with_records =
        OpenApiRouter::new().routes(routes!(records::import)).layer(DefaultBodyLimit::max(records::IMPORT));
    let encoded = usize::try_from(max_message.saturating_mul(3) / 2).unwrap_or(usize::MAX);
    let with_files = OpenApiRouter::new()
        .routes(routes!(writing::write))
        .routes(routes!(writing::answer))
        .layer(DefaultBodyLimit::max(encoded.saturating_add(JSON_BODY)));
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(messages::show))
        .routes(routes!(messages::raw))
        .routes(routes!(messages::attach))
        .routes(routes!(messages::place))
        .routes(routes!(messages::reject))
        .routes(routes!(messages::skip))
        .routes(routes!(messages::replay))
        .routes(routes!(messages::replay_review))
        .routes(routes!(messages::undo))
        .routes(routes!(people::erase))
        .routes(routes!(review::list))
        .routes(routes!(records::find))
        .routes(routes!(records::list))
        .routes(routes!(records::show))
        .routes(routes!(records::attachment))
        .routes(routes!(mailboxes::list))
        .routes(routes!(mailboxes::show))
        .routes(routes!(mailboxes::pause))
        .routes(routes!(mailboxes::resume))
        .routes(routes!(mailboxes::rescan))
        .routes(routes!(outgoing::list))
        .routes(routes!(outgoing::show))
        .routes(routes!(outgoing::hold))
        .routes(routes!(outgoing::release))
        .routes(routes!(outgoing::fail))
        .routes(routes!(status::today))
        .routes(routes!(status::verify))
        .routes(routes!(status::audit))
        .routes(routes!(shelf::list))
        .routes(routes!(shelf::show, shelf::give_up))
        .routes(routes!(shelf::replay))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .layer(DefaultBodyLimit::max(JSON_BODY))
        .merge(with_mail)
        .merge(with_records)
        .merge(with_files)
}

/// The routes below `/api/v1`.
pub(crate) fn routes(max_message: u64) -> Router<App> {
    let (router, _) = operations(max_message).split_for_parts();
    router.route("/api/v1/openapi.json", axum::routing::get(document))
}

async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], openapi()).into_response()
}

/// Each operation named by its noun and verb: handlers of different nouns share their names, operations must not.
fn named(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let methods = [&mut item.get, &mut item.post, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            let noun = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            operation.operation_id = operation.operation_id.take().map(|verb| format!("{noun}_{verb}"));
        }
    }
}

/// The OpenAPI 3.1 document of the REST API, as JSON.
pub fn openapi() -> String {
    let mut document = operations(0).into_openapi();
    named(&mut document);
    let mut text = document.to_pretty_json().expect("the document holds nothing that JSON cannot write");
    text.push('\n');
    text
}
