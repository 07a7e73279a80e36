//! `postroom marketing list …`

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use crate::cli::globals::DryRun;
use crate::commands::candidates;

/// Marketing lists and who is on them.
#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// List the marketing lists that are activated for e-mail
    List(ListListsArgs),
    /// Show one list and the last run of its account's lists
    Show {
        /// The list: its id in the CRM, or its name
        #[arg(value_name = "LIST")]
        list: String,
    },
    /// Synchronise a list now, also one that runs only when asked
    Sync(SyncListNowArgs),
    /// Say who would join and leave a list on either side, and write nothing
    Compare(CompareListArgs),
}

/// `list list`
#[derive(Debug, Args)]
pub struct ListListsArgs {
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
}

/// `list sync`
#[derive(Debug, Args)]
pub struct SyncListNowArgs {
    /// The list: its id in the CRM, or its name
    #[arg(value_name = "LIST")]
    pub list: String,
    /// Wait for its end, and do the work here when no server does
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `list compare`
#[derive(Debug, Args)]
pub struct CompareListArgs {
    /// The list: its id in the CRM, or its name
    #[arg(value_name = "LIST")]
    pub list: String,
    /// The most people of each kind to name
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub people: u64,
}
