//! Groups and aggregates. Sums and averages of decimals are worked out as floating-point numbers.

use postroom_core::query::{Aggregate, DatePart, Function, Group};
use postroom_core::{Query, Value};
use postroom_store::sql::{
    Asterisk, Expr, ExprTrait, Func, NullOrdering, Order as Direction, SelectStatement,
};
use postroom_store::{Dialect, Error, Row};

use super::scope::Scope;
use super::{Frame, Output, Plan, Window, counting, window};
use crate::rules::Refusal;
use crate::schema::{Kind, shape};

pub(super) fn plan(
    frame: &Frame,
    scope: &Scope,
    query: &Query,
    window: &Window,
    mut select: SelectStatement,
) -> Result<Plan, Refusal> {
    let mut outputs = Vec::new();
    let mut sorts: Vec<(String, Expr)> = Vec::new();
    let (mut cell, mut total) = (0, Vec::new());
    for group in &query.groups {
        let (at, place) = scope.resolve(0, &group.column)?;
        let column = &scope.table(at).columns[place];
        let cell_of = |name: String| scope.cell(at, name);
        let exprs: Vec<(Expr, Expr)> = match group.part {
            Some(part) => twice(date_part(frame.dialect, part, cell_of(column.name.clone()))),
            None if column.kind == Kind::Text => vec![text(frame.dialect, cell_of(column.name.clone()))],
            None => shape::cells(column).into_iter().flat_map(|name| twice(cell_of(name))).collect(),
        };
        let of = group.part.is_none().then(|| (scope.table(at).name.clone(), place));
        outputs.push(Output { name: group.alias.clone(), cell, column: of });
        cell += exprs.len();
        sorts.push((group.alias.clone(), exprs[0].0.clone()));
        for (by, shown) in exprs {
            select.expr(shown);
            total.push(by.clone());
            select.add_group_by([by]);
        }
    }
    for aggregate in &query.aggregates {
        let (expr, column) = aggregated(scope, aggregate)?;
        outputs.push(Output { name: aggregate.alias.clone(), cell, column });
        cell += 1;
        sorts.push((aggregate.alias.clone(), expr.clone()));
        select.expr(expr);
    }
    let count = counting(&select);
    for order in &query.order {
        let expr = sorts.iter().find(|(alias, _)| *alias == order.column).map(|(_, expr)| expr.clone());
        let expr = expr.or_else(|| grouped(query, &sorts, &order.column));
        let Some(expr) = expr else { return Err(Refusal::Alias(order.column.chars().take(80).collect())) };
        match order.descending {
            true => select.order_by_expr_with_nulls(expr, Direction::Desc, NullOrdering::Last),
            false => select.order_by_expr_with_nulls(expr, Direction::Asc, NullOrdering::First),
        };
    }
    // Groups come in one order, so that pages of them fit together.
    for expr in total {
        select.order_by_expr_with_nulls(expr, Direction::Asc, NullOrdering::First);
    }
    window::limit(query, window, &mut select);
    Ok(Plan { select, count, table: query.table.clone(), key: None, outputs, marks: Vec::new(), named: true })
}

/// What is grouped by is what is shown.
fn twice(expr: Expr) -> Vec<(Expr, Expr)> {
    vec![(expr.clone(), expr)]
}

/// Texts that differ in case only are one group; of its spellings the one is shown that comes first by its codes.
fn text(dialect: Dialect, cell: Expr) -> (Expr, Expr) {
    match dialect {
        Dialect::Sqlite => {
            let exact = Expr::cust_with_exprs("? COLLATE BINARY", [cell.clone()]);
            (cell, Func::min(exact).into())
        }
        Dialect::Postgres => (Func::lower(cell.clone()).into(), Func::min(cell).into()),
    }
}

/// A group may be sorted by its column's name too.
fn grouped(query: &Query, sorts: &[(String, Expr)], column: &str) -> Option<Expr> {
    let place = query.groups.iter().position(|Group { column: name, .. }| name == column)?;
    Some(sorts[place].1.clone())
}

type Of = Option<(String, usize)>;

fn aggregated(scope: &Scope, aggregate: &Aggregate) -> Result<(Expr, Of), Refusal> {
    if aggregate.function == Function::Count {
        return Ok((Func::count(Expr::col(Asterisk)).into(), None));
    }
    let (at, place) = scope.resolve(0, &aggregate.column)?;
    let table = scope.table(at);
    let column = &table.columns[place];
    let cell = scope.cell(at, column.name.clone());
    let unfit = |what| Refusal::Use { table: table.name.clone(), column: column.name.clone(), what };
    let number = |expr: Expr| match column.kind {
        Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status => Ok(expr),
        Kind::Double | Kind::Decimal | Kind::Money => Ok(expr.cast_as("double precision")),
        _ => Err(unfit("added up")),
    };
    Ok(match aggregate.function {
        Function::Count | Function::CountColumn => (Func::count(cell).into(), None),
        Function::CountDistinct => {
            let cell = if column.kind == Kind::Text { Func::lower(cell).into() } else { cell };
            (Func::count_distinct(cell).into(), None)
        }
        Function::Sum => {
            let whole = matches!(column.kind, Kind::Integer | Kind::BigInteger);
            let sum: Expr = Func::sum(number(cell)?).into();
            (if whole { sum.cast_as("bigint") } else { sum }, None)
        }
        Function::Average => (Func::avg(number(cell)?.cast_as("double precision")).into(), None),
        Function::Min | Function::Max => {
            if matches!(column.kind, Kind::Body | Kind::File | Kind::Boolean | Kind::Lookup | Kind::Id) {
                return Err(unfit("compared by size"));
            }
            let decimal = matches!(column.kind, Kind::Decimal | Kind::Money);
            let cell = if decimal { number(cell)? } else { cell };
            let found: Expr = match aggregate.function {
                Function::Min => Func::min(cell).into(),
                _ => Func::max(cell).into(),
            };
            (found, (!decimal).then(|| (table.name.clone(), place)))
        }
    })
}

/// Times are microseconds since 1970; fiscal years are those of the calendar, their periods quarters.
fn date_part(dialect: Dialect, part: DatePart, cell: Expr) -> Expr {
    let seconds = cell.div(literal(1_000_000_i64));
    let read = |sqlite: &str, postgres: &str| match dialect {
        Dialect::Sqlite => {
            let args = [literal(sqlite), seconds.clone(), literal("unixepoch")];
            let text: Expr = Func::cust("strftime").args(args).into();
            text.cast_as("integer")
        }
        Dialect::Postgres => {
            let seconds = seconds.clone().cast_as("double precision");
            let time: Expr = Func::cust("to_timestamp").args([seconds]).into();
            let utc: Expr = Func::cust("timezone").args([literal("UTC"), time]).into();
            let part: Expr = Func::cust("date_part").args([literal(postgres), utc]).into();
            part.cast_as("bigint")
        }
    };
    let month = || read("%m", "month");
    match part {
        DatePart::Day => read("%d", "day"),
        DatePart::Week => week(read("%j", "doy"), read("%w", "dow")),
        DatePart::Month => month(),
        DatePart::Quarter | DatePart::FiscalPeriod => month().add(literal(2_i64)).div(literal(3_i64)),
        DatePart::Year | DatePart::FiscalYear => read("%Y", "year"),
    }
}

/// SQL Server's `DATEPART(week)`: the week that holds 1 January is the first, and weeks begin on Sunday. `day` is the day of
/// the year from 1, `weekday` that of the week from 0, Sunday.
fn week(day: Expr, weekday: Expr) -> Expr {
    // The weekday of 1 January; 371 days are whole weeks, and keep the number above 0.
    let first = weekday.sub(day.clone()).add(literal(372_i64)).modulo(literal(7_i64));
    day.sub(literal(1_i64)).add(first).div(literal(7_i64)).add(literal(1_i64))
}

/// Written into the statement: PostgreSQL compares the expressions of GROUP BY as they stand, parameters and all.
fn literal(value: impl Into<postroom_store::sql::Value>) -> Expr {
    Expr::Constant(value.into())
}

/// A computed number: whole, or with a fraction.
pub(super) fn read(row: &Row, cell: usize) -> Result<Value, Error> {
    if let Ok(number) = row.at::<Option<i64>>(cell) {
        return Ok(number.into());
    }
    Ok(row.at::<Option<f64>>(cell)?.into())
}
