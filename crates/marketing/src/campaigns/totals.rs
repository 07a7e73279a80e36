//! Totals of campaigns, as often as their age makes worth while.

use std::collections::HashSet;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::{Ask, CampaignId, Summary};
use postroom_core::{Value, Verdict};
use postroom_store::sql::{Expr, ExprTrait};

use super::row::{self, Row};
use crate::people::stored;
use crate::solution::tables;
use crate::sync::run::Reject;
use crate::sync::{Halt, Turn};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How often the totals of a campaign are asked for, by the age of its last send.
fn every(age: SignedDuration) -> SignedDuration {
    match age {
        age if age < DAY * 2 => SignedDuration::from_mins(15),
        age if age < DAY * 14 => HOUR,
        age if age < DAY * 60 => DAY,
        _ => DAY * 7,
    }
}

/// Whether only a campaign that something happens to is worth a question.
fn is_old(age: SignedDuration) -> bool {
    age >= DAY * 60
}

/// Whether totals are due, whatever happens to the campaign.
fn is_due(row: &Row, now: Timestamp) -> bool {
    let Some(sent) = row.sent.filter(|_| !row.gone) else { return false };
    // A clock that was set back does not stop it.
    row.counted
        .is_none_or(|counted| counted > now || now.duration_since(counted) >= every(now.duration_since(sent)))
}

pub(super) async fn read(turn: &mut Turn) -> Result<(), Halt> {
    let (account, now) = (turn.account.name.clone(), turn.now());
    let sent = turn.read(move |tx| {
        async move {
            let mut sent = row::select(&account, i64::MIN);
            sent.and_where(Expr::col("sent").is_not_null()).and_where(Expr::col("gone").eq(false));
            row::load(tx, &sent).await
        }
        .boxed()
    });
    let mut due: Vec<Row> = sent.await?.into_iter().filter(|row| is_due(row, now)).collect();
    let old =
        |row: &Row| row.counted.is_some() && row.sent.is_some_and(|sent| is_old(now.duration_since(sent)));
    if due.iter().any(old) {
        let active = active(turn, now).await?;
        due.retain(|row| !old(row) || active.contains(&row.id));
    }
    for row in due {
        one(turn, row).await?;
    }
    Ok(())
}

/// Campaigns to which something happened since old ones were last looked at.
async fn active(turn: &Turn, now: Timestamp) -> Result<HashSet<i64>, Halt> {
    let since = now.checked_sub(DAY * 8).unwrap_or(Timestamp::UNIX_EPOCH);
    let (mut ask, mut active) = (Ask::default(), HashSet::new());
    loop {
        let page = turn.account.service.active_campaigns(since, &ask).await?;
        active.extend(page.rows.iter().map(|campaign| campaign.id.0));
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(active),
        }
    }
}

async fn one(turn: &mut Turn, row: Row) -> Result<(), Halt> {
    let (id, now) = (row.id, turn.now());
    let totals = match turn.account.service.summary(&CampaignId(id)).await {
        Ok(summary) => Some(totals(&summary)),
        // One that was never sent has none, and one that is gone is found out by the next reading.
        Err(fault) if fault.verdict == Verdict::Reject => {
            let known = [postroom_core::Code::MARKETING_STATE, postroom_core::Code::MARKETING_NOT_FOUND];
            if !known.contains(&fault.code) {
                let subject = format!("campaign {id}");
                let reject: Reject =
                    crate::sync::turn::rejected(subject, &fault, format!("its summary, campaign {id}"));
                turn.reject(vec![reject]).await?;
            }
            None
        }
        Err(fault) => return Err(fault.into()),
    };
    let account = turn.account.name.clone();
    let stored = turn.page("marketing.campaign_totals", move |tx, _| {
        async move {
            let Some(row) = row::by_id(tx, &account, &[id]).await?.remove(&id) else { return Ok(()) };
            let changed = totals.is_some() && totals != row.totals;
            let next = Row {
                totals: totals.or(row.totals),
                counted: Some(now),
                told: row.told && !changed,
                version: row.version + i64::from(changed),
                ..row
            };
            row::put(tx, &account, &[next]).await
        }
        .boxed()
    });
    Ok(stored.await?)
}

/// The columns that the totals fill.
fn totals(summary: &Summary) -> String {
    let table = tables::named("esc_emailcampaign").expect("the solution has campaigns");
    let has = |name: &str| table.own.iter().any(|column| column.name == name);
    let mut columns: Vec<(String, Value)> = summary
        .figures
        .iter()
        .map(|(name, figure)| {
            (format!("esc_{}", name.to_lowercase()), Value::Int(i64::try_from(*figure).unwrap_or(i64::MAX)))
        })
        .filter(|(name, _)| has(name))
        .collect();
    let rates = [
        ("esc_pctdelivered", summary.delivered_rate),
        ("esc_pctuniqueopens", summary.unique_opens_rate),
        ("esc_pctopens", summary.opens_rate),
        ("esc_pctunsubscribes", summary.unsubscribes_rate),
        ("esc_pctreplies", summary.replies_rate),
        ("esc_pcthardbounces", summary.hard_bounces_rate),
        ("esc_pctsoftbounces", summary.soft_bounces_rate),
        ("esc_pctusersclicked", summary.clickers_rate),
        ("esc_pctclickstoopens", summary.clicks_to_opens_rate),
    ];
    columns.extend(rates.map(|(name, rate)| (name.to_owned(), Value::Float(rate * 100.0))));
    let decimal = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Decimal);
    columns.push(("esc_revenue".to_owned(), decimal(&summary.revenue)));
    columns.push(("esc_assistedrevenue".to_owned(), decimal(&summary.assisted_revenue)));
    let rate = Value::Decimal(format!("{:.4}", summary.conversion_rate * 100.0));
    columns.push(("esc_conversionrate".to_owned(), rate));
    if let Some(sent) = summary.sent_at {
        columns.push(("esc_lastsent".to_owned(), Value::Time(sent)));
    }
    stored::write(columns.iter().map(|(name, value)| (name.as_str(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + HOUR * i32::try_from(hours).unwrap()
    }

    /// Whether totals are due for a campaign sent at 0 and counted at one hour, at another.
    #[track_caller]
    fn check(counted: Option<i64>, now: i64, due: bool) {
        let row = Row {
            id: 1,
            name: String::new(),
            status: String::new(),
            sent: Some(at(0)),
            header: String::new(),
            totals: None,
            counted: counted.map(at),
            gone: false,
            seen: 1,
            told: true,
            made: true,
            version: 1,
        };
        assert_eq!(is_due(&row, at(now)), due);
        assert!(!is_due(&Row { gone: true, ..row.clone() }, at(now)));
        assert!(!is_due(&Row { sent: None, ..row }, at(now)));
    }

    #[test]
    fn by_age() {
        check(None, 24 * 400, true);
        check(Some(1), 2, true);
        check(Some(47), 47, false);
        check(Some(48), 49, true);
        check(Some(14 * 24), 14 * 24 + 1, false);
        check(Some(14 * 24), 15 * 24, true);
        check(Some(60 * 24), 66 * 24, false);
        check(Some(60 * 24), 67 * 24, true);
        // The clock was set back.
        check(Some(50), 49, true);
    }

    #[test]
    fn figures_have_columns() {
        let figures = [("numTotalOpens", 3), ("numUniqueTextOpens", 2), ("numNovel", 1)];
        let figures = figures.map(|(name, figure)| (name.to_owned(), figure)).into();
        let text = totals(&Summary { figures, delivered_rate: 0.888, ..Summary::default() });
        let columns = stored::read(&text);
        assert_eq!(columns.get("esc_numtotalopens"), Some(&Value::Int(3)));
        assert_eq!(columns.get("esc_numuniquetextopens"), Some(&Value::Int(2)));
        assert_eq!(columns.get("esc_pctdelivered"), Some(&Value::Float(88.8)));
        assert!(!text.contains("novel"));
    }
}
