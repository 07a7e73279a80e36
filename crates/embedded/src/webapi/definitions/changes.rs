//! `RetrieveMetadataChanges`: a query over definitions in JSON, with a stamp of the version that it saw.
//!
//! A client that comes back with a stamp gets nothing when nothing changed, and otherwise the platform's "expired" error, upon
//! which it asks for everything again: what changed since is not kept, and nobody should miss a deletion.

use http::StatusCode;
use postroom_core::metadata::Metadata;
use postroom_formats::odata::options::{Literal, Sign};
use serde_json::{Map, Value, json};

use super::evaluate::compares;
use super::node::{Node, Related};
use super::operations::parameter;
use crate::webapi::Problem;
use crate::webapi::call::Call;
use crate::webapi::problem::codes;

/// Clauses within clauses, at most.
const DEPTH: usize = 20;

pub(super) fn answer(call: &Call<'_>) -> Result<Value, Problem> {
    let stamp = stamp(&call.metadata);
    if let Some(known) = parameter(call, "ClientVersionStamp")?.as_ref().and_then(Literal::as_text) {
        if known != stamp {
            let text = "Version stamp associated with the client has expired. Please perform a full sync.";
            return Err(Problem::new(StatusCode::BAD_REQUEST, codes::EXPIRED, text));
        }
        return Ok(told(&stamp, Vec::new()));
    }
    let query = query(call)?;
    let mut rows = Vec::new();
    for table in &call.metadata.tables {
        let node = Node::Table(table);
        if fits(&call.metadata, &query["Criteria"], node, 0)? {
            rows.push(Value::Object(row(&call.metadata, node, &query)?));
        }
    }
    Ok(told(&stamp, rows))
}

fn query(call: &Call<'_>) -> Result<Value, Problem> {
    match parameter(call, "Query")? {
        Some(Literal::Json(text)) => {
            serde_json::from_str(&text).map_err(|error| Problem::payload(error.to_string()))
        }
        Some(_) => Err(Problem::bad("The parameter 'Query' is an EntityQueryExpression")),
        None => Ok(Value::Null),
    }
}

/// The kinds of definitions that the answer shows; each is read by a privilege of its own.
pub(super) fn kinds(call: &Call<'_>) -> Result<Vec<&'static str>, Problem> {
    let query = query(call)?;
    let mut kinds = vec!["Entity"];
    if wants(&query["Properties"], "Attributes") {
        kinds.push("Attribute");
        let own = &query["AttributeQuery"]["Properties"];
        if wants(own, "OptionSet") || wants(own, "GlobalOptionSet") {
            kinds.push("OptionSet");
        }
    }
    let relationships = ["ManyToManyRelationships", "ManyToOneRelationships", "OneToManyRelationships"];
    if relationships.iter().any(|name| wants(&query["Properties"], name)) {
        kinds.push("Relationship");
    }
    Ok(kinds)
}

/// Whether a `MetadataPropertiesExpression` asks for a member.
fn wants(properties: &Value, member: &str) -> bool {
    let all = properties["AllProperties"].as_bool().unwrap_or(properties.is_null());
    all || properties["PropertyNames"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|name| name.as_str() == Some(member))
}

fn stamp(metadata: &Metadata) -> String {
    format!("{}!postroom", metadata.version)
}

fn told(stamp: &str, rows: Vec<Value>) -> Value {
    json!({
        "EntityMetadata": rows, "ServerVersionStamp": stamp,
        "DeletedMetadata": {"Count": 0, "IsReadOnly": false, "Keys": [], "Values": []},
    })
}

/// A row with the properties that the query names, and its parts by their own queries.
fn row(metadata: &Metadata, node: Node<'_>, query: &Value) -> Result<Map<String, Value>, Problem> {
    let properties = &query["Properties"];
    let all = properties["AllProperties"].as_bool().unwrap_or(properties.is_null());
    let names = properties["PropertyNames"].as_array().into_iter().flatten();
    let names: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    let mut row = node.row(metadata, (!all).then_some(names.as_slice()));
    row.insert("@odata.type".into(), format!("#Microsoft.Dynamics.CRM.Complex{}", node.kind().name).into());
    for navigation in node.kind().line().flat_map(|one| &one.navigations) {
        if !all && !names.iter().any(|name| name == navigation.name) {
            continue;
        }
        let part = match navigation.name {
            "Attributes" => &query["AttributeQuery"],
            "Keys" => &query["KeyQuery"],
            "OptionSet" | "GlobalOptionSet" => &Value::Null,
            _ => &query["RelationshipQuery"],
        };
        let value = match node.related(metadata, navigation.name) {
            Some(Related::Many(nodes)) => {
                let mut rows = Vec::new();
                for node in nodes {
                    if fits(metadata, &part["Criteria"], node, 0)? {
                        rows.push(Value::Object(self::row(metadata, node, part)?));
                    }
                }
                Value::Array(rows)
            }
            Some(Related::One(Some(node))) => Value::Object(self::row(metadata, node, part)?),
            _ => Value::Null,
        };
        row.insert(navigation.name.into(), value);
    }
    Ok(row)
}

/// Whether a definition fits a `MetadataFilterExpression`.
fn fits(metadata: &Metadata, filter: &Value, node: Node<'_>, depth: usize) -> Result<bool, Problem> {
    if depth > DEPTH {
        return Err(Problem::bad("The criteria are nested too deep"));
    }
    let any = matches!(filter["FilterOperator"].as_str(), Some("Or"));
    let list = |name: &str| filter[name].as_array().cloned().unwrap_or_default();
    let (conditions, filters) = (list("Conditions"), list("Filters"));
    if conditions.is_empty() && filters.is_empty() {
        return Ok(true);
    }
    let conditions = conditions.iter().map(|condition| holds(metadata, condition, node));
    for held in conditions.chain(filters.iter().map(|filter| fits(metadata, filter, node, depth + 1))) {
        if held? == any {
            return Ok(any);
        }
    }
    Ok(!any)
}

fn holds(metadata: &Metadata, condition: &Value, node: Node<'_>) -> Result<bool, Problem> {
    let name = condition["PropertyName"].as_str().unwrap_or_default();
    let have = node.value(metadata, name).map(plain);
    let operator = condition["ConditionOperator"].as_str().unwrap_or("Equals");
    let wanted = value(&condition["Value"]);
    let unknown = || {
        let text = format!("The property {name} is not valid in criteria for {}", node.kind().name);
        Problem::bad(text)
    };
    let have = match have {
        Some(have) => have,
        // A column of another type than the one that has the property.
        None if node.kind().line().flat_map(|one| one.family()).any(|one| one.property(name).is_some()) => {
            Value::Null
        }
        None => return Err(unknown()),
    };
    let among = || wanted.as_array().is_some_and(|all| all.iter().any(|one| compares(&have, Sign::Eq, one)));
    Ok(match operator {
        "Equals" => compares(&have, Sign::Eq, &wanted),
        "NotEquals" => !compares(&have, Sign::Eq, &wanted),
        "GreaterThan" => compares(&have, Sign::Gt, &wanted),
        "LessThan" => compares(&have, Sign::Lt, &wanted),
        "In" => among(),
        "NotIn" => !among(),
        other => return Err(Problem::bad(format!("{other} is no MetadataConditionOperator"))),
    })
}

/// A managed property, a format and their like compare by their value.
fn plain(mut value: Value) -> Value {
    match value.get_mut("Value") {
        Some(inner) => inner.take(),
        None => value,
    }
}

/// `{"Type":"System.String","Value":"contact"}`, or the value alone. Numbers and flags come as texts.
fn value(given: &Value) -> Value {
    let kind = given["Type"].as_str().unwrap_or_default();
    let value = given.get("Value").unwrap_or(given);
    let Some(text) = value.as_str() else { return value.clone() };
    match kind {
        "System.Boolean" => text
            .parse::<bool>()
            .or_else(|_| text.to_ascii_lowercase().parse())
            .map_or(Value::Null, Value::from),
        "System.Int32" | "System.Int64" => text.parse::<i64>().map_or(Value::Null, Value::from),
        kind if kind.ends_with("[]") => {
            let text = text.replace('\'', "\"");
            serde_json::from_str(&text).unwrap_or_default()
        }
        _ => value.clone(),
    }
}
