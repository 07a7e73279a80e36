//! One load on one server: every mail accepted, then every mail filed, each timed apart.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::mails::Mail;
use super::process::LOOK;
use super::site::Site;
use super::table::Row;
use super::{Run, sender};

/// How it went.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub mails: usize,
    /// From the first connection to the last acknowledgement. Filing runs along.
    pub accept: Duration,
    /// Filing that was still to be done when the last one was acknowledged.
    pub backlog: u64,
    /// From the last acknowledgement until nothing waits.
    pub drain: Duration,
    pub server_cpu: Duration,
    /// Of a database that runs apart.
    pub database_cpu: Option<Duration>,
    pub sender_cpu: Duration,
    /// Bytes.
    pub peak: u64,
    /// How often the server asked to come again later.
    pub later: u64,
    /// Messages with a record, of those that this load brought.
    pub tracked: u64,
    /// Messages that could not be filed.
    pub shelf: u64,
}

impl Load {
    /// Mails a second from the first connection to the last acknowledgement.
    pub fn accepted(&self) -> f64 {
        self.mails as f64 / self.accept.as_secs_f64()
    }

    /// Mails a second from the first connection to the last stored activity.
    pub fn whole(&self) -> f64 {
        self.mails as f64 / (self.accept + self.drain).as_secs_f64()
    }

    /// Three rows: accepting, draining what was left, the whole way.
    pub fn rows(&self, what: &str, database: &str, accept: Peer, whole: Peer) -> Vec<Row> {
        let row = |part: &str, rate, beside: Peer| Row {
            scenario: format!("{what}: {part}"),
            database: database.to_owned(),
            messages: self.mails as u64,
            rate,
            beside: beside.map(|(name, rate)| (name.to_owned(), rate)),
            ..Row::default()
        };
        let each = |time: Duration| Some(time.as_secs_f64() * 1000.0 / self.mails as f64);
        let drained = match self.backlog {
            0 => None,
            some => Some(some as f64 / self.drain.as_secs_f64()),
        };
        vec![
            row("accepted", Some(self.accepted()), accept),
            Row { messages: self.backlog, ..row("backlog drained", drained, None) },
            Row {
                server_cpu: each(self.server_cpu),
                database_cpu: self.database_cpu.and_then(each),
                sender_cpu: each(self.sender_cpu),
                peak: Some(self.peak as f64 / 1e6),
                ..row("accepted and filed", Some(self.whole()), whole)
            },
        ]
    }

    /// For the notes: whether the work was done as well as fast. `wanted` of the mails belong to a record.
    pub fn outcome(&self, wanted: usize) -> String {
        let mut text = format!("{} of {wanted} mails that belong to a record found it", self.tracked);
        if self.shelf > 0 {
            text.push_str(&format!(", {} ended on the shelf", self.shelf));
        }
        if self.later > 0 {
            text.push_str(&format!(", {} times the server asked to come later", self.later));
        }
        text
    }
}

/// A peer's name and its mails a second.
pub type Peer<'a> = Option<(&'a str, f64)>;

/// Starts the site's server, sends, waits until nothing waits, stops it.
///
/// # Errors
/// When a mail is lost or stands twice.
pub fn run(site: &Site, mails: &[Mail], sessions: usize) -> Result<Load> {
    rustix::fs::sync(); // what was prepared before must not be written out while this is measured
    let server = site.serve()?;
    let mut look = site.look()?;
    let before = look.stored()?;
    let cpu = server.cpu()?;
    let sent = sender::send(server.smtp, mails, sessions)?;
    let drain = Instant::now();
    let backlog = look.waiting()?;
    while look.waiting()? > 0 {
        thread::sleep(LOOK);
    }
    let drain = if backlog == 0 { Duration::ZERO } else { drain.elapsed() };
    let spent = server.cpu()?;
    let after = look.stored()?;
    let [stored, tracked, shelf] = [0, 1, 2].map(|place| after[place] - before[place]);
    ensure!(stored == mails.len() as u64, "{} mails were acknowledged and {stored} stored", mails.len());
    let database_cpu = spent.1 - cpu.1;
    Ok(Load {
        mails: mails.len(),
        accept: sent.took,
        backlog,
        drain,
        server_cpu: spent.0 - cpu.0,
        database_cpu: (database_cpu > Duration::ZERO).then_some(database_cpu),
        sender_cpu: sent.cpu,
        peak: server.peak()?,
        later: sent.later,
        tracked,
        shelf,
    })
}

/// The best of the runs by `rate`, each on a new site.
pub fn best(
    bench: &Run,
    database: &str,
    name: &str,
    mails: &[Mail],
    sessions: usize,
    rate: fn(&Load) -> f64,
) -> Result<Load> {
    let mut best: Option<Load> = None;
    for number in 1..=bench.options.runs {
        let site = bench.site(database, &format!("{name}-{number}"))?;
        let load = run(&site, mails, sessions)?;
        site.remove()?;
        bench.say(&format!("  run {number}: accepted {:.0}/s, filed {:.0}/s", load.accepted(), load.whole()));
        if best.as_ref().is_none_or(|best| rate(&load) > rate(best)) {
            best = Some(load);
        }
    }
    Ok(best.expect("there is one run at least"))
}
