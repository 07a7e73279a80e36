//! Migrations: numbered steps per area, forward only, each in one transaction, recorded with a hash of what it did.

use futures_util::FutureExt;
use sea_query::{ColumnDef, Query, Table};
use sha2::{Digest, Sha256};

use crate::statement::Dialect;
use crate::{Error, Insert, Store, Tx};

pub use crate::statement::Ddl;

/// One step of an area's schema. Never changed once released; a later step corrects it.
#[derive(Clone, Copy)]
pub struct Migration {
    /// The part of the product that owns the tables: `store`, `jobs`, `tracking`.
    pub area: &'static str,
    /// 1, 2, 3, … within the area.
    pub number: u32,
    pub name: &'static str,
    pub statements: fn() -> Vec<Ddl>,
}

/// Any number: it only has to be the same in every process of ours.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7006002001)";

pub(crate) async fn run(store: &Store, areas: &[&[Migration]]) -> Result<(), Error> {
    let steps: Vec<Migration> = areas.iter().flat_map(|area| area.iter().copied()).collect();
    store.write("store.migrate", move |tx| async move { apply(tx, &steps).await }.boxed()).await
}

async fn apply(tx: &mut Tx, steps: &[Migration]) -> Result<(), Error> {
    if tx.dialect() == Dialect::Postgres {
        tx.run(LOCK, &[]).await?;
    }
    tx.shape(&record_table()).await?;
    let done = done(tx).await?;
    for (area, number, _) in &done {
        let known = steps.iter().any(|step| step.area == area && step.number == *number);
        // An area that this process does not use may well be there; only its own areas can be too new.
        if !known && steps.iter().any(|step| step.area == area) {
            return Err(Error::Newer { area: area.clone(), number: *number });
        }
    }
    for step in steps {
        let statements = (step.statements)();
        let hash = hash(&statements);
        match done.iter().find(|(area, number, _)| area == step.area && *number == step.number) {
            Some((_, _, ran)) if *ran == hash => {}
            Some(_) => return Err(Error::Changed { area: step.area.into(), number: step.number }),
            None => {
                for statement in &statements {
                    tx.shape(statement).await?;
                }
                let mut record = Insert::into("schema_step", &["area", "number", "name", "hash"]);
                record.row([step.area.into(), step.number.into(), step.name.into(), hash.into()]);
                tx.insert(&record).await?;
            }
        }
    }
    Ok(())
}

fn record_table() -> Ddl {
    Ddl::CreateTable(
        Table::create()
            .table("schema_step")
            .if_not_exists()
            .col(ColumnDef::new("area").text().not_null())
            .col(ColumnDef::new("number").integer().not_null())
            .col(ColumnDef::new("name").text().not_null())
            .col(ColumnDef::new("hash").text().not_null())
            .primary_key(sea_query::Index::create().col("area").col("number"))
            .to_owned(),
    )
}

async fn done(tx: &mut Tx) -> Result<Vec<(String, u32, String)>, Error> {
    let select = Query::select().columns(["area", "number", "hash"]).from("schema_step").to_owned();
    tx.query(&select).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?, row.at(2)?))).collect()
}

/// The same on both databases, so that a dump of one can be checked against the other: hashed in SQLite's words.
fn hash(statements: &[Ddl]) -> String {
    let mut hasher = Sha256::new();
    for statement in statements {
        hasher.update(statement.render(Dialect::Sqlite));
        hasher.update(";");
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
