//! `postroom queue …`.

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use postroom_core::{MailId, MailState, RecordRef};

use super::globals::{DryRun, Limit, Yes};
use super::parse::mail_state;
use crate::commands::candidates;

/// The CRM's mail on its way out.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List outgoing mail with its state
    List(ListQueueArgs),
    /// Show one mail with the answer for each recipient
    Show {
        /// The mail
        #[arg(add = ArgValueCandidates::new(candidates::outgoing))]
        id: MailId,
    },
    /// Keep a mail from leaving until it is released
    Hold(QueueArgs),
    /// Let held mail go, send a mail of unknown fate again, or try a queued one now
    Release(ReleaseArgs),
    /// Give a mail up for good
    Fail(FailArgs),
}

/// `queue list`
#[derive(Debug, Args)]
pub struct ListQueueArgs {
    /// Only mail in this state
    #[arg(long, value_name = "STATE", value_parser = mail_state())]
    pub state: Option<MailState>,
    /// Only mail about this record
    #[arg(long, value_name = "TABLE/GUID")]
    pub record: Option<RecordRef>,
    #[command(flatten)]
    pub limit: Limit,
}

/// `queue hold`
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// The mail
    #[arg(add = ArgValueCandidates::new(candidates::outgoing))]
    pub id: MailId,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `queue release`
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The mail
    #[arg(required_unless_present = "all", add = ArgValueCandidates::new(candidates::outgoing))]
    pub id: Option<MailId>,
    /// Everything that is held
    #[arg(long, conflicts_with = "id")]
    pub all: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `queue fail`
#[derive(Debug, Args)]
pub struct FailArgs {
    #[command(flatten)]
    pub mail: QueueArgs,
    #[command(flatten)]
    pub yes: Yes,
}
