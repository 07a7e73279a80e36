//! A store on either database, with a table of the tests' own.

use std::path::PathBuf;

use futures_util::FutureExt;
use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Expr, Index, Query, SelectStatement, Table};
use postroom_store::{Dialect, Error, Insert, Options, Row, Store, Tx};
use postroom_testkit::database::Database;

/// Runs each test once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        postroom_testkit::on_both!($crate::harness::Lab: $($name),+);
    };
}
pub(crate) use on_both;

pub const NOTES: &[Migration] = &[Migration { area: "test", number: 1, name: "notes", statements: notes }];

fn notes() -> Vec<Ddl> {
    let table = Table::create()
        .table("note")
        .col(ColumnDef::new("id").big_integer().not_null())
        .col(ColumnDef::new("text").text())
        .to_owned();
    let key = Index::create().name("note_id").table("note").col("id").unique().to_owned();
    vec![Ddl::CreateTable(table), Ddl::CreateIndex(key)]
}

pub struct Lab {
    pub store: Store,
    pub url: String,
    pub dialect: Dialect,
    _database: Database,
}

impl Lab {
    pub async fn on(database: Database) -> Lab {
        let dialect = if database.is_sqlite() { Dialect::Sqlite } else { Dialect::Postgres };
        let url = database.url.clone();
        Lab { store: open(&url).await, url, dialect, _database: database }
    }
}

pub fn sqlite_url(path: &std::path::Path) -> String {
    format!("sqlite://{}", path.display())
}

pub async fn open(url: &str) -> Store {
    Store::open(url, &Options::default(), &[NOTES]).await.expect("the store opens")
}

/// Writes one note in a unit of its own.
pub async fn note(store: &Store, id: i64) -> Result<(), Error> {
    store.write("test.note", move |tx| async move { add_note(tx, id).await.map(drop) }.boxed()).await
}

pub async fn add_note(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    let mut rows = Insert::into("note", &["id", "text"]);
    rows.row([id.into(), format!("note {id}").into()]);
    tx.insert(&rows).await
}

/// The ids of all notes, in order.
pub async fn notes_in(store: &Store) -> Vec<i64> {
    let select =
        Query::select().column("id").from("note").order_by("id", postroom_store::sql::Order::Asc).to_owned();
    let rows = rows(store, select).await.expect("notes are read");
    rows.iter().map(|row| row.at(0).expect("a number")).collect()
}

pub async fn rows(store: &Store, select: SelectStatement) -> Result<Vec<Row>, Error> {
    store.read(move |tx| async move { tx.query(&select).await }.boxed()).await
}

pub async fn count(store: &Store, table: &'static str) -> i64 {
    let select = Query::select().expr(Expr::cust("count(*)")).from(table).to_owned();
    rows(store, select).await.expect("counted")[0].at(0).expect("a number")
}

/// The file of a lab on SQLite.
pub fn file(store: &Store) -> PathBuf {
    store.path().expect("this one is a file").to_owned()
}
