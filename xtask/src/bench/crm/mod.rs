//! `cargo xtask bench crm`: a million contacts in the embedded CRM, copied, written, changed and asked for over its doors.
//!
//! * [`copying`]: the client of [`reader`], which is the product's own make with a local table behind it.
//! * [`asking`]: what a program does that knows HTTP only, one request after another.
//!
//! Beside the copy stand a floor, SQLite alone copying the same rows, and a [`peer`], Microsoft's Python SDK. How to read the table: docs/BENCHMARKS.md.

mod asking;
mod copying;
mod peer;
pub mod people;
mod reader;
mod table;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use tempfile::TempDir;

use self::table::Table;
use super::cluster::Cluster;
use super::site::{Server, Site};
use super::{Which, machine, rows};

/// `bench crm`
#[derive(Debug, Args)]
pub struct Crm {
    /// Small counts: a look in a minute, no figures to keep
    #[arg(long)]
    pub quick: bool,
    /// Only this part, after the contacts were written; repeatable [default: all]
    #[arg(long, value_name = "PART")]
    pub only: Vec<Part>,
    /// Which database to measure
    #[arg(long, value_name = "WHICH", default_value = "both")]
    pub database: Which,
    /// Contacts; several sizes rise [default: 100000 1000000]
    #[arg(long, value_name = "N", num_args = 1..)]
    pub contacts: Vec<usize>,
    /// Where databases are put: the disk that is measured [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The client that copies, instead of building one
    #[arg(long, value_name = "FILE")]
    pub reader: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// All contacts through pages into a local table
    Read,
    /// Runs through changes with 0, 100 and 10,000 changes
    Changes,
    /// Single creates, retrieves and filtered queries with 1 and 32 clients
    Single,
    /// A batch of 1,000 and an aggregate over all contacts
    Whole,
    /// The start of the server
    Start,
}

/// Everything the parts share.
struct Run<'a> {
    options: &'a Crm,
    program: PathBuf,
    reader: PathBuf,
    folder: TempDir,
    cluster: Option<Cluster>,
    table: Table,
}

/// A site that is measured.
struct Subject {
    database: &'static str,
    site: Site,
    /// Not while it is started anew.
    server: Option<Server>,
    token: String,
    /// How many contacts it has.
    contacts: usize,
}

/// Measures and prints.
///
/// # Errors
/// When something that is measured does not start or answers wrongly.
pub fn run(options: &Crm) -> Result<()> {
    // One build for both: by themselves they would be built with other features of what they share.
    let both = [
        "--package",
        "postroom",
        "--bin",
        "postroom",
        "--package",
        "postroom-crm",
        "--example",
        "local_copy",
    ];
    let program = super::program(&options.program, &both, "postroom")?;
    let reader = super::program(&options.reader, &both, "examples/local_copy")?;
    let folder = super::folder(&options.folder)?;
    let cluster = options.database.cluster(folder.path())?;
    let table = Table { rows: Vec::new(), notes: machine::notes(folder.path())? };
    let mut run = Run { options, program, reader, folder, cluster, table };
    for database in options.database.names() {
        run.measure(database)?;
    }
    run.table.notes.extend(machine::load_now());
    super::print(&run.table, options.json)
}

impl Run<'_> {
    fn wants(&self, part: Part) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&part)
    }

    fn sizes(&self) -> Vec<usize> {
        match (self.options.contacts.as_slice(), self.options.quick) {
            ([], true) => vec![2000, 20_000],
            ([], false) => vec![100_000, 1_000_000],
            (given, _) => given.to_vec(),
        }
    }

    fn measure(&mut self, database: &'static str) -> Result<()> {
        let mut subject = self.subject(database)?;
        for size in self.sizes() {
            ensure!(size > subject.contacts, "--contacts takes sizes that rise");
            copying::write(self, &mut subject, size)?;
            if self.wants(Part::Read) {
                copying::read(self, &subject)?;
            }
            if self.wants(Part::Read) && size == self.sizes()[0] {
                peer::read(self, &mut subject)?;
            }
        }
        if self.wants(Part::Changes) {
            copying::changes(self, &subject)?;
        }
        if self.wants(Part::Single) {
            asking::singles(self, &subject)?;
        }
        if self.wants(Part::Whole) {
            asking::whole(self, &subject)?;
        }
        if self.wants(Part::Start) {
            asking::start(self, &mut subject)?;
        }
        subject.stop();
        subject.site.remove()
    }

    /// A site with a hundred accounts, serving.
    fn subject(&self, database: &'static str) -> Result<Subject> {
        let site =
            super::new_site(&self.program, self.folder.path(), self.cluster.as_ref(), database, "crm", HTTP)?;
        let mut accounts = rows::Rows::create(site.folder.join("accounts.jsonl"))?;
        for number in 0..100 {
            accounts.put(
                "account",
                &rows::id(ACCOUNT, number),
                &json!({ "name": format!("Account {number}") }),
            )?;
        }
        site.command(&["record", "import"], &[&accounts.done()?])?;
        let token = site.token("crm")?;
        let server = Some(site.serve()?);
        Ok(Subject { database, site, server, token, contacts: 0 })
    }

    fn measured(&mut self, row: table::Row) {
        self.say(&row.line());
        self.table.rows.push(row);
    }

    fn say(&self, what: &str) {
        super::say(self.options.json, what);
    }
}

/// The series of the accounts' ids.
const ACCOUNT: u8 = 9;
/// What the configuration has besides.
const HTTP: &str = "\n[http]\nlisten = \"127.0.0.1:0\"\n";

impl Subject {
    fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("the server was stopped")
    }

    fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the server anew, with more lines in its section `[http]`.
    fn serve(&mut self, more: &str) -> Result<()> {
        self.stop();
        self.site.configure(&format!("{HTTP}{more}"))?;
        self.server = Some(self.site.serve()?);
        Ok(())
    }

    fn address(&self) -> Result<std::net::SocketAddr> {
        self.server()?.http.context("the site has an API")
    }
}
