//! Conditions to `$filter`.

use postroom_core::metadata::TableInfo;
use postroom_core::query::{Comparison, Join, Link, Operator};
use postroom_core::{Filter, Value};

use super::literal::{item, literal, parameter};
use super::names::{Named, Names, Step};
use super::{Unsayable, with};
use crate::odata::NAMESPACE;
use crate::odata::options::Literal;
use crate::odata::resolve::arity;
use crate::odata::text::quoted;

impl<'m> Names<'m> {
    pub(super) fn condition(&self, filter: &Filter) -> Result<String, Unsayable> {
        match filter {
            // The key is never null, which says true and false without constants: the platform knows no constant condition.
            Filter::All(parts) if parts.is_empty() => Ok(format!("{} ne null", self.key()?)),
            Filter::Any(parts) if parts.is_empty() => Ok(format!("{} eq null", self.key()?)),
            Filter::All(parts) => self.chain(parts, " and "),
            Filter::Any(parts) => self.chain(parts, " or "),
            Filter::Not(inner) => self.negated(inner),
            Filter::Compare(column, comparison, value) => self.compared(column, *comparison, value),
            Filter::Columns(left, comparison, right) => {
                let sign =
                    sign(*comparison).ok_or_else(|| Unsayable::new("a search for one column in another"))?;
                Ok(format!("{} {sign} {}", self.column(left)?.property, self.column(right)?.property))
            }
            Filter::In(_, values) if values.is_empty() => self.condition(&Filter::Any(Vec::new())),
            Filter::In(column, values) => self.list("In", column, values),
            Filter::Null(column) => Ok(format!("{} eq null", self.column(column)?.property)),
            Filter::Like(column, pattern) => self.like(column, pattern),
            Filter::Operator(column, operator, values) => self.operator(column, *operator, values),
            Filter::Linked(link) => self.linked(link),
        }
    }

    fn chain(&self, parts: &[Filter], word: &str) -> Result<String, Unsayable> {
        if let [one] = parts {
            return self.condition(one);
        }
        let each: Result<Vec<String>, Unsayable> = parts.iter().map(|part| self.part(part)).collect();
        Ok(each?.join(word))
    }

    /// In parentheses when it is a chain itself.
    fn part(&self, filter: &Filter) -> Result<String, Unsayable> {
        let text = self.condition(filter)?;
        let mut inner = filter;
        while let Filter::All(parts) | Filter::Any(parts) = inner {
            match parts.as_slice() {
                [] => return Ok(text),
                [one] => inner = one,
                _ => return Ok(format!("({text})")),
            }
        }
        // A row reached by a path is said with more than one condition.
        let row = matches!(inner, Filter::Linked(link) if self.chained(link)?.is_none());
        Ok(if row { format!("({text})") } else { text })
    }

    fn negated(&self, inner: &Filter) -> Result<String, Unsayable> {
        match inner {
            Filter::Null(column) => Ok(format!("{} ne null", self.column(column)?.property)),
            Filter::In(column, values) if !values.is_empty() => self.list("NotIn", column, values),
            inner => Ok(format!("not ({})", self.condition(inner)?)),
        }
    }

    fn compared(&self, column: &str, comparison: Comparison, value: &Value) -> Result<String, Unsayable> {
        let named = self.column(column)?;
        if let Some(sign) = sign(comparison) {
            return Ok(format!("{} {sign} {}", named.property, literal(named.info, value)?));
        }
        let no_text = || Unsayable::new(format!("a search for what is no text in {column}"));
        let text = value.as_str().ok_or_else(no_text)?;
        let name = match comparison {
            Comparison::StartsWith => "startswith",
            Comparison::EndsWith => "endswith",
            _ => "contains",
        };
        Ok(format!("{name}({},{})", named.property, quoted(&plain(text))))
    }

    /// Patterns stand in the text functions, which put a `%` at one end or both.
    fn like(&self, column: &str, pattern: &str) -> Result<String, Unsayable> {
        let property = self.column(column)?.property;
        let (start, end) = (pattern.strip_prefix('%'), pattern.strip_suffix('%'));
        let both = start.and_then(|pattern| pattern.strip_suffix('%'));
        let (name, text) = match (both, start, end) {
            (Some(text), ..) => ("contains", text),
            (None, None, Some(text)) => ("startswith", text),
            (None, Some(text), _) => ("endswith", text),
            (None, None, None) => {
                return Err(Unsayable::new(format!("the pattern {pattern:?}, open at neither end")));
            }
        };
        Ok(format!("{name}({property},{})", quoted(text)))
    }

    fn list(&self, name: &str, column: &str, values: &[Value]) -> Result<String, Unsayable> {
        let named = self.column(column)?;
        let items: Result<Vec<Literal>, Unsayable> =
            values.iter().map(|value| item(named.info, value)).collect();
        Ok(self.call(name, &named, &[("PropertyValues", Literal::List(items?))]))
    }

    fn operator(&self, column: &str, operator: Operator, values: &[Value]) -> Result<String, Unsayable> {
        let named = self.column(column)?;
        let values: Vec<Literal> = values.iter().map(parameter).collect::<Result<_, _>>()?;
        let parameters: Vec<(&str, Literal)> = match (arity(operator).1, values.as_slice()) {
            (usize::MAX, [_, ..]) => {
                let text = |value: &Literal| Literal::Text(value.to_string());
                vec![("PropertyValues", Literal::List(values.iter().map(text).collect()))]
            }
            (0, []) => Vec::new(),
            (1, [one]) => vec![("PropertyValue", one.clone())],
            (2, [one, two]) => vec![("PropertyValue1", one.clone()), ("PropertyValue2", two.clone())],
            _ => return Err(Unsayable::new(format!("{} with {} values", operator.name(), values.len()))),
        };
        Ok(self.call(operator.name(), &named, &parameters))
    }

    fn call(&self, name: &str, column: &Named<'_>, parameters: &[(&str, Literal)]) -> String {
        let variable = if self.variable.is_empty() { String::new() } else { format!("{}/", self.variable) };
        let mut text = format!("{variable}{NAMESPACE}.{name}(PropertyName={}", quoted(&column.path));
        for (parameter, value) in parameters {
            text.push_str(&format!(",{parameter}={value}"));
        }
        text.push(')');
        text
    }

    fn linked(&self, link: &Link) -> Result<String, Unsayable> {
        let not = match link.join {
            Join::Any => false,
            Join::NotAny => true,
            Join::Inner | Join::Outer | Join::First => {
                return Err(Unsayable::new("a join as a condition"));
            }
        };
        let Some(chain) = self.chained(link)? else {
            let row = self.row(link)?;
            return Ok(if not { format!("not ({row})") } else { row });
        };
        let mut inner = self.within(chain.table);
        let joined = inner.join(&chain.rows.links)?;
        let path = self.path(&chain.path);
        let filter = with(&chain.rows.filter, joined);
        match filter {
            Filter::All(parts) if parts.is_empty() => {
                Ok(format!("{}{path}/any()", if not { "not " } else { "" }))
            }
            // No row is otherwise.
            Filter::Not(body) if not => {
                Ok(format!("{path}/all({}:{})", inner.variable, inner.condition(&body)?))
            }
            body => {
                let not = if not { "not " } else { "" };
                Ok(format!("{not}{path}/any({}:{})", inner.variable, inner.condition(&body)?))
            }
        }
    }

    /// The row that a lookup names: that there is one, and what it is like.
    fn row(&self, link: &Link) -> Result<String, Unsayable> {
        let Step::Single(name) = self.step(self.table, link)? else {
            return Err(Unsayable::new(format!("a condition through {}", link.table)));
        };
        let mut beyond = self.beyond(name, self.table(&link.table)?);
        let joined = beyond.join(&link.links)?;
        let there = format!("{} ne null", beyond.key()?);
        match with(&link.filter, joined) {
            Filter::All(parts) if parts.is_empty() => Ok(there),
            body => Ok(format!("{there} and {}", beyond.part(&body)?)),
        }
    }

    /// A path of single rows to rows; `None` when it ends at a single row.
    fn chained<'l>(&self, link: &'l Link) -> Result<Option<Chain<'m, 'l>>, Unsayable> {
        let (mut path, mut table, mut link) = (Vec::new(), self.table, link);
        loop {
            match self.step(table, link)? {
                Step::Many(name) => {
                    path.push(name);
                    return Ok(Some(Chain { path, rows: link, table: self.table(&link.table)? }));
                }
                Step::Through(name, far) => {
                    path.push(name);
                    let target = self.table(&far.table)?;
                    let rows = beyond_pairs(link).filter(|rows| {
                        rows.table == far.table && rows.to == far.column && rows.from == target.primary_id
                    });
                    let what =
                        || Unsayable::new(format!("a condition on the rows of {} themselves", link.table));
                    return Ok(Some(Chain { path, rows: rows.ok_or_else(what)?, table: target }));
                }
                Step::Single(name) => {
                    path.push(name);
                    table = self.table(&link.table)?;
                    link = match &link.filter {
                        Filter::Linked(inner) if inner.join == Join::Any && link.links.is_empty() => inner,
                        _ => return Ok(None),
                    };
                }
            }
        }
    }
}

/// A path to rows, and the link that says what they are like.
struct Chain<'m, 'l> {
    path: Vec<&'m str>,
    rows: &'l Link,
    table: &'m TableInfo,
}

/// The link from an intersect table to the other side, when it says nothing else.
fn beyond_pairs(link: &Link) -> Option<&Link> {
    match (&link.filter, link.links.as_slice()) {
        (Filter::Linked(rows), []) if rows.join == Join::Any => Some(rows),
        (Filter::All(parts), [rows]) if parts.is_empty() && rows.join == Join::Inner => Some(rows),
        _ => None,
    }
}

fn sign(comparison: Comparison) -> Option<&'static str> {
    Some(match comparison {
        Comparison::Eq => "eq",
        Comparison::Ne => "ne",
        Comparison::Lt => "lt",
        Comparison::Le => "le",
        Comparison::Gt => "gt",
        Comparison::Ge => "ge",
        Comparison::StartsWith | Comparison::EndsWith | Comparison::Contains => return None,
    })
}

/// A text that is searched for as it stands, where the platform would see wildcards.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' | '_' | '[' => escaped.extend(['[', c, ']']),
            c => escaped.push(c),
        }
    }
    escaped
}
