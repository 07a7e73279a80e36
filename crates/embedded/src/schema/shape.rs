//! A table's description as statements that make it: `crm_<table>` with real columns.
//!
//! Text compares without case. SQLite: the columns are `COLLATE NOCASE`, so a plain index serves. PostgreSQL: the columns
//! are `COLLATE "C"` (the same order on every server) and the index is on `lower(column)`.

use postroom_store::Dialect;
use postroom_store::migrate::Ddl;
use postroom_store::sql::{
    ColumnDef, ConditionalStatement, Expr, ExprTrait, Func, Index, IntoIndexColumn, Query, SelectStatement,
    Table as SqlTable,
};
use uuid::Uuid;

use super::{Column, Key, Kind, Table};

/// PostgreSQL cuts names after 63 bytes.
const NAME: usize = 63;

/// The columns in the database that hold `column`: none for a party list; a lookup that may name several tables and a
/// body have a second one.
pub(crate) fn cells(column: &Column) -> Vec<String> {
    let name = &column.name;
    match column.kind {
        Kind::PartyList => Vec::new(),
        Kind::Lookup if column.targets.several() => vec![name.clone(), format!("{name}_type")],
        Kind::Body | Kind::File => vec![name.clone(), format!("{name}_ref")],
        _ => vec![name.clone()],
    }
}

/// How many those are.
pub(crate) fn width(column: &Column) -> usize {
    match column.kind {
        Kind::PartyList => 0,
        Kind::Lookup if column.targets.several() => 2,
        Kind::Body | Kind::File => 2,
        _ => 1,
    }
}

fn definitions(column: &Column, dialect: Dialect) -> Vec<ColumnDef> {
    let mut definitions: Vec<ColumnDef> = cells(column).into_iter().map(ColumnDef::new).collect();
    for extra in definitions.iter_mut().skip(1) {
        extra.text();
    }
    if let Some(first) = definitions.first_mut() {
        match column.kind {
            Kind::Id => first.uuid().not_null().primary_key(),
            Kind::Guid | Kind::Lookup => first.uuid(),
            Kind::Integer | Kind::BigInteger | Kind::Choice | Kind::State | Kind::Status | Kind::Time => {
                first.big_integer()
            }
            Kind::Boolean => first.boolean(),
            Kind::Double => first.double(),
            Kind::Text => first.text().extra(collation(dialect)),
            // Decimals and money are text, so that no digit is lost.
            Kind::Decimal | Kind::Money | Kind::Body | Kind::File | Kind::MultiChoice | Kind::PartyList => {
                first.text()
            }
        };
    }
    definitions
}

fn collation(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "COLLATE NOCASE",
        Dialect::Postgres => "COLLATE \"C\"",
    }
}

/// What makes a new table.
pub(super) fn create(table: &Table, dialect: Dialect) -> Vec<Ddl> {
    let mut statement = SqlTable::create();
    statement.table(table.storage());
    for definition in table.columns.iter().flat_map(|column| definitions(column, dialect)) {
        statement.col(definition);
    }
    let mut all = vec![Ddl::CreateTable(statement)];
    all.extend(indexes(table, dialect).into_iter().map(|index| index.statement));
    all
}

/// An index that a table should have.
pub(super) struct Wanted {
    pub(super) name: String,
    /// The key that it keeps unique.
    pub(super) key: Option<String>,
    pub(super) statement: Ddl,
}

/// All indexes that a table should have.
pub(super) fn indexes(table: &Table, dialect: Dialect) -> Vec<Wanted> {
    let columns = table.columns.iter().filter(|column| indexed(column)).map(|column| Wanted {
        name: index_name(table, column),
        key: None,
        statement: index(table, column, dialect),
    });
    let keys = table.keys.iter().map(|key| Wanted {
        name: key_index_name(table, key),
        key: Some(key.name.clone()),
        statement: key_index(table, key, dialect),
    });
    columns.chain(keys).collect()
}

/// What takes columns and keys away that a table no longer has. A lookup that may name one table only loses its second
/// column.
pub(super) fn narrow(table: &Table, have: &Table) -> Vec<Ddl> {
    let gone = have.keys.iter().filter(|key| !table.keys.contains(key));
    let mut all: Vec<Ddl> = gone.map(|key| drop_index(key_index_name(table, key))).collect();
    for old in &have.columns {
        let stays = table.column(&old.name).map_or(0, |column| cells(column).len());
        if stays == 0 && indexed(old) {
            all.push(drop_index(index_name(table, old)));
        }
        for cell in cells(old).into_iter().skip(stays) {
            all.push(Ddl::AlterTable(SqlTable::alter().table(table.storage()).drop_column(cell).to_owned()));
        }
    }
    all
}

pub(super) fn drop_index(name: String) -> Ddl {
    Ddl::DropIndex(Index::drop().name(name).if_exists().to_owned())
}

/// What adds columns to a table that is there. A lookup that was widened to several tables gets its second column.
pub(super) fn widen(table: &Table, have: &Table, dialect: Dialect) -> Vec<Ddl> {
    let mut all = Vec::new();
    for column in &table.columns {
        let old = have.column(&column.name);
        let had = old.map_or(0, |old| cells(old).len());
        for definition in definitions(column, dialect).into_iter().skip(had) {
            // SQLite adds one column a statement.
            all.push(Ddl::AlterTable(
                SqlTable::alter().table(table.storage()).add_column(definition).to_owned(),
            ));
        }
        if indexed(column) && !old.is_some_and(indexed) {
            all.push(index(table, column, dialect));
        }
    }
    let new = table.keys.iter().filter(|key| !have.keys.contains(key));
    all.extend(new.map(|key| key_index(table, key, dialect)));
    all
}

/// Unique; a row that lacks a value is free, as on the platform.
fn key_index(table: &Table, key: &Key, dialect: Dialect) -> Ddl {
    let mut index = Index::create();
    index.name(key_index_name(table, key)).table(table.storage()).unique();
    for column in &key.columns {
        match folded(table, column, dialect) {
            true => index.col(Func::lower(Expr::col(column.clone()))),
            false => index.col(column.clone()),
        };
    }
    Ddl::CreateIndex(index)
}

/// Text on PostgreSQL compares without case by an expression, on SQLite by its collation.
fn folded(table: &Table, column: &str, dialect: Dialect) -> bool {
    dialect == Dialect::Postgres && table.column(column).is_some_and(|column| column.kind == Kind::Text)
}

/// Rows that have the same values in the columns of a key: how often the first such values stand there.
pub(super) fn duplicates(table: &Table, key: &Key, dialect: Dialect) -> SelectStatement {
    let mut select = Query::select();
    let count = || Func::count(Expr::col(table.primary_key.clone()));
    select.expr(count()).from(table.storage()).and_having(Expr::from(count()).gt(1)).limit(1);
    for column in &key.columns {
        let expr = Expr::col(column.clone());
        select.and_where(expr.clone().is_not_null());
        match folded(table, column, dialect) {
            true => select.add_group_by([Func::lower(expr).into()]),
            false => select.add_group_by([expr]),
        };
    }
    select
}

/// Lookups that no deletion follows: what they name is hardly ever deleted.
const UNFOLLOWED: &[&str] =
    &["ownerid", "organizationid", "transactioncurrencyid", "businessunitid", "solutionid"];

/// Whether a column has an index: told so, or a lookup that is asked for its rows when a row that it names is deleted.
fn indexed(column: &Column) -> bool {
    column.indexed || followed(column)
}

fn followed(column: &Column) -> bool {
    // What the server keeps of the sender is let go of, too.
    let kept = column.read_only && !["emailsender", "sendersaccount"].contains(&column.name.as_str());
    column.kind == Kind::Lookup && !kept && !UNFOLLOWED.contains(&column.name.as_str())
}

fn index(table: &Table, column: &Column, dialect: Dialect) -> Ddl {
    let mut index = Index::create();
    index.name(index_name(table, column)).table(table.storage());
    let plain = || column.name.clone();
    // The order of `query::window`. The builder has no word for it and writes the operator class as it is.
    // What changes here needs a new layout of `indexes`: older databases keep their indexes otherwise.
    let nulls = "NULLS FIRST";
    match (column.kind, dialect) {
        (Kind::Text, Dialect::Postgres) => {
            let lower = Func::lower(Expr::col(plain()));
            index.col(lower.into_index_column().with_operator_class(nulls))
        }
        (_, Dialect::Postgres) => index.col(plain().into_index_column().with_operator_class(nulls)),
        (_, Dialect::Sqlite) => index.col(plain()),
    };
    if !column.indexed {
        // Most rows name nothing there, and cost nothing.
        index.and_where(Expr::col(column.name.clone()).is_not_null());
    }
    Ddl::CreateIndex(index)
}

fn index_name(table: &Table, column: &Column) -> String {
    fitting(format!("{}_{}_ix", table.storage(), column.name))
}

fn key_index_name(table: &Table, key: &Key) -> String {
    fitting(format!("{}_{}_key", table.storage(), key.name))
}

fn fitting(name: String) -> String {
    match name.len() > NAME {
        true => format!("crm_{}_ix", Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple()),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::Schema;
    use super::*;

    #[test]
    fn names_are_unique_and_fit() {
        let mut indexes = HashSet::new();
        for table in Schema::standard() {
            let names: Vec<String> = table.columns.iter().flat_map(cells).collect();
            assert_eq!(names.len(), table.columns.iter().map(width).sum::<usize>(), "{}", table.name);
            let distinct: HashSet<&String> = names.iter().collect();
            assert_eq!(names.len(), distinct.len(), "{}", table.name);
            assert!(names.iter().all(|name| name.len() <= NAME));
            for column in table.columns.iter().filter(|column| indexed(column)) {
                let name = index_name(&table, column);
                assert!(name.len() <= NAME && indexes.insert(name));
            }
        }
    }
}
