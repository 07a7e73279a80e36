//! A query in JSON: `QueryExpression` and `FetchExpression`, made into FetchXML and read as such. Source: the SDK's
//! QueryExpression, as [PY] sends it with BulkDelete (dataverse.md A13).

use std::fmt::Write as _;

use postroom_core::query::Operator;
use postroom_formats::soap::query::JOINS;
use serde_json::Value as Json;

use crate::webapi::Problem;

/// Links and filters in each other.
const DEPTH: usize = 20;

/// `ConditionOperator`, in the order of its numbers.
const NUMBERED: &str = "\
    Equal NotEqual GreaterThan LessThan GreaterEqual LessEqual Like NotLike In NotIn Between NotBetween \
    Null NotNull Yesterday Today Tomorrow Last7Days Next7Days LastWeek ThisWeek NextWeek LastMonth \
    ThisMonth NextMonth On OnOrBefore OnOrAfter LastYear ThisYear NextYear LastXHours NextXHours \
    LastXDays NextXDays LastXWeeks NextXWeeks LastXMonths NextXMonths LastXYears NextXYears EqualUserId \
    NotEqualUserId EqualBusinessId NotEqualBusinessId ChildOf Mask NotMask MasksSelect Contains \
    DoesNotContain EqualUserLanguage NotOn OlderThanXMonths BeginsWith DoesNotBeginWith EndsWith \
    DoesNotEndWith ThisFiscalYear ThisFiscalPeriod NextFiscalYear NextFiscalPeriod LastFiscalYear \
    LastFiscalPeriod LastXFiscalYears LastXFiscalPeriods NextXFiscalYears NextXFiscalPeriods \
    InFiscalYear InFiscalPeriod InFiscalPeriodAndYear InOrBeforeFiscalPeriodAndYear \
    InOrAfterFiscalPeriodAndYear EqualUserTeams EqualUserOrUserTeams Under NotUnder UnderOrEqual Above \
    AboveOrEqual EqualUserOrUserHierarchy EqualUserOrUserHierarchyAndTeams OlderThanXYears \
    OlderThanXWeeks OlderThanXDays OlderThanXHours OlderThanXMinutes ContainValues DoesNotContainValues";

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

/// The members of the SDK's classes; what counts for nothing here is among them.
const QUERY: &[&str] = &[
    "EntityName",
    "ColumnSet",
    "Criteria",
    "LinkEntities",
    "Orders",
    "PageInfo",
    "Distinct",
    "TopCount",
    "NoLock",
    "QueryHints",
    "ForceSeek",
    "DataSource",
    "ExtensionData",
];
const LINK: &[&str] = &[
    "LinkFromEntityName",
    "LinkFromAttributeName",
    "LinkToEntityName",
    "LinkToAttributeName",
    "JoinOperator",
    "Columns",
    "EntityAlias",
    "LinkCriteria",
    "LinkEntities",
    "Orders",
    "ForceSeek",
    "ExtensionData",
];
const FILTER: &[&str] = &[
    "FilterOperator",
    "Conditions",
    "Filters",
    "AnyAllFilterLinkEntity",
    "FilterHint",
    "IsQuickFindFilter",
    "ExtensionData",
];
const CONDITION: &[&str] =
    &["AttributeName", "Operator", "Values", "EntityName", "CompareColumns", "ExtensionData"];

/// The FetchXML that says the same.
pub(super) fn fetch(json: &Json) -> Result<String, Problem> {
    let kind = json.get("@odata.type").and_then(Json::as_str).unwrap_or_default();
    if let Some(xml) = text(json, "Query").filter(|_| !kind.ends_with("QueryExpression")) {
        return Ok(xml.to_owned());
    }
    if !kind.is_empty() && !kind.ends_with("QueryExpression") {
        return Err(wrong(&format!("a query of the type {kind} is not taken")));
    }
    only(json, QUERY)?;
    let entity = text(json, "EntityName").ok_or_else(|| wrong("EntityName is missing"))?;
    let mut xml = String::from("<fetch");
    if let Some(top) = given(json, "TopCount") {
        let top = top.as_u64().ok_or_else(|| wrong("TopCount is no whole number"))?;
        let _ = write!(xml, " top=\"{top}\"");
    }
    if flag(json, "Distinct")? {
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
    let set = part(json, columns)?;
    if flag(set, "AllColumns")? {
        xml.push_str("<all-attributes/>");
    }
    for name in list(set, "Columns")? {
        let name = name.as_str().ok_or_else(|| wrong("a column is no text"))?;
        let _ = write!(xml, "<attribute name=\"{}\"/>", escaped(name));
    }
    for order in list(json, "Orders")? {
        let name = text(order, "AttributeName").ok_or_else(|| wrong("an order has no AttributeName"))?;
        let down = chosen(order, "OrderType", &["Ascending", "Descending"])? == 1;
        let _ = write!(xml, "<order attribute=\"{}\" descending=\"{down}\"/>", escaped(name));
    }
    let filter = part(json, criteria)?;
    if !filter.is_null() {
        conditions(xml, filter, depth)?;
    }
    list(json, links)?.iter().try_for_each(|one| link(xml, one, depth))
}

fn link(xml: &mut String, json: &Json, depth: usize) -> Result<(), Problem> {
    only(json, LINK)?;
    let attribute = |name: &str| text(json, name).ok_or_else(|| wrong(&format!("a link has no {name}")));
    let joins: Vec<&str> = JOINS.iter().map(|(sdk, _)| *sdk).collect();
    let (_, join) = JOINS[chosen(json, "JoinOperator", &joins)?];
    let (to, from) = (attribute("LinkFromAttributeName")?, attribute("LinkToAttributeName")?);
    let name = attribute("LinkToEntityName")?;
    let _ = write!(
        xml,
        "<link-entity name=\"{}\" from=\"{}\" to=\"{}\" link-type=\"{join}\"",
        escaped(name),
        escaped(from),
        escaped(to)
    );
    if let Some(alias) = text(json, "EntityAlias").filter(|alias| !alias.is_empty()) {
        let _ = write!(xml, " alias=\"{}\"", escaped(alias));
    }
    xml.push('>');
    inside(xml, json, "Columns", "LinkCriteria", "LinkEntities", depth)?;
    xml.push_str("</link-entity>");
    Ok(())
}

fn conditions(xml: &mut String, filter: &Json, depth: usize) -> Result<(), Problem> {
    let depth = depth.checked_sub(1).ok_or_else(|| wrong("it is nested too deep"))?;
    only(filter, FILTER)?;
    let kind = ["and", "or"][chosen(filter, "FilterOperator", &["And", "Or"])?];
    let _ = write!(xml, "<filter type=\"{kind}\">");
    list(filter, "Conditions")?.iter().try_for_each(|one| condition(xml, one))?;
    list(filter, "Filters")?.iter().try_for_each(|inner| conditions(xml, inner, depth))?;
    let linked = part(filter, "AnyAllFilterLinkEntity")?;
    if !linked.is_null() {
        link(xml, linked, depth)?;
    }
    xml.push_str("</filter>");
    Ok(())
}

fn condition(xml: &mut String, json: &Json) -> Result<(), Problem> {
    only(json, CONDITION)?;
    let name = text(json, "AttributeName").ok_or_else(|| wrong("a condition has no AttributeName"))?;
    let numbered: Vec<&str> = NUMBERED.split_whitespace().collect();
    let known = numbered[chosen(json, "Operator", &numbered)?];
    let operator =
        operator(known).ok_or_else(|| wrong(&format!("the operator '{known}' is not answered here")))?;
    let _ = write!(xml, "<condition attribute=\"{}\" operator=\"{operator}\"", escaped(name));
    if let Some(alias) = text(json, "EntityName").filter(|alias| !alias.is_empty()) {
        let _ = write!(xml, " entityname=\"{}\"", escaped(alias));
    }
    if flag(json, "CompareColumns")? {
        return compared(xml, json);
    }
    values(xml, json, operator)
}

/// The other column stands where the value would.
fn compared(xml: &mut String, condition: &Json) -> Result<(), Problem> {
    let [other] = list(condition, "Values")? else { return Err(wrong("columns are compared one by one")) };
    let other = other.get("Value").unwrap_or(other).as_str();
    let other = other.ok_or_else(|| wrong("the column to compare with is no text"))?;
    let _ = write!(xml, " valueof=\"{}\"/>", escaped(other));
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
    let values: Vec<String> = list(condition, "Values")?.iter().map(shown).collect::<Result<_, _>>()?;
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

fn given<'j>(json: &'j Json, name: &str) -> Option<&'j Json> {
    json.get(name).filter(|value| !value.is_null())
}

/// An object, or null. What is neither is refused: a filter that is passed over would find other rows.
fn part<'j>(json: &'j Json, name: &str) -> Result<&'j Json, Problem> {
    match given(json, name) {
        None => Ok(&Json::Null),
        Some(value) if value.is_object() => Ok(value),
        Some(_) => Err(wrong(&format!("{name} is no object"))),
    }
}

/// A member that is passed over might have narrowed what is found.
fn only(json: &Json, members: &[&str]) -> Result<(), Problem> {
    let names = json.as_object().ok_or_else(|| wrong("a part of it is no object"))?.keys();
    let unknown = { names }.find(|name| !members.contains(&name.as_str()) && !name.contains('@'));
    unknown.map_or(Ok(()), |name| Err(wrong(&format!("it has no member {name}"))))
}

fn list<'j>(json: &'j Json, name: &str) -> Result<&'j [Json], Problem> {
    match given(json, name) {
        None => Ok(&[]),
        Some(value) => {
            value.as_array().map(Vec::as_slice).ok_or_else(|| wrong(&format!("{name} is no list")))
        }
    }
}

fn flag(json: &Json, name: &str) -> Result<bool, Problem> {
    let Some(value) = given(json, name) else { return Ok(false) };
    value.as_bool().ok_or_else(|| wrong(&format!("{name} is neither true nor false")))
}

/// The place of an enumeration's member, which is given by its name or number; the first when it is left out.
fn chosen(json: &Json, name: &str, members: &[&str]) -> Result<usize, Problem> {
    let Some(value) = given(json, name) else { return Ok(0) };
    let place = match value {
        Json::String(text) => members.iter().position(|member| member == text),
        value => value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|place| *place < members.len()),
    };
    place.ok_or_else(|| wrong(&format!("there is no {name} {value}")))
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

    fn where_(condition: Json) -> Json {
        json!({"EntityName": "contact", "Criteria": {"Conditions": [condition]}})
    }

    fn linked(join: Json) -> Json {
        json!({"EntityName": "contact", "LinkEntities": [{"LinkToEntityName": "task", "LinkToAttributeName":
            "regardingobjectid", "LinkFromAttributeName": "contactid", "JoinOperator": join}]})
    }

    #[test]
    fn a_member_of_an_enumeration_is_a_name_or_a_number() {
        for (name, number, fetch) in [
            ("Equal", 0, "eq"),
            ("In", 8, "in"),
            ("LastXDays", 33, "last-x-days"),
            ("BeginsWith", 54, "begins-with"),
            ("Under", 75, "under"),
            ("DoesNotContainValues", 88, "not-contain-values"),
        ] {
            for operator in [json!(name), json!(number)] {
                let query = where_(json!({"AttributeName": "x", "Operator": operator, "Values": ["1"]}));
                let xml = super::fetch(&query).unwrap();
                assert!(xml.contains(&format!("operator=\"{fetch}\"")), "{xml}");
                postroom_formats::fetchxml::parse(&xml).unwrap();
            }
        }
        for (name, number, fetch) in [
            ("Inner", 0, "inner"),
            ("LeftOuter", 1, "outer"),
            ("MatchFirstRowUsingCrossApply", 3, "matchfirstrowusingcrossapply"),
            ("Any", 6, "any"),
            ("NotAny", 7, "not any"),
            ("All", 8, "all"),
            ("NotAll", 9, "not all"),
        ] {
            for join in [json!(name), json!(number)] {
                let xml = super::fetch(&linked(join)).unwrap();
                assert!(xml.contains(&format!("link-type=\"{fetch}\"")), "{xml}");
                postroom_formats::fetchxml::parse(&xml).unwrap();
            }
        }
        let within = json!({"EntityName": "contact", "Criteria": {"AnyAllFilterLinkEntity":
            linked(json!(7))["LinkEntities"][0].clone()}});
        let xml = super::fetch(&within).unwrap();
        assert!(xml.contains("<filter type=\"and\"><link-entity"), "{xml}");
        postroom_formats::fetchxml::parse(&xml).unwrap();
        let either = json!({"EntityName": "contact", "Criteria": {"FilterOperator": 1}});
        assert!(super::fetch(&either).unwrap().contains("<filter type=\"or\">"));
        let same = json!({"AttributeName": "x", "Operator": 0, "Values": ["y"], "CompareColumns": true});
        assert!(super::fetch(&where_(same)).unwrap().contains("valueof=\"y\""));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for query in [
            json!({}),
            json!({"EntityName": "contact", "Criteria": {"Conditions": [{"Operator": "Equal"}]}}),
            json!({"EntityName": "contact", "Criteria": {"Conditions": [{"AttributeName": "x", "Operator": "\"/>"}]}}),
            json!({"EntityName": "contact", "LinkEntities": [{}]}),
            json!({"EntityName": "contact", "LinkEntities": {}}),
            json!({"EntityName": "contact", "criteria": {}}),
            json!({"EntityName": "contact", "Attributes": ["lastname"], "Values": ["x"]}),
            json!({"@odata.type": "Microsoft.Dynamics.CRM.QueryByAttribute", "EntityName": "contact"}),
            where_(json!({"AttributeName": "x", "Operator": "Null", "EntityAlias": "a"})),
            where_(json!("x")),
            json!({"EntityName": "contact", "TopCount": "5"}),
            json!({"EntityName": "contact", "Distinct": "yes"}),
            json!({"EntityName": "contact", "ColumnSet": {"Columns": [1]}}),
            json!({"EntityName": "contact", "Criteria": []}),
            json!({"EntityName": "contact", "Criteria": {"Conditions": {}}}),
            json!({"EntityName": "contact", "Criteria": {"FilterOperator": "Xor"}}),
            json!({"EntityName": "contact", "Criteria": {"FilterOperator": 2}}),
            json!({"EntityName": "contact", "Orders": [{"AttributeName": "x", "OrderType": 2}]}),
            where_(json!({"AttributeName": "x", "Operator": "Nearly"})),
            where_(json!({"AttributeName": "x", "Operator": 45, "Values": ["1"]})),
            where_(json!({"AttributeName": "x", "Operator": 99})),
            where_(json!({"AttributeName": "x", "Operator": -1})),
            where_(json!({"AttributeName": "x", "Operator": true})),
            where_(json!({"AttributeName": "x", "Operator": "Equal", "Values": "1"})),
            where_(json!({"AttributeName": "x", "Operator": "Equal", "Values": [["1"]]})),
            where_(
                json!({"AttributeName": "x", "Operator": "Equal", "Values": ["a", "b"], "CompareColumns": true}),
            ),
            linked(json!("Outer")),
            linked(json!(10)),
            linked(json!([1])),
        ] {
            assert!(fetch(&query).is_err(), "{query}");
        }
        let mut deep = json!({});
        (0..50).for_each(|_| deep = json!({"Filters": [deep.clone()]}));
        assert!(fetch(&json!({"EntityName": "contact", "Criteria": deep})).is_err());
    }
}
