//! Query to FetchXML.

use postroom_core::Value;
use postroom_core::query::{Comparison, DatePart, Filter, Function, Join, Link, Order};

use super::conditions::{Form, literal, opposite_of, text};
use super::{Error, Fetch};
use crate::xml::{self, Element};

/// The `<fetch>` of a query. Refuses what FetchXML has no words for, such as the opposite of "in the last seven days".
pub fn write(fetch: &Fetch) -> Result<String, Error> {
    let query = &fetch.query;
    let mut root = Element::new("", "fetch").attribute("version", "1.0").attribute("mapping", "logical");
    let flags = [
        ("distinct", fetch.distinct || query.distinct),
        ("aggregate", fetch.aggregate || query.computes()),
        ("returntotalrecordcount", fetch.total),
    ];
    for (name, _) in flags.into_iter().filter(|(_, set)| *set) {
        root = root.attribute(name, "true");
    }
    if let Some(top) = query.top {
        root = root.attribute("top", top.to_string());
    }
    if let Some(count) = fetch.count {
        root = root.attribute("count", count.to_string());
    }
    if fetch.page > 1 {
        root = root.attribute("page", fetch.page.to_string());
    }
    if let Some(cookie) = &fetch.cookie {
        root = root.attribute("paging-cookie", cookie.as_str());
    }
    let mut entity = Element::new("", "entity").attribute("name", query.table.as_str());
    if !query.computes() {
        entity = columns(entity, query.columns.as_deref(), "", fetch);
    }
    entity = computed(entity, "", fetch);
    let computed = query.computes();
    entity = entity.with_all(query.order.iter().map(|order| ordered(order, computed)));
    entity = entity.with_all(filter(&query.filter)?);
    for link in &query.links {
        entity = entity.with(linked(link, fetch)?);
    }
    Ok(xml::write(&root.with(entity)))
}

/// The columns that are answered as they are. Of the table asked for, nothing said means all of them; of a link none.
fn columns(at: Element, columns: Option<&[String]>, alias: &str, fetch: &Fetch) -> Element {
    match columns {
        None => at.with(Element::new("", "all-attributes")),
        Some([]) if alias.is_empty() => at.with(Element::new("", "no-attrs")),
        Some(columns) => at.with_all(columns.iter().map(|column| {
            let attribute = Element::new("", "attribute").attribute("name", column.as_str());
            let full = match alias {
                "" => column.clone(),
                alias => format!("{alias}.{column}"),
            };
            match fetch.renamed.iter().find(|(renamed, _)| *renamed == full) {
                Some((_, name)) => attribute.attribute("alias", name.as_str()),
                None => attribute,
            }
        })),
    }
}

/// What is computed of the columns of one table; the empty alias is the one asked for.
fn computed(mut at: Element, alias: &str, fetch: &Fetch) -> Element {
    for aggregate in &fetch.query.aggregates {
        let Some(column) = of_table(&aggregate.column, alias) else { continue };
        let (function, distinct) = function(aggregate.function);
        let mut attribute = Element::new("", "attribute")
            .attribute("name", column)
            .attribute("alias", aggregate.alias.as_str())
            .attribute("aggregate", function);
        if distinct {
            attribute = attribute.attribute("distinct", "true");
        }
        at = at.with(attribute);
    }
    for group in &fetch.query.groups {
        let Some(column) = of_table(&group.column, alias) else { continue };
        let mut attribute = Element::new("", "attribute")
            .attribute("name", column)
            .attribute("alias", group.alias.as_str())
            .attribute("groupby", "true");
        if let Some(part) = group.part {
            attribute =
                attribute.attribute("dategrouping", date_part(part)).attribute("usertimezone", "false");
        }
        at = at.with(attribute);
    }
    at
}

/// The column's own name, if it is one of the table with that alias.
fn of_table<'c>(column: &'c str, alias: &str) -> Option<&'c str> {
    match column.split_once('.') {
        Some((table, column)) => (table == alias).then_some(column),
        None => alias.is_empty().then_some(column),
    }
}

fn function(function: Function) -> (&'static str, bool) {
    match function {
        Function::Count => ("count", false),
        Function::CountColumn => ("countcolumn", false),
        Function::CountDistinct => ("countcolumn", true),
        Function::Sum => ("sum", false),
        Function::Average => ("avg", false),
        Function::Min => ("min", false),
        Function::Max => ("max", false),
    }
}

fn date_part(part: DatePart) -> &'static str {
    match part {
        DatePart::Day => "day",
        DatePart::Week => "week",
        DatePart::Month => "month",
        DatePart::Quarter => "quarter",
        DatePart::Year => "year",
        DatePart::FiscalPeriod => "fiscal-period",
        DatePart::FiscalYear => "fiscal-year",
    }
}

fn ordered(order: &Order, computed: bool) -> Element {
    let element = Element::new("", "order");
    let element = match (computed, order.column.split_once('.')) {
        (true, _) => element.attribute("alias", order.column.as_str()),
        (false, Some((table, column))) => {
            element.attribute("entityname", table).attribute("attribute", column)
        }
        (false, None) => element.attribute("attribute", order.column.as_str()),
    };
    match order.descending {
        true => element.attribute("descending", "true"),
        false => element,
    }
}

fn linked(link: &Link, fetch: &Fetch) -> Result<Element, Error> {
    let kind = match link.join {
        Join::Inner => "inner",
        Join::Outer => "outer",
        Join::First => "matchfirstrowusingcrossapply",
        Join::Any => "exists",
        Join::NotAny => "not any",
    };
    link_entity(link, kind, fetch)
}

fn link_entity(link: &Link, kind: &str, fetch: &Fetch) -> Result<Element, Error> {
    let mut at = Element::new("", "link-entity")
        .attribute("name", link.table.as_str())
        .attribute("from", link.from.as_str())
        .attribute("to", link.to.as_str())
        .attribute("alias", link.alias.as_str())
        .attribute("link-type", kind);
    if link.join.answers() && !fetch.query.computes() {
        at = columns(at, link.columns.as_deref(), &link.alias, fetch);
    }
    at = computed(at, &link.alias, fetch);
    at = at.with_all(link.order.iter().map(|order| ordered(order, false))).with_all(filter(&link.filter)?);
    for inner in &link.links {
        at = at.with(linked(inner, fetch)?);
    }
    Ok(at)
}

/// The `<filter>` of a table; `None` when every row is wanted.
fn filter(filter: &Filter) -> Result<Option<Element>, Error> {
    match filter {
        Filter::All(parts) if parts.is_empty() => Ok(None),
        Filter::All(_) | Filter::Any(_) if Form::of(filter).is_none() => part(filter).map(Some),
        other => Ok(Some(Element::new("", "filter").attribute("type", "and").with(part(other)?))),
    }
}

/// A condition, or a `<filter>` of several.
fn part(filter: &Filter) -> Result<Element, Error> {
    if let Some((column, form, values)) = Form::of(filter) {
        return condition(column, form, &values);
    }
    match filter {
        Filter::All(parts) if parts.is_empty() => {
            Err(Error::Unsupported("a condition that is always true".into()))
        }
        Filter::Any(parts) if parts.is_empty() => {
            Err(Error::Unsupported("a condition that is never true".into()))
        }
        Filter::All(parts) => several("and", parts),
        Filter::Any(parts) => several("or", parts),
        Filter::Linked(link) if link.join == Join::Any => link_entity(link, "any", &Fetch::of(nothing())),
        Filter::Linked(link) if link.join == Join::NotAny => {
            link_entity(link, "not any", &Fetch::of(nothing()))
        }
        Filter::Linked(link) => {
            Err(Error::Unsupported(format!("a join to {:?} within a filter", link.table)))
        }
        Filter::Columns(column, comparison, other) => {
            let form = Form::Compare(*comparison);
            Ok(compared(column, form)?.attribute("valueof", other.as_str()))
        }
        Filter::Not(inner) => part(&opposite_of(inner)?),
        Filter::Compare(..) | Filter::In(..) | Filter::Null(_) | Filter::Like(..) | Filter::Operator(..) => {
            Err(Error::Unsupported("this condition".into()))
        }
    }
}

/// The query that a link within a filter belongs to computes nothing and renames nothing.
fn nothing() -> postroom_core::Query {
    postroom_core::Query::of("")
}

fn several(kind: &str, parts: &[Filter]) -> Result<Element, Error> {
    let parts: Result<Vec<Element>, Error> = parts.iter().map(part).collect();
    Ok(Element::new("", "filter").attribute("type", kind).with_all(parts?))
}

fn compared(column: &str, form: Form) -> Result<Element, Error> {
    let operator =
        form.fetch_name().ok_or_else(|| Error::Unsupported(format!("{column:?} contains a column")))?;
    let at = Element::new("", "condition");
    let at = match column.split_once('.') {
        Some((table, column)) => at.attribute("entityname", table).attribute("attribute", column),
        None => at.attribute("attribute", column),
    };
    Ok(at.attribute("operator", operator))
}

fn condition(column: &str, form: Form, values: &[Value]) -> Result<Element, Error> {
    // FetchXML has no word for "contains"; a pattern says it.
    let (form, values) = match (form, values) {
        (Form::Compare(Comparison::Contains), [value]) => (Form::Like(true), vec![within(value)]),
        (Form::NotCompare(Comparison::Contains), [value]) => (Form::Like(false), vec![within(value)]),
        (form, values) => (form, values.to_vec()),
    };
    let at = compared(column, form)?;
    Ok(match (form, values.as_slice()) {
        (Form::In(_) | Form::Between(_), values) => at.with_all(values.iter().map(value)),
        (_, []) => at,
        (_, [one]) => at.attribute("value", text(one)),
        (_, several) => at.with_all(several.iter().map(value)),
    })
}

fn within(value: &Value) -> Value {
    Value::Text(format!("%{}%", literal(&text(value))))
}

fn value(value: &Value) -> Element {
    Element::leaf("", "value", text(value))
}
