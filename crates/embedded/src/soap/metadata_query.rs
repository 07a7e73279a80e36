//! `RetrieveMetadataChanges`: a query over definitions (`EntityQueryExpression`), answered with what fits.
//!
//! Conditions and choices of members are worked out on the written definitions, so that every member of the contracts can be
//! named. What was deleted is not remembered: a client whose stamp is older than the newest change gets everything that fits.

use postroom_formats::soap::metadata::{self, Parts};
use postroom_formats::soap::names::{GENERIC, METADATA, XRM};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;

use super::call::Call;
use super::definitions::{stamp, text};
use super::stop::Stop;

/// The members that hold definitions of a table's parts, and the queries that narrow them.
const PARTS: &[(&str, &str)] = &[
    ("Attributes", "AttributeQuery"),
    ("Keys", "KeyQuery"),
    ("ManyToManyRelationships", "RelationshipQuery"),
    ("ManyToOneRelationships", "RelationshipQuery"),
    ("OneToManyRelationships", "RelationshipQuery"),
];
/// Members that stand whatever is asked for.
const ALWAYS: &[&str] = &["MetadataId", "HasChanged", "LogicalName", "SchemaName"];

/// The kinds of definitions that the answer shows.
pub(super) fn kinds(request: &Request) -> Vec<&'static str> {
    let properties = match request.get("Query") {
        Some(Any::Raw(query)) => query.child("Properties"),
        _ => None,
    };
    let shown = |member: &str| wants(properties, member);
    let mut kinds = vec!["Entity"];
    if shown("Attributes") {
        kinds.push("Attribute");
    }
    if PARTS.iter().any(|(part, query)| *query == "RelationshipQuery" && shown(part)) {
        kinds.push("Relationship");
    }
    kinds
}

pub(super) fn answer(call: &Call<'_>, request: &Request) -> Result<Vec<(String, Any)>, Stop> {
    let nothing = Element::new(METADATA, "Query");
    let query = match request.get("Query") {
        Some(Any::Raw(query)) => query,
        None | Some(Any::Null) => &nothing,
        Some(_) => return Err(Stop::parameter(&request.name, "Query", "EntityQueryExpression")),
    };
    let current = stamp(call);
    let unchanged = text(request, "ClientVersionStamp") == Some(current.as_str());
    let mut tables = Vec::new();
    let parts = Parts { attributes: true, privileges: true, relationships: true };
    for table in call.metadata.tables.iter().filter(|_| !unchanged) {
        let mut element = metadata::write_table(table, &call.metadata, parts, call.wire());
        if !fits(query.child("Criteria"), &element)? {
            continue;
        }
        for (part, narrowed) in PARTS {
            let Some(list) = element.children.iter_mut().find(|child| child.name.local == *part) else {
                continue;
            };
            if let Some(query) = query.child(narrowed).filter(|query| !query.nil) {
                narrow(list, query)?;
            }
        }
        choose(&mut element, query.child("Properties"));
        element.kind = None;
        tables.push(element.renamed(METADATA, "EntityMetadata"));
    }
    let list = Element::new(GENERIC, "value").kind(XRM, "EntityMetadataCollection").with_all(tables);
    Ok(vec![
        ("EntityMetadata".to_owned(), Any::Raw(list)),
        ("ServerVersionStamp".to_owned(), Any::String(current)),
        ("DeletedMetadata".to_owned(), Any::Null),
    ])
}

/// Those of a list that fit a query, with the members that it wants.
fn narrow(list: &mut Element, query: &Element) -> Result<(), Stop> {
    let mut kept = Vec::new();
    for mut one in std::mem::take(&mut list.children) {
        if fits(query.child("Criteria"), &one)? {
            choose(&mut one, query.child("Properties"));
            kept.push(one);
        }
    }
    list.children = kept;
    Ok(())
}

/// Empties the members that are not wanted.
fn choose(element: &mut Element, properties: Option<&Element>) {
    for child in element.children.iter_mut().filter(|child| !wants(properties, &child.name.local)) {
        let name = child.name.clone();
        *child = Element::null(name.ns, name.local);
    }
}

/// Whether a `MetadataPropertiesExpression` asks for a member; without one everything is asked for.
fn wants(properties: Option<&Element>, member: &str) -> bool {
    let Some(properties) = properties.filter(|properties| !properties.nil) else { return true };
    let all = properties.text_of("AllProperties").is_some_and(|all| all.trim() == "true");
    let names = properties.child("PropertyNames").map(|names| &*names.children).unwrap_or_default();
    all || ALWAYS.contains(&member) || names.iter().any(|name| name.text.trim() == member)
}

/// A `MetadataFilterExpression`; one that says nothing holds.
fn fits(filter: Option<&Element>, of: &Element) -> Result<bool, Stop> {
    let Some(filter) = filter.filter(|filter| !filter.nil) else { return Ok(true) };
    let children = |name: &str| filter.child(name).map(|list| &*list.children).unwrap_or_default();
    let mut parts = Vec::new();
    for condition in children("Conditions") {
        parts.push(holds(condition, of)?);
    }
    for inner in children("Filters") {
        parts.push(fits(Some(inner), of)?);
    }
    Ok(match filter.text_of("FilterOperator") {
        Some("Or") => parts.is_empty() || parts.contains(&true),
        _ => !parts.contains(&false),
    })
}

fn holds(condition: &Element, of: &Element) -> Result<bool, Stop> {
    let property = condition.text_of("PropertyName").unwrap_or_default();
    let member = of.child(property);
    let member = member.ok_or_else(|| Stop::bad(format!("Definitions have no property {property:?}")))?;
    let own = content(member);
    let given: Vec<String> = match condition.child("Value").filter(|value| !value.nil) {
        None => vec![String::new()],
        Some(value) if value.children.is_empty() => vec![value.text.trim().to_owned()],
        Some(value) => value.children.iter().map(|one| one.text.trim().to_owned()).collect(),
    };
    let equal = given.iter().any(|given| given.eq_ignore_ascii_case(&own));
    let numbers = || Some((own.parse::<f64>().ok()?, given.first()?.parse::<f64>().ok()?));
    Ok(match condition.text_of("ConditionOperator").unwrap_or("Equals") {
        "Equals" | "In" => equal,
        "NotEquals" | "NotIn" => !equal,
        "GreaterThan" => numbers().is_some_and(|(own, given)| own > given),
        "LessThan" => numbers().is_some_and(|(own, given)| own < given),
        other => return Err(Stop::bad(format!("{other:?} is no operator of a metadata condition"))),
    })
}

/// The text of a member; of a managed property or a name its value.
fn content(member: &Element) -> String {
    let text = if member.nil { "" } else { member.text_of("Value").unwrap_or(&member.text) };
    text.trim().to_owned()
}
