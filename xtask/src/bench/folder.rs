//! What a new mail costs in a folder that holds 10, 1,000 or 100,000 already, all of them behind the cursor.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::dovecot::{self, Dovecot, Session};
use super::flat::thousands;
use super::look::Look;
use super::process::{PATIENCE, wait};
use super::site::{self, Server};
use super::table::{Latency, Row};
use super::{Run, gauge};

const FULL: Plan = Plan { sizes: [10, 1000, 100_000], single: 60, lot: 1000 };
const QUICK: Plan = Plan { sizes: [10, 100, 1000], single: 10, lot: 100 };
/// Bytes of the mails that lie there.
const OLD: usize = 600;
/// Bytes of the new ones.
const NEW: usize = 9000;
/// Mails in one APPEND when the folder is filled.
const LOT: usize = 1000;
/// Between two looks for a mail that should be stored any moment.
const GLANCE: Duration = Duration::from_millis(1);

struct Plan {
    /// Messages in the folder beforehand.
    sizes: [usize; 3],
    /// New mails that come one by one.
    single: usize,
    /// New mails that come together.
    lot: usize,
}

pub fn measure(run: &mut Run) -> Result<()> {
    if let Some(missing) = Dovecot::missing("watching a large folder") {
        run.table.notes.push(missing);
        return Ok(());
    }
    let plan = if run.options.quick { QUICK } else { FULL };
    let dovecot = Dovecot::start(&run.folder.path().join("dovecot-folder"))?;
    let secrets = run.folder.path().join("folder");
    fs::create_dir_all(&secrets)?;
    let secret = dovecot::secret(&secrets)?;
    let mut first = None;
    for size in plan.sizes {
        run.say(&format!("new mails in a folder of {}", thousands(size)));
        let mut rows = one(run, &dovecot, &secret, size, &plan)?;
        let rate = rows[1].rate.unwrap_or_default();
        rows[1].beside = first.map(|rate| (format!("folder of {}", plan.sizes[0]), rate));
        first = first.or(Some(rate));
        run.table.rows.extend(rows);
    }
    Ok(())
}

/// Fills a folder, lets the server see it, then adds mails: one by one, and many at once.
fn one(run: &mut Run, dovecot: &Dovecot, secret: &Path, size: usize, plan: &Plan) -> Result<[Row; 2]> {
    let name = format!("folder{size}");
    let mut session = dovecot.session(&name)?;
    let old: Vec<Vec<u8>> = run.corpus.letters("old", size, OLD).map(|(_, raw)| raw).collect();
    old.chunks(LOT).try_for_each(|lot| session.append(lot))?;
    let database = run.databases()[0];
    let site = run.site_with(database, &name, &dovecot.mailbox(&name, secret, &["INBOX"]))?;
    let server = site.serve()?;
    let mut look = site.look()?;
    // From now on: what lies there is not read.
    wait("the first look at the folder", || {
        let sql = "select (select count(*) from watch_folder), (select count(*) from watch_mailbox \
                   where report like '%\"watching\"%')";
        Ok((look.numbers(sql)? == [1, 1]).then_some(()))
    })?;
    let new = plan.single + plan.lot;
    let mut letters: Vec<Vec<u8>> = run.corpus.letters(&name, new, NEW).map(|(_, raw)| raw).collect();
    let lot = letters.split_off(plan.single);
    let place = format!("in a folder of {}", thousands(size));
    let mut watch = Watch { server, look, dovecot: dovecot.id(), stored: 0 };
    let single =
        watch.measured(&mut session, &letters.iter().map(std::slice::from_ref).collect::<Vec<_>>())?;
    let many = watch.measured(&mut session, &[&lot])?;
    let peak = Some(watch.server.peak()? as f64 / 1e6);
    drop(watch);
    site.remove()?;
    run.table.notes.push(format!("new mail {place}: Dovecot itself took {:.2} ms of CPU", single.peer));
    let postgres = database == site::POSTGRES;
    let row = |scenario: String, count: usize, cost: &Cost| Row {
        scenario,
        database: database.to_owned(),
        messages: count as u64,
        server_cpu: Some(cost.server),
        database_cpu: postgres.then_some(cost.database),
        peak,
        ..Row::default()
    };
    Ok([
        Row {
            latency: Latency::of(single.times.clone()),
            ..row(format!("one new mail after another {place}"), plan.single, &single)
        },
        Row {
            rate: many.times.first().map(|time| plan.lot as f64 / time.as_secs_f64()),
            ..row(format!("{} new mails at once {place}", thousands(plan.lot)), plan.lot, &many)
        },
    ])
}

/// What is looked at while mails come in.
struct Watch {
    server: Server,
    look: Look,
    /// Dovecot's first process.
    dovecot: u32,
    /// Mails that came so far.
    stored: u64,
}

/// What mails cost.
struct Cost {
    /// From Dovecot's OK for a lot until all of it was stored.
    times: Vec<Duration>,
    /// CPU in milliseconds a mail: ours, the database's, Dovecot's.
    server: f64,
    database: f64,
    peer: f64,
}

impl Watch {
    /// Adds each lot when the one before is stored, and waits until all is filed.
    fn measured(&mut self, session: &mut Session, lots: &[&[Vec<u8>]]) -> Result<Cost> {
        let (before, peer) = (self.server.cpu()?, gauge::tree(self.dovecot));
        let (mut times, first) = (Vec::with_capacity(lots.len()), self.stored);
        for lot in lots {
            session.append(lot)?;
            let added = Instant::now();
            self.stored += lot.len() as u64;
            while self.look.stored()?[0] < self.stored {
                ensure!(added.elapsed() < PATIENCE, "new mail was not stored within {PATIENCE:?}");
                thread::sleep(GLANCE);
            }
            times.push(added.elapsed());
        }
        while self.look.waiting()? > 0 {
            thread::sleep(GLANCE);
        }
        let (after, peer) = (self.server.cpu()?, gauge::tree(self.dovecot).saturating_sub(peer));
        let stored = self.look.stored()?[0];
        ensure!(stored == self.stored, "{} new mails and {stored} stored: old ones were read", self.stored);
        let each = |time: Duration| time.as_secs_f64() * 1000.0 / (self.stored - first) as f64;
        Ok(Cost {
            times,
            server: each(after.0 - before.0),
            database: each(after.1 - before.1),
            peer: each(peer),
        })
    }
}
