//! Programs that run while something is measured, and end with it.

use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Between two looks.
pub const LOOK: Duration = Duration::from_millis(10);
/// For a start or an end.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A child process that is asked to end when this value goes, and killed when it does not.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What asks it to end.
    signal: Signal,
}

impl Process {
    pub fn start(command: &mut Command, signal: Signal) -> Result<Process> {
        let child =
            command.spawn().with_context(|| format!("{:?} cannot be started", command.get_program()))?;
        Ok(Process { child, signal })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), self.signal);
        if wait("an end", || Ok(self.child.try_wait()?)).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Waits until `look` sees something.
///
/// # Errors
/// What `look` fails with, or that it saw nothing for a minute.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        thread::sleep(LOOK);
    }
    bail!("{what} did not come within {PATIENCE:?}")
}

/// Runs a program to its end and answers its stdout.
///
/// # Errors
/// When it cannot be started or fails; the text holds what it said.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    if !output.status.success() {
        bail!("{name} failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
