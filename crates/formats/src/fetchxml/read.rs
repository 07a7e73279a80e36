//! FetchXML to query.

use std::collections::HashSet;

use postroom_core::Value;
use postroom_core::query::{Aggregate, DatePart, Filter, Function, Group, Join, Link, Order, Query};

use super::conditions::Form;
use super::{CONDITIONS, Error, Fetch, LINKS};
use crate::xml::{self, Element, Limits};

/// Reads a `<fetch>`.
pub fn parse(text: &str) -> Result<Fetch, Error> {
    let limits = Limits { bytes: 4 << 20, nodes: 200_000, ..Limits::default() };
    let root = xml::read(text.trim(), &limits)?;
    element(&root, "fetch")?;
    let entity = root.child("entity").ok_or(Error::Element { found: "fetch".into(), wanted: "entity" })?;
    let aggregate = flag(&root, "aggregate");
    let table = named(entity, "entity", "name")?;
    let mut reader = Reader::new(entity, &table, aggregate)?;
    let mut part = reader.part(entity, "")?;
    let mut query = Query::of(table.as_str());
    let named = part.none || !part.columns.is_empty();
    query.columns = (named && !part.all).then(|| std::mem::take(&mut part.columns));
    query.filter = all(part.filters);
    query.order = part.order;
    query.links = part.links;
    query.top = number(&root, "top")?.filter(|top| *top > 0).map(u64::from);
    query.distinct = flag(&root, "distinct");
    query.aggregates = reader.aggregates;
    query.groups = reader.groups;
    Ok(Fetch {
        page: number(&root, "page")?.unwrap_or(1).max(1),
        count: number(&root, "count")?.filter(|count| *count > 0),
        cookie: root.get("paging-cookie").filter(|cookie| !cookie.is_empty()).map(str::to_owned),
        total: flag(&root, "returntotalrecordcount"),
        aggregate,
        distinct: query.distinct,
        renamed: reader.renamed,
        query,
    })
}

fn element(found: &Element, wanted: &'static str) -> Result<(), Error> {
    match found.name.local == wanted {
        true => Ok(()),
        false => Err(Error::Element { found: found.name.local.chars().take(40).collect(), wanted }),
    }
}

fn named(at: &Element, element: &'static str, attribute: &'static str) -> Result<String, Error> {
    let value = at.get(attribute).map(str::trim).filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or(Error::Missing { element, attribute })
}

fn flag(at: &Element, attribute: &str) -> bool {
    at.get(attribute).is_some_and(|value| matches!(value.trim(), "true" | "1" | "True" | "TRUE"))
}

fn number(at: &Element, attribute: &'static str) -> Result<Option<u32>, Error> {
    match at.get(attribute).map(str::trim).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => value.parse().map(Some).map_err(|_| wrong(attribute, value)),
    }
}

fn wrong(attribute: &'static str, value: &str) -> Error {
    Error::Value { attribute, value: value.chars().take(80).collect() }
}

/// What stands in an `<entity>` or `<link-entity>`.
#[derive(Default)]
struct Part {
    all: bool,
    none: bool,
    columns: Vec<String>,
    filters: Vec<Filter>,
    order: Vec<Order>,
    links: Vec<Link>,
}

struct Reader<'f> {
    root: &'f str,
    aggregate: bool,
    /// Table and alias of every link, in the order of the text.
    aliases: Vec<(String, String)>,
    /// How many links have been read.
    links: usize,
    conditions: usize,
    aggregates: Vec<Aggregate>,
    groups: Vec<Group>,
    renamed: Vec<(String, String)>,
}

impl<'f> Reader<'f> {
    fn new(entity: &Element, root: &'f str, aggregate: bool) -> Result<Self, Error> {
        let mut found = Vec::new();
        links(entity, &mut found);
        Ok(Reader {
            root,
            aggregate,
            aliases: aliases(&found)?,
            links: 0,
            conditions: 0,
            aggregates: Vec::new(),
            groups: Vec::new(),
            renamed: Vec::new(),
        })
    }

    /// `alias` is empty for the table asked for.
    fn part(&mut self, at: &Element, alias: &str) -> Result<Part, Error> {
        let mut part = Part::default();
        for child in &at.children {
            match child.name.local.as_str() {
                "all-attributes" => part.all = true,
                "no-attrs" => part.none = true,
                "attribute" => self.attribute(child, alias, &mut part)?,
                "order" => part.order.push(self.order(child)?),
                "filter" => part.filters.extend(self.filter(child, alias)?),
                "link-entity" => match self.link(child)? {
                    Linked::Link(link) => part.links.push(link),
                    Linked::All(filter) => part.filters.push(filter),
                },
                _ => {}
            }
        }
        Ok(part)
    }

    fn attribute(&mut self, at: &Element, alias: &str, part: &mut Part) -> Result<(), Error> {
        let column = named(at, "attribute", "name")?;
        let full = qualified(alias, &column);
        let given = at.get("alias").map(str::trim).filter(|alias| !alias.is_empty());
        if !self.aggregate {
            self.renamed.extend(given.map(|alias| (full, alias.to_owned())));
            part.columns.push(column);
            return Ok(());
        }
        let alias = given.ok_or(Error::Missing { element: "attribute", attribute: "alias" })?.to_owned();
        if let Some(function) = at.get("aggregate") {
            let function = function_of(function.trim(), flag(at, "distinct"))?;
            self.aggregates.push(Aggregate { column: full, function, alias });
        } else if flag(at, "groupby") {
            let part = at.get("dategrouping").map(|part| date_part(part.trim())).transpose()?;
            self.groups.push(Group { column: full, alias, part });
        } else {
            return Err(Error::Missing { element: "attribute", attribute: "aggregate" });
        }
        Ok(())
    }

    fn order(&self, at: &Element) -> Result<Order, Error> {
        let descending = flag(at, "descending");
        if let Some(alias) = at.get("alias").filter(|alias| !alias.is_empty()) {
            return Ok(Order { column: alias.to_owned(), descending });
        }
        let column = named(at, "order", "attribute")?;
        let table = at.get("entityname").filter(|name| !name.is_empty());
        let column = table.map_or(Ok(column.clone()), |table| self.of_table(table, &column))?;
        Ok(Order { column, descending })
    }

    /// `None` is a filter that says nothing.
    fn filter(&mut self, at: &Element, alias: &str) -> Result<Option<Filter>, Error> {
        let any = match at.get("type").map(str::trim) {
            None | Some("" | "and") => false,
            Some("or") => true,
            Some(other) => return Err(wrong("type", other)),
        };
        let mut parts = Vec::new();
        for child in &at.children {
            match child.name.local.as_str() {
                "condition" => parts.push(self.condition(child, alias)?),
                "filter" => parts.extend(self.filter(child, alias)?),
                "link-entity" => parts.push(match self.link(child)? {
                    Linked::All(filter) => filter,
                    Linked::Link(link) if matches!(link.join, Join::Any | Join::NotAny) => {
                        Filter::Linked(Box::new(link))
                    }
                    Linked::Link(link) => {
                        let what =
                            format!("the link to {:?} in a filter must be any, not any or all", link.table);
                        return Err(Error::Unsupported(what));
                    }
                }),
                _ => {}
            }
        }
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
            return Err(Error::Large(CONDITIONS));
        }
        let mut column = named(at, "condition", "attribute")?;
        if let Some(table) = at.get("entityname").map(str::trim).filter(|table| !table.is_empty()) {
            column = match alias {
                "" => self.of_table(table, &column)?,
                own if own == table => column,
                _ => self.of_link(table, &column)?,
            };
        }
        let name = named(at, "condition", "operator")?;
        let form = Form::from_fetch(&name).ok_or_else(|| wrong("operator", &name))?;
        if let Some(other) = at.get("valueof") {
            return match form {
                Form::Compare(comparison) => Ok(Filter::Columns(column, comparison, other.trim().to_owned())),
                Form::NotCompare(comparison) => {
                    Ok(Filter::Not(Box::new(Filter::Columns(column, comparison, other.trim().to_owned()))))
                }
                _ => Err(wrong("operator", &name)),
            };
        }
        let own = at.get("value").map(Value::text).into_iter();
        let mut values: Vec<Value> =
            own.chain(at.each("value").map(|value| Value::text(&value.text))).collect();
        if matches!(form, Form::Null(_)) {
            values.clear();
        }
        match form.refuses(values.len()) {
            Some(wanted) => Err(Error::Values { column, wanted, found: values.len() }),
            None => Ok(form.filter(column, values)),
        }
    }

    /// A column of the table or link that `entityname` names.
    fn of_table(&self, name: &str, column: &str) -> Result<String, Error> {
        let known = self.aliases.iter().any(|(_, alias)| alias == name);
        match !known && name == self.root {
            true => Ok(column.to_owned()),
            false => self.of_link(name, column),
        }
    }

    /// By alias, or by the table when one link alone is to it.
    fn of_link(&self, name: &str, column: &str) -> Result<String, Error> {
        if self.aliases.iter().any(|(_, alias)| alias == name) {
            return Ok(qualified(name, column));
        }
        let mut to: Vec<&String> =
            self.aliases.iter().filter(|(table, _)| table == name).map(|(_, a)| a).collect();
        match (to.pop(), to.is_empty()) {
            (Some(alias), true) => Ok(qualified(alias, column)),
            _ => Err(wrong("entityname", name)),
        }
    }

    fn link(&mut self, at: &Element) -> Result<Linked, Error> {
        let (_, alias) = self.aliases[self.links].clone();
        self.links += 1;
        let table = named(at, "link-entity", "name")?;
        let from = named(at, "link-entity", "from")?;
        let mut link = Link::new(table, from, named(at, "link-entity", "to")?, alias.as_str());
        let mut part = self.part(at, &alias)?;
        link.columns = (!part.all).then(|| std::mem::take(&mut part.columns));
        link.filter = all(part.filters);
        link.order = part.order;
        link.links = part.links;
        joined(link, at.get("link-type").map_or("inner", str::trim))
    }
}

/// What a link-entity becomes.
pub(crate) enum Linked {
    Link(Link),
    All(Filter),
}

/// Joins a link as FetchXML's `link-type` says.
pub(crate) fn joined(mut link: Link, kind: &str) -> Result<Linked, Error> {
    link.join = match kind {
        "" | "inner" | "natural" => Join::Inner,
        "outer" => Join::Outer,
        // Despite its name `not all` means the same as `any`; the reference says so.
        "any" | "exists" | "in" | "not all" => Join::Any,
        "not any" => Join::NotAny,
        "all" => return Ok(Linked::All(none_of_those_there(link))),
        "matchfirstrowusingcrossapply" => first_row(&link),
        other => return Err(wrong("link-type", other)),
    };
    if matches!(link.join, Join::Any | Join::NotAny) {
        link.columns = Some(Vec::new());
    }
    Ok(Linked::Link(link))
}

/// `all`: there are linked rows, and none of them satisfies the link's conditions.
fn none_of_those_there(mut link: Link) -> Filter {
    link.columns = Some(Vec::new());
    link.join = Join::NotAny;
    let mut there = Link::new(&*link.table, &*link.from, &*link.to, format!("{}_there", link.alias));
    there.join = Join::Any;
    Filter::All(vec![Filter::Linked(Box::new(there)), Filter::Linked(Box::new(link))])
}

/// The first linked row alone. Along a lookup there is only one; without columns any one will do.
fn first_row(link: &Link) -> Join {
    if link.columns.as_ref().is_some_and(Vec::is_empty) && link.links.is_empty() {
        return Join::Any;
    }
    let key = link.from.strip_suffix("id").is_some_and(|table| table == link.table || table == "activity");
    if key { Join::Inner } else { Join::First }
}

/// Every link-entity below, in the order of the text.
fn links<'e>(at: &'e Element, found: &mut Vec<&'e Element>) {
    for child in &at.children {
        if child.name.local == "link-entity" {
            found.push(child);
        }
        if matches!(child.name.local.as_str(), "link-entity" | "filter") {
            links(child, found);
        }
    }
}

fn aliases(links: &[&Element]) -> Result<Vec<(String, String)>, Error> {
    let given =
        links.iter().map(|link| (link.get("name").unwrap_or_default(), link.get("alias").map(str::trim)));
    let given: Vec<_> = given.collect();
    name_links(&given)
}

/// Table and alias of each link. One without gets the table's name and its number in the query, or the next number that
/// is free.
pub(crate) fn name_links(links: &[(&str, Option<&str>)]) -> Result<Vec<(String, String)>, Error> {
    if links.len() > LINKS {
        return Err(Error::Large(LINKS));
    }
    let mut taken = HashSet::new();
    let given = |alias: Option<&str>| alias.filter(|alias| !alias.is_empty()).map(str::to_owned);
    for (_, alias) in links {
        let Some(alias) = given(*alias) else { continue };
        if !taken.insert(alias.clone()) {
            return Err(Error::Alias(alias));
        }
    }
    let named = links.iter().enumerate().map(|(index, (table, alias))| {
        let made = || {
            let mut free = (index + 1..).map(|number| format!("{table}{number}"));
            free.find(|name| !taken.contains(name)).unwrap_or_default()
        };
        let alias = given(*alias).unwrap_or_else(made);
        ((*table).to_owned(), alias)
    });
    Ok(named.collect())
}

fn qualified(alias: &str, column: &str) -> String {
    match alias {
        "" => column.to_owned(),
        alias => format!("{alias}.{column}"),
    }
}

/// All of these, without a list around a single one.
pub(crate) fn all(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::All(filters),
    }
}

fn function_of(name: &str, distinct: bool) -> Result<Function, Error> {
    Ok(match name {
        "count" => Function::Count,
        "countcolumn" if distinct => Function::CountDistinct,
        "countcolumn" => Function::CountColumn,
        "sum" => Function::Sum,
        "avg" => Function::Average,
        "min" => Function::Min,
        "max" => Function::Max,
        other => return Err(wrong("aggregate", other)),
    })
}

fn date_part(name: &str) -> Result<DatePart, Error> {
    Ok(match name {
        "day" => DatePart::Day,
        "week" => DatePart::Week,
        "month" => DatePart::Month,
        "quarter" => DatePart::Quarter,
        "year" => DatePart::Year,
        "fiscal-period" => DatePart::FiscalPeriod,
        "fiscal-year" => DatePart::FiscalYear,
        other => return Err(wrong("dategrouping", other)),
    })
}
