//! `postroom marketing form …`

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use crate::cli::globals::Limit;
use crate::commands::candidates;

/// Forms of the service and what was answered.
#[derive(Debug, Subcommand)]
pub enum FormCommand {
    /// List the forms
    List(ListFormsArgs),
    /// Show a form: its questions, and its responses with the record that each made or found
    Show(ShowFormArgs),
}

/// `form list`
#[derive(Debug, Args)]
pub struct ListFormsArgs {
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
}

/// `form show`
#[derive(Debug, Args)]
pub struct ShowFormArgs {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
    /// The form's number at the service
    #[arg(value_name = "NUMBER")]
    pub number: i64,
    #[command(flatten)]
    pub limit: Limit,
}
