//! `cargo xtask crash`: the long crash sweep, by the tests of the binary with more moments than `./test` takes.
//!
//! Every failure can be repeated: the seed is printed first, with the command that uses it again.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::tree::root;

/// What to sweep.
#[derive(Debug, Args)]
pub struct Crash {
    /// Kills at random moments, on each database
    #[arg(long, default_value_t = 200)]
    moments: u32,
    /// Where the random numbers begin [default: another one each time]
    #[arg(long)]
    seed: Option<u32>,
    /// Only tests whose name has this text, for instance crash::moments; may be given several times
    #[arg(long, default_values = ["crash::", "watching::"])]
    only: Vec<String>,
}

/// Runs the sweep, showing its progress.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub fn run(crash: &Crash) -> Result<()> {
    // Any number will do, as long as the next run has another.
    let seed = crash.seed.unwrap_or_else(std::process::id);
    let only = crash.only.join(" --only ");
    let repeat = format!("cargo xtask crash --moments {} --seed {seed} --only {only}", crash.moments);
    println!("again: {repeat}");
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(["test", "--package", "postroom", "--test", "it", "--"]).args(&crash.only);
    command.args(["--nocapture", "--test-threads", "2"]).current_dir(root());
    command.env("POSTROOM_CRASH_MOMENTS", crash.moments.to_string());
    command.env("POSTROOM_CRASH_SEED", seed.to_string());
    let status = command.status().context("cargo does not start")?;
    ensure!(status.success(), "the sweep failed; again: {repeat}");
    println!("the sweep passed: {repeat}");
    Ok(())
}
