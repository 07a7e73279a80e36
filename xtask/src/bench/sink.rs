//! Postfix' `smtp-sink`, which takes mail and throws it away, and `smtp-source`, which sends it as fast as it can: the
//! quickest pair there is, without a disk.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::process::{Process, output, wait};

/// Sessions that clients may queue up.
const BACKLOG: &str = "200";

/// A running smtp-sink.
pub struct Sink {
    counter: PathBuf,
    pub address: SocketAddr,
    _process: Process,
}

impl Sink {
    /// What is missing for one, as a note.
    pub fn missing() -> Option<String> {
        let there = program("smtp-sink").is_some() && program("smtp-source").is_some();
        (!there).then(|| {
            "sending was not measured: smtp-sink is not installed (Debian: apt-get install postfix)"
                .to_owned()
        })
    }

    pub fn start(folder: &Path) -> Result<Sink> {
        fs::create_dir_all(folder)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let (counter, log) = (folder.join("counter"), folder.join("log"));
        let mut command = Command::new(program("smtp-sink").context("smtp-sink was there a moment ago")?);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "postfix"]); // it refuses to run as root
        }
        command.args(["-c", &address.to_string(), BACKLOG]);
        command.stdin(Stdio::null()).stdout(File::create(&counter)?).stderr(File::create(&log)?);
        let mut process = Process::start(&mut command, Signal::TERM)?;
        wait("smtp-sink", || {
            if let Some(status) = process.ended()? {
                bail!("smtp-sink ended with {status}: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            Ok(TcpStream::connect(address).is_ok().then_some(()))
        })?;
        Ok(Sink { counter, address, _process: process })
    }

    /// How many mails it has taken.
    pub fn count(&self) -> u64 {
        fs::read(&self.counter).ok().and_then(|text| counted(&String::from_utf8_lossy(&text))).unwrap_or(0)
    }

    /// Sends `count` mails of `size` bytes with smtp-source over as many sessions, which stay open; answers the time.
    pub fn flood(&self, count: usize, size: usize, sessions: usize) -> Result<Duration> {
        let before = self.count();
        let mut source = Command::new(program("smtp-source").context("smtp-source was there a moment ago")?);
        source.args(["-d", "-f", "support@crm.example", "-t", "someone@customer.example"]);
        for (flag, value) in [("-s", sessions), ("-l", size), ("-m", count)] {
            source.args([flag, &value.to_string()]);
        }
        let start = Instant::now();
        output(source.arg(self.address.to_string()))?;
        let took = start.elapsed();
        let taken = self.count() - before;
        ensure!(taken == count as u64, "smtp-source sent {count} mails and smtp-sink took {taken}");
        Ok(took)
    }
}

/// The last `mesg=N` of what `smtp-sink -c` writes over and over, with a carriage return after each.
fn counted(text: &str) -> Option<u64> {
    let number = text.rsplit("mesg=").find_map(|rest| rest.split_once('\r')?.0.trim().parse().ok());
    number.filter(|_| text.contains("mesg="))
}

/// Debian keeps both out of the users' PATH.
fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/local/sbin", "/usr/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(counted(text), expected, "{text:?}");
    }

    #[test]
    fn the_last_whole_count_counts() {
        check("", None);
        check("sess=1 quit=0 mesg=1\r", Some(1));
        check("sess=1 quit=0 mesg=9\rsess=1 quit=0 mesg=10\r", Some(10));
        check("sess=1 quit=0 mesg=9\rsess=1 quit=0 mesg=1", Some(9));
    }
}
