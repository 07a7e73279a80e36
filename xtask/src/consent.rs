//! `cargo xtask consent`: the long run of the model of consent, by the tests of the marketing half with more steps than
//! `./test` takes, over the embedded CRM and over its doors.
//!
//! Every failure can be repeated: each run prints its seed, and `--seed` uses it again.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::tree::root;

/// What to drive.
#[derive(Debug, Args)]
pub struct Consent {
    /// Steps of each run
    #[arg(long, default_value_t = 2000)]
    steps: u32,
    /// Where the random numbers begin [default: another one for each run, the same each time]
    #[arg(long)]
    seed: Option<u64>,
    /// Only tests whose name has this text, for instance over_soap; may be given several times
    #[arg(long, default_values = ["consent_model::"])]
    only: Vec<String>,
}

/// Runs the model, showing its progress.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub fn run(consent: &Consent) -> Result<()> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(["test", "--package", "postroom-marketing", "--test", "it", "--"]).args(&consent.only);
    command.args(["--nocapture", "--test-threads", "2"]).current_dir(root());
    command.env("POSTROOM_CONSENT_STEPS", consent.steps.to_string());
    if let Some(seed) = consent.seed {
        command.env("POSTROOM_CONSENT_SEED", seed.to_string());
    }
    let status = command.status().context("cargo does not start")?;
    ensure!(status.success(), "the model failed; the seed stands above: cargo xtask consent --seed SEED");
    println!("the model passed: {} steps of each run", consent.steps);
    Ok(())
}
