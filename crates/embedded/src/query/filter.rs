//! Conditions as SQL.

use postroom_core::query::{Comparison, Join, Link, Operator};
use postroom_core::{Filter, Value};
use postroom_store::letters;
use postroom_store::sql::{self, Expr, ExprTrait, Query as Sql};
use uuid::Uuid;

use super::scope::Scope;
use super::text::{self, fold, like, like_literal};
use super::{Frame, all_visible, moment, truth};
use crate::row;
use crate::rules::{Refusal, coerce};
use crate::schema::{Column, Kind, Table, shape};

/// A condition for one who stands at the table `here`.
pub(super) fn translate(frame: &Frame, scope: &Scope, here: usize, filter: &Filter) -> Result<Expr, Refusal> {
    Context { frame, scope, here }.filter(filter)
}

/// The rows of the table at `here` that the caller may see. What decides over that, such as shares and parent rows, is not
/// limited again by what he may see of it.
pub(super) fn visible(
    frame: &Frame,
    scope: &Scope,
    here: usize,
    table: &Table,
) -> Result<Option<Expr>, Refusal> {
    let Some(filter) = (frame.visible)(table) else { return Ok(None) };
    let free = Frame { visible: &all_visible, me: frame.me.clone(), ..*frame };
    translate(&free, scope, here, &filter).map(Some)
}

/// Rows that have, or have not, what a link names.
pub(super) fn linked(frame: &Frame, outer: &Scope, here: usize, link: &Link) -> Result<Expr, Refusal> {
    let table = frame.schema.table(&link.table)?;
    let mut scope = Scope::within(outer, table, &link.alias);
    let mut select = Sql::select();
    select.expr(Expr::val(1));
    scope.from(&mut select, frame.schema);
    select.and_where(scope.meets_outer(outer, here, link)?);
    scope.join_all(&mut select, frame, 0, &link.links)?;
    select.and_where(translate(frame, &scope, 0, &link.filter)?);
    if let Some(visible) = visible(frame, &scope, 0, table)? {
        select.and_where(visible);
    }
    let exists = Expr::exists(select);
    Ok(if link.join == Join::NotAny { exists.not() } else { exists })
}

/// A value in the column's own form; text is read as what the column holds. A choice or number that the column could not
/// hold finds nothing; it is no error.
pub(crate) fn settled(table: &Table, column: &Column, value: &Value) -> Result<Value, Refusal> {
    let lax = Column { min: None, max: None, choices: Vec::new(), max_length: None, ..column.clone() };
    let value = match value {
        Value::Text(text) => read(column.kind, text.trim()).unwrap_or_else(|| value.clone()),
        value => value.clone(),
    };
    coerce(table, &lax, value)
}

/// What a text says in a column of this kind; `None` leaves it a text.
fn read(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status => {
            text.parse().ok().map(Value::Int)
        }
        Kind::Double => text.parse().ok().map(Value::Float),
        Kind::Boolean => match text {
            "1" => Some(Value::Bool(true)),
            "0" => Some(Value::Bool(false)),
            _ => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
        },
        Kind::Id | Kind::Guid | Kind::Lookup => text.trim_matches(['{', '}']).parse().ok().map(Value::Guid),
        Kind::Time => moment::read(text).map(Value::Time),
        _ => None,
    }
}

struct Context<'a> {
    frame: &'a Frame<'a>,
    scope: &'a Scope<'a>,
    here: usize,
}

/// One column of one table of the statement.
#[derive(Clone, Copy)]
struct At<'a> {
    table: &'a Table,
    column: &'a Column,
    alias: usize,
}

impl Context<'_> {
    fn filter(&self, filter: &Filter) -> Result<Expr, Refusal> {
        Ok(match filter {
            Filter::All(parts) => self.join(parts, truth(true), |a, b| a.and(b))?,
            Filter::Any(parts) => self.join(parts, truth(false), |a, b| a.or(b))?,
            Filter::Not(part) => self.filter(part)?.not(),
            Filter::Null(column) => self.null(self.at(column)?),
            Filter::Compare(column, comparison, Value::Null) => self.compare_null(column, *comparison)?,
            Filter::Compare(column, comparison, value) => {
                self.compare(self.at(column)?, *comparison, value)?
            }
            Filter::Columns(left, comparison, right) => {
                self.columns(self.at(left)?, *comparison, self.at(right)?)?
            }
            Filter::In(column, values) => self.one_of(self.at(column)?, values)?,
            Filter::Like(column, pattern) => self.like(self.at(column)?, pattern)?,
            Filter::Operator(column, operator, values) => {
                self.operator(self.at(column)?, *operator, values)?
            }
            Filter::Linked(link) => linked(self.frame, self.scope, self.here, link)?,
        })
    }

    fn join(&self, parts: &[Filter], empty: Expr, with: fn(Expr, Expr) -> Expr) -> Result<Expr, Refusal> {
        let each = parts.iter().map(|part| self.filter(part)).collect::<Result<Vec<_>, _>>()?;
        Ok(joined(each, with).unwrap_or(empty))
    }

    fn at(&self, name: &str) -> Result<At<'_>, Refusal> {
        let (alias, place) = self.scope.resolve(self.here, name)?;
        let table = self.scope.table(alias);
        Ok(At { table, column: &table.columns[place], alias })
    }

    fn cell(&self, at: At) -> Expr {
        self.scope.cell(at.alias, at.column.name.clone())
    }

    fn compare_null(&self, column: &str, comparison: Comparison) -> Result<Expr, Refusal> {
        let at = self.at(column)?;
        Ok(match comparison {
            Comparison::Eq => self.null(at),
            Comparison::Ne => self.null(at).not(),
            _ => truth(false),
        })
    }

    /// A body may stand in either of its cells.
    fn null(&self, at: At) -> Expr {
        let lookup = at.column.kind == Kind::Lookup;
        let cells = shape::cells(at.column).into_iter().take(if lookup { 1 } else { 2 });
        let nulls = cells.map(|cell| self.scope.cell(at.alias, cell).is_null());
        nulls.reduce(|all, one| all.and(one)).unwrap_or_else(|| truth(true))
    }

    fn compare(&self, at: At, comparison: Comparison, value: &Value) -> Result<Expr, Refusal> {
        let expr = self.cell(at);
        match at.column.kind {
            Kind::Body | Kind::File => Err(unfit(at, "filtered on: its text is kept elsewhere")),
            Kind::Text => match value {
                Value::Text(text) | Value::Decimal(text) => Ok(self.text(expr, comparison, text)),
                other => Err(wrong(at, other)),
            },
            _ if is_text(comparison) => Err(unfit(at, "compared as text")),
            Kind::Lookup => self.lookup(at, comparison, value),
            Kind::Decimal | Kind::Money => {
                // Kept as text; compared as numbers.
                let number =
                    settled(at.table, at.column, value)?.as_str().and_then(|text| text.parse::<f64>().ok());
                Ok(relate(expr.cast_as("double precision"), comparison, number.into()))
            }
            Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status => {
                match with_point(value) {
                    // No whole number equals it, but each is more or less.
                    Some(number) => Ok(relate(expr.cast_as("double precision"), comparison, number.into())),
                    None => Ok(relate(expr, comparison, bound(at, value)?)),
                }
            }
            _ => Ok(relate(expr, comparison, bound(at, value)?)),
        }
    }

    /// Two columns of a row; text without case. What can never be equal is no condition.
    fn columns(&self, left: At, comparison: Comparison, right: At) -> Result<Expr, Refusal> {
        if family(left)? != family(right)? {
            return Err(unfit(left, "compared with a column of another kind"));
        }
        let comparable = |at: At| match at.column.kind {
            Kind::Text => letters::lower(self.frame.dialect, self.cell(at)),
            Kind::Decimal | Kind::Money => self.cell(at).cast_as("double precision"),
            _ => self.cell(at),
        };
        let (a, b) = (comparable(left), comparable(right));
        Ok(match comparison {
            Comparison::Eq => a.eq(b),
            Comparison::Ne => a.ne(b),
            Comparison::Lt => a.lt(b),
            Comparison::Le => a.lte(b),
            Comparison::Gt => a.gt(b),
            Comparison::Ge => a.gte(b),
            Comparison::StartsWith | Comparison::EndsWith | Comparison::Contains => {
                return Err(unfit(left, "compared with part of another column"));
            }
        })
    }

    /// One IN list where the values allow it; a chain of OR would be too deep for a database with a thousand of them.
    fn one_of(&self, at: At, values: &[Value]) -> Result<Expr, Refusal> {
        let mut listed = Vec::new();
        let mut apart = Vec::new();
        for value in values {
            match listable(at, value)? {
                Some(bound) => listed.extend(bound),
                None if *value == Value::Null => {}
                None => apart.push(self.compare(at, Comparison::Eq, value)?),
            }
        }
        let expr = self.cell(at);
        let expr = if at.column.kind == Kind::Text { fold(self.frame.dialect, expr, "").0 } else { expr };
        let listed = (!listed.is_empty()).then(|| expr.is_in(listed.into_iter().map(Expr::value)));
        let any = joined(listed.into_iter().chain(apart).collect(), |all, one| all.or(one));
        Ok(any.unwrap_or_else(|| truth(false)))
    }

    fn like(&self, at: At, pattern: &str) -> Result<Expr, Refusal> {
        match at.column.kind {
            Kind::Text => Ok(like(self.frame.dialect, self.cell(at), pattern)),
            _ => Err(unfit(at, "compared as text")),
        }
    }

    fn lookup(&self, at: At, comparison: Comparison, value: &Value) -> Result<Expr, Refusal> {
        let (id, table) = match value {
            Value::Guid(id) => (*id, None),
            Value::Lookup(to) => (to.id, Some(to.table.as_str())),
            Value::Text(text) => match text.trim_matches(['{', '}']).parse::<Uuid>() {
                Ok(id) => (id, None),
                Err(_) => return Err(wrong(at, value)),
            },
            other => return Err(wrong(at, other)),
        };
        let expr = relate(self.cell(at), comparison, id.into());
        let typed = table.filter(|table| {
            comparison == Comparison::Eq && at.column.targets.several() && *table != "activitypointer"
        });
        Ok(match typed {
            Some(table) => expr.and(self.scope.cell(at.alias, format!("{}_type", at.column.name)).eq(table)),
            None => expr,
        })
    }

    fn text(&self, column: Expr, comparison: Comparison, wanted: &str) -> Expr {
        let dialect = self.frame.dialect;
        if comparison == Comparison::Eq {
            return text::equals(dialect, column, wanted);
        }
        let (folded, wanted) = fold(dialect, column.clone(), wanted);
        match comparison {
            Comparison::StartsWith => {
                let compared = like_literal(folded, "", &wanted, "%");
                match text::begins(dialect, &column, &wanted) {
                    Some(within) => compared.and(within),
                    None => compared,
                }
            }
            Comparison::EndsWith => like_literal(folded, "%", &wanted, ""),
            Comparison::Contains => like_literal(folded, "%", &wanted, "%"),
            other => relate(folded, other, wanted.into()),
        }
    }

    fn operator(&self, at: At, operator: Operator, values: &[Value]) -> Result<Expr, Refusal> {
        let me = &self.frame.me;
        let ids = |ids: Vec<Uuid>| self.one_of(at, &ids.into_iter().map(Value::Guid).collect::<Vec<_>>());
        let unit = me.unit.into_iter().collect::<Vec<_>>();
        match operator {
            Operator::EqualUserId => ids(vec![me.user]),
            Operator::NotEqualUserId => Ok(ids(vec![me.user])?.not()),
            Operator::EqualUserTeams => ids(me.teams.clone()),
            Operator::EqualUserOrUserTeams
            | Operator::EqualUserOrUserHierarchy
            | Operator::EqualUserOrUserHierarchyAndTeams => {
                let teams = operator != Operator::EqualUserOrUserHierarchy;
                ids(std::iter::once(me.user).chain(me.teams.iter().copied().filter(|_| teams)).collect())
            }
            Operator::EqualBusinessId => ids(unit),
            Operator::NotEqualBusinessId => Ok(ids(unit)?.not()),
            Operator::EqualUserLanguage => self.compare(at, Comparison::Eq, &Value::Int(1033)),
            Operator::ContainValues | Operator::DoesNotContainValues => self.choices(at, operator, values),
            Operator::Under
            | Operator::UnderOrEqual
            | Operator::NotUnder
            | Operator::Above
            | Operator::AboveOrEqual => Err(unfit(at, "asked for by hierarchy: its table has none")),
            _ => match at.column.kind {
                Kind::Time => self.range(at, moment::range(self.frame.now, operator, values)),
                _ => Err(unfit(at, "compared with a time")),
            },
        }
    }

    /// Several choices stand as `1,3`.
    fn choices(&self, at: At, operator: Operator, values: &[Value]) -> Result<Expr, Refusal> {
        let comma = || Expr::val(",");
        let all: Expr = comma().binary(sql::BinOper::Custom("||"), self.cell(at));
        let all = all.binary(sql::BinOper::Custom("||"), comma());
        let any = values.iter().map(|value| {
            let number = match value {
                Value::Int(number) => number.to_string(),
                Value::Text(text) => text.trim().to_owned(),
                other => return Err(wrong(at, other)),
            };
            Ok(like_literal(all.clone(), "%,", &number, ",%"))
        });
        let any = joined(any.collect::<Result<Vec<_>, _>>()?, |a, b| a.or(b)).unwrap_or_else(|| truth(false));
        Ok(if operator == Operator::ContainValues { any } else { any.not() })
    }

    fn range(&self, at: At, range: Option<moment::Range>) -> Result<Expr, Refusal> {
        let Some(moment::Range { from, until, outside }) = range else {
            return Err(unfit(at, "compared with that: give a date or a whole number"));
        };
        let bound = |time: jiff::Timestamp| Expr::val(time.as_microsecond());
        let from = from.map(|time| self.cell(at).gte(bound(time)));
        let until = until.map(|time| self.cell(at).lt(bound(time)));
        let within = from.into_iter().chain(until).reduce(|a, b| a.and(b)).unwrap_or_else(|| truth(true));
        Ok(if outside { within.not() } else { within })
    }
}

/// Kinds whose values can be compared with each other.
fn family(at: At) -> Result<Kind, Refusal> {
    Ok(match at.column.kind {
        Kind::Body | Kind::File => return Err(unfit(at, "filtered on: its text is kept elsewhere")),
        Kind::Id | Kind::Guid | Kind::Lookup => Kind::Guid,
        Kind::Integer | Kind::BigInteger | Kind::Double | Kind::Decimal | Kind::Money => Kind::Double,
        Kind::Choice | Kind::State | Kind::Status => Kind::Choice,
        kind => kind,
    })
}

/// Many conditions as one, in a tree that is as flat as can be: SQLite takes no expression deeper than 1,000, and neither
/// does a stack.
fn joined(mut parts: Vec<Expr>, with: fn(Expr, Expr) -> Expr) -> Option<Expr> {
    while parts.len() > 1 {
        let mut pairs = parts.into_iter();
        let mut halved = Vec::new();
        while let Some(one) = pairs.next() {
            halved.push(match pairs.next() {
                Some(other) => with(one, other),
                None => one,
            });
        }
        parts = halved;
    }
    parts.pop()
}

/// A number that is no whole one as it is written.
fn with_point(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Float(number) => *number,
        Value::Decimal(text) | Value::Text(text) if text.trim().parse::<i64>().is_err() => {
            text.trim().parse().ok()?
        }
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn is_text(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::StartsWith | Comparison::EndsWith | Comparison::Contains)
}

fn unfit(at: At, what: &'static str) -> Refusal {
    Refusal::Use { table: at.table.name.clone(), column: at.column.name.clone(), what }
}

fn wrong(at: At, value: &Value) -> Refusal {
    coerce(at.table, at.column, value.clone()).err().unwrap_or_else(|| unfit(at, "compared with this"))
}

fn bound(at: At, value: &Value) -> Result<sql::Value, Refusal> {
    Ok(row::cells(at.column, Some(&settled(at.table, at.column, value)?)).swap_remove(0))
}

/// The bound values when plain equality of the cell with one of them is what equality means.
fn listable(at: At, value: &Value) -> Result<Option<Vec<sql::Value>>, Refusal> {
    Ok(match (at.column.kind, value) {
        (_, Value::Null) => None,
        (Kind::Text, Value::Text(text)) => {
            text::spelled(text).map(|all| all.into_iter().map(Into::into).collect())
        }
        (Kind::Lookup, Value::Guid(id)) => Some(vec![(*id).into()]),
        (Kind::Lookup, Value::Lookup(to)) if !at.column.targets.several() => Some(vec![to.id.into()]),
        (Kind::Text | Kind::Lookup | Kind::Decimal | Kind::Money | Kind::Body | Kind::File, _) => None,
        _ => Some(vec![bound(at, value)?]),
    })
}

pub(super) fn relate(column: Expr, comparison: Comparison, value: sql::Value) -> Expr {
    let value = Expr::value(value);
    match comparison {
        Comparison::Ne => column.ne(value),
        Comparison::Lt => column.lt(value),
        Comparison::Le => column.lte(value),
        Comparison::Gt => column.gt(value),
        Comparison::Ge => column.gte(value),
        _ => column.eq(value),
    }
}
