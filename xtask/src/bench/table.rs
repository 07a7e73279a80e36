//! The one table.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// Everything measured, with what is to be known about the machine.
#[derive(Debug, Default, Serialize)]
pub struct Table {
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// One measurement.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Row {
    pub scenario: String,
    pub database: String,
    pub messages: u64,
    /// Messages a second.
    pub rate: Option<f64>,
    /// A peer's name and messages a second for the same mail.
    pub beside: Option<(String, f64)>,
    /// Milliseconds a message.
    pub server_cpu: Option<f64>,
    /// Of a database that runs apart, in milliseconds a message.
    pub database_cpu: Option<f64>,
    /// Milliseconds a message.
    pub sender_cpu: Option<f64>,
    /// Of one core's time, in hundredths.
    pub core_percent: Option<f64>,
    /// Milliseconds until half and until 99 of a hundred had their answer.
    pub latency: Option<Latency>,
    /// Megabytes.
    pub peak: Option<f64>,
}

/// How long answers took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

impl Latency {
    /// `None` when nothing was measured.
    pub fn of(mut times: Vec<Duration>) -> Option<Latency> {
        times.sort_unstable();
        let at = |hundredths: usize| {
            let place = (times.len() * hundredths).div_ceil(100).saturating_sub(1);
            times.get(place).map(|time| time.as_secs_f64() * 1000.0)
        };
        Some(Latency { p50: at(50)?, p99: at(99)? })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} / {:.1}", self.p50, self.p99)
    }
}

impl Row {
    /// How the rate stands to the peer's.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.rate? / self.beside.as_ref()?.1)
    }

    fn cells(&self) -> [String; HEADS.len()] {
        let beside =
            self.beside.as_ref().map_or("–".to_owned(), |(name, rate)| format!("{name} {rate:.0}"));
        [
            self.scenario.clone(),
            self.database.clone(),
            self.messages.to_string(),
            number(self.rate, 0),
            beside,
            number(self.ratio(), 2),
            number(self.server_cpu, 2),
            number(self.database_cpu, 2),
            number(self.sender_cpu, 2),
            number(self.core_percent, 1),
            self.latency.map_or("–".to_owned(), |latency| latency.to_string()),
            number(self.peak, 0),
        ]
    }
}

const HEADS: [&str; 12] = [
    "scenario",
    "database",
    "messages",
    "messages/s",
    "beside",
    "ratio",
    "server CPU ms/msg",
    "database CPU ms/msg",
    "sender CPU ms/msg",
    "% of a core",
    "p50 / p99 ms",
    "peak MB",
];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; HEADS.len()]> = self.rows.iter().map(Row::cells).collect();
        markdown(f, HEADS, &[0, 1, 4], &rows, &self.notes)
    }
}

/// A figure, or a dash where there is none.
pub fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A table with its notes. The columns at `texts` stand left, numbers right.
pub fn markdown<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heads: [&str; N],
    texts: &[usize],
    rows: &[[String; N]],
    notes: &[String],
) -> fmt::Result {
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |f: &mut fmt::Formatter<'_>, cells: &[String; N]| {
        for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
            match texts.contains(&place) {
                true => write!(f, "| {cell:<width$} ")?,
                false => write!(f, "| {cell:>width$} ")?,
            }
        }
        writeln!(f, "|")
    };
    line(f, &heads.map(str::to_owned))?;
    for (place, width) in widths.iter().enumerate() {
        match texts.contains(&place) {
            true => write!(f, "| {} ", "-".repeat(*width))?,
            false => write!(f, "| {}: ", "-".repeat(width - 1))?,
        }
    }
    writeln!(f, "|")?;
    rows.iter().try_for_each(|row| line(f, row))?;
    writeln!(f)?;
    notes.iter().try_for_each(|note| writeln!(f, "- {note}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_markdown() {
        let row = Row {
            scenario: "accept, 8 sessions".into(),
            database: "SQLite".into(),
            messages: 3000,
            rate: Some(1500.4),
            beside: Some(("Postfix".into(), 1000.0)),
            server_cpu: Some(1.234),
            ..Row::default()
        };
        let text = Table { rows: vec![row], notes: vec!["2 cores".into()] }.to_string();
        let lines: Vec<&str> = text.lines().collect();
        let last: Vec<&str> = lines[2].split('|').map(str::trim).collect();
        let expected = [
            "",
            "accept, 8 sessions",
            "SQLite",
            "3000",
            "1500",
            "Postfix 1000",
            "1.50",
            "1.23",
            "–",
            "–",
            "–",
            "–",
            "–",
            "",
        ];
        assert_eq!(last, expected);
        assert_eq!(lines[4], "- 2 cores");
        assert!(lines[..3].iter().all(|line| line.chars().count() == lines[0].chars().count()), "{text}");
    }

    #[track_caller]
    fn latency(times: &[u64], expected: Option<(f64, f64)>) {
        let times = times.iter().map(|time| Duration::from_millis(*time)).collect();
        assert_eq!(Latency::of(times), expected.map(|(p50, p99)| Latency { p50, p99 }));
    }

    #[test]
    fn latencies_are_of_the_nearest_rank() {
        latency(&[], None);
        latency(&[7], Some((7.0, 7.0)));
        latency(&[4, 1, 3, 2], Some((2.0, 4.0)));
        latency(&(1..=200).rev().collect::<Vec<_>>(), Some((100.0, 198.0)));
    }
}
