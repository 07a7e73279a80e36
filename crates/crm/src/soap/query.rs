//! A query in the service's words: a `QueryExpression`, and FetchXML for what it cannot say.
//!
//! The server compares types before it compares values: values of conditions are brought into their columns' types first.

use postroom_core::metadata::{ColumnKind, Metadata, TableInfo};
use postroom_core::query::{Filter, Link};
use postroom_core::{Code, Fault, Query, Value};
use postroom_formats::fetchxml::Fetch;
use postroom_formats::soap::query::AnyQuery;

use super::body::{amount, moment};

/// Which of two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Expression,
    Fetch,
}

/// A query that can be asked, page by page.
#[derive(Debug)]
pub(super) struct Asked {
    query: Query,
    form: Form,
}

impl Asked {
    /// `None` when no row can be in the answer.
    ///
    /// # Errors
    /// What neither form has words for.
    pub(super) fn of(metadata: &Metadata, query: &Query) -> Result<Option<Asked>, Fault> {
        let mut query = query.clone();
        let mut typed = Typed { metadata, wide: false };
        query.filter = typed.filter(&query.table, &query.links, simple(query.filter.clone()));
        if query.filter == never() {
            return Ok(None);
        }
        typed.links(&mut query.links);
        // Aggregates came to QueryExpression late.
        let form = if typed.wide || query.computes() { Form::Fetch } else { Form::Expression };
        let mut asked = Asked { query, form };
        if asked.form == Form::Expression && AnyQuery::expression(Fetch::of(asked.query.clone())).is_err() {
            asked.form = Form::Fetch;
        }
        asked.page(1, None, None)?;
        Ok(Some(asked))
    }

    /// One page of it. Without a size, everything that the server answers at once.
    pub(super) fn page(
        &self,
        page: u32,
        cookie: Option<String>,
        size: Option<u32>,
    ) -> Result<AnyQuery, Fault> {
        let fetch = Fetch { page, cookie, count: size, ..Fetch::of(self.query.clone()) };
        let said = match self.form {
            Form::Expression => AnyQuery::expression(fetch),
            Form::Fetch => AnyQuery::fetch_expression(fetch),
        };
        said.map_err(|error| Fault::reject(Code::CRM_REFUSED, error.to_string()))
    }
}

fn never() -> Filter {
    Filter::Any(Vec::new())
}

fn always() -> Filter {
    Filter::All(Vec::new())
}

/// Without parts that are always or never true: neither form can say these.
fn simple(filter: Filter) -> Filter {
    match filter {
        Filter::All(parts) => {
            let parts: Vec<Filter> = parts.into_iter().map(simple).filter(|part| *part != always()).collect();
            if parts.contains(&never()) { never() } else { Filter::All(parts) }
        }
        Filter::Any(parts) => {
            let parts: Vec<Filter> = parts.into_iter().map(simple).filter(|part| *part != never()).collect();
            if parts.contains(&always()) { always() } else { Filter::Any(parts) }
        }
        Filter::Not(inner) => match simple(*inner) {
            inner if inner == never() => always(),
            inner if inner == always() => never(),
            inner => Filter::Not(Box::new(inner)),
        },
        Filter::In(_, values) if values.is_empty() => never(),
        other => other,
    }
}

/// Brings values into their columns' types.
struct Typed<'m> {
    metadata: &'m Metadata,
    /// A number of 64 bits stands in a condition: only FetchXML says it whatever its size.
    wide: bool,
}

impl Typed<'_> {
    fn links(&mut self, links: &mut [Link]) {
        for link in links {
            link.filter = self.filter(&link.table, &link.links, simple(link.filter.clone()));
            self.links(&mut link.links);
        }
    }

    fn filter(&mut self, table: &str, links: &[Link], filter: Filter) -> Filter {
        let mut each = |parts: Vec<Filter>| {
            parts.into_iter().map(|part| self.filter(table, links, part)).collect::<Vec<_>>()
        };
        match filter {
            Filter::All(parts) => Filter::All(each(parts)),
            Filter::Any(parts) => Filter::Any(each(parts)),
            Filter::Not(inner) => Filter::Not(Box::new(self.filter(table, links, *inner))),
            Filter::Compare(column, comparison, value) => {
                let value = self.value(table, links, &column, value);
                Filter::Compare(column, comparison, value)
            }
            Filter::In(column, values) => {
                let values =
                    values.into_iter().map(|value| self.value(table, links, &column, value)).collect();
                Filter::In(column, values)
            }
            Filter::Operator(column, operator, values) => {
                let values =
                    values.into_iter().map(|value| self.value(table, links, &column, value)).collect();
                Filter::Operator(column, operator, values)
            }
            Filter::Linked(mut link) => {
                self.links(std::slice::from_mut(&mut *link));
                Filter::Linked(link)
            }
            other => other,
        }
    }

    fn value(&mut self, table: &str, links: &[Link], column: &str, value: Value) -> Value {
        let kind = self.column(table, links, column).map(|column| &column.kind);
        match (kind, value) {
            (_, Value::Lookup(to)) => Value::Guid(to.id),
            (Some(ColumnKind::BigInt), value) => {
                self.wide = true;
                value
            }
            (Some(ColumnKind::Money { .. } | ColumnKind::Decimal { .. }), value) => {
                amount(&value).map_or(value, Value::Decimal)
            }
            (Some(ColumnKind::Double { .. }), value) => {
                amount(&value).and_then(|text| text.parse().ok()).map_or(value, Value::Float)
            }
            (Some(ColumnKind::DateTime { .. }), value @ Value::Text(_)) => {
                moment(&value).map_or(value, Value::Time)
            }
            (Some(ColumnKind::Uniqueidentifier | ColumnKind::Lookup { .. }), Value::Text(text)) => {
                text.parse().map_or(Value::Text(text), Value::Guid)
            }
            (_, value) => value,
        }
    }

    fn column(
        &self,
        table: &str,
        links: &[Link],
        name: &str,
    ) -> Option<&postroom_core::metadata::ColumnInfo> {
        let (table, name) = match name.split_once('.') {
            Some((alias, name)) => (aliased(links, alias)?, name),
            None => (table, name),
        };
        self.metadata.table(table).and_then(|table: &TableInfo| table.column(name))
    }
}

/// The table that an alias means.
fn aliased<'l>(links: &'l [Link], alias: &str) -> Option<&'l str> {
    links.iter().find_map(|link| match link.alias == alias {
        true => Some(link.table.as_str()),
        false => aliased(&link.links, alias),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: Filter, expected: Filter) {
        assert_eq!(simple(filter), expected);
    }

    #[test]
    fn what_cannot_be_said_is_folded() {
        let a = || Filter::Null("a".into());
        let not = |inner: Filter| Filter::Not(Box::new(inner));
        check(Filter::All(vec![a(), always()]), Filter::All(vec![a()]));
        check(Filter::All(vec![a(), Filter::In("b".into(), vec![])]), never());
        check(Filter::Any(vec![a(), never()]), Filter::Any(vec![a()]));
        check(Filter::Any(vec![a(), not(never())]), always());
        check(Filter::All(vec![Filter::Any(vec![never()]), a()]), never());
        check(not(Filter::All(vec![])), never());
        check(not(a()), not(a()));
    }
}
