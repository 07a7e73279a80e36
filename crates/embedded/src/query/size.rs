//! How large a query may be, so that no database is asked what it cannot do: SQLite joins 64 tables, binds 32,766 values and
//! takes patterns of 50,000 bytes; PostgreSQL answers 1,664 cells and holds no text with a NUL. The platform's own limits
//! are lower (500 conditions, 15 links); ours only keep a refusal from being an error of the database.

use postroom_core::query::{Comparison, Join, Link};
use postroom_core::{Filter, Query, Value};

use super::text::bound;
use crate::rules::Refusal;

/// Tables joined, the first one counted.
const TABLES: usize = 60;
/// Values compared with.
const VALUES: usize = 30_000;
/// What two columns compared weigh among them: on PostgreSQL each of the two comes with all letters that have capitals.
const COMPARED: usize = 50;
/// Bytes of a pattern; escaped it may be twice as long.
const PATTERN: usize = 20_000;
/// Cells of a row of the answer.
const CELLS: usize = 1_500;
const ORDERS: usize = 100;

/// Refuses a query that no database could answer.
pub(super) fn check(query: &Query) -> Result<(), Refusal> {
    let mut sum = Sum::default();
    sum.filter(&query.filter)?;
    sum.links(&query.links)?;
    sum.orders += query.order.len();
    within("joined tables", sum.tables + 1, TABLES)?;
    within("values to compare with", sum.values, VALUES)?;
    within("sort keys", sum.orders, ORDERS)?;
    within("groups and aggregates", query.groups.len() + query.aggregates.len(), ORDERS)
}

/// Refuses an answer that is too wide.
pub(super) fn width(cells: usize) -> Result<(), Refusal> {
    within("columns in an answer", cells, CELLS)
}

fn within(what: &'static str, found: usize, most: usize) -> Result<(), Refusal> {
    if found > most { Err(Refusal::Size { what, most }) } else { Ok(()) }
}

#[derive(Default)]
struct Sum {
    tables: usize,
    values: usize,
    orders: usize,
}

impl Sum {
    fn links(&mut self, links: &[Link]) -> Result<(), Refusal> {
        for link in links {
            // The first of several rows is looked for apart, by the same conditions.
            let times = if link.join == Join::First { 2 } else { 1 };
            for _ in 0..times {
                self.tables += 1;
                within("joined tables", self.tables + 1, TABLES)?;
                self.orders += link.order.len();
                self.filter(&link.filter)?;
                self.links(&link.links)?;
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &Filter) -> Result<(), Refusal> {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => {
                parts.iter().try_for_each(|part| self.filter(part))?;
            }
            Filter::Not(inner) => self.filter(inner)?,
            Filter::Compare(_, comparison, value) => {
                let pattern = matches!(
                    comparison,
                    Comparison::Contains | Comparison::StartsWith | Comparison::EndsWith
                );
                self.value(value, pattern)?;
            }
            Filter::Like(_, pattern) => self.text(pattern, true)?,
            Filter::In(_, values) | Filter::Operator(_, _, values) => {
                values.iter().try_for_each(|value| self.value(value, false))?;
            }
            Filter::Linked(link) => self.links(std::slice::from_ref(link))?,
            Filter::Columns(..) => self.values += COMPARED,
            Filter::Null(_) => {}
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, pattern: bool) -> Result<(), Refusal> {
        match value {
            Value::Text(text) => self.text(text, pattern),
            _ => {
                self.values += 1;
                Ok(())
            }
        }
    }

    fn text(&mut self, text: &str, pattern: bool) -> Result<(), Refusal> {
        self.values += bound(text, pattern);
        if text.contains('\0') {
            return Err(Refusal::Nul);
        }
        within("bytes in a text that is searched for", if pattern { text.len() } else { 0 }, PATTERN)
    }
}
