//! `postroom demo`: the main job on one machine, offline, with real protocol traffic.
//!
//! An embedded CRM with a small organisation, SMTP and LMTP intake and the pages, all on loopback, in a folder that goes
//! with the process unless `--dir` names one. Then [`story`] plays over real SMTP, or `--mail` files the user's own mail.

mod story;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use postroom_core::{Code, Crm, Fault, MailState};
use postroom_operations::{Actor, Message, Role, Wanted};

use crate::app::App;
use crate::cli::{DemoArgs, ImportArgs};
use crate::commands::{actor, message};
use crate::config::{self, Sources};
use crate::report::{CliError, Exit, Output, one_line};
use crate::serve::{Services, stop_signal};

/// How long the story may take on a slow machine before something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what has been filed.
const LOOK: Duration = Duration::from_millis(50);

pub async fn run(arguments: &DemoArgs, out: &mut Output) -> Result<Exit, CliError> {
    let folder = Folder::open(arguments.dir.as_deref())?;
    let config = configuration(&folder.path, usual)?;
    crate::logs::install(&config.logs, postroom_core::Clock::system(), None);
    let mut app = App::open(config).await?;
    organisation(&app).await?;
    let services = match Services::start(&app).await {
        // Another program took a port between our look and our use.
        Err(error) if error.code == Code::LISTEN_FAILED => {
            app.config = configuration(&folder.path, |_| 0)?;
            Services::start(&app).await?
        }
        started => started?,
    };
    match &arguments.mail {
        Some(path) => own_mail(&app, path, out).await?,
        None => tell(&app, &services, out).await?,
    }
    doors(&app, &services, &folder, out).await?;
    if !arguments.exit {
        out.text("Ctrl-C ends the demo.")?;
        out.flush()?;
        stop_signal().await?;
    }
    services.stop().await;
    Ok(Exit::Done)
}

/// The demo's data: a folder of its own that is removed at the end, or one that stays.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn open(wanted: Option<&Path>) -> Result<Folder, CliError> {
        let temporary = wanted.is_none();
        let path = wanted.map_or_else(
            || std::env::temp_dir().join(format!("postroom-demo-{}", std::process::id())),
            Path::to_owned,
        );
        let made = std::fs::create_dir_all(&path).and_then(|()| std::path::absolute(&path));
        let path = made.map_err(|error| {
            CliError::new(Code::STORE_AWAY, format!("{}: {error}", path.display()))
                .with_action("Name a folder with --dir")
        })?;
        Ok(Folder { path, temporary })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path); // what is left is in the system's folder for such things
        }
    }
}

/// A usual port when it is free, else any.
fn usual(port: u16) -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port)
}

/// Loopback only. Written into the demo's folder, so that no configuration of this machine is read, and so that commands
/// can look at a demo that was kept.
fn configuration(folder: &Path, port: impl Fn(u16) -> u16) -> Result<config::Config, CliError> {
    let database = toml::Value::String(format!("sqlite://{}", folder.join("demo.db").display()));
    let mut text = format!(
        "[storage]\nurl = {database}\ndisk_reserve = \"16MiB\"\n\n[http]\nlisten = \"127.0.0.1:{}\"\n\n\
         [smtp_in]\nenabled = true\nlisten = \"127.0.0.1:{}\"\nhostname = \"localhost\"\n\
         accept_domains = [\"demo.example\"]\n\n\
         [lmtp_in]\nenabled = true\nlisten = \"127.0.0.1:{}\"\nhostname = \"localhost\"\n\n\
         [logs]\nlevel = \"warn\"\n",
        port(8080),
        port(2525),
        port(2424)
    );
    for (name, unmatched) in
        [("support", "review"), ("sales", "activity"), ("info", "review"), ("news", "skip")]
    {
        text.push_str(&format!(
            "\n[mailboxes.{name}]\naddress = \"{name}@demo.example\"\non_unmatched = \"{unmatched}\"\n"
        ));
    }
    let file = folder.join("demo.toml");
    std::fs::write(&file, text)
        .map_err(|error| CliError::new(Code::STORE_AWAY, format!("{}: {error}", file.display())))?;
    let loaded = config::load(&Sources { file: Some(file), ..Sources::default() });
    Ok(loaded.map_err(CliError::from)?.config)
}

async fn organisation(app: &App) -> Result<(), Fault> {
    for answer in app.embedded.apply(postroom_embedded::demo::organisation()).await {
        answer?;
    }
    Ok(())
}

async fn own_mail(app: &App, path: &Path, out: &mut Output) -> Result<(), CliError> {
    let arguments = ImportArgs::of(path.to_owned());
    message::import::run(app, &arguments, out).await.map(drop)
}

/// Plays the story and says where each mail ended.
async fn tell(app: &App, services: &Services, out: &mut Output) -> Result<(), CliError> {
    let smtp = services.smtp.ok_or_else(|| Fault::bug("the demo listens for SMTP"))?;
    out.text("Brunnthal Pumps has 4 users, 4 mailboxes, 3 queues, 12 contacts, 4 leads and 6 open cases. Their mail comes in:")?;
    out.text("")?;
    let letters = story::letters(app.clock.now(), app.ids.next());
    for letter in &letters {
        story::send(smtp, letter).await.map_err(|error| Fault::retry(Code::STORE_AWAY, error.to_string()))?;
        let message = settled(app, &letter.message_id).await?;
        for line in told(letter, &message) {
            out.text(&line)?;
        }
        out.flush()?;
    }
    out.text("")?;
    Ok(())
}

/// Waits until the mail has found its place.
async fn settled(app: &App, message_id: &str) -> Result<Message, CliError> {
    let work = async {
        loop {
            let text = Some(message_id.to_owned());
            let found =
                app.operations.messages(&actor(), Wanted { text, limit: 1, ..Wanted::default() }).await?;
            match found.into_iter().next() {
                Some(message) if !matches!(message.state, MailState::Received | MailState::Parsed) => {
                    return Ok(message);
                }
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    };
    let late = |_| CliError::new(Code::INTERNAL, format!("{message_id} was not filed within a minute"));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

fn told(letter: &story::Letter, message: &Message) -> [String; 3] {
    let place = match (&message.record, message.state) {
        (Some(record), _) => format!("filed on {}", letter.names(record)),
        (None, MailState::Tracked) => "filed without a record, queue item made".into(),
        (None, MailState::Review) => "waits in review".into(),
        (None, state) => state.to_string().replace('_', " "),
    };
    let marked = if message.automatic { " (automatic, never answered)" } else { "" };
    [
        format!("  {}", letter.what),
        format!("      -> {place}{marked}"),
        format!("         {}", one_line(&message.reason)),
    ]
}

/// Where to look, and how to send a mail by hand.
async fn doors(app: &App, services: &Services, folder: &Folder, out: &mut Output) -> Result<(), CliError> {
    let owner = Actor::console();
    if let Some(base) = &services.sign_in_base {
        let secret = app.operations.create_link(&owner, "demo", Role::Owner).await?;
        out.text(&format!("Pages, one sign-in:  {base}{secret}"))?;
    }
    let case = postroom_embedded::demo::story().case_pump;
    if let Some(smtp) = services.smtp {
        out.text(&format!(
            "SMTP on {smtp}, LMTP on {}.",
            services.lmtp.map_or("-".into(), |lmtp: SocketAddr| lmtp.to_string())
        ))?;
        out.text("Send it a mail by hand, with a token or without:")?;
        out.text(&format!(
            "  printf 'From: anna.adler@adler-brauerei.example\\r\\nTo: support@demo.example\\r\\nSubject: It drips again {}\\r\\n\\r\\nHello\\r\\n' \\",
            postroom_tracking::token::make(case.id)
        ))?;
        out.text(&format!(
            "    | curl -s smtp://{smtp} --mail-from anna.adler@adler-brauerei.example --mail-rcpt support@demo.example -T -"
        ))?;
    }
    let kept = if folder.temporary { "removed at the end" } else { "kept" };
    out.text(&format!("Data in {} ({kept}).", folder.path.display()))?;
    Ok(())
}
