//! `postroom record …`: the CRM's rows.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use uuid::Uuid;

use super::globals::{DryRun, Limit};
use crate::commands::candidates;

/// Records of the CRM.
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// Create and update records of the embedded CRM from JSON Lines
    Import(ImportRecordsArgs),
    /// Show one record with its activities
    Show(ShowRecordArgs),
    /// List a table's records
    List(ListRecordsArgs),
    /// Find records by words in their name, number or address
    Find(FindRecordsArgs),
}

/// `record find`
#[derive(Debug, Args)]
pub struct FindRecordsArgs {
    /// Words that all must stand in it, in any order
    #[arg(required = true, value_name = "WORDS")]
    pub words: Vec<String>,
}

/// `record import`
#[derive(Debug, Args)]
pub struct ImportRecordsArgs {
    /// Lines of {"table":…,"id":…,"columns":{…}}; - reads stdin
    #[arg(value_name = "FILE.jsonl")]
    pub file: PathBuf,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `record show`
#[derive(Debug, Args)]
pub struct ShowRecordArgs {
    /// The table's logical name
    #[arg(add = ArgValueCandidates::new(candidates::tables))]
    pub table: String,
    /// The record
    #[arg(value_name = "GUID", add = ArgValueCandidates::new(candidates::ids_of_table))]
    pub id: Uuid,
}

/// `record list`
#[derive(Debug, Args)]
pub struct ListRecordsArgs {
    /// The table's logical name
    #[arg(add = ArgValueCandidates::new(candidates::tables))]
    pub table: String,
    /// Only records whose column has this value; repeatable, all must hold
    #[arg(long = "where", value_name = "COLUMN=VALUE", add = ArgValueCandidates::new(candidates::conditions))]
    pub conditions: Vec<Condition>,
    #[command(flatten)]
    pub limit: Limit,
}

/// `COLUMN=VALUE`; an empty value asks for rows where the column is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub column: String,
    pub value: String,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((column, value)) if !column.trim().is_empty() => {
                Ok(Condition { column: column.trim().to_owned(), value: value.to_owned() })
            }
            _ => Err("write COLUMN=VALUE, for instance lastname=Adler".to_owned()),
        }
    }
}
