//! `[mailboxes.NAME.imap]` as accounts to watch.

use std::time::Duration;

use postroom_mail::imap::{
    Account, Auth, FolderName, FolderRule, Options, Start, Tls as ImapTls, TlsMode, Touch, Watched,
};

use super::issuers::Issuers;
use super::outgoing::{pin, secret};
use crate::config::{self, Config, Imap, Mailbox, SignIn, StartAt, Tls};
use crate::report::CliError;

/// Every mailbox with IMAP.
pub async fn all(config: &Config, issuers: &mut Issuers) -> Result<Vec<Watched>, CliError> {
    let mut all = Vec::new();
    for (name, mailbox) in &config.mailboxes {
        let Some(imap) = &mailbox.imap else { continue };
        all.push(watched(name, mailbox, imap, issuers).await?);
    }
    Ok(all)
}

/// One mailbox.
async fn watched(
    name: &str,
    mailbox: &Mailbox,
    imap: &Imap,
    issuers: &mut Issuers,
) -> Result<Watched, CliError> {
    let account = account(imap, issuers).await?;
    let mut watched = match mailbox.is_journal() {
        true => Watched::journal(name, account),
        false => Watched::new(name, account),
    };
    let touch = match (mailbox.touch, &imap.move_to) {
        (config::Touch::Nothing, _) | (config::Touch::Move, None) => Touch::Nothing,
        (config::Touch::MarkSeen, _) => Touch::MarkSeen,
        (config::Touch::Move, Some(folder)) => Touch::Move(FolderName::Named(folder.clone())),
    };
    let listed = imap
        .folders
        .iter()
        .map(|folder| folder_name(folder))
        .filter(|folder| !mailbox.is_journal() || *folder != FolderName::Sent);
    let tied = imap.records.iter().filter_map(|record| record.parts()).map(|(folder, _)| folder_name(folder));
    let mut folders: Vec<FolderName> = Vec::new();
    for folder in listed.chain(tied) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    watched.folders = folders
        .into_iter()
        .map(|folder| {
            // People look into Sent themselves; only what came in is touched.
            let touch = if folder == FolderName::Sent { Touch::Nothing } else { touch.clone() };
            let tied = imap.records.iter().filter_map(|record| record.parts());
            let tied = tied.map(|(name, _)| folder_name(name)).any(|name| name == folder);
            FolderRule { touch, tied, ..FolderRule::new(folder) }
        })
        .collect();
    watched.start = match mailbox.start_at {
        StartAt::Now => Start::Now,
        StartAt::At(moment) => Start::Since(moment),
    };
    Ok(watched)
}

fn folder_name(name: &str) -> FolderName {
    match name {
        "Sent" => FolderName::Sent,
        name if name.eq_ignore_ascii_case("INBOX") => FolderName::Inbox,
        name => FolderName::Named(name.to_owned()),
    }
}

/// Where the mailbox is and how one gets in.
pub async fn account(imap: &Imap, issuers: &mut Issuers) -> Result<Account, CliError> {
    let user = imap.username.clone().unwrap_or_default();
    let password = match &imap.password {
        Some(password) => secret(password).await?,
        None => postroom_core::Secret::new(""),
    };
    let auth = match (imap.sign_in, &imap.master) {
        (SignIn::Xoauth2, _) => Auth::Token { user, tokens: issuers.of(imap).await? },
        (_, Some(master)) => Auth::Master { user, master: master.clone(), password },
        (_, None) => Auth::Password { user, password },
    };
    let mode = match imap.tls {
        Tls::Implicit => TlsMode::Implicit,
        Tls::Starttls => TlsMode::StartTls,
        Tls::None => TlsMode::None,
    };
    Ok(Account {
        host: imap.host.to_string(),
        port: imap.port,
        tls: ImapTls { mode, pin: pin(imap.tls_pin.as_ref())?, ca_file: imap.ca_file.clone() },
        auth,
        below: imap.below.clone(),
    })
}

/// The watcher's pace: the shortest that any mailbox asks for.
pub fn options(config: &Config) -> Options {
    let polls =
        config.mailboxes.values().filter_map(|mailbox| mailbox.imap.as_ref()).map(|imap| imap.poll.get());
    let poll = polls.min().unwrap_or(Duration::from_secs(60)).max(Duration::from_millis(200));
    let defaults = Options::default();
    Options { poll, poll_longest: defaults.poll_longest.max(poll), ..defaults }
}
