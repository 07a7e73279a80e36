//! Choices that the service knows of one list only (dotdigital.md, fact 20). They are kept for the gate; the CRM has no place for
//! them, and nobody is told.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::marketing::ListId;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};

use super::choices::SaidChoice;
use crate::suppressions::rows::Written;

const ASKED: usize = 256;
const TABLE: &str = "preference_list_choice";
const COLUMNS: [&str; 8] = ["account", "preference", "list", "address", "chosen", "at", "known", "version"];

/// What is kept of one address.
#[derive(Debug, Clone, Copy)]
struct Kept {
    chosen: bool,
    at: Timestamp,
    version: i64,
}

/// Somebody's no to a preference for one list.
pub struct Declined {
    pub account: String,
    pub preference: i64,
    pub list: ListId,
    pub said: SaidChoice,
}

/// Takes choices of a preference for one list: the newest word counts, of two at the same moment the opt-out.
pub async fn take(
    tx: &mut Tx,
    now: Timestamp,
    (account, preference): (&str, i64),
    list: &ListId,
    said: &[SaidChoice],
) -> Result<Written, Error> {
    let addresses: Vec<String> = said.iter().map(|said| said.address.clone()).collect();
    let mut known = load(tx, (account, preference), list, &addresses).await?;
    let (mut written, mut changed) = (Written::default(), HashMap::new());
    for said in said {
        let before = known.get(&said.address).copied();
        let next = match before {
            None => {
                written.new += 1;
                Kept { chosen: said.chosen, at: said.at, version: 0 }
            }
            Some(kept) if outdoes(said, kept) => {
                written.changed += 1;
                Kept { chosen: said.chosen, at: said.at, version: kept.version + 1 }
            }
            Some(_) => {
                written.same += 1;
                continue;
            }
        };
        known.insert(said.address.clone(), next);
        changed.insert(said.address.as_str(), next);
    }
    let mut rows = Insert::into(TABLE, &COLUMNS).or_replace_by(&["account", "preference", "list", "address"]);
    for (address, kept) in changed {
        rows.row([
            account.into(),
            preference.into(),
            list.0.into(),
            address.into(),
            kept.chosen.into(),
            kept.at.as_microsecond().into(),
            now.as_microsecond().into(),
            kept.version.into(),
        ]);
    }
    tx.insert(&rows).await?;
    Ok(written)
}

fn outdoes(said: &SaidChoice, kept: Kept) -> bool {
    said.chosen != kept.chosen && (said.at > kept.at || (said.at == kept.at && !said.chosen))
}

async fn load(
    tx: &mut Tx,
    (account, preference): (&str, i64),
    list: &ListId,
    addresses: &[String],
) -> Result<HashMap<String, Kept>, Error> {
    let mut known = HashMap::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["address", "chosen", "at", "version"])
            .from(TABLE)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("preference").eq(preference))
            .and_where(Expr::col("list").eq(list.0))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&select).await? {
            let kept = Kept { chosen: row.at(1)?, at: row.at(2)?, version: row.at(3)? };
            known.insert(row.at::<String>(0)?, kept);
        }
    }
    Ok(known)
}

/// What these addresses said no to, of every account.
pub async fn declined_by(tx: &mut Tx, addresses: &[String]) -> Result<Vec<Declined>, Error> {
    let mut declined = Vec::new();
    for some in addresses.chunks(ASKED) {
        let select = Query::select()
            .columns(["account", "preference", "list", "address", "at"])
            .from(TABLE)
            .and_where(Expr::col("chosen").eq(false))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
            .to_owned();
        for row in tx.query(&select).await? {
            let said = SaidChoice {
                address: row.at(3)?,
                chosen: false,
                at: row.at(4)?,
                source: String::new(),
                actor: String::new(),
            };
            let list = ListId(row.at(2)?);
            declined.push(Declined { account: row.at(0)?, preference: row.at(1)?, list, said });
        }
    }
    Ok(declined)
}
