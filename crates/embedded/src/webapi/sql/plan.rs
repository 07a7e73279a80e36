//! A SELECT as a query: its names looked up, its joins a tree.

use postroom_core::metadata::{Metadata, TableInfo};
use postroom_core::query::Join as How;
use postroom_core::query::{Aggregate, Comparison, Filter, Function, Group, Link, Order};
use postroom_core::{Query, Value};

use super::parse::{Condition, Join, Name, Select, Sum, What};
use crate::webapi::Problem;

/// What to ask, and under which names to answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    pub query: Query,
    /// Columns answered under another name.
    pub names: Vec<(String, String)>,
    pub offset: u64,
    pub fetch: Option<u64>,
}

/// The tables of a SELECT by their aliases; the first is the one asked for.
struct Scope<'m> {
    tables: Vec<(String, &'m TableInfo)>,
}

pub(super) fn plan(metadata: &Metadata, select: &Select) -> Result<Planned, Problem> {
    let mut scope = Scope { tables: Vec::new() };
    for table in std::iter::once(&select.from).chain(select.joins.iter().map(|join| &join.table)) {
        let known = metadata.table(&table.name);
        let known = known.ok_or_else(|| bad(format!("there is no table '{}'", table.name)))?;
        if scope.tables.iter().any(|(alias, _)| *alias == table.alias) {
            return Err(bad(format!("two tables are called '{}': give them aliases", table.alias)));
        }
        scope.tables.push((table.alias.clone(), known));
    }
    let mut query = Query::of(&select.from.name);
    let mut links = Vec::new();
    for join in &select.joins {
        scope.hang(&mut links, join)?;
    }
    if let Some(filter) = &select.filter {
        query.filter = scope.filter(filter)?;
    }
    (query.top, query.distinct) = (select.top, select.distinct);
    let computes = !select.groups.is_empty()
        || select.items.iter().any(|item| matches!(item.what, What::Computed { .. }));
    let names = match computes {
        true => scope.computed(select, &mut query)?,
        false => scope.columns(select, &mut query, &mut links)?,
    };
    query.links = tree(links);
    for (name, descending) in &select.orders {
        query.order.push(Order { column: scope.ordered(select, &query, name)?, descending: *descending });
    }
    Ok(Planned { query, names, offset: select.offset, fetch: select.fetch })
}

/// Links with the alias of what they hang on; `None` is the table asked for.
type Hanging = Vec<(Option<String>, Link)>;

/// A link hangs on one that came before it.
fn tree(mut links: Hanging) -> Vec<Link> {
    let mut top = Vec::new();
    while let Some((parent, link)) = links.pop() {
        let above = parent.and_then(|alias| links.iter_mut().find(|(_, link)| link.alias == alias));
        match above {
            Some((_, above)) => above.links.insert(0, link),
            None => top.insert(0, link),
        }
    }
    top
}

impl<'m> Scope<'m> {
    /// Which table a name means, and its column there.
    fn find(&self, name: &Name) -> Result<(usize, String), Problem> {
        let fits = |(alias, table): &&(String, &'m TableInfo)| {
            name.table.as_ref().is_none_or(|wanted| wanted == alias || *wanted == table.logical_name)
        };
        let among: Vec<&(String, &'m TableInfo)> = self.tables.iter().filter(fits).collect();
        if let (Some(table), true) = (&name.table, among.is_empty()) {
            return Err(bad(format!("no table is called '{table}'")));
        }
        let column = column_name(&name.column);
        let has = |entry: &&&(String, &'m TableInfo)| entry.1.column(&column).is_some();
        let found: Vec<_> = among.iter().filter(has).collect();
        match found[..] {
            [one] => {
                let place = self.tables.iter().position(|(alias, _)| *alias == one.0);
                Ok((place.unwrap_or_default(), column))
            }
            [] => Err(bad(format!("there is no column '{}'", name.column))),
            _ => Err(bad(format!("several tables have a column '{}': put the alias before it", name.column))),
        }
    }

    /// As a query names it.
    fn named(&self, name: &Name) -> Result<String, Problem> {
        let (place, column) = self.find(name)?;
        Ok(match place {
            0 => column,
            place => format!("{}.{column}", self.tables[place].0),
        })
    }

    fn hang(&self, links: &mut Hanging, join: &Join) -> Result<(), Problem> {
        let (left, right) = (self.find(&join.on.0)?, self.find(&join.on.1)?);
        let own = self.tables.iter().position(|(alias, _)| *alias == join.table.alias).unwrap_or_default();
        let (from, to) = match (left.0 == own, right.0 == own) {
            (true, false) => (left, right),
            (false, true) => (right, left),
            _ => return Err(bad(format!("the join of '{}' must name it on one side", join.table.alias))),
        };
        if to.0 > own {
            return Err(bad(format!("the join of '{}' names a table that comes after it", join.table.alias)));
        }
        let how = if join.outer { How::Outer } else { How::Inner };
        let link = Link::new(&join.table.name, from.1, to.1, &join.table.alias).join(how);
        links.push(((to.0 > 0).then(|| self.tables[to.0].0.clone()), link));
        Ok(())
    }

    /// Plain columns; each under its alias or its bare name, as SQL answers it.
    fn columns(
        &self,
        select: &Select,
        query: &mut Query,
        links: &mut Hanging,
    ) -> Result<Vec<(String, String)>, Problem> {
        let (mut own, mut names, mut used) = (Vec::new(), Vec::new(), Vec::new());
        for item in &select.items {
            let What::Column(name) = &item.what else { continue };
            let (place, column) = self.find(name)?;
            let asked = self.named(name)?;
            let list = match place {
                0 => &mut own,
                place => {
                    let alias = &self.tables[place].0;
                    let link = links.iter_mut().find(|(_, link)| link.alias == *alias);
                    let (_, link) = link.ok_or_else(|| bad(format!("no table is called '{alias}'")))?;
                    link.columns.get_or_insert_default()
                }
            };
            if list.contains(&column) {
                return Err(bad(format!("'{column}' is selected twice")));
            }
            list.push(column.clone());
            let shown = item.alias.clone().unwrap_or_else(|| {
                if place > 0 && used.contains(&column) { asked.clone() } else { column.clone() }
            });
            if used.contains(&shown) {
                return Err(bad(format!("two columns are called '{shown}'")));
            }
            used.push(shown.clone());
            // Without an alias a lookup keeps the name that the Web API gives it.
            if item.alias.is_some() || place > 0 {
                names.push((asked, shown));
            }
        }
        query.columns = Some(own);
        Ok(names)
    }

    fn computed(&self, select: &Select, query: &mut Query) -> Result<Vec<(String, String)>, Problem> {
        let grouped: Vec<String> =
            select.groups.iter().map(|name| self.named(name)).collect::<Result<_, _>>()?;
        for item in &select.items {
            match &item.what {
                What::Column(name) => {
                    let column = self.named(name)?;
                    if !grouped.contains(&column) {
                        return Err(bad(format!("'{column}' must stand in GROUP BY")));
                    }
                    let alias = item.alias.clone().unwrap_or_else(|| name.column.clone());
                    query.groups.push(Group { column, alias, part: None });
                }
                What::Computed { sum, distinct, column } => {
                    let named = column.as_ref().map(|name| self.named(name)).transpose()?;
                    let function = function(*sum, *distinct, named.is_none())?;
                    let alias = item.alias.clone().unwrap_or_else(|| default_alias(*sum, column.as_ref()));
                    let column = named.unwrap_or_else(|| self.tables[0].1.primary_id.clone());
                    query.aggregates.push(Aggregate { column, function, alias });
                }
            }
        }
        for (place, column) in grouped.into_iter().enumerate() {
            if !query.groups.iter().any(|group| group.column == column) {
                // Groups that are not selected count all the same.
                query.groups.push(Group { column, alias: format!("_group{place}"), part: None });
            }
        }
        let all = query
            .groups
            .iter()
            .map(|group| &group.alias)
            .chain(query.aggregates.iter().map(|one| &one.alias));
        let mut seen = Vec::new();
        for alias in all {
            if seen.contains(&alias) {
                return Err(bad(format!("two columns are called '{alias}'")));
            }
            seen.push(alias);
        }
        Ok(Vec::new())
    }

    /// A sort key: an alias of the list, or a column.
    fn ordered(&self, select: &Select, query: &Query, name: &Name) -> Result<String, Problem> {
        if name.table.is_none() {
            let item = select.items.iter().find(|item| item.alias.as_deref() == Some(name.column.as_str()));
            match item.map(|item| &item.what) {
                Some(What::Column(column)) if !query.computes() => return self.named(column),
                Some(_) => return Ok(name.column.clone()),
                None => {}
            }
            if query.aggregates.iter().any(|one| one.alias == name.column) {
                return Ok(name.column.clone());
            }
        }
        self.named(name)
    }

    fn filter(&self, condition: &Condition) -> Result<Filter, Problem> {
        let all =
            |parts: &[Condition]| parts.iter().map(|part| self.filter(part)).collect::<Result<Vec<_>, _>>();
        let text = |text: &String| Value::Text(text.clone());
        Ok(match condition {
            Condition::All(parts) => Filter::All(all(parts)?),
            Condition::Any(parts) => Filter::Any(all(parts)?),
            Condition::Not(part) => Filter::Not(Box::new(self.filter(part)?)),
            Condition::Compare(name, sign, value) => {
                Filter::Compare(self.named(name)?, comparison(sign), text(value))
            }
            Condition::Columns(left, sign, right) => {
                Filter::Columns(self.named(left)?, comparison(sign), self.named(right)?)
            }
            Condition::Like(name, pattern) => Filter::Like(self.named(name)?, pattern.clone()),
            Condition::In(name, values) => Filter::In(self.named(name)?, values.iter().map(text).collect()),
            Condition::Between(name, low, high) => {
                let name = self.named(name)?;
                Filter::All(vec![
                    Filter::Compare(name.clone(), Comparison::Ge, text(low)),
                    Filter::Compare(name, Comparison::Le, text(high)),
                ])
            }
            Condition::Null(name) => Filter::Null(self.named(name)?),
        })
    }
}

/// `_parentcustomerid_value` is the column `parentcustomerid`, as rows of the Web API name it.
fn column_name(name: &str) -> String {
    let inner = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
    inner.unwrap_or(name).to_owned()
}

fn comparison(sign: &str) -> Comparison {
    match sign {
        "=" => Comparison::Eq,
        "<" => Comparison::Lt,
        "<=" => Comparison::Le,
        ">" => Comparison::Gt,
        ">=" => Comparison::Ge,
        _ => Comparison::Ne,
    }
}

fn function(sum: Sum, distinct: bool, rows: bool) -> Result<Function, Problem> {
    Ok(match (sum, distinct) {
        (Sum::Count, true) => Function::CountDistinct,
        (Sum::Count, false) if rows => Function::Count,
        (Sum::Count, false) => Function::CountColumn,
        (_, true) => return Err(bad("DISTINCT stands in COUNT only".to_owned())),
        (Sum::Sum, _) => Function::Sum,
        (Sum::Average, _) => Function::Average,
        (Sum::Min, _) => Function::Min,
        (Sum::Max, _) => Function::Max,
    })
}

/// A sum without a name gets one, unlike in SQL.
fn default_alias(sum: Sum, column: Option<&Name>) -> String {
    let name = match sum {
        Sum::Count => "count",
        Sum::Sum => "sum",
        Sum::Average => "avg",
        Sum::Min => "min",
        Sum::Max => "max",
    };
    column.map_or_else(|| name.to_owned(), |column| format!("{name}_{}", column.column))
}

fn bad(text: String) -> Problem {
    Problem::bad(format!("The SQL cannot be answered: {text}."))
}
