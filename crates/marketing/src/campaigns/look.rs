//! Campaigns as they were last read, for people: what each is called, where it stands, and the service's own figures.
//!
//! Nothing is asked here: the figures are as old as `counted` says.

use jiff::Timestamp;
use postroom_core::Value;
use postroom_core::marketing::Summary;
use postroom_store::sql::{Expr, ExprTrait, Order};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::row;
use super::tell::TABLE;
use crate::accounts;
use crate::people::stored;

/// A campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub account: String,
    /// The service's.
    pub id: i64,
    /// The row in the CRM; `None` while the account was never reached.
    pub row: Option<Uuid>,
    pub name: String,
    pub subject: String,
    /// The service's word: `Unsent`, `Sent`, …
    pub status: String,
    pub split_test: bool,
    pub sent: Option<Timestamp>,
    /// The service shows it no longer.
    pub gone: bool,
    /// When the figures were asked for.
    pub counted: Option<Timestamp>,
    /// `None` when they never were, or it was never sent.
    pub summary: Option<Summary>,
}

/// Which campaigns.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The service's number.
    pub id: Option<i64>,
    /// The whole name.
    pub name: Option<String>,
    /// Those behind this one.
    pub after: Option<i64>,
    pub limit: u64,
}

/// Campaigns of an account, those made last first.
pub async fn campaigns(tx: &mut Tx, account: &str, wanted: &Wanted) -> Result<Vec<Seen>, Error> {
    let connected = accounts::known(tx, account).await?.connected;
    let mut select = row::select(account, i64::MIN);
    select.clear_order_by().order_by("id", Order::Desc).limit(wanted.limit);
    if let Some(id) = wanted.id {
        select.and_where(Expr::col("id").eq(id));
    }
    if let Some(name) = &wanted.name {
        select.and_where(Expr::col("name").eq(name.as_str()));
    }
    if let Some(after) = wanted.after {
        select.and_where(Expr::col("id").lt(after));
    }
    let seen = row::load(tx, &select).await?.into_iter().map(|row| {
        let header = stored::read(&row.header);
        let key = connected.as_ref().map(|is| is.key.campaign(row.id).id(TABLE));
        Seen {
            account: account.to_owned(),
            id: row.id,
            row: key,
            subject: header.get("esc_subject").and_then(Value::as_str).unwrap_or_default().to_owned(),
            split_test: header.get("esc_issplittest").and_then(Value::as_bool) == Some(true),
            name: row.name,
            status: row.status,
            sent: row.sent,
            gone: row.gone,
            counted: row.counted,
            summary: row.totals.as_deref().map(summary),
        }
    });
    Ok(seen.collect())
}

/// The totals out of the columns of the CRM's row in which they are kept; rates are not needed for a report.
fn summary(totals: &str) -> Summary {
    let columns = stored::read(totals);
    let number = |name: &str| {
        let value = columns.get(&format!("esc_{name}")).and_then(Value::as_int);
        value.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
    };
    let money = |name: &str| columns.get(name).and_then(Value::as_str).map(str::to_owned);
    Summary {
        sent_at: match columns.get("esc_lastsent") {
            Some(Value::Time(at)) => Some(*at),
            _ => None,
        },
        sent: number("numtotalsent"),
        delivered: number("numtotaldelivered"),
        unique_opens: number("numtotaluniqueopens"),
        opens: number("numtotalopens"),
        clickers: number("numrecipientsclicked"),
        clicks: number("numtotalclicks"),
        page_views: number("numtotalpageviews"),
        forwards: number("numtotalforwards"),
        replies: number("numtotalreplies"),
        hard_bounces: number("numtotalhardbounces"),
        soft_bounces: number("numtotalsoftbounces"),
        unsubscribes: number("numtotalunsubscribes"),
        complaints: number("numtotalispcomplaints"),
        orders: number("numorders"),
        assisted_orders: number("numassistedorders"),
        revenue: money("esc_revenue"),
        assisted_revenue: money("esc_assistedrevenue"),
        ..Summary::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_read_back() {
        let found = summary(r#"{"esc_numtotalsent":3,"esc_numtotalopens":-1,"esc_revenue":{"d":"12.50"}}"#);
        assert_eq!((found.sent, found.opens, found.revenue.as_deref()), (3, 0, Some("12.50")));
        assert_eq!(summary(""), Summary::default());
    }
}
