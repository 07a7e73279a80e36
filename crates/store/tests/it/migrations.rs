//! Migrations: each step once, in order, never changed.

use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Query, Table};
use postroom_store::{Error, Options, Store};
use tokio::task::JoinSet;

use crate::harness::{Lab, note, notes_in, on_both, open, rows};

on_both! {
    a_second_open_changes_nothing,
    a_changed_step_is_refused,
    a_newer_database_is_refused,
    areas_of_others_are_left_alone,
    a_step_that_fails_can_be_mended,
    many_open_at_once,
}

fn step(number: u32, statements: fn() -> Vec<Ddl>) -> Migration {
    Migration { area: "garden", number, name: "a step", statements }
}

fn table(name: &'static str) -> Ddl {
    Ddl::CreateTable(Table::create().table(name).col(ColumnDef::new("id").big_integer()).to_owned())
}

fn tree() -> Vec<Ddl> {
    vec![table("tree")]
}

fn flower() -> Vec<Ddl> {
    vec![table("flower")]
}

fn flower_then_tree_again() -> Vec<Ddl> {
    vec![table("flower"), table("tree")]
}

async fn reopen(lab: &Lab, steps: &[Migration]) -> Result<Store, Error> {
    Store::open(&lab.url, &Options::default(), &[steps]).await
}

/// The tables that can be read, of `tree` and `flower`.
async fn tables(store: &Store) -> Vec<&'static str> {
    let mut found = Vec::new();
    for name in ["tree", "flower"] {
        if rows(store, Query::select().column("id").from(name).to_owned()).await.is_ok() {
            found.push(name);
        }
    }
    found
}

async fn a_second_open_changes_nothing(lab: Lab) {
    note(&lab.store, 1).await.expect("written");
    let again = open(&lab.url).await;
    assert_eq!(notes_in(&again).await, [1]);
}

async fn a_changed_step_is_refused(lab: Lab) {
    reopen(&lab, &[step(1, tree)]).await.expect("opened");
    let changed = reopen(&lab, &[step(1, flower)]).await.map(drop);
    assert!(matches!(&changed, Err(Error::Changed { area, number: 1 }) if area == "garden"), "{changed:?}");
    assert_eq!(tables(&lab.store).await, ["tree"]);
}

async fn a_newer_database_is_refused(lab: Lab) {
    reopen(&lab, &[step(1, tree), step(2, flower)]).await.expect("opened");
    let newer = reopen(&lab, &[step(1, tree)]).await.map(drop);
    assert!(matches!(&newer, Err(Error::Newer { area, number: 2 }) if area == "garden"), "{newer:?}");
}

async fn areas_of_others_are_left_alone(lab: Lab) {
    reopen(&lab, &[step(1, tree)]).await.expect("opened");
    open(&lab.url).await; // knows nothing of gardens
}

async fn a_step_that_fails_can_be_mended(lab: Lab) {
    reopen(&lab, &[step(1, tree)]).await.expect("opened");
    let failed = reopen(&lab, &[step(1, tree), step(2, flower_then_tree_again)]).await.map(drop);
    assert!(matches!(failed, Err(Error::Statement { .. })), "{failed:?}");
    assert_eq!(tables(&lab.store).await, ["tree"], "half a step is none");
    let mended = reopen(&lab, &[step(1, tree), step(2, flower)]).await.expect("opened");
    assert_eq!(tables(&mended).await, ["tree", "flower"]);
}

async fn many_open_at_once(lab: Lab) {
    let mut openers = JoinSet::new();
    for _ in 0..8 {
        let url = lab.url.clone();
        openers.spawn(async move {
            let steps = [step(1, tree), step(2, flower)];
            Store::open(&url, &Options { readers: 1, connections: 2, ..Options::default() }, &[&steps])
                .await
                .map(drop)
        });
    }
    while let Some(opened) = openers.join_next().await {
        opened.expect("no panic").expect("opened");
    }
    assert_eq!(tables(&lab.store).await, ["tree", "flower"]);
}
