//! `$apply`: groups and what is computed over them (dataverse.md A11).

use postroom_core::metadata::TableInfo;
use postroom_core::query::{Aggregate, Group, Order};
use postroom_core::{Filter, Query};

use super::function::groups;
use super::scope::{Resolver, Scope};
use crate::odata::Error;
use crate::odata::options::{Aggregation, Apply, Names, Wanted};

impl<'m> Resolver<'m> {
    /// `$filter` and `$top` may stand beside it, `$orderby` by what it is grouped by.
    pub(super) fn computed(
        &mut self,
        table: &'m TableInfo,
        apply: &Apply,
        wanted: &Wanted,
    ) -> Result<Query, Error> {
        if !wanted.expand.is_empty() {
            return Err(Error::bad("$expand cannot be used with $apply."));
        }
        let mut scope = Scope::new(table);
        let mut query = Query::of(&table.logical_name);
        let filters = apply.filters.iter().chain(&wanted.filter);
        let mut filters: Vec<Filter> =
            filters.map(|filter| self.condition(&mut scope, filter)).collect::<Result<_, Error>>()?;
        query.filter = if filters.len() == 1 { filters.remove(0) } else { Filter::All(filters) };
        for path in &apply.groups {
            let group = self.group(&mut scope, path)?;
            query.groups.push(group);
        }
        for aggregation in &apply.aggregates {
            let aggregate = self.aggregate(&mut scope, aggregation)?;
            query.aggregates.push(aggregate);
        }
        unlike(&query)?;
        query.order = ordered(&query, wanted)?;
        query.top = wanted.top;
        query.links = scope.links;
        match query.computes() {
            true => Ok(query),
            false => Err(Error::bad("$apply needs groupby or aggregate.")),
        }
    }

    fn group(&mut self, scope: &mut Scope<'m>, path: &Names) -> Result<Group, Error> {
        let column = self.column(scope, path)?;
        if !groups(column.info) {
            return Err(Error::bad(format!(
                "Grouping by the date and time '{}' is not supported.",
                path.join("/")
            )));
        }
        let alias = group_alias(path, &column.table.logical_name);
        Ok(Group { column: column.name, alias, part: None })
    }

    fn aggregate(&mut self, scope: &mut Scope<'m>, one: &Aggregation) -> Result<Aggregate, Error> {
        let column = match &one.path {
            Some(path) => self.column(scope, path)?.name,
            None => scope.table.primary_id.clone(),
        };
        Ok(Aggregate { column, function: one.function, alias: one.alias.clone() })
    }
}

/// What a group is called in the answer: `contact_fullname` for `primarycontactid/fullname`.
pub(in crate::odata) fn group_alias(path: &[String], table: &str) -> String {
    match path {
        [.., last] if path.len() > 1 => format!("{table}_{last}"),
        path => path.concat(),
    }
}

/// No two properties of the answer have one name.
fn unlike(query: &Query) -> Result<(), Error> {
    let groups = query.groups.iter().map(|group| &group.alias);
    let names: Vec<&String> = groups.chain(query.aggregates.iter().map(|one| &one.alias)).collect();
    let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    twice.map_or(Ok(()), |(_, name)| Err(Error::bad(format!("'{name}' would stand twice in the answer."))))
}

fn ordered(query: &Query, wanted: &Wanted) -> Result<Vec<Order>, Error> {
    let one = |key: &crate::odata::options::OrderBy| {
        let name = key.path.concat();
        let group = query.groups.iter().find(|group| key.path.len() == 1 && group.alias == name);
        let group = group
            .ok_or_else(|| Error::bad("The query node SingleValueOpenPropertyAccess is not supported"))?;
        Ok(Order { column: group.alias.clone(), descending: key.descending })
    };
    wanted.order.iter().map(one).collect()
}
