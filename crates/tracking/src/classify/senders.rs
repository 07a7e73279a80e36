//! Who the mail says it comes from, as far as that decides whether it may be answered.

use postroom_core::{Envelope, address};
use postroom_formats::mime::Mail;

/// What was seen of the sender.
#[derive(Debug, Default)]
pub(super) struct Sender {
    /// The return path is empty, or the mail system's own (Domino's bounces arrive so after a relay).
    pub null: bool,
    pub daemon: Daemon,
    pub nobody: bool,
    silent: bool,
    pub evidence: Vec<String>,
}

/// Whether the author is the mail system.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Daemon {
    #[default]
    No,
    /// A person may write from this address, too.
    Postmaster,
    /// Only programs write from it.
    Mailer,
}

impl Sender {
    pub fn unanswerable(&self) -> bool {
        self.null || self.nobody || self.silent || self.daemon != Daemon::No
    }
}

/// Local parts that nobody reads, wherever they stand in the local part; compared without `-`, `_` and `.`.
const NO_REPLY: &[&str] = &[
    "noreply",
    "donotreply",
    "dontreply",
    "noresponse",
    "noresponder",
    "naoresponda",
    "nepasrepondre",
    "nichtantworten",
    "keineantwort",
    "nonrispondere",
    "nietantwoorden",
    "svarinte",
];

pub(super) fn look(mail: &Mail<'_>, envelope: &Envelope) -> Sender {
    let mut sender = Sender::default();
    let path = return_path(mail, envelope);
    match path.as_deref().map(|path| (path, daemon(path))) {
        Some(("", _)) => {
            sender.null = true;
            sender.evidence.push("empty return path".to_owned());
        }
        Some((_, Daemon::Mailer)) => {
            sender.null = true;
            sender.evidence.push("the return path is the mail system's".to_owned());
        }
        _ => {}
    }
    sender.daemon = mail.from.first().map(|from| daemon(&from.address)).unwrap_or_default();
    match sender.daemon {
        Daemon::No => {}
        Daemon::Postmaster => sender.evidence.push("from postmaster".to_owned()),
        Daemon::Mailer => sender.evidence.push("from mailer-daemon".to_owned()),
    }
    sender.nobody = !mail.from.iter().any(|from| from.address.contains('@')) && sender.daemon == Daemon::No;
    if sender.nobody {
        sender.evidence.push("no sender address".to_owned());
    }
    let answerable =
        mail.from.iter().chain(&mail.reply_to).map(|each| each.address.as_str()).chain(path.as_deref());
    for address in answerable {
        let why = match address::normal(address) {
            normal if is_no_reply(&normal) => "the sender reads no answers",
            normal if is_list(&normal) => "the sender is a list's address",
            _ => continue,
        };
        sender.silent = true;
        sender.evidence.push(why.to_owned());
    }
    sender
}

/// The reverse-path: the envelope's, else the delivering server's note of it. Empty for `<>`.
fn return_path(mail: &Mail<'_>, envelope: &Envelope) -> Option<String> {
    let path = envelope.from.clone().or_else(|| mail.header("Return-Path"))?;
    Some(address::normal(&path))
}

fn local(address: &str) -> String {
    let normal = address::normal(address);
    normal.rsplit_once('@').map_or(normal.clone(), |(local, _)| local.to_owned())
}

fn daemon(address: &str) -> Daemon {
    match local(address).trim_matches('"') {
        "mailer-daemon" | "mailerdaemon" | "maildaemon" | "mail-daemon" | "mailer_daemon" => Daemon::Mailer,
        "postmaster" => Daemon::Postmaster,
        _ => Daemon::No,
    }
}

fn is_no_reply(address: &str) -> bool {
    let dense: String = local(address).chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect();
    NO_REPLY.iter().any(|name| dense.contains(name))
}

/// RFC 3834 section 2 names these; an answer would reach a list or its robot.
fn is_list(address: &str) -> bool {
    let local = local(address);
    let starts = ["owner-", "bounce-", "bounces-", "bounces+", "bounce+"];
    let ends = ["-request", "-owner", "-bounces", "-bounce"];
    let whole = ["listserv", "majordomo", "mailman", "bounce", "bounces"];
    starts.iter().any(|start| local.starts_with(start))
        || ends.iter().any(|end| local.ends_with(end))
        || whole.contains(&local.as_str())
}
