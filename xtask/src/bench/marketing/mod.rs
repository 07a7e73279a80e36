//! `cargo xtask bench marketing`: people, lists and clicks in step between a CRM and the marketing service, in one table.
//!
//! What is measured is one postroom ([`office`]); the CRM and the stand-in for the service are processes of their own. Beside its
//! calls and its time stand the least that the service's API and limits allow ([`least`]).

mod least;
mod office;
mod people;
mod table;
mod world;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::json;
use tempfile::TempDir;

use super::cluster::Cluster;
use super::flat::thousands;
use super::rows::{self, Rows};
use super::{Which, machine, site};
use least::{Least, PEOPLE, ROWS};
use office::{Office, Ran};
use table::{Row, Table};
use world::World;

/// `bench marketing`
#[derive(Debug, Args)]
pub struct Marketing {
    /// 1,000 and 10,000 contacts: a look in a minute, no figures to keep
    #[arg(long)]
    pub quick: bool,
    /// Contacts in the CRM; several, rising [default: 100000 1000000]
    #[arg(long, value_name = "N", num_args = 1..)]
    pub contacts: Vec<usize>,
    /// Only this part; repeatable [default: all]
    #[arg(long, value_name = "PART")]
    pub only: Vec<Part>,
    /// Which database to measure
    #[arg(long, value_name = "WHICH", default_value = "sqlite")]
    pub database: Which,
    /// Calls a minute that the service allows for dear ones
    #[arg(long, value_name = "CALLS", default_value_t = 150)]
    pub low: u32,
    /// Seconds that each of the service's imports takes at least
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub import: u32,
    /// Where databases are put: the disk that is measured [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Measure this binary instead of building one
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The stand-in for the service, instead of building it
    #[arg(long, value_name = "FILE")]
    pub service: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A part of the table, after everybody was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Runs with 0, 100 and 10,000 changes
    Changes,
    /// A list with everybody on it
    Lists,
    /// A click of everybody
    Clicks,
}

struct Run<'a> {
    options: &'a Marketing,
    program: PathBuf,
    service: PathBuf,
    folder: TempDir,
    cluster: Option<Cluster>,
    table: Table,
}

/// Measures and prints.
///
/// # Errors
/// When something that is measured does not start, or a run does not end well.
pub fn run(options: &Marketing) -> Result<()> {
    // One build for both: by themselves they would be built with other features of what they share.
    let both = [
        "--package",
        "postroom",
        "--bin",
        "postroom",
        "--package",
        "postroom-sandbox",
        "--example",
        "dotdigital",
    ];
    let program = super::program(&options.program, &both, "postroom")?;
    let service = super::program(&options.service, &both, "examples/dotdigital")?;
    let folder = super::folder(&options.folder)?;
    let cluster = options.database.cluster(folder.path())?;
    let table = Table { rows: Vec::new(), notes: machine::notes(folder.path())? };
    let mut run = Run { options, program, service, folder, cluster, table };
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
            ([], true) => vec![1000, 10_000],
            ([], false) => vec![100_000, 1_000_000],
            (given, _) => given.to_vec(),
        }
    }

    /// Each size has an office of its own: a first synchronisation is one of everybody.
    fn measure(&mut self, database: &'static str) -> Result<()> {
        for size in self.sizes() {
            let mut office = self.office(database, size)?;
            self.say(&format!("{} contacts into the CRM", thousands(size)));
            office.fill(size)?;
            self.first(&mut office, database)?;
            if self.wants(Part::Changes) {
                self.changes(&mut office, database)?;
            }
            if self.wants(Part::Lists) {
                self.lists(&mut office, database)?;
            }
            if self.wants(Part::Clicks) {
                self.clicks(&mut office, database)?;
            }
            self.table.notes.push(format!(
                "memory after everything with {} contacts: {:.0} MB",
                thousands(size),
                office.resident()?
            ));
            office.close()?;
        }
        Ok(())
    }

    fn office(&self, database: &'static str, size: usize) -> Result<Office> {
        let folder = self.folder.path();
        let world = World::start(&self.service, self.options.low, self.options.import)?;
        let http = "\n[http]\nlisten = \"127.0.0.1:0\"\n";
        let crm = super::new_site(&self.program, folder, None, site::SQLITE, &format!("crm-{size}"), http)?;
        let name = format!("marketing-{size}");
        let site = super::new_site(&self.program, folder, self.cluster.as_ref(), database, &name, "")?;
        Office::open(crm, site, world)
    }

    /// Runs a sync type and writes its row.
    fn row(
        &mut self,
        office: &mut Office,
        (database, sync_type): (&'static str, &str),
        scenario: String,
        count: u64,
        least: impl Fn(&Ran) -> Least,
    ) -> Result<Ran> {
        self.say(&format!("{scenario} on {database}"));
        let ran = office.run(sync_type)?;
        ensure!(ran.run["state"] == "done", "{scenario}: the run did not end well: {}", ran.run);
        let least = least(&ran);
        self.table.rows.push(Row {
            scenario: scenario.clone(),
            database: database.to_owned(),
            count,
            least_seconds: least.seconds(ran.begun, u64::from(self.options.low)),
            least_calls: least.calls(),
            ..ran.row.clone()
        });
        self.table.rows.last().iter().for_each(|row| self.say(&row.line()));
        let calls: Vec<String> = ran.calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let bytes: u64 = ran.received.values().sum();
        self.table.notes.push(format!("{scenario} on {database}: {}; {bytes} bytes sent", calls.join(", ")));
        Ok(ran)
    }

    /// Everybody to the service, and everybody back.
    fn first(&mut self, office: &mut Office, database: &'static str) -> Result<()> {
        let people = office.contacts as u64;
        let all = thousands(office.contacts);
        let imported = |ran: &Ran| {
            let bytes = ran.received.get("PUT /contacts/v3/import").copied().unwrap_or_default();
            Least::imports(bytes).and(Least::pages(0, PEOPLE))
        };
        let at = (database, "contacts");
        let ran = self.row(office, at, format!("{all} contacts to the service"), people, imported)?;
        let new = &ran.run["counts"]["to_service"]["new"];
        ensure!(*new == people, "{new} of {people} people were sent: {}", ran.run);
        let read = |_: &Ran| Least::pages(people, PEOPLE);
        self.row(office, at, format!("{all} contacts back"), people, read)?;
        // What is older than the overlap is not read again.
        office.world.advance(60)?;
        office.run("contacts")?;
        Ok(())
    }

    fn changes(&mut self, office: &mut Office, database: &'static str) -> Result<()> {
        let all = thousands(office.contacts);
        let contacts = office.contacts;
        for count in [0, 100, 10_000].into_iter().filter(|count| *count <= contacts) {
            super::say(self.options.json, &format!("changing {count} contacts"));
            people::change(&mut office.door()?, office.contacts, count, &format!("Changed with {count}"))?;
            let least = move |ran: &Ran| {
                let bytes = ran.received.get("PUT /contacts/v3/import").copied().unwrap_or_default();
                Least::imports(bytes).and(Least::pages(0, PEOPLE))
            };
            let scenario = format!("{} changes among {all}", thousands(count));
            let ran = self.row(office, (database, "contacts"), scenario, count as u64, least)?;
            let changed = &ran.run["counts"]["to_service"]["changed"];
            ensure!(*changed == count as u64, "{changed} of {count} changes were sent: {}", ran.run);
            office.world.advance(60)?;
            office.run("contacts")?;
        }
        Ok(())
    }

    /// A list is filled, looked at when nothing changed, and mended after a hundred left.
    fn lists(&mut self, office: &mut Office, database: &'static str) -> Result<()> {
        let (people, all) = (office.contacts as u64, thousands(office.contacts));
        let list = rows::id(6, 1);
        self.say(&format!("{all} members onto a list of the CRM"));
        let mut file = Rows::create(office.folder().join("list.jsonl"))?;
        let account = office.account()?;
        let columns = json!({
            "listname": "Everybody", "createdfromcode": 2, "type": false, "esc_activatedforemail": true,
            "esc_emailaccountid": account,
        });
        file.put("list", &list, &columns)?;
        office.import(&file.done()?)?;
        people::join(&mut office.door()?, &list, 0..office.contacts)?;
        let at = (database, "lists");
        let filled = |ran: &Ran| {
            let bytes = ran.received.get("PUT /contacts/v3/import").copied().unwrap_or_default();
            // The lists, the new one, and who is on it.
            Least::imports(bytes).and(Least { low: 2, other: 1 })
        };
        self.row(office, at, format!("list of {all} filled"), people, filled)?;
        office.world.advance(60)?;
        // Everybody changed at the service, by that import, and whoever joined would be among them.
        let members = |_: &Ran| Least::pages(0, ROWS).and(Least::pages(people, PEOPLE));
        self.row(office, at, format!("list of {all} read back"), people, members)?;
        office.world.advance(60)?;
        let headers = |_: &Ran| Least::pages(0, ROWS);
        self.row(office, at, format!("list of {all}, nothing changed"), 0, headers)?;
        let mut door = office.door()?;
        let gone = 100.min(office.contacts / 20);
        for number in 0..gone {
            people::leave(&mut door, &list, number * 7)?;
        }
        let mended = |_: &Ran| Least { low: 2, other: 1 };
        self.row(office, at, format!("list of {all} compared, {gone} taken off"), people, mended)?;
        Ok(())
    }

    /// Everybody clicks once.
    fn clicks(&mut self, office: &mut Office, database: &'static str) -> Result<()> {
        let people = office.contacts as u64;
        office.run("campaigns")?;
        office.world.clicked(office.contacts)?;
        let pages = |ran: &Ran| {
            let streams = ran.calls.keys().filter(|name| name.contains("since")).count() as u64;
            // Each person's activity, and each click, is a row; the other streams are empty.
            Least::pages(people, ROWS).and(Least::pages(people, ROWS)).and(Least { low: streams, other: 0 })
        };
        let scenario = format!("{} clicks", thousands(office.contacts));
        self.row(office, (database, "events"), scenario, people, pages)?;
        Ok(())
    }

    fn say(&self, what: &str) {
        super::say(self.options.json, what);
    }
}
