//! What tables this database has: `crm_table`, one row a table, with a version that rises with every change.
//!
//! Each unit and each read asks for the highest version first, so a process that keeps a [`Schema`] notices what another
//! process made. A write keeps nothing of what it read until it is durable: a rolled-back version may be used again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use postroom_core::{Code, Fault};
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Expr, ExprTrait, Func, Query, Table as SqlTable};
use postroom_store::{Error, Insert, Tx};

use super::{Column, Kind, Schema, Table, Targets, shape};

/// The steps that a store must have run before [`crate::Embedded::open`].
pub const MIGRATIONS: &[Migration] = &[
    Migration { area: "embedded", number: 1, name: "the list of tables", statements: tables },
    crate::changes::MIGRATION,
];

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
    let refuse = |what: String| Fault::reject(Code::CRM_REFUSED, format!("table {:?}: {what}", table.name));
    if !name_is_good(&table.name) {
        let rule = "a name is a lower-case letter, then letters, digits or _, at most 58 in all";
        return Err(refuse(rule.into()));
    }
    if table.column(&table.primary_key).is_none_or(|key| key.kind != Kind::Id) {
        return Err(refuse(format!("its key {} must be a column of kind id", table.primary_key)));
    }
    let have = schema.table(&table.name).ok();
    if let Some(have) = have {
        same_shape(have, table).map_err(refuse)?;
    }
    let mut names = HashSet::new();
    for column in &table.columns {
        if !name_is_good(&column.name) || !shape::cells(column).into_iter().all(|cell| names.insert(cell)) {
            return Err(refuse(format!("the column name {:?} is taken or not a name", column.name)));
        }
        // Standard tables have lookups on tables that this CRM does without; new ones shall not.
        let new = have.is_none_or(|have| have.place(&column.name).is_none());
        if new && !targets_exist(schema, table, column) {
            return Err(refuse(format!("the lookup {} names no table of this CRM", column.name)));
        }
    }
    Ok(())
}

fn targets_exist(schema: &Schema, table: &Table, column: &Column) -> bool {
    let there = |target: &String| *target == table.name || schema.find(target).is_some();
    match &column.targets {
        Targets::Named(targets) if column.kind == Kind::Lookup => {
            !targets.is_empty() && targets.iter().all(there)
        }
        _ => true,
    }
}

/// What is in the database stays readable: a table may grow, but keeps its key, its owners and its columns' kinds.
fn same_shape(have: &Table, wanted: &Table) -> Result<(), String> {
    if (&have.primary_key, have.ownership, have.activity)
        != (&wanted.primary_key, wanted.ownership, wanted.activity)
    {
        return Err(
            "a table of that name is there with another key or other owners; choose another name".into()
        );
    }
    let other =
        |column: &&Column| wanted.column(&column.name).is_some_and(|wanted| wanted.kind != column.kind);
    match have.columns.iter().find(other) {
        Some(column) => {
            Err(format!("its column {} is there with another kind; choose another name", column.name))
        }
        None => Ok(()),
    }
}

fn name_is_good(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(letters)
}
