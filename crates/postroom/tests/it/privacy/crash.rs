//! Killed at every durable step of purging and erasing, before and after its commit: a repeat finishes, and nothing of the
//! person is left, whatever was lost.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, kill};
use postroom_testkit::database::Database;

use super::bench::{ANNA, Bench, CASE, SECRET, about_the_case, letter};
use crate::load::is_killed;

const POINT: &str = "POSTROOM_TEST_PRIVACY_POINT";
const FOLDER: &str = "POSTROOM_TEST_FOLDER";

/// Each step that purging and erasing go through, in their order.
const STEPS: [&str; 8] = [
    "mail.purged",
    "store.sweep",
    "erasing.begun",
    "erasing.blanked",
    "crm.apply",
    "erasing.told",
    "erasing.let_go",
    "erasing.finished",
];

/// The steps that are killed here and nowhere else.
pub fn steps() -> impl Iterator<Item = &'static str> {
    STEPS.into_iter().filter(|step| *step != "crm.apply")
}

#[test]
fn killed_at_every_step_a_repeat_finishes() {
    for step in STEPS {
        for moment in ["before_commit", "after_commit"] {
            drill(&format!("{step}.{moment}"));
        }
    }
}

fn drill(point: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(process(folder.path(), "prepare", None).success(), "{point}: the mail comes in");
    let ended = process(folder.path(), "go", Some(point));
    assert!(is_killed(ended), "the way does not pass {point}: {ended}");
    let ended = process(folder.path(), "go", None);
    assert!(ended.success(), "killed at {point}, it does not end well: {ended}");
}

fn process(folder: &Path, part: &str, point: Option<&str>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("a test program knows itself"));
    command.args(["privacy::crash::one_process", "--exact"]).env(FOLDER, folder).env("PRIVACY_PART", part);
    command.envs(point.map(|point| (POINT, point))).stdin(Stdio::null()).stdout(Stdio::null());
    command.status().expect("the test program starts again")
}

/// Not a test by itself: the other process. Without the variables there is nothing to do.
#[test]
fn one_process() {
    let (Ok(part), Ok(folder)) = (std::env::var("PRIVACY_PART"), std::env::var(FOLDER)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::manual("2026-11-02T08:00:00Z".parse::<Timestamp>().unwrap());
        let database = Database::at(format!("sqlite://{}", Path::new(&folder).join("drill.db").display()));
        let bench = Bench::at(database, clock).await;
        match part.as_str() {
            "prepare" => prepare(&bench).await,
            _ => go(&bench).await,
        }
    });
}

async fn prepare(bench: &Bench) {
    bench.furnish().await;
    bench.mail("desk", &letter("tracked", ANNA, "", &about_the_case("Pump"), SECRET)).await;
    bench.mail("desk", &letter("review", ANNA, "", "Question", SECRET)).await;
    bench.mail("closed", &letter("untracked", ANNA, "", "Private", SECRET)).await;
}

async fn go(bench: &Bench) {
    if let Ok(point) = std::env::var(POINT) {
        kill::arm(&point, 1, die);
    }
    bench.clock.advance(SignedDuration::from_hours(100));
    bench.purging().run(false).await.unwrap();
    bench.erasing().erase(ANNA, false).await.unwrap();
    assert_eq!((bench.bodies_with(SECRET).await, bench.texts_with(ANNA).await), (0, 0));
    for table in ["body_doomed", "erasure_todo", "erasure_body", "job"] {
        assert_eq!(bench.count(table).await, 0, "{table}");
    }
    let of = postroom_core::Filter::eq("regardingobjectid", postroom_core::Value::lookup("incident", CASE));
    let emails =
        postroom_core::Crm::query(&bench.crm, &postroom_core::Query::of("email").filter(of)).await.unwrap();
    assert_eq!(emails.len(), 1);
    assert_eq!(emails[0].text("subject"), Some("Erased on request"));
    assert!(bench.attachments(emails[0].at.id).await.is_empty());
    bench.balances().await;
}

fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}
