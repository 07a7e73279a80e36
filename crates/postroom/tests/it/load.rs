//! A whole postroom under load: the real binary on a database of its own, mail whose right place is known, and the judge.
//!
//! Every house listens on a loopback address of its own, so no other program takes its ports between two starts.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use postroom_testkit::mailer::{Book, Mail, Mailer, Protocol, Run};
use postroom_testkit::peers::Postgres;
use postroom_testkit::poll;
use postroom_testkit::process::Server;
use serde_json::Value;

use crate::installed;
use crate::make::{Make, Place};

/// A node's database, when it is a file.
const FILE: &str = "postroom.db";
/// Where all mail goes.
pub const MAILBOX: &str = "support@crm.example";
/// For anything that happens by itself: long, because machines that test are busy.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Names a kill point to the binary.
pub const KILL_AT: &str = "POSTROOM_KILL_AT";
/// The mailbox as a queue that takes all mail.
const QUEUE: &str = r#"{"table":"queue","id":"0000000a-7e57-4000-8000-00000000000a","columns":{"name":"Support","emailaddress":"support@crm.example"}}"#;
/// Records that the letters belong to.
const RECORDS: u64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// One node: its folder, configuration and process.
pub struct House {
    pub folder: PathBuf,
    pub url: String,
    pub smtp: SocketAddr,
    pub lmtp: SocketAddr,
    pub http: SocketAddr,
    pub server: Server,
    /// The postroom that keeps the CRM, when it is outside.
    pub crm: Option<Box<House>>,
    /// The mailbox is a queue of the CRM.
    queue: bool,
    /// What the server printed before this start.
    printed: usize,
    _temporary: Option<tempfile::TempDir>,
}

/// How a command ended.
pub struct Answer {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl House {
    /// A node on a new database that was installed; nothing is started.
    pub fn new(database: Database) -> House {
        match database {
            Database::Sqlite => {
                let house = House::at(None);
                installed::sqlite(&house.folder.join(FILE));
                house
            }
            Database::Postgres => House::at(Some(installed::postgres())),
        }
    }

    /// A node on a database with nothing in it.
    pub fn empty(database: Database) -> House {
        House::at((database == Database::Postgres).then(|| Postgres::shared().database()))
    }

    /// A node on this database, or on a new file.
    pub fn at(url: Option<String>) -> House {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = temporary.path().to_owned();
        let mut house = House::in_folder(&folder, url, "0B");
        house._temporary = Some(temporary);
        house
    }

    /// A node with a CRM of this make on a new database, and when the CRM is outside the postroom that keeps it, which runs.
    pub fn with(make: Make, database: Database) -> House {
        match make.is_outside() {
            true => House::beside(make, database, ""),
            false => House::new(database),
        }
    }

    /// The same, whose mail the CRM itself delivers (`crm.delivery = "server"`); the mailbox is a queue there.
    pub fn delivering(make: Make, database: Database) -> House {
        const KEY: &str = "delivery = \"server\"\n";
        let mut house = match make.is_outside() {
            true => House::beside(make, database, KEY),
            false => {
                let temporary = tempfile::tempdir().expect("a temporary folder");
                let url = (database == Database::Postgres).then(|| Postgres::shared().database());
                let mut house = House::configured(temporary.path(), url, "0B", &format!("[crm]\n{KEY}"));
                house._temporary = Some(temporary);
                house
            }
        };
        house.queue = true;
        house
    }

    fn beside(make: Make, database: Database, keys: &str) -> House {
        let mut crm = House::new(database);
        crm.start();
        let (temporary, place) = (tempfile::tempdir().expect("a temporary folder"), crm.place());
        let url = (database == Database::Postgres).then(|| Postgres::shared().database());
        let section = place.section(make, temporary.path()) + keys;
        let mut house = House::configured(temporary.path(), url, "0B", &section);
        house._temporary = Some(temporary);
        house.crm = Some(Box::new(crm));
        house
    }

    /// The doors of this house's own CRM, and a token for them.
    pub fn place(&self) -> Place {
        let made = self.lines(&["apitoken", "create", "--scope", "crm"]);
        let token = made[0]["token"].as_str().expect("a token is a text").to_owned();
        Place { origin: format!("http://{}", self.http), token }
    }

    /// A node whose files lie in `folder`, which refuses mail when less than `reserve` is free there.
    pub fn in_folder(folder: &Path, url: Option<String>, reserve: &str) -> House {
        House::configured(folder, url, reserve, "")
    }

    /// The same with more sections.
    fn configured(folder: &Path, url: Option<String>, reserve: &str, more: &str) -> House {
        let url = url.unwrap_or_else(|| format!("sqlite://{}", folder.join(FILE).display()));
        let [smtp, lmtp, http] = addresses();
        let config = format!(
            "[storage]\nurl = \"{url}\"\ndisk_reserve = \"{reserve}\"\n\
             [smtp_in]\nenabled = true\nlisten = \"{smtp}\"\naccept_domains = [\"crm.example\"]\n\
             [lmtp_in]\nenabled = true\nlisten = \"{lmtp}\"\n\
             [http]\nlisten = \"{http}\"\n\
             [jobs]\nlease = \"1s\"\npoll = \"100ms\"\n\
             [mailboxes.support]\naddress = \"{MAILBOX}\"\n{more}"
        );
        let file = folder.join("postroom.toml");
        fs::write(&file, config).expect("the folder can be written to");
        let server =
            Server::in_folder(env!("CARGO_BIN_EXE_postroom"), folder).arg("serve").arg("-c").arg(file);
        House {
            folder: folder.to_owned(),
            url,
            smtp,
            lmtp,
            http,
            server,
            crm: None,
            queue: false,
            printed: 0,
            _temporary: None,
        }
    }

    /// Starts and waits until mail can come in.
    pub fn start(&mut self) {
        self.begin(None);
        assert!(self.is_up(PATIENCE), "postroom does not start:\n{}", self.printed());
    }

    /// Starts, armed with a kill point (`STEP.MOMENT:N`) if one is given.
    pub fn begin(&mut self, kill_at: Option<&str>) {
        self.server.set_env(KILL_AT, kill_at);
        self.printed = self.server.output().len();
        self.server.start();
    }

    /// Waits until the listeners run; false when the process ended first.
    pub fn is_up(&mut self, patience: Duration) -> bool {
        let ended =
            poll::until(patience, || self.printed().contains("LMTP on ") || self.server.ended().is_some());
        ended && self.server.ended().is_none()
    }

    /// What the server printed since its last start.
    pub fn printed(&self) -> String {
        self.server.output().split_off(self.printed)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroom"));
        command.args(arguments).arg("-c").arg(self.folder.join("postroom.toml")).arg("--json");
        command.current_dir(&self.folder).env_clear().env("HOME", &self.folder).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments))
    }

    /// The JSON lines of a command that must succeed.
    #[track_caller]
    pub fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        self.run(arguments).succeeds().lines()
    }

    /// Imports record lines into the CRM, all of which must be taken.
    #[track_caller]
    pub fn import(&self, lines: &str) {
        let lines = match self.queue {
            true => format!("{lines}{QUEUE}\n"),
            false => lines.to_owned(),
        };
        if let Some(crm) = &self.crm {
            return crm.import(&lines);
        }
        let file = self.folder.join("records.jsonl");
        fs::write(&file, lines).expect("the folder can be written to");
        self.run(&["record", "import", &file.display().to_string()]).succeeds();
    }

    /// Waits until every message is decided and no work is left; answers the books.
    #[track_caller]
    pub fn settled(&self) -> Value {
        let mut last = Value::Null;
        let settled = poll::until(PATIENCE, || {
            let answer = self.run(&["verify"]);
            last = answer.lines().into_iter().next().unwrap_or(Value::String(answer.err));
            let refused = last["shelf"].as_u64() > Some(0); // that does not mend itself
            refused || last["received"] == 0 && last["jobs"] == 0
        });
        assert!(
            settled && last["shelf"].as_u64() <= Some(0),
            "the work does not end: {last}\n{}\n{}",
            self.run(&["shelf", "list"]).out,
            self.printed()
        );
        last
    }

    /// Messages, each with its Message-ID's copies.
    #[track_caller]
    pub fn messages(&self) -> HashMap<String, Vec<Value>> {
        let mut messages: HashMap<String, Vec<Value>> = HashMap::new();
        for message in self.lines(&["message", "list", "--limit", "0"]) {
            let id = message["message_id"].as_str().unwrap_or_default().to_owned();
            messages.entry(id).or_default().push(message);
        }
        messages
    }

    /// How many e-mail activities the CRM has for each Message-ID.
    #[track_caller]
    pub fn activities(&self) -> HashMap<String, u32> {
        let mut activities: HashMap<String, u32> = HashMap::new();
        for activity in self.lines(&["record", "list", "email", "--limit", "0"]) {
            let id = activity["columns"]["messageid"].as_str().unwrap_or_default().to_owned();
            *activities.entry(id).or_default() += 1;
        }
        activities
    }

    /// The whole judgement over letters, once the work is settled: the sender's books balance, every letter lies on its
    /// record with one activity, and `verify` agrees.
    #[track_caller]
    pub fn judge(&self, book: &Book) {
        self.settled();
        let messages = self.messages();
        let numbers = messages.iter().flat_map(|(id, copies)| vec![number_of(id); copies.len()]);
        if let Err(wrong) = book.balance(numbers) {
            panic!("the books do not balance:\n{wrong}");
        }
        let activities = self.activities();
        assert_eq!(activities.len(), messages.len(), "an activity for each message and none besides");
        for (id, copies) in &messages {
            let expected = record_of(number_of(id));
            assert_eq!(copies[0]["record"]["id"], expected, "{}", copies[0]);
            assert_eq!(activities.get(id), Some(&1), "activities of {id}");
        }
        let books = self.run(&["verify"]).succeeds();
        assert_eq!(books.lines()[0]["activities"], messages.len(), "{}", books.out);
    }

    /// A sender of letters to one of the doors.
    pub fn mailer(&self, protocol: Protocol) -> Mailer {
        let server = match protocol {
            Protocol::Smtp => self.smtp,
            Protocol::Lmtp => self.lmtp,
        };
        Mailer { connections: 2, deadline: PATIENCE * 2, ..Mailer::new(protocol, server, MAILBOX) }
    }
}

impl Answer {
    pub fn of(mut command: Command) -> Answer {
        let Output { status, stdout, stderr } = command.output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, out: text(stdout), err: text(stderr) }
    }

    #[track_caller]
    pub fn succeeds(self) -> Answer {
        assert_eq!(self.status.code(), Some(0), "{}\n{}\n{}", self.status, self.out, self.err);
        self
    }

    pub fn killed(&self) -> bool {
        is_killed(self.status)
    }

    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

pub fn is_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// Three ports on an address that only this house uses: nobody's outgoing connection can sit on them.
fn addresses() -> [SocketAddr; 3] {
    static HOUSES: AtomicU32 = AtomicU32::new(0);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let house = HOUSES.fetch_add(1, Ordering::SeqCst) % 120;
    let host = Ipv4Addr::new(127, 120 + house as u8, high, low);
    let free = || TcpListener::bind((host, 0)).expect("the whole of 127.0.0.0/8 is this machine");
    // All are held until all are known.
    let held = [free(), free(), free()];
    held.map(|listener| listener.local_addr().expect("a bound socket has an address"))
}

/// Letters of a range of numbers. Every third answers the one before it and carries no token of its own, so that the
/// order in which they are decided matters; some have attachments, few are large.
pub fn letters(numbers: std::ops::Range<u64>) -> Vec<Mail> {
    numbers.map(|number| Mail { number, raw: letter(number).into_bytes() }).collect()
}

fn letter(number: u64) -> String {
    let (subject, answer) = match number % 3 {
        0 => (format!("Re: Letter {}", number - 1), format!("In-Reply-To: {}\r\n", message_id(number - 1))),
        _ => (format!("Letter {number} CRM: {}:MRC", record_of(number)), String::new()),
    };
    let mut raw = format!(
        "From: Anna Adler <anna@customer.example>\r\nTo: <{MAILBOX}>\r\nSubject: {subject}\r\nMessage-ID: {}\r\n{answer}\
         Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"edge\"\r\n\r\n\
         --edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is letter {number}.\r\n",
        message_id(number)
    );
    let lines = match number {
        _ if number.is_multiple_of(40) => 6000,
        _ if number.is_multiple_of(5) => 300,
        _ => 0,
    };
    if lines > 0 {
        raw.push_str("--edge\r\nContent-Type: application/pdf; name=\"scan.pdf\"\r\n");
        raw.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        let mut noise = Noise(number);
        for _ in 0..lines {
            (0..4).for_each(|_| write!(raw, "{:016x}", noise.next()).expect("a String takes all"));
            raw.push_str("\r\n");
        }
    }
    raw.push_str("--edge--\r\n");
    raw
}

/// The Message-ID of a letter.
pub fn message_id(number: u64) -> String {
    format!("<letter-{number}@customer.example>")
}

/// The letter of a Message-ID.
pub fn number_of(id: &str) -> u64 {
    let number = id.strip_prefix("<letter-").and_then(|rest| rest.strip_suffix("@customer.example>"));
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{id} is no letter's"))
}

/// The record that a letter belongs to.
pub fn record_of(number: u64) -> String {
    let root = if number.is_multiple_of(3) { number - 1 } else { number };
    format!("{:08x}-7e57-4000-8000-000000000000", root % RECORDS + 1)
}

/// The records of all letters, for `record import`.
pub fn records() -> String {
    let line = |number| {
        let id = record_of(number);
        format!("{{\"table\":\"account\",\"id\":\"{id}\",\"columns\":{{\"name\":\"Account {number}\"}}}}\n")
    };
    let known: BTreeMap<String, String> =
        (1..3 * RECORDS).map(|number| (record_of(number), line(number))).collect();
    known.into_values().collect()
}

/// The books of several runs as one.
pub fn one_book(runs: Vec<Run>) -> Book {
    let mut all = Book::default();
    runs.into_iter().for_each(|run| all.entries.extend(run.finish().entries));
    all
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[test]
fn letters_know_their_records() {
    assert_eq!(record_of(3), record_of(2));
    assert_ne!(record_of(1), record_of(2));
    assert_eq!(number_of(&message_id(17)), 17);
    assert!(letter(3).contains("In-Reply-To: <letter-2@") && !letter(3).contains("MRC"));
    assert!((1..100).all(|number| records().contains(&record_of(number))));
}
