//! A query tree as SQL.
//!
//! * [`scope`]: which table an alias means, and joins.
//! * [`filter`]: conditions. Text compares without case: by the columns' own collation on SQLite, by `lower()` on
//!   PostgreSQL. Both fold ASCII only, so letters beyond it are folded by name ([`text`]), in two columns that are compared
//!   all letters. A null satisfies nothing but `Null`, as SQL has it.
//! * [`moment`]: the platform's conditions on time as ranges; [`hierarchy`] works out `Under` and its like beforehand.
//! * [`computed`]: groups and aggregates.
//! * [`size`]: what is too large for a database to be asked.
//! * [`each`]: the first rows around each of many rows.
//! * [`window`]: pages. The next page begins after the sort keys of the last row, so it costs the same however far it is.

mod computed;
mod each;
mod filter;
pub(crate) mod hierarchy;
mod moment;
mod scope;
mod size;
mod text;
mod window;

use jiff::Timestamp;
use postroom_core::query::{Filter, Link};
use postroom_core::{Query, Record, RecordRef, Value};
use postroom_store::sql::{self, Expr, Query as Sql, SelectStatement};
use postroom_store::{Dialect, Error, Row};
use uuid::Uuid;

use crate::access::Caller;
use crate::row;
use crate::rules::Refusal;
use crate::schema::{Column, Kind, Schema, Table, shape};
pub(crate) use each::{Each, Numbered, each};
pub(crate) use filter::settled;
use scope::Scope;
pub(crate) use text::fold;
pub use window::{Start, Window};

/// What a query is asked with besides itself.
pub(crate) struct Frame<'a> {
    pub schema: &'a Schema,
    pub dialect: Dialect,
    pub now: Timestamp,
    pub me: Me,
    /// The rows of a table that the caller may see; `None` is all of them.
    pub visible: &'a (dyn Fn(&Table) -> Option<Filter> + Sync),
}

/// Who asks, for the conditions that speak of the caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Me {
    pub user: Uuid,
    pub unit: Option<Uuid>,
    pub teams: Vec<Uuid>,
}

impl Me {
    pub(crate) fn of(caller: &Caller) -> Me {
        Me { user: caller.user, unit: Some(caller.unit), teams: caller.teams.clone() }
    }
}

/// Everybody sees everything: the port, which has no users.
pub(crate) fn all_visible(_: &Table) -> Option<Filter> {
    None
}

/// A query ready to be run, with what is needed to read its answer.
pub(crate) struct Plan {
    pub(crate) select: SelectStatement,
    /// How many rows there are without the window.
    pub(crate) count: SelectStatement,
    table: String,
    /// The cell of the key; a computed or distinct answer may have none.
    key: Option<usize>,
    outputs: Vec<Output>,
    /// The sort keys of a row, for the next page.
    marks: Vec<Output>,
    /// Only columns that were asked for by name are answered when null.
    named: bool,
}

/// One value of the answer.
struct Output {
    name: String,
    /// Its first cell.
    cell: usize,
    /// The table, which is in the schema, and the column; `None` for a computed number.
    column: Option<(String, usize)>,
}

impl Output {
    fn column<'s>(&self, schema: &'s Schema) -> Option<&'s Column> {
        self.column.as_ref().map(|(table, place)| &known(schema, table).columns[*place])
    }

    fn read(&self, column: Option<&Column>, row: &mut Row) -> Result<Value, Error> {
        match column {
            Some(column) => row::take(row, self.cell, column),
            None => computed::read(row, self.cell),
        }
    }
}

fn known<'s>(schema: &'s Schema, table: &str) -> &'s Table {
    schema.at(schema.find(table).expect("planned on this schema"))
}

impl Plan {
    /// The rows of the answer.
    pub(crate) fn records(
        &self,
        schema: &Schema,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<Vec<Record>, Error> {
        // Found once, as there may be thousands of rows.
        let columns: Vec<Option<&Column>> = self.outputs.iter().map(|output| output.column(schema)).collect();
        rows.into_iter().map(|row| self.record(&columns, row)).collect()
    }

    fn record(&self, columns: &[Option<&Column>], mut row: Row) -> Result<Record, Error> {
        let id = self.key.map(|cell| row.at::<Option<Uuid>>(cell)).transpose()?.flatten();
        let mut record = Record::new(RecordRef::new(self.table.clone(), id.unwrap_or_default()));
        record.columns.reserve_exact(if self.named { columns.len() } else { 0 });
        for (output, column) in self.outputs.iter().zip(columns) {
            let value = output.read(*column, &mut row)?;
            if self.named || value != Value::Null {
                record.columns.push((output.name.as_str().into(), value));
            }
        }
        Ok(record)
    }

    /// The names of the sort keys.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.marks.iter().map(|mark| mark.name.clone()).collect()
    }

    /// Where this row stands in the order.
    pub(crate) fn mark(&self, schema: &Schema, row: &Row) -> Result<Vec<Value>, Error> {
        let read = |mark: &Output| match mark.column(schema) {
            Some(column) => row::value(row, mark.cell, column),
            None => computed::read(row, mark.cell),
        };
        self.marks.iter().map(read).collect()
    }
}

/// Translates; an unknown table or column is refused with the nearest name.
pub(crate) fn plan(frame: &Frame, query: &Query, window: &Window) -> Result<Plan, Refusal> {
    let (scope, select) = chosen(frame, query)?;
    match query.computes() {
        true => computed::plan(frame, &scope, query, window, select),
        false => rows(frame, &scope, query, window, select),
    }
}

/// The rows that a query chooses, of which nothing is selected yet.
fn chosen<'s>(frame: &Frame<'s>, query: &Query) -> Result<(Scope<'s>, SelectStatement), Refusal> {
    let table = frame.schema.table(&query.table)?;
    size::check(query)?;
    let mut scope = Scope::new(table);
    let mut select = Sql::select();
    scope.from(&mut select, frame.schema);
    scope.join_all(&mut select, frame, 0, &query.links)?;
    select.and_where(filter::translate(frame, &scope, 0, &query.filter)?);
    if let Some(visible) = filter::visible(frame, &scope, 0, table)? {
        select.and_where(visible);
    }
    Ok((scope, select))
}

fn rows(
    frame: &Frame,
    scope: &Scope,
    query: &Query,
    window: &Window,
    mut select: SelectStatement,
) -> Result<Plan, Refusal> {
    let table = scope.table(0);
    let (key, outputs) = shown(scope, query, &mut select)?;
    if query.distinct {
        group_by_cells(&mut select, scope, &outputs.list, key.is_some());
    }
    let count = counting(&select);
    let marks = window::apply(frame, scope, query, window, &mut select, outputs.cell)?;
    size::width(outputs.cell + 2 * marks.len())?;
    let named = query.columns.is_some();
    Ok(Plan { select, count, table: table.name.clone(), key, outputs: outputs.list, marks, named })
}

/// Selects the key and the columns that are asked for; answers the key's cell and theirs.
fn shown(
    scope: &Scope,
    query: &Query,
    select: &mut SelectStatement,
) -> Result<(Option<usize>, Outputs), Refusal> {
    let table = scope.table(0);
    let mut outputs = Outputs { cell: 0, list: Vec::new() };
    let key = (!query.distinct || asks_key(query, table)).then(|| {
        select.column((scope.sql(0), table.primary_key.clone()));
        outputs.cell += 1;
        0
    });
    for place in places(table, &query.columns)? {
        outputs.add(select, scope, 0, place, table.columns[place].name.clone());
    }
    let mut linked = Vec::new();
    flatten(&query.links, &mut linked);
    for link in linked {
        let at = scope.find(&link.alias).expect("every link was joined under its alias");
        for place in places(scope.table(at), &link.columns)? {
            let name = format!("{}.{}", link.alias, scope.table(at).columns[place].name);
            outputs.add(select, scope, at, place, name);
        }
    }
    Ok((key, outputs))
}

/// The number of rows of a select, before order and window, as far as the platform counts.
fn counting(select: &SelectStatement) -> SelectStatement {
    let some = select.clone().limit(crate::session::COUNTED + 1).to_owned();
    Sql::select().expr(sql::Func::count(Expr::col(sql::Asterisk))).from_subquery(some, "counted").to_owned()
}

struct Outputs {
    cell: usize,
    list: Vec<Output>,
}

impl Outputs {
    fn add(&mut self, select: &mut SelectStatement, scope: &Scope, at: usize, place: usize, name: String) {
        let table = scope.table(at);
        let cell = self.cell;
        for cell in shape::cells(&table.columns[place]) {
            select.column((scope.sql(at), cell));
            self.cell += 1;
        }
        self.list.push(Output { name, cell, column: Some((table.name.clone(), place)) });
    }
}

fn asks_key(query: &Query, table: &Table) -> bool {
    query.columns.iter().flatten().any(|column| *column == table.primary_key)
}

/// Equal rows once: grouped by all they show, so that an order by an expression of them is still allowed.
fn group_by_cells(select: &mut SelectStatement, scope: &Scope, outputs: &[Output], key: bool) {
    if key {
        select.group_by_col((scope.sql(0), scope.table(0).primary_key.clone()));
    }
    for output in outputs {
        let Some((table, place)) = &output.column else { continue };
        let at = output.name.split_once('.').and_then(|(alias, _)| scope.find(alias)).unwrap_or(0);
        debug_assert_eq!(&scope.table(at).name, table);
        for cell in shape::cells(&scope.table(at).columns[*place]) {
            select.group_by_col((scope.sql(at), cell));
        }
    }
}

/// The links that join, in the order of their joins; a link below one that only asks for existence joins nothing.
fn flatten<'q>(links: &'q [Link], all: &mut Vec<&'q Link>) {
    for link in links.iter().filter(|link| link.join.answers()) {
        all.push(link);
        flatten(&link.links, all);
    }
}

/// The places of the columns wanted; all are every column but the key (which is the record's id) and the party lists.
fn places(table: &Table, wanted: &Option<Vec<String>>) -> Result<Vec<usize>, Refusal> {
    let shown = |place: &usize| !matches!(table.columns[*place].kind, Kind::Id | Kind::PartyList);
    match wanted {
        Some(names) => names.iter().map(|name| readable(table, name)).collect(),
        None => Ok((0..table.columns.len()).filter(shown).collect()),
    }
}

fn readable(table: &Table, name: &str) -> Result<usize, Refusal> {
    let place = table.known_place(name)?;
    match table.columns[place].kind {
        Kind::PartyList => Err(Refusal::Use {
            table: table.name.clone(),
            column: name.to_owned(),
            what: "read; read the rows of activityparty",
        }),
        _ => Ok(place),
    }
}

pub(crate) fn truth(value: bool) -> Expr {
    use sql::ExprTrait;
    Expr::val(1).eq(i32::from(value))
}
