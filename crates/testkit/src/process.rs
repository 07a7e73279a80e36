//! A program under test: started in a folder, watched, killed, and started again on the same folder.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::guard::{self, Guard};
use crate::poll;

/// A server that runs, or can be started again. It is killed when this value or the process goes.
pub struct Server {
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: PathBuf,
    /// Removes the folder at the end, when it is ours.
    _temporary: Option<TempDir>,
    running: Option<Running>,
    guard: Guard,
    output: Arc<Mutex<String>>,
}

struct Running {
    child: Child,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Waits until all that the ended program printed is kept. A grandchild may hold the pipes open: not for long.
    fn drain(&self) {
        let _ = poll::until(Duration::from_secs(1), || self.readers.iter().all(JoinHandle::is_finished));
    }
}

impl Server {
    /// A program in a new temporary folder; [`Server::start`] starts it.
    pub fn new(program: impl Into<PathBuf>) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut server = Server::in_folder(program, folder.path());
        server._temporary = Some(folder);
        server
    }

    /// A program in a folder of the caller's.
    pub fn in_folder(program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Server {
        Server {
            program: program.into(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: folder.into(),
            _temporary: None,
            running: None,
            guard: Guard::new("KILL", None),
            output: Arc::default(),
        }
    }

    /// One more argument, from the next start on.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Server {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub fn args<S: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = S>) -> Server {
        arguments.into_iter().fold(self, Server::arg)
    }

    /// One more environment variable, from the next start on.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Server {
        self.set_env(name, Some(value));
        self
    }

    /// Sets or removes a variable for the next start, for instance a kill point.
    pub fn set_env<V: AsRef<OsStr>>(&mut self, name: impl AsRef<OsStr>, value: Option<V>) {
        let name = name.as_ref().to_owned();
        self.variables.retain(|(known, _)| *known != name);
        self.variables.extend(value.map(|value| (name, value.as_ref().to_owned())));
    }

    /// The program's working folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the program. What it printed before is kept.
    ///
    /// # Panics
    /// When it runs already, or cannot be started.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "the server runs already");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = command.spawn();
        let mut child =
            spawned.unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        self.guard.watch(&child);
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|pipe| self.collect(pipe)));
        readers.extend(child.stderr.take().map(|pipe| self.collect(pipe)));
        self.running = Some(Running { child, readers });
    }

    /// Waits for a condition while the server runs.
    ///
    /// # Panics
    /// When the deadline passes or the server ends first; the text holds what it printed.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, deadline: Duration, mut condition: impl FnMut(&Server) -> bool) {
        let mut ended = None;
        let met = poll::until(deadline, || {
            let met = condition(self);
            ended = self.ended();
            met || ended.is_some()
        });
        if let (Some(status), false) = (ended, condition(self)) {
            panic!("the server ended with {status} before {what}:\n{}", self.output());
        }
        assert!(met, "{what} did not come within {deadline:?}:\n{}", self.output());
    }

    /// Waits for a text in the output.
    #[track_caller]
    pub fn wait_for_output(&mut self, text: &str, deadline: Duration) {
        self.wait_until(&format!("{text:?} in the output"), deadline, |server| {
            server.output().contains(text)
        });
    }

    /// What the program printed since it was first started, both streams.
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// How it ended by itself; `None` while it runs. A server that was stopped by [`Server::kill`] is not running, and
    /// has not ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let running = self.running.as_mut()?;
        let status = running.child.try_wait().ok().flatten()?;
        running.drain();
        Some(status)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.end(Signal::KILL, Duration::from_secs(10));
    }

    /// SIGTERM; after the deadline SIGKILL, which the status shows.
    ///
    /// # Panics
    /// When it does not run.
    pub fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        self.end(Signal::TERM, deadline).expect("only a server that runs can be terminated")
    }

    /// Waits for an end that comes by itself, such as that of a kill point.
    ///
    /// # Panics
    /// When the deadline passes.
    #[track_caller]
    pub fn wait_for_end(&mut self, deadline: Duration) -> ExitStatus {
        let ended = poll::until(deadline, || self.ended().is_some());
        assert!(ended, "the server did not end within {deadline:?}:\n{}", self.output());
        self.end(Signal::KILL, deadline).expect("it was running until now")
    }

    /// SIGKILL, then a start on the same folder.
    pub fn restart(&mut self) {
        self.kill();
        self.start();
    }

    fn end(&mut self, signal: Signal, deadline: Duration) -> Option<ExitStatus> {
        let mut running = self.running.take()?;
        let status = guard::end(&mut running.child, signal, deadline);
        self.guard.forget();
        running.drain();
        Some(status)
    }

    fn collect(&self, pipe: impl Read + Send + 'static) -> JoinHandle<()> {
        let output = Arc::clone(&self.output);
        std::thread::spawn(move || {
            let mut line = Vec::new();
            let mut pipe = BufReader::new(pipe);
            while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                output
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
