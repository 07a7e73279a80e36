//! `postroom mailbox …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::globals::{DryRun, Yes};
use crate::commands::candidates;

/// Tracked mailboxes.
#[derive(Debug, Subcommand)]
pub enum MailboxCommand {
    /// Find the server of an address, test it, and print its section for the configuration
    Add(AddMailboxArgs),
    /// List the mailboxes with their state, lag and cursors
    List,
    /// Show one mailbox with what was decided about its mail last
    Show(MailboxName),
    /// Test one mailbox, or all, step by step
    Test(TestMailboxArgs),
    /// Stop reading a mailbox until it is resumed
    Pause(OrderArgs),
    /// Go on reading a mailbox
    Resume(OrderArgs),
    /// Read a mailbox's mail again; nothing is added twice
    Rescan(RescanArgs),
    /// Forget where a mailbox was read to; its messages stay
    Remove(RemoveMailboxArgs),
}

/// The name of a mailbox.
#[derive(Debug, Args)]
pub struct MailboxName {
    /// The mailbox's name
    #[arg(add = ArgValueCandidates::new(candidates::mailboxes))]
    pub name: String,
}

/// `mailbox pause` and `mailbox resume`
#[derive(Debug, Args)]
pub struct OrderArgs {
    #[command(flatten)]
    pub mailbox: MailboxName,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `mailbox rescan`
#[derive(Debug, Args)]
pub struct RescanArgs {
    #[command(flatten)]
    pub mailbox: MailboxName,
    /// From when on: a date, or a time with its zone
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Timestamp,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// `mailbox test`
#[derive(Debug, Args)]
pub struct TestMailboxArgs {
    /// The mailbox's name; all when left out
    #[arg(add = ArgValueCandidates::new(candidates::mailboxes))]
    pub name: Option<String>,
    /// Also send a mail to the mailbox itself and wait for it there
    #[arg(long)]
    pub round_trip: bool,
}

/// `mailbox remove`
#[derive(Debug, Args)]
pub struct RemoveMailboxArgs {
    #[command(flatten)]
    pub mailbox: MailboxName,
    #[command(flatten)]
    pub dry_run: DryRun,
    #[command(flatten)]
    pub yes: Yes,
}

/// `mailbox add`
#[derive(Debug, Args)]
pub struct AddMailboxArgs {
    /// The mailbox's address
    #[arg(value_name = "ADDRESS", value_parser = address)]
    pub address: String,
    /// What to call it; left out, what stands before the at sign
    #[arg(long, value_parser = name)]
    pub name: Option<String>,
    /// The mail server [default: looked for in the DNS]
    #[arg(long)]
    pub host: Option<String>,
    /// Its port [default: 993, or 143 with starttls]
    #[arg(long, requires = "host")]
    pub port: Option<u16>,
    /// How the connection is protected
    #[arg(long, value_name = "TLS", default_value = "implicit", requires = "host")]
    pub tls: Protection,
    /// The SHA-256 of the only certificate that is believed
    #[arg(long, value_name = "FINGERPRINT", requires = "host")]
    pub tls_pin: Option<String>,
    /// The user to sign in as; left out, the address, then what stands before its at sign
    #[arg(long)]
    pub username: Option<String>,
    /// The file with the user's password; without it nothing is signed in to
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Also send a mail to the mailbox itself, by smtp_out, and wait for it there
    #[arg(long, visible_alias = "send", requires = "password_file")]
    pub round_trip: bool,
    /// Append the section to the configuration file
    #[arg(long, requires = "password_file")]
    pub write: bool,
    #[command(flatten)]
    pub dry_run: DryRun,
}

/// How a connection is protected, in the words of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protection {
    /// TLS from the first byte
    Implicit,
    /// STARTTLS, and nothing without it
    Starttls,
    /// None: to this machine only
    None,
}

pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let midnight = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let moment = text.parse::<Timestamp>().ok().or_else(midnight);
    moment.ok_or_else(|| format!("{text:?} is no time: write it as 2026-01-31 or 2026-01-31T08:00:00Z"))
}

fn address(text: &str) -> Result<String, String> {
    let normal = postroom_core::address::normal(text);
    match normal.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => Ok(normal),
        _ => Err(format!("{text:?} is no address: write it as support@example.org")),
    }
}

/// A key of TOML that needs no quotes.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match fits {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no name: use letters, digits, - and _")),
    }
}
