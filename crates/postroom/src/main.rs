//! The postroom binary: reads arguments and configuration, starts what a command needs, says how it ended.
//!
//! Open `cli/` for what may be typed, `config/` for what may be set, `report/` for what is printed.

mod app;
mod arenas;
mod cli;
mod commands;
mod config;
mod demo;
mod explain;
mod logs;
mod metrics;
mod report;
mod serve;
mod wiring;

use std::io::Write;
use std::process::ExitCode;

use cli::{Cli, Usage};
use report::{CliError, Exit, Output};

fn main() -> ExitCode {
    if cli::completion::answered() {
        return ExitCode::SUCCESS;
    }
    // One TLS stack, chosen once (the other crates ask for the process's default).
    drop(rustls::crypto::ring::default_provider().install_default());
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => return say_usage(&usage),
    };
    if matches!(cli.command, cli::Command::Serve | cli::Command::Demo(_)) {
        arenas::few();
    }
    let json = cli.globals.json;
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if !error.is_quiet() {
                say(&if json { error.json() } else { error.lines() });
            }
            error.exit.into()
        }
    }
}

fn run(cli: &Cli) -> Result<Exit, CliError> {
    let mut out = Output::standard(cli.globals.style());
    let exit = commands::run(cli, &mut out);
    // Also when the command failed: what it printed before belongs to the reader.
    out.flush()?;
    exit
}

fn say_usage(usage: &Usage) -> ExitCode {
    match usage {
        Usage::Help(text) => {
            // A reader that went away needs no help any more.
            drop(std::io::stdout().write_all(text.as_bytes()));
            Exit::Done.into()
        }
        Usage::Wrong { error, json: true, .. } => {
            say(&error.json());
            Exit::Usage.into()
        }
        Usage::Wrong { text, .. } => {
            say(text.trim_end());
            Exit::Usage.into()
        }
    }
}

/// To stderr; nobody is left to tell when that fails.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
