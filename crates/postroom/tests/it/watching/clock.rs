//! The machine's clock is set forward and back while mail comes in and leaves: nothing is doubled and nothing waits for a time
//! that is far away.
//!
//! The binary is the real one; `libfaketime` stands between it and the clock (not the monotonic one, which nobody can set).

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, MailState};
use postroom_sandbox::catcher::Catcher;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Store};
use postroom_testkit::poll;
use postroom_testkit::process::Server;
use postroom_tracking::sending::verbs::{self, Wanted};
use postroom_tracking::sending::{self, Entry};

use super::{Yard, leaving, store_of};
use crate::house::wait_for;
use crate::load::{Database, House, PATIENCE, is_killed, record_of, records};
use crate::sending::bench;

const HOUR: i64 = 3600;
/// By how many seconds the clock is wrong, one after another.
const STEPS: [i64; 5] = [HOUR, -HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR, 0];
/// E-mails of the CRM for each step.
const MAILS: u64 = 4;
/// How long a mail waits that is put off for the first time, and a little.
const WAIT: i64 = 75;

/// The clock of one process.
struct Wall(PathBuf);

impl Wall {
    fn of(server: &mut Server) -> Wall {
        let wall = Wall(server.folder().join("clock"));
        wall.set(0);
        server.set_env("LD_PRELOAD", Some(library()));
        server.set_env("FAKETIME_TIMESTAMP_FILE", Some(&wall.0));
        for name in
            ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"]
        {
            server.set_env(name, Some("1"));
        }
        wall
    }

    /// From now on it is wrong by so many seconds. The file is there at every moment.
    fn set(&self, seconds: i64) {
        let fresh = self.0.with_extension("new");
        fs::write(&fresh, format!("{seconds:+}"))
            .and_then(|()| fs::rename(&fresh, &self.0))
            .expect("the folder can be written to");
    }
}

/// Debian has it below the machine's own folder of libraries.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("every Linux has it").flatten().map(|folder| folder.path());
    let beside = |folder: PathBuf| folder.join("faketime/libfaketimeMT.so.1");
    let mut known = folders.chain([Path::new("/usr/lib").to_owned()]).map(beside);
    known.find(|path| path.exists()).expect("libfaketime: apt-get install faketime")
}

#[test]
fn watched_mail_survives_a_clock_that_is_set_on_sqlite() {
    watches(Database::Sqlite);
}

#[test]
fn watched_mail_survives_a_clock_that_is_set_on_postgresql() {
    watches(Database::Postgres);
}

fn watches(database: Database) {
    let mut yard = Yard::new(database, 2, |server| server);
    let wall = Wall::of(&mut yard.house.server);
    yard.meet();
    for seconds in STEPS {
        wall.set(seconds);
        yard.deliver(4, |_| vec![0, 1]);
        yard.judge();
    }
    let printed = yard.house.printed();
    assert!(!printed.contains("Took back"), "nobody loses a lease by it:\n{printed}");
    yard.house.server.kill();
    // It dies with mail in its hands, and the clock is put right before the next start.
    wall.set(STEPS[2]);
    yard.deliver(3, |_| vec![0]);
    yard.house.begin(Some("mail.filed.before_commit"));
    assert!(is_killed(yard.house.server.wait_for_end(PATIENCE)), "{}", yard.house.printed());
    wall.set(0);
    yard.house.start();
    yard.judge();
    let printed = yard.house.printed();
    assert!(printed.contains("The clock was set back"), "{printed}");
    let status = yard.house.server.terminate(PATIENCE);
    assert!(status.success(), "{status}\n{}", yard.house.printed());
}

#[test]
fn outgoing_mail_survives_a_clock_that_is_set_on_sqlite() {
    sends(Database::Sqlite);
}

#[test]
fn outgoing_mail_survives_a_clock_that_is_set_on_postgresql() {
    sends(Database::Postgres);
}

/// Each mail is put off once by the mail server, so that it waits while the clock is set.
fn sends(database: Database) {
    let catcher = Catcher::start();
    let mut house = House::new(database);
    leaving::configure_sending(&house, catcher.address());
    house.import(&records());
    let wall = Wall::of(&mut house.server);
    let (store, crm) = store_of(&house);
    wait_for(bench::furnish(&crm));
    catcher.greylist(true);
    house.start();
    for (step, seconds) in (0..).zip(STEPS) {
        let (first, end) = (step * MAILS, (step + 1) * MAILS);
        for number in first..end {
            let account = record_of(number + 1).parse().expect("a GUID");
            wait_for(bench::put(&crm, leaving::draft(number, account)));
        }
        until(&house, "each is put off", || {
            list(&store).iter().filter(|mail| waits(mail)).count() as u64 == MAILS
        });
        wall.set(seconds);
        // Whichever way it went, none waits longer than it was put off for.
        let soon = || Clock::system().now() + SignedDuration::from_secs(seconds + WAIT);
        until(&house, "their wait is kept", || dues(&store).iter().all(|due| *due <= soon()));
        wall.set(seconds + 2 * WAIT);
        until(&house, "each leaves", || leaving::open(&store, end) == 0);
    }
    let mails = STEPS.len() as u64 * MAILS;
    let caught = catcher.mails();
    assert_eq!(leaving::wrong(&caught, mails), "");
    assert_eq!(caught.len() as u64, mails, "each arrived once:\n{}", house.printed());
    house.settled();
    leaving::statuses(&crm, mails);
    assert!(
        list(&store).iter().all(|mail| mail.attempts == 2),
        "put off once, taken once:\n{}",
        house.printed()
    );
    let status = house.server.terminate(PATIENCE);
    assert!(status.success(), "{status}\n{}", house.printed());
}

fn list(store: &Store) -> Vec<Entry> {
    wait_for(verbs::list(store, Wanted::default())).expect("the database answers")
}

fn waits(mail: &Entry) -> bool {
    mail.state == MailState::Queued && mail.next_try.is_some()
}

/// When the jobs of sending are due.
fn dues(store: &Store) -> Vec<Timestamp> {
    let select =
        Query::select().column("due").from("job").and_where(Expr::col("kind").eq(sending::KIND)).to_owned();
    let rows = store.read(move |tx| async move { tx.query(&select).await }.boxed());
    let rows: Result<_, Error> = wait_for(rows);
    rows.expect("the database answers").iter().map(|row| row.at(0).expect("a time")).collect()
}

#[track_caller]
fn until(house: &House, what: &str, condition: impl FnMut() -> bool) {
    assert!(poll::until(PATIENCE, condition), "not in time: {what}\n{}", house.printed());
}
