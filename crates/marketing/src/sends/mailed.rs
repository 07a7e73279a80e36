//! Who was mailed by a campaign, by whichever send: what keeps two sends from mailing one person.

use std::collections::HashSet;

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_store::sql::{Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::row::ASKED;

/// Whom a campaign went to.
#[derive(Debug, Default)]
pub struct Had {
    addresses: HashSet<String>,
    records: HashSet<RecordRef>,
}

impl Had {
    /// By the address, or by the record under the address that it had then.
    pub fn has(&self, address: &str, at: &RecordRef) -> bool {
        self.addresses.contains(address) || self.records.contains(at)
    }
}

/// Of these people, those whom the campaign went to by another send than this one.
pub async fn already(
    tx: &mut Tx,
    account: &str,
    campaign: i64,
    send: Uuid,
    people: &[(String, RecordRef)],
) -> Result<Had, Error> {
    let mut had = Had::default();
    for some in people.chunks(ASKED) {
        let by_address = Expr::col("address").is_in(some.iter().map(|(address, _)| address.as_str()));
        for row in tx.query(&noted(account, campaign, send, by_address)).await? {
            had.addresses.insert(row.at(0)?);
        }
        let by_record = Expr::col("record").is_in(some.iter().map(|(_, at)| at.id));
        for row in tx.query(&noted(account, campaign, send, by_record)).await? {
            if let (Some(table), Some(id)) = (row.at::<Option<String>>(1)?, row.at(2)?) {
                had.records.insert(RecordRef::new(table, id));
            }
        }
    }
    Ok(had)
}

fn noted(account: &str, campaign: i64, send: Uuid, which: Expr) -> SelectStatement {
    Query::select()
        .columns(["address", "record_table", "record"])
        .from("campaign_mailed")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("campaign").eq(campaign))
        .and_where(which)
        .and_where(Expr::col("send").is_null().or(Expr::col("send").ne(send)))
        .to_owned()
}

/// Notes people of a send, with the records that stand for them where they are known. Without `again`, one who is there already
/// undoes the unit with [`Error::Conflict`]: another send was quicker.
pub async fn note<'p>(
    tx: &mut Tx,
    account: &str,
    campaign: i64,
    send: Option<Uuid>,
    at: Timestamp,
    people: impl IntoIterator<Item = (&'p str, Option<&'p RecordRef>)>,
    again: bool,
) -> Result<u64, Error> {
    let columns = ["account", "campaign", "address", "send", "at", "record_table", "record"];
    let mut rows = Insert::into("campaign_mailed", &columns);
    if again {
        rows = rows.or_skip();
    }
    for (address, record) in people {
        rows.row([
            account.into(),
            campaign.into(),
            address.into(),
            send.into(),
            at.as_microsecond().into(),
            record.map(|record| record.table.clone()).into(),
            record.map(|record| record.id).into(),
        ]);
    }
    tx.insert(&rows).await
}

/// Takes back what a send noted: it mailed nobody.
pub async fn forget(tx: &mut Tx, send: Uuid) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete.from_table("campaign_mailed").and_where(Expr::col("send").eq(send));
    tx.execute(&delete).await.map(drop)
}
