//! The stand-in for the marketing service (`crates/sandbox/examples/dotdigital.rs`), a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::http::Connection;
use crate::bench::process::Process;

/// The password of the API user.
pub const PASSWORD: &str = "bench";
pub const USER: &str = "apiuser-demo@apiconnector.com";

/// Calls and bytes by operation.
pub type Tally = BTreeMap<String, u64>;

pub struct World {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    door: Connection,
    _process: Process,
}

impl World {
    /// Starts it with so many calls a minute of the low tier; imports take `import` seconds at least.
    pub fn start(program: &Path, low: u32, import: u32) -> Result<World> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, Signal::TERM)?;
        let child = process.child();
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let ask = json!({
            "password": PASSWORD, "low": low, "medium": low * 4, "high": low * 10, "import": import
        });
        writeln!(stdin.as_mut().context("it was piped")?, "{ask}")?;
        let mut line = String::new();
        BufReader::new(stdout.context("it was piped")?).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).context("the stand-in did not start")?;
        child.stdin = stdin; // it ends when its stdin does
        let url = said["url"].as_str().context("it tells its address")?.to_owned();
        let address: SocketAddr = url.trim_start_matches("http://").parse()?;
        Ok(World { url, door: Connection::open(address, "")?, _process: process })
    }

    fn get<T: serde::de::DeserializeOwned>(&mut self, what: &str) -> Result<T> {
        let (status, answer) = self.door.ask("GET", &format!("/_sandbox/{what}"), "", "")?;
        ensure!(status == 200, "the stand-in answered {status} to {what}: {answer}");
        Ok(serde_json::from_str(&answer)?)
    }

    fn post(&mut self, what: &str, body: &Value) -> Result<String> {
        let path = format!("/_sandbox/{what}");
        let (status, answer) = self.door.ask("POST", &path, "application/json", &body.to_string())?;
        ensure!(status < 300, "the stand-in answered {status} to {what}: {answer}");
        Ok(answer)
    }

    pub fn calls(&mut self) -> Result<Tally> {
        self.get("calls")
    }

    pub fn received(&mut self) -> Result<Tally> {
        self.get("received")
    }

    /// Lets minutes pass for the service.
    pub fn advance(&mut self, minutes: u32) -> Result<()> {
        self.post("advance", &json!({ "seconds": minutes * 60 })).map(drop)
    }

    /// A campaign of which so many people clicked.
    pub fn clicked(&mut self, people: usize) -> Result<()> {
        let body = json!({ "arrange": "clicked", "people": people, "url": "https://shop.example/spring" });
        self.post("arrange", &body).map(drop)
    }
}

/// What was added between two looks.
pub fn between(before: &Tally, after: &Tally) -> Tally {
    let added = |(name, count): (&String, &u64)| {
        let more = count - before.get(name).copied().unwrap_or_default();
        (more > 0).then(|| (name.clone(), more))
    };
    after.iter().filter_map(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added() {
        let tally = |pairs: &[(&str, u64)]| -> Tally {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let added = between(&tally(&[("a", 1), ("b", 2)]), &tally(&[("a", 1), ("b", 5), ("c", 1)]));
        assert_eq!(added, tally(&[("b", 3), ("c", 1)]));
    }
}
