//! `postroom mailbox add`: where an address's mailbox may be, whether it can be signed in to, and its section.

use std::path::PathBuf;

use postroom_core::{Code, Secret};
use postroom_mail::imap::{self, Account, Auth, Candidate, SystemNames, SystemPages, Tls, TlsMode};
use postroom_operations::TrialStep as Step;
use serde_json::json;

use super::lines;
use crate::app::App;
use crate::cli::{AddMailboxArgs, Globals, Protection};
use crate::commands::trial;
use crate::commands::{round_trip, section};
use crate::config::secret::SecretRef;
use crate::config::{Config, quoted};
use crate::report::{CliError, Exit, Output, one_line};

pub async fn run(
    app: &App,
    arguments: &AddMailboxArgs,
    globals: &Globals,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let name = arguments.name.clone().unwrap_or_else(|| suggested(&arguments.address));
    if is_there(&app.config, &name, &arguments.address)? {
        match out.is_json() {
            true => {
                out.item(&json!({ "name": name, "address": arguments.address, "already_there": true }))?
            }
            false => out.text(&format!("{name} ({}) is there already.", arguments.address))?,
        }
        return Ok(Exit::Done);
    }
    let candidates = candidates(arguments, out).await?;
    let Some(first) = candidates.first() else {
        let text = format!("no mail server was found for {}", arguments.address);
        return Err(CliError::new(Code::API_NOT_FOUND, text).with_action("Name the server with --host"));
    };
    let users = users(arguments);
    let Some(password) = password(arguments).await? else {
        let section = Section { name: &name, arguments, at: first, user: &users[0] }.text();
        out.note("nothing was signed in to: give --password-file to test it")?;
        return said(
            &Found { name: &name, section, steps: Vec::new(), candidates: &candidates, file: None },
            arguments,
            out,
        );
    };
    let (at, user, mut steps) = tested(app, arguments, &candidates, &users, &password).await?;
    if !trial::signed_in(&steps) {
        for line in steps.iter().flat_map(lines) {
            out.text(&line)?;
        }
        if out.is_json() {
            out.item(&json!({ "name": name, "address": arguments.address, "steps": steps }))?;
        }
        return Ok(trial::exit(&steps));
    }
    if let Some(route) = trial::reply_route(&app.bench()).await.filter(|route| route.fix.is_some()) {
        lines(&route).iter().try_for_each(|line| out.note(line))?;
    }
    let mut arrived = true;
    if arguments.round_trip && !arguments.dry_run.dry_run {
        let account = account(arguments, at, user, &password)?;
        let way = round_trip::of(&app.bench(), &arguments.address, &account).await;
        arrived = trial::exit(&way) == Exit::Done;
        steps.extend(way);
    }
    let section = Section { name: &name, arguments, at, user }.text();
    // A mailbox whose mail does not come back is for a person to look at before it is watched.
    let file = match arguments.write && arrived && !arguments.dry_run.dry_run {
        true => Some(section::append(&section, globals)?),
        false => None,
    };
    let exit = if arrived { Exit::Done } else { trial::exit(&steps) };
    said(&Found { name: &name, section, steps, candidates: &candidates, file }, arguments, out)?;
    Ok(exit)
}

/// What stands before the @, as a key that needs no quotes.
fn suggested(address: &str) -> String {
    let local = address.split('@').next().unwrap_or_default();
    let key = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    local.chars().map(key).collect::<String>().trim_matches('-').to_owned()
}

/// Whether this very mailbox is configured; name or address of another one is a conflict.
fn is_there(config: &Config, name: &str, address: &str) -> Result<bool, CliError> {
    let conflict = |text: String| {
        CliError::new(Code::API_CONFLICT, text)
            .with_action("Give another one with --name, or edit the configuration")
    };
    if name.is_empty() {
        return Err(CliError::usage("the address gives no name: give one with --name"));
    }
    let owner =
        config.mailboxes.iter().find(|(_, known)| known.all_addresses().any(|one| one.as_ref() == address));
    match (owner, config.mailboxes.get(name)) {
        (Some((owner, _)), _) if owner == name => Ok(true),
        (Some((owner, _)), _) => Err(conflict(format!("{address} belongs to mailboxes.{owner} already"))),
        (None, Some(other)) => {
            Err(conflict(format!("mailboxes.{name} is there already, for {}", other.address)))
        }
        (None, None) => Ok(false),
    }
}

/// The server that was named, or those that may be the address's.
async fn candidates(arguments: &AddMailboxArgs, out: &mut Output) -> Result<Vec<Candidate>, CliError> {
    if let Some(host) = &arguments.host {
        let (tls, usual) = match arguments.tls {
            Protection::Implicit => (TlsMode::Implicit, 993),
            Protection::Starttls => (TlsMode::StartTls, 143),
            Protection::None => (TlsMode::None, 143),
        };
        let port = arguments.port.unwrap_or(usual);
        return Ok(vec![Candidate { host: host.clone(), port, tls, from: "the command line" }]);
    }
    out.note(&format!("looking for the mail server of {} …", arguments.address))?;
    let names = SystemNames::new().map_err(|error| {
        let text = format!("the name servers of this machine cannot be read: {error}");
        CliError::new(Code::IMAP_AWAY, text)
            .with_exit(Exit::Unreachable)
            .with_action("Name the server with --host")
    })?;
    let pages = SystemPages::new().map_err(|error| {
        CliError::new(Code::IMAP_TLS, format!("the certificate authorities cannot be used: {error}"))
            .with_action("Name the server with --host")
    })?;
    Ok(imap::guess(&arguments.address, &names, &pages).await)
}

/// Names to sign in with, the likeliest first. No more than two: servers lock accounts that are tried too often.
fn users(arguments: &AddMailboxArgs) -> Vec<String> {
    match &arguments.username {
        Some(user) => vec![user.clone()],
        None => {
            let local = arguments.address.split('@').next().unwrap_or_default().to_owned();
            vec![arguments.address.clone(), local]
        }
    }
}

async fn password(arguments: &AddMailboxArgs) -> Result<Option<Secret>, CliError> {
    let Some(file) = &arguments.password_file else { return Ok(None) };
    let read = SecretRef::File(file.clone()).read().await;
    read.map(Some).map_err(|error| CliError::new(error.code(), error.to_string()))
}

/// The mailbox, if it is there and this is its user.
fn account(
    arguments: &AddMailboxArgs,
    at: &Candidate,
    user: &str,
    password: &Secret,
) -> Result<Account, CliError> {
    let pin = arguments.tls_pin.as_deref().map(str::parse).transpose();
    let pin = pin.map_err(|error: imap::NotAFingerprint| CliError::usage(error.to_string()))?;
    let auth = Auth::Password { user: user.to_owned(), password: password.clone() };
    let tls = Tls { mode: at.tls, pin, ca_file: None };
    Ok(Account { host: at.host.clone(), port: at.port, tls, auth, below: None })
}

/// Tries the candidates until one can be signed in to, or one refuses every name.
async fn tested<'c>(
    app: &App,
    arguments: &AddMailboxArgs,
    candidates: &'c [Candidate],
    users: &'c [String],
    password: &Secret,
) -> Result<(&'c Candidate, &'c str, Vec<Step>), CliError> {
    let mut last = None;
    for at in candidates {
        for user in users {
            let account = account(arguments, at, user, password)?;
            let steps = trial::probe(&app.bench(), &account, imap::Sent::Watched).await;
            if trial::signed_in(&steps) {
                return Ok((at, user, steps));
            }
            let refused = steps.iter().any(|step| step.name == "sign_in");
            // The likeliest place tells most about what is wrong, and one that answered tells more.
            if refused || last.is_none() {
                last = Some((at, user.as_str(), steps));
            }
            if !refused {
                break;
            }
        }
        if last.as_ref().is_some_and(|(_, _, steps)| steps.iter().any(|step| step.name == "sign_in")) {
            break;
        }
    }
    Ok(last.expect("there is a candidate and a name to sign in with"))
}

/// A mailbox's part of the configuration.
struct Section<'s> {
    name: &'s str,
    arguments: &'s AddMailboxArgs,
    at: &'s Candidate,
    user: &'s str,
}

impl Section<'_> {
    fn text(&self) -> String {
        let Section { name, arguments, at, user } = self;
        let tls = match at.tls {
            TlsMode::Implicit => "implicit",
            TlsMode::StartTls => "starttls",
            TlsMode::None => "none",
        };
        let usual = PathBuf::from(format!("/etc/postroom/secrets/imap-{name}"));
        let file = arguments.password_file.as_ref().unwrap_or(&usual);
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        let pin =
            arguments.tls_pin.as_ref().map(|pin| format!("tls_pin = {}\n", quoted(pin))).unwrap_or_default();
        format!(
            "[mailboxes.{name}]\naddress = {}\n\n[mailboxes.{name}.imap]\nhost = {}\nport = {}\ntls = {}\n{pin}username = {}\npassword = {{ file = {} }}\n",
            quoted(&arguments.address),
            quoted(&at.host),
            at.port,
            quoted(tls),
            quoted(user),
            quoted(&file.display().to_string()),
        )
    }
}

/// What came of it.
struct Found<'f> {
    name: &'f str,
    section: String,
    steps: Vec<Step>,
    candidates: &'f [Candidate],
    /// The file that has it now.
    file: Option<PathBuf>,
}

fn said(found: &Found<'_>, arguments: &AddMailboxArgs, out: &mut Output) -> Result<Exit, CliError> {
    if out.is_json() {
        let candidates: Vec<_> = found
            .candidates
            .iter()
            .map(|at| json!({ "host": at.host, "port": at.port, "from": at.from }))
            .collect();
        out.item(&json!({
            "name": found.name,
            "address": arguments.address,
            "section": found.section,
            "steps": found.steps,
            "candidates": candidates,
            "written": found.file,
        }))?;
        return Ok(Exit::Done);
    }
    for line in found.steps.iter().flat_map(lines) {
        out.note(&line)?;
    }
    for at in found.candidates.iter().filter(|_| found.steps.is_empty()) {
        out.note(&one_line(&format!("possible: {} port {} ({})", at.host, at.port, at.from)))?;
    }
    out.bytes(found.section.as_bytes())?;
    match &found.file {
        Some(file) => {
            out.note(&format!("appended to {}; start postroom serve again to read it", file.display()))?
        }
        None => out.note("add this to the configuration, or run it again with --write")?,
    }
    Ok(Exit::Done)
}
