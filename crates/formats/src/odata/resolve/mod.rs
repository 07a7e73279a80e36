//! Options and definitions to a query: names are looked up, values take their columns' forms, paths become joins.
//!
//! What a client calls a property may be a column, a lookup's value (`_ownerid_value`) or a navigation property; after
//! this there are only columns and links, as `postroom_core::query` says. No rows are read.

mod compute;
mod filter;
mod function;
mod relation;
mod scope;
mod value;

use postroom_core::metadata::{Metadata, TableInfo};
use postroom_core::query::Order;
use postroom_core::{Filter, Query};
use uuid::Uuid;

pub(in crate::odata) use compute::group_alias;
pub(in crate::odata) use function::arity;
pub use relation::{Relation, navigation};
pub(in crate::odata) use scope::is_lookup;
use scope::{Resolver, Scope};
pub(in crate::odata) use value::{Strictness, fitting};

use super::Error;
use super::options::{Literal, Options, OrderBy, Wanted};
use super::path::Key;

/// A request for rows of one table, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub query: Query,
    /// The property names as the client wrote them; `None` is all of them.
    pub select: Option<Vec<String>>,
    pub count: bool,
    pub expand: Vec<Expansion>,
}

/// A navigation property to follow from each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Expansion {
    /// The name in the answer.
    pub navigation: String,
    /// One row or null, rather than a list.
    pub single: bool,
    pub relation: Relation,
    /// Only the addresses of the rows are wanted.
    pub reference: bool,
    /// What is wanted of the other table. Which rows belong to which is not in it: the relation says that.
    pub query: Query,
    pub select: Option<Vec<String>>,
    pub count: bool,
    pub expand: Vec<Expansion>,
    /// Its options as the client wrote them.
    written: Vec<(String, String)>,
}

impl Expansion {
    /// Its options as those of a request for these rows alone: `$select=name&$top=2`, escaped.
    pub fn options(&self) -> String {
        let one = |(name, value): &(String, String)| format!("{name}={}", super::text::encode(value));
        self.written.iter().map(one).collect::<Vec<_>>().join("&")
    }
}

/// Which row a key names.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    Id(Uuid),
    /// The columns of an alternate key with their values.
    Alternate(Vec<(String, postroom_core::Value)>),
}

impl Row {
    /// The same as a condition.
    pub fn filter(&self, table: &TableInfo) -> Filter {
        match self {
            Row::Id(id) => Filter::eq(table.primary_id.as_str(), *id),
            Row::Alternate(columns) => {
                Filter::All(columns.iter().map(|(column, value)| Filter::eq(column, value.clone())).collect())
            }
        }
    }
}

/// More expansions than this in one request are refused, as the platform does (its own limit is not documented).
const MAX_EXPANSIONS: usize = 100;

/// What the options ask of `table` (a logical name). `fetchXml`, saved queries, tokens and `sql` are the caller's.
///
/// # Errors
/// Unknown names, values that do not fit, and what a query cannot say.
pub fn plan(metadata: &Metadata, table: &str, options: &Options) -> Result<Plan, Error> {
    let table = table_of(metadata, table)?;
    let mut resolver = Resolver::new(metadata);
    let Some(apply) = &options.apply else {
        let mut left = MAX_EXPANSIONS;
        return resolver.wanted(table, &options.wanted, &mut left);
    };
    let query = resolver.computed(table, apply, &options.wanted)?;
    Ok(Plan { query, select: None, count: options.wanted.count, expand: Vec::new() })
}

/// The row that a key predicate names; `KeyInfo` decides which columns make one.
///
/// # Errors
/// Unknown columns, columns that are no alternate key, and values that do not fit.
pub fn row(metadata: &Metadata, table: &str, key: &Key) -> Result<Row, Error> {
    let table = table_of(metadata, table)?;
    let named = match key {
        Key::Id(id) => return Ok(Row::Id(*id)),
        Key::Named(named) => named,
    };
    if let [(name, value)] = named.as_slice()
        && *name == table.primary_id
    {
        let wrong = || Error::bad(format!("'{name}' is a GUID."));
        return value.as_guid().map(Row::Id).ok_or_else(wrong);
    }
    let mut columns = Vec::new();
    for (name, value) in named {
        let column = scope::property(table, name)?;
        let value = match value {
            Literal::Null => return Err(Error::bad(format!("The key column '{name}' cannot be null."))),
            value => value::fitting(column, value, value::Strictness::Loose)?,
        };
        columns.push((column.logical_name.clone(), value));
    }
    let is_key = |key: &&postroom_core::metadata::KeyInfo| {
        key.columns.len() == columns.len()
            && key.columns.iter().all(|name| columns.iter().any(|(column, _)| column == name))
    };
    match table.keys.iter().find(is_key) {
        Some(_) => Ok(Row::Alternate(columns)),
        None => {
            let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
            Err(Error::no_key(&super::error::clipped(&names.join(",")), &table.logical_name))
        }
    }
}

pub(super) fn table_of<'m>(metadata: &'m Metadata, table: &str) -> Result<&'m TableInfo, Error> {
    metadata.table(table).ok_or_else(|| Error::no_segment(table))
}

impl<'m> Resolver<'m> {
    fn wanted(&mut self, table: &'m TableInfo, wanted: &Wanted, left: &mut usize) -> Result<Plan, Error> {
        let mut scope = Scope::new(table);
        let mut query = Query::of(&table.logical_name);
        if let Some(filter) = &wanted.filter {
            query.filter = self.condition(&mut scope, filter)?;
        }
        query.order = self.orders(&mut scope, &wanted.order)?;
        query.top = wanted.top;
        query.columns = wanted.select.as_deref().map(|names| selected(table, names)).transpose()?;
        query.links = scope.links;
        let mut expand: Vec<Expansion> = Vec::new();
        for wanted in &wanted.expand {
            if expand.iter().any(|other| other.navigation == wanted.navigation) {
                return Err(Error::bad(format!("'{}' is expanded twice.", wanted.navigation)));
            }
            *left = left.checked_sub(1).ok_or_else(|| Error::bad("Too many expansions."))?;
            expand.push(self.expansion(table, wanted, left)?);
        }
        Ok(Plan { query, select: wanted.select.clone(), count: wanted.count, expand })
    }

    fn expansion(
        &mut self,
        table: &'m TableInfo,
        wanted: &super::options::Expand,
        left: &mut usize,
    ) -> Result<Expansion, Error> {
        let name = &wanted.navigation;
        let relation = navigation(self.metadata, &table.logical_name, name)
            .ok_or_else(|| Error::no_property(name, &table.logical_name))?;
        let target = table_of(self.metadata, relation.target())?;
        // A query of its own: its aliases meet no others.
        let plan = Resolver::new(self.metadata).wanted(target, &wanted.wanted, left)?;
        Ok(Expansion {
            navigation: name.clone(),
            single: relation.single(),
            relation,
            reference: wanted.reference,
            query: plan.query,
            select: plan.select,
            count: plan.count,
            expand: plan.expand,
            written: wanted.written.clone(),
        })
    }

    fn orders(&mut self, scope: &mut Scope<'m>, order: &[OrderBy]) -> Result<Vec<Order>, Error> {
        let one = |key: &OrderBy| {
            let column = self.column(scope, &key.path)?.name;
            Ok(Order { column, descending: key.descending })
        };
        order.iter().map(one).collect()
    }
}

/// Columns of a `$select`, each once.
fn selected(table: &TableInfo, names: &[String]) -> Result<Vec<String>, Error> {
    let mut columns: Vec<String> = Vec::new();
    for name in names {
        let column = &scope::property(table, name)?.logical_name;
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    Ok(columns)
}

#[cfg(test)]
pub(super) mod fixture;
#[cfg(test)]
mod tests;
