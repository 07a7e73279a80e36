//! The query tree to `QueryExpression` and `QueryByAttribute`.

use postroom_core::Value;
use postroom_core::query::{Comparison, DatePart, Filter, Function, Join, Link, Order};

use super::{AGGREGATES, ColumnSet, strings};
use crate::fetchxml::{self, Fetch, Form, opposite_of};
use crate::soap::names::{ARRAYS, XRM};
use crate::soap::value::Any;
use crate::soap::{Error, Generation};
use crate::xml::Element;

pub(super) fn expression(fetch: &Fetch) -> Result<Vec<Element>, Error> {
    let query = &fetch.query;
    if !fetch.renamed.is_empty() {
        return Err(unsupported("another name for a column in a QueryExpression"));
    }
    let mut members = vec![
        columns(fetch, query.columns.as_deref(), "", "ColumnSet")?,
        criteria(&query.filter, "Criteria")?,
        Element::leaf(XRM, "Distinct", (fetch.distinct || query.distinct).to_string()),
        Element::leaf(XRM, "EntityName", query.table.as_str()),
        links(&query.links, &query.table, fetch)?,
        orders(&query.order, query.computes()),
        page(fetch),
        Element::leaf(XRM, "NoLock", "false"),
    ];
    members.extend(top(fetch));
    Ok(members)
}

pub(super) fn by_attribute(fetch: &Fetch) -> Result<Vec<Element>, Error> {
    let query = &fetch.query;
    let pairs = match &query.filter {
        Filter::All(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    if !query.links.is_empty() || query.computes() || query.distinct || !fetch.renamed.is_empty() {
        return Err(unsupported("links, aggregates or distinct rows in a QueryByAttribute"));
    }
    let (mut names, mut values) = (Vec::new(), Element::new(XRM, "Values").declare(ARRAYS));
    for pair in pairs {
        let (column, value) = match pair {
            Filter::Compare(column, Comparison::Eq, value) => (column, Any::of_value(value)),
            Filter::Null(column) => (column, Any::Null),
            _ => return Err(unsupported("anything but equal values in a QueryByAttribute")),
        };
        names.push(column.clone());
        values = values.with(value.write(ARRAYS, "anyType", Generation::Crm2011));
    }
    let mut members = vec![
        strings("Attributes", &names),
        columns(fetch, query.columns.as_deref(), "", "ColumnSet")?,
        Element::leaf(XRM, "EntityName", query.table.as_str()),
        orders(&query.order, false),
        page(fetch),
        values,
    ];
    members.extend(top(fetch));
    Ok(members)
}

fn unsupported(what: &str) -> Error {
    fetchxml::Error::Unsupported(what.to_owned()).into()
}

fn top(fetch: &Fetch) -> Option<Element> {
    fetch.query.top.map(|top| Element::leaf(XRM, "TopCount", top.min(i32::MAX as u64).to_string()))
}

fn page(fetch: &Fetch) -> Element {
    Element::new(XRM, "PageInfo")
        .with(Element::leaf(XRM, "Count", fetch.count.unwrap_or(0).to_string()))
        .with(Element::leaf(XRM, "PageNumber", fetch.page.to_string()))
        .with(Element::maybe(XRM, "PagingCookie", fetch.cookie.as_deref()))
        .with(Element::leaf(XRM, "ReturnTotalRecordCount", fetch.total.to_string()))
}

/// A `ColumnSet`, with what is computed of that table's columns.
fn columns(
    fetch: &Fetch,
    wanted: Option<&[String]>,
    alias: &str,
    name: &'static str,
) -> Result<Element, Error> {
    let computed = computed(fetch, alias)?;
    if fetch.query.computes() {
        let all = Element::leaf(XRM, "AllColumns", "false");
        let list = Element::new(XRM, "AttributeExpressions").with_all(computed);
        return Ok(Element::new(XRM, name).with(all).with(list).with(strings("Columns", &[])));
    }
    Ok(Element::new(XRM, name).with_all(ColumnSet::of(wanted).members()))
}

fn computed(fetch: &Fetch, alias: &str) -> Result<Vec<Element>, Error> {
    let mut all = Vec::new();
    for aggregate in &fetch.query.aggregates {
        let kind = match aggregate.function {
            Function::Count => 0,
            Function::CountColumn => 1,
            Function::Sum => 2,
            Function::Average => 3,
            Function::Min => 4,
            Function::Max => 5,
            Function::CountDistinct => {
                return Err(unsupported("a count of different values in a QueryExpression"));
            }
        };
        let Some(column) = of_table(&aggregate.column, alias) else { continue };
        all.push(attribute(AGGREGATES[kind].0, &aggregate.alias, column, "None", false));
    }
    for group in &fetch.query.groups {
        let Some(column) = of_table(&group.column, alias) else { continue };
        all.push(attribute("None", &group.alias, column, group.part.map_or("None", part_name), true));
    }
    Ok(all)
}

fn attribute(kind: &str, alias: &str, column: &str, grouping: &str, grouped: bool) -> Element {
    Element::new(XRM, "AttributeExpression")
        .with(Element::leaf(XRM, "AggregateType", kind))
        .with(Element::leaf(XRM, "Alias", alias))
        .with(Element::leaf(XRM, "AttributeName", column))
        .with(Element::leaf(XRM, "DateTimeGrouping", grouping))
        .with(Element::leaf(XRM, "HasGroupBy", grouped.to_string()))
}

fn part_name(part: DatePart) -> &'static str {
    match part {
        DatePart::Day => "Day",
        DatePart::Week => "Week",
        DatePart::Month => "Month",
        DatePart::Quarter => "Quarter",
        DatePart::Year => "Year",
        DatePart::FiscalPeriod => "FiscalPeriod",
        DatePart::FiscalYear => "FiscalYear",
    }
}

fn of_table<'c>(column: &'c str, alias: &str) -> Option<&'c str> {
    match column.split_once('.') {
        Some((table, column)) => (table == alias).then_some(column),
        None => alias.is_empty().then_some(column),
    }
}

fn orders(orders: &[Order], computed: bool) -> Element {
    let order = |order: &Order| {
        let kind = Element::leaf(XRM, "OrderType", if order.descending { "Descending" } else { "Ascending" });
        let at = Element::new(XRM, "OrderExpression");
        match (computed, order.column.split_once('.')) {
            (true, _) => at.with(Element::leaf(XRM, "Alias", order.column.as_str())).with(kind),
            (false, Some((table, column))) => at
                .with(Element::leaf(XRM, "AttributeName", column))
                .with(Element::leaf(XRM, "EntityName", table))
                .with(kind),
            (false, None) => at.with(Element::leaf(XRM, "AttributeName", order.column.as_str())).with(kind),
        }
    };
    Element::new(XRM, "Orders").with_all(orders.iter().map(order))
}

fn links(links: &[Link], parent: &str, fetch: &Fetch) -> Result<Element, Error> {
    let all: Result<Vec<Element>, Error> =
        links.iter().map(|link| self::link(link, parent, fetch, "LinkEntity", false)).collect();
    Ok(Element::new(XRM, "LinkEntities").with_all(all?))
}

fn link(
    link: &Link,
    parent: &str,
    fetch: &Fetch,
    name: &'static str,
    filters: bool,
) -> Result<Element, Error> {
    let join = match (link.join, filters) {
        (Join::Inner, _) => "Inner",
        (Join::Outer, _) => "LeftOuter",
        (Join::First, _) => "MatchFirstRowUsingCrossApply",
        (Join::Any, false) => "Exists",
        (Join::Any, true) => "Any",
        (Join::NotAny, _) => "NotAny",
    };
    let text = |name: &'static str, text: &str| Element::leaf(XRM, name, text);
    Ok(Element::new(XRM, name)
        .with(columns(fetch, link.columns.as_deref(), &link.alias, "Columns")?)
        .with(text("EntityAlias", &link.alias))
        .with(text("JoinOperator", join))
        .with(criteria(&link.filter, "LinkCriteria")?)
        .with(links(&link.links, &link.table, fetch)?)
        .with(text("LinkFromAttributeName", &link.to))
        .with(text("LinkFromEntityName", parent))
        .with(text("LinkToAttributeName", &link.from))
        .with(text("LinkToEntityName", &link.table))
        .with(orders(&link.order, false)))
}

/// What a `FilterExpression` holds.
#[derive(Default)]
struct Parts {
    linked: Vec<Element>,
    conditions: Vec<Element>,
    filters: Vec<Element>,
}

fn criteria(filter: &Filter, name: &'static str) -> Result<Element, Error> {
    match filter {
        Filter::Any(parts) if parts.is_empty() => Err(unsupported("a condition that is never true")),
        Filter::Any(parts) => several(parts, "Or", name),
        Filter::All(parts) if Form::of(filter).is_none() => several(parts, "And", name),
        one => several(std::slice::from_ref(one), "And", name),
    }
}

fn several(filters: &[Filter], operator: &str, name: &'static str) -> Result<Element, Error> {
    let mut parts = Parts::default();
    for filter in filters {
        part(filter, &mut parts)?;
    }
    Ok(Element::new(XRM, name)
        .with_all(parts.linked)
        .with(Element::new(XRM, "Conditions").with_all(parts.conditions))
        .with(Element::leaf(XRM, "FilterOperator", operator))
        .with(Element::new(XRM, "Filters").with_all(parts.filters)))
}

fn part(filter: &Filter, parts: &mut Parts) -> Result<(), Error> {
    if let Some((column, form, values)) = Form::of(filter) {
        parts.conditions.push(condition(column, form, &values, false)?);
        return Ok(());
    }
    match filter {
        Filter::All(all) if all.is_empty() => return Err(unsupported("a condition that is always true")),
        Filter::All(_) | Filter::Any(_) => parts.filters.push(criteria(filter, "FilterExpression")?),
        Filter::Not(inner) => part(&opposite_of(inner)?, parts)?,
        Filter::Columns(column, comparison, other) => {
            let other = [Value::text(other.as_str())];
            parts.conditions.push(condition(column, Form::Compare(*comparison), &other, true)?);
        }
        // One filter holds one such link; more of them are filters of their own.
        Filter::Linked(link) => {
            let nothing = Fetch::of(postroom_core::Query::of(""));
            let linked = self::link(link, "", &nothing, "AnyAllFilterLinkEntity", true)?;
            match parts.linked.is_empty() {
                true => parts.linked.push(linked),
                false => parts.filters.push(several(&[], "And", "FilterExpression")?.first(linked)),
            }
        }
        _ => return Err(unsupported("this condition")),
    }
    Ok(())
}

fn condition(column: &str, form: Form, values: &[Value], columns: bool) -> Result<Element, Error> {
    let operator = form.sdk_name().ok_or_else(|| unsupported("this operator"))?;
    let (table, column) = match column.split_once('.') {
        Some((table, column)) => (Some(table), column),
        None => (None, column),
    };
    let values =
        values.iter().map(|value| Any::of_value(value).write(ARRAYS, "anyType", Generation::Crm2011));
    let compares = columns.then(|| Element::leaf(XRM, "CompareColumns", "true"));
    let table = table.map(|table| Element::leaf(XRM, "EntityName", table));
    Ok(Element::new(XRM, "ConditionExpression")
        .with(Element::leaf(XRM, "AttributeName", column))
        .with_all(compares)
        .with(Element::leaf(XRM, "Operator", operator))
        .with(Element::new(XRM, "Values").declare(ARRAYS).with_all(values))
        .with_all(table))
}
