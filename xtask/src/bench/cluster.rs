//! A PostgreSQL cluster of the bench's own, durable as in production.
//!
//! PostgreSQL refuses root: then the cluster belongs to the system user `postgres`.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::process::{Process, output, wait};

const HINT: &str = "install PostgreSQL (Debian: apt-get install postgresql), or use --database sqlite";

/// A running cluster: loopback and a socket, no password.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    process: Process,
}

/// One of its databases.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
    port: u16,
    pub name: String,
    /// The cluster's first process.
    pub server: u32,
}

impl Cluster {
    pub fn start(folder: &Path) -> Result<Cluster> {
        fs::create_dir_all(folder)?;
        if rustix::process::geteuid().is_root() {
            output(Command::new("chown").arg("postgres:").arg(folder)).context(HINT)?;
        }
        let mut initdb = server_program("initdb")?;
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D"]);
        output(initdb.arg(folder.join("data")).current_dir(folder))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::create(folder.join("log"))?;
        let mut server = server_program("postgres")?;
        server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
        server.args(["-h", "127.0.0.1", "-p", &port.to_string()]).current_dir(folder);
        server.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut cluster =
            Cluster { folder: folder.to_owned(), port, process: Process::start(&mut server, Signal::INT)? };
        wait("PostgreSQL", || cluster.is_ready())?;
        Ok(cluster)
    }

    /// The eighth line of the lock file says `ready`, as `pg_ctl` reads it.
    fn is_ready(&mut self) -> Result<Option<()>> {
        if let Some(status) = self.process.ended()? {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            bail!("PostgreSQL ended with {status}:\n{log}");
        }
        let text = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        Ok(text.lines().nth(7).is_some_and(|line| line.trim() == "ready").then_some(()))
    }

    /// Makes an empty database.
    pub fn database(&self, name: &str) -> Result<Place> {
        self.create(name, "")
    }

    /// Makes a copy of a database that nobody uses.
    pub fn copy(&self, of: &Place, name: &str) -> Result<Place> {
        self.create(name, &format!(" template \"{}\"", of.name))
    }

    fn create(&self, name: &str, how: &str) -> Result<Place> {
        let place = |name: &str| Place {
            folder: self.folder.clone(),
            port: self.port,
            name: name.to_owned(),
            server: self.process.id(),
        };
        place("postgres").run(&format!("create database \"{name}\"{how}"))?;
        Ok(place(name))
    }
}

impl Place {
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// `psql` on this database: rows only, no padding.
    pub fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", &self.name]);
        command.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string());
        command
    }

    pub fn run(&self, sql: &str) -> Result<String> {
        output(self.psql().args(["-c", sql]).stdin(Stdio::null()))
    }
}

/// A server program as the cluster's owner. `setpriv` becomes the program, so signals reach it.
fn server_program(name: &str) -> Result<Command> {
    let program = find(name).context(HINT)?;
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("LC_ALL", "C.UTF-8");
    Ok(command)
}

/// Debian keeps PostgreSQL's server programs out of PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders.into_iter().map(|folder| folder.join(name)).find(|program| program.is_file())
}
