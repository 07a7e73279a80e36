//! `postroom marketing …`: accounts of the marketing service, synchronisation, campaigns, mappings, lists, forms, and who gets no
//! mail. People are asked about with `postroom person`, as what is known of them is not marketing's alone.

mod account;
mod campaign;
mod form;
pub(super) mod help;
mod list;
mod map;
mod suppress;
mod sync;

use clap::Subcommand;

pub use account::{AccountCommand, AddAccountArgs, CheckAccountArgs};
pub use campaign::{
    Answer, AudienceArgs, CampaignCommand, CancelArgs, DecideArgs, InTheNameOf, ReportArgs, SendArgs,
    SendOrderArgs, SendsArgs, SinglesArgs, TestArgs,
};
pub use form::{FormCommand, ShowFormArgs};
pub use list::{CompareListArgs, ListCommand, SyncListNowArgs};
pub use map::{MapCommand, RemoveMappingArgs, SampleArgs, SetMappingArgs};
pub use suppress::{
    AddSuppressionArgs, CheckSuppressionArgs, ExportArgs, ImportSuppressionsArgs, LiftArgs,
    ListSuppressionsArgs, SuppressCommand,
};
pub use sync::{ConfirmArgs, RejectedArgs, ReplayRejectedArgs, RunArgs, RunsArgs, SyncCommand, UndoArgs};

/// The marketing half.
#[derive(Debug, Subcommand)]
pub enum MarketingCommand {
    /// Accounts of the marketing service
    #[command(subcommand)]
    Account(AccountCommand),
    /// What keeps the CRM and the service in step
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Campaigns, whom they reach, their sends and what came of them
    #[command(subcommand)]
    Campaign(CampaignCommand),
    /// Which columns of the CRM go with which data labels
    #[command(subcommand)]
    Map(MapCommand),
    /// Marketing lists and who is on them
    #[command(subcommand)]
    List(ListCommand),
    /// Forms and what was answered
    #[command(subcommand)]
    Form(FormCommand),
    /// Who gets no marketing mail
    #[command(subcommand)]
    Suppress(SuppressCommand),
}
