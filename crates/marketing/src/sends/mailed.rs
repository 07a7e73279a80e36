//! Who was mailed by a campaign, by whichever send: what keeps two sends from mailing one person.

use std::collections::HashSet;

use jiff::Timestamp;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::row::ASKED;

/// Of these addresses, those that the campaign went to by another send than this one.
pub async fn already(
    tx: &mut Tx,
    account: &str,
    campaign: i64,
    send: Uuid,
    addresses: &[String],
) -> Result<HashSet<String>, Error> {
    let mut found = HashSet::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .column("address")
            .from("campaign_mailed")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("campaign").eq(campaign))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .and_where(Expr::col("send").is_null().or(Expr::col("send").ne(send)))
            .to_owned();
        for row in tx.query(&select).await? {
            found.insert(row.at(0)?);
        }
    }
    Ok(found)
}

/// Notes people of a send. Without `again`, one who is there already undoes the unit with [`Error::Conflict`]: another send
/// was quicker.
pub async fn note(
    tx: &mut Tx,
    account: &str,
    campaign: i64,
    send: Option<Uuid>,
    at: Timestamp,
    addresses: impl IntoIterator<Item = &str>,
    again: bool,
) -> Result<u64, Error> {
    let columns = ["account", "campaign", "address", "send", "at"];
    let mut rows = Insert::into("campaign_mailed", &columns);
    if again {
        rows = rows.or_skip();
    }
    for address in addresses {
        rows.row([account.into(), campaign.into(), address.into(), send.into(), at.as_microsecond().into()]);
    }
    tx.insert(&rows).await
}

/// Takes back what a send noted: it mailed nobody.
pub async fn forget(tx: &mut Tx, send: Uuid) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete.from_table("campaign_mailed").and_where(Expr::col("send").eq(send));
    tx.execute(&delete).await.map(drop)
}
