//! Pages and order. Rows that are equal by the keys given come in the order of their ids, so the order is total.

use postroom_core::query::{Join, Link, Order};
use postroom_core::{Query, Value};
use postroom_store::Dialect;
use postroom_store::sql::{
    Expr, ExprTrait, Func, NullOrdering, Order as Direction, OrderedStatement, SelectStatement,
    WindowStatement,
};

use super::scope::Scope;
use super::{Frame, Output, settled, truth};
use crate::row;
use crate::rules::Refusal;
use crate::schema::{Kind, shape};

/// Which part of the answer.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// At most this many rows; the query's own `top` holds too.
    pub size: Option<u64>,
    pub start: Start,
}

/// Where it begins.
#[derive(Debug, Clone, Default)]
pub enum Start {
    #[default]
    First,
    /// After the row with these sort keys.
    After(Vec<Value>),
    /// After so many rows.
    Offset(u64),
}

/// One sort key.
struct Key {
    /// As a query names it.
    name: String,
    at: usize,
    place: usize,
    descending: bool,
    /// It is never null.
    filled: bool,
    expr: Expr,
}

/// Orders, cuts, and adds the sort keys to what is selected; answers where they stand.
pub(super) fn apply(
    frame: &Frame,
    scope: &Scope,
    query: &Query,
    window: &Window,
    select: &mut SelectStatement,
    mut cell: usize,
) -> Result<Vec<Output>, Refusal> {
    let keys = keys(frame, scope, query)?;
    if let Start::After(marks) = &window.start {
        if marks.iter().any(|mark| mark.as_str().is_some_and(|text| text.contains('\0'))) {
            return Err(Refusal::Cookie);
        }
        select.and_where(after(scope, &keys, marks)?);
    }
    let mut outputs = Vec::new();
    for key in &keys {
        key.order(select);
        if window.size.is_some() {
            outputs.push(key.select(scope, select, &mut cell));
        }
    }
    limit(query, window, select);
    Ok(outputs)
}

/// Orders by the same keys within `numbers`, and selects the keys; answers where they stand.
pub(super) fn number(
    frame: &Frame,
    scope: &Scope,
    query: &Query,
    numbers: &mut WindowStatement,
    select: &mut SelectStatement,
    cell: &mut usize,
) -> Result<Vec<Output>, Refusal> {
    let keys = keys(frame, scope, query)?;
    let each = keys.iter().map(|key| {
        key.order(numbers);
        key.select(scope, select, cell)
    });
    Ok(each.collect())
}

impl Key {
    fn order(&self, by: &mut impl OrderedStatement) {
        match self.descending {
            // PostgreSQL walks an index only in its own order of nulls, even where there are none.
            false if self.filled => by.order_by_expr(self.expr.clone(), Direction::Asc),
            true if self.filled => by.order_by_expr(self.expr.clone(), Direction::Desc),
            // Nulls first when rising, as SQL Server has it.
            true => by.order_by_expr_with_nulls(self.expr.clone(), Direction::Desc, NullOrdering::Last),
            false => by.order_by_expr_with_nulls(self.expr.clone(), Direction::Asc, NullOrdering::First),
        };
    }

    fn select(&self, scope: &Scope, select: &mut SelectStatement, cell: &mut usize) -> Output {
        let table = scope.table(self.at);
        let output =
            Output { name: self.name.clone(), cell: *cell, column: Some((table.name.clone(), self.place)) };
        for name in shape::cells(&table.columns[self.place]) {
            select.column((scope.sql(self.at), name));
            *cell += 1;
        }
        output
    }
}

/// Databases count rows in signed numbers.
const FARTHEST: u64 = i64::MAX as u64;

pub(super) fn limit(query: &Query, window: &Window, select: &mut SelectStatement) {
    if let Some(rows) = query.top.into_iter().chain(window.size).min() {
        select.limit(Ord::min(rows, FARTHEST));
    }
    if let Start::Offset(rows) = window.start {
        select.offset(Ord::min(rows, FARTHEST));
    }
}

/// The query's orders, those of its links, then the ids of all tables joined. A distinct answer is ordered by what it was
/// asked to be ordered by, for the ids are not in it.
fn keys(frame: &Frame, scope: &Scope, query: &Query) -> Result<Vec<Key>, Refusal> {
    let mut keys = Vec::new();
    for order in &query.order {
        keys.push(key(frame, scope, 0, order)?);
    }
    let mut links = Vec::new();
    super::flatten(&query.links, &mut links);
    for link in &links {
        let at = scope.find(&link.alias).expect("every link was joined under its alias");
        for order in &link.order {
            keys.push(key(frame, scope, at, order)?);
        }
    }
    if !query.distinct {
        keys.push(id(frame, scope, 0)?);
        for link in links.into_iter().filter(|link: &&Link| link.join != Join::Any) {
            keys.push(id(frame, scope, scope.find(&link.alias).expect("joined before"))?);
        }
    }
    Ok(keys)
}

fn id(frame: &Frame, scope: &Scope, at: usize) -> Result<Key, Refusal> {
    let column = scope.table(at).primary_key.clone();
    key(frame, scope, at, &Order { column, descending: false })
}

fn key(frame: &Frame, scope: &Scope, here: usize, order: &Order) -> Result<Key, Refusal> {
    let (at, place) = scope.resolve(here, &order.column)?;
    let column = &scope.table(at).columns[place];
    let expr = scope.cell(at, column.name.clone());
    let expr = match (column.kind, frame.dialect) {
        (Kind::Text, Dialect::Postgres) => Func::lower(expr).into(),
        (Kind::Decimal | Kind::Money, _) => expr.cast_as("double precision"),
        _ => expr,
    };
    let name = match scope.alias(at) {
        "" => column.name.clone(),
        alias => format!("{alias}.{}", column.name),
    };
    let filled = at == 0 && column.kind == Kind::Id;
    Ok(Key { name, at, place, descending: order.descending, filled, expr })
}

/// The rows after these sort keys: equal in the first ones, and beyond in the next.
fn after(scope: &Scope, keys: &[Key], marks: &[Value]) -> Result<Expr, Refusal> {
    if keys.len() != marks.len() {
        return Err(Refusal::Cookie);
    }
    let bounds: Vec<Option<Expr>> =
        keys.iter().zip(marks).map(|(key, mark)| bound(scope, key, mark)).collect::<Result<_, _>>()?;
    let mut any = truth(false);
    let mut equal = truth(true);
    for (key, bound) in keys.iter().zip(&bounds) {
        any = any.or(equal.clone().and(beyond(key, bound)));
        equal = equal.and(match bound {
            Some(bound) => key.expr.clone().eq(bound.clone()),
            None => key.expr.clone().is_null(),
        });
    }
    // Says nothing new, but lets an index on the first key find the place.
    Ok(match (keys.first(), bounds.first()) {
        (Some(key), Some(Some(bound))) if !key.descending => any.and(key.expr.clone().gte(bound.clone())),
        _ => any,
    })
}

fn beyond(key: &Key, bound: &Option<Expr>) -> Expr {
    let expr = key.expr.clone();
    match (key.descending, bound) {
        (false, None) => expr.is_not_null(),
        (false, Some(bound)) => expr.gt(bound.clone()),
        (true, None) => truth(false),
        (true, Some(bound)) => expr.clone().lt(bound.clone()).or(expr.is_null()),
    }
}

fn bound(scope: &Scope, key: &Key, mark: &Value) -> Result<Option<Expr>, Refusal> {
    let table = scope.table(key.at);
    let column = &table.columns[key.place];
    let value = match (column.kind, mark) {
        (_, Value::Null) => return Ok(None),
        (Kind::Lookup, Value::Lookup(to)) => return Ok(Some(Expr::val(to.id))),
        (Kind::Lookup, Value::Guid(id)) => return Ok(Some(Expr::val(*id))),
        (Kind::Lookup, Value::Text(text)) => {
            let id: uuid::Uuid = text.trim_matches(['{', '}']).parse().map_err(|_| Refusal::Cookie)?;
            return Ok(Some(Expr::val(id)));
        }
        _ => settled(table, column, mark).map_err(|_| Refusal::Cookie)?,
    };
    Ok(Some(match (column.kind, &value) {
        (Kind::Text, Value::Text(text)) => Expr::val(text.to_ascii_lowercase()),
        (Kind::Decimal | Kind::Money, value) => {
            Expr::val(value.as_str().and_then(|text| text.parse::<f64>().ok()).unwrap_or_default())
        }
        _ => Expr::value(row::cells(column, Some(&value)).swap_remove(0)),
    }))
}
