//! The gate: everything that is known of addresses, read in the caller's unit, for [`super::standing::blocks`].
//!
//! It is asked twice for each send: in the unit that writes the intent, and just before the call. It needs no CRM and no
//! service: opt-outs of both sides are in the store, and a send waits until they are fresh ([`is_fresh`]).

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::marketing::{CampaignId, Status};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::standing::Known;
use crate::accounts;
use crate::engine::Rules;
use crate::lists::links;
use crate::people;
use crate::preferences::ties::{self, Tied};
use crate::suppressions::{self, rows};
use crate::unsubscribes::unlinked;

/// Addresses of one statement.
const ASKED: usize = 256;

/// Whether the opt-outs of an account are fresh enough to send: both sides were read whole once, and the last whole reading
/// began not longer ago than the rules say. A clock that was set back does not make an old one fresh.
pub async fn is_fresh(tx: &mut Tx, account: &str, rules: &Rules, now: Timestamp) -> Result<bool, Error> {
    let known = accounts::known(tx, account).await?;
    let age = known.exchanged.map(|exchanged| now.duration_since(exchanged));
    Ok(known.first_exchange.is_some()
        && age.is_some_and(|age| !age.is_negative() && age <= rules.exchange_age))
}

/// An address, and the member that the mail is for when it is for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// In normal form.
    pub address: String,
    pub member: Option<RecordRef>,
}

/// What is known of each, in their order, for mail of this account by this list of the CRM.
pub async fn known(
    tx: &mut Tx,
    account: &str,
    asked: &[Asked],
    list: Option<Uuid>,
) -> Result<Vec<Known>, Error> {
    known_of(tx, account, asked, list, None).await
}

/// The same for a campaign, which may belong to a marketing preference.
pub async fn known_of(
    tx: &mut Tx,
    account: &str,
    asked: &[Asked],
    list: Option<Uuid>,
    campaign: Option<&CampaignId>,
) -> Result<Vec<Known>, Error> {
    let addresses: Vec<String> = asked.iter().map(|asked| asked.address.clone()).collect();
    let suppressed = rows::standing(tx, account, &addresses).await?;
    let mut holders = people::holders(tx, &addresses).await?;
    let heard = suppressions::gather::heard(tx, account).await?;
    for (address, unheard) in people::unheard(tx, heard, &addresses).await? {
        holders.entry(address).or_default().extend(unheard);
    }
    // Which list of the service it is now: one that was linked since the mail was asked for counts as well.
    let service = match list {
        Some(list) => links::service_of(tx, account, list).await?,
        None => None,
    };
    let left = match (&service, list) {
        (Some(service), _) => left(tx, account, service.0, &addresses).await?,
        (None, Some(list)) => unlinked::standing(tx, account, list, &addresses).await?,
        (None, None) => HashMap::new(),
    };
    let tied: Vec<Tied> =
        list.map(Tied::List).into_iter().chain(campaign.cloned().map(Tied::Campaign)).collect();
    let declined = ties::declined(tx, account, &tied, service.as_ref(), &addresses).await?;
    let known = asked.iter().map(|Asked { address, member }| {
        let suppression = suppressed.get(address).cloned();
        Known {
            pending: suppression.as_ref().is_some_and(|known| known.status == Status::PendingOptIn),
            suppression,
            holders: holders.get(address).cloned().unwrap_or_default(),
            member: member.clone(),
            left_list: left.get(address).copied(),
            declined: declined.get(address).copied(),
        }
    });
    Ok(known.collect())
}

/// Who of these addresses left a list of the service, and when.
async fn left(
    tx: &mut Tx,
    account: &str,
    list: i64,
    addresses: &[String],
) -> Result<HashMap<String, Timestamp>, Error> {
    let mut left = HashMap::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["address", "since"])
            .from("list_opt_out")
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("list").eq(list))
            .and_where(Expr::col("active").eq(true))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&select).await? {
            left.insert(row.at(0)?, row.at(1)?);
        }
    }
    Ok(left)
}
