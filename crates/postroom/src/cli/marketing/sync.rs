//! `postroom marketing sync …`

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use postroom_core::RunId;
use postroom_operations::marketing::{RunState, SyncType};
use uuid::Uuid;

use super::InTheNameOf;
use crate::cli::globals::{DryRun, Limit, Yes};
use crate::commands::candidates;

/// What keeps the CRM and the service in step.
#[derive(Debug, Subcommand)]
pub enum SyncCommand {
    /// List each sync type of each account: last run, next run, state
    List(SyncListArgs),
    /// Run a sync type now
    Run(RunArgs),
    /// Say what a run would do, and do nothing
    DryRun(DryRunArgs),
    /// List runs, newest first
    Runs(RunsArgs),
    /// Show one run with its counts
    Show {
        /// The run
        id: RunId,
    },
    /// List the rows that one side did not take, with both payloads
    Rejected(RejectedArgs),
    /// Give rejected rows another try
    Replay(ReplayRejectedArgs),
    /// Say yes to what a held run asks
    Confirm(ConfirmArgs),
    /// Take back what a run wrote on the CRM's records
    ///
    /// A value goes back only if the record still has what the run wrote; what was changed since is left, and listed. Mapped
    /// fields go back at the service, too. Opt-outs and opt-in types stay, and so do records that the run made.
    Undo(UndoArgs),
}

fn sync_type() -> impl TypedValueParser<Value = SyncType> {
    let words = SyncType::ALL.iter().map(|sync_type| sync_type.as_str());
    PossibleValuesParser::new(words).try_map(|text| text.parse::<SyncType>())
}

fn run_state() -> impl TypedValueParser<Value = RunState> {
    let words = RunState::ALL.iter().map(|state| state.as_str());
    PossibleValuesParser::new(words).map(|text| {
        let found = RunState::ALL.into_iter().find(|state| state.as_str() == text);
        found.expect("only words of the list pass")
    })
}

/// `sync list`
#[derive(Debug, Args)]
pub struct SyncListArgs {
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
}

/// `sync run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
    /// The sync type
    #[arg(value_name = "TYPE", value_parser = sync_type())]
    pub sync_type: SyncType,
    /// Wait for its end, and do the work here when no server does
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `sync dry-run`
#[derive(Debug, Args)]
pub struct DryRunArgs {
    /// The account
    #[arg(add = ArgValueCandidates::new(candidates::accounts))]
    pub account: String,
    /// The sync type
    #[arg(value_name = "TYPE", value_parser = sync_type())]
    pub sync_type: SyncType,
}

/// `sync runs`
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
    /// Only this sync type
    #[arg(long = "type", value_name = "TYPE", value_parser = sync_type())]
    pub sync_type: Option<SyncType>,
    /// Only runs in this state
    #[arg(long, value_name = "STATE", value_parser = run_state())]
    pub state: Option<RunState>,
    #[command(flatten)]
    pub limit: Limit,
}

/// `sync rejected`
#[derive(Debug, Args)]
pub struct RejectedArgs {
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
    /// Only this sync type
    #[arg(long = "type", value_name = "TYPE", value_parser = sync_type())]
    pub sync_type: Option<SyncType>,
    /// Only those of this run
    #[arg(long, value_name = "RUN")]
    pub run: Option<RunId>,
    /// Also those that are settled
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub limit: Limit,
}

/// `sync replay`
#[derive(Debug, Args)]
pub struct ReplayRejectedArgs {
    /// The rejected rows
    #[arg(required_unless_present = "run", value_name = "ID")]
    pub ids: Vec<Uuid>,
    /// All rejected rows of this run
    #[arg(long, value_name = "RUN", conflicts_with = "ids")]
    pub run: Option<RunId>,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `sync confirm`
#[derive(Debug, Args)]
pub struct ConfirmArgs {
    /// The held run
    pub id: RunId,
    #[command(flatten)]
    pub name: InTheNameOf,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `sync undo`
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The run
    pub id: RunId,
    /// Wait for its end, and do the work here when no server does
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}
