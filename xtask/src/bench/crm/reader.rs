//! The client that is measured: `crates/crm/examples/local_copy.rs`, a process of its own for each job.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::Value;

use crate::bench::gauge;
use crate::bench::process::Process;

/// What it says when it is done.
#[derive(Debug, Deserialize)]
pub struct Done {
    pub rows: u64,
    pub calls: u64,
    pub seconds: f64,
    /// Where the next run through changes begins.
    pub token: Option<String>,
}

/// What a job came to, and what the process took for it.
pub struct Ran {
    pub done: Done,
    pub cpu: Duration,
    /// Bytes.
    pub peak: u64,
}

/// Runs a job to its end.
pub fn run(program: &Path, job: &Value) -> Result<Ran> {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::start(&mut command, Signal::TERM)?;
    let id = process.id();
    let child = process.child();
    let mut stdin = child.stdin.take().expect("it was piped");
    let stdout = child.stdout.take().expect("it was piped");
    writeln!(stdin, "{job}")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let done = serde_json::from_str(&line)
        .context("the client did not finish its job; what it said stands above")?;
    // It waits for the end of its stdin, so it is still there to be asked.
    let (cpu, peak) = (gauge::process(id)?, gauge::peak(id)?);
    drop(stdin);
    Ok(Ran { done, cpu, peak })
}
