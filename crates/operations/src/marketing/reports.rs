//! What came of a campaign, as it is shown: our rows beside the service's own figures.

use jiff::Timestamp;
use jiff::civil::Date;
use postroom_core::marketing::Summary;
use postroom_marketing::campaigns::look::Seen;
use postroom_marketing::events::report::{self, Gap, Report};
use serde::Serialize;

use super::campaigns::Asked;
use super::shown::CampaignView;

/// The figures of a campaign.
#[derive(Debug, Clone, Serialize)]
pub struct CampaignReport {
    pub campaign: CampaignView,
    /// From the rows that are stored here, one for each recipient.
    pub totals: TotalsView,
    /// Opens as they happened, by people and by machines that open mail before anybody looks.
    pub opens: ByWhom,
    pub clicks: ByWhom,
    /// Most clicked first.
    pub links: Vec<LinkView>,
    /// Each day on which something happened, in UTC.
    pub days: Vec<DayView>,
    /// Purchases and other marks, by name.
    pub marks: Vec<MarkView>,
    /// The service's own figures; null while it has none.
    pub service: Option<ServiceFigures>,
    /// Where both differ. The service may be a little ahead: what it counts comes as rows in the next run.
    pub gaps: Vec<GapView>,
    /// Why the service was not asked now, though it was to be.
    pub not_asked: Option<String>,
}

/// Sums over recipients.
#[derive(Debug, Clone, Serialize)]
pub struct TotalsView {
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

#[derive(Debug, Clone, Copy, Serialize)]
pub struct ByWhom {
    pub people: u64,
    pub machines: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct LinkView {
    pub url: String,
    /// Who clicked themselves.
    pub people: u64,
    /// All clicks, those of machines among them.
    pub clicks: u64,
    pub machine_clicks: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct DayView {
    pub day: Date,
    pub sent: u64,
    pub opens: u64,
    pub machine_opens: u64,
    pub clicks: u64,
    pub machine_clicks: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct MarkView {
    pub name: String,
    pub people: u64,
    pub number: u64,
    /// A plain decimal; null when one of the values is no number.
    pub sum: Option<String>,
}

/// What the service says.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceFigures {
    pub asked_at: Timestamp,
    pub sent: u64,
    pub delivered: u64,
    pub opens: u64,
    pub unique_opens: u64,
    pub clicks: u64,
    pub clickers: u64,
    pub hard_bounces: u64,
    pub soft_bounces: u64,
    pub unsubscribes: u64,
    pub complaints: u64,
    pub orders: u64,
    /// A plain decimal.
    pub revenue: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct GapView {
    pub figure: &'static str,
    pub here: u64,
    pub service: u64,
}

/// Puts both side by side.
pub(super) fn view(
    seen: Seen,
    report: Report,
    asked: Option<Asked>,
    not_asked: Option<String>,
) -> CampaignReport {
    let gaps = asked.as_ref().map(|(summary, _)| report::gaps(&report.totals, summary)).unwrap_or_default();
    let totals = report.totals;
    CampaignReport {
        campaign: CampaignView::from(seen),
        totals: TotalsView {
            sent: totals.sent,
            opens: totals.opens,
            unique_opens: totals.unique_opens,
            clicks: totals.clicks,
            clickers: totals.clickers,
            page_views: totals.page_views,
            forwards: totals.forwards,
            replies: totals.replies,
            hard_bounces: totals.hard_bounces,
            soft_bounces: totals.soft_bounces,
            unsubscribes: totals.unsubscribes,
        },
        opens: ByWhom { people: report.human_opens, machines: report.machine_opens },
        clicks: ByWhom { people: report.human_clicks, machines: report.machine_clicks },
        links: report.links.into_iter().map(link).collect(),
        days: report.days.into_iter().map(day).collect(),
        marks: report.marks.into_iter().map(mark).collect(),
        service: asked.map(|(summary, at)| figures(summary, at)),
        gaps: gaps.into_iter().map(gap).collect(),
        not_asked,
    }
}

fn link(link: report::Link) -> LinkView {
    let report::Link { url, people, clicks, machine } = link;
    LinkView { url, people, clicks, machine_clicks: machine }
}

fn day((day, counts): (Date, report::Day)) -> DayView {
    DayView {
        day,
        sent: counts.sent,
        opens: counts.opens,
        machine_opens: counts.machine_opens,
        clicks: counts.clicks,
        machine_clicks: counts.machine_clicks,
    }
}

fn mark(mark: report::Mark) -> MarkView {
    let report::Mark { name, people, number, sum } = mark;
    MarkView { name, people, number, sum }
}

fn gap(gap: Gap) -> GapView {
    GapView { figure: gap.figure, here: gap.rows, service: gap.summary }
}

fn figures(summary: Summary, asked_at: Timestamp) -> ServiceFigures {
    ServiceFigures {
        asked_at,
        sent: summary.sent,
        delivered: summary.delivered,
        opens: summary.opens,
        unique_opens: summary.unique_opens,
        clicks: summary.clicks,
        clickers: summary.clickers,
        hard_bounces: summary.hard_bounces,
        soft_bounces: summary.soft_bounces,
        unsubscribes: summary.unsubscribes,
        complaints: summary.complaints,
        orders: summary.orders,
        revenue: summary.revenue,
    }
}
