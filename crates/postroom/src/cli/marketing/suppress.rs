//! `postroom marketing suppress …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use postroom_operations::marketing::ExportForm as Form;

use super::InTheNameOf;
use crate::cli::globals::{DryRun, Limit, Yes};
use crate::cli::mailbox::moment;
use crate::commands::candidates;

/// Who gets no marketing mail.
#[derive(Debug, Subcommand)]
pub enum SuppressCommand {
    /// List suppressed addresses
    List(ListSuppressionsArgs),
    /// Hold marketing mail to an address back, on both sides
    Add(AddSuppressionArgs),
    /// Lift a suppression, with proof that the person wants mail again
    Lift(LiftArgs),
    /// Say whether an address is suppressed, why, and what was said about it
    Check(CheckSuppressionArgs),
    /// Take a list of opt-outs from a CSV file
    Import(ImportSuppressionsArgs),
    /// Print all suppressions
    Export(ExportArgs),
}

/// One account, or all of them.
#[derive(Debug, Args)]
pub struct OfAccount {
    /// Only in this account [default: all]
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
}

/// `suppress list`
#[derive(Debug, Args)]
pub struct ListSuppressionsArgs {
    /// A part of the address
    #[arg(value_name = "PART", default_value = "")]
    pub part: String,
    #[command(flatten)]
    pub of: OfAccount,
    /// Also those that were lifted
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub limit: Limit,
}

/// `suppress add`
#[derive(Debug, Args)]
pub struct AddSuppressionArgs {
    /// The address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    #[command(flatten)]
    pub of: OfAccount,
    #[command(flatten)]
    pub name: InTheNameOf,
    /// Why, in the service's words [default: Unsubscribed]
    #[arg(long, value_name = "WORD")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `suppress lift`
#[derive(Debug, Args)]
pub struct LiftArgs {
    /// The address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// What shows that the person wants mail again: a page, a document, a ticket
    #[arg(long, value_name = "TEXT")]
    pub proof: String,
    /// When the person said so; an opt-out that is as new or newer stands
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Timestamp,
    #[command(flatten)]
    pub of: OfAccount,
    #[command(flatten)]
    pub name: InTheNameOf,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `suppress check`
#[derive(Debug, Args)]
pub struct CheckSuppressionArgs {
    /// The address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    #[command(flatten)]
    pub of: OfAccount,
}

/// `suppress import`
#[derive(Debug, Args)]
pub struct ImportSuppressionsArgs {
    /// A CSV file with a column for the address, or - for stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub of: OfAccount,
    #[command(flatten)]
    pub name: InTheNameOf,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `suppress export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub of: OfAccount,
    /// The form of the lines
    #[arg(long, default_value = "csv")]
    pub format: ExportForm,
    /// Also those that were lifted
    #[arg(long)]
    pub all: bool,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// A table that spreadsheets open and `suppress import` reads
    Csv,
    /// One JSON object a line
    Jsonl,
}

impl From<ExportForm> for Form {
    fn from(form: ExportForm) -> Form {
        match form {
            ExportForm::Csv => Form::Csv,
            ExportForm::Jsonl => Form::Jsonl,
        }
    }
}
