//! Plots of a report as shapes for the templates: numbers in, coordinates out, no script and no style in the markup.
//!
//! A plot carries no text: the table beside it says every number, and labels below it keep their size on a narrow screen.

use postroom_operations::marketing::{CampaignReport, DayView, LinkView};
use serde::Serialize;

/// Units of a plot's picture; it is scaled to the room there is.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
/// Height of a lying bar with the gap below it.
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;
/// Days that a plot shows; the table has all.
const DAYS: usize = 31;
/// Links that are shown.
const LINKS: usize = 10;

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

/// A row of the table beside the funnel.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub name: &'static str,
    pub number: u64,
    /// Of those to whom it went, in per cent with one digit; empty when it went to nobody.
    pub share: String,
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
    [
        ("Sent to", totals.sent),
        ("Opened by", totals.unique_opens),
        ("Clicked by", totals.clickers),
        ("Unsubscribed", totals.unsubscribes),
        ("Hard bounced", totals.hard_bounces),
    ]
    .map(|(name, number)| Step { name, number, share: share(number) })
    .to_vec()
}

/// The steps as lying bars.
pub(super) fn funnel(steps: &[Step]) -> Plot {
    let most = steps.iter().map(|step| step.number).max().unwrap_or(0);
    let bars = steps.iter().enumerate().map(|(place, step)| Bar {
        class: "bar-people",
        x: 0.0,
        y: place as f64 * (BAR + GAP),
        width: length(step.number, most, WIDTH),
        height: BAR,
    });
    let told: Vec<String> =
        steps.iter().map(|step| format!("{} {}", step.name.to_lowercase(), step.number)).collect();
    let height = steps.len() as f64 * (BAR + GAP);
    Plot { width: WIDTH, height, bars: bars.collect(), most, text: told.join(", ") }
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

/// The most clicked links, those of people first, those of machines behind them.
pub(super) fn links(links: &[LinkView]) -> Plot {
    let shown = &links[..links.len().min(LINKS)];
    let most = shown.iter().map(|link| link.clicks).max().unwrap_or(0);
    let mut bars = Vec::with_capacity(shown.len() * 2);
    for (place, link) in shown.iter().enumerate() {
        let y = place as f64 * (BAR + GAP);
        let people = length(link.clicks.saturating_sub(link.machine_clicks), most, WIDTH);
        let machines = length(link.machine_clicks, most, WIDTH);
        bars.push(Bar { class: "bar-clicks", x: 0.0, y, width: people, height: BAR });
        bars.push(Bar { class: "bar-machines", x: people, y, width: machines, height: BAR });
    }
    let text = format!("{} links; the most clicked has {most} clicks", links.len());
    Plot { width: WIDTH, height: shown.len() as f64 * (BAR + GAP), bars, most, text }
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
        assert!(days(&[]).bars.is_empty() && links(&[]).bars.is_empty());
        assert_eq!(days(&[day(1, 0, 0, 0)]).bars[0].height, 0.0);
    }

    #[test]
    fn clicks_of_people_and_machines_add_up() {
        let one = LinkView { url: "x".into(), people: 3, clicks: 8, machine_clicks: 2 };
        let plot = links(&[one]);
        assert_eq!((plot.bars[0].width, plot.bars[1].x, plot.bars[1].width), (480.0, 480.0, 160.0));
    }
}
