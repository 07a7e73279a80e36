//! `postroom marketing account …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;

use crate::cli::globals::DryRun;
use crate::commands::candidates;

/// Accounts of the marketing service.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List the accounts with their state
    List,
    /// Test an account, and print its section for the configuration
    Add(AddAccountArgs),
    /// Test one account, or all, step by step
    Check(CheckAccountArgs),
    /// Keep an account's runs from beginning until it is resumed
    Pause(PauseArgs),
    /// Let an account's runs begin again
    Resume(PauseArgs),
}

/// The name of an account.
#[derive(Debug, Args)]
pub struct AccountName {
    /// The account's name
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub name: String,
}

/// `account pause` and `account resume`
#[derive(Debug, Args)]
pub struct PauseArgs {
    #[command(flatten)]
    pub account: AccountName,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `account check`
#[derive(Debug, Args)]
pub struct CheckAccountArgs {
    /// The account's name; all when left out
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub name: Option<String>,
}

/// `account add`
#[derive(Debug, Args)]
pub struct AddAccountArgs {
    /// What to call it
    #[arg(value_parser = crate::cli::mailbox::name)]
    pub name: String,
    /// The API user
    #[arg(long)]
    pub user: String,
    /// The file with the API user's password
    #[arg(long, value_name = "FILE")]
    pub password_file: PathBuf,
    /// Where the account's API is asked for [default: the first region, which answers for all]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Which of the service's APIs people go by
    #[arg(long, default_value = "rest")]
    pub api: Api,
    /// Append the section to the configuration file
    #[arg(long)]
    pub write: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// One of the service's APIs, in the words of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Api {
    Rest,
    RestV2,
    Soap,
}

impl Api {
    pub fn as_str(self) -> &'static str {
        match self {
            Api::Rest => "rest",
            Api::RestV2 => "rest-v2",
            Api::Soap => "soap",
        }
    }
}
