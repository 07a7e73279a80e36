//! Which messages each table takes: the rows of `sdkmessage` and `sdkmessagefilter`, by which clients find out whether they
//! may use `CreateMultiple` and its like. They follow from the tables, so they are put down with them.

use std::collections::HashSet;

use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};

use super::id;
use crate::lot::VERSION;
use crate::schema::{Column, Format, Kind, Preset, Schema, Table};

/// What every table takes.
const MESSAGES: &[&str] = &[
    "Create",
    "CreateMultiple",
    "Delete",
    "Retrieve",
    "RetrieveMultiple",
    "Update",
    "UpdateMultiple",
    "Upsert",
    "UpsertMultiple",
];

/// The two tables.
pub(crate) fn tables() -> Vec<Table> {
    let version = || Column::new("versionnumber", Kind::BigInteger).read_only().indexed();
    let flag = |name: &str, value: bool| Column::new(name, Kind::Boolean).preset(Preset::Boolean(value));
    let table = |name: &str| Column { format: Some(Format::EntityName), ..Column::text(name, 64) };
    let mut message = Table::new(
        "sdkmessage",
        "sdkmessageid",
        vec![
            Column::new("sdkmessageid", Kind::Id).required(),
            Column::text("name", 256).indexed(),
            Column::text("categoryname", 25),
            flag("isprivate", false),
            version(),
        ],
    );
    message.primary_name = Some("name".into());
    let filter = Table::new(
        "sdkmessagefilter",
        "sdkmessagefilterid",
        vec![
            Column::new("sdkmessagefilterid", Kind::Id).required(),
            Column::lookup("sdkmessageid", &["sdkmessage"]).indexed(),
            table("primaryobjecttypecode").indexed(),
            table("secondaryobjecttypecode"),
            flag("iscustomprocessingstepallowed", true),
            flag("isvisible", true),
            version(),
        ],
    );
    vec![message, filter]
}

/// Puts down what is missing and forgets tables that went. Call it in the unit in which tables were made.
pub(crate) async fn ensure(tx: &mut Tx, schema: &Schema) -> Result<(), Error> {
    let select =
        Query::select().distinct().column("primaryobjecttypecode").from("crm_sdkmessagefilter").to_owned();
    let have: Result<HashSet<String>, Error> = tx.query(&select).await?.iter().map(|row| row.at(0)).collect();
    let have = have?;
    if have.is_empty() {
        put_messages(tx).await?;
    }
    let new: Vec<&str> =
        schema.tables().map(|table| table.name.as_str()).filter(|name| !have.contains(*name)).collect();
    put_filters(tx, &new).await?;
    let gone: Vec<&String> = have.iter().filter(|name| schema.find(name).is_none()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let forget = Query::delete()
        .from_table("crm_sdkmessagefilter")
        .and_where(Expr::col("primaryobjecttypecode").is_in(gone.into_iter().map(String::as_str)))
        .to_owned();
    tx.execute(&forget).await.map(drop)
}

async fn put_messages(tx: &mut Tx) -> Result<(), Error> {
    let first = tx.next_numbers(VERSION, MESSAGES.len() as u64).await?;
    let mut insert =
        Insert::into("crm_sdkmessage", &["sdkmessageid", "name", "isprivate", "versionnumber"]).or_skip();
    for (number, name) in (first..).zip(MESSAGES) {
        insert.row([id("message", name).into(), (*name).into(), false.into(), number.into()]);
    }
    tx.insert(&insert).await.map(drop)
}

async fn put_filters(tx: &mut Tx, tables: &[&str]) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let first = tx.next_numbers(VERSION, (tables.len() * MESSAGES.len()) as u64).await?;
    let columns = [
        "sdkmessagefilterid",
        "sdkmessageid",
        "primaryobjecttypecode",
        "secondaryobjecttypecode",
        "iscustomprocessingstepallowed",
        "isvisible",
        "versionnumber",
    ];
    let mut insert = Insert::into("crm_sdkmessagefilter", &columns).or_skip();
    let pairs = tables.iter().flat_map(|table| MESSAGES.iter().map(move |message| (*table, *message)));
    for (number, (table, message)) in (first..).zip(pairs) {
        insert.row([
            id("messagefilter", &format!("{message}.{table}")).into(),
            id("message", message).into(),
            table.into(),
            "none".into(),
            true.into(),
            true.into(),
            number.into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}
