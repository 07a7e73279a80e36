//! `postroom token …`, `postroom shelf …`, `postroom apitoken …`.

use std::str::FromStr;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use postroom_core::{Code, JobId, TokenId};
use postroom_operations::Scope;
use uuid::Uuid;

use super::globals::{DryRun, Limit, Yes};
use crate::commands::candidates;
use crate::config::Span;

/// Tracking tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Print the token of a record
    Make {
        /// The record
        #[arg(value_name = "GUID")]
        id: Uuid,
    },
    /// Say whether a subject or Message-ID carries a token, and what it names
    Verify(TokenText),
}

/// `token verify`
#[derive(Debug, Args)]
pub struct TokenText {
    /// A subject line, or a Message-ID in angle brackets
    pub text: String,
}

/// Items that stopped after their tries.
#[derive(Debug, Subcommand)]
pub enum ShelfCommand {
    /// List what lies on the shelf
    List {
        /// Only items that failed with this code
        #[arg(long, value_name = "PR-nnnn", value_parser = code, add = ArgValueCandidates::new(candidates::codes))]
        code: Option<Code>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one item with its attempts
    Show {
        /// The item
        #[arg(add = ArgValueCandidates::new(candidates::shelf_items))]
        id: JobId,
    },
    /// Try items again
    Replay(ReplayArgs),
    /// Give items up for good; the messages themselves stay
    Drop(DropArgs),
}

/// `shelf replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The items
    #[arg(required_unless_present_any = ["all", "code"], value_name = "ID", add = ArgValueCandidates::new(candidates::shelf_items))]
    pub ids: Vec<JobId>,
    /// Everything on the shelf
    #[arg(long, conflicts_with_all = ["ids", "code"])]
    pub all: bool,
    /// Everything that failed with this code
    #[arg(long, value_name = "PR-nnnn", value_parser = code, add = ArgValueCandidates::new(candidates::codes), conflicts_with = "ids")]
    pub code: Option<Code>,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `shelf drop`
#[derive(Debug, Args)]
pub struct DropArgs {
    /// The items
    #[arg(required = true, value_name = "ID", add = ArgValueCandidates::new(candidates::shelf_items))]
    pub ids: Vec<JobId>,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// Tokens for programs that use the API.
#[derive(Debug, Subcommand)]
pub enum ApitokenCommand {
    /// Make a token and print it once
    Create(CreateTokenArgs),
    /// List the tokens, without their secret part
    List(Limit),
    /// End a token at once
    Revoke {
        /// The token's id
        #[arg(add = ArgValueCandidates::new(candidates::tokens))]
        id: TokenId,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// `apitoken create`
#[derive(Debug, Args)]
pub struct CreateTokenArgs {
    /// What the token may do
    #[arg(long, value_parser = scope())]
    pub scope: Scope,
    /// The user of the CRM to act as, by full name, domain name, address or id [default: the administrator for scope crm,
    /// nobody for scope api]
    #[arg(long, visible_alias = "as", value_name = "USER")]
    pub user: Option<String>,
    /// What the token is for, shown in lists
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// When it ends, counted from now; 365d at most
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    pub expires: Span,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// Signing in to the pages.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Make a sign-in link: good once, for an hour
    Link(LinkArgs),
}

/// `session link`
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// For whom: shown in the audit trail
    #[arg(long, value_name = "NAME", default_value = "owner")]
    pub name: String,
    /// What the person may do
    #[arg(long, default_value = "owner")]
    pub role: PageRole,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// A person's role on the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageRole {
    /// Everything
    Owner,
    /// All daily work
    Operator,
    /// Looks, without the bodies of mail
    Viewer,
}

/// What a token may do.
fn scope() -> impl TypedValueParser<Value = Scope> {
    let words = [
        PossibleValue::new("agent").help("Hand in mail: /agent/v1"),
        PossibleValue::new("crm").help("Act as a user of the embedded CRM: /api/data, /XRMServices"),
        PossibleValue::new("api").help("Use the REST API: /api/v1"),
    ];
    PossibleValuesParser::new(words).try_map(|text| Scope::from_str(&text))
}

fn code(text: &str) -> Result<Code, String> {
    text.parse().map_err(|()| format!("{text:?} is not an error code: write it as PR-2002"))
}
