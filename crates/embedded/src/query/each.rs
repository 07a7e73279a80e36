//! The first rows around each of many rows, in one statement: rows are numbered within those that name the same row, and
//! only the first numbers are answered.

use postroom_core::Query;
use postroom_store::sql::{Asterisk, Expr, ExprTrait, Func, Order, Query as Sql, WindowStatement};

use super::{Frame, Plan, chosen, counting, shown, size, window};
use crate::rules::Refusal;
use crate::schema::shape;

/// Which rows of a query: the first so many for each value of one column.
#[derive(Debug, Clone)]
pub(crate) struct Each {
    /// The column that names the row around which these are.
    pub column: String,
    pub rows: u64,
    /// Whether all are counted.
    pub count: bool,
}

/// What a statement of [`each`] answers besides rows.
pub(crate) struct Numbered {
    pub plan: Plan,
    /// The cell of the row's number, from 1.
    pub number: usize,
    /// The cell that says how many rows have its value.
    pub total: Option<usize>,
}

/// No column has this name.
const NUMBER: &str = "_numbered";

/// Translates. The rows come by their numbers: those with the same value in the query's order.
pub(crate) fn each(frame: &Frame, query: &Query, each: &Each) -> Result<Numbered, Refusal> {
    let (scope, mut select) = chosen(frame, query)?;
    let count = counting(&select);
    let (key, outputs) = shown(&scope, query, &mut select)?;
    let mut cell = outputs.cell;
    let (at, place) = scope.resolve(0, &each.column)?;
    let by = shape::cells(&scope.table(at).columns[place]).swap_remove(0);
    let mut numbers = WindowStatement::partition_by((scope.sql(at), by.clone()));
    let marks = window::number(frame, &scope, query, &mut numbers, &mut select, &mut cell)?;
    let total = each.count.then(|| {
        let all: Expr = Func::count(Expr::col(Asterisk)).into();
        select.expr_window(all, WindowStatement::partition_by((scope.sql(at), by)));
        cell += 1;
        cell - 1
    });
    select.expr_window_as(Func::cust("row_number"), numbers, NUMBER);
    size::width(cell + 1)?;
    let first = Sql::select()
        .column(Asterisk)
        .from_subquery(select, "each")
        .and_where(Expr::col(NUMBER).lte(each.rows))
        .order_by(NUMBER, Order::Asc)
        .to_owned();
    let (table, named) = (scope.table(0).name.clone(), query.columns.is_some());
    let plan = Plan { select: first, count, table, key, outputs: outputs.list, marks, named };
    Ok(Numbered { plan, number: cell, total })
}
