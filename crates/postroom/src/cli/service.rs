//! The daily verbs at the top, and `postroom config …`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use postroom_operations::CheckPart;

use super::globals::{DryRun, Yes};
use crate::commands::candidates;

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to keep the demo's data; left out, a folder that is removed at the end
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// File this mbox, Maildir or .eml instead of playing the story
    #[arg(long, value_name = "PATH")]
    pub mail: Option<PathBuf>,
    /// End after the story instead of staying up
    #[arg(long)]
    pub exit: bool,
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where postroom.toml is written
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// The database [default: postroom.db in DIR]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What to check; everything when left out
    #[arg(value_parser = part())]
    pub part: Option<CheckPart>,
    /// One of them by name
    #[arg(requires = "part", add = ArgValueCandidates::new(candidates::mailboxes))]
    pub name: Option<String>,
    /// Also send a mail to each mailbox itself, by smtp_out, and wait for it there
    #[arg(long, visible_alias = "send")]
    pub round_trip: bool,
}

fn part() -> impl TypedValueParser<Value = CheckPart> {
    PossibleValuesParser::new(CheckPart::ALL.map(CheckPart::as_str)).try_map(|text| text.parse::<CheckPart>())
}

/// `backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup to read
    #[arg(value_name = "FILE", required_unless_present = "mark", conflicts_with = "mark")]
    pub from: Option<PathBuf>,
    /// The database was put back by other means (PostgreSQL: `pg_restore`): only turn safe mode on
    #[arg(long)]
    pub mark: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `reconcile`
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code as printed: PR-3001
    #[arg(required_unless_present = "all", conflicts_with = "all", add = ArgValueCandidates::new(candidates::codes))]
    pub code: Option<String>,
    /// Every code
    #[arg(long)]
    pub all: bool,
}

/// Show, explain and check the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every effective value
    Show(ConfigShowArgs),
    /// Print a complete commented file
    Example,
    /// Check the configuration offline and list all problems
    Validate,
}

/// `config show`
#[derive(Debug, Args)]
pub struct ConfigShowArgs {
    /// Only keys that begin so: http, mailboxes.support
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Also where each value came from
    #[arg(long)]
    pub origin: bool,
}
