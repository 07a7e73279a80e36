//! The command line: what may be typed, and nothing of what it does.
//!
//! Grammar: `postroom NOUN VERB [ids] [flags]`; only the daily verbs stand at the top. Examples and exit codes are in
//! `help.rs`; a test parses every example.

pub mod completion;
mod crm;
#[cfg(test)]
mod faces;
mod globals;
mod help;
mod mail;
mod mailbox;
mod marketing;
mod parse;
mod person;
mod queue;
mod record;
mod service;
mod solution;
mod work;
mod writing;

use clap::{Parser, Subcommand};

pub use crm::{CrmCommand, DiscoverArgs};
pub use globals::Globals;
pub use help::command;
pub use mail::{
    ImportArgs, ListMessagesArgs, MessageCommand, ReplayMessageArgs, ReviewCommand, ReviewListArgs,
};
pub use mailbox::{AddMailboxArgs, MailboxCommand, Protection, RemoveMailboxArgs, TestMailboxArgs};
pub use marketing::{
    AccountCommand, AddAccountArgs, AddSuppressionArgs, Answer, AudienceArgs, CampaignCommand, CancelArgs,
    CheckAccountArgs, CheckSuppressionArgs, CompareListArgs, ConfirmArgs, DecideArgs, ExportArgs,
    FormCommand, ImportSuppressionsArgs, InTheNameOf, LiftArgs, ListCommand, ListSuppressionsArgs,
    MapCommand, MarketingCommand, RejectedArgs, RemoveMappingArgs, ReplayRejectedArgs, ReportArgs, RunArgs,
    RunsArgs, SampleArgs, SendArgs, SendOrderArgs, SendsArgs, SetMappingArgs, ShowFormArgs, SinglesArgs,
    SuppressCommand, SyncCommand, SyncListNowArgs, TestArgs, UndoArgs,
};
pub use parse::{Usage, parse};
pub use person::{ErasePersonArgs, MergePeopleArgs, PersonCommand, ProveArgs};
pub use queue::{FailArgs, ListQueueArgs, QueueCommand, ReleaseArgs};
pub use record::{ImportRecordsArgs, ListRecordsArgs, RecordCommand};
pub use service::{
    BackupArgs, CheckArgs, ConfigCommand, ConfigShowArgs, DemoArgs, ExplainArgs, InitArgs, ReconcileArgs,
    RestoreArgs,
};
pub use solution::{ExportSolutionArgs, InstallSolutionArgs, SolutionCommand, UninstallSolutionArgs};
pub use work::{
    ApitokenCommand, CreateTokenArgs, DropArgs, LinkArgs, PageRole, ReplayArgs, SessionCommand, ShelfCommand,
    TokenCommand,
};
pub use writing::LetterArgs;

/// Mail in, the right CRM record, and why.
#[derive(Debug, Parser)]
#[command(name = "postroom", version, disable_help_subcommand = true, propagate_version = false)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// Everything postroom does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole story on this machine, offline, in a minute
    Demo(DemoArgs),
    /// Write a first configuration and make the database
    Init(InitArgs),
    /// Run in the foreground until SIGTERM
    Serve,
    /// Try what the configuration names and say what is wrong
    Check(CheckArgs),
    /// Look for anything that needs a person
    Doctor,
    /// Show, explain and check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check that the books balance: nothing lost, nothing twice
    Verify,
    /// Copy the database to a file while it is in use
    Backup(BackupArgs),
    /// Put a backup in the database's place
    Restore(RestoreArgs),
    /// After a restore: compare with the world, then leave safe mode
    Reconcile(ReconcileArgs),
    /// Say what an error code means and what to do
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completion(completion::CompletionArgs),
    /// Messages: import, look, decide
    #[command(subcommand)]
    Message(MessageCommand),
    /// Records of the CRM
    #[command(subcommand)]
    Record(RecordCommand),
    /// Tracked mailboxes
    #[command(subcommand)]
    Mailbox(MailboxCommand),
    /// Outgoing mail
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Lists, campaigns and opt-outs, in step with the marketing service
    #[command(subcommand)]
    Marketing(MarketingCommand),
    /// The CRM outside
    #[command(subcommand)]
    Crm(CrmCommand),
    /// People: show, prove consent, erase on request
    #[command(subcommand)]
    Person(PersonCommand),
    /// The e-mail marketing solution in the CRM
    #[command(subcommand)]
    Solution(SolutionCommand),
    /// Tracking tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Items that stopped after their tries
    #[command(subcommand)]
    Shelf(ShelfCommand),
    /// Tokens for programs that use the API
    #[command(subcommand)]
    Apitoken(ApitokenCommand),
    /// Signing in to the pages
    #[command(subcommand)]
    Session(SessionCommand),
}
