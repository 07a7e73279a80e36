//! A server program of a peer: its private folder, its process, its end.
//!
//! The folder and the process go with the value, and also when the test is killed ([`crate::guard`]).

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::guard::{self, Guard};
use crate::{peers, poll};

/// How long a start or a stop may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a start is tried: another program may take a port between our look and the peer's.
const TRIES: usize = 5;

/// A folder, and the one server program that runs in it or can be started in it.
pub(super) struct Daemon {
    name: &'static str,
    folder: PathBuf,
    running: Mutex<Running>,
}

struct Running {
    server: Option<Child>,
    guard: Guard,
}

impl Daemon {
    /// A new folder that every user may enter; nothing runs yet.
    pub fn new(name: &'static str) -> Daemon {
        let folder = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir();
        let folder = folder.expect("a temporary folder can be made").keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
            .expect("the folder is ours to change");
        let guard = Guard::new("TERM", Some(&folder));
        Daemon { name, folder, running: Mutex::new(Running { server: None, guard }) }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or folder of this daemon.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// Starts the program and waits until it is ready; else what it printed. Its output is appended to the file `output`.
    /// It leads a process group of its own, or becomes a leader by itself.
    pub fn start(&self, mut command: Command, ready: impl Fn() -> bool) -> Result<(), String> {
        let mut running = self.running();
        assert!(running.server.is_none(), "{} runs already", self.name);
        let output = self.output_file();
        let errors = output.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut server =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.name));
        running.guard.watch(&server);
        let mut ended = false;
        let is_ready = poll::until(PATIENCE, || {
            ended = !matches!(server.try_wait(), Ok(None));
            ended || ready()
        });
        if is_ready && !ended {
            running.server = Some(server);
            return Ok(());
        }
        guard::end(&mut server, Signal::KILL, PATIENCE);
        running.guard.forget();
        Err(self.output())
    }

    /// Calls `start` until it succeeds, each time with other ports.
    ///
    /// # Panics
    /// When it fails five times.
    pub fn first_start(&self, mut start: impl FnMut() -> Result<(), String>) {
        let mut said = String::new();
        for _ in 0..TRIES {
            match start() {
                Ok(()) => return,
                Err(text) => said = text,
            }
        }
        panic!("{} does not start:\n{said}", self.name);
    }

    /// What the program printed.
    pub fn output(&self) -> String {
        fs::read_to_string(self.path("output")).unwrap_or_default()
    }

    /// A clean stop; nothing happens when it does not run.
    pub fn stop(&self) {
        self.end(Signal::TERM);
    }

    /// SIGKILL to the program's whole group.
    pub fn kill(&self) {
        self.end(Signal::KILL);
    }

    fn end(&self, signal: Signal) {
        let mut running = self.running();
        let Some(mut server) = running.server.take() else { return };
        if signal == Signal::KILL {
            // It leads a group of its own; its workers would outlive it for a moment and keep the ports.
            let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(&server), signal);
        }
        guard::end(&mut server, signal, PATIENCE);
        running.guard.forget();
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn output_file(&self) -> File {
        let file = OpenOptions::new().create(true).append(true).open(self.path("output"));
        file.expect("the daemon's folder can be written to")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The user that a peer runs as: a system user of its package when we are root, else ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub name: String,
    pub group: String,
    pub id: u32,
    pub group_id: u32,
    /// Whether that is somebody else.
    switch: bool,
}

impl User {
    /// # Panics
    /// When we are root and the package's user does not exist.
    pub fn of_package(name: &str) -> User {
        let switch = rustix::process::geteuid().is_root();
        let ask = |option: &str| {
            let mut command = Command::new("id");
            command.arg(option).args(switch.then_some(name));
            said(command.output().expect("id can be started"), &format!("id {option} {name}"))
                .trim()
                .to_owned()
        };
        let number = |option: &str| ask(option).parse().expect("id prints a number");
        User { name: ask("-un"), group: ask("-gn"), id: number("-u"), group_id: number("-g"), switch }
    }

    /// A program run as this user. `setpriv` becomes the program, so signals reach it.
    pub fn command(&self, program: &str) -> Command {
        let program = peers::require(program);
        if !self.switch {
            return Command::new(program);
        }
        let mut command = Command::new(peers::require("setpriv"));
        command.arg(format!("--reuid={}", self.id)).arg(format!("--regid={}", self.group_id));
        command.args(["--clear-groups", "--"]).arg(program);
        command
    }

    /// Gives a file or folder to this user.
    pub fn own(&self, path: &Path) {
        if self.switch {
            chown(path, Some(self.id), Some(self.group_id))
                .unwrap_or_else(|error| panic!("cannot give {} away: {error}", path.display()));
        }
    }

    /// Makes a folder, with those above it that are missing, that belongs to this user.
    pub fn make_folder(&self, path: &Path) {
        if path.is_dir() {
            return;
        }
        if let Some(parent) = path.parent() {
            self.make_folder(parent);
        }
        fs::create_dir(path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        self.own(path);
    }
}

/// What a program printed.
///
/// # Panics
/// When it failed, with what it printed.
#[track_caller]
pub(super) fn said(output: Output, what: &str) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} failed:\n{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
