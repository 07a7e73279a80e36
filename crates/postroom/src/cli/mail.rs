//! `postroom message …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use postroom_core::{MailId, MailState, RecordRef};
use postroom_formats::mbox::Quoting;

use super::globals::{DryRun, Limit};
use super::parse::mail_state;
use super::writing::{AnswerArgs, WriteArgs};
use crate::commands::candidates;

/// Messages: import, look, decide.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// Take in mail from mbox, Maildir or .eml, or one mail from - (stdin)
    Import(ImportArgs),
    /// List messages
    List(ListMessagesArgs),
    /// Show one message with its decision and sightings
    Show {
        /// The message
        #[arg(add = ArgValueCandidates::new(candidates::messages))]
        id: MailId,
    },
    /// Print a message's bytes as they came
    Raw {
        /// The message
        #[arg(add = ArgValueCandidates::new(candidates::messages))]
        id: MailId,
    },
    /// Purge the bodies of mail that is not tracked, as is done every hour
    Purge(DryRun),
    /// Say what would be decided about a file, writing nothing
    Why(WhyArgs),
    /// Write a mail about a record of the embedded CRM; it leaves as all of the CRM's mail does
    Write(WriteArgs),
    /// Answer a message from the embedded CRM, in its thread
    Answer(AnswerArgs),
    /// Mail that a person must decide
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Move a message's activity to another record; later replies follow
    Move(MoveArgs),
    /// Decide a message, or all in review, again by today's rules
    Replay(ReplayMessageArgs),
    /// Take back what a person decided last about a message
    Undo {
        /// The message
        #[arg(add = ArgValueCandidates::new(candidates::messages))]
        id: MailId,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// `message replay`
#[derive(Debug, Args)]
pub struct ReplayMessageArgs {
    /// The message
    #[arg(required_unless_present = "all_review", add = ArgValueCandidates::new(candidates::messages))]
    pub id: Option<MailId>,
    /// Everything in review
    #[arg(long, conflicts_with = "id")]
    pub all_review: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `message import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files and folders; - reads one mail from stdin
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The configured mailbox that the mail belongs to
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(candidates::mailboxes))]
    pub mailbox: Option<String>,
    /// How mbox files hide lines that begin with "From "
    #[arg(long, value_name = "KIND", default_value = "mboxrd")]
    pub mbox_quoting: MboxQuoting,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// How a writer of mbox files hid lines of a body that begin with `From `.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MboxQuoting {
    /// Each > before "From " is one more than in the mail, as most programs write
    Mboxrd,
    /// Only ">From " is quoted; ">>From " stood so in the mail
    Mboxo,
}

impl From<MboxQuoting> for Quoting {
    fn from(quoting: MboxQuoting) -> Quoting {
        match quoting {
            MboxQuoting::Mboxrd => Quoting::Mboxrd,
            MboxQuoting::Mboxo => Quoting::Mboxo,
        }
    }
}

impl ImportArgs {
    /// One path, into whatever mailbox its recipients say.
    pub fn of(path: PathBuf) -> Self {
        ImportArgs {
            paths: vec![path],
            mailbox: None,
            mbox_quoting: MboxQuoting::Mboxrd,
            dry_run: DryRun { dry_run: false },
        }
    }
}

/// `message list`
#[derive(Debug, Args)]
pub struct ListMessagesArgs {
    /// Only messages in this state
    #[arg(long, value_name = "STATE", value_parser = mail_state())]
    pub state: Option<MailState>,
    /// Only messages at this record
    #[arg(long, value_name = "TABLE/GUID", add = ArgValueCompleter::new(candidates::records))]
    pub record: Option<RecordRef>,
    #[command(flatten)]
    pub limit: Limit,
}

/// `message why`
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// One message; - reads it from stdin
    #[arg(value_name = "FILE.eml")]
    pub file: PathBuf,
}

/// `message move` and `message review attach`
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The message
    #[arg(add = ArgValueCandidates::new(candidates::messages))]
    pub id: MailId,
    /// The record that it belongs to
    #[arg(value_name = "TABLE/GUID", add = ArgValueCompleter::new(candidates::records))]
    pub record: RecordRef,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// Mail that a person must decide.
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// List what waits, with its reason
    List(ReviewListArgs),
    /// File a message at a record
    Attach(MoveArgs),
    /// Not tracked: the proposal was wrong
    Reject(ReviewRejectArgs),
    /// Not tracked, without judging it
    Skip {
        /// The message
        #[arg(add = ArgValueCandidates::new(candidates::in_review))]
        id: MailId,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// `message review list`
#[derive(Debug, Args)]
pub struct ReviewListArgs {
    /// Also the records that each may belong to, and why
    #[arg(long)]
    pub candidates: bool,
    #[command(flatten)]
    pub limit: Limit,
}

/// `message review reject`
#[derive(Debug, Args)]
pub struct ReviewRejectArgs {
    /// The message
    #[arg(add = ArgValueCandidates::new(candidates::in_review))]
    pub id: MailId,
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    pub dry_run: DryRun,
}
