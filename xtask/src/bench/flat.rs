//! Whether a mail takes longer when much is stored already.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::load::{self, Load};
use super::process::output;
use super::site::{Database, Site};
use super::{Run, root};

/// Messages that are filed by the product before the copying starts.
const FEW: usize = 1000;
/// Bytes of each.
const SIZE: usize = 1000;
const SESSIONS: usize = 8;

/// A row for the few, then one for the many beside it.
pub fn measure(run: &mut Run) -> Result<()> {
    let (copies, sent) = if run.options.quick { (19, 100) } else { (299, 500) };
    for database in run.databases() {
        let few = seeded(run, database)?;
        let first = measured(run, database, &few, FEW, sent)?;
        let many = copied(run, database, &few, "many")?;
        few.remove()?;
        let stored = FEW * (copies + 1);
        run.say(&format!("copying {FEW} messages on {database} until there are {stored}"));
        multiply(&many, copies)?;
        let load = measured(run, database, &many, stored, sent)?;
        many.remove()?;
        for (stored, load) in [(FEW, &first), (stored, &load)] {
            let outcome = load.outcome(run.corpus.tracked(sent));
            run.table.notes.push(format!("{sent} after {} on {database}: {outcome}", thousands(stored)));
        }
        let what = |stored: usize| format!("{sent} of the corpus after {}", thousands(stored));
        run.table.rows.extend(first.rows(&what(FEW), database, None, None));
        run.table.rows.extend(load.rows(&what(stored), database, None, Some(("after 1,000", first.whole()))));
    }
    Ok(())
}

/// A site at which a thousand small mails were filed.
fn seeded(run: &Run, database: &str) -> Result<Site> {
    run.say(&format!("filing {FEW} messages on {database}"));
    let site = run.site(database, "few")?;
    let mbox = run.folder.path().join("few.mbox");
    let mut file = BufWriter::new(File::create(&mbox)?);
    for (sender, raw) in run.corpus.letters("seed", FEW, SIZE) {
        write!(file, "From {sender} Mon Nov  2 10:00:00 2026\r\n")?;
        file.write_all(&raw)?;
        file.write_all(b"\r\n")?;
    }
    file.flush()?;
    site.command(&["message", "import", "--mailbox", "support"], &[&mbox])?;
    Ok(site)
}

/// Copies the rows of what is stored, straight in the database.
fn multiply(site: &Site, copies: usize) -> Result<()> {
    let mut script = Command::new("python3");
    script.arg(root().join("xtask/data/copies.py")).arg(copies.to_string());
    match &site.database {
        Database::Sqlite(path) => script.arg("sqlite").arg(path),
        Database::Postgres(place) => {
            let psql = place.psql();
            script.arg("postgres").arg(psql.get_program()).args(psql.get_args())
        }
    };
    output(&mut script).map(drop)
}

/// The best of the runs, each on a copy of the site.
fn measured(run: &Run, database: &str, site: &Site, stored: usize, sent: usize) -> Result<Load> {
    run.say(&format!("{sent} of the corpus on {database} with {stored} stored"));
    let mut best: Option<Load> = None;
    for number in 1..=run.options.runs {
        let copy = copied(run, database, site, &format!("flat-{stored}-{number}"))?;
        let load = load::run(&copy, &run.corpus.mails[..sent], SESSIONS)?;
        copy.remove()?;
        run.say(&format!("  run {number}: accepted {:.0}/s, filed {:.0}/s", load.accepted(), load.whole()));
        if best.as_ref().is_none_or(|best| load.whole() > best.whole()) {
            best = Some(load);
        }
    }
    Ok(best.expect("there is one run at least"))
}

fn copied(run: &Run, database: &str, site: &Site, name: &str) -> Result<Site> {
    let folder = run.folder.path().join(format!("{database}-{name}"));
    fs::create_dir_all(&folder)?;
    let database = match (&site.database, &run.cluster) {
        (Database::Postgres(place), Some(cluster)) => {
            let copy = cluster.copy(place, name)?;
            copy.run("vacuum analyze")?;
            copy.run("checkpoint")?;
            Database::Postgres(copy)
        }
        (Database::Postgres(_), None) => unreachable!("a site on PostgreSQL was made in the cluster"),
        (Database::Sqlite(path), _) => Database::Sqlite(copy_file(path, &folder)?),
    };
    Site::new(&run.program, folder, database, "")
}

/// Copies a database file that nobody uses, with its log if one is left, and waits until the copy is on the disk: what
/// is measured next must not pay for it.
fn copy_file(path: &Path, folder: &Path) -> Result<std::path::PathBuf> {
    let name = path.file_name().context("a database has a name")?.to_string_lossy().into_owned();
    for ending in ["", "-wal"] {
        let from = format!("{}{ending}", path.display());
        if Path::new(&from).exists() {
            let to = folder.join(format!("{name}{ending}"));
            fs::copy(&from, &to).with_context(|| from.clone())?;
            File::open(&to)?.sync_all()?;
        }
    }
    Ok(folder.join(name))
}

/// `300,000`
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
    if head.is_empty() {
        tail.to_owned()
    } else {
        format!("{},{tail}", thousands(head.parse().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, expected) in [(7, "7"), (1000, "1,000"), (300_000, "300,000"), (1_000_000, "1,000,000")]
        {
            assert_eq!(thousands(number), expected);
        }
    }
}
