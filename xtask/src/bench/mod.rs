//! `cargo xtask bench`: how fast the product is, in tables of one run each. [`crm`] measures the CRM's doors and makes,
//! [`marketing`] people in step with the marketing service; the rest is `bench mail`: how fast mail is accepted and filed, sent, watched and stamped.
//!
//! Beside each rate stands a peer's for the same mail on the same disk: Postfix for accepting, SQLite itself for the
//! whole way, Postfix' smtp-source for sending. It measures the release build as a process of its own; nothing of the product is linked in here. How to
//! read the table: docs/BENCHMARKS.md.

mod accept;
mod cluster;
mod corpus;
mod crm;
mod dovecot;
mod flat;
mod flood;
mod floor;
mod folder;
mod gauge;
mod http;
mod idle;
mod load;
mod look;
mod machine;
mod mails;
mod marketing;
mod outgoing;
mod postfix;
mod process;
mod rows;
mod sender;
mod sink;
mod site;
mod stamp;
mod table;

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use tempfile::TempDir;

use cluster::Cluster;
use site::{Database, Site};
use table::Table;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Accepting, filing, sending, watching and stamping mail, beside Postfix and SQLite
    Mail(Mail),
    /// The CRM: a million contacts copied, written, changed and asked for over the embedded CRM's doors
    Crm(crm::Crm),
    /// Marketing: a million contacts, a list and clicks in step with the service, beside the least that its limits allow
    Marketing(marketing::Marketing),
}

/// `bench mail`
#[derive(Debug, Args)]
pub struct Mail {
    /// Small counts: a look in a minute, no figures to keep
    #[arg(long)]
    pub quick: bool,
    /// Only this part; repeatable [default: all]
    #[arg(long, value_name = "PART")]
    pub only: Vec<Part>,
    /// Which database to measure
    #[arg(long, value_name = "WHICH", default_value = "both")]
    pub database: Which,
    /// Runs of each measurement; the best one is shown
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub runs: u32,
    /// Where databases and queues are put: the disk that is measured [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Mails of 9 KB over 1, 8 and 32 sessions, beside Postfix
    Accept,
    /// The mixed corpus from the first MAIL to the last stored activity, beside SQLite
    Corpus,
    /// The corpus again with 1,000 and with 300,000 messages already stored
    Flat,
    /// The CRM's mail through smtp-sink, beside smtp-source
    Outgoing,
    /// 500 mailboxes on Dovecot in which nothing happens
    Idle,
    /// A new mail in a folder of 10, 1,000 and 100,000
    Folder,
    /// The subject for a mail on its way out, with 100,000 contacts
    Stamp,
}

/// The databases to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    Sqlite,
    Postgres,
    Both,
}

impl Which {
    /// The databases that were asked for.
    fn names(self) -> Vec<&'static str> {
        match self {
            Which::Sqlite => vec![site::SQLITE],
            Which::Postgres => vec![site::POSTGRES],
            Which::Both => vec![site::SQLITE, site::POSTGRES],
        }
    }

    /// A cluster, when PostgreSQL is among them.
    fn cluster(self, folder: &Path) -> Result<Option<Cluster>> {
        match self {
            Which::Sqlite => Ok(None),
            Which::Postgres | Which::Both => Cluster::start(&folder.join("cluster")).map(Some),
        }
    }
}

/// Everything the parts of one run share.
struct Run<'a> {
    options: &'a Mail,
    program: PathBuf,
    folder: TempDir,
    cluster: Option<Cluster>,
    corpus: corpus::Corpus,
    table: Table,
}

/// Measures and prints.
///
/// # Errors
/// When something that is measured does not start or answers wrongly: no figure is better than a wrong one.
pub fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Mail(options) => mail(options),
        Bench::Crm(options) => crm::run(options),
        Bench::Marketing(options) => marketing::run(options),
    }
}

fn mail(options: &Mail) -> Result<()> {
    ensure!(options.runs > 0, "--runs takes 1 or more");
    let mut run = Run::prepare(options)?;
    if run.wants(Part::Accept) {
        accept::measure(&mut run)?;
    }
    if run.wants(Part::Corpus) {
        run.whole_way()?;
    }
    if run.wants(Part::Flat) {
        flat::measure(&mut run)?;
    }
    if run.wants(Part::Outgoing) {
        outgoing::measure(&mut run)?;
    }
    if run.wants(Part::Idle) {
        idle::measure(&mut run)?;
    }
    if run.wants(Part::Folder) {
        folder::measure(&mut run)?;
    }
    if run.wants(Part::Stamp) {
        stamp::measure(&mut run)?;
    }
    run.table.notes.extend(machine::load_now());
    print(&run.table, options.json)
}

impl<'a> Run<'a> {
    fn prepare(options: &'a Mail) -> Result<Run<'a>> {
        let program = program(&options.program, &["--package", "postroom"], "postroom")?;
        let folder = folder(&options.folder)?;
        let cluster = options.database.cluster(folder.path())?;
        say(options.json, "making the corpus");
        let corpus = corpus::Corpus::make(if options.quick { 300 } else { 2000 })?;
        let table = Table { rows: Vec::new(), notes: machine::notes(folder.path())? };
        Ok(Run { options, program, folder, cluster, corpus, table })
    }

    fn wants(&self, part: Part) -> bool {
        self.options.only.is_empty() || self.options.only.contains(&part)
    }

    fn databases(&self) -> Vec<&'static str> {
        self.options.database.names()
    }

    /// A new site with an empty database that knows the corpus' records.
    fn site(&self, database: &str, name: &str) -> Result<Site> {
        self.site_with(database, name, "")
    }

    /// The same, with more sections in its configuration.
    fn site_with(&self, database: &str, name: &str, more: &str) -> Result<Site> {
        let site = new_site(&self.program, self.folder.path(), self.cluster.as_ref(), database, name, more)?;
        site.command(&["record", "import"], &[&self.corpus.records])?;
        Ok(site)
    }

    /// The part that `--only corpus` names.
    fn whole_way(&mut self) -> Result<()> {
        let floor = floor::sqlite(&self.corpus.folder, self.folder.path())?;
        self.table.rows.push(floor.row("floor: SQLite inserts the corpus, 100 a commit"));
        for database in self.databases() {
            self.say(&format!("the corpus on {database}"));
            let mails = &self.corpus.mails;
            let best = load::best(self, database, "corpus", mails, 8, load::Load::whole)?;
            let scenario = format!("corpus of {}, 8 sessions", mails.len());
            self.table.rows.extend(best.rows(&scenario, database, None, Some(("SQLite floor", floor.rate))));
            self.table.notes.push(format!(
                "{scenario} on {database}: {}",
                best.outcome(self.corpus.tracked(mails.len()))
            ));
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        say(self.options.json, what);
    }
}

#[expect(clippy::print_stderr, reason = "progress of a command that takes minutes")]
fn say(json: bool, what: &str) {
    if !json {
        eprintln!("bench: {what}");
    }
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn print(table: &(impl Serialize + Display), json: bool) -> Result<()> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(table)?),
        false => println!("{table}"),
    }
    Ok(())
}

/// A site with an empty database of its own.
fn new_site(
    program: &Path,
    parent: &Path,
    cluster: Option<&Cluster>,
    database: &str,
    name: &str,
    more: &str,
) -> Result<Site> {
    let folder = parent.join(format!("{database}-{name}"));
    fs::create_dir_all(&folder)?;
    let database = match (database, cluster) {
        (site::POSTGRES, Some(cluster)) => Database::Postgres(cluster.database(name)?),
        _ => Database::Sqlite(folder.join("bench.db")),
    };
    Site::new(program, folder, database, more)
}

/// A temporary folder on the disk that is measured.
fn folder(parent: &Option<PathBuf>) -> Result<TempDir> {
    let parent = parent.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("postroom-bench-").tempdir_in(&parent)?;
    // PostgreSQL and Postfix reach their folders inside as users of their own.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// The program given, or `what` built as users get it.
fn program(given: &Option<PathBuf>, what: &[&str], place: &str) -> Result<PathBuf> {
    if let Some(program) = given {
        return fs::canonicalize(program).with_context(|| program.display().to_string());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release"]).args(what).current_dir(root()).status();
    ensure!(built.context("cargo can be started")?.success(), "the release build failed");
    Ok(target().join("release").join(place))
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
