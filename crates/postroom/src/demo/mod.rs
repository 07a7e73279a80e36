//! `postroom demo`: the main job on one machine, offline, with real protocol traffic.
//!
//! An embedded CRM with a small organisation, SMTP and LMTP intake and the pages, all on loopback, in a folder that goes
//! with the process unless `--dir` names one; and the mail servers of the [`world`] around it. Then [`story`] plays over
//! real SMTP, [`answers`] over SMTP and IMAP, [`marketing`] and [`newsletter`] at the stand-in for the service, or `--mail`
//! files the user's own mail.

mod answers;
mod marketing;
mod newsletter;
mod stage;
mod story;
mod world;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postroom_core::{Code, Fault};
use postroom_operations::{Actor, Role, Scope, TokenOrder};

use self::stage::Stage;
use self::world::World;
use crate::app::App;
use crate::cli::{DemoArgs, ImportArgs};
use crate::commands::message;
use crate::config::{self, Sources};
use crate::report::{CliError, Exit, Output};
use crate::serve::{Services, stop_signal};

pub async fn run(arguments: &DemoArgs, out: &mut Output) -> Result<Exit, CliError> {
    let folder = Folder::open(arguments.dir.as_deref())?;
    let world = World::start();
    let config = configuration(&folder.path, &world, usual)?;
    crate::logs::install(&config.logs, postroom_core::Clock::system(), None);
    let mut app = marketing::hurried(App::open(config).await?.with_marketing().await?);
    organisation(&app).await?;
    let services = match Services::start(&app).await {
        // Another program took a port between our look and our use.
        Err(error) if error.code == Code::LISTEN_FAILED => {
            app.config = Arc::new(configuration(&folder.path, &world, |_| 0)?);
            Services::start(&app).await?
        }
        started => started?,
    };
    let wrong = match &arguments.mail {
        Some(path) => own_mail(&app, path, out).await.map(|()| Vec::new())?,
        None => tell(&app, &world, &services, out).await?,
    };
    doors(&app, &services, &folder, out).await?;
    if !arguments.exit {
        out.text("Ctrl-C ends the demo.")?;
        out.flush()?;
        stop_signal().await?;
    }
    services.stop().await;
    match wrong.is_empty() {
        true => Ok(Exit::Done),
        false => {
            Err(CliError::new(Code::INTERNAL, format!("the story ended otherwise: {}", wrong.join(". "))))
        }
    }
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
fn configuration(
    folder: &Path,
    world: &World,
    port: impl Fn(u16) -> u16,
) -> Result<config::Config, CliError> {
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
    for (name, unmatched) in [("support", "review"), ("info", "review"), ("news", "skip")] {
        text.push_str(&format!(
            "\n[mailboxes.{name}]\naddress = \"{name}@demo.example\"\non_unmatched = \"{unmatched}\"\n"
        ));
    }
    text.push_str(&world.configuration(folder)?);
    let file = folder.join("demo.toml");
    std::fs::write(&file, text)
        .map_err(|error| CliError::new(Code::STORE_AWAY, format!("{}: {error}", file.display())))?;
    let loaded = config::load(&Sources { file: Some(file), ..Sources::default() });
    Ok(loaded.map_err(CliError::from)?.config)
}

async fn organisation(app: &App) -> Result<(), Fault> {
    for answer in app.filing.crm.apply(postroom_embedded::demo::organisation()).await {
        answer?;
    }
    marketing::install(app).await
}

async fn own_mail(app: &App, path: &Path, out: &mut Output) -> Result<(), CliError> {
    let arguments = ImportArgs::of(path.to_owned());
    message::import::run(app, &arguments, out).await.map(drop)
}

/// Plays all acts and says where each mail ended. Answers what did not end where it should.
async fn tell(
    app: &App,
    world: &World,
    services: &Services,
    out: &mut Output,
) -> Result<Vec<String>, CliError> {
    let smtp = services.smtp.ok_or_else(|| Fault::bug("the demo listens for SMTP"))?;
    let mut stage = Stage { app, world, smtp, run: app.ids.next(), out, wrong: Vec::new() };
    stage.out.text("Brunnthal Pumps has 4 users, 4 mailboxes, 3 queues, 12 contacts, 4 leads and 6 open cases. Their mail comes in:")?;
    stage.out.text("")?;
    for letter in &story::letters(app.clock.now(), stage.run) {
        stage.scene(letter.what)?;
        story::send(smtp, letter).await.map_err(|error| Fault::retry(Code::STORE_AWAY, error.to_string()))?;
        stage.ends(&letter.message_id, &letter.end).await?;
    }
    stage.out.text("")?;
    stage.out.text("Now they write from the CRM, and the world answers:")?;
    stage.out.text("")?;
    answers::play(&mut stage).await?;
    stage.out.text("")?;
    stage.out.text("And the marketing service, where people come and go:")?;
    stage.out.text("")?;
    marketing::play(&mut stage).await?;
    newsletter::play(&mut stage).await?;
    stage.out.text("")?;
    stage.out.flush()?;
    Ok(stage.wrong)
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
    if let Some(http) = services.http {
        let life = std::time::Duration::from_secs(24 * 60 * 60);
        let order = TokenOrder { scope: Scope::Crm, name: "demo", user: None, life };
        let token = app.operations.create_token(&owner, order).await?.token;
        out.text("The CRM's Web API, as Dynamics 365 has it (docs/EMBEDDED-CRM.md has more):")?;
        out.text(&format!(
            "  curl -s -H 'Authorization: Bearer {token}' 'http://{http}/api/data/v9.2/contacts?$select=fullname,emailaddress1&$top=3'"
        ))?;
    }
    out.text("Mail to the world is caught here; nothing leaves this machine.")?;
    let kept = if folder.temporary { "removed at the end" } else { "kept" };
    out.text(&format!("Data in {} ({kept}).", folder.path.display()))?;
    Ok(())
}
