//! Every durable step of watching, killed before and after its commit; then the mail is all there, once, and what people
//! ordered is done or can be said again.

use postroom_store::Store;
use postroom_testkit::poll;
use postroom_tracking::watching::Overview;

use super::{Yard, overview, store_of};
use crate::crash::points::Moment;
use crate::load::{Answer, Database, KILL_AT, PATIENCE, is_killed};

/// What makes a process pass a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hit {
    /// A start with mail that came in meanwhile.
    Start,
    /// A start when a rescan was ordered.
    Ordered,
    /// A command about the mailbox.
    Command(&'static str),
}

const RESCAN: &str = "rescan u00 --since 2026-01-01T00:00:00Z";

/// Each step, and what comes by it. The last one forgets.
const STEPS: [(&str, Hit); 6] = [
    ("mail.watched", Hit::Start),
    ("watch.reported", Hit::Start),
    ("watch.paused", Hit::Command("pause u00")),
    ("watch.rescan", Hit::Command(RESCAN)),
    ("watch.rescanned", Hit::Ordered),
    ("watch.forgotten", Hit::Command("remove u00 --yes")),
];

/// The steps that are killed here.
pub fn steps() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|(step, _)| *step)
}

#[test]
fn watched_mail_survives_every_kill_point_on_sqlite() {
    drill(Database::Sqlite);
}

#[test]
fn watched_mail_survives_every_kill_point_on_postgresql() {
    drill(Database::Postgres);
}

fn drill(database: Database) {
    let mut yard = Yard::new(database, 1, |server| server);
    yard.meet();
    let (store, _) = store_of(&yard.house);
    yard.house.server.kill();
    for (step, hit) in STEPS {
        for moment in Moment::BOTH {
            let point = moment.of(step);
            match hit {
                Hit::Start => at_a_start(&mut yard, &point),
                Hit::Ordered => {
                    command(&yard, RESCAN, None).succeeds();
                    at_a_start(&mut yard, &point);
                }
                Hit::Command(line) => by_command(&yard, &store, line, moment, &point),
            }
        }
    }
    // The mailbox was forgotten: it is met as a new one, and what comes then is new.
    assert_eq!(mailbox(&store), Overview::default());
    yard.meet();
    yard.deliver(3, |_| vec![0]);
    yard.judge();
    yard.house.server.terminate(PATIENCE);
}

/// Mail came in; a start reads it, reports, and does what was ordered.
fn at_a_start(yard: &mut Yard, point: &str) {
    yard.deliver(3, |_| vec![0]);
    yard.house.begin(Some(point));
    let ended = poll::until(PATIENCE, || yard.house.server.ended().is_some());
    assert!(ended, "{point} was never reached:\n{}", yard.house.printed());
    let status = yard.house.server.wait_for_end(PATIENCE);
    assert!(is_killed(status), "{point}: ended with {status}\n{}", yard.house.printed());
    yard.house.start();
    yard.judge();
    yard.house.server.kill();
}

fn command(yard: &Yard, line: &str, point: Option<&str>) -> Answer {
    let arguments: Vec<&str> = ["mailbox"].into_iter().chain(line.split(' ')).collect();
    let mut command = yard.house.command(&arguments);
    command.envs(point.map(|point| (KILL_AT, point)));
    Answer::of(command)
}

/// A command that is killed has done all or nothing.
fn by_command(yard: &Yard, store: &Store, line: &str, moment: Moment, point: &str) {
    let before = mailbox(store);
    let answer = command(yard, line, Some(point));
    assert!(answer.killed(), "{line} did not pass {point}: {}\n{}{}", answer.status, answer.out, answer.err);
    let after = mailbox(store);
    match moment {
        Moment::Before => assert_eq!(after, before, "{point}"),
        Moment::After => assert_ne!(after, before, "{point}"),
    }
    if moment == Moment::After && line.starts_with("pause") {
        command(yard, "resume u00", None).succeeds();
    }
}

fn mailbox(store: &Store) -> Overview {
    overview(store).remove("u00").unwrap_or_default()
}
