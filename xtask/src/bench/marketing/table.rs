//! The table of `bench marketing`.

use std::fmt;

use serde::Serialize;

use crate::bench::table::{markdown, number};

/// Everything measured, with what is to be known about the machine.
#[derive(Debug, Default, Serialize)]
pub struct Table {
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// One run of a sync type.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Row {
    pub scenario: String,
    pub database: String,
    /// People, members or clicks.
    pub count: u64,
    pub seconds: f64,
    /// Seconds that the limits make it take.
    pub least_seconds: f64,
    /// Seconds of the product's CPU, all of it.
    pub cpu: f64,
    pub calls: u64,
    pub least_calls: u64,
    /// Megabytes.
    pub peak: f64,
    /// Of a database that runs apart: seconds, all of it.
    pub database_cpu: Option<f64>,
}

impl Row {
    /// The row before there is a table: a measurement of an hour that is cut has said what it found.
    pub fn line(&self) -> String {
        self.cells().join(" | ")
    }

    fn cells(&self) -> [String; HEADS.len()] {
        let hundred = |cpu: f64| (self.count > 0).then(|| cpu * 100_000.0 / self.count as f64);
        [
            self.scenario.clone(),
            self.database.clone(),
            self.count.to_string(),
            format!("{:.1}", self.seconds),
            format!("{:.1}", self.least_seconds),
            number((self.count > 0).then(|| self.count as f64 / self.seconds.max(f64::EPSILON)), 0),
            format!("{:.2}", self.cpu),
            number(hundred(self.cpu), 2),
            number(self.database_cpu.and_then(hundred), 2),
            self.calls.to_string(),
            self.least_calls.to_string(),
            format!("{:.0}", self.peak),
        ]
    }
}

const HEADS: [&str; 12] = [
    "scenario",
    "database",
    "rows",
    "seconds",
    "by the limits",
    "rows/s",
    "CPU s",
    "CPU s/100k",
    "database CPU s/100k",
    "calls",
    "least",
    "peak MB",
];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; HEADS.len()]> = self.rows.iter().map(Row::cells).collect();
        markdown(f, HEADS, &[0, 1], &rows, &self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_nothing_has_no_rate() {
        let row = Row { scenario: "0 changes".into(), database: "SQLite".into(), calls: 3, ..Row::default() };
        let cells = row.cells();
        assert_eq!([&cells[5], &cells[7], &cells[9]], ["–", "–", "3"]);
        let row = Row { count: 200_000, seconds: 10.0, cpu: 4.0, ..row };
        assert_eq!([&row.cells()[5], &row.cells()[7]], ["20000", "2.00"]);
    }
}
