//! Queries to query strings, for the client. What [`super::resolve`] reads comes out as it went in; what OData cannot say is
//! refused by name, and FetchXML can say it.
//!
//! Nothing is pasted: texts are quoted, numbers and guids are checked to be such, names come from the definitions, and the
//! whole is percent-encoded.

mod filter;
mod literal;
mod names;

use names::Names;
use postroom_core::metadata::Metadata;
use postroom_core::query::{Function, Order};
use postroom_core::{Filter, Query};

use super::resolve::{Expansion, Plan};
use super::text::encode;

/// Something that a query says and OData cannot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("OData cannot say {what}: ask with FetchXML, or otherwise")]
pub struct Unsayable {
    /// Such as "an inner join of account".
    pub what: String,
}

impl Unsayable {
    fn new(what: impl Into<String>) -> Self {
        Unsayable { what: what.into() }
    }
}

/// The query string of a query, percent-encoded, without a question mark; empty when everything is wanted.
///
/// # Errors
/// What OData cannot say, and names that the definitions do not have.
pub fn query(metadata: &Metadata, query: &Query) -> Result<String, Unsayable> {
    Ok(joined(&options(metadata, query)?))
}

/// The same with `$count` and expansions.
///
/// # Errors
/// As [`query`].
pub fn plan(metadata: &Metadata, plan: &Plan) -> Result<String, Unsayable> {
    let mut found = options(metadata, &plan.query)?;
    more(metadata, &mut found, plan.count, &plan.expand)?;
    Ok(joined(&found))
}

/// The names and texts of the options, not encoded.
type Named = Vec<(&'static str, String)>;

fn joined(options: &Named) -> String {
    let each: Vec<String> = options.iter().map(|(name, text)| format!("{name}={}", encode(text))).collect();
    each.join("&")
}

fn more(metadata: &Metadata, to: &mut Named, count: bool, expand: &[Expansion]) -> Result<(), Unsayable> {
    if count {
        to.push(("$count", "true".to_owned()));
    }
    if !expand.is_empty() {
        let each: Result<Vec<String>, Unsayable> =
            expand.iter().map(|one| expansion(metadata, one)).collect();
        to.push(("$expand", each?.join(",")));
    }
    Ok(())
}

fn expansion(metadata: &Metadata, one: &Expansion) -> Result<String, Unsayable> {
    let mut found = options(metadata, &one.query)?;
    more(metadata, &mut found, one.count, &one.expand)?;
    let name = if one.reference { format!("{}/$ref", one.navigation) } else { one.navigation.clone() };
    if found.is_empty() {
        return Ok(name);
    }
    let each: Vec<String> = found.iter().map(|(option, text)| format!("{option}={text}")).collect();
    Ok(format!("{name}({})", each.join(";")))
}

fn options(metadata: &Metadata, query: &Query) -> Result<Named, Unsayable> {
    let no_table = || Unsayable::new(format!("anything of the unknown table {}", query.table));
    let table = metadata.table(&query.table).ok_or_else(no_table)?;
    if query.distinct {
        return Err(Unsayable::new("that equal rows stand once"));
    }
    let mut names = Names::of(metadata, table);
    let joined = names.join(&query.links)?;
    let filter = with(&query.filter, joined);
    let filter = (filter != Filter::All(Vec::new())).then(|| names.condition(&filter)).transpose()?;
    let mut found = Named::new();
    if query.computes() {
        found.push(("$apply", computed(&names, query, filter)?));
        if !query.order.is_empty() {
            found.push(("$orderby", ordered(&query.order, |name| grouped(query, name))?));
        }
    } else {
        if let Some(columns) = &query.columns {
            found.push(("$select", selected(&names, columns)?));
        }
        found.extend(filter.map(|filter| ("$filter", filter)));
        if !query.order.is_empty() {
            found.push(("$orderby", ordered(&query.order, |name| Ok(names.column(name)?.property))?));
        }
    }
    found.extend(query.top.map(|top| ("$top", top.to_string())));
    Ok(found)
}

/// Joins that only choose rows are conditions.
fn with(filter: &Filter, joined: Vec<Filter>) -> Filter {
    if joined.is_empty() {
        return filter.clone();
    }
    let own = (*filter != Filter::All(Vec::new())).then(|| filter.clone());
    Filter::All(own.into_iter().chain(joined).collect())
}

fn selected(names: &Names<'_>, columns: &[String]) -> Result<String, Unsayable> {
    if columns.is_empty() {
        return Ok(names.table.primary_id.clone());
    }
    let mut each = Vec::new();
    for column in columns {
        if column.contains('.') {
            return Err(Unsayable::new(format!("the joined column {column} in a list of columns")));
        }
        each.push(names.column(column)?.property);
    }
    Ok(each.join(","))
}

fn ordered(order: &[Order], name: impl Fn(&str) -> Result<String, Unsayable>) -> Result<String, Unsayable> {
    let mut each = Vec::new();
    for key in order {
        let name = name(&key.column)?;
        each.push(if key.descending { format!("{name} desc") } else { name });
    }
    Ok(each.join(","))
}

fn grouped(query: &Query, name: &str) -> Result<String, Unsayable> {
    match query.groups.iter().any(|group| group.alias == name) {
        true => Ok(name.to_owned()),
        false => Err(Unsayable::new(format!("the order by {name}, which nothing is grouped by"))),
    }
}

fn computed(names: &Names<'_>, query: &Query, filter: Option<String>) -> Result<String, Unsayable> {
    let mut groups = Vec::new();
    for group in &query.groups {
        let column = names.column(&group.column)?;
        let says = |path: &String| {
            let path: Vec<String> = path.split('/').map(str::to_owned).collect();
            super::resolve::group_alias(&path, &column.table.logical_name) == group.alias
        };
        let path = [column.property.clone(), column.path.clone()].into_iter().find(says);
        if group.part.is_some() {
            return Err(Unsayable::new(format!("groups by a part of {}", group.column)));
        }
        groups.push(path.ok_or_else(|| Unsayable::new(format!("the name {} for a group", group.alias)))?);
    }
    let aggregates: Result<Vec<String>, Unsayable> =
        query.aggregates.iter().map(|one| aggregate(names, one)).collect();
    let aggregates = aggregates?.join(",");
    let last = match (groups.is_empty(), aggregates.is_empty()) {
        (true, _) => format!("aggregate({aggregates})"),
        (false, true) => format!("groupby(({}))", groups.join(",")),
        (false, false) => format!("groupby(({}),aggregate({aggregates}))", groups.join(",")),
    };
    Ok(filter.map_or(last.clone(), |filter| format!("filter({filter})/{last}")))
}

fn aggregate(names: &Names<'_>, one: &postroom_core::query::Aggregate) -> Result<String, Unsayable> {
    let alias = &one.alias;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if alias.is_empty() || !alias.chars().all(word) || alias.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Unsayable::new(format!("the name {alias:?} for an aggregate")));
    }
    let how = match one.function {
        Function::Count => return Ok(format!("$count as {alias}")),
        Function::CountColumn => return Err(Unsayable::new(format!("how many {} are not null", one.column))),
        Function::CountDistinct => "countdistinct",
        Function::Sum => "sum",
        Function::Average => "average",
        Function::Min => "min",
        Function::Max => "max",
    };
    Ok(format!("{} with {how} as {alias}", names.column(&one.column)?.property))
}

#[cfg(test)]
mod tests;
