//! What it costs to watch 500 mailboxes in which nothing happens.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::Run;
use super::dovecot::{self, Dovecot};
use super::look::Look;
use super::process::wait;
use super::table::Row;

/// Mailboxes, seconds to come to rest, seconds measured: long enough for the folder beside the Inbox to be asked about
/// at its slowest pace.
const FULL: (usize, u64, u64) = (500, 20, 180);
const QUICK: (usize, u64, u64) = (50, 3, 10);

pub fn measure(run: &mut Run) -> Result<()> {
    if let Some(missing) = Dovecot::missing("watching idle mailboxes") {
        run.table.notes.push(missing);
        return Ok(());
    }
    let (count, rest, seconds) = if run.options.quick { QUICK } else { FULL };
    let dovecot = Dovecot::start(&run.folder.path().join("dovecot-idle"))?;
    let secrets = run.folder.path().join("idle");
    fs::create_dir_all(&secrets)?;
    let secret = dovecot::secret(&secrets)?;
    let mailbox = |number| dovecot.mailbox(&format!("box{number}"), &secret, &["INBOX", "Sent"]);
    let more: String = (0..count).map(mailbox).collect();
    let database = run.databases()[0];
    let site = run.site_with(database, "idle", &more)?;
    run.say(&format!("{count} idle mailboxes on {database}"));
    let server = site.serve()?;
    let mut look = site.look()?;
    wait("all mailboxes being watched", || Ok((watching(&mut look)? == count as u64).then_some(())))?;
    thread::sleep(Duration::from_secs(rest));
    let before = server.cpu()?;
    thread::sleep(Duration::from_secs(seconds));
    let after = server.cpu()?;
    let percent = |cpu: Duration| cpu.as_secs_f64() * 100.0 / seconds as f64;
    let scenario = format!("{count} idle mailboxes on one Dovecot, {seconds} s");
    let mut note = format!("{scenario}: {:.0} MB at the end", server.resident()? as f64 / 1e6);
    if after.1 > before.1 {
        note.push_str(&format!(", the database {:.1} % of a core", percent(after.1 - before.1)));
    }
    run.table.notes.push(note);
    run.table.rows.push(Row {
        scenario,
        database: database.to_owned(),
        core_percent: Some(percent(after.0 - before.0)),
        peak: Some(server.peak()? as f64 / 1e6),
        ..Row::default()
    });
    drop(server);
    site.remove()
}

/// Mailboxes whose every folder was looked at and that wait for news.
fn watching(look: &mut Look) -> Result<u64> {
    let sql = "select count(*) from watch_mailbox w where report like '%\"watching\"%' \
               and (select count(*) from watch_folder f where f.mailbox = w.mailbox) = 2";
    Ok(look.numbers(sql)?[0])
}
