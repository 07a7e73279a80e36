//! The floor under the whole way: SQLite itself, inserting the same bytes durably (xtask/data/floor_mail.py).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::process::output;
use super::table::Row;

/// How fast SQLite is alone.
#[derive(Debug, Deserialize)]
pub struct Floor {
    commit_every: u64,
    messages: u64,
    #[serde(rename = "msg_per_s")]
    pub rate: f64,
    cpu_ms_per_msg: f64,
}

impl Floor {
    pub fn row(&self, scenario: &str) -> Row {
        Row {
            scenario: scenario.to_owned(),
            database: "SQLite".to_owned(),
            messages: self.messages,
            rate: Some(self.rate),
            server_cpu: Some(self.cpu_ms_per_msg),
            ..Row::default()
        }
    }
}

/// Inserts the corpus a hundred messages a commit, on the disk of `folder`.
pub fn sqlite(corpus: &Path, folder: &Path) -> Result<Floor> {
    let text = script(corpus, "sqlite", folder)?;
    let floors = text.lines().map(serde_json::from_str::<Floor>);
    let floors: Vec<Floor> = floors.collect::<Result<_, _>>().context("floor_mail.py printed no JSON")?;
    floors
        .into_iter()
        .find(|floor| floor.commit_every == 100)
        .context("floor_mail.py had no row of 100 a commit")
}

/// What a write that reaches the disk takes, for the notes.
pub fn disk(folder: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Sync {
        floor: String,
        median_ms: f64,
        p99_ms: f64,
    }
    let text = script(folder, "fsync", folder)?;
    let note = |line: &str| -> Result<String> {
        let sync: Sync = serde_json::from_str(line)?;
        Ok(format!(
            "disk: {} of 4 KB takes {} ms (median), {} ms (p99)",
            sync.floor, sync.median_ms, sync.p99_ms
        ))
    };
    text.lines().map(note).collect()
}

fn script(corpus: &Path, what: &str, folder: &Path) -> Result<String> {
    let mut command = Command::new("python3");
    command.arg(super::root().join("xtask/data/floor_mail.py")).arg(corpus).arg(what);
    command.arg(format!("WORKDIR={}", folder.display()));
    let text = output(&mut command)?;
    for left in ["floor.db", "floor.db-wal", "floor.db-shm"] {
        let _ = std::fs::remove_file(folder.join(left)); // large, and of no further use
    }
    Ok(text)
}
