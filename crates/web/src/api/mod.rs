//! The REST API under `/api/v1`, and its OpenAPI document made from these handlers.
//!
//! Each handler names the permission that its operation asks for (`x-permission`); the check itself is the operation's. What
//! is written out is the operations' own serialisation; [`schema`] describes it, and a test compares the two.

mod mailboxes;
mod marketing;
mod messages;
mod outgoing;
mod people;
mod records;
mod review;
mod schema;
mod shelf;
mod solution;
mod status;
mod tokens;
mod tracking_tokens;
mod trials;
mod writing;

pub(crate) use marketing::campaigns::{
    after as campaigns_after, cursor as campaigns_cursor, send_order, send_state,
};
pub(crate) use marketing::mapping::record as record_named;
pub(crate) use marketing::singles::{answer as single_answer, state as single_state};
pub(crate) use marketing::suppressions::{after as suppressions_after, cursor as suppressions_cursor};
pub(crate) use marketing::sync::{run_state, sync_type};
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
    let with_lists = OpenApiRouter::new()
        .routes(routes!(marketing::suppressions::import))
        .layer(DefaultBodyLimit::max(marketing::suppressions::IMPORT));
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(messages::show))
        .routes(routes!(messages::raw))
        .routes(routes!(messages::attach))
        .routes(routes!(messages::place))
        .routes(routes!(messages::reject))
        .routes(routes!(messages::skip))
        .routes(routes!(messages::replay))
        .routes(routes!(messages::replay_review))
        .routes(routes!(messages::purge))
        .routes(routes!(messages::undo))
        .routes(routes!(people::show))
        .routes(routes!(people::prove))
        .routes(routes!(people::erase))
        .routes(routes!(people::merge))
        .routes(routes!(review::list))
        .routes(routes!(records::find))
        .routes(routes!(records::list))
        .routes(routes!(records::show))
        .routes(routes!(records::attachment))
        .routes(routes!(mailboxes::list))
        .routes(routes!(mailboxes::show, mailboxes::forget))
        .routes(routes!(mailboxes::pause))
        .routes(routes!(mailboxes::resume))
        .routes(routes!(mailboxes::rescan))
        .routes(routes!(trials::test))
        .routes(routes!(outgoing::list))
        .routes(routes!(outgoing::show))
        .routes(routes!(outgoing::hold))
        .routes(routes!(outgoing::release))
        .routes(routes!(outgoing::fail))
        .routes(routes!(status::today))
        .routes(routes!(trials::check))
        .routes(routes!(trials::doctor))
        .routes(routes!(status::verify))
        .routes(routes!(status::reconcile))
        .routes(routes!(status::audit))
        .routes(routes!(shelf::list))
        .routes(routes!(shelf::show, shelf::give_up))
        .routes(routes!(shelf::replay_all))
        .routes(routes!(shelf::replay))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tracking_tokens::make))
        .routes(routes!(tracking_tokens::verify))
        .merge(of_marketing())
        .layer(DefaultBodyLimit::max(JSON_BODY))
        .merge(with_mail)
        .merge(with_records)
        .merge(with_files)
        .merge(with_lists)
}

/// Those of the marketing half, but for the import of suppressions.
fn of_marketing() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(marketing::accounts::list))
        .routes(routes!(marketing::accounts::check))
        .routes(routes!(marketing::accounts::pause))
        .routes(routes!(marketing::accounts::resume))
        .routes(routes!(marketing::sync::list))
        .routes(routes!(marketing::sync::run))
        .routes(routes!(marketing::sync::dry_run))
        .routes(routes!(marketing::sync::runs))
        .routes(routes!(marketing::sync::show))
        .routes(routes!(marketing::sync::confirm))
        .routes(routes!(marketing::sync::receipt, marketing::sync::undo))
        .routes(routes!(marketing::sync::rejected))
        .routes(routes!(marketing::sync::replay))
        .routes(routes!(marketing::campaigns::list))
        .routes(routes!(marketing::campaigns::show))
        .routes(routes!(marketing::campaigns::report))
        .routes(routes!(marketing::campaigns::audience))
        .routes(routes!(marketing::campaigns::test))
        .routes(routes!(marketing::campaigns::send))
        .routes(routes!(marketing::campaigns::sends))
        .routes(routes!(marketing::campaigns::show_send))
        .routes(routes!(marketing::campaigns::order))
        .routes(routes!(marketing::singles::list))
        .routes(routes!(marketing::singles::show))
        .routes(routes!(marketing::singles::decide))
        .routes(routes!(marketing::mapping::list, marketing::mapping::set))
        .routes(routes!(marketing::mapping::remove))
        .routes(routes!(marketing::mapping::sample))
        .routes(routes!(marketing::lists::list))
        .routes(routes!(marketing::lists::show))
        .routes(routes!(marketing::lists::sync))
        .routes(routes!(marketing::lists::compare))
        .routes(routes!(marketing::forms::list))
        .routes(routes!(marketing::forms::show))
        .routes(routes!(marketing::suppressions::list, marketing::suppressions::add))
        .routes(routes!(marketing::suppressions::lift))
        .routes(routes!(marketing::suppressions::check))
        .routes(routes!(marketing::suppressions::export))
        .routes(routes!(solution::status))
        .routes(routes!(solution::file))
        .routes(routes!(solution::install))
        .routes(routes!(solution::upgrade))
        .routes(routes!(solution::uninstall))
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
