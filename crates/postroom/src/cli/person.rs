//! `postroom person …`.

use clap::{Args, Subcommand};

use super::globals::{DryRun, Yes};

/// What a person may ask of whoever keeps their mail.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Erase all mail from or to an address, here and in the CRM
    Erase(ErasePersonArgs),
}

/// `person erase`
#[derive(Debug, Args)]
pub struct ErasePersonArgs {
    /// The person's e-mail address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}
