//! A query in JSON: `QueryExpression` and `FetchExpression`, made into FetchXML and read as such. Source: the SDK's
//! QueryExpression, as [PY] sends it with BulkDelete (dataverse.md A13).

use std::fmt::Write as _;

use postroom_core::query::Operator;
use serde_json::Value as Json;

use crate::webapi::Problem;

/// Links and filters in each other.
const DEPTH: usize = 20;

/// The operators that FetchXML and the SDK call differently, and the core does not keep as such.
const OPERATORS: &[(&str, &str)] = &[
    ("Equal", "eq"),
    ("NotEqual", "ne"),
    ("GreaterThan", "gt"),
    ("LessThan", "lt"),
    ("GreaterEqual", "ge"),
    ("LessEqual", "le"),
    ("Like", "like"),
    ("NotLike", "not-like"),
    ("In", "in"),
    ("NotIn", "not-in"),
    ("Between", "between"),
    ("NotBetween", "not-between"),
    ("Null", "null"),
    ("NotNull", "not-null"),
    ("BeginsWith", "begins-with"),
    ("DoesNotBeginWith", "not-begin-with"),
    ("EndsWith", "ends-with"),
    ("DoesNotEndWith", "not-end-with"),
];

/// The FetchXML that says the same.
pub(super) fn fetch(json: &Json) -> Result<String, Problem> {
    let kind = json.get("@odata.type").and_then(Json::as_str).unwrap_or_default();
    if let Some(xml) = text(json, "Query").filter(|_| !kind.ends_with("QueryExpression")) {
        return Ok(xml.to_owned());
    }
    let entity = text(json, "EntityName").ok_or_else(|| wrong("EntityName is missing"))?;
    let mut xml = String::from("<fetch");
    if let Some(top) = json.get("TopCount").and_then(Json::as_u64) {
        let _ = write!(xml, " top=\"{top}\"");
    }
    if json.get("Distinct").and_then(Json::as_bool) == Some(true) {
        xml.push_str(" distinct=\"true\"");
    }
    let _ = write!(xml, "><entity name=\"{}\">", escaped(entity));
    inside(&mut xml, json, "ColumnSet", "Criteria", "LinkEntities", DEPTH)?;
    xml.push_str("</entity></fetch>");
    Ok(xml)
}

/// Columns, orders, filter and links of an entity or link.
fn inside(
    xml: &mut String,
    json: &Json,
    columns: &str,
    criteria: &str,
    links: &str,
    depth: usize,
) -> Result<(), Problem> {
    let depth = depth.checked_sub(1).ok_or_else(|| wrong("it is nested too deep"))?;
    let set = json.get(columns);
    if set.and_then(|set| set.get("AllColumns")).and_then(Json::as_bool) == Some(true) {
        xml.push_str("<all-attributes/>");
    }
    for name in list(set.unwrap_or(&Json::Null), "Columns").iter().filter_map(Json::as_str) {
        let _ = write!(xml, "<attribute name=\"{}\"/>", escaped(name));
    }
    for order in list(json, "Orders") {
        let name = text(order, "AttributeName").ok_or_else(|| wrong("an order has no AttributeName"))?;
        let down = matches!(order.get("OrderType"), Some(Json::String(kind)) if kind == "Descending")
            || order.get("OrderType").and_then(Json::as_i64) == Some(1);
        let _ = write!(xml, "<order attribute=\"{}\" descending=\"{down}\"/>", escaped(name));
    }
    if let Some(filter) = json.get(criteria).filter(|filter| !filter.is_null()) {
        conditions(xml, filter, depth)?;
    }
    for link in list(json, links) {
        let attribute = |name: &str| text(link, name).ok_or_else(|| wrong(&format!("a link has no {name}")));
        let join = match text(link, "JoinOperator") {
            Some("LeftOuter") => "outer",
            _ => "inner",
        };
        let (to, from) = (attribute("LinkFromAttributeName")?, attribute("LinkToAttributeName")?);
        let name = attribute("LinkToEntityName")?;
        let _ = write!(
            xml,
            "<link-entity name=\"{}\" from=\"{}\" to=\"{}\" link-type=\"{join}\"",
            escaped(name),
            escaped(from),
            escaped(to)
        );
        if let Some(alias) = text(link, "EntityAlias").filter(|alias| !alias.is_empty()) {
            let _ = write!(xml, " alias=\"{}\"", escaped(alias));
        }
        xml.push('>');
        inside(xml, link, "Columns", "LinkCriteria", "LinkEntities", depth)?;
        xml.push_str("</link-entity>");
    }
    Ok(())
}

fn conditions(xml: &mut String, filter: &Json, depth: usize) -> Result<(), Problem> {
    let depth = depth.checked_sub(1).ok_or_else(|| wrong("it is nested too deep"))?;
    let any = matches!(filter.get("FilterOperator"), Some(Json::String(kind)) if kind == "Or")
        || filter.get("FilterOperator").and_then(Json::as_i64) == Some(1);
    let _ = write!(xml, "<filter type=\"{}\">", if any { "or" } else { "and" });
    for condition in list(filter, "Conditions") {
        let name =
            text(condition, "AttributeName").ok_or_else(|| wrong("a condition has no AttributeName"))?;
        let known = text(condition, "Operator").unwrap_or("Equal");
        let operator = operator(known).ok_or_else(|| wrong(&format!("there is no operator '{known}'")))?;
        let _ = write!(xml, "<condition attribute=\"{}\" operator=\"{operator}\"", escaped(name));
        if let Some(alias) = text(condition, "EntityName").filter(|alias| !alias.is_empty()) {
            let _ = write!(xml, " entityname=\"{}\"", escaped(alias));
        }
        values(xml, condition, operator)?;
    }
    for inner in list(filter, "Filters") {
        conditions(xml, inner, depth)?;
    }
    xml.push_str("</filter>");
    Ok(())
}

/// `[{"Value": …, "Type": "System.Guid"}]`, or the values themselves.
fn values(xml: &mut String, condition: &Json, operator: &str) -> Result<(), Problem> {
    let shown = |value: &Json| match value.get("Value").unwrap_or(value) {
        Json::String(text) => Ok(escaped(text)),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(value) => Ok(if *value { "1" } else { "0" }.to_owned()),
        _ => Err(wrong("a value is neither text nor number")),
    };
    let values: Vec<String> = list(condition, "Values").iter().map(shown).collect::<Result<_, _>>()?;
    let many = ["in", "not-in", "between", "not-between", "contain-values", "not-contain-values"]
        .contains(&operator);
    match values.as_slice() {
        [one] if !many => {
            let _ = write!(xml, " value=\"{one}\"/>");
        }
        [] => xml.push_str("/>"),
        all => {
            xml.push('>');
            all.iter().for_each(|value| {
                let _ = write!(xml, "<value>{value}</value>");
            });
            xml.push_str("</condition>");
        }
    }
    Ok(())
}

fn operator(name: &str) -> Option<&'static str> {
    let listed = OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, fetch)| *fetch);
    listed.or_else(|| Operator::from_name(name).map(Operator::fetch_name))
}

fn text<'j>(json: &'j Json, name: &str) -> Option<&'j str> {
    json.get(name).and_then(Json::as_str)
}

fn list<'j>(json: &'j Json, name: &str) -> &'j [Json] {
    json.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn wrong(what: &str) -> Problem {
    Problem::payload(format!("The query cannot be read: {what}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(query: Json, expected: &str) {
        let xml = fetch(&query).unwrap();
        assert_eq!(xml, expected);
        postroom_formats::fetchxml::parse(&xml).unwrap();
    }

    #[test]
    fn queries_in_json() {
        check(
            json!({"@odata.type": "Microsoft.Dynamics.CRM.QueryExpression", "EntityName": "contact",
                "ColumnSet": {"AllColumns": false, "Columns": ["contactid"]},
                "Criteria": {"FilterOperator": "And", "Conditions": [
                    {"AttributeName": "contactid", "Operator": "In", "Values": [{"Value": "a<", "Type": "System.Guid"}]},
                    {"AttributeName": "lastname", "Operator": "Null"}]}}),
            "<fetch><entity name=\"contact\"><attribute name=\"contactid\"/><filter type=\"and\"><condition \
             attribute=\"contactid\" operator=\"in\"><value>a&lt;</value></condition><condition attribute=\"lastname\" \
             operator=\"null\"/></filter></entity></fetch>",
        );
        check(
            json!({"@odata.type": "Microsoft.Dynamics.CRM.FetchExpression", "Query": "<fetch><entity name='lead'/></fetch>"}),
            "<fetch><entity name='lead'/></fetch>",
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for query in [
            json!({}),
            json!({"EntityName": "contact", "Criteria": {"Conditions": [{"Operator": "Equal"}]}}),
            json!({"EntityName": "contact", "Criteria": {"Conditions": [{"AttributeName": "x", "Operator": "\"/>"}]}}),
            json!({"EntityName": "contact", "LinkEntities": [{}]}),
        ] {
            assert!(fetch(&query).is_err(), "{query}");
        }
        let mut deep = json!({});
        (0..50).for_each(|_| deep = json!({"Filters": [deep.clone()]}));
        assert!(fetch(&json!({"EntityName": "contact", "Criteria": deep})).is_err());
    }
}
