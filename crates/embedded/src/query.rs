//! A query tree as SQL.
//!
//! Text compares without case: by the columns' own collation on SQLite, by `lower()` on PostgreSQL. Both fold ASCII only,
//! so letters beyond it are folded by name: each one that the wanted text has is replaced in the column first. A null
//! satisfies nothing but `Null`, as SQL has it.

use postroom_core::query::{Comparison, Order};
use postroom_core::{Filter, Query, Record, RecordRef, Value};
use postroom_store::sql::{
    self, Expr, ExprTrait, Func, Keyword, LikeExpr, NullOrdering, Query as Sql, SelectStatement, UnionType,
};
use postroom_store::{Dialect, Error, Row};

use crate::row;
use crate::rules::{Refusal, coerce};
use crate::schema::{Column, Kind, Schema, Table, shape};

/// A query ready to be run, with what is needed to read its answer.
pub(crate) struct Plan {
    pub(crate) select: SelectStatement,
    table: String,
    places: Vec<usize>,
    /// Only columns that were asked for by name are answered when null.
    named: bool,
}

impl Plan {
    /// One row of the answer.
    pub(crate) fn record(&self, schema: &Schema, row: &Row) -> Result<Record, Error> {
        let table = schema.at(schema.find(&self.table).expect("planned on this schema"));
        let mut record = Record::new(RecordRef::new(self.table.clone(), row.at(0)?));
        for (place, value) in self.places.iter().zip(row::read(row, 1, table, &self.places)?) {
            if self.named || value != Value::Null {
                record.columns.push((table.columns[*place].name.clone(), value));
            }
        }
        Ok(record)
    }
}

/// Translates; an unknown table or column is refused with the nearest name.
pub(crate) fn plan(schema: &Schema, dialect: Dialect, query: &Query) -> Result<Plan, Refusal> {
    let table = schema.table(&query.table)?;
    let places = match &query.columns {
        Some(names) => names.iter().map(|name| readable(table, name)).collect::<Result<Vec<_>, _>>()?,
        None => all(table),
    };
    let context = Context { table, dialect };
    let mut select = Sql::select();
    select.column(table.primary_key.clone());
    row::select(&mut select, table, &places);
    from(&mut select, schema, table);
    select.and_where(context.filter(&query.filter)?);
    for order in &query.order {
        context.order(&mut select, order)?;
    }
    // Rows that are equal by the keys given still come in one order.
    select.order_by(table.primary_key.clone(), sql::Order::Asc);
    if let Some(top) = query.top {
        select.limit(top);
    }
    Ok(Plan { select, table: table.name.clone(), places, named: query.columns.is_some() })
}

/// Every column but the key (which is the record's id) and the party lists.
fn all(table: &Table) -> Vec<usize> {
    let shown = |column: &Column| !matches!(column.kind, Kind::Id | Kind::PartyList);
    table.columns.iter().enumerate().filter(|(_, column)| shown(column)).map(|(place, _)| place).collect()
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

fn from(select: &mut SelectStatement, schema: &Schema, table: &Table) {
    match table.name.as_str() {
        "activitypointer" => select.from_subquery(all_activities(schema, table), "activities"),
        _ => select.from(table.storage()),
    };
}

/// `activitypointer` shows the rows of every activity table, in the columns that they share.
fn all_activities(schema: &Schema, pointer: &Table) -> SelectStatement {
    let own = part(pointer, pointer);
    let others = schema.activities().filter(|(_, table)| table.name != pointer.name);
    others.fold(own, |mut all, (_, table)| {
        all.union(UnionType::All, part(pointer, table));
        all
    })
}

fn part(pointer: &Table, table: &Table) -> SelectStatement {
    let mut select = Sql::select();
    for column in pointer.columns.iter().filter(|column| column.kind != Kind::PartyList) {
        let own = table.column(&column.name);
        let have = own.map(shape::cells).unwrap_or_default();
        for (place, cell) in shape::cells(column).into_iter().enumerate() {
            let only =
                own.and_then(|own| own.targets.only()).filter(|_| place == 1 && column.kind == Kind::Lookup);
            let expr = match (have.get(place), only) {
                (Some(cell), _) => Expr::col(cell.clone()),
                (None, Some(target)) => Expr::val(target.to_owned()).cast_as("text"),
                (None, None) => Expr::Keyword(Keyword::Null),
            };
            select.expr_as(expr, cell);
        }
    }
    select.from(table.storage());
    select
}

struct Context<'a> {
    table: &'a Table,
    dialect: Dialect,
}

impl Context<'_> {
    fn filter(&self, filter: &Filter) -> Result<Expr, Refusal> {
        Ok(match filter {
            Filter::All(parts) => self.join(parts, truth(true), |a, b| a.and(b))?,
            Filter::Any(parts) => self.join(parts, truth(false), |a, b| a.or(b))?,
            Filter::Not(part) => self.filter(part)?.not(),
            Filter::Null(column) => self.null(self.comparable(column)?),
            Filter::Compare(column, comparison, Value::Null) => self.compare_null(column, *comparison)?,
            Filter::Compare(column, comparison, value) => {
                self.compare(self.comparable(column)?, *comparison, value)?
            }
            Filter::In(column, values) => self.one_of(self.comparable(column)?, values)?,
            Filter::Columns(column, ..) | Filter::Like(column, _) | Filter::Operator(column, ..) => {
                return Err(self.wrong(self.comparable(column)?, &Value::Null));
            }
            Filter::Linked(link) => return Err(self.wrong(self.comparable(&link.to)?, &Value::Null)),
        })
    }

    fn join(&self, parts: &[Filter], empty: Expr, with: fn(Expr, Expr) -> Expr) -> Result<Expr, Refusal> {
        let each = parts.iter().map(|part| self.filter(part));
        each.reduce(|all, one| Ok(with(all?, one?))).unwrap_or(Ok(empty))
    }

    fn comparable(&self, name: &str) -> Result<&Column, Refusal> {
        Ok(&self.table.columns[readable(self.table, name)?])
    }

    fn compare_null(&self, column: &str, comparison: Comparison) -> Result<Expr, Refusal> {
        let column = self.comparable(column)?;
        Ok(match comparison {
            Comparison::Eq => self.null(column),
            Comparison::Ne => self.null(column).not(),
            _ => truth(false),
        })
    }

    /// A body may stand in either of its cells.
    fn null(&self, column: &Column) -> Expr {
        let cells = shape::cells(column).into_iter().take(if column.kind == Kind::Lookup { 1 } else { 2 });
        let nulls = cells.map(|cell| Expr::col(cell).is_null());
        nulls.reduce(|all, one| all.and(one)).unwrap_or_else(|| truth(true))
    }

    fn compare(&self, column: &Column, comparison: Comparison, value: &Value) -> Result<Expr, Refusal> {
        let refuse =
            |what| Refusal::Use { table: self.table.name.clone(), column: column.name.clone(), what };
        let expr = Expr::col(column.name.clone());
        match column.kind {
            Kind::Body | Kind::File => Err(refuse("filtered on: its text is kept elsewhere")),
            Kind::Text => match value {
                Value::Text(text) | Value::Decimal(text) => Ok(self.text(expr, comparison, text)),
                other => Err(self.wrong(column, other)),
            },
            _ if matches!(
                comparison,
                Comparison::StartsWith | Comparison::EndsWith | Comparison::Contains
            ) =>
            {
                Err(refuse("compared as text"))
            }
            Kind::Lookup => self.lookup(column, comparison, value),
            Kind::Decimal | Kind::Money => {
                // Kept as text; compared as numbers.
                let number = self.settled(column, value)?.as_str().and_then(|text| text.parse::<f64>().ok());
                Ok(relate(expr.cast_as("double precision"), comparison, number.into()))
            }
            _ => {
                let settled = self.settled(column, value)?;
                let bound = row::cells(column, Some(&settled)).swap_remove(0);
                Ok(relate(expr, comparison, bound))
            }
        }
    }

    /// One IN list where the values allow it; a chain of OR would be too deep for a database with a thousand of them.
    fn one_of(&self, column: &Column, values: &[Value]) -> Result<Expr, Refusal> {
        let mut listed = Vec::new();
        let mut apart = Vec::new();
        for value in values {
            match self.listable(column, value)? {
                Some(bound) => listed.push(bound),
                None if *value == Value::Null => {}
                None => apart.push(self.compare(column, Comparison::Eq, value)?),
            }
        }
        let expr = Expr::col(column.name.clone());
        let expr = if column.kind == Kind::Text { fold(self.dialect, expr, "").0 } else { expr };
        let listed = (!listed.is_empty()).then(|| expr.is_in(listed.into_iter().map(Expr::value)));
        Ok(listed.into_iter().chain(apart).reduce(|all, one| all.or(one)).unwrap_or_else(|| truth(false)))
    }

    /// The bound value when plain equality of the cell is what equality means.
    fn listable(&self, column: &Column, value: &Value) -> Result<Option<sql::Value>, Refusal> {
        Ok(match (column.kind, value) {
            (_, Value::Null) => None,
            (Kind::Text, Value::Text(text)) if text.is_ascii() => Some(text.to_ascii_lowercase().into()),
            (Kind::Lookup, Value::Guid(id)) => Some((*id).into()),
            (Kind::Lookup, Value::Lookup(at)) if !column.targets.several() => Some(at.id.into()),
            (Kind::Text | Kind::Lookup | Kind::Decimal | Kind::Money | Kind::Body | Kind::File, _) => None,
            _ => Some(row::cells(column, Some(&self.settled(column, value)?)).swap_remove(0)),
        })
    }

    fn wrong(&self, column: &Column, value: &Value) -> Refusal {
        match coerce(self.table, column, value.clone()) {
            Err(refusal) => refusal,
            Ok(_) => Refusal::Use {
                table: self.table.name.clone(),
                column: column.name.clone(),
                what: "compared with this",
            },
        }
    }

    /// A value in the column's own form. A choice or number that the column could not hold finds nothing; it is no error.
    fn settled(&self, column: &Column, value: &Value) -> Result<Value, Refusal> {
        let lax = Column { min: None, max: None, choices: Vec::new(), ..column.clone() };
        coerce(self.table, &lax, value.clone())
    }

    fn lookup(&self, column: &Column, comparison: Comparison, value: &Value) -> Result<Expr, Refusal> {
        let (id, table) = match value {
            Value::Guid(id) => (*id, None),
            Value::Lookup(at) => (at.id, Some(at.table.as_str())),
            Value::Text(text) => match text.parse::<uuid::Uuid>() {
                Ok(id) => (id, None),
                Err(_) => return Err(self.wrong(column, value)),
            },
            other => return Err(self.wrong(column, other)),
        };
        let expr = relate(Expr::col(column.name.clone()), comparison, id.into());
        let typed = table.filter(|table| {
            comparison == Comparison::Eq && column.targets.several() && *table != "activitypointer"
        });
        Ok(match typed {
            Some(table) => expr.and(Expr::col(format!("{}_type", column.name)).eq(table)),
            None => expr,
        })
    }

    fn text(&self, column: Expr, comparison: Comparison, wanted: &str) -> Expr {
        let (column, wanted) = fold(self.dialect, column, wanted);
        let like = |pattern: String| column.clone().like(LikeExpr::new(pattern).escape('\\'));
        match comparison {
            Comparison::StartsWith => like(format!("{}%", escape(&wanted))),
            Comparison::EndsWith => like(format!("%{}", escape(&wanted))),
            Comparison::Contains => like(format!("%{}%", escape(&wanted))),
            other => relate(column, other, wanted.into()),
        }
    }

    fn order(&self, select: &mut SelectStatement, order: &Order) -> Result<(), Refusal> {
        let column = self.comparable(&order.column)?;
        let expr = Expr::col(column.name.clone());
        let expr = match (column.kind, self.dialect) {
            (Kind::Text, Dialect::Postgres) => Func::lower(expr).into(),
            (Kind::Decimal | Kind::Money, _) => expr.cast_as("double precision"),
            _ => expr,
        };
        // Nulls first when rising, as SQL Server has it.
        match order.descending {
            true => select.order_by_expr_with_nulls(expr, sql::Order::Desc, NullOrdering::Last),
            false => select.order_by_expr_with_nulls(expr, sql::Order::Asc, NullOrdering::First),
        };
        Ok(())
    }
}

/// A text column and a wanted text in comparable form.
pub(crate) fn fold(dialect: Dialect, column: Expr, wanted: &str) -> (Expr, String) {
    let wanted: String = wanted.chars().flat_map(char::to_lowercase).collect();
    let mut beyond: Vec<char> = wanted.chars().filter(|letter| !letter.is_ascii()).collect();
    beyond.sort_unstable();
    beyond.dedup();
    if beyond.is_empty() && dialect == Dialect::Sqlite {
        return (column, wanted);
    }
    let lower: Expr = Func::lower(column).into();
    let folded = beyond.into_iter().fold(lower, |column, letter| {
        let mut upper = letter.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(upper), None) if upper != letter => {
                let args = [column, Expr::val(upper.to_string()), Expr::val(letter.to_string())];
                Func::cust("replace").args(args).into()
            }
            _ => column,
        }
    });
    (folded, wanted)
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn truth(value: bool) -> Expr {
    Expr::val(1).eq(i32::from(value))
}

fn relate(column: Expr, comparison: Comparison, value: sql::Value) -> Expr {
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
