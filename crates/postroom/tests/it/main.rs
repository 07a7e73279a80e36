//! Tests of the real binary: what a person and a script meet.

mod api;
mod cli;
mod clients;
mod config;
mod corpus;
mod crash;
mod delivering;
mod demo;
mod doors;
mod filing;
mod fronts;
mod hostile;
mod house;
mod installed;
mod load;
mod make;
mod marketing;
mod outside;
mod parsers;
mod peers;
mod power;
mod privacy;
mod real_mail;
mod roundtrip;
mod sending;
mod signing;
mod solution;
mod story;
mod watching;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder to run in, with nothing of this machine's own configuration in sight.
struct Place {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How a run ended.
struct Run {
    exit: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new() }
    }

    /// A place with this `postroom.toml`.
    fn with(config: &str) -> Self {
        let place = Place::new();
        place.write("postroom.toml", config);
        place
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a path in a folder")).expect("the folder");
        fs::write(&path, text).expect("the file");
        path
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroom"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.folder.path().join("home"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Run { exit: status.code().expect("no signal"), out: text(stdout), err: text(stderr) }
    }
}

impl Run {
    /// Checks the exit code, showing everything when it is another.
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The four lines of an error, and nothing else on stderr.
    #[track_caller]
    fn fails(self, code: i32, error: &str) -> Self {
        let run = self.exits(code);
        let lines: Vec<&str> = run.err.lines().collect();
        assert_eq!(lines.len(), 4, "{}", run.err);
        assert!(lines[0].starts_with(&format!("error {error}: ")), "{}", run.err);
        assert!(lines[1].starts_with("  meaning: ") && lines[2].starts_with("  do: "), "{}", run.err);
        assert!(lines[3].starts_with(&format!("  more: postroom explain {error}")), "{}", run.err);
        run
    }

    fn json_lines(&self) -> Vec<serde_json::Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(read).collect()
    }
}
