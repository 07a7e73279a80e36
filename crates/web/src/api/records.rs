//! `/api/v1/records`: rows of the CRM, read only.

use axum::Json;
use axum::extract::State;
use http::Uri;
use postroom_core::{Record, RecordRef, Value};
use postroom_operations::{RecordView, to_json};
use serde_json::json;
use uuid::Uuid;

use super::messages::limit;
use super::schema;
use crate::app::App;
use crate::auth::Caller;
use crate::input::Path;
use crate::problem::{Problem, ProblemView};

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

fn view(record: &Record) -> serde_json::Value {
    let shown = record.columns.iter().filter(|(_, value)| *value != Value::Null);
    let columns: serde_json::Map<_, _> = shown.map(|(name, value)| (name.clone(), to_json(value))).collect();
    json!({ "table": record.at.table, "id": record.at.id, "columns": columns })
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
    let items: Vec<serde_json::Value> = records.iter().map(view).collect();
    Ok(Json(json!({ "items": items })))
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
    let id = Uuid::parse_str(&id).map_err(|_| Problem::not_found(format!("{id:?} is no GUID")))?;
    let at = RecordRef::new(table(&name)?, id);
    Ok(Json(app.operations.record(&actor, &at).await?))
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
