//! Which records the service is to know: everybody, or the members of marketing lists that are activated for e-mail, as the flow of
//! lists last read them (`list_record`).

use std::collections::HashSet;

use postroom_core::RecordRef;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::engine::Scope;
use crate::schema::among;

/// Records of one statement.
const ASKED: usize = 256;

/// Those of the records that are in an account's scope.
pub async fn of(
    tx: &mut Tx,
    account: &str,
    scope: Scope,
    records: &[RecordRef],
) -> Result<HashSet<RecordRef>, Error> {
    if scope == Scope::Everybody {
        return Ok(records.iter().cloned().collect());
    }
    let mut members = HashSet::new();
    for some in records.chunks(ASKED) {
        let select = Query::select()
            .columns(["record_table", "record"])
            .distinct()
            .from("list_record")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("record").is_in(some.iter().map(|record| record.id)))
            .to_owned();
        for row in tx.query(&select).await? {
            members.insert(RecordRef::new(row.at::<String>(0)?, row.at(1)?));
        }
    }
    Ok(members)
}

/// What the lists looked like: another text means that people may have come into the scope.
pub async fn fingerprint(tx: &mut Tx, account: &str) -> Result<String, Error> {
    let select = Query::select()
        .column("list")
        .expr(Expr::col("record").count())
        .expr(Expr::col("seen").max())
        .from("list_record")
        .and_where(Expr::col("account").eq(account))
        .group_by_col("list")
        .order_by("list", Order::Asc)
        .to_owned();
    let mut text = String::new();
    for row in tx.query(&select).await? {
        let (list, members, seen): (Uuid, i64, i64) = (row.at(0)?, row.at(1)?, row.at(2)?);
        text.push_str(&format!("{list} {members} {seen}\n"));
    }
    Ok(text)
}

/// Members whose fields the service has not taken, behind a record.
pub async fn unsent(tx: &mut Tx, account: &str, after: Uuid, limit: u64) -> Result<Vec<RecordRef>, Error> {
    let joined = Expr::col(("person_link", "record"))
        .equals(("list_record", "record"))
        .and(Expr::col(("person_link", "record_table")).equals(("list_record", "record_table")))
        .and(Expr::col(("person_link", "account")).equals(("list_record", "account")));
    let mut select = Query::select();
    select
        .columns([("list_record", "record"), ("list_record", "record_table")])
        .distinct()
        .from("list_record")
        .left_join("person_link", joined)
        .and_where(among(("list_record", "account"), account))
        .and_where(Expr::col(("list_record", "record")).gt(after))
        .and_where(Expr::col(("person_link", "digest")).is_null())
        .order_by(("list_record", "record"), Order::Asc)
        .limit(limit);
    tx.query(&select).await?.iter().map(|row| Ok(RecordRef::new(row.at::<String>(1)?, row.at(0)?))).collect()
}
