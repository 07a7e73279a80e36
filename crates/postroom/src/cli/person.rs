//! `postroom person …`: one person in mail, in the CRM and at the marketing service. A person asks about all of it, so one
//! command answers for all of it.

use clap::{Args, Subcommand};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use jiff::Timestamp;
use postroom_core::RecordRef;

use super::globals::{DryRun, Yes};
use super::help::{Help, help};
use super::mailbox::moment;
use crate::commands::candidates;
use crate::report::Exit;

/// What a person may ask of whoever keeps their mail and sends them marketing mail.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Show everything known of an address: both sides' fields, consent, what they did and answered, mail
    Show {
        /// The person's e-mail address
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Say whether an address could be mailed on a day, and why
    Prove(ProveArgs),
    /// Erase a person: mail here and in the CRM, and everything of the marketing half but the opt-out
    Erase(ErasePersonArgs),
    /// Give everything known of one record to another of the same person
    Merge(MergePeopleArgs),
}

/// `person prove`
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The person's e-mail address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// The day or moment [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub on: Option<Timestamp>,
    /// Only mail of this account [default: all]
    #[arg(long, add = ArgValueCandidates::new(candidates::accounts))]
    pub account: Option<String>,
    /// account, list:NUMBER or preference:NUMBER [default: account]
    #[arg(long)]
    pub scope: Option<String>,
}

/// `person erase`
#[derive(Debug, Args)]
pub struct ErasePersonArgs {
    /// The person's e-mail address
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `person merge`
#[derive(Debug, Args)]
pub struct MergePeopleArgs {
    /// The record that goes
    #[arg(value_name = "FROM", add = ArgValueCompleter::new(candidates::records))]
    pub from: RecordRef,
    /// The record that stays
    #[arg(value_name = "INTO", add = ArgValueCompleter::new(candidates::records))]
    pub into: RecordRef,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

pub(super) const HELP: &[Help] = &[
    help(
        "person show",
        &["postroom person show anna@customer.example", "postroom person show anna@customer.example --json"],
        &[Exit::Unreachable],
    ),
    help(
        "person prove",
        &[
            "postroom person prove anna@customer.example --on 2026-03-01",
            "postroom person prove anna@customer.example --account main --scope list:12 --json",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::No],
    ),
    help(
        "person erase",
        &[
            "postroom person erase anna@customer.example --dry-run",
            "postroom person erase anna@customer.example --yes --expect-count 12",
            "postroom person erase anna@customer.example --yes --json",
        ],
        &[Exit::Unreachable, Exit::PartlyDone, Exit::Refused],
    ),
    help(
        "person merge",
        &[
            "postroom person merge contact/0199d9a0-0000-7000-8000-000000000001 contact/0199d9a0-0000-7000-8000-000000000002 --dry-run",
            "postroom person merge contact/0199d9a0-0000-7000-8000-000000000001 contact/0199d9a0-0000-7000-8000-000000000002 --yes",
        ],
        &[Exit::NotFound, Exit::Unreachable, Exit::Refused],
    ),
];
