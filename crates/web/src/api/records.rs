//! `/api/v1/records`: rows of the CRM, found by words or by table, and their import; `/api/v1/attachments`: the files of activities.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use http::{HeaderMap, Uri};
use postroom_core::{RecordRef, Value};
use postroom_operations::{ImportReport, RecordView};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;
use uuid::Uuid;

use super::messages::{Trial, limit};
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::download::file;
use crate::input::{self, Path, Query};
use crate::problem::{Problem, ProblemView};

/// Bytes of an import: some fifty thousand records. What is larger comes in parts, as a repeat changes nothing.
pub(super) const IMPORT: usize = 16 << 20;

/// A table's name: what else stands in a path is no table.
pub(crate) fn table(name: &str) -> Result<&str, Problem> {
    let fits = !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if fits {
        Ok(name)
    } else {
        Err(Problem::not_found(format!("{name:?} is no table; names are lower case, such as incident")))
    }
}

/// A value in a query string, as what it looks like: a GUID, a lookup, a number, true or false, else text.
pub(crate) fn value(text: &str) -> Value {
    match text {
        "" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => {
            let guid = Uuid::parse_str(text).map(Value::Guid).ok();
            let lookup = || text.parse::<RecordRef>().map(Value::Lookup).ok();
            let number = || text.parse().map(Value::Int).ok();
            guid.or_else(lookup).or_else(number).unwrap_or_else(|| Value::text(text))
        }
    }
}

fn read(uri: &Uri) -> Result<(Vec<(String, Value)>, u64), Problem> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    let (mut filters, mut rows) = (Vec::new(), None);
    for (name, text) in pairs.0 {
        let column = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']'));
        match (column, name.as_str()) {
            (Some(column), _) => filters.push((column.to_owned(), value(&text))),
            (None, "limit") => {
                rows = Some(
                    text.parse().map_err(|_| Problem::input(format!("limit is a number, not {text:?}")))?,
                );
            }
            _ => {
                return Err(Problem::input(format!(
                    "{name:?} is no parameter here; known are filter[COLUMN] and limit"
                )));
            }
        }
    }
    Ok((filters, limit(rows)?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Words that all stand in a record's name, number or address, in any order; or `TABLE/GUID`.
    q: String,
}

/// Records by what people call them, a few of each table that mail is filed at.
#[utoipa::path(get, path = "/api/v1/records", tag = "records", params(Search), extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::NamedRecords), (status = "4XX", body = ProblemView)))]
pub(super) async fn find(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(search): Query<Search>,
) -> Result<Json<serde_json::Value>, Problem> {
    let items = app.operations.find_records(&actor, &search.q).await?;
    Ok(Json(json!({ "items": items })))
}

/// Records of a table, newest first. `filter[COLUMN]=VALUE` narrows; an empty value means null.
#[utoipa::path(get, path = "/api/v1/records/{table}", tag = "records",
    params(("table" = String, Path), ("limit" = Option<u64>, Query, description = "1 to 200, default 50"),
        ("filter[COLUMN]" = Option<String>, Query, description = "repeatable, any column")),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::Records), (status = "4XX", body = ProblemView)))]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<serde_json::Value>, Problem> {
    let (filters, rows) = read(&uri)?;
    let records = app.operations.records(&actor, table(&name)?, &filters, rows).await?;
    Ok(Json(json!({ "items": records })))
}

/// One record with its activities.
#[utoipa::path(get, path = "/api/v1/records/{table}/{id}", tag = "records",
    params(("table" = String, Path), ("id" = String, Path, description = "GUID")),
    extensions(("x-permission" = json!("read"))),
    responses((status = 200, body = schema::RecordView), (status = "4XX", body = ProblemView)))]
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<RecordView>, Problem> {
    let at = RecordRef::new(table(&name)?, input::guid(&id)?);
    Ok(Json(app.operations.record(&actor, &at).await?))
}

/// Creates and changes records: a line of JSON for each, `{"table":"contact","id":"GUID","columns":{…}}`. A line that is
/// refused leaves its neighbours alone; a repeat changes nothing. At most 16 MiB.
#[utoipa::path(post, path = "/api/v1/records/import", tag = "records", params(Trial),
    extensions(("x-permission" = json!("write_records"))),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = schema::ImportReport), (status = "4XX", body = ProblemView)))]
pub(super) async fn import(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(trial): Query<Trial>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ImportReport>, Problem> {
    let kind = input::media_type(&headers);
    if !matches!(kind.as_str(), "application/x-ndjson" | "application/jsonl") {
        return Err(input::unsupported(&kind, "application/x-ndjson"));
    }
    let text = input::text(body, IMPORT)?;
    let lines = (1..).zip(text.lines().map(str::to_owned)).collect();
    let mut report = ImportReport::default();
    app.operations.import_records(&actor, lines, trial.dry_run, &mut report).await?;
    Ok(Json(report))
}

/// An attachment on a record's timeline, as a file. Each opening is written to the audit trail.
#[utoipa::path(get, path = "/api/v1/attachments/{id}", tag = "records",
    params(("id" = String, Path, description = "GUID, as in the record's activities")),
    extensions(("x-permission" = json!("read_bodies"))),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = ProblemView)))]
pub(super) async fn attachment(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (shown, bytes) = app.operations.attachment(&actor, input::guid(&id)?).await?;
    Ok(file(&shown.name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Value) {
        assert_eq!(value(text), expected);
    }

    #[test]
    fn values() {
        let id = Uuid::from_u128(7);
        check("", Value::Null);
        check("true", Value::Bool(true));
        check("-3", Value::Int(-3));
        check("Adler", Value::text("Adler"));
        check(&id.to_string(), Value::Guid(id));
        check(&format!("contact/{id}"), Value::lookup("contact", id));
    }

    #[test]
    fn query_strings() {
        let (filters, limit) = read(&"/x?filter[a]=1&filter%5Bb%5D=x&limit=2".parse().unwrap()).unwrap();
        assert_eq!(filters, [("a".into(), Value::Int(1)), ("b".into(), Value::text("x"))]);
        assert_eq!(limit, 2);
        for query in ["limit=0", "limit=x", "limit=201", "sort=a"] {
            assert!(read(&format!("/x?{query}").parse().unwrap()).is_err(), "{query}");
        }
    }
}
