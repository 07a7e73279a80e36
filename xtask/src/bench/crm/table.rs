//! The table of `bench crm`: what was asked, how fast, and what it took on each side.

use std::fmt;

use serde::Serialize;

use crate::bench::table::{Latency, markdown, number};

/// Everything measured, with what is to be known about the machine.
#[derive(Debug, Default, Serialize)]
pub struct Table {
    pub rows: Vec<Row>,
    pub notes: Vec<String>,
}

/// One measurement. CPU is in seconds for 100,000 rows or requests.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Row {
    pub scenario: String,
    pub database: String,
    /// Rows or requests.
    pub count: u64,
    pub seconds: f64,
    pub client_cpu: Option<f64>,
    pub door_cpu: Option<f64>,
    /// Of a database that runs apart.
    pub database_cpu: Option<f64>,
    /// Requests that the client sent.
    pub calls: Option<u64>,
    pub latency: Option<Latency>,
    /// Megabytes.
    pub client_peak: Option<f64>,
    /// Megabytes.
    pub door_peak: Option<f64>,
}

impl Row {
    /// Rows or requests a second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.seconds.max(f64::EPSILON)
    }

    /// The row before there is a table: a measurement of an hour that is cut has said what it found.
    pub fn line(&self) -> String {
        self.cells().join(" | ")
    }

    fn cells(&self) -> [String; HEADS.len()] {
        [
            self.scenario.clone(),
            self.database.clone(),
            self.count.to_string(),
            format!("{:.2}", self.seconds),
            if self.count > 0 { format!("{:.0}", self.rate()) } else { number(None, 0) },
            number(self.client_cpu, 2),
            number(self.door_cpu, 2),
            number(self.database_cpu, 2),
            self.calls.map_or_else(|| number(None, 0), |calls| calls.to_string()),
            self.latency.map_or_else(|| number(None, 0), |latency| latency.to_string()),
            number(self.client_peak, 0),
            number(self.door_peak, 0),
        ]
    }
}

const HEADS: [&str; 12] = [
    "scenario",
    "database",
    "count",
    "seconds",
    "a second",
    "client CPU s/100k",
    "door CPU s/100k",
    "database CPU s/100k",
    "calls",
    "p50 / p99 ms",
    "client MB",
    "door MB",
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
    fn what_was_not_measured_is_a_dash() {
        let row = Row {
            scenario: "read".into(),
            database: "SQLite".into(),
            count: 100,
            seconds: 0.5,
            client_cpu: Some(0.9),
            ..Row::default()
        };
        let nothing = Row { scenario: "no change".into(), seconds: 0.1, calls: Some(1), ..Row::default() };
        let text = Table { rows: vec![row, nothing], notes: Vec::new() }.to_string();
        let cells = |line: usize| -> Vec<&str> {
            text.lines().nth(line).unwrap().split('|').skip(1).take(12).map(str::trim).collect()
        };
        let dash = "–";
        let expected = ["read", "SQLite", "100", "0.50", "200", "0.90", dash, dash, dash, dash, dash, dash];
        assert_eq!(cells(2), expected);
        assert_eq!(cells(3)[3..9], ["0.10", dash, dash, dash, dash, "1"]);
    }
}
