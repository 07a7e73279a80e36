//! `QueryExpression` and `QueryByAttribute` to the query tree.

use postroom_core::Value;
use postroom_core::query::{
    Aggregate, Comparison, DatePart, Filter, Function, Group, Join, Link, Order, Query,
};

use super::{AGGREGATES, ColumnSet, JOINS};
use crate::fetchxml::{self, CONDITIONS, Fetch, Form, Linked, all, joined, name_links};
use crate::soap::value::{Any, boolean, int};
use crate::soap::{Error, missing, wrong};
use crate::xml::Element;

pub(super) fn expression(at: &Element) -> Result<Fetch, Error> {
    let table = text(at, "EntityName")?;
    let mut reader = Reader::new(at, &table)?;
    let mut query = Query::of(table.as_str());
    query.columns = reader.columns(at.child("ColumnSet"), "")?.into_columns();
    let criteria = reader.criteria(at.child("Criteria"), "")?;
    let (links, filters) = reader.links(at.child("LinkEntities"))?;
    query.filter = all(criteria.into_iter().chain(filters).collect());
    query.links = links;
    query.order = reader.orders(at)?;
    query.top = count(at, "TopCount")?.map(u64::from);
    query.distinct = flag(at, "Distinct")?;
    query.aggregates = reader.aggregates;
    query.groups = reader.groups;
    paged(query, at)
}

pub(super) fn by_attribute(at: &Element) -> Result<Fetch, Error> {
    let table = text(at, "EntityName")?;
    let mut reader = Reader::new(at, &table)?;
    let mut query = Query::of(table.as_str());
    query.columns = reader.columns(at.child("ColumnSet"), "")?.into_columns();
    let list = |name: &str| at.child(name).map(|list| &*list.children).unwrap_or_default();
    let (columns, values) = (list("Attributes"), list("Values"));
    if columns.len() != values.len() {
        return Err(wrong(
            "as many values as attributes",
            &format!("{} and {}", columns.len(), values.len()),
        ));
    }
    let filters: Result<Vec<Filter>, Error> = columns.iter().zip(values).map(equal).collect();
    query.filter = all(filters?);
    query.order = reader.orders(at)?;
    query.top = count(at, "TopCount")?.map(u64::from);
    paged(query, at)
}

fn equal((column, value): (&Element, &Element)) -> Result<Filter, Error> {
    let column = column.text.trim();
    Ok(match values(&Any::read(value)?)?.pop() {
        None | Some(Value::Null) => Filter::Null(column.to_owned()),
        Some(value) => Filter::Compare(column.to_owned(), Comparison::Eq, value),
    })
}

fn paged(query: Query, at: &Element) -> Result<Fetch, Error> {
    let mut fetch = Fetch::of(query);
    if let Some(page) = at.child("PageInfo").filter(|page| !page.nil) {
        fetch.page = count(page, "PageNumber")?.unwrap_or(1);
        fetch.count = count(page, "Count")?;
        fetch.cookie = page.text_of("PagingCookie").filter(|cookie| !cookie.is_empty()).map(str::to_owned);
        fetch.total = flag(page, "ReturnTotalRecordCount")?;
    }
    Ok(fetch)
}

fn text(at: &Element, name: &str) -> Result<String, Error> {
    at.text_of(name).filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| missing(name))
}

fn flag(at: &Element, name: &str) -> Result<bool, Error> {
    at.text_of(name).filter(|text| !text.is_empty()).map_or(Ok(false), boolean)
}

/// A number above zero; 0, nothing and null are none.
fn count(at: &Element, name: &str) -> Result<Option<u32>, Error> {
    let number = at.text_of(name).filter(|text| !text.is_empty()).map_or(Ok(0), int)?;
    Ok(u32::try_from(number).ok().filter(|number| *number > 0))
}

struct Reader<'q> {
    root: &'q str,
    /// Table and alias of every link, in the order in which they are read.
    aliases: Vec<(String, String)>,
    links: usize,
    conditions: usize,
    aggregates: Vec<Aggregate>,
    groups: Vec<Group>,
}

/// Every link below, in the order in which they are read: those of the criteria first.
fn links<'e>(criteria: Option<&'e Element>, of: Option<&'e Element>, found: &mut Vec<&'e Element>) {
    if let Some(criteria) = criteria {
        for link in criteria.each("AnyAllFilterLinkEntity").filter(|link| !link.nil) {
            below(link, found);
        }
        for filter in criteria.child("Filters").map(|filters| &*filters.children).unwrap_or_default() {
            links(Some(filter), None, found);
        }
    }
    for link in of.map(|links| &*links.children).unwrap_or_default() {
        below(link, found);
    }
}

fn below<'e>(link: &'e Element, found: &mut Vec<&'e Element>) {
    found.push(link);
    links(link.child("LinkCriteria"), link.child("LinkEntities"), found);
}

impl<'q> Reader<'q> {
    fn new(at: &Element, root: &'q str) -> Result<Self, Error> {
        let mut found = Vec::new();
        links(at.child("Criteria"), at.child("LinkEntities"), &mut found);
        let named = found
            .iter()
            .map(|link| (link.text_of("LinkToEntityName").unwrap_or_default(), link.text_of("EntityAlias")));
        let aliases = name_links(&named.collect::<Vec<_>>())?;
        Ok(Reader { root, aliases, links: 0, conditions: 0, aggregates: Vec::new(), groups: Vec::new() })
    }

    fn columns(&mut self, at: Option<&Element>, alias: &str) -> Result<ColumnSet, Error> {
        let Some(at) = at.filter(|at| !at.nil) else { return Ok(ColumnSet::default()) };
        for computed in at.child("AttributeExpressions").map(|list| &*list.children).unwrap_or_default() {
            self.computed(computed, alias)?;
        }
        ColumnSet::read(at)
    }

    /// An `XrmAttributeExpression`: an aggregate or a group.
    fn computed(&mut self, at: &Element, alias: &str) -> Result<(), Error> {
        let column = qualified(alias, &text(at, "AttributeName")?);
        let name = text(at, "Alias")?;
        if flag(at, "HasGroupBy")? {
            let part =
                at.text_of("DateTimeGrouping").filter(|part| !part.is_empty()).map_or(Ok(None), part_of)?;
            self.groups.push(Group { column, alias: name, part });
            return Ok(());
        }
        let kind = at.text_of("AggregateType").unwrap_or("None");
        let function = AGGREGATES.iter().position(|(sdk, _)| *sdk == kind);
        let function = match function {
            Some(0) => Function::Count,
            Some(1) => Function::CountColumn,
            Some(2) => Function::Sum,
            Some(3) => Function::Average,
            Some(4) => Function::Min,
            Some(5) => Function::Max,
            _ => return Err(wrong("an aggregate type", kind)),
        };
        self.aggregates.push(Aggregate { column, function, alias: name });
        Ok(())
    }

    /// `None` is a filter that says nothing.
    fn criteria(&mut self, at: Option<&Element>, alias: &str) -> Result<Option<Filter>, Error> {
        let Some(at) = at.filter(|at| !at.nil) else { return Ok(None) };
        let any = match at.text_of("FilterOperator").unwrap_or("And") {
            "And" | "" => false,
            "Or" => true,
            other => return Err(wrong("And or Or", other)),
        };
        // In the order of the prepass: links before filters.
        let mut linked = Vec::new();
        for link in at.each("AnyAllFilterLinkEntity").filter(|link| !link.nil) {
            linked.push(match self.link(link)? {
                Linked::All(filter) => filter,
                Linked::Link(link) if matches!(link.join, Join::Any | Join::NotAny) => {
                    Filter::Linked(Box::new(link))
                }
                Linked::Link(link) => return Err(wrong("any, not any or all", &link.table)),
            });
        }
        let children = |name: &str| at.child(name).map(|list| &*list.children).unwrap_or_default();
        let mut parts = Vec::new();
        for condition in children("Conditions") {
            parts.push(self.condition(condition, alias)?);
        }
        for filter in children("Filters") {
            parts.extend(self.criteria(Some(filter), alias)?);
        }
        parts.extend(linked);
        Ok(match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ if any => Some(Filter::Any(parts)),
            _ => Some(Filter::All(parts)),
        })
    }

    fn condition(&mut self, at: &Element, alias: &str) -> Result<Filter, Error> {
        self.conditions += 1;
        if self.conditions > CONDITIONS {
            return Err(fetchxml::Error::Large(CONDITIONS).into());
        }
        let column = text(at, "AttributeName")?;
        let table = at.text_of("EntityName").filter(|table| !table.is_empty() && *table != alias);
        let column = table.map_or(Ok(column.clone()), |table| self.of_table(table, &column, alias))?;
        let name = text(at, "Operator")?;
        let form = Form::from_sdk(&name).ok_or_else(|| wrong("a condition operator", &name))?;
        let mut given = Vec::new();
        for value in at.child("Values").map(|list| &*list.children).unwrap_or_default() {
            given.extend(values(&Any::read(value)?)?);
        }
        if flag(at, "CompareColumns")? {
            let other = given.first().and_then(Value::as_str).ok_or_else(|| missing("a column in Values"))?;
            return match form {
                Form::Compare(comparison) => Ok(Filter::Columns(column, comparison, other.to_owned())),
                _ => Err(wrong("an operator that compares columns", &name)),
            };
        }
        if matches!(form, Form::Null(_)) {
            given.clear();
        }
        match form.refuses(given.len()) {
            Some(wanted) => Err(fetchxml::Error::Values { column, wanted, found: given.len() }.into()),
            None => Ok(form.filter(column, given)),
        }
    }

    /// A column of the table or link that `EntityName` names: by alias, or by the table when one link alone is to it.
    fn of_table(&self, name: &str, column: &str, alias: &str) -> Result<String, Error> {
        if self.aliases.iter().any(|(_, alias)| alias == name) {
            return Ok(qualified(name, column));
        }
        if alias.is_empty() && name == self.root {
            return Ok(column.to_owned());
        }
        let mut to: Vec<_> = self.aliases.iter().filter(|(table, _)| table == name).collect();
        match (to.pop(), to.is_empty()) {
            (Some((_, own)), true) if own == alias => Ok(column.to_owned()),
            (Some((_, other)), true) => Ok(qualified(other, column)),
            _ => Err(wrong("a table of the query", name)),
        }
    }

    fn orders(&self, at: &Element) -> Result<Vec<Order>, Error> {
        let orders = at.child("Orders").map(|list| &*list.children).unwrap_or_default();
        let order = |at: &Element| {
            let descending = match at.text_of("OrderType").unwrap_or("Ascending") {
                "Ascending" | "" => false,
                "Descending" => true,
                other => return Err(wrong("Ascending or Descending", other)),
            };
            if let Some(alias) = at.text_of("Alias").filter(|alias| !alias.is_empty()) {
                return Ok(Order { column: alias.to_owned(), descending });
            }
            let column = text(at, "AttributeName")?;
            let table = at.text_of("EntityName").filter(|table| !table.is_empty());
            let column = table.map_or(Ok(column.clone()), |table| self.of_table(table, &column, ""))?;
            Ok(Order { column, descending })
        };
        orders.iter().map(order).collect()
    }

    /// The links, and the filters that some of them are.
    fn links(&mut self, at: Option<&Element>) -> Result<(Vec<Link>, Vec<Filter>), Error> {
        let (mut links, mut filters) = (Vec::new(), Vec::new());
        for link in at.map(|list| &*list.children).unwrap_or_default() {
            match self.link(link)? {
                Linked::Link(link) => links.push(link),
                Linked::All(filter) => filters.push(filter),
            }
        }
        Ok((links, filters))
    }

    fn link(&mut self, at: &Element) -> Result<Linked, Error> {
        let alias = self
            .aliases
            .get(self.links)
            .map(|(_, alias)| alias.clone())
            .ok_or_else(|| missing("EntityAlias"))?;
        self.links += 1;
        // The SDK's "from" is the table that the link hangs on; FetchXML's and ours is the linked one.
        let from = text(at, "LinkToAttributeName")?;
        let mut link = Link::new(
            text(at, "LinkToEntityName")?,
            from,
            text(at, "LinkFromAttributeName")?,
            alias.as_str(),
        );
        link.columns = self.columns(at.child("Columns"), &alias)?.into_columns();
        let criteria = self.criteria(at.child("LinkCriteria"), &alias)?;
        let (links, filters) = self.links(at.child("LinkEntities"))?;
        link.filter = all(criteria.into_iter().chain(filters).collect());
        link.order = self.orders(at)?;
        link.links = links;
        let join = at.text_of("JoinOperator").filter(|join| !join.is_empty()).unwrap_or("Inner");
        let kind =
            JOINS.iter().find(|(sdk, _)| *sdk == join).ok_or_else(|| wrong("a join operator", join))?;
        Ok(joined(link, kind.1)?)
    }
}

fn qualified(alias: &str, column: &str) -> String {
    match alias {
        "" => column.to_owned(),
        alias => format!("{alias}.{column}"),
    }
}

fn part_of(name: &str) -> Result<Option<DatePart>, Error> {
    Ok(Some(match name {
        "None" => return Ok(None),
        "Day" => DatePart::Day,
        "Week" => DatePart::Week,
        "Month" => DatePart::Month,
        "Quarter" => DatePart::Quarter,
        "Year" => DatePart::Year,
        "FiscalPeriod" => DatePart::FiscalPeriod,
        "FiscalYear" => DatePart::FiscalYear,
        other => return Err(wrong("a date grouping", other)),
    }))
}

/// One value, or those of an array: SDK programs pass a whole array where several values are meant.
fn values(any: &Any) -> Result<Vec<Value>, Error> {
    Ok(match any {
        Any::Strings(texts) => texts.iter().map(|text| Value::text(text.as_str())).collect(),
        Any::Guids(ids) => ids.iter().map(|id| Value::Guid(*id)).collect(),
        Any::Ints(numbers) => numbers.iter().map(|number| Value::Int(i64::from(*number))).collect(),
        Any::Values(all) => {
            let each =
                all.iter().map(|any| any.to_value().ok_or_else(|| wrong("single values", "a collection")));
            return each.collect();
        }
        any => vec![any.to_value().ok_or_else(|| wrong("a single value", "a row or a query"))?],
    })
}
