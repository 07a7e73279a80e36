//! `postroom message write` and `postroom message answer`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use postroom_core::{MailId, RecordRef};
use uuid::Uuid;

use super::globals::DryRun;
use crate::commands::candidates;

/// `message write`
#[derive(Debug, Args)]
pub struct WriteArgs {
    /// The record that it is about
    #[arg(long, value_name = "TABLE/GUID", add = ArgValueCompleter::new(candidates::records))]
    pub record: RecordRef,
    #[command(flatten)]
    pub letter: LetterArgs,
}

/// `message answer`
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The message that is answered
    #[arg(add = ArgValueCandidates::new(candidates::messages))]
    pub id: MailId,
    #[command(flatten)]
    pub letter: LetterArgs,
}

/// What is written.
#[derive(Debug, Args)]
pub struct LetterArgs {
    /// Who gets it, commas between [default: who wrote, else whom the record names]
    #[arg(long, value_name = "ADDRESSES")]
    pub to: Option<String>,
    /// Who gets a copy
    #[arg(long, value_name = "ADDRESSES")]
    pub cc: Option<String>,
    /// A queue or user of the CRM that may send [default: who was written to, else the first]
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// The subject [default: that of the answered message]
    #[arg(long)]
    pub subject: Option<String>,
    /// The file with the text; - reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// A file to go with it; repeatable
    #[arg(long = "attach", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The e-mail's id to be: a repeat with the same one makes no second e-mail
    #[arg(long, value_name = "GUID")]
    pub email_id: Option<Uuid>,
    #[command(flatten)]
    pub dry_run: DryRun,
}
