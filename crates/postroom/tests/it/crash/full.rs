//! A full disk under the database while mailboxes are watched and while the CRM's mail leaves: with room again the same
//! process goes on, each mail in the mailboxes is filed once, and each of the CRM's arrived once.
//!
//! As in [`super::disk`], except that the Dovecot runs outside: it needs users of its own, of which a user namespace has none.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use postroom_embedded::Embedded;
use postroom_sandbox::catcher::Catcher;
use postroom_testkit::mailer::{Mailer, Protocol};
use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD};
use postroom_testkit::poll;
use postroom_tracking::sending::verbs::{self, Wanted};

use super::disk::{Disk, LEFT, on_a_small_disk};
use crate::house::wait_for;
use crate::load::{House, Noise, PATIENCE, letters, record_of, records};
use crate::sending::bench;
use crate::watching::{configure, leaving, store_of};

const IMAP: &str = "POSTROOM_TEST_IMAP";
const LMTP: &str = "POSTROOM_TEST_LMTP";
/// What a process says whose disk is full.
const FULL: &str = "the disk is full";
/// E-mails that the CRM wants sent.
const MAILS: u64 = 100;
/// Left free while they leave: they are rendered by then, and what is written of an answer takes little.
const LEFT_FOR_ANSWERS: u64 = 64 << 10;

#[test]
fn watched_mail_survives_a_full_disk_on_sqlite() {
    watching("crash::full::inner_watching_sqlite");
}

#[test]
fn watched_mail_survives_a_full_disk_on_postgresql() {
    watching("crash::full::inner_watching_postgresql");
}

#[test]
fn outgoing_mail_survives_a_full_disk_on_sqlite() {
    on_a_small_disk("crash::full::inner_sending_sqlite", &[]);
}

#[test]
fn outgoing_mail_survives_a_full_disk_on_postgresql() {
    on_a_small_disk("crash::full::inner_sending_postgresql", &[]);
}

#[track_caller]
fn watching(test: &str) {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    let doors = [(IMAP, dovecot.imap().to_string()), (LMTP, dovecot.lmtp().to_string())];
    on_a_small_disk(test, &doors);
}

/// Not a test by itself, as the other three: without the variable there is no small disk.
#[test]
fn inner_watching_sqlite() {
    let Some(disk) = Disk::small() else { return };
    watches_full(disk.sqlite(), &disk);
}

#[test]
fn inner_watching_postgresql() {
    let Some(disk) = Disk::small() else { return };
    let (_postgres, house) = disk.postgresql();
    watches_full(house, &disk);
}

#[test]
fn inner_sending_sqlite() {
    let Some(disk) = Disk::small() else { return };
    sends_full(disk.sqlite(), &disk);
}

#[test]
fn inner_sending_postgresql() {
    let Some(disk) = Disk::small() else { return };
    let (_postgres, house) = disk.postgresql();
    sends_full(house, &disk);
}

fn watches_full(mut house: House, disk: &Disk) {
    watch(&house, address(IMAP));
    house.import(&records());
    house.start();
    let process = house.server.id();
    let mailer = Mailer { connections: 2, ..Mailer::new(Protocol::Lmtp, address(LMTP), "anna@crm.example") };
    let mut book = mailer.clone().send(letters(1..31));
    arrive(&house, 30);
    let ballast = disk.fill(LEFT);
    book.entries.extend(mailer.send(letters(31..151)).entries);
    assert_eq!(book.acked().count(), 150, "the mailbox has room");
    let told = poll::until(PATIENCE, || house.printed().contains(FULL));
    assert!(told, "the disk was not full:\n{}", house.printed());
    fs::remove_file(ballast).expect("it is there");
    arrive(&house, 150);
    house.judge(&book);
    lives(&mut house, process);
}

/// Adds the mailbox of Anna, which is read from its first mail on.
fn watch(house: &House, imap: SocketAddr) {
    let secret = house.folder.join("imap.secret");
    fs::write(&secret, PASSWORD).expect("there is room");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    let mailbox = format!(
        "[mailboxes.anna]\naddress = \"anna@crm.example\"\nstart_at = \"2020-01-01\"\n[mailboxes.anna.imap]\n\
         host = \"{}\"\nport = {}\ntls = \"none\"\nusername = \"anna\"\npassword = {{ file = \"{}\" }}\npoll = \"500ms\"\n",
        imap.ip(),
        imap.port(),
        secret.display()
    );
    configure(house, &mailbox);
}

fn address(variable: &str) -> SocketAddr {
    let text = std::env::var(variable).expect("whoever made the disk set it");
    text.parse().expect("an address and a port")
}

#[track_caller]
fn arrive(house: &House, count: usize) {
    let mut come = 0;
    let all = poll::until(PATIENCE, || {
        come = house.messages().values().map(Vec::len).sum();
        come >= count
    });
    assert!(all, "{come} of {count} came:\n{}", house.printed());
}

fn sends_full(mut house: House, disk: &Disk) {
    let catcher = Catcher::start();
    leaving::configure_sending(&house, catcher.address());
    house.import(&records());
    let (store, crm) = store_of(&house);
    wait_for(bench::furnish(&crm));
    (0..MAILS).for_each(|number| wait_for(write(&crm, number)));
    // Slow enough that the disk runs full with mail on its way.
    catcher.slow(Duration::from_millis(50));
    house.start();
    let process = house.server.id();
    let some = poll::until(PATIENCE, || catcher.mails().len() >= 10);
    assert!(some, "nothing leaves:\n{}", house.printed());
    let ballast = disk.fill(LEFT_FOR_ANSWERS);
    let told = poll::until(PATIENCE, || house.printed().contains(FULL));
    assert!(told, "the disk was not full:\n{}", house.printed());
    assert!(catcher.mails().len() < MAILS as usize, "all had left before the disk was full");
    fs::remove_file(ballast).expect("it is there");
    let sent = poll::until(PATIENCE, || leaving::open(&store, MAILS) == 0);
    assert!(sent, "{} never left:\n{}", leaving::open(&store, MAILS), house.printed());
    let caught = catcher.mails();
    assert_eq!(leaving::wrong(&caught, MAILS), "");
    assert_eq!(caught.len() as u64, MAILS, "each arrived once:\n{}", house.printed());
    house.settled();
    house.run(&["verify"]).succeeds();
    leaving::statuses(&crm, MAILS);
    let tried = wait_for(verbs::list(&store, Wanted::default())).expect("the database answers");
    assert!(tried.iter().all(|mail| mail.attempts == 1), "an answer was lost:\n{}", house.printed());
    lives(&mut house, process);
}

/// An e-mail in *Pending Send* that takes room.
async fn write(crm: &Embedded, number: u64) {
    let account = record_of(number + 1).parse().expect("a GUID");
    let (mut text, mut noise) = (String::from("<p>"), Noise(number));
    (0..1000).for_each(|_| write!(text, "{:016x} ", noise.next()).expect("a String takes all"));
    let draft = leaving::draft(number, account).with("description", text);
    bench::put(crm, draft).await;
}

/// It is still the process that was started, and it ends in order.
#[track_caller]
fn lives(house: &mut House, process: Option<u32>) {
    assert_eq!(house.server.id(), process);
    assert!(house.server.ended().is_none(), "it did not survive:\n{}", house.printed());
    house.server.terminate(PATIENCE);
}
