//! Where names are looked up: a table, the joins already made from it, and within lambdas the variable that stands for it.

use postroom_core::metadata::{ColumnInfo, ColumnKind, Metadata, TableInfo};
use postroom_core::query::{Join, Link};

use super::relation::{Relation, navigation};
use super::table_of;
use crate::odata::Error;

/// Longer navigation paths are refused; the platform's own limit on joined tables is 15.
const MAX_STEPS: usize = 10;
/// All joins of one query together.
const MAX_LINKS: usize = 50;

/// Makes one query; knows every alias in it.
pub(super) struct Resolver<'m> {
    pub metadata: &'m Metadata,
    aliases: Vec<String>,
}

/// One level of a query: its table, or that of a lambda's body.
pub(super) struct Scope<'m> {
    pub table: &'m TableInfo,
    /// Every path in a lambda's body starts with it.
    pub variable: Option<String>,
    /// The joins that paths needed.
    pub links: Vec<Link>,
}

/// A column found: its name in the query, and what it is.
pub(super) struct Column<'m> {
    pub name: String,
    pub info: &'m ColumnInfo,
    /// The table it is a column of.
    pub table: &'m TableInfo,
}

impl<'m> Scope<'m> {
    pub fn new(table: &'m TableInfo) -> Self {
        Scope { table, variable: None, links: Vec::new() }
    }

    /// A path without the lambda's variable.
    ///
    /// # Errors
    /// In a lambda, when it starts with anything else: what is outside cannot be reached from within.
    pub fn inside<'p>(&self, path: &'p [String]) -> Result<&'p [String], Error> {
        let Some(variable) = &self.variable else { return Ok(path) };
        match path.split_first() {
            Some((first, rest)) if first == variable => Ok(rest),
            _ => Err(Error::bad(format!(
                "'{}' stands in a lambda of '{variable}' but does not start with it: only the properties of its own rows \
                 can be used there.",
                crate::odata::error::clipped(&path.join("/"))
            ))),
        }
    }
}

impl<'m> Resolver<'m> {
    pub fn new(metadata: &'m Metadata) -> Self {
        Resolver { metadata, aliases: Vec::new() }
    }

    /// An alias like no other: the path with `_` for `/`, with a number when that is taken.
    ///
    /// # Errors
    /// When the query has too many joins.
    pub fn alias(&mut self, path: &[String]) -> Result<String, Error> {
        if self.aliases.len() == MAX_LINKS {
            return Err(Error::bad(format!("The query joins more than {MAX_LINKS} tables.")));
        }
        let plain = path.join("_");
        let taken = |alias: &String| self.aliases.contains(alias);
        let mut alias = plain.clone();
        let mut number = 2;
        while taken(&alias) {
            alias = format!("{plain}_{number}");
            number += 1;
        }
        self.aliases.push(alias.clone());
        Ok(alias)
    }

    /// The column at the end of a path; joins what the path passes through.
    ///
    /// # Errors
    /// Unknown names, and steps through collections.
    pub fn column(&mut self, scope: &mut Scope<'m>, path: &[String]) -> Result<Column<'m>, Error> {
        let path = scope.inside(path)?;
        let Some((last, steps)) = path.split_last() else {
            return Err(Error::bad("A lambda's variable is a row, not a value."));
        };
        if steps.len() > MAX_STEPS {
            return Err(Error::bad(format!(
                "A path goes through more than {MAX_STEPS} navigation properties."
            )));
        }
        let (mut table, mut links, mut alias) = (scope.table, &mut scope.links, None);
        for (at, step) in steps.iter().enumerate() {
            let relation = single(self.metadata, table, step)?;
            table = table_of(self.metadata, &relation.referenced_table)?;
            let same = |link: &Link| {
                link.join == Join::Outer
                    && link.table == table.logical_name
                    && link.to == relation.referencing_column
                    && link.from == relation.referenced_column
            };
            let index = match links.iter().position(same) {
                Some(index) => index,
                None => {
                    let (from, to) = (&relation.referenced_column, &relation.referencing_column);
                    let alias = self.alias(&steps[..=at])?;
                    links.push(Link::new(&table.logical_name, from, to, alias).join(Join::Outer));
                    links.len() - 1
                }
            };
            let link = &mut links[index];
            alias = Some(link.alias.clone());
            links = &mut link.links;
        }
        let info = property(table, last)?;
        let name = match alias {
            Some(alias) => format!("{alias}.{}", info.logical_name),
            None => info.logical_name.clone(),
        };
        Ok(Column { name, info, table })
    }
}

/// A single-valued navigation property.
fn single<'m>(
    metadata: &'m Metadata,
    table: &'m TableInfo,
    name: &str,
) -> Result<&'m postroom_core::metadata::OneToMany, Error> {
    let up = metadata.many_to_one_of(&table.logical_name).find(|up| up.referencing_navigation == name);
    up.ok_or_else(|| match navigation(metadata, &table.logical_name, name) {
        Some(Relation::OneToMany(_) | Relation::ManyToMany { .. }) => Error::bad(format!(
            "The parent value for a property access of a property '{name}' is not a single value. Property access can \
             only be applied to a single value."
        )),
        _ => Error::no_property(name, &table.logical_name),
    })
}

/// The column behind a property: its logical name, or `_name_value` for a lookup.
///
/// # Errors
/// When the type has no such property.
pub(super) fn property<'m>(table: &'m TableInfo, name: &str) -> Result<&'m ColumnInfo, Error> {
    let inner = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
    let lookup = inner.and_then(|name| table.column(name)).filter(|column| is_lookup(&column.kind));
    let plain = table.column(name).filter(|column| {
        column.valid_for_read && !matches!(column.kind, ColumnKind::PartyList { .. } | ColumnKind::Virtual)
    });
    lookup.or(plain).ok_or_else(|| Error::no_property(name, &table.logical_name))
}

pub(in crate::odata) fn is_lookup(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } | ColumnKind::Owner { .. })
}
