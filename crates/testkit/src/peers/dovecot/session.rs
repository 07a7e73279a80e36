//! IMAP as far as a test needs it to look after a mailbox: one command at a time, literals in answers, no parsing.
//!
//! It speaks to Dovecot's own `imap` program over pipes, signed in already: no password, no port, no TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::peers;

/// For a greeting.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is signed in.
pub(super) struct Session {
    program: Child,
    // Closed first, at which the program ends.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    number: u32,
}

/// Whether an IMAP server listens there and says hello.
pub(super) fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(PATIENCE)).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"* OK"
}

impl Session {
    pub fn open(configuration: &Path, user: &str) -> Session {
        let mut command = Command::new(peers::require("doveadm"));
        command.arg("-c").arg(configuration).args(["exec", "imap", "-u", user]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = command.spawn().expect("doveadm can be started");
        let input = program.stdin.take();
        let output = BufReader::new(program.stdout.take().expect("it has a pipe"));
        let mut session = Session { program, input, output, number: 0 };
        let greeting = session.line();
        assert!(greeting.starts_with("* PREAUTH"), "Dovecot does not let {user} in: {greeting}");
        session
    }

    /// Sends a command and answers the lines said to it, the tagged one last.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> Vec<String> {
        let tag = self.send(command);
        self.answer(&tag, command)
    }

    #[track_caller]
    pub fn append(&mut self, folder: &str, raw: &[u8]) -> u32 {
        let command = format!("APPEND {} {{{}+}}", quoted(folder), raw.len());
        let tag = self.send(&command);
        self.write(raw);
        self.write(b"\r\n");
        let answer = self.answer(&tag, &command);
        let told = answer.last().and_then(|line| line.split_once("[APPENDUID "));
        let uid = told.and_then(|(_, rest)| rest.split([' ', ']']).nth(1)).and_then(|uid| uid.parse().ok());
        uid.unwrap_or_else(|| panic!("no UID in the answer to APPEND: {answer:?}"))
    }

    #[track_caller]
    pub fn messages(&mut self, folder: &str) -> Vec<(u32, Vec<u8>)> {
        self.run(&format!("EXAMINE {}", quoted(folder)));
        let tag = self.send("UID FETCH 1:* (UID BODY.PEEK[])");
        let mut messages = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with(&tag) {
                assert!(line.starts_with(&format!("{tag} OK")), "UID FETCH: {line}");
                return messages;
            }
            let Some(length) = literal(&line) else { continue };
            let uid =
                line.split_once("UID ").and_then(|(_, rest)| rest.split([' ', ')']).next()?.parse().ok());
            let mut raw = vec![0; length];
            self.output.read_exact(&mut raw).expect("a literal is as long as announced");
            messages.push((uid.unwrap_or_else(|| panic!("no UID in {line}")), raw));
        }
    }

    fn send(&mut self, command: &str) -> String {
        self.number += 1;
        let tag = format!("t{}", self.number);
        self.write(format!("{tag} {command}\r\n").as_bytes());
        tag
    }

    #[track_caller]
    fn answer(&mut self, tag: &str, command: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = self.line();
            while let Some(length) = literal(&line) {
                let mut bytes = vec![0; length];
                self.output.read_exact(&mut bytes).expect("a literal is as long as announced");
                line = format!("{line}\r\n{}{}", String::from_utf8_lossy(&bytes), self.line());
            }
            lines.push(line);
            let last = &lines[lines.len() - 1];
            if let Some(status) = last.strip_prefix(tag) {
                assert!(status.starts_with(" OK"), "{command}: {last}");
                return lines;
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the pipe closes with the session");
        input.write_all(bytes).expect("Dovecot reads what we say");
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.output.read_until(b'\n', &mut line).expect("the pipe can be read");
        assert!(!line.is_empty(), "Dovecot hung up");
        String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.program.wait();
    }
}

/// The length of the literal that follows a line.
fn literal(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
