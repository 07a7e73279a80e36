//! Child processes that end with the test, however the test ends.
//!
//! A small shell waits at the end of a pipe. When this process closes the pipe, which the kernel does for it even after
//! SIGKILL, the shell signals the child and removes its folder. It runs in a group of its own, so that a runner which
//! kills the test's group does not kill the shell first.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::poll;

/// Reads process ids until the pipe closes; the last one is the child, 0 is none.
const SCRIPT: &str = r#"
child=0
while read -r line; do child=$line; done
if [ "$child" -gt 0 ]; then
  kill -s "$1" "$child" 2>/dev/null
  looks=0
  while kill -0 "$child" 2>/dev/null && [ "$looks" -lt 50 ]; do sleep 0.1; looks=$((looks + 1)); done
  kill -s KILL "$child" 2>/dev/null
fi
[ -z "$2" ] || rm -rf -- "$2"
"#;

/// Watches over one child process and one folder.
#[derive(Debug)]
pub struct Guard {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// When this value or this process goes, the child gets `signal` (a name such as `QUIT`), and `folder`, if any, is
    /// removed.
    ///
    /// # Panics
    /// When there is no shell.
    pub fn new(signal: &str, folder: Option<&Path>) -> Guard {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guard", signal]).arg(folder.unwrap_or(Path::new("")));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = command.spawn().expect("sh can be started");
        let pipe = shell.stdin.take();
        Guard { shell, pipe }
    }

    /// From now on this is the child.
    pub fn watch(&mut self, child: &Child) {
        self.say(child.id());
    }

    /// The child has ended; its number may be given to another process.
    pub fn forget(&mut self) {
        self.say(0);
    }

    fn say(&mut self, process: u32) {
        if let Some(pipe) = &mut self.pipe {
            writeln!(pipe, "{process}").expect("the guard's shell reads until we close the pipe");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.shell.wait();
    }
}

/// Sends a signal; a child that has ended already is fine.
pub fn signal(child: &Child, signal: Signal) {
    let _ = kill_process(Pid::from_child(child), signal);
}

/// Signals the child and waits for its end; after the deadline it is killed.
pub fn end(child: &mut Child, with: Signal, deadline: Duration) -> ExitStatus {
    signal(child, with);
    if !poll::until(deadline, || !matches!(child.try_wait(), Ok(None))) {
        let _ = child.kill();
    }
    child.wait().expect("a child of ours can be waited for")
}
