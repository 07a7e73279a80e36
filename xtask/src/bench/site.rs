//! One installation of the product: a folder, a configuration, a database.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;

use super::cluster::Place;
use super::gauge;
use super::look::Look;
use super::process::{Process, output, wait};

pub const SQLITE: &str = "SQLite";
pub const POSTGRES: &str = "PostgreSQL";

/// The address that all mail of the bench goes to.
pub const RECIPIENT: &str = "support@crm.example";

/// Where the data is.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(Place),
}

pub struct Site {
    program: PathBuf,
    pub folder: PathBuf,
    pub database: Database,
    /// Whether it has the pages and the API.
    pages: bool,
}

/// The product while it serves.
pub struct Server {
    process: Process,
    pub smtp: SocketAddr,
    /// Where the pages and the API are, when they were asked for.
    pub http: Option<SocketAddr>,
    database: Option<u32>,
}

impl Site {
    /// Writes the configuration: what `postroom init` gives, with a listener and a mailbox, and `more` sections.
    pub fn new(program: &Path, folder: PathBuf, database: Database, more: &str) -> Result<Site> {
        let site = Site { program: program.to_owned(), folder, database, pages: more.contains("[http]") };
        site.configure(more)?;
        Ok(site)
    }

    /// Writes the configuration with other sections.
    pub fn configure(&self, more: &str) -> Result<()> {
        let url = match &self.database {
            Database::Sqlite(path) => format!("sqlite://{}", path.display()),
            Database::Postgres(place) => place.url(),
        };
        let text = format!(
            "[storage]\nurl = {url:?}\n\n[smtp_in]\nenabled = true\nlisten = \"127.0.0.1:0\"\n\
             hostname = \"postroom.crm.example\"\naccept_domains = [\"crm.example\"]\n\n\
             [mailboxes.support]\naddress = {RECIPIENT:?}\n{more}"
        );
        Ok(fs::write(self.folder.join("postroom.toml"), text)?)
    }

    /// Runs a command of the product.
    pub fn command(&self, words: &[&str], files: &[&Path]) -> Result<String> {
        output(self.postroom().args(words).args(files).arg("--json"))
    }

    /// A new token of the API with this scope.
    pub fn token(&self, scope: &str) -> Result<String> {
        let answer = self.command(&["apitoken", "create", "--scope", scope], &[])?;
        let answer: Value = serde_json::from_str(&answer).context("the token is JSON")?;
        Ok(answer["token"].as_str().context("the token is in `token`")?.to_owned())
    }

    fn postroom(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.folder.join("postroom.toml")).current_dir(&self.folder);
        command.stdin(Stdio::null());
        command
    }

    pub fn look(&self) -> Result<Look> {
        match &self.database {
            Database::Sqlite(path) => Look::sqlite(path),
            Database::Postgres(place) => Look::postgres(place.psql()),
        }
    }

    /// Starts the server and waits for its SMTP port.
    pub fn serve(&self) -> Result<Server> {
        let log = self.folder.join("serve.log");
        let file = File::create(&log)?;
        let mut command = self.postroom();
        command.arg("serve").stdout(file.try_clone()?).stderr(file);
        let mut process = Process::start(&mut command, Signal::TERM)?;
        let (smtp, http) = wait("the server's SMTP port", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Some(status) = process.ended()? {
                bail!("the server ended with {status}:\n{text}");
            }
            // Its line stands last.
            let http = listens(&text, "pages and API on http://")
                .or_else(|| listens(&text, "pages and API on https://"));
            let ready = http.is_some() || !self.pages;
            Ok(listens(&text, "SMTP on ").filter(|_| ready).map(|smtp| (smtp, http)))
        })?;
        let database = match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(place) => Some(place.server),
        };
        Ok(Server { process, smtp, http, database })
    }

    /// The CPU time so far of a database that runs apart.
    pub fn database_cpu(&self) -> Duration {
        match &self.database {
            Database::Sqlite(_) => Duration::ZERO,
            Database::Postgres(place) => gauge::tree(place.server),
        }
    }

    /// Removes the data. For PostgreSQL the database goes with its cluster.
    pub fn remove(self) -> Result<()> {
        if let Database::Postgres(place) = &self.database {
            let mut server = place.clone();
            server.name = "postgres".to_owned();
            server.run(&format!("drop database \"{}\" with (force)", place.name))?;
        }
        fs::remove_dir_all(&self.folder).with_context(|| self.folder.display().to_string())
    }
}

impl Server {
    /// The CPU time so far: of the server, and of a database that runs apart.
    pub fn cpu(&self) -> Result<(Duration, Duration)> {
        Ok((gauge::process(self.process.id())?, self.database.map(gauge::tree).unwrap_or_default()))
    }

    /// Forgets the most memory so far, so that [`Server::peak`] is of what comes.
    pub fn forget_peak(&self) -> Result<()> {
        gauge::forget_peak(self.process.id())
    }

    /// The memory it has now, in bytes.
    pub fn resident(&self) -> Result<u64> {
        gauge::resident(self.process.id())
    }

    /// The most memory it has had, in bytes.
    pub fn peak(&self) -> Result<u64> {
        gauge::peak(self.process.id())
    }
}

/// The address in a line such as `SMTP on 127.0.0.1:2525`.
fn listens(log: &str, before: &str) -> Option<SocketAddr> {
    let at = log.split(before).nth(1)?;
    at.split_once(char::is_whitespace)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &str, expected: Option<u16>) {
        assert_eq!(listens(log, "SMTP on ").map(|at| at.port()), expected, "{log}");
    }

    #[test]
    fn the_port_is_read_from_the_log() {
        check("", None);
        check("note: SMTP on 127.0.0.1:25", None); // the line may be half-written
        check("note: SMTP on 127.0.0.1:2525\n", Some(2525));
    }
}
