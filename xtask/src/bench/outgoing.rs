//! How fast the CRM's mail leaves: from *Pending Send* to the mail server's last 250, beside smtp-source and beside a
//! Postfix that has a queue too.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::look::Look;
use super::mails::Mail;
use super::postfix::Postfix;
use super::process::{LOOK, wait};
use super::sink::Sink;
use super::site::{self, Site};
use super::table::Row;
use super::{Run, gauge, mails, rows, sender};

const FULL: usize = 1000;
const QUICK: usize = 100;
const SIZE: usize = 9000;
/// Of the description, so that a mail with its text and its HTML has `SIZE` bytes.
const HTML: usize = 4000;
/// What `smtp_out.max_connections` is when nobody sets it.
const CONNECTIONS: usize = 4;

/// How one run went.
struct Sent {
    /// From the first claim to the last answer.
    took: Duration,
    /// Until the CRM had been told of all.
    server_cpu: Duration,
    database_cpu: Duration,
    peak: u64,
}

/// The rows of smtp-source and Postfix, then ours for each database.
pub fn measure(run: &mut Run) -> Result<()> {
    if let Some(missing) = Sink::missing() {
        run.table.notes.push(missing);
        return Ok(());
    }
    let count = if run.options.quick { QUICK } else { FULL };
    let sink = Sink::start(&run.folder.path().join("sink"))?;
    let peer = source(run, &sink, count * 10)?;
    match Postfix::missing() {
        Some(missing) => run.table.notes.push(missing),
        None => queue(run, &sink, count)?,
    }
    for database in run.databases() {
        run.say(&format!("{count} mails out of the CRM on {database}"));
        let mut best: Option<Sent> = None;
        for number in 1..=run.options.runs {
            let sent = once(run, database, number, &sink, count)?;
            run.say(&format!("  run {number}: sent {:.0}/s", count as f64 / sent.took.as_secs_f64()));
            if best.as_ref().is_none_or(|best| sent.took < best.took) {
                best = Some(sent);
            }
        }
        let best = best.expect("there is one run at least");
        run.table.rows.push(row(database, count, &best, peer));
    }
    Ok(())
}

fn source(run: &mut Run, sink: &Sink, count: usize) -> Result<f64> {
    run.say("smtp-source");
    let mut rate: f64 = 0.0;
    for _ in 1..=run.options.runs {
        let took = sink.flood(count, SIZE, CONNECTIONS)?;
        rate = rate.max(count as f64 / took.as_secs_f64());
    }
    run.table.rows.push(Row {
        scenario: format!("smtp-source sends 9 KB, {CONNECTIONS} sessions"),
        database: "–".to_owned(),
        messages: count as u64,
        rate: Some(rate),
        ..Row::default()
    });
    Ok(rate)
}

/// A Postfix that takes the mails into its queue and hands them on: what a mail server does with a durable queue.
fn queue(run: &mut Run, sink: &Sink, count: usize) -> Result<()> {
    let letters = run.corpus.letters("queue", count, SIZE);
    let mails: Vec<Mail> = letters.map(|(to, raw)| Mail::new(site::RECIPIENT, &to, &raw)).collect();
    let mut best: Option<Row> = None;
    for number in 1..=run.options.runs {
        let folder = run.folder.path().join(format!("postfix-queue-{number}"));
        let postfix = Postfix::start(&folder, Some(sink.address))?;
        let (before, cpu, start) = (sink.count(), gauge::tree(postfix.id()), Instant::now());
        sender::send(postfix.address, &mails, CONNECTIONS)?;
        wait("Postfix's last mail", || Ok((sink.count() - before >= count as u64).then_some(())))?;
        let rate = count as f64 / start.elapsed().as_secs_f64();
        let cpu = gauge::tree(postfix.id()).saturating_sub(cpu);
        run.say(&format!("Postfix run {number}: handed on {rate:.0}/s"));
        if best.as_ref().is_none_or(|best| best.rate < Some(rate)) {
            best = Some(Row {
                scenario: format!("Postfix takes 9 KB and hands it on, {CONNECTIONS} sessions"),
                database: "–".to_owned(),
                messages: count as u64,
                rate: Some(rate),
                server_cpu: Some(cpu.as_secs_f64() * 1000.0 / count as f64),
                ..Row::default()
            });
        }
    }
    run.table.rows.extend(best);
    Ok(())
}

fn row(database: &str, count: usize, sent: &Sent, peer: f64) -> Row {
    let each = |time: Duration| Some(time.as_secs_f64() * 1000.0 / count as f64);
    Row {
        scenario: format!("send 9 KB from Pending Send, {CONNECTIONS} connections"),
        database: database.to_owned(),
        messages: count as u64,
        rate: Some(count as f64 / sent.took.as_secs_f64()),
        beside: Some(("smtp-source".to_owned(), peer)),
        server_cpu: each(sent.server_cpu),
        database_cpu: Some(sent.database_cpu).filter(|cpu| !cpu.is_zero()).and_then(each),
        peak: Some(sent.peak as f64 / 1e6),
        ..Row::default()
    }
}

fn once(run: &Run, database: &str, number: u32, sink: &Sink, count: usize) -> Result<Sent> {
    let more = format!(
        "\n[smtp_out]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nhostname = \"postroom.crm.example\"\n",
        sink.address.ip(),
        sink.address.port()
    );
    let site = run.site_with(database, &format!("outgoing-{number}"), &more)?;
    let rows = rows::pending(&site.folder.join("pending.jsonl"), count, &mails::html(HTML))?;
    site.command(&["record", "import"], &[&rows])?;
    let sent = served(&site, sink, count as u64)?;
    site.remove()?;
    Ok(sent)
}

/// Starts the server, which finds all of it pending, and waits until all is sent and told.
fn served(site: &Site, sink: &Sink, count: u64) -> Result<Sent> {
    rustix::fs::sync(); // what was prepared before must not be written out while this is measured
    let (mut look, before) = (site.look()?, sink.count());
    let database_before = site.database_cpu();
    let server = site.serve()?;
    while stands(&mut look)?[0] == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    let start = Instant::now();
    loop {
        let [_, sent, stuck] = stands(&mut look)?;
        ensure!(stuck == 0, "{stuck} mails are held, refused or unknown; all should be sent");
        if sent == count {
            break;
        }
        thread::sleep(LOOK);
    }
    let took = start.elapsed();
    while look
        .numbers("select count(*) from job where kind = 'mail.send' and state in ('ready', 'leased')")?[0]
        > 0
    {
        thread::sleep(LOOK);
    }
    let (server_cpu, database_cpu) = server.cpu()?;
    let database_cpu = database_cpu.saturating_sub(database_before);
    let taken = sink.count() - before;
    ensure!(taken == count, "{count} mails are sent and smtp-sink took {taken}");
    Ok(Sent { took, server_cpu, database_cpu, peak: server.peak()? })
}

/// Mails claimed, sent, and in a state in which none should be.
fn stands(look: &mut Look) -> Result<[u64; 3]> {
    let sql = "select count(*), count(case when state = 'sent' then 1 end), \
               count(case when state in ('held', 'failed', 'unknown', 'bounced') then 1 end) from outgoing";
    let found = look.numbers(sql)?;
    found.try_into().map_err(|_| anyhow::anyhow!("three numbers were asked for"))
}
