//! A look into the database while the server runs, through a client of the database that stays open.
//!
//! A command of the product for each look would cost more CPU than what is measured.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::process::Process;

/// Reads a statement a line, prints its only row with the columns parted by blanks.
const SQLITE: &str = "
import sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, isolation_level=None)
for line in sys.stdin:
    print(*db.execute(line).fetchone(), flush=True)
";

/// An open client.
pub struct Look {
    process: Process,
    answers: BufReader<ChildStdout>,
}

impl Look {
    pub fn sqlite(path: &Path) -> Result<Look> {
        let mut command = Command::new("python3");
        command.args(["-c", SQLITE]).arg(path);
        Look::start(command)
    }

    /// `psql` as `cluster::Cluster::psql` makes it.
    pub fn postgres(mut psql: Command) -> Result<Look> {
        psql.args(["-F", " "]);
        Look::start(psql)
    }

    fn start(mut command: Command) -> Result<Look> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, Signal::KILL)?;
        let answers = process.child().stdout.take().expect("piped just now");
        Ok(Look { process, answers: BufReader::new(answers) })
    }

    /// The numbers in the one row that a statement answers with.
    pub fn numbers(&mut self, sql: &str) -> Result<Vec<u64>> {
        let input = self.process.child().stdin.as_mut().expect("piped, and never taken");
        writeln!(input, "{sql};").context("the database's client has ended")?;
        input.flush()?;
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "the database's client has ended at {sql}");
        let number = |word: &str| word.parse().with_context(|| format!("{sql}: {word:?} is no number"));
        line.split_ascii_whitespace().map(number).collect()
    }

    /// Filing still to be done: mail that nobody has looked at, and replies to be looked at again now that their parent
    /// is placed.
    pub fn waiting(&mut self) -> Result<u64> {
        let sql = "select count(*) from job where kind = 'mail.file' and state in ('ready', 'leased')";
        Ok(self.numbers(sql)?[0])
    }

    /// All messages, those that have a record, and those on the shelf.
    pub fn stored(&mut self) -> Result<[u64; 3]> {
        let sql =
            "select count(*), count(record_id), count(case when state = 'shelf' then 1 end) from message";
        let found = self.numbers(sql)?;
        found.try_into().ok().context("three numbers were asked for")
    }
}
