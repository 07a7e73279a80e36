//! Opt-outs that a person enters, looks for and lifts. Telling both sides is the flow's business: the rows are their outbox.

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::address::normal;
use postroom_store::sql::{Expr, ExprTrait, LikeExpr, Order, Query};
use postroom_store::{Error, Tx};

use super::lift::{self, Yes};
use super::rows::{self, Origin, Row};

pub use super::lift::Lifted;

/// Which rows are looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// A part of the address; empty is every address.
    pub part: String,
    pub account: Option<String>,
    /// Whether mail is held back now; `None` takes lifted ones too.
    pub active: Option<bool>,
    /// The address and account of the last row before.
    pub after: Option<(String, String)>,
    pub limit: u64,
}

/// Rows by address, then account.
pub async fn list(tx: &mut Tx, wanted: &Wanted) -> Result<Vec<Row>, Error> {
    let mut select = Query::select();
    select
        .columns(rows::COLUMNS)
        .from("suppression")
        .order_by("address", Order::Asc)
        .order_by("account", Order::Asc)
        .limit(wanted.limit);
    let part = normal(&wanted.part);
    if !part.is_empty() {
        let escaped = part.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
        let like = LikeExpr::new(format!("%{escaped}%")).escape('\\');
        select.and_where(Expr::col("address").like(like));
    }
    if let Some(account) = &wanted.account {
        select.and_where(Expr::col("account").eq(account.as_str()));
    }
    if let Some(active) = wanted.active {
        select.and_where(Expr::col("active").eq(active));
    }
    if let Some((address, account)) = &wanted.after {
        let same = Expr::col("address").eq(address.as_str()).and(Expr::col("account").gt(account.as_str()));
        select.and_where(Expr::col("address").gt(address.as_str()).or(same));
    }
    tx.query(&select).await?.iter().map(rows::read).collect()
}

/// Somebody wants mail again, and said so.
#[derive(Debug, Clone)]
pub struct Consent {
    pub address: String,
    /// When the person said it.
    pub at: Timestamp,
    /// Who looked at the proof.
    pub actor: String,
    /// What shows it. Not empty.
    pub proof: String,
}

/// Lifts the suppression of an address in an account. The row stays, inactive; both sides are still to be told.
pub async fn lift(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    consent: &Consent,
) -> Result<Lifted, Error> {
    let yes = Yes {
        at: consent.at,
        source: "lifted here".to_owned(),
        actor: consent.actor.clone(),
        proof: consent.proof.clone(),
    };
    lift::lift(tx, ids, now, account, Origin::Here, &consent.address, &yes).await
}
