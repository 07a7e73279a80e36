//! A PostgreSQL cluster of the test's own.
//!
//! Tests often run as root, and PostgreSQL refuses root: then the cluster belongs to the system user `postgres`.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::guard::{self, Guard};
use crate::{net, peers, poll};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether a commit reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// No sync: quick, for tests in which the machine never dies.
    Fast,
    /// As in production, for tests of crashes and of the order of sync and answer.
    Synced,
}

/// A running cluster: loopback and a socket, no password. It ends, and its folder goes, with this value or the process.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    durability: Durability,
    user: Option<User>,
    databases: AtomicU32,
    running: Mutex<Running>,
}

struct Running {
    server: Option<Child>,
    guard: Guard,
}

/// The system user that owns the cluster when we are root.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl Postgres {
    /// A new cluster on a port of its own.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; the text says why.
    pub fn start(durability: Durability) -> Postgres {
        let folder =
            tempfile::Builder::new().prefix("postgres-").tempdir().expect("a temporary folder can be made");
        let folder = folder.keep();
        let guard = Guard::new("QUIT", Some(&folder));
        let user = rustix::process::geteuid().is_root().then(User::postgres);
        if let Some(user) = user {
            chown(&folder, Some(user.id), Some(user.group)).expect("root can give a folder away");
        }
        let running = Mutex::new(Running { server: None, guard });
        let databases = AtomicU32::new(0);
        let mut cluster = Postgres { folder, port: 0, durability, user, databases, running };
        cluster.initialise();
        cluster.first_start();
        cluster
    }

    /// One fast cluster for all tests of this process, started by the first that asks.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Postgres::start(Durability::Fast))
    }

    /// Makes an empty database and answers its `postgres://` URL.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst) + 1);
        self.run("postgres", &format!("create database {name}"));
        self.url(&name)
    }

    /// Copies a database that nobody needs any more connections to; answers the copy's URL.
    pub fn copy(&self, of: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst) + 1);
        // A pool that was dropped closes its connections in its own time, and a copy waits five seconds for them at most.
        let ended = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{of}'");
        self.run("postgres", &ended);
        self.run("postgres", &format!("create database {name} template {of} strategy file_copy"));
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL and answers the rows, a line each, columns parted by `|`.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn run(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(peers::require("psql"));
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            database,
            "-c",
            sql,
        ]);
        command.arg("-h").arg(&self.folder).arg("-p").arg(self.port.to_string()).stdin(Stdio::null());
        said(command.output().expect("psql can be started"), sql)
    }

    /// A clean stop that cuts the clients off.
    pub fn stop(&self) {
        self.end(Signal::INT);
    }

    /// SIGKILL: no checkpoint, no farewell.
    pub fn kill(&self) {
        self.end(Signal::KILL);
    }

    /// Starts again, on the same data and port. A server that runs is stopped first.
    pub fn restart(&self) {
        self.stop();
        let start = Instant::now();
        // Backends of a killed server need a moment to notice and let go of the shared memory.
        while let Err(log) = self.try_start() {
            assert!(start.elapsed() < PATIENCE, "PostgreSQL does not start again:\n{log}");
        }
    }

    /// From now on it speaks TLS with this certificate and key (PEM), to whoever asks for it.
    pub fn speak_tls(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let file = self.data().join(name);
            fs::write(&file, text).expect("the cluster's folder can be written to");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
            if let Some(user) = self.user {
                chown(&file, Some(user.id), Some(user.group)).expect("root can give a file away");
            }
        }
        self.run("postgres", "alter system set ssl = on");
        self.restart();
    }

    fn initialise(&self) {
        let mut command = self.command("initdb");
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"]);
        command.arg(self.data());
        said(command.output().expect("initdb can be started"), "initdb");
    }

    fn first_start(&mut self) {
        let mut log = String::new();
        // Another program may take the port between our look and PostgreSQL's.
        for _ in 0..5 {
            self.port = net::free_port();
            match self.try_start() {
                Ok(()) => return,
                Err(text) => log = text,
            }
        }
        panic!("PostgreSQL does not start:\n{log}");
    }

    /// Starts the server and waits until it answers; else the end of its log.
    fn try_start(&self) -> Result<(), String> {
        let mut running = self.running();
        let mut server = self.server_command().spawn().expect("postgres can be started");
        running.guard.watch(&server);
        let mut ended = false;
        let ready = poll::until(PATIENCE, || {
            ended = !matches!(server.try_wait(), Ok(None));
            ended || self.is_ready(server.id())
        });
        if ready && !ended {
            running.server = Some(server);
            return Ok(());
        }
        guard::end(&mut server, Signal::KILL, PATIENCE);
        running.guard.forget();
        Err(self.log())
    }

    fn server_command(&self) -> Command {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let log: File = log.expect("the cluster's folder can be written to");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.folder);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-N", "200", "-B", "64MB"]);
        if self.durability == Durability::Fast {
            command.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
            // It would visit each of a hundred short-lived databases every minute.
            command.args(["-c", "autovacuum=off"]);
        }
        let errors = log.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        command
    }

    /// A server program as the cluster's owner. `setpriv` becomes the program, so signals reach it.
    fn command(&self, program: &str) -> Command {
        let program = peers::require(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new(peers::require("setpriv"));
                command.arg(format!("--reuid={}", user.id)).arg(format!("--regid={}", user.group));
                command.args(["--clear-groups", "--"]).arg(program);
                command
            }
        };
        command.current_dir(&self.folder).env("LC_ALL", "C.UTF-8").env_remove("PGOPTIONS");
        command
    }

    /// The eighth line of the lock file says `ready`, as `pg_ctl` reads it.
    fn is_ready(&self, server: u32) -> bool {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(server.to_string().as_str()) && lines.nth(6) == Some("ready")
    }

    fn end(&self, signal: Signal) {
        let mut running = self.running();
        if let Some(mut server) = running.server.take() {
            guard::end(&mut server, signal, PATIENCE);
            running.guard.forget();
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Where the cluster keeps its data, log and socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end(Signal::QUIT);
    }
}

impl User {
    fn postgres() -> User {
        let number = |option: &str| {
            let output = Command::new("id").args([option, "postgres"]).output().expect("id can be started");
            let text = said(output, "id postgres (is PostgreSQL installed? run ./test once)");
            text.trim().parse().expect("id prints a number")
        };
        User { id: number("-u"), group: number("-g") }
    }
}

#[track_caller]
fn said(output: Output, what: &str) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} failed:\n{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
