//! Whose address is it? One select a column and 500 addresses, answered from an index.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{AddressHit, RecordRef, address};
use postroom_store::sql::{Expr, ExprTrait, Func, Query, SelectStatement};
use postroom_store::{Dialect, Error, Tx};

use crate::lot::load::CHUNK;
use crate::query::fold;
use crate::schema::{Kind, Ownership, Schema, Table};

/// The tables with people and queues, and their address columns.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("systemuser", &["internalemailaddress", "personalemailaddress"]),
    ("queue", &["emailaddress"]),
    ("contact", &["emailaddress1", "emailaddress2", "emailaddress3"]),
    ("lead", &["emailaddress1", "emailaddress2", "emailaddress3"]),
    ("account", &["emailaddress1", "emailaddress2", "emailaddress3"]),
];

pub(crate) async fn find(
    tx: &mut Tx,
    schema: Arc<Schema>,
    wanted: Vec<String>,
) -> Result<Vec<AddressHit>, Error> {
    let distinct: HashSet<String> = wanted.into_iter().filter(|address| !address.is_empty()).collect();
    let (plain, beyond): (Vec<String>, Vec<String>) =
        distinct.into_iter().partition(|address| address.is_ascii());
    let mut hits = Vec::new();
    for (name, columns) in ADDRESSES {
        let Some(place) = schema.find(name) else { continue };
        let table = schema.at(place);
        for column in *columns {
            for addresses in plain.chunks(CHUNK) {
                let by_list = listed(tx.dialect(), column, addresses);
                read(tx, table, column, by_list, &mut hits).await?;
            }
            for address in &beyond {
                // Letters that the databases do not fold: rare, so a scan is good enough.
                let (folded, wanted) = fold(tx.dialect(), Expr::col(*column), address);
                read(tx, table, column, folded.eq(wanted), &mut hits).await?;
            }
        }
    }
    Ok(hits)
}

fn listed(dialect: Dialect, column: &'static str, addresses: &[String]) -> Expr {
    let column = Expr::col(column);
    match dialect {
        Dialect::Sqlite => column.is_in(addresses.iter().cloned()),
        Dialect::Postgres => Expr::from(Func::lower(column)).is_in(addresses.iter().cloned()),
    }
}

async fn read(
    tx: &mut Tx,
    table: &Table,
    column: &'static str,
    filter: Expr,
    hits: &mut Vec<AddressHit>,
) -> Result<(), Error> {
    for row in tx.query(&select(table, column, filter)).await? {
        let found: String = row.at(1)?;
        let owner: Option<uuid::Uuid> = row.at(4)?;
        let owner_table: Option<String> = row.at(5)?;
        hits.push(AddressHit {
            address: address::normal(&found),
            record: RecordRef::new(table.name.clone(), row.at(0)?),
            column: column.to_owned(),
            active: row.at::<Option<i64>>(3)?.unwrap_or(0) == 0,
            owner: owner.map(|id| RecordRef::new(owner_table.unwrap_or_else(|| "systemuser".into()), id)),
            modified_on: row.at::<Option<Timestamp>>(2)?,
        });
    }
    Ok(())
}

/// Key, address, time of the last change, zero when active, owner and the owner's table.
fn select(table: &Table, column: &'static str, filter: Expr) -> SelectStatement {
    let inactive = match table.name.as_str() {
        // A truth value on PostgreSQL, a number on SQLite; read as a number on both.
        "systemuser" => "isdisabled",
        _ => "statecode",
    };
    let mut select = Query::select();
    select.columns([table.primary_key.as_str(), column, "modifiedon", inactive].map(str::to_owned));
    let owned = table.ownership == Ownership::User
        && table.column("ownerid").is_some_and(|own| own.kind == Kind::Lookup);
    match owned {
        true => select.columns(["ownerid", "ownerid_type"]),
        false => select.expr(Expr::Keyword(NULL)).expr(Expr::Keyword(NULL)),
    };
    select.from(table.storage()).and_where(filter);
    select
}

const NULL: postroom_store::sql::Keyword = postroom_store::sql::Keyword::Null;
