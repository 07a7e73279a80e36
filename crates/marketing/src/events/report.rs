//! A campaign's figures from what is stored, for people: totals of the recipients, clicks by link, opens of people and of
//! machines, days; and the gap between them and the service's own summary.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use postroom_core::Fault;
use postroom_core::marketing::{CampaignId, Summary};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};

use super::facts::{Counters, Facts};
use super::rows::{self, Stored};
use super::settings::Kind;
use crate::engine::Engine;

/// Rows of one page.
const PAGE: u64 = 2000;
const DAY: i64 = 86_400_000_000;

/// The sum of a campaign's recipients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub sent: u64,
    pub opens: u64,
    pub unique_opens: u64,
    pub clicks: u64,
    /// People who clicked.
    pub clickers: u64,
    pub page_views: u64,
    pub forwards: u64,
    pub replies: u64,
    pub hard_bounces: u64,
    pub soft_bounces: u64,
    pub unsubscribes: u64,
}

impl Totals {
    fn add(&mut self, one: &Counters) {
        self.sent += 1;
        self.opens += one.opens;
        self.unique_opens += u64::from(one.opens > 0);
        self.clicks += one.clicks;
        self.clickers += u64::from(one.clicks > 0);
        self.page_views += one.page_views;
        self.forwards += one.forwards;
        self.replies += one.replies;
        self.hard_bounces += u64::from(one.hard_bounced);
        self.soft_bounces += u64::from(one.soft_bounced);
        self.unsubscribes += u64::from(one.unsubscribed);
    }
}

/// Clicks on one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    pub url: String,
    pub people: u64,
    pub clicks: u64,
    /// Of them by machines.
    pub machine: u64,
}

/// One day, in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    pub sent: u64,
    pub opens: u64,
    pub machine_opens: u64,
    pub clicks: u64,
    pub machine_clicks: u64,
    pub page_views: u64,
    pub replies: u64,
}

/// Purchases or other marks of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    pub name: String,
    pub people: u64,
    pub number: u64,
    /// The sum of its values, as a plain decimal; `None` when one of them is no number.
    pub sum: Option<String>,
}

/// What is stored of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub totals: Totals,
    /// Opens and clicks as rows, by people and by machines.
    pub human_opens: u64,
    pub machine_opens: u64,
    pub human_clicks: u64,
    pub machine_clicks: u64,
    /// Most clicked first.
    pub links: Vec<Link>,
    /// By name.
    pub marks: Vec<Mark>,
    pub days: BTreeMap<Date, Day>,
}

/// A figure on which the rows and the service's summary differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub figure: &'static str,
    pub rows: u64,
    pub summary: u64,
}

/// Where the rows and the summary differ. The summary may be a little ahead: what it counts comes as rows in the next run.
pub fn gaps(totals: &Totals, summary: &Summary) -> Vec<Gap> {
    let all = [
        ("sent", totals.sent, summary.sent),
        ("opens", totals.opens, summary.opens),
        ("unique opens", totals.unique_opens, summary.unique_opens),
        ("clicks", totals.clicks, summary.clicks),
        ("clickers", totals.clickers, summary.clickers),
        ("page views", totals.page_views, summary.page_views),
        ("forwards", totals.forwards, summary.forwards),
        ("replies", totals.replies, summary.replies),
        ("hard bounces", totals.hard_bounces, summary.hard_bounces),
        ("soft bounces", totals.soft_bounces, summary.soft_bounces),
        ("unsubscribes", totals.unsubscribes, summary.unsubscribes),
    ];
    let differ = all.into_iter().filter(|(_, rows, summary)| rows != summary);
    differ.map(|(figure, rows, summary)| Gap { figure, rows, summary }).collect()
}

impl Engine {
    /// The stored figures of a campaign beside the service's summary: one call.
    ///
    /// # Errors
    /// The service's; and a refusal when no account has this name.
    pub async fn reconcile_campaign(
        &self,
        account: &str,
        campaign: i64,
    ) -> Result<(Report, Summary, Vec<Gap>), Fault> {
        let known = self.named(account)?;
        let summary = known.service.summary(&CampaignId(campaign)).await?;
        let name = known.name.clone();
        let report: Result<Report, Error> =
            self.store.read(move |tx| Box::pin(async move { of(tx, &name, campaign).await })).await;
        let report = report?;
        let gaps = gaps(&report.totals, &summary);
        Ok((report, summary, gaps))
    }
}

/// What is stored of a campaign. Memory does not grow with the number of rows, but with that of links and days.
pub async fn of(tx: &mut Tx, account: &str, campaign: i64) -> Result<Report, Error> {
    let mut report = Report::default();
    recipients(tx, account, campaign, &mut report).await?;
    links(tx, account, campaign, &mut report).await?;
    marks(tx, account, campaign, &mut report).await?;
    days(tx, account, campaign, &mut report).await?;
    Ok(report)
}

async fn recipients(tx: &mut Tx, account: &str, campaign: i64, report: &mut Report) -> Result<(), Error> {
    let mut after = (0, 0);
    loop {
        let page = page(tx, account, campaign, Kind::Recipient, &mut after).await?;
        if page.is_empty() {
            return Ok(());
        }
        for row in page {
            let Facts::Recipient(counters) = row.event.facts else { continue };
            report.totals.add(&counters);
            if let Some(sent) = counters.sent {
                report.days.entry(sent.to_zoned(TimeZone::UTC).date()).or_default().sent += 1;
            }
        }
    }
}

/// The next rows of one kind behind a contact and a number, in the order of their index: in any other, each page would sort all
/// rows of the campaign.
async fn page(
    tx: &mut Tx,
    account: &str,
    campaign: i64,
    kind: Kind,
    after: &mut (i64, i64),
) -> Result<Vec<Stored>, Error> {
    let (contact, seq) = *after;
    let mut page = rows::select(account);
    page.and_where(Expr::col("campaign").eq(campaign))
        .and_where(Expr::col("kind").eq(kind.as_str()))
        .and_where(Expr::col("contact").gte(contact))
        .and_where(Expr::col("contact").gt(contact).or(Expr::col("seq").gt(seq)))
        .order_by("contact", Order::Asc)
        .order_by("seq", Order::Asc)
        .limit(PAGE);
    let page = rows::load(tx, &page).await?;
    if let Some(last) = page.last() {
        *after = (last.event.contact, last.seq);
    }
    Ok(page)
}

async fn links(tx: &mut Tx, account: &str, campaign: i64, report: &mut Report) -> Result<(), Error> {
    let select = Query::select()
        .columns(["what", "machine"])
        .expr(Expr::col("key").count())
        .expr(Expr::col("contact").count_distinct())
        .from("event")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("campaign").eq(campaign))
        .and_where(Expr::col("kind").eq(Kind::Click.as_str()))
        .group_by_columns(["what", "machine"])
        .to_owned();
    let mut links: BTreeMap<String, Link> = BTreeMap::new();
    for row in tx.query(&select).await? {
        let (url, machine): (String, bool) = (row.at(0)?, row.at(1)?);
        let (clicks, people): (u64, u64) = (row.at(2)?, row.at(3)?);
        let link = links.entry(url.clone()).or_insert_with(|| Link { url, ..Link::default() });
        link.clicks += clicks;
        // People are those who clicked themselves.
        match machine {
            true => link.machine += clicks,
            false => link.people += people,
        }
    }
    report.links = links.into_values().collect();
    report.links.sort_by(|a, b| b.clicks.cmp(&a.clicks).then_with(|| a.url.cmp(&b.url)));
    Ok(())
}

async fn marks(tx: &mut Tx, account: &str, campaign: i64, report: &mut Report) -> Result<(), Error> {
    let select = Query::select()
        .column("what")
        .expr(Expr::col("key").count())
        .expr(Expr::col("contact").count_distinct())
        .from("event")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("campaign").eq(campaign))
        .and_where(Expr::col("kind").eq(Kind::Roi.as_str()))
        .group_by_columns(["what"])
        .to_owned();
    let mut sums: BTreeMap<String, Option<i128>> = BTreeMap::new();
    let mut after = (0, 0);
    loop {
        let page = page(tx, account, campaign, Kind::Roi, &mut after).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            let Facts::Roi { value, .. } = &row.event.facts else { continue };
            let sum = sums.entry(row.event.what).or_insert(Some(0));
            *sum = sum.zip(ten_thousandths(value)).and_then(|(sum, value)| sum.checked_add(value));
        }
    }
    for row in tx.query(&select).await? {
        let name: String = row.at(0)?;
        let sum = sums.get(&name).copied().flatten().map(decimal);
        report.marks.push(Mark { number: row.at(1)?, people: row.at(2)?, sum, name });
    }
    report.marks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

/// A decimal in plain notation as a number of ten-thousandths, as exact as the CRM's columns; more digits are cut off.
fn ten_thousandths(text: &str) -> Option<i128> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let part: String = part.chars().chain("0000".chars()).take(4).collect();
    Some(sign * (whole.parse::<i128>().ok()? * 10_000 + part.parse::<i128>().ok()?))
}

/// Back to a decimal, with two digits behind the point when that is enough.
fn decimal(number: i128) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let (whole, part) = (number.unsigned_abs() / 10_000, number.unsigned_abs() % 10_000);
    match part % 100 {
        0 => format!("{sign}{whole}.{:02}", part / 100),
        _ => format!("{sign}{whole}.{part:04}"),
    }
}

async fn days(tx: &mut Tx, account: &str, campaign: i64, report: &mut Report) -> Result<(), Error> {
    // Grouped outside: PostgreSQL takes two parameters of one value for two expressions.
    let each = Query::select()
        .columns(["kind", "machine", "key"])
        .expr_as(Expr::col("at").div(DAY), "day")
        .from("event")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("campaign").eq(campaign))
        .and_where(Expr::col("kind").ne(Kind::Recipient.as_str()))
        .to_owned();
    let select = Query::select()
        .columns(["kind", "machine", "day"])
        .expr(Expr::col("key").count())
        .from_subquery(each, "each_event")
        .group_by_columns(["kind", "machine", "day"])
        .to_owned();
    for row in tx.query(&select).await? {
        let (kind, machine): (String, bool) = (row.at(0)?, row.at(1)?);
        let (day, number): (i64, u64) = (row.at(2)?, row.at(3)?);
        let Some(date) = date(day) else { continue };
        let day = report.days.entry(date).or_default();
        match (kind.as_str(), machine) {
            ("open", false) => (day.opens, report.human_opens) = (number, report.human_opens + number),
            ("open", true) => {
                (day.machine_opens, report.machine_opens) = (number, report.machine_opens + number);
            }
            ("click", false) => (day.clicks, report.human_clicks) = (number, report.human_clicks + number),
            ("click", true) => {
                (day.machine_clicks, report.machine_clicks) = (number, report.machine_clicks + number);
            }
            ("page_view", _) => day.page_views = number,
            ("reply", _) => day.replies = number,
            _ => {}
        }
    }
    Ok(())
}

/// The day so many days after the first of 1970.
fn date(days: i64) -> Option<Date> {
    let first = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC).date();
    first.checked_add(i32::try_from(days).ok()?.days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_shown() {
        let totals = Totals { sent: 3, opens: 2, ..Totals::default() };
        let summary = Summary { sent: 3, opens: 5, ..Summary::default() };
        assert_eq!(gaps(&totals, &summary), [Gap { figure: "opens", rows: 2, summary: 5 }]);
    }

    #[test]
    fn money_adds_up() {
        let check = |texts: &[&str], expected: Option<&str>| {
            let sum = texts.iter().try_fold(0, |sum, text| Some(sum + ten_thousandths(text)?));
            assert_eq!(sum.map(decimal).as_deref(), expected, "{texts:?}");
        };
        check(&["19.99", "0.01", "5"], Some("25.00"));
        check(&["-0.5", "0.12345"], Some("-0.3766"));
        check(&["1e3"], None);
        check(&["", "1"], None);
        check(&[], Some("0.00"));
    }

    #[test]
    fn days_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01".parse().ok());
        assert_eq!(date(20_454), "2026-01-01".parse().ok());
        assert_eq!(date(i64::MAX), None);
    }
}
