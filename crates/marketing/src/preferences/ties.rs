//! The preference that a list or a campaign belongs to: whoever said no to it gets no mail by that list or campaign.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::marketing::{CampaignId, ListId, PreferenceId};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};

const ASKED: usize = 256;

/// What a preference can be tied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tied {
    List(ListId),
    Campaign(CampaignId),
}

impl Tied {
    fn parts(&self) -> (&'static str, i64) {
        match self {
            Tied::List(id) => ("list", id.0),
            Tied::Campaign(id) => ("campaign", id.0),
        }
    }
}

/// Ties a list or campaign of an account to a preference; `None` unties it.
pub async fn tie(
    tx: &mut Tx,
    account: &str,
    what: &Tied,
    preference: Option<&PreferenceId>,
) -> Result<(), Error> {
    let (kind, id) = what.parts();
    let mut delete = Query::delete();
    delete
        .from_table("preference_tie")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("kind").eq(kind))
        .and_where(Expr::col("id").eq(id));
    tx.execute(&delete).await?;
    let mut row = Insert::into("preference_tie", &["account", "kind", "id", "preference"]);
    if let Some(preference) = preference {
        row.row([account.into(), kind.into(), id.into(), preference.0.into()]);
    }
    tx.insert(&row).await.map(drop)
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

/// Who of these addresses said no to the preference of a list or campaign, and when.
pub async fn declined(
    tx: &mut Tx,
    account: &str,
    what: &[Tied],
    addresses: &[String],
) -> Result<HashMap<String, Timestamp>, Error> {
    let mut declined: HashMap<String, Timestamp> = HashMap::new();
    for tied in what {
        let Some(PreferenceId(preference)) = of(tx, account, tied).await? else { continue };
        for some in addresses.chunks(ASKED) {
            let select = Query::select()
                .columns(["address", "at"])
                .from("preference_choice")
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("preference").eq(preference))
                .and_where(Expr::col("chosen").eq(false))
                .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
                .to_owned();
            for row in tx.query(&select).await? {
                declined.insert(row.at(0)?, row.at(1)?);
            }
        }
    }
    Ok(declined)
}
