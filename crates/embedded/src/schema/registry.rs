//! What tables this database has: `crm_table`, one row a table, with a version that rises with every change.
//!
//! Each unit and each read asks for the highest version first, so a process that keeps a [`Schema`] notices what another
//! process made. A write keeps nothing of what it read until it is durable: a rolled-back version may be used again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use postroom_core::{Code, Fault};
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{
    ColumnDef, Expr, ExprTrait, Func, Index, Query, Table as SqlTable, UpdateStatement,
};
use postroom_store::{Error, Insert, Tx};

use super::{Column, GlobalSet, Kind, Schema, Table, Targets, names, shape};
use crate::definitions::{self, Problem};
use crate::failure::Failure;
use crate::rules::Refusal;
use crate::solutions;

/// The steps that a store must have run before [`crate::Embedded::open`].
pub const MIGRATIONS: &[Migration] = &[
    Migration { area: "embedded", number: 1, name: "the list of tables", statements: tables },
    Migration {
        area: "embedded",
        number: 2,
        name: "the list of global option sets",
        statements: option_sets,
    },
    crate::changes::MIGRATION,
    Migration {
        area: "embedded",
        number: 4,
        name: "the newest description is found at once",
        statements: newest_first,
    },
];

const COUNTER: &str = "crm_schema";
/// Object type codes of tables made at run time, counted from [`FIRST_CODE`].
const CODES: &str = "crm_type_code";
const FIRST_CODE: i64 = 10_000;
/// The table whose row bears the version of changes that leave no row of their own: it is always there.
const MARK: &str = "organization";
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

/// Every unit and every read asks for the highest version. The descriptions are large: to look through them took most of
/// the time of a small question.
fn newest_first() -> Vec<Ddl> {
    let index = Index::create().name("crm_table_version").table("crm_table").col("version").to_owned();
    vec![Ddl::CreateIndex(index)]
}

fn option_sets() -> Vec<Ddl> {
    let list = SqlTable::create()
        .table("crm_option_set")
        .col(ColumnDef::new("name").text().not_null().primary_key())
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

/// The newest version of any description; 0 in a database without tables.
pub(crate) async fn version(tx: &mut Tx) -> Result<i64, Error> {
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
    let holds = tables.iter().any(|table| table.name == "solutioncomponent");
    let mut managed = if holds { solutions::managed(tx).await? } else { HashSet::new() };
    // Solutions extend tables that come along; they do not bring them.
    for table in tables.iter().filter(|table| names::of(&table.name).is_some()) {
        managed.remove(&definitions::id("table", &table.name));
    }
    Ok(Schema::new(version, tables).with_option_sets(load_option_sets(tx).await?).with_managed(managed))
}

async fn load_option_sets(tx: &mut Tx) -> Result<Vec<GlobalSet>, Error> {
    let select = Query::select().columns(["name", "description"]).from("crm_option_set").to_owned();
    let mut sets = Vec::new();
    for row in tx.query(&select).await? {
        let text: String = row.at(1)?;
        let set: GlobalSet = serde_json::from_str(&text).map_err(|_| Error::Cell {
            column: "crm_option_set.description".into(),
            wanted: "option set of this version",
        })?;
        sets.push(set);
    }
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sets)
}

/// What is to become of the definitions: made from the schema as it is, put down by [`revise`].
#[derive(Debug, Default)]
pub(crate) struct Revision {
    /// Tables as they shall be, new ones too.
    pub(crate) tables: Vec<Table>,
    pub(crate) gone: Vec<String>,
    pub(crate) option_sets: Vec<GlobalSet>,
    pub(crate) option_sets_gone: Vec<String>,
    /// What happens to rows before the shape changes.
    pub(crate) rows: Vec<UpdateStatement>,
}

/// Nobody else changes definitions from here on, until the unit ends.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), Error> {
    tx.next_numbers(COUNTER, 1).await.map(drop)
}

impl Revision {
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
            && self.gone.is_empty()
            && self.option_sets.is_empty()
            && self.option_sets_gone.is_empty()
            && self.rows.is_empty()
    }
}

/// Changes definitions in one unit: `plan` sees them as they are, and nobody else changes them meanwhile.
pub(crate) async fn revise<T, F, E>(tx: &mut Tx, plan: F) -> Result<T, Failure>
where
    F: FnOnce(&Schema) -> Result<(Revision, T), E> + Send,
    E: Into<Failure>,
{
    let version = tx.next_numbers(COUNTER, 1).await?;
    let have = load(tx, 0).await?;
    let (mut revision, answer) = plan(&have).map_err(Into::into)?;
    if revision.is_empty() {
        return Ok(answer);
    }
    for update in &revision.rows {
        tx.execute(update).await?;
    }
    for table in &mut revision.tables {
        reshape(tx, have.table(&table.name).ok().map(|have| &**have), table).await?;
    }
    for name in &revision.gone {
        let Ok(table) = have.table(name) else { continue };
        run(tx, vec![Ddl::DropTable(SqlTable::drop().table(table.storage()).to_owned())]).await?;
    }
    forget(tx, "crm_table", &revision.gone).await?;
    record(tx, version, &revision.tables).await?;
    record_option_sets(tx, &revision).await?;
    mark(tx, version).await?;
    Ok(answer)
}

/// Every process reads the definitions again: what is said of them changed, though they did not.
pub(crate) async fn renew(tx: &mut Tx) -> Result<(), Error> {
    let version = tx.next_numbers(COUNTER, 1).await?;
    mark(tx, version).await
}

async fn mark(tx: &mut Tx, version: i64) -> Result<(), Error> {
    let mark = Query::update()
        .table("crm_table")
        .value("version", version)
        .and_where(Expr::col("name").eq(MARK))
        .to_owned();
    tx.execute(&mark).await.map(drop)
}

/// One table in the database becomes what it shall be.
async fn reshape(tx: &mut Tx, have: Option<&Table>, table: &mut Table) -> Result<(), Failure> {
    let dialect = tx.dialect();
    table.index();
    let mut cells = HashSet::new();
    if let Some(cell) = table.columns.iter().flat_map(shape::cells).find(|cell| !cells.insert(cell.clone())) {
        return Err(Refusal::from(Problem::Taken { what: "column", name: cell }).into());
    }
    let Some(have) = have else {
        table.type_code = Some(next_code(tx).await?);
        run(tx, shape::create(table, dialect)).await?;
        return Ok(());
    };
    for key in table.keys.iter().filter(|key| !have.keys.contains(key)) {
        if let Some(row) = tx.query_one(&shape::duplicates(table, key, dialect)).await? {
            let rows: i64 = row.at(0)?;
            let (table, columns) = (table.name.clone(), key.columns.join(", "));
            return Err(Refusal::from(Problem::Duplicates { table, columns, rows }).into());
        }
    }
    run(tx, shape::narrow(table, have)).await?;
    run(tx, shape::widen(table, have, dialect)).await?;
    Ok(())
}

async fn next_code(tx: &mut Tx) -> Result<i32, Error> {
    let number = tx.next_numbers(CODES, 1).await?;
    Ok(i32::try_from(FIRST_CODE + number - 1).expect("fewer than two thousand million tables"))
}

async fn forget(tx: &mut Tx, list: &'static str, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let stale =
        Query::delete().from_table(list).and_where(Expr::col("name").is_in(names.iter().cloned())).to_owned();
    tx.execute(&stale).await.map(drop)
}

async fn record_option_sets(tx: &mut Tx, revision: &Revision) -> Result<(), Error> {
    let changed = revision.option_sets.iter().map(|set| set.name.clone());
    let stale: Vec<String> = changed.chain(revision.option_sets_gone.iter().cloned()).collect();
    forget(tx, "crm_option_set", &stale).await?;
    if revision.option_sets.is_empty() {
        return Ok(());
    }
    let mut insert = Insert::into("crm_option_set", &["name", "description"]);
    for set in &revision.option_sets {
        let text = serde_json::to_string(set).expect("an option set is plain data");
        insert.row([set.name.clone().into(), text.into()]);
    }
    tx.insert(&insert).await.map(drop)
}

/// Makes what is missing of `wanted`: whole tables, or columns of tables that are there. One process at a time: the
/// counter's row is locked first.
pub(crate) async fn ensure(tx: &mut Tx, wanted: Vec<Table>) -> Result<(), Error> {
    let dialect = tx.dialect();
    let version = tx.next_numbers(COUNTER, 1).await?;
    let have = load(tx, 0).await?;
    let mut changed = Vec::new();
    for mut table in wanted {
        let Some(place) = have.find(&table.name) else {
            if names::of(&table.name).is_none() {
                table.type_code = Some(next_code(tx).await?);
            }
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

/// The new description, with the columns that only the old one has kept at the end, and with what was changed at run time.
fn merge(have: &Table, mut wanted: Table) -> Table {
    wanted.keys.clone_from(&have.keys);
    wanted.type_code = have.type_code.or(wanted.type_code);
    wanted.entity_set = have.entity_set.clone().or(wanted.entity_set);
    wanted.schema_name = have.schema_name.clone().or(wanted.schema_name);
    wanted.intersect = have.intersect.clone().or(wanted.intersect);
    if have.changed {
        wanted.changed = true;
        wanted.labels.clone_from(&have.labels);
        wanted.plural.clone_from(&have.plural);
        wanted.description.clone_from(&have.description);
        wanted.untracked = have.untracked;
        wanted.has_notes |= have.has_notes;
        wanted.has_activities |= have.has_activities;
    }
    for column in &mut wanted.columns {
        let old = have.column(&column.name).filter(|old| old.changed && old.kind == column.kind);
        if let Some(old) = old {
            column.clone_from(old);
        }
    }
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
    if tables.is_empty() {
        return Ok(());
    }
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

pub(crate) fn name_is_good(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(letters)
}
