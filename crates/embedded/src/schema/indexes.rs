//! Indexes of databases that earlier versions made.
//!
//! An earlier version gave a column no index, or one whose order of nulls walks no pages, and a description says nothing of
//! it: [`registry::ensure`](super::registry::ensure) sees no difference. So a database notes which [`LAYOUT`] its indexes
//! have. A normal start reads that number and no more. When it is an older one, what the database says of each index is
//! compared with what this version would make: what differs or is superseded goes, what is lacking is made.
//!
//! Each table is brought up in a unit of its own, a large one index by index, and the number is written last: a process
//! that is killed in the midst goes on where it was, and two that start at once wait for each other.
//!
//! Not here: columns and tables that are lacking (`registry`).

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::Fault;
use postroom_store::sql::{Expr, ExprTrait, Func, Query, SelectStatement};
use postroom_store::{Dialect, Error, Store, Tx};

use super::shape::{self, Wanted};
use super::{Schema, Table, registry};

/// The counter that says which layout the indexes have. Raise it when `shape` makes other indexes of the same descriptions:
/// 1 has an index of each lookup that a deletion follows, and on PostgreSQL nulls first.
const COUNTER: &str = "crm_index_layout";
const LAYOUT: i64 = 1;

/// Above this many rows the indexes of a table are made one at a time, and each is logged.
const LARGE: u64 = 50_000;

/// What a database says of its indexes: the statement that makes each, by table and name.
type Found = HashMap<String, HashMap<String, String>>;

/// A database that was made a moment ago has the indexes of this version.
pub(crate) async fn record(tx: &mut Tx) -> Result<(), Error> {
    let have = tx.last_number(COUNTER).await?;
    match u64::try_from(LAYOUT - have) {
        Ok(more) if more > 0 => tx.next_numbers(COUNTER, more).await.map(drop),
        _ => Ok(()),
    }
}

/// Makes the indexes that an older database lacks, and drops those that are superseded.
pub(crate) async fn bring_up(store: &Store, schema: &Schema) -> Result<(), Fault> {
    let look = store.read(|tx| {
        async move {
            match tx.last_number(COUNTER).await? < LAYOUT {
                true => found(tx, None).await.map(Some),
                false => Ok(None),
            }
        }
        .boxed()
    });
    let look: Result<Option<(Found, Dialect)>, Error> = look.await;
    let Some((found, dialect)) = look? else { return Ok(()) };
    let stale: Vec<&Table> = schema
        .tables()
        .map(|table| &**table)
        .filter(|table| !Difference::of(table, found.get(&table.storage()), dialect).is_empty())
        .collect();
    for (place, table) in stale.iter().enumerate() {
        tracing::info!(event = "crm.indexes", table = %table.name, "Indexes of {}, table {} of {}, are made as this version has them.", table.name, place + 1, stale.len());
        while step(store, table).await? {}
    }
    let noted: Result<bool, Error> = unit(store, None).await;
    Ok(noted.map(drop)?)
}

/// Brings a table up in one unit, or a large one by one index; whether more is left.
async fn step(store: &Store, table: &Table) -> Result<bool, Error> {
    unit(store, Some(table.clone())).await
}

/// The unit of every step: a table's, or the note that all are done.
async fn unit(store: &Store, table: Option<Table>) -> Result<bool, Error> {
    let unit = store.write("crm.index", move |tx| {
        async move {
            registry::lock(tx).await?;
            match table {
                Some(table) => bring_up_table(tx, &table).await,
                None => record(tx).await.map(|()| false),
            }
        }
        .boxed()
    });
    unit.await
}

async fn bring_up_table(tx: &mut Tx, table: &Table) -> Result<bool, Error> {
    let (found, dialect) = found(tx, Some(table)).await?;
    let mut left = Difference::of(table, found.get(&table.storage()), dialect);
    let rows = rows(tx, table).await?;
    if rows > LARGE && left.make.len() > 1 {
        let first = left.make.remove(0);
        let others: Vec<String> = left.make.iter().map(|wanted| wanted.name.clone()).collect();
        left.gone.retain(|name| !others.contains(name));
        left.make = vec![first];
        tracing::info!(event = "crm.index", table = %table.name, index = %left.make[0].name, "The index {} of a large table is made; {} are left after it.", left.make[0].name, others.len());
        run(tx, table, left).await?;
        return Ok(true);
    }
    run(tx, table, left).await?;
    Ok(false)
}

async fn run(tx: &mut Tx, table: &Table, difference: Difference) -> Result<(), Error> {
    for name in difference.gone {
        tx.shape(&shape::drop_index(name)).await?;
    }
    for wanted in difference.make {
        if let Some(key) = wanted.key.and_then(|name| table.keys.iter().find(|key| key.name == name)) {
            let twice = shape::duplicates(table, key, tx.dialect());
            if tx.query_one(&twice).await?.is_some() {
                tracing::warn!(event = "crm.key_not_kept", table = %table.name, key = %key.name, "Rows of {} have the same values of the key {}: it is not unique until they are put right and the key is made anew.", table.name, key.name);
                continue;
            }
        }
        tx.shape(&wanted.statement).await?;
    }
    Ok(())
}

/// What a table's indexes lack.
#[derive(Default)]
struct Difference {
    gone: Vec<String>,
    make: Vec<Wanted>,
}

impl Difference {
    fn of(table: &Table, found: Option<&HashMap<String, String>>, dialect: Dialect) -> Difference {
        let none = HashMap::new();
        let found = found.unwrap_or(&none);
        let mut difference = Difference::default();
        let wanted = shape::indexes(table, dialect);
        let ours = |name: &String| name.starts_with("crm_") && name.ends_with("_ix");
        let stray = found.keys().filter(|name| ours(name) && !wanted.iter().any(|one| one.name == **name));
        difference.gone.extend(stray.cloned());
        for one in wanted {
            match found.get(&one.name) {
                Some(statement) if plain(statement) == plain(&one.statement.render(dialect)) => continue,
                Some(_) => difference.gone.push(one.name.clone()),
                None => {}
            }
            difference.make.push(one);
        }
        difference
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.make.is_empty()
    }
}

/// A statement as both we and the database's own catalogue would write it: without quotes, brackets, schema and method.
fn plain(statement: &str) -> String {
    let spaced: String =
        statement.chars().map(|sign| if "\"(),".contains(sign) { ' ' } else { sign }).collect();
    let spaced = spaced.replace(" USING btree ", " ").to_lowercase();
    let mut words: Vec<&str> = spaced.split_whitespace().collect();
    // The table stands after ON, in a catalogue with its schema.
    if let Some(place) = words.iter().position(|word| *word == "on")
        && let Some(table) = words.get_mut(place + 1)
    {
        *table = table.rsplit('.').next().unwrap_or(table);
    }
    words.join(" ")
}

/// Reads the catalogue, of one table or of all.
async fn found(tx: &mut Tx, table: Option<&Table>) -> Result<(Found, Dialect), Error> {
    let dialect = tx.dialect();
    let mut all: Found = HashMap::new();
    for row in tx.query(&catalogue(dialect, table)).await? {
        let statement: Option<String> = row.at(2)?;
        all.entry(row.at(0)?).or_default().insert(row.at(1)?, statement.unwrap_or_default());
    }
    Ok((all, dialect))
}

fn catalogue(dialect: Dialect, table: Option<&Table>) -> SelectStatement {
    let mut select = Query::select();
    let of = match dialect {
        Dialect::Sqlite => {
            select.columns(["tbl_name", "name", "sql"]).from("sqlite_master");
            select.and_where(Expr::col("type").eq("index"));
            "tbl_name"
        }
        Dialect::Postgres => {
            // Names there are of a type of their own.
            for column in ["tablename", "indexname", "indexdef"] {
                select.expr(Expr::col(column).cast_as("text"));
            }
            select.from(("pg_catalog", "pg_indexes"));
            select.and_where(Expr::col("schemaname").eq(Expr::cust("current_schema()")));
            "tablename"
        }
    };
    if let Some(table) = table {
        select.and_where(Expr::col(of).eq(table.storage()));
    }
    select
}

/// How many rows a table has, counted only as far as it matters.
async fn rows(tx: &mut Tx, table: &Table) -> Result<u64, Error> {
    let some = Query::select().expr(Expr::val(1)).from(table.storage()).limit(LARGE + 1).to_owned();
    let count =
        Query::select().expr(Func::count(Expr::cust("*"))).from_subquery(some, "some_rows").to_owned();
    let row = tx.query_one(&count).await?;
    let rows: i64 = row.map_or(Ok(0), |row| row.at(0))?;
    Ok(rows.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(ours: &str, theirs: &str) {
        assert_eq!(plain(ours), plain(theirs));
    }

    #[test]
    fn a_catalogue_says_the_same_in_other_words() {
        same(
            r#"CREATE INDEX "crm_contact_lastname_ix" ON "crm_contact" (LOWER("lastname") NULLS FIRST)"#,
            "CREATE INDEX crm_contact_lastname_ix ON public.crm_contact USING btree (lower(lastname) NULLS FIRST)",
        );
        same(
            r#"CREATE INDEX "a_ix" ON "a" ("b" NULLS FIRST) WHERE "b" IS NOT NULL"#,
            "CREATE INDEX a_ix ON other.a USING btree (b NULLS FIRST) WHERE (b IS NOT NULL)",
        );
        assert_ne!(plain("CREATE INDEX a ON b (c NULLS FIRST)"), plain("CREATE INDEX a ON b (c)"));
    }
}
