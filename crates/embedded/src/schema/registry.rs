//! What tables this database has: `crm_table`, one row a table, with a version that rises with every change.
//!
//! Each unit and each read asks for the highest version first, so a process that keeps a [`Schema`] notices what another
//! process made. A write keeps nothing of what it read until it is durable: a rolled-back version may be used again.

use std::sync::{Arc, Mutex, PoisonError};

use postroom_core::{Code, Fault};
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Expr, ExprTrait, Func, Query, Table as SqlTable};
use postroom_store::{Error, Insert, Tx};

use super::{Column, Kind, Schema, Table, Targets, shape};

/// The steps that a store must have run before [`crate::Embedded::open`].
pub const MIGRATIONS: &[Migration] =
    &[Migration { area: "embedded", number: 1, name: "the list of tables", statements: tables }];

const COUNTER: &str = "crm_schema";
/// Room for the prefix `crm_` and the suffix `_type` within PostgreSQL's 63 bytes.
const LONGEST: usize = 58;

fn tables() -> Vec<Ddl> {
    let list = SqlTable::create()
        .table("crm_table")
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .col(ColumnDef::new("version").big_integer().not_null())
        .col(ColumnDef::new("description").text().not_null())
        .to_owned();
    vec![Ddl::CreateTable(list)]
}

/// The newest schema that this process has seen, shared by all clones of a handle.
#[derive(Clone, Default)]
pub(crate) struct Cache(Arc<Mutex<Arc<Schema>>>);

impl Cache {
    /// Remembers a schema that was read from durable state.
    pub(crate) fn keep(&self, schema: &Arc<Schema>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = schema.clone();
    }

    /// The schema as it is now, from memory when nothing changed.
    pub(crate) async fn current(&self, tx: &mut Tx) -> Result<Arc<Schema>, Error> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match version(tx).await? {
            version if version == kept.version => Ok(kept),
            version => Ok(Arc::new(load(tx, version).await?)),
        }
    }
}

async fn version(tx: &mut Tx) -> Result<i64, Error> {
    let select = Query::select().expr(Func::max(Expr::col("version"))).from("crm_table").to_owned();
    let row = tx.query_one(&select).await?;
    Ok(row.map(|row| row.at::<Option<i64>>(0)).transpose()?.flatten().unwrap_or(0))
}

async fn load(tx: &mut Tx, version: i64) -> Result<Schema, Error> {
    let select = Query::select().columns(["name", "description"]).from("crm_table").to_owned();
    let mut tables = Vec::new();
    for row in tx.query(&select).await? {
        let text: String = row.at(1)?;
        let mut table: Table = serde_json::from_str(&text).map_err(|_| Error::Cell {
            column: "crm_table.description".into(),
            wanted: "table description of this version",
        })?;
        table.index();
        tables.push(table);
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Schema::new(version, tables))
}

/// Makes what is missing of `wanted`: whole tables, or columns of tables that are there. One process at a time: the
/// counter's row is locked first.
pub(crate) async fn ensure(tx: &mut Tx, wanted: Vec<Table>) -> Result<(), Error> {
    let dialect = tx.dialect();
    let version = tx.next_numbers(COUNTER, 1).await?;
    let have = load(tx, 0).await?;
    let mut changed = Vec::new();
    for table in wanted {
        let Some(place) = have.find(&table.name) else {
            run(tx, shape::create(&table, dialect)).await?;
            changed.push(table);
            continue;
        };
        let merged = merge(have.at(place), table);
        if text(&merged) != text(have.at(place)) {
            run(tx, shape::widen(&merged, have.at(place), dialect)).await?;
            changed.push(merged);
        }
    }
    match changed.is_empty() {
        true => Ok(()),
        false => record(tx, version, &changed).await,
    }
}

/// Whether [`ensure`] would do anything.
pub(crate) fn lacks(have: &Schema, wanted: &[Table]) -> bool {
    wanted.iter().any(|table| match have.find(&table.name) {
        Some(place) => text(&merge(have.at(place), table.clone())) != text(have.at(place)),
        None => true,
    })
}

/// The new description, with the columns that only the old one has kept at the end.
fn merge(have: &Table, mut wanted: Table) -> Table {
    let extra = have.columns.iter().filter(|column| wanted.place(&column.name).is_none());
    let extra: Vec<Column> = extra.cloned().collect();
    wanted.columns.extend(extra);
    wanted.index();
    wanted
}

fn text(table: &Table) -> String {
    serde_json::to_string(table).expect("a description is plain data")
}

async fn run(tx: &mut Tx, statements: Vec<Ddl>) -> Result<(), Error> {
    for statement in &statements {
        tx.shape(statement).await?;
    }
    Ok(())
}

async fn record(tx: &mut Tx, version: i64, tables: &[Table]) -> Result<(), Error> {
    let names = tables.iter().map(|table| table.name.clone());
    let stale = Query::delete().from_table("crm_table").and_where(Expr::col("name").is_in(names)).to_owned();
    tx.execute(&stale).await?;
    let mut insert = Insert::into("crm_table", &["name", "version", "description"]);
    for table in tables {
        insert.row([table.name.clone().into(), version.into(), text(table).into()]);
    }
    tx.insert(&insert).await.map(drop)
}

/// Refuses a description that could not be kept or used.
pub(crate) fn check(schema: &Schema, table: &Table) -> Result<(), Fault> {
    let refuse =
        |what: String| Err(Fault::reject(Code::CRM_REFUSED, format!("table {:?}: {what}", table.name)));
    if !name_is_good(&table.name) {
        return refuse("a name is a lower-case letter, then letters, digits or _, at most 58 in all".into());
    }
    if table.column(&table.primary_key).is_none_or(|key| key.kind != Kind::Id) {
        return refuse(format!("its key {} must be a column of kind id", table.primary_key));
    }
    let mut names = std::collections::HashSet::new();
    for column in &table.columns {
        let cells = shape::cells(column);
        if !name_is_good(&column.name) || !cells.into_iter().all(|cell| names.insert(cell)) {
            return refuse(format!("the column name {:?} is taken or not a name", column.name));
        }
        let Targets::Named(targets) = &column.targets else { continue };
        let there = |target: &&String| **target == table.name || schema.find(target).is_some();
        let known = !targets.is_empty() && targets.iter().all(|target| there(&target));
        if column.kind == Kind::Lookup && !known {
            return refuse(format!("the lookup {} names no table of this CRM: {targets:?}", column.name));
        }
    }
    Ok(())
}

fn name_is_good(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(letters)
}
