//! `postroom marketing campaign …`

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use postroom_operations::marketing::{SEND_STATES, SINGLE_STATES, SplitWish};
use uuid::Uuid;

use crate::cli::globals::{DryRun, Limit, Yes};
use crate::cli::mailbox::moment;
use crate::commands::candidates;

/// Campaigns and their sends.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// List campaigns with the service's totals, those made last first
    List(CampaignListArgs),
    /// Say whom a send to lists would reach, who is left out and why, and what it costs; write nothing
    Audience(AudienceArgs),
    /// Send a campaign once to each of a few addresses, to look at
    ///
    /// A triggered campaign goes as it would to a customer. Of any other its text goes as a single mail with `[Test]` before the
    /// subject; its blanks are not filled in, as the service has no test sends. Who opted out gets none.
    Test(TestArgs),
    /// Ask for a send to lists
    ///
    /// The request is a row in the CRM. postroom holds the send until its time and hands it over once; until then it can be
    /// paused and cancelled.
    Send(SendArgs),
    /// List sends, newest first
    Sends(SendsArgs),
    /// Show one send: where it stands, and what holds it
    Show {
        /// The send
        #[arg(value_name = "SEND")]
        id: Uuid,
    },
    /// List mails to single people, and people put into programs
    Singles(SinglesArgs),
    /// Show one of them: where it stands, and why
    Single {
        /// The single send
        #[arg(value_name = "SINGLE")]
        id: Uuid,
    },
    /// Keep a send from going until it is resumed
    Pause(SendOrderArgs),
    /// Let a paused send go on
    Resume(SendOrderArgs),
    /// Give up a send of which nobody was mailed yet
    Cancel(CancelArgs),
    /// Say yes to a large send, as a second person
    Approve(SendOrderArgs),
    /// Answer what a send asks, or say what became of one whose answer was lost, to lists or to a single person
    Decide(DecideArgs),
    /// Show what came of a campaign: totals, opens of people and machines, links, purchases, gaps to the service's own figures
    Report(ReportArgs),
}

/// The account of a campaign.
#[derive(Debug, Args)]
pub struct InAccount {
    /// The account; needed when there are several
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
}

/// In whose name.
#[derive(Debug, Args)]
pub struct InTheNameOf {
    /// Act as this user of the CRM (full name, domain name, address or id): that user's roles decide
    #[arg(long = "as", value_name = "USER")]
    pub user: Option<String>,
}

/// `campaign list`
#[derive(Debug, Args)]
pub struct CampaignListArgs {
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
    #[command(flatten)]
    pub limit: Limit,
}

/// `campaign audience`
#[derive(Debug, Args)]
pub struct AudienceArgs {
    /// The campaign: its number, its name, or its row in the CRM
    pub campaign: String,
    /// A marketing list by name or id; repeatable
    #[arg(long = "list", value_name = "LIST", required = true)]
    pub lists: Vec<String>,
    #[command(flatten)]
    pub of: InAccount,
    #[command(flatten)]
    pub name: InTheNameOf,
}

/// `campaign test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The campaign: its number, its name, or its row in the CRM
    pub campaign: String,
    /// An address; repeatable
    #[arg(long = "to", value_name = "ADDRESS", required = true, num_args = 1..)]
    pub to: Vec<String>,
    #[command(flatten)]
    pub of: InAccount,
    #[command(flatten)]
    pub name: InTheNameOf,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `campaign send`
#[derive(Debug, Args)]
pub struct SendArgs {
    /// The campaign: its number, its name, or its row in the CRM
    pub campaign: String,
    /// A marketing list by name or id; repeatable
    #[arg(long = "list", value_name = "LIST", required = true)]
    pub lists: Vec<String>,
    /// The number of people that you expect; another one refuses the send
    #[arg(long, value_name = "N")]
    pub expect_count: u64,
    /// Send to whoever joins the lists from now on, so many at once at most, until it is cancelled
    #[arg(long, conflicts_with_all = ["at", "split"])]
    pub new_members: bool,
    /// Not before this moment [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Option<Timestamp>,
    /// Test versions first: metric, share in percent, hours, such as opens/20/4
    #[arg(long, value_name = "METRIC/PERCENT/HOURS")]
    pub split: Option<SplitWish>,
    /// Names the request: the same again asks once
    #[arg(long, value_name = "UUID")]
    pub id: Option<Uuid>,
    #[command(flatten)]
    pub of: InAccount,
    #[command(flatten)]
    pub name: InTheNameOf,
    #[command(flatten)]
    pub dry_run: DryRun,
}

fn state() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(SEND_STATES)
}

/// `campaign sends`
#[derive(Debug, Args)]
pub struct SendsArgs {
    /// Only sends in this state
    #[arg(long, value_name = "STATE", value_parser = state())]
    pub state: Option<String>,
    /// Only sends of this campaign, by its number
    #[arg(long, value_name = "NUMBER")]
    pub campaign: Option<i64>,
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
    #[command(flatten)]
    pub limit: Limit,
}

fn single_state() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(SINGLE_STATES)
}

/// `campaign singles`
#[derive(Debug, Args)]
pub struct SinglesArgs {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = single_state())]
    pub state: Option<String>,
    /// Only this account
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
    #[command(flatten)]
    pub limit: Limit,
}

/// `campaign pause`, `resume`, `approve`
#[derive(Debug, Args)]
pub struct SendOrderArgs {
    /// The send
    #[arg(value_name = "SEND")]
    pub id: Uuid,
    #[command(flatten)]
    pub name: InTheNameOf,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `campaign cancel`
#[derive(Debug, Args)]
pub struct CancelArgs {
    #[command(flatten)]
    pub order: SendOrderArgs,
    #[command(flatten)]
    pub yes: Yes,
}

/// `campaign decide`
#[derive(Debug, Args)]
pub struct DecideArgs {
    #[command(flatten)]
    pub answer: Answer,
    #[command(flatten)]
    pub order: SendOrderArgs,
}

/// What is decided.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Answer {
    /// So many people are right: go on
    #[arg(long, value_name = "N")]
    pub expect: Option<u64>,
    /// Looked at: go on
    #[arg(long)]
    pub go_on: bool,
    /// The service made the send whose answer was lost
    #[arg(long)]
    pub found: bool,
    /// The service did not make it, and nobody was mailed
    #[arg(long)]
    pub unsent: bool,
}

/// `campaign report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The campaign: its number, its name, or its row in the CRM
    pub campaign: String,
    /// Do not ask the service for its figures of now; show those of the last run
    #[arg(long)]
    pub stored: bool,
    #[command(flatten)]
    pub of: InAccount,
}
