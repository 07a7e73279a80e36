//! How fast mail is accepted, beside Postfix with the same mails, sender and disk.

use anyhow::Result;

use super::load::{self, Load};
use super::mails::Mail;
use super::postfix::Postfix;
use super::table::Row;
use super::{Run, gauge, sender, site};

/// Sessions, and how many mails of 9 KB go over them.
const FULL: [(usize, usize); 3] = [(1, 1000), (8, 4000), (32, 4000)];
const QUICK: [(usize, usize); 3] = [(1, 200), (8, 800), (32, 800)];
const SIZE: usize = 9000;

/// The rows of Postfix, then ours for each database.
pub fn measure(run: &mut Run) -> Result<()> {
    let plan = if run.options.quick { QUICK } else { FULL };
    let mut peers = Vec::new();
    for (sessions, count) in plan {
        let mails = mails(run, count);
        let peer = match Postfix::missing() {
            Some(missing) => {
                if peers.is_empty() {
                    run.table.notes.push(missing);
                }
                None
            }
            None => Some(postfix(run, &mails, sessions)?),
        };
        peers.push((sessions, mails, peer));
    }
    for database in run.databases() {
        for (sessions, mails, peer) in &peers {
            let what = format!("accept 9 KB, {}", plural(*sessions));
            run.say(&format!("{what} on {database}"));
            let best =
                load::best(run, database, &format!("accept-{sessions}"), mails, *sessions, Load::accepted)?;
            run.table.notes.push(format!("{what} on {database}: {}", best.outcome(mails.len())));
            let peer = peer.map(|rate| ("Postfix", rate));
            run.table.rows.extend(best.rows(&what, database, peer, None));
        }
    }
    Ok(())
}

fn mails(run: &Run, count: usize) -> Vec<Mail> {
    let letters = run.corpus.letters("accept", count, SIZE);
    letters.map(|(from, raw)| Mail::new(&from, site::RECIPIENT, &raw)).collect()
}

/// Measures Postfix, adds its row, answers its rate.
fn postfix(run: &mut Run, mails: &[Mail], sessions: usize) -> Result<f64> {
    run.say(&format!("Postfix, {}", plural(sessions)));
    let mut best: Option<Row> = None;
    for number in 1..=run.options.runs {
        let postfix = Postfix::start(&run.folder.path().join(format!("postfix-{sessions}-{number}")), None)?;
        let before = gauge::tree(postfix.id());
        let sent = sender::send(postfix.address, mails, sessions)?;
        postfix.drained()?;
        let cpu = gauge::tree(postfix.id()).saturating_sub(before);
        let each = |time: std::time::Duration| Some(time.as_secs_f64() * 1000.0 / mails.len() as f64);
        let rate = mails.len() as f64 / sent.took.as_secs_f64();
        run.say(&format!("  run {number}: accepted {rate:.0}/s"));
        if best.as_ref().is_none_or(|best| best.rate < Some(rate)) {
            best = Some(Row {
                scenario: format!("Postfix accepts 9 KB, {}", plural(sessions)),
                database: "–".to_owned(),
                messages: mails.len() as u64,
                rate: Some(rate),
                server_cpu: each(cpu),
                sender_cpu: each(sent.cpu),
                ..Row::default()
            });
        }
    }
    let best = best.expect("there is one run at least");
    let rate = best.rate.expect("set just now");
    run.table.rows.push(best);
    Ok(rate)
}

fn plural(sessions: usize) -> String {
    if sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") }
}
