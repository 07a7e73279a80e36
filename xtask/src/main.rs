//! `cargo xtask COMMAND`: chores that are not cargo's.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::tree::Tree;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the postroom tree that are not cargo's")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks the rules of the house; `cargo test -p xtask` does the same
    Tidy,
    /// Lists the durable steps that the store is asked to commit, with the places that name them
    Steps,
    /// Kills the product at every kill point and at many random moments, and judges what is left
    Crash(xtask::crash::Crash),
    /// Drives the model of consent for thousands of steps: nobody who opted out is mailed
    Consent(xtask::consent::Consent),
    /// Measures the product
    #[command(subcommand)]
    Bench(xtask::bench::Bench),
}

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Tidy => tidy(),
        Command::Steps => steps(),
        Command::Crash(crash) => xtask::crash::run(&crash).map(|()| ExitCode::SUCCESS),
        Command::Consent(consent) => xtask::consent::run(&consent).map(|()| ExitCode::SUCCESS),
        Command::Bench(bench) => xtask::bench::run(&bench).map(|()| ExitCode::SUCCESS),
    }
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn tidy() -> Result<ExitCode> {
    let findings = xtask::tidy::all(&Tree::read()?)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    println!("{} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn steps() -> Result<ExitCode> {
    for step in xtask::steps::steps(&Tree::read()?) {
        println!("{}\t{}:{}", step.name, step.path, step.line);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
