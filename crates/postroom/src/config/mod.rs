//! The configuration: one TOML file with its `conf.d`, the environment and flags, read once into typed sections.
//!
//! * A section is defined once (`section!`): type, default, example, comment. Reading, `config example` and
//!   `config show` all come from that definition.
//! * All problems are gathered and told at once, each with file, line and column, and the nearest known name.
//! * Secrets are named here, never held ([`secret::SecretRef`]).
//!
//! What is not here: opening anything. Files that the configuration names are looked at by [`Loaded::check_files`].

pub mod command;
mod crm;
mod directory;
mod example;
mod http;
mod jobs;
mod logs;
mod mail_in;
mod mailbox;
mod marketing;
mod origin;
mod relay;
mod rules;
pub mod secret;
mod setting;
mod smtp_out;
mod sources;
mod storage;
mod token;
mod tracking;
mod tree;
mod units;
mod values;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crm::{Crm, CrmDelivery, CrmKind, CrmSignIn};
pub use directory::Directory;
pub use example::example;
pub use http::Http;
pub use jobs::Jobs;
pub use logs::{Level, Logs, Pii};
pub use mail_in::{LmtpIn, SmtpIn};
pub use mailbox::{Imap, Mailbox, OAuth, OnUnmatched, SignIn, StartAt, Tls, Touch, Track};
pub use marketing::{
    ConsentWord, EventKind, EventRules, Every, FormRules, IpWord, Marketing, OnSuppressWord, ScopeWord,
    ServiceAccount, ServiceApi,
};
pub use origin::{Origin, Problem};
pub use relay::Relay;
use setting::{Check, Inside, Leaf, Reading, Setting, default, optional};
pub use smtp_out::SmtpOut;
pub use sources::{SET, Sources};
pub use storage::Storage;
pub use token::{Token, Trust};
pub use tracking::{QualifiedLead, Tracking};
use tree::{Node, Table, Value};
pub use units::{Size, Span};
pub use values::{Fingerprint, FolderRecord, HttpUrl, Network, NotesAlias, quoted};

/// Defines the whole: the sections in the order of the example file.
macro_rules! sections {
    ($( $(#[doc = $doc:literal])+ $name:ident : $type:ty = $default:expr; )+) => {
        /// The effective configuration.
        #[derive(Debug, Clone)]
        pub struct Config { $( $(#[doc = $doc])+ pub $name: $type, )+ }

        impl Config {
            /// The names that may stand at the top.
            pub const SECTIONS: &[&str] = &[$(stringify!($name)),+];

            fn read(root: &Table, cx: &mut Reading) -> Option<Self> {
                cx.refuse_unknown(root, "", Self::SECTIONS);
                $( let $name = section::<$type>(root, stringify!($name), $default, cx); )+
                Some(Config { $($name: $name?),+ })
            }

            /// Every key with its effective value, in the order of the example file.
            fn leaves(&self) -> Vec<Leaf> {
                let mut out = Vec::new();
                $( self.$name.leaves(stringify!($name), &mut out); )+
                out
            }

            /// The keys of the fixed sections: `http.listen`. Names that the user chooses are not among them.
            pub fn keys() -> Vec<String> {
                let fixed = Self::described().into_iter().filter(|(_, _, inside)| inside.named.is_none());
                fixed.flat_map(|(name, _, inside)| inside.keys.into_iter().map(move |key| tree::join(name, key.name)))
                    .collect()
            }

            /// Every section with its keys; `true` when it may be left out as a whole.
            fn described() -> Vec<(&'static str, bool, Inside)> {
                let all = [$(
                    (stringify!($name), { let left_out: Option<$type> = $default; left_out.is_some() },
                     <$type as Setting>::inside())
                ),+];
                all.into_iter().filter_map(|(name, whole, inside)| Some((name, whole, inside?))).collect()
            }
        }
    };
}

sections! {
    /// Where everything is kept.
    storage: Storage = None;
    /// Pages, API, doors.
    http: Http = None;
    /// SMTP intake.
    smtp_in: SmtpIn = None;
    /// LMTP intake.
    lmtp_in: LmtpIn = None;
    /// The way out.
    smtp_out: Option<SmtpOut> = optional();
    /// Users' outgoing mail, stamped on its way.
    relay: Relay = None;
    /// Where mail is filed.
    crm: Crm = None;
    /// The tracking token.
    token: Token = None;
    /// Rules for every mailbox.
    tracking: Tracking = None;
    /// The tracked mailboxes by name.
    mailboxes: BTreeMap<String, Mailbox> = default(BTreeMap::new());
    /// Lists, campaigns and opt-outs, in step with the marketing service.
    marketing: Marketing = None;
    /// Notes names.
    directory: Directory = None;
    /// Stored work.
    jobs: Jobs = None;
    /// The log.
    logs: Logs = None;
}

/// Reads one section. One that is not there and has no default of its own is read as empty, so that its keys give
/// their defaults, or say that they are missing. Then the section as a whole is checked.
fn section<T: Setting + Check>(root: &Table, name: &str, left_out: Option<T>, cx: &mut Reading) -> Option<T> {
    let read = match (root.get(name), left_out) {
        (Some(node), _) => {
            cx.origins.insert(name.to_owned(), node.key_at.clone());
            T::read(node, name, cx)
        }
        (None, Some(default)) => Some(default),
        (None, None) => T::read(&Node::loose(Value::Table(Table::new()), Origin::Default), name, cx),
    };
    read.check(cx);
    read
}

/// A configuration that holds together, and what is to be known about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Where each key that was given came from; a key that is not here has its default.
    pub origins: BTreeMap<String, Origin>,
    /// To be logged at start.
    pub warnings: Vec<Problem>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// Reads, merges and checks the configuration, without looking at anything that it names.
///
/// # Errors
/// Everything that is wrong with it, in the order of the files.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Problem>> {
    let gathered = sources.gather(&Config::keys())?;
    let mut cx = Reading::default();
    let config = Config::read(&gathered.root, &mut cx);
    if let Some(config) = &config {
        rules::check(config, &mut cx);
    }
    let Reading { mut problems, warnings, origins } = cx;
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Loaded { config, origins, warnings, files: gathered.files })
        }
        _ => {
            problems.sort_by_key(place);
            Err(problems)
        }
    }
}

fn place(problem: &Problem) -> (String, usize, usize) {
    match &problem.origin {
        Origin::File(place) => (place.file.display().to_string(), place.line, place.column),
        _ => (String::new(), 0, 0),
    }
}

impl Loaded {
    /// Logs the warnings, one event each. To be called once the log is open.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!(event = "config.warning", key = warning.key, "{warning}");
        }
    }

    /// Looks at the files that the configuration names: secrets and keys that are missing or open to others.
    /// `serve` and `config validate` ask for it; commands that need no secret do not.
    pub fn check_files(&self) -> (Vec<Problem>, Vec<Problem>) {
        let mut cx = Reading { origins: self.origins.clone(), ..Reading::default() };
        rules::check_files(&self.config, &mut cx);
        (cx.problems, cx.warnings)
    }
}
