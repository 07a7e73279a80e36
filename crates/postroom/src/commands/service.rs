//! The daily top-level commands: init, check, doctor, verify. What has to do with backups is in `backup`.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use postroom_core::{Code, Fault};
use postroom_tracking::settings;
use serde::Serialize;

use crate::app::App;
use crate::cli::{CheckArgs, InitArgs, Part};
use crate::commands::trial::{self, Step};
use crate::commands::{actor, block_on};
use crate::config;
use crate::report::{CliError, Column, Exit, Output};

/// Writes a first configuration and makes the database.
pub fn init(arguments: &InitArgs, out: &mut Output) -> Result<Exit, CliError> {
    let fail = |path: &Path, error: std::io::Error| {
        CliError::new(Code::CONFIG_INVALID, format!("{}: {error}", path.display()))
    };
    let file = arguments.dir.join("postroom.toml");
    let folder = std::path::absolute(&arguments.dir).map_err(|error| fail(&arguments.dir, error))?;
    let database = arguments.database.clone();
    let database = database.unwrap_or_else(|| format!("sqlite://{}", folder.join("postroom.db").display()));
    if file.exists() {
        out.note(&format!("{} is there already; nothing was changed", file.display()))?;
        return Ok(Exit::Done);
    }
    let text = config::example(&[("storage.url", format!("\"{database}\""))]);
    if arguments.dry_run.dry_run {
        out.bytes(text.as_bytes())?;
        return Ok(Exit::Done);
    }
    std::fs::create_dir_all(&arguments.dir).map_err(|error| fail(&arguments.dir, error))?;
    let mut created = std::fs::File::create_new(&file).map_err(|error| fail(&file, error))?;
    created.write_all(text.as_bytes()).map_err(|error| fail(&file, error))?;
    let sources = config::Sources::from_process(Some(file.clone()), Vec::new());
    let loaded = config::load(&sources).map_err(CliError::from)?;
    block_on(App::open(loaded.config))?;
    out.text(&format!("Wrote {} and made the database {database}.", file.display()))?;
    out.note("next: edit the file, then run: postroom check, and: postroom serve")?;
    Ok(Exit::Done)
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Tried {
    part: String,
    ok: bool,
    said: String,
    #[serde(rename = "do")]
    fix: Option<String>,
    /// It was not tried.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    skipped: bool,
}

impl Tried {
    fn of(part: &str, result: Result<String, (String, String)>) -> Tried {
        match result {
            Ok(said) => Tried { part: part.into(), ok: true, said, fix: None, skipped: false },
            Err((said, fix)) => Tried { part: part.into(), ok: false, said, fix: Some(fix), skipped: false },
        }
    }
}

/// Tries what the configuration names. That it got here means configuration and storage are good.
pub async fn check(app: &App, arguments: &CheckArgs, out: &mut Output) -> Result<Exit, CliError> {
    let wanted = |part: Part| arguments.part.is_none_or(|chosen| chosen == part);
    let config = &app.config;
    let mut tried = Vec::new();
    if wanted(Part::Config) {
        tried.push(Tried::of("config", Ok("every key is known and fits".into())));
    }
    if wanted(Part::Storage) {
        let reachable = settings::get(&app.store, "installation").await;
        let result = reachable.map(|_| "open, migrated and durable".to_owned());
        tried.push(Tried::of(
            "storage",
            result.map_err(|error| (error.to_string(), "check [storage] url".into())),
        ));
    }
    if wanted(Part::Crm) {
        tried.extend(crm_of(app, out).await?);
    }
    let doors = [
        (Part::Http, "http", config.http.listen.map(|listen| listen.get())),
        (Part::Smtp, "smtp", config.smtp_in.enabled.then_some(config.smtp_in.listen.get())),
        (Part::Lmtp, "lmtp", config.lmtp_in.enabled.then_some(config.lmtp_in.listen.get())),
    ];
    for (_, name, address) in doors.into_iter().filter(|(part, ..)| wanted(*part)) {
        tried.push(Tried::of(name, door(address)));
    }
    if wanted(Part::Mailbox) {
        tried.extend(mailboxes(app, arguments.name.as_deref(), arguments.round_trip, out).await?);
    }
    if wanted(Part::SmtpOut) {
        tried.push(trial::smtp_out(app).await.into());
        tried.extend(trial::reply_route(app).await.map(Tried::from));
    }
    if wanted(Part::Relay) {
        tried.push(trial::next_hop(app).await.into());
    }
    told(&tried, out)
}

impl From<Step> for Tried {
    fn from(step: Step) -> Tried {
        let said = if step.skipped { format!("not tried: {}", step.text) } else { step.text };
        Tried { part: step.name, ok: step.ok, said, fix: step.fix, skipped: step.skipped }
    }
}

/// One line for the embedded CRM; each step for one outside.
async fn crm_of(app: &App, out: &mut Output) -> Result<Vec<Tried>, CliError> {
    let Some(elsewhere) = app.crm.outside() else {
        let result = app.operations.check_crm(&actor()).await;
        let advice = |fault: Fault| (fault.to_string(), format!("postroom explain {}", fault.code));
        return Ok(vec![Tried::of("crm", result.map_err(advice))]);
    };
    out.note(&format!("asking {} …", elsewhere.org_url))?;
    let steps = super::crm::steps(app, elsewhere).await;
    Ok(steps.into_iter().map(|step| Tried { part: format!("crm {}", step.name), ..step.into() }).collect())
}

/// The steps of one mailbox, or of all.
async fn mailboxes(
    app: &App,
    name: Option<&str>,
    round_trip: bool,
    out: &mut Output,
) -> Result<Vec<Tried>, CliError> {
    let all = &app.config.mailboxes;
    if let Some(name) = name.filter(|name| !all.contains_key(*name)) {
        let text = format!("no mailbox {name:?} is configured");
        return Ok(vec![Tried::of("mailbox", Err((text, "postroom mailbox list".into())))]);
    }
    let mut tried = vec![Tried::of("mailbox", Ok(format!("{} configured", all.len())))];
    for (known, mailbox) in all.iter().filter(|(known, _)| name.is_none_or(|name| name == *known)) {
        if mailbox.imap.is_some() {
            out.note(&format!("testing {known} …"))?;
        }
        for step in trial::mailbox(app, mailbox, round_trip && mailbox.imap.is_some()).await? {
            tried.push(Tried { part: format!("mailbox {known} {}", step.name), ..step.into() });
        }
    }
    Ok(tried)
}

/// A port that can be had, or that a running postroom has.
fn door(address: Option<std::net::SocketAddr>) -> Result<String, (String, String)> {
    let Some(address) = address else { return Ok("not configured, nothing listens".into()) };
    match TcpListener::bind(address) {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(format!("{address} is in use (by the running postroom, if that is so)"))
        }
        Err(error) => Err((format!("{address}: {error}"), "set another listen address".into())),
    }
}

fn told(tried: &[Tried], out: &mut Output) -> Result<Exit, CliError> {
    let columns = [
        Column::id("part", "/part"),
        Column::new("ok", "/ok"),
        Column::new("said", "/said"),
        Column::new("do", "/do"),
    ];
    out.list(&columns, tried)?;
    Ok(if tried.iter().all(|tried| tried.ok) { Exit::Done } else { Exit::No })
}

/// Looks for anything that needs a person.
pub async fn doctor(app: &App, out: &mut Output) -> Result<Exit, CliError> {
    let today = app.operations.today(&actor()).await?;
    let mut tried = Vec::new();
    let finding = |count: u64, what: &str, fix: &str| match count {
        0 => Ok(format!("nothing {what}")),
        some => Err((format!("{some} {what}"), fix.to_owned())),
    };
    tried.push(Tried::of("review", finding(today.review, "waits in review", "postroom message review list")));
    tried.push(Tried::of("shelf", finding(today.shelf, "lies on the shelf", "postroom shelf list")));
    let (mail, queue) = (today.outgoing, |state: &str| format!("postroom queue list --state {state}"));
    tried.push(Tried::of("held mail", finding(mail.held, "waits for a release", &queue("held"))));
    tried.push(Tried::of(
        "unknown mail",
        finding(mail.unknown, "may or may not have arrived", &queue("unknown")),
    ));
    tried.push(Tried::of("failed mail", finding(mail.failed, "failed within a day", &queue("failed"))));
    let unread = match today.unread.as_slice() {
        [] => Ok("each is read".into()),
        names => Err((format!("not read now: {}", names.join(", ")), "postroom mailbox list".into())),
    };
    tried.push(Tried::of("mailboxes", unread));
    let safe = match today.safe_mode {
        true => Err(("safe mode: this data came from a backup".into(), "postroom reconcile".into())),
        false => Ok("off".into()),
    };
    tried.push(Tried::of("safe mode", safe));
    let free =
        postroom_mail::listener::DiskRoom::free(&postroom_mail::listener::DataFolder(app.data_folder()));
    let reserve = app.config.storage.disk_reserve.get();
    let disk = match free {
        Ok(free) if free > reserve * 2 => Ok(format!("{} MiB free", free >> 20)),
        Ok(free) => Err((
            format!("only {} MiB free", free >> 20),
            "free space: mail is refused below storage.disk_reserve".into(),
        )),
        Err(error) => Err((error.to_string(), "check the data folder".into())),
    };
    tried.push(Tried::of("disk", disk));
    let books = app.operations.verify(&actor()).await?;
    let balance = match books.balance() {
        true => Ok(format!("{} messages balance", books.messages)),
        false => Err((format!("{} findings", books.finding_count), "postroom verify".into())),
    };
    tried.push(Tried::of("books", balance));
    told(&tried, out)
}

/// Exit 0 when the books balance, else 20 with what does not.
pub async fn verify(app: &App, out: &mut Output) -> Result<Exit, CliError> {
    let books = app.operations.verify(&actor()).await?;
    out.item(&books)?;
    match books.balance() {
        true => Ok(Exit::Done),
        false => {
            out.note("something does not add up: look at the findings, then at the messages they name")?;
            Ok(Exit::No)
        }
    }
}
