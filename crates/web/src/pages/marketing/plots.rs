//! Plots of a report as shapes for the templates: numbers in, coordinates out, no script and no style in the markup.
//!
//! A plot carries no text: the table says every number, either beside the plot or in the row in which a lying bar stands, and
//! labels keep their size on a narrow screen.

use postroom_operations::marketing::{CampaignReport, DayView, LinkView, MarkView};
use serde::Serialize;

/// Units of a plot's picture; it is scaled to the room there is.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
/// Height of a lying bar.
const BAR: f64 = 22.0;
/// Days that a plot shows; the table has all.
const DAYS: usize = 31;

/// A rectangle. `class` says what it counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Bar {
    class: &'static str,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Plot {
    width: f64,
    height: f64,
    bars: Vec<Bar>,
    /// What the longest bar stands for.
    most: u64,
    /// The same in words, for those who do not see it.
    text: String,
}

/// A row of the funnel.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub name: &'static str,
    pub number: u64,
    /// Of those to whom it went, in per cent with one digit; empty when it went to nobody.
    pub share: String,
    /// Its part of the highest number of all steps.
    pub bars: Row,
}

/// A link with its clicks, those of people first, those of machines behind them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Link<'a> {
    #[serde(flatten)]
    pub link: &'a LinkView,
    pub bars: Row,
}

/// A mark, such as a purchase, with how often it was set.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Mark<'a> {
    #[serde(flatten)]
    pub mark: &'a MarkView,
    pub bars: Row,
}

/// Lying bars that stand in a row of a table, one behind the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    width: f64,
    height: f64,
    bars: Vec<Bar>,
}

fn row(parts: &[(&'static str, u64)], most: u64) -> Row {
    let mut x = 0.0;
    let mut bars = Vec::with_capacity(parts.len());
    for (class, number) in parts {
        let width = length(*number, most, WIDTH);
        bars.push(Bar { class, x, y: 0.0, width, height: BAR });
        x = rounded(x + width);
    }
    Row { width: WIDTH, height: BAR, bars }
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A part of a length.
fn length(number: u64, most: u64, of: f64) -> f64 {
    let most = most.max(1);
    rounded(of * number.min(most) as f64 / most as f64)
}

/// From those it went to, to those who left.
pub(super) fn steps(report: &CampaignReport) -> Vec<Step> {
    let totals = &report.totals;
    let share = |number: u64| match totals.sent {
        0 => String::new(),
        sent => format!("{:.1} %", number as f64 * 100.0 / sent as f64),
    };
    let steps = [
        ("Sent to", totals.sent),
        ("Opened by", totals.unique_opens),
        ("Clicked by", totals.clickers),
        ("Unsubscribed", totals.unsubscribes),
        ("Hard bounced", totals.hard_bounces),
    ];
    let most = steps.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let step = |(name, number)| Step {
        name,
        number,
        share: share(number),
        bars: row(&[("bar-people", number)], most),
    };
    steps.map(step).to_vec()
}

/// The newest days, three bars each: opens by people and by machines, clicks by people.
pub(super) fn days(days: &[DayView]) -> Plot {
    let shown = &days[days.len().saturating_sub(DAYS)..];
    let of = |day: &DayView| [day.opens, day.machine_opens, day.clicks];
    let most = shown.iter().flat_map(of).max().unwrap_or(0);
    let slot = WIDTH / shown.len().max(1) as f64;
    let width = (slot * 0.26).min(40.0);
    let mut bars = Vec::with_capacity(shown.len() * 3);
    for (place, day) in shown.iter().enumerate() {
        for (nth, (number, class)) in
            of(day).into_iter().zip(["bar-people", "bar-machines", "bar-clicks"]).enumerate()
        {
            let height = length(number, most, HEIGHT);
            let x = rounded(place as f64 * slot + nth as f64 * width);
            bars.push(Bar { class, x, y: rounded(HEIGHT - height), width: rounded(width * 0.9), height });
        }
    }
    let sum = |pick: fn(&DayView) -> u64| shown.iter().map(pick).sum::<u64>();
    let text = format!(
        "{} opens by people, {} by machines and {} clicks by people over {} days",
        sum(|day| day.opens),
        sum(|day| day.machine_opens),
        sum(|day| day.clicks),
        shown.len()
    );
    Plot { width: WIDTH, height: HEIGHT, bars, most, text }
}

/// The links as the report has them, the most clicked first.
pub(super) fn links(links: &[LinkView]) -> Vec<Link<'_>> {
    let most = links.iter().map(|link| link.clicks).max().unwrap_or(0);
    let of = |link: &LinkView| {
        let people = link.clicks.saturating_sub(link.machine_clicks);
        row(&[("bar-clicks", people), ("bar-machines", link.machine_clicks)], most)
    };
    links.iter().map(|link| Link { link, bars: of(link) }).collect()
}

/// Purchases and other marks as the report has them.
pub(super) fn marks(marks: &[MarkView]) -> Vec<Mark<'_>> {
    let most = marks.iter().map(|mark| mark.number).max().unwrap_or(0);
    marks.iter().map(|mark| Mark { mark, bars: row(&[("bar-clicks", mark.number)], most) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i8, opens: u64, machine_opens: u64, clicks: u64) -> DayView {
        let day = jiff::civil::date(2026, 3, day);
        DayView { day, sent: 0, opens, machine_opens, clicks, machine_clicks: 0 }
    }

    #[test]
    fn bars_fit_their_picture() {
        let all: Vec<DayView> = (1..=31).chain(1..=9).map(|n| day(n, n as u64, 2, 40)).collect();
        let plot = days(&all);
        assert_eq!((plot.bars.len(), plot.most), (93, 40));
        for bar in &plot.bars {
            assert!(bar.x >= 0.0 && bar.x + bar.width <= WIDTH && bar.y >= 0.0, "{bar:?}");
            assert!((bar.y + bar.height - HEIGHT).abs() < 0.11, "{bar:?}");
        }
    }

    #[test]
    fn nothing_is_no_bar() {
        assert!(days(&[]).bars.is_empty() && links(&[]).is_empty());
        assert_eq!(days(&[day(1, 0, 0, 0)]).bars[0].height, 0.0);
    }

    #[test]
    fn marks_stand_beside_each_other() {
        let mark = |number| MarkView { name: "order".into(), people: 1, number, sum: None };
        let all = [mark(10), mark(5), mark(0)];
        let widths: Vec<f64> = marks(&all).iter().map(|mark| mark.bars.bars[0].width).collect();
        assert_eq!(widths, [640.0, 320.0, 0.0]);
    }

    #[test]
    fn clicks_of_people_and_machines_add_up() {
        let link = |clicks, machine_clicks| LinkView { url: "x".into(), people: 3, clicks, machine_clicks };
        let all = [link(8, 2), link(4, 0)];
        let of =
            |nth: usize| links(&all)[nth].bars.bars.iter().map(|bar| (bar.x, bar.width)).collect::<Vec<_>>();
        assert_eq!(of(0), [(0.0, 480.0), (480.0, 160.0)]);
        assert_eq!(of(1), [(0.0, 320.0), (320.0, 0.0)]);
    }
}
