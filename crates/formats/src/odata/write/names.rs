//! Column names of a query to property paths: aliases become the navigation properties that lead there.

use postroom_core::Filter;
use postroom_core::metadata::{ColumnInfo, End, Metadata, TableInfo};
use postroom_core::query::{Join, Link};

use super::Unsayable;
use crate::odata::resolve::is_lookup;

/// What the names of one level of a query mean.
pub(super) struct Names<'m> {
    pub metadata: &'m Metadata,
    pub table: &'m TableInfo,
    /// The lambda's variable; empty outside of lambdas.
    pub variable: String,
    /// The path from the lambda's row, or from the query's, to `table`: each step with a slash behind it.
    before: String,
    aliases: Vec<(String, String, &'m TableInfo)>,
    /// How many lambdas are around.
    pub depth: usize,
}

/// A column as OData names it.
pub(super) struct Named<'m> {
    /// With the lambda's variable; lookups as `_name_value`.
    pub property: String,
    /// Without the variable, by logical name.
    pub path: String,
    pub info: &'m ColumnInfo,
    pub table: &'m TableInfo,
}

/// What a link follows.
pub(super) enum Step<'m> {
    /// One row, by this name.
    Single(&'m str),
    /// Rows, by this name.
    Many(&'m str),
    /// Rows through an intersect table; `far` is their side.
    Through(&'m str, &'m End),
}

impl<'m> Names<'m> {
    pub fn of(metadata: &'m Metadata, table: &'m TableInfo) -> Self {
        Names {
            metadata,
            table,
            variable: String::new(),
            before: String::new(),
            aliases: Vec::new(),
            depth: 0,
        }
    }

    /// The rows of a collection, within a lambda.
    pub fn within(&self, table: &'m TableInfo) -> Self {
        let depth = self.depth + 1;
        Names { variable: format!("o{depth}"), depth, ..Names::of(self.metadata, table) }
    }

    /// The row that a navigation property of this one leads to.
    pub fn beyond(&self, step: &str, table: &'m TableInfo) -> Self {
        let before = format!("{}{step}/", self.before);
        Names {
            variable: self.variable.clone(),
            before,
            depth: self.depth,
            ..Names::of(self.metadata, table)
        }
    }

    /// Learns the aliases of joins; answers those that are conditions.
    ///
    /// # Errors
    /// Joins that choose or double rows, or answer columns.
    pub fn join(&mut self, links: &[Link]) -> Result<Vec<Filter>, Unsayable> {
        let (before, table) = (self.before.clone(), self.table);
        self.joined(links, &before, table)
    }

    fn joined(
        &mut self,
        links: &[Link],
        before: &str,
        table: &'m TableInfo,
    ) -> Result<Vec<Filter>, Unsayable> {
        let mut conditions = Vec::new();
        for link in links {
            let outer = match link.join {
                Join::Any | Join::NotAny => {
                    // A condition on a joined row would have to be said of that row.
                    if before != self.before {
                        return Err(Unsayable::new(format!(
                            "a condition on rows of {} linked to a joined row",
                            link.table
                        )));
                    }
                    conditions.push(Filter::Linked(Box::new(link.clone())));
                    continue;
                }
                Join::Inner => false,
                Join::First => {
                    return Err(Unsayable::new(format!("the first of several rows of {}", link.table)));
                }
                Join::Outer => true,
            };
            let bare = link.columns.as_ref().is_some_and(Vec::is_empty)
                && link.filter == Filter::All(Vec::new())
                && link.order.is_empty();
            let Step::Single(name) = self.step(table, link)? else {
                return Err(Unsayable::new(format!("a join of many rows of {}", link.table)));
            };
            if !outer || !bare {
                let what =
                    if outer { "columns, order or conditions of the joined" } else { "an inner join of" };
                return Err(Unsayable::new(format!("{what} {}", link.table)));
            }
            let (path, target) = (format!("{before}{name}/"), self.table(&link.table)?);
            self.aliases.push((link.alias.clone(), path.clone(), target));
            self.joined(&link.links, &path, target)?;
        }
        Ok(conditions)
    }

    pub fn table(&self, name: &str) -> Result<&'m TableInfo, Unsayable> {
        let unknown = || Unsayable::new(format!("anything of the unknown table {name}"));
        self.metadata.table(name).ok_or_else(unknown)
    }

    /// The navigation property that joins as the link does.
    pub fn step(&self, table: &'m TableInfo, link: &Link) -> Result<Step<'m>, Unsayable> {
        let (metadata, name) = (self.metadata, table.logical_name.as_str());
        let up = metadata.many_to_one_of(name).find(|up| {
            up.referencing_column == link.to
                && up.referenced_table == link.table
                && up.referenced_column == link.from
        });
        if let Some(up) = up {
            return Ok(Step::Single(&up.referencing_navigation));
        }
        let down = metadata.one_to_many_of(name).find(|down| {
            down.referenced_column == link.to
                && down.referencing_table == link.table
                && down.referencing_column == link.from
        });
        if let Some(down) = down {
            return Ok(Step::Many(&down.referenced_navigation));
        }
        let unknown =
            || Unsayable::new(format!("a join of {} by {} without a relationship", link.table, link.from));
        through(metadata, table, link).ok_or_else(unknown)
    }

    /// # Errors
    /// When there is no such column or alias.
    pub fn column(&self, name: &str) -> Result<Named<'m>, Unsayable> {
        let unknown = || Unsayable::new(format!("the unknown column {name}"));
        let (before, table, column) = match name.split_once('.') {
            None => (&self.before, self.table, name),
            Some((alias, column)) => {
                let found = self.aliases.iter().find(|(known, ..)| known == alias);
                let (_, path, table) = found.ok_or_else(unknown)?;
                (path, *table, column)
            }
        };
        let info = table.column(column).ok_or_else(unknown)?;
        let path = format!("{before}{column}");
        let property = if is_lookup(&info.kind) { format!("{before}_{column}_value") } else { path.clone() };
        let property =
            if self.variable.is_empty() { property } else { format!("{}/{property}", self.variable) };
        Ok(Named { property, path, info, table })
    }

    /// The table's key: null exactly when there is no row.
    pub fn key(&self) -> Result<String, Unsayable> {
        Ok(self.column(&self.table.primary_id)?.property)
    }

    /// A navigation property of this level's row.
    pub fn path(&self, steps: &[&str]) -> String {
        let variable = if self.variable.is_empty() { String::new() } else { format!("{}/", self.variable) };
        format!("{variable}{}{}", self.before, steps.join("/"))
    }
}

fn through<'m>(metadata: &'m Metadata, table: &'m TableInfo, link: &Link) -> Option<Step<'m>> {
    let name = table.logical_name.as_str();
    metadata.many_to_many_of(name).find_map(|relation| {
        let ends = [(&relation.first, &relation.second), (&relation.second, &relation.first)];
        let fits = |(near, _): &(&End, &End)| {
            near.table == name
                && near.column == link.from
                && relation.intersect_table == link.table
                && table.primary_id == link.to
        };
        ends.into_iter().find(fits).map(|(near, far)| Step::Through(&near.navigation, far))
    })
}
