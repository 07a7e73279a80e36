//! A GET of definitions.

use http::StatusCode;
use postroom_formats::odata::options::Wanted;
use serde_json::{Map, Value};

use super::place::{self, At, Place};
use super::types::Type;
use super::{current, evaluate, labels};
use crate::webapi::call::Call;
use crate::webapi::{Problem, Reply, read};

pub(super) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    // In a batch, what an earlier request made is there already.
    let metadata = call.door.settings.described(current(call).await?);
    let place = place::find(&metadata, &call.path.segments, &call.options)?;
    allowed(call, &place).await?;
    let wanted = &call.options.wanted;
    let context = |end: &str| call.context(&format!("{}{}{end}", place.context, fragment(wanted)));
    let mut body = Map::new();
    match &place.at {
        At::List(nodes) => {
            let listed = evaluate::list(&metadata, nodes.clone(), place.kind, wanted)?;
            body.insert("@odata.context".into(), context("").into());
            if wanted.count {
                body.insert("@odata.count".into(), listed.count.into());
            }
            body.insert("value".into(), Value::Array(listed.rows));
        }
        At::One(node) => {
            body = evaluate::one(&metadata, *node, place.kind, wanted)?;
            body.insert("@odata.context".into(), context("/$entity").into());
        }
        At::Value(value) => {
            body.insert("@odata.context".into(), context("").into());
            body.insert("value".into(), value.clone());
        }
        At::Raw(value) => return raw(value),
        At::Count(count) => return Ok(text(count.to_string())),
    }
    let mut body = Value::Object(body);
    let language = labels::language(call).await?;
    if language != labels::BASE {
        labels::choose(&mut body, language);
    }
    Ok(read::applied(call, reply(StatusCode::OK, &body)))
}

pub(super) fn reply(status: StatusCode, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

fn raw(value: &Value) -> Result<Reply, Problem> {
    match value {
        Value::Null => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Value::String(value) => Ok(text(value.clone())),
        Value::Array(_) | Value::Object(_) => Err(Problem::bad("$value reads single values only")),
        value => Ok(text(value.to_string())),
    }
}

fn text(body: String) -> Reply {
    Reply { body: body.into(), ..Reply::empty(StatusCode::OK) }.header("content-type", "text/plain")
}

/// `(LogicalName,OptionSet(Options))`, as it stands in `@odata.context`.
fn fragment(wanted: &Wanted) -> String {
    let expanded =
        wanted.expand.iter().map(|expand| format!("{}{}", expand.navigation, brackets(&expand.wanted)));
    let names: Vec<String> = wanted.select.iter().flatten().cloned().chain(expanded).collect();
    if names.is_empty() { String::new() } else { format!("({})", names.join(",")) }
}

fn brackets(wanted: &Wanted) -> String {
    match fragment(wanted) {
        text if text.is_empty() => "()".into(),
        text => text,
    }
}

/// Reading a kind of definition is a privilege; almost everybody has it.
async fn allowed(call: &Call<'_>, place: &Place<'_>) -> Result<(), Problem> {
    let mut kinds = place.passed.clone();
    expanded(place.kind, &call.options.wanted, &mut kinds);
    let mut privileges: Vec<&str> = kinds.iter().filter_map(|kind| noun(kind)).collect();
    privileges.sort_unstable();
    privileges.dedup();
    for noun in privileges {
        call.session.check_misc(&format!("prvRead{noun}")).await?;
    }
    Ok(())
}

fn expanded(kind: &'static Type, wanted: &Wanted, kinds: &mut Vec<&'static Type>) {
    for expand in &wanted.expand {
        if let Ok(target) = evaluate::target(kind, &expand.navigation) {
            kinds.push(target);
            expanded(target, &expand.wanted, kinds);
        }
    }
}

/// The word for a kind of definition in the names of privileges; `None` for what anybody may read.
pub(super) fn noun(kind: &'static Type) -> Option<&'static str> {
    [
        ("EntityMetadata", "Entity"),
        ("EntityKeyMetadata", "Entity"),
        ("AttributeMetadata", "Attribute"),
        ("RelationshipMetadataBase", "Relationship"),
        ("OptionSetMetadataBase", "OptionSet"),
    ]
    .into_iter()
    .find(|(name, _)| kind.is_a(name))
    .map(|(_, noun)| noun)
}
