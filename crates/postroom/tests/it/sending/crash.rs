//! A process killed at every durable step of sending, before and after its commit: whatever was lost, the next process brings
//! the mail to its end, and the mail server never sees two mails where there is one.
//!
//! The mail server's book is a file that outlives the process: a line is durable before the answer is given.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{
    Clock, Code, Crm, Direction, Fault, Handed, Ids, Inbox, MailSender, MailState, Outgoing, Verdict, kill,
};
use postroom_embedded::Embedded;
use postroom_jobs::{self as jobs, Runner, Worker};
use postroom_testkit::database;
use postroom_tracking::intake::Intake;
use postroom_tracking::sending::reports::{About, Report, Reported, reported};
use postroom_tracking::sending::{self, Entry, Scan, Sending, SentCopy, verbs};
use postroom_tracking::settings;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::bench::{self, Draft, On, SHY};
use super::server::answer;
use super::tls;
use crate::load::{Database, House, PATIENCE, is_killed};
use crate::make::{self, Make, Place};

const STORY: &str = "POSTROOM_TEST_STORY";
const POINT: &str = "POSTROOM_TEST_SENDING_POINT";
const FOLDER: &str = "POSTROOM_TEST_FOLDER";
/// A CRM outside, for the process that is killed; without it the CRM is its own.
const CRM: &str = "POSTROOM_TEST_SENDING_CRM";
/// A database on PostgreSQL, for the process that is killed; without it a file in its folder.
const DATABASE: &str = "POSTROOM_TEST_SENDING_DATABASE";

/// Drills that run side by side: each waits for a lease of a dead process most of the time.
const ABREAST: usize = 4;

/// Looks in a row at which nothing had changed.
const QUIET: u32 = 15;

/// What happens to the one mail of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    Plain,
    /// Put off once.
    Later,
    /// The answer is lost; nothing is seen of it.
    Lost,
    /// The answer is lost; a copy is seen.
    Seen,
    /// The process ends between intent and answer.
    Gone,
    /// Its recipient wants no mail.
    Refused,
    /// Held by a guard, released by a person.
    Held,
    SafeMode,
    Copied,
    Bounced,
}

const STORIES: [(Story, &str); 10] = [
    (Story::Plain, "plain"),
    (Story::Later, "later"),
    (Story::Lost, "lost"),
    (Story::Seen, "seen"),
    (Story::Gone, "gone"),
    (Story::Refused, "refused"),
    (Story::Held, "held"),
    (Story::SafeMode, "safe_mode"),
    (Story::Copied, "copied"),
    (Story::Bounced, "bounced"),
];

/// Each durable step of sending, and a story that comes by it.
const STEPS: [(&str, Story); 15] = [
    ("mail.claimed", Story::Plain),
    ("mail.rendered", Story::Plain),
    ("mail.answered", Story::Plain),
    ("mail.told", Story::Plain),
    ("mail.sending", Story::Later),
    ("mail.answered", Story::Later),
    ("mail.again", Story::Later),
    ("mail.resend", Story::Lost),
    ("mail.evidence", Story::Seen),
    ("mail.unknown", Story::Gone),
    ("mail.refused", Story::Refused),
    ("mail.held", Story::Held),
    ("mail.person", Story::Held),
    ("mail.copied", Story::Copied),
    ("mail.reported", Story::Bounced),
];

/// The step that only the end of safe mode comes by.
const FREED: &str = "mail.freed";

/// The steps that are killed here.
pub fn steps() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(step, _)| *step).chain([FREED])
}

#[test]
fn killed_at_every_step_the_mail_comes_to_its_end() {
    sweep(Make::Embedded, On::Sqlite);
}

#[test]
fn killed_at_every_step_on_postgresql() {
    sweep(Make::Embedded, On::Postgres);
}

#[test]
fn killed_at_every_step_over_the_web_api() {
    sweep(Make::WebApi, On::Sqlite);
}

/// The steps of a mail that nothing happens to: the others differ by what the mail server says, not by the CRM's make.
#[test]
fn killed_at_the_steps_of_a_plain_mail_over_soap() {
    sweep(Make::Soap, On::Sqlite);
}

fn sweep(make: Make, on: On) {
    let steps = STEPS.iter().chain(&[(FREED, Story::SafeMode)]);
    let steps = steps.filter(|(_, story)| make != Make::Soap || *story == Story::Plain);
    let drills: Vec<(String, Story)> = steps
        .flat_map(|(step, story)| {
            ["before_commit", "after_commit"].map(|moment| (format!("{step}.{moment}"), *story))
        })
        .collect();
    std::thread::scope(|scope| {
        for some in drills.chunks(drills.len().div_ceil(ABREAST)) {
            scope.spawn(move || {
                // Each has a CRM of its own: a connector takes whatever is pending in its own.
                let drill = Drill::over(make, on);
                some.iter().for_each(|(point, story)| drill.with_book(point, *story));
            });
        }
    });
}

/// A database with the people in it, copied for each drill, and the mail server, unless it is the drill's own.
pub struct Drill {
    /// The file that is copied; on PostgreSQL each drill gets a database of its own.
    template: Option<TempDir>,
    server: Option<String>,
    /// The postroom that keeps the CRM, and the way to its doors as the other process reads it.
    crm: Option<(House, String)>,
}

impl Drill {
    pub fn new(on: On) -> Drill {
        Drill::over(Make::Embedded, on)
    }

    /// With a CRM of this make.
    fn over(make: Make, on: On) -> Drill {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let template = matches!(on, On::Sqlite).then(|| {
            let template = tempfile::tempdir().unwrap();
            runtime.block_on(async {
                let store = furnished(&file(template.path())).await;
                store.backup(template.path().join("template.db")).await.unwrap();
            });
            template
        });
        let crm = make.is_outside().then(|| {
            let mut house = House::new(Database::Sqlite);
            house.start();
            runtime.block_on(async { bench::furnish(&make::behind(&house.url).await).await });
            let place = house.place();
            (house, place.write(make))
        });
        Drill { template, server: None, crm }
    }

    /// With a real mail server; see [`tls::SERVER`].
    pub fn at_server(self, server: &str) -> Drill {
        Drill { server: Some(server.to_owned()), ..self }
    }

    /// Kills a process of the story at the point, and lets the next one bring the mail to its end.
    pub fn kill(&self, point: &str, story: Story) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let database = self.database(folder.path());
        let url = database.as_ref().map(|database| database.url.as_str());
        let word = word(story);
        if story == Story::Gone {
            let ended = self.process(folder.path(), url, word, None);
            assert!(is_killed(ended), "it dies with the mail in its hands");
        }
        let ended = self.process(folder.path(), url, word, Some(point));
        assert!(is_killed(ended), "{word} does not pass {point}: {ended}");
        let ended = self.process(folder.path(), url, word, None);
        assert!(ended.success(), "{word} killed at {point} does not end well: {ended}");
        folder
    }

    fn with_book(&self, point: &str, story: Story) {
        let (folder, word) = (self.kill(point, story), word(story));
        let book = fs::read_to_string(book_of(folder.path())).unwrap_or_default();
        let mut mails: Vec<&str> = book.lines().collect();
        let most = if story == Story::Refused { 0 } else { 3 };
        assert!(mails.len() <= most, "{word} at {point}: {mails:?}");
        assert!(mails.is_empty() == (story == Story::Refused), "{word} at {point}");
        mails.dedup();
        assert!(mails.len() <= 1, "{word} at {point}: the same mail each time, not {mails:?}");
    }

    /// The database of one drill: a file in its folder, or one that is answered.
    fn database(&self, folder: &Path) -> Option<database::Database> {
        if let Some(template) = &self.template {
            fs::copy(template.path().join("template.db"), folder.join("out.db")).unwrap();
            return None;
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Some(runtime.block_on(async {
            let database = bench::installed(On::Postgres).await;
            furnished(&database.url).await;
            database
        }))
    }

    fn process(&self, folder: &Path, url: Option<&str>, story: &str, point: Option<&str>) -> ExitStatus {
        let mut command = Command::new(std::env::current_exe().expect("a test program knows itself"));
        command.args(["sending::crash::one_story", "--exact"]).env(STORY, story).env(FOLDER, folder);
        command.envs(self.server.as_ref().map(|server| (tls::SERVER, server)));
        command.envs(self.crm.as_ref().map(|(_, place)| (CRM, place)));
        command.envs(url.map(|url| (DATABASE, url)));
        command.envs(point.map(|point| (POINT, point))).stdin(Stdio::null()).stdout(Stdio::null());
        command.status().expect("the test program starts again")
    }
}

fn word(story: Story) -> &'static str {
    STORIES.iter().find(|(known, _)| *known == story).expect("every story has a word").1
}

fn book_of(folder: &Path) -> PathBuf {
    folder.join("book")
}

/// Not a test by itself: the other process. Without the variables there is nothing to do.
#[test]
fn one_story() {
    let (Ok(story), Ok(folder)) = (std::env::var(STORY), std::env::var(FOLDER)) else { return };
    let story = STORIES.iter().find(|(_, word)| *word == story).expect("a known story").0;
    if let Ok(point) = std::env::var(POINT) {
        kill::arm(&point, 1, die);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(tell(story, Path::new(&folder)));
}

fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

fn file(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("out.db").display())
}

/// The database with the people in it.
async fn furnished(url: &str) -> postroom_store::Store {
    let store = bench::open(url).await;
    let crm = Embedded::open(store.clone(), Clock::system()).await.unwrap();
    bench::furnish(&crm).await;
    store
}

async fn open(folder: &Path, clock: &Clock) -> (postroom_store::Store, Arc<dyn Crm>) {
    let url = std::env::var(DATABASE).unwrap_or_else(|_| file(folder));
    let store = bench::open(&url).await;
    let crm: Arc<dyn Crm> = match std::env::var(CRM) {
        Ok(text) => {
            let (make, place) = Place::read(&text);
            place.port(make, &store, clock)
        }
        Err(_) => Arc::new(Embedded::open(store.clone(), clock.clone()).await.unwrap()),
    };
    (store, crm)
}

/// Goes on with the story wherever it stands, until the mail is at its end.
async fn tell(story: Story, folder: &Path) {
    // Time goes on from one process to the next.
    let start = fs::read_to_string(folder.join("clock")).unwrap_or_else(|_| "2026-11-02T08:00:00Z".into());
    let clock = Clock::manual(start.parse::<Timestamp>().unwrap());
    let (store, crm) = open(folder, &clock).await;
    let activity = activity(&*crm, story, folder).await;
    let own = || -> Arc<dyn MailSender> { Arc::new(Server { story, book: book_of(folder) }) };
    let server = tls::sender().unwrap_or_else(own);
    let options =
        sending::Options { max_recipients: usize::from(story != Story::Held), ..sending::Options::default() };
    let mut sending = bench::connector(&store, crm.clone(), &clock, server, options);
    if story == Story::Copied {
        sending.copy = Some(Arc::new(Folder));
    }
    if story == Story::SafeMode && bench::entry(&store, activity).await.is_none() {
        settings::set(&store, settings::SAFE_MODE, "on".into()).await.unwrap();
    }
    let stop = CancellationToken::new();
    // Short: a process that was killed is taken for dead soon.
    let options = jobs::Options {
        poll: Duration::from_millis(20),
        ..jobs::Options::with_lease(Duration::from_millis(600))
    };
    let workers: Vec<Arc<dyn Worker>> = vec![Arc::new(sending.clone())];
    let runner = Runner::new(store.clone(), clock.clone(), sending.ids.clone(), workers, options);
    let work = tokio::spawn(runner.run(stop.clone()));
    let scan = tokio::spawn(Scan::new(sending.clone(), Duration::from_millis(50)).run(stop.clone()));
    let end = tokio::time::timeout(PATIENCE, until_the_end(story, &sending, &*crm, activity, folder)).await;
    end.expect("the mail comes to its end");
    stop.cancel();
    scan.await.unwrap();
    work.await.unwrap().unwrap();
    check(story, &store, &*crm, activity).await;
}

/// Plays the people and turns the clock whenever the mail waits for its time.
async fn until_the_end(story: Story, sending: &Sending, crm: &dyn Crm, activity: Uuid, folder: &Path) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let (mut last, mut same) = (None, 0);
    loop {
        looks.tick().await;
        let Some(entry) = bench::entry(&sending.store, activity).await else { continue };
        let now = sending.clock.now();
        if is_at_its_end(story, &entry) && bench::status(crm, activity).await == expected(story).1 {
            return;
        }
        step_in(story, sending, &entry, folder).await;
        // Only when nothing moves by itself: the clock must not overtake a step that is on its way.
        same = if last.as_ref() == Some(&entry) { same + 1 } else { 0 };
        let waits = entry.next_try.is_some_and(|due| due > now);
        last = Some(entry);
        if waits && same >= QUIET {
            let later = now + SignedDuration::from_mins(5);
            fs::write(folder.join("clock"), later.to_string()).unwrap();
            sending.clock.advance(SignedDuration::from_mins(5));
        }
    }
}

fn is_at_its_end(story: Story, entry: &Entry) -> bool {
    entry.state == expected(story).0 && (story != Story::Copied || entry.is_copied())
}

fn expected(story: Story) -> (MailState, (i64, i64)) {
    match story {
        Story::Refused => (MailState::Failed, (0, 8)),
        Story::Bounced => (MailState::Bounced, (1, 3)),
        _ => (MailState::Sent, (1, 3)),
    }
}

/// The e-mail of the drill, made once.
async fn activity(crm: &dyn Crm, story: Story, folder: &Path) -> Uuid {
    let file = folder.join("activity");
    if let Ok(known) = fs::read_to_string(&file) {
        return known.parse().unwrap();
    }
    let draft = Draft::to_anna("Drill");
    let draft = if story == Story::Refused { draft.to(2, SHY) } else { draft };
    let id = bench::put(crm, draft).await;
    fs::write(file, id.to_string()).unwrap();
    id
}

/// What people and the world do in the story.
async fn step_in(story: Story, sending: &Sending, entry: &Entry, folder: &Path) {
    let (store, now, ids) = (&sending.store, sending.clock.now(), Ids::random());
    match (story, entry.state) {
        (Story::Held, MailState::Held) => {
            verbs::release(store, &ids, now, entry.id).await.unwrap();
        }
        (Story::SafeMode, MailState::Held) => {
            settings::set(store, settings::SAFE_MODE, "off".into()).await.unwrap();
        }
        (Story::Seen, MailState::Unknown) => {
            let raw = Bytes::from(fs::read(folder.join("mail")).expect("the server kept it"));
            let intake = Intake::new(store.clone(), sending.clock.clone(), ids);
            intake.accept(bench::seen(raw, Direction::Outgoing, now)).await.unwrap();
        }
        (Story::Bounced, MailState::Sent) => {
            let about = About { envelope_id: Some(entry.id.0.simple().to_string()), ..About::default() };
            let one = Reported {
                address: entry.recipients[0].address.clone(),
                what: Report::Failed,
                code: Some(550),
                status: None,
                hard: true,
                text: "userunknown".into(),
            };
            reported(store, &ids, about, vec![one], now).await.unwrap();
        }
        _ => {}
    }
}

async fn check(story: Story, store: &postroom_store::Store, crm: &dyn Crm, activity: Uuid) {
    let entry = bench::entry(store, activity).await.expect("it was claimed");
    let stands = (entry.state, bench::status(crm, activity).await);
    assert_eq!(stands, expected(story), "{}", entry.reason);
}

/// Writes each mail to its book, then answers as the story has it.
struct Server {
    story: Story,
    book: PathBuf,
}

#[async_trait]
impl MailSender for Server {
    async fn send(&self, mail: Outgoing) -> Result<Handed, Fault> {
        let before = fs::read_to_string(&self.book).unwrap_or_default().lines().count();
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, &mail.raw);
        let mut book = OpenOptions::new().append(true).create(true).open(&self.book).unwrap();
        writeln!(book, "{hash} {}", mail.to.join(" ")).unwrap();
        book.sync_all().unwrap();
        fs::write(self.book.with_file_name("mail"), &mail.raw).unwrap();
        let all = |code, text| Ok(mail.to.iter().map(|to| (to.clone(), answer(code, text))).collect());
        match self.story {
            Story::Later if before == 0 => all(451, "busy"),
            Story::Lost | Story::Seen if before == 0 => {
                Err(Fault::new(Verdict::Unknown, Code::SMTP_OUT_UNKNOWN, "the line broke"))
            }
            Story::Gone if before == 0 => die(),
            _ => all(250, "queued"),
        }
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok("a server of the drill's own".into())
    }
}

/// A Sent folder that takes everything.
struct Folder;

#[async_trait]
impl SentCopy for Folder {
    async fn keep(&self, _from: &str, _raw: Bytes) -> Result<(), Fault> {
        Ok(())
    }
}
