//! Runs a script of Python's standard library against a server.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Runs a script after its imports, with `HOST` and `PORT` set. Answers what it printed.
#[track_caller]
pub fn run(server: SocketAddr, script: &str) -> String {
    let head = format!(
        "import imaplib, smtplib, time\nHOST, PORT = {:?}, {}\n",
        server.ip().to_string(),
        server.port()
    );
    let mut command = Command::new("python3");
    command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = command.spawn();
    let mut child = started.expect("this test needs python3: apt-get install python3, or run ./test once");
    child.stdin.take().unwrap().write_all(format!("{head}{script}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\nin:\n{script}");
    String::from_utf8(output.stdout).unwrap()
}
