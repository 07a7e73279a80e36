//! `postroom marketing map …`

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use postroom_core::RecordRef;
use postroom_operations::marketing::{CHOICES, DIRECTIONS, EMPTY};

use crate::cli::globals::{DryRun, Yes};
use crate::commands::candidates;

/// Which columns of the CRM go with which data labels.
#[derive(Debug, Subcommand)]
pub enum MapCommand {
    /// List an account's mappings
    List(AccountOfMap),
    /// Map a column to a data label, or change how it is mapped
    Set(SetMappingArgs),
    /// Take a mapping away; what both sides have stays
    Remove(RemoveMappingArgs),
    /// List the mappings that cannot work or may lose something, and why
    Check(AccountOfMap),
    /// Show each mapped field of one record on both sides
    Sample(SampleArgs),
}

/// `map list`, `map check`
#[derive(Debug, Args)]
pub struct AccountOfMap {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
}

/// `map set`
#[derive(Debug, Args)]
pub struct SetMappingArgs {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
    /// The kind of record
    #[arg(value_parser = PossibleValuesParser::new(["contact", "lead", "account"]))]
    pub table: String,
    /// The data label at the service
    #[arg(value_name = "LABEL")]
    pub label: String,
    /// A column, one behind a lookup (ownerid/fullname), or several joined by commas
    #[arg(value_name = "PATH")]
    pub path: String,
    /// Which way values go [default: from_crm]
    #[arg(long, value_parser = PossibleValuesParser::new(DIRECTIONS))]
    pub direction: Option<String>,
    /// What an empty value in the CRM does at the service [default: send_blank]
    #[arg(long, value_parser = PossibleValuesParser::new(EMPTY))]
    pub empty: Option<String>,
    /// How a choice goes out [default: label]
    #[arg(long, value_parser = PossibleValuesParser::new(CHOICES))]
    pub choices: Option<String>,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `map remove`
#[derive(Debug, Args)]
pub struct RemoveMappingArgs {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
    /// The kind of record
    #[arg(value_parser = PossibleValuesParser::new(["contact", "lead", "account"]))]
    pub table: String,
    /// The data label at the service
    #[arg(value_name = "LABEL")]
    pub label: String,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `map sample`
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
    /// The record
    #[arg(value_name = "TABLE/GUID", add = ArgValueCompleter::new(candidates::records))]
    pub record: RecordRef,
}
