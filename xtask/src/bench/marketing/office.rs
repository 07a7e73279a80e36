//! Three processes: a postroom whose embedded CRM is the CRM, the stand-in for the service, and between them the postroom that
//! is measured. It reaches the CRM over the Web API, so its CPU and memory are of the synchronisation alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::people::{self, ACCOUNT, ACCOUNTS, MAPPED};
use super::table::Row;
use super::world::{PASSWORD, Tally, USER, World, between};
use crate::bench::http::Connection;
use crate::bench::look::Look;
use crate::bench::rows::{self, Rows};
use crate::bench::site::{Server, Site};

/// Between two looks whether a run has ended.
const LOOK: Duration = Duration::from_millis(100);
/// For one run.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);
/// The sync types, none of which runs by itself.
const TYPES: [&str; 12] = [
    "suppressions",
    "unsubscribes",
    "preferences",
    "labels",
    "contacts",
    "lists",
    "campaigns",
    "sends",
    "events",
    "roi",
    "forms",
    "deletions",
];

pub struct Office {
    crm: Site,
    crm_server: Server,
    token: String,
    site: Site,
    server: Server,
    look: Look,
    pub world: World,
    /// How many contacts the CRM has.
    pub contacts: usize,
}

/// What a run came to.
pub struct Ran {
    pub row: Row,
    /// Seconds since 1970.
    pub begun: f64,
    /// Of the service.
    pub calls: Tally,
    pub received: Tally,
    /// The run as `sync runs` tells it.
    pub run: Value,
}

impl Office {
    /// Sets everything up: the solution, the labels, the twenty mappings. `crm` has `[http]`; `site` is not configured yet.
    pub fn open(crm: Site, site: Site, world: World) -> Result<Office> {
        let mut accounts = Rows::create(crm.folder.join("accounts.jsonl"))?;
        for number in 0..ACCOUNTS {
            let name = json!({ "name": format!("Account {number}") });
            accounts.put("account", &rows::id(ACCOUNT, number), &name)?;
        }
        crm.command(&["record", "import"], &[&accounts.done()?])?;
        let token = crm.token("crm")?;
        let crm_server = crm.serve()?;
        let address = crm_server.http.context("the CRM has its door")?;
        site.configure(&configuration(&site.folder, &format!("http://{address}"), &token, &world.url)?)?;
        site.command(&["solution", "install"], &[])?;
        let server = site.serve()?;
        let look = site.look()?;
        let mut office = Office { crm, crm_server, token, site, server, look, world, contacts: 0 };
        office.run("labels")?;
        office.map()?;
        let labels = office.run("labels")?;
        ensure!(labels.run["state"] == "done", "the labels were not made: {}", labels.run);
        Ok(office)
    }

    /// Writes the labels and mappings that an administrator would.
    fn map(&mut self) -> Result<()> {
        let account = self.account()?;
        let mut file = Rows::create(self.crm.folder.join("mappings.jsonl"))?;
        for (number, field) in MAPPED.iter().enumerate() {
            let people::Field(label, kind, column, both) = *field;
            let id = rows::id(7, number);
            let columns = json!({
                "esc_name": label, "esc_labelname": label, "esc_datatype": people::choice(kind as usize),
                "esc_isprivate": true, "esc_issynced": false, "esc_emailaccountid": account,
                "esc_externalkey": format!("bench label {label}"),
            });
            file.put("esc_emailcampaigncustomfields", &id, &columns)?;
            let columns = json!({
                "esc_name": format!("{label}: contact.{column}"), "esc_emailaccountid": account,
                "esc_datalabelid": format!("esc_emailcampaigncustomfields/{id}"),
                "esc_entitytype": people::choice(0), "esc_fieldpath": column,
                "esc_direction": people::choice(if both { 2 } else { 0 }),
                "esc_emptyrule": people::choice(0), "esc_choiceformat": people::choice(0),
                "esc_externalkey": format!("bench mapping {label}"),
            });
            file.put("esc_emaildatamapping", &rows::id(8, number), &columns)?;
        }
        let report = self.crm.command(&["record", "import"], &[&file.done()?])?;
        let report: Value = serde_json::from_str(&report)?;
        ensure!(report["rejected"].as_array().is_none_or(Vec::is_empty), "mappings were rejected: {report}");
        Ok(())
    }

    /// The CRM's door.
    pub fn door(&self) -> Result<Connection> {
        Connection::open(self.crm_server.http.context("the CRM has its door")?, &self.token)
    }

    /// Writes contacts until there are so many.
    pub fn fill(&mut self, contacts: usize) -> Result<()> {
        people::write(&mut self.door()?, self.contacts, contacts)?;
        self.contacts = contacts;
        Ok(())
    }

    /// Writes rows into the CRM.
    pub fn import(&self, file: &Path) -> Result<()> {
        self.crm.command(&["record", "import"], &[file]).map(drop)
    }

    /// The CRM's row of the account, as `record import` takes it.
    pub fn account(&self) -> Result<String> {
        let row = self.crm.command(&["record", "list", "esc_emailaccount"], &[])?;
        let row: Value = serde_json::from_str(&row).context("there is one account")?;
        Ok(format!("esc_emailaccount/{}", row["id"].as_str().context("it has an id")?))
    }

    /// Where files for [`Office::import`] can lie.
    pub fn folder(&self) -> &Path {
        &self.crm.folder
    }

    /// Asks for a run, waits for its end, and says what it took.
    pub fn run(&mut self, sync_type: &str) -> Result<Ran> {
        let before = self.ended(sync_type)?;
        let (calls, received) = (self.world.calls()?, self.world.received()?);
        self.server.forget_peak()?;
        let cpu = self.server.cpu()?;
        self.site.command(&["marketing", "sync", "run", "main", sync_type], &[])?;
        let start = Instant::now();
        let [_, begun, ended] = loop {
            let found = self.ended(sync_type)?;
            if found[0] > before[0] {
                break found;
            }
            if start.elapsed() > PATIENCE {
                bail!("a run of {sync_type} has not ended after {PATIENCE:?}");
            }
            self.server.resident()?; // fails when the server has ended
            thread::sleep(LOOK);
        };
        let after = self.server.cpu()?;
        let (now_calls, now_received) = (self.world.calls()?, self.world.received()?);
        let run =
            self.site.command(&["marketing", "sync", "runs", "--type", sync_type, "--limit", "1"], &[])?;
        let run: Value = serde_json::from_str(run.lines().next().unwrap_or_default())?;
        let database = after.1 - cpu.1;
        let calls = between(&calls, &now_calls);
        let row = Row {
            seconds: (ended - begun) as f64 / 1e6,
            cpu: (after.0 - cpu.0).as_secs_f64(),
            database_cpu: (!database.is_zero()).then_some(database.as_secs_f64()),
            calls: calls.values().sum(),
            peak: self.server.peak()? as f64 / 1e6,
            ..Row::default()
        };
        let received = between(&received, &now_received);
        Ok(Ran { row, begun: begun as f64 / 1e6, calls, received, run })
    }

    /// Runs of a type that have ended, and when the last one began and ended, in microseconds since 1970.
    fn ended(&mut self, sync_type: &str) -> Result<[u64; 3]> {
        let sql = format!(
            "select count(*), coalesce(max(started), 0), coalesce(max(ended), 0) from sync_run \
             where sync_type = '{sync_type}' and state <> 'running'"
        );
        self.look.numbers(&sql)?.try_into().ok().context("three numbers were asked for")
    }

    /// The measured server's memory now, in megabytes.
    pub fn resident(&self) -> Result<f64> {
        Ok(self.server.resident()? as f64 / 1e6)
    }

    /// Ends everything and removes the data.
    pub fn close(self) -> Result<()> {
        drop((self.server, self.crm_server, self.look));
        self.site.remove()?;
        self.crm.remove()
    }
}

fn secret(folder: &Path, name: &str, text: &str) -> Result<String> {
    let file = folder.join(name);
    fs::write(&file, text)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(file.display().to_string())
}

fn configuration(folder: &Path, crm: &str, token: &str, service: &str) -> Result<String> {
    let (token, password) = (secret(folder, "token", token)?, secret(folder, "password", PASSWORD)?);
    let never: Vec<String> = TYPES.iter().map(|name| format!("{name} = \"never\"")).collect();
    Ok(format!(
        "\n[crm]\nkind = \"webapi\"\norg_url = {crm:?}\ntoken = {{ file = {token:?} }}\n\n\
         [marketing.accounts.main]\nurl = {service:?}\nuser = {USER:?}\npassword = {{ file = {password:?} }}\n\
         scope = \"everybody\"\nevery = {{ {} }}\n",
        never.join(", ")
    ))
}
