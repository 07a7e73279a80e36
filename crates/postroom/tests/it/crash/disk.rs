//! A full disk under the database: mail is told to come back, nothing that was acknowledged is lost, and with room again
//! all goes on in the same process.
//!
//! The test runs again in a mount namespace of its own, with a small file system that ends with it. Inside it is the user
//! `nobody` by name, because PostgreSQL refuses to be root.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postroom_testkit::mailer::{Book, Mailer, Protocol};
use postroom_testkit::peers::{Durability, Postgres};
use postroom_testkit::poll;

use crate::api::wire;
use crate::load::{House, PATIENCE, letters, one_book, records};

const FOLDER: &str = "POSTROOM_TEST_SMALL_DISK";
const SCRIPT: &str = "mount -t tmpfs -o size=64m,mode=0700 tmpfs \"$0\" && \
     exec unshare --user --map-user=65534 --map-group=65534 -- \"$@\"";
/// Left free when the disk is to run full: less than the letters need.
pub const LEFT: u64 = 300 << 10;

#[test]
fn accepted_mail_survives_a_full_disk_on_sqlite() {
    on_a_small_disk("crash::disk::inner_sqlite", &[]);
}

#[test]
fn accepted_mail_survives_a_full_disk_on_postgresql() {
    on_a_small_disk("crash::disk::inner_postgresql", &[]);
}

#[test]
fn mail_is_refused_before_the_disk_is_full() {
    on_a_small_disk("crash::disk::inner_reserve", &[]);
}

/// Runs the test there, with these variables.
#[track_caller]
pub fn on_a_small_disk(test: &str, variables: &[(&str, String)]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = std::env::current_exe().expect("a test program knows itself");
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT])
        .arg(folder.path())
        .arg(program);
    command.args([test, "--exact", "--nocapture"]).env(FOLDER, folder.path()).stdin(Stdio::null());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("unshare can be started: install util-linux");
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "on the small disk:\n{}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("1 passed"), "the inner test ran");
}

/// Not a test by itself, as the other two: without the variable there is no small disk.
#[test]
fn inner_sqlite() {
    let Some(disk) = Disk::small() else { return };
    runs_full(disk.sqlite(), &disk);
}

#[test]
fn inner_postgresql() {
    let Some(disk) = Disk::small() else { return };
    let (_postgres, house) = disk.postgresql();
    runs_full(house, &disk);
}

#[test]
fn inner_reserve() {
    let Some(disk) = Disk::small() else { return };
    let mut house = House::in_folder(&disk.folder, None, "8MiB");
    house.start();
    let ballast = disk.fill(4 << 20);
    let mailer = Mailer { deadline: std::time::Duration::from_secs(2), ..house.mailer(Protocol::Smtp) };
    let book = mailer.send(letters(1..3));
    assert_eq!(book.acked().count(), 0, "{book:?}");
    assert!(book.entries.values().all(|entry| entry.later > 0), "they are told to come back: {book:?}");
    assert_eq!(house.run(&["verify"]).succeeds().lines()[0]["messages"], 0);
    the_http_door_says_the_same(&house, &ballast);
    house.server.terminate(PATIENCE);
}

/// Whoever hands mail in by HTTP is told to come back, and so is whoever asks whether we are ready.
fn the_http_door_says_the_same(house: &House, ballast: &Path) {
    let token = |scope: &str| {
        let made = house.run(&["apitoken", "create", "--scope", scope]).succeeds().lines();
        made[0]["token"].as_str().expect("a token is a text").to_owned()
    };
    let (agent, api) = (token("agent"), token("api"));
    let post = || {
        let mail = "From: a@x.example\r\nMessage-ID: <full@x>\r\n\r\nHello\r\n";
        wire::post("/agent/v1/messages", "message/rfc822", mail).bearer(&agent).to(house.http)
    };
    let ready = || wire::get("/readyz").bearer(&api).to(house.http);
    assert_eq!((post().status, ready().status), (507, 503));
    let said = ready().json()["checks"]["disk"].to_string();
    assert!(said.contains("disk_reserve"), "{said}");
    fs::remove_file(ballast).expect("it is there");
    assert_eq!((post().status, ready().status), (202, 200));
}

fn runs_full(mut house: House, disk: &Disk) {
    house.import(&records());
    house.start();
    let process = house.server.id();
    let before = house.mailer(Protocol::Smtp).send(letters(1..31));
    assert_eq!(before.acked().count(), 30);
    let ballast = disk.fill(LEFT);
    let smtp = house.mailer(Protocol::Smtp).start(letters(31..151));
    let lmtp = house.mailer(Protocol::Lmtp).start(letters(151..181));
    let told = |book: &Book| book.entries.values().filter(|entry| entry.later > 0).count();
    let full = poll::until(PATIENCE, || told(&smtp.book()) > 0 && told(&lmtp.book()) > 0);
    assert!(full, "nobody is told that the disk is full:\n{}", house.printed());
    assert!(smtp.acked() < 120, "the disk was not full");
    fs::remove_file(ballast).expect("it is there");
    let mut book = one_book(vec![smtp, lmtp]);
    book.entries.extend(before.entries);
    assert_eq!(book.acked().count(), 180, "with room again all are taken:\n{}", house.printed());
    house.judge(&book);
    assert_eq!(house.server.id(), process);
    assert!(house.server.ended().is_none(), "it did not survive:\n{}", house.printed());
    house.server.terminate(PATIENCE);
}

pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// The small disk, when this is the test on it.
    pub fn small() -> Option<Disk> {
        let folder = PathBuf::from(std::env::var_os(FOLDER)?);
        Some(Disk { folder })
    }

    /// A house whose database is a file there.
    pub fn sqlite(&self) -> House {
        House::in_folder(&self.folder, None, "0B")
    }

    /// A house whose tables lie there; the write-ahead log does not.
    pub fn postgresql(&self) -> (Postgres, House) {
        let postgres = Postgres::start(Durability::Fast);
        let place = self.folder.join("tables");
        fs::create_dir(&place).expect("there is room");
        postgres.run("postgres", &format!("create tablespace small location '{}'", place.display()));
        postgres.run("postgres", "create database small tablespace small");
        let house = House::at(Some(postgres.url("small")));
        (postgres, house)
    }

    /// Writes until only so much is left.
    pub fn fill(&self, left: u64) -> PathBuf {
        let path = self.folder.join("ballast");
        let mut ballast = fs::File::create(&path).expect("there is room");
        while free(&self.folder) > left {
            ballast.write_all(&vec![1; 64 << 10]).expect("there is room");
        }
        path
    }
}

fn free(folder: &Path) -> u64 {
    let disk = rustix::fs::statvfs(folder).expect("the disk is there");
    disk.f_bavail * disk.f_frsize
}
