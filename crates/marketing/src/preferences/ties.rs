//! The preference that a list or a campaign belongs to: whoever said no to it gets no mail by that list or campaign.
//!
//! Users say it in the CRM (`esc_marketingpreferenceid` on marketing lists and e-mail campaigns). It is read whole, as few have
//! one, by the flows of lists and of campaigns and before each send.

use std::collections::{BTreeMap, HashMap};

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::{CampaignId, ListId, PreferenceId};
use postroom_core::query::Link;
use postroom_core::{Code, Fault, Filter, Query as CrmQuery, Record};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use uuid::Uuid;

use super::definitions;
use crate::sync::Turn;

const ASKED: usize = 256;
const COLUMN: &str = "esc_marketingpreferenceid";

/// What a preference can be tied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tied {
    /// A marketing list of the CRM.
    List(Uuid),
    /// A campaign of the service.
    Campaign(CampaignId),
}

/// The words of the two kinds.
const LIST: &str = "list";
const CAMPAIGN: &str = "campaign";

impl Tied {
    fn parts(&self) -> (&'static str, String) {
        match self {
            Tied::List(id) => (LIST, id.to_string()),
            Tied::Campaign(id) => (CAMPAIGN, id.to_string()),
        }
    }
}

/// Reads which lists of the account belong to a preference.
///
/// # Errors
/// The CRM's.
pub async fn read_lists(turn: &Turn) -> Result<(), Fault> {
    read(turn, LIST, "list", |row| Some(row.at.id.to_string())).await
}

/// Reads which campaigns of the account belong to a preference.
///
/// # Errors
/// The CRM's.
pub async fn read_campaigns(turn: &Turn) -> Result<(), Fault> {
    let id = |row: &Record| row.int("esc_servicecampaignid").map(|id| id.to_string());
    read(turn, CAMPAIGN, "esc_emailcampaign", id).await
}

async fn read(
    turn: &Turn,
    kind: &'static str,
    table: &'static str,
    id: fn(&Record) -> Option<String>,
) -> Result<(), Fault> {
    if !super::has_preferences(&turn.engine.crm.capabilities().await?.version) {
        return Ok(());
    }
    let preference =
        Link::new(definitions::TABLE, COLUMN, COLUMN, "preference").select(&["esc_servicepreferenceid"]);
    let columns: &[&str] = if kind == LIST { &["listname"] } else { &["esc_servicecampaignid"] };
    let query = CrmQuery::of(table)
        .select(columns)
        .filter(Filter::eq("esc_emailaccountid", turn.connected.row()))
        .link(preference);
    let rows = match turn.engine.crm.query(&query).await {
        // A solution from before these lookups ties nothing.
        Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => return Ok(()),
        rows => rows?,
    };
    let tied: BTreeMap<String, i64> = rows
        .iter()
        .filter_map(|row| Some((id(row)?, row.int("preference.esc_servicepreferenceid")?)))
        .collect();
    let account = turn.account.name.clone();
    let known = turn.read(move |tx| async move { all(tx, &account, kind).await }.boxed()).await?;
    if known == tied {
        return Ok(());
    }
    let account = turn.account.name.clone();
    let unit = turn.engine.store.write("marketing.preferences_tied", move |tx| {
        async move { put(tx, &account, kind, &tied).await }.boxed()
    });
    let stored: Result<(), Error> = unit.await;
    Ok(stored?)
}

async fn all(tx: &mut Tx, account: &str, kind: &str) -> Result<BTreeMap<String, i64>, Error> {
    let select = Query::select()
        .columns(["id", "preference"])
        .from("preference_tie")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("kind").eq(kind))
        .to_owned();
    tx.query(&select).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}

async fn put(tx: &mut Tx, account: &str, kind: &str, tied: &BTreeMap<String, i64>) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete
        .from_table("preference_tie")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("kind").eq(kind));
    tx.execute(&delete).await?;
    let mut rows = Insert::into("preference_tie", &["account", "kind", "id", "preference"]);
    for (id, preference) in tied {
        rows.row([account.into(), kind.into(), id.as_str().into(), (*preference).into()]);
    }
    tx.insert(&rows).await.map(drop)
}

/// The preference that a list or campaign belongs to.
pub async fn of(tx: &mut Tx, account: &str, what: &Tied) -> Result<Option<PreferenceId>, Error> {
    let (kind, id) = what.parts();
    let select = Query::select()
        .column("preference")
        .from("preference_tie")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("kind").eq(kind))
        .and_where(Expr::col("id").eq(id))
        .to_owned();
    tx.query_one(&select).await?.map(|row| row.at(0).map(PreferenceId)).transpose()
}

/// Who of these addresses said no to the preference of a list or campaign, and when: for all mail, or for the service's list that
/// the mail goes by.
pub async fn declined(
    tx: &mut Tx,
    account: &str,
    what: &[Tied],
    service: Option<&ListId>,
    addresses: &[String],
) -> Result<HashMap<String, Timestamp>, Error> {
    let everywhere = ("preference_choice", None);
    let of_list = service.map(|list| ("preference_list_choice", Some(list.0)));
    let mut declined: HashMap<String, Timestamp> = HashMap::new();
    for tied in what {
        let Some(PreferenceId(preference)) = of(tx, account, tied).await? else { continue };
        for (table, list) in std::iter::once(everywhere).chain(of_list) {
            for some in addresses.chunks(ASKED) {
                let mut select = Query::select();
                select
                    .columns(["address", "at"])
                    .from(table)
                    .and_where(Expr::col("account").eq(account))
                    .and_where(Expr::col("preference").eq(preference))
                    .and_where(Expr::col("chosen").eq(false))
                    .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
                list.map(|list| select.and_where(Expr::col("list").eq(list)));
                for row in tx.query(&select).await? {
                    declined.insert(row.at(0)?, row.at(1)?);
                }
            }
        }
    }
    Ok(declined)
}
