//! Killed at random moments while mail comes into watched mailboxes, over a line that breaks, on a server that counts its
//! messages anew now and then.
//!
//! Seeded: `POSTROOM_CRASH_SEED=7 POSTROOM_CRASH_MOMENTS=200 cargo test -p postroom --test it watching::moments`.

use std::time::Duration;

use postroom_testkit::chaos::{Chaos, Cut, Line, Script, Side};
use postroom_testkit::peers::Validity;

use super::{Yard, name, store_of};
use crate::crash::points::seed;
use crate::house::wait_for;
use crate::load::{Database, Noise, PATIENCE};

const MOMENTS: &str = "POSTROOM_CRASH_MOMENTS";
const MAILBOXES: u64 = 8;
/// After so many kills the mail is judged, and the books begin anew.
const CHAPTER: u64 = 20;
/// The latest moment after mail can come in, in milliseconds.
const LATEST: u64 = 700;
/// Letters before each start, and after it.
const LETTERS: u64 = 8;

/// How many moments: `few` with all tests.
pub fn count(few: u64) -> u64 {
    std::env::var(MOMENTS).ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

#[test]
fn watched_mail_survives_random_kills_on_sqlite() {
    sweep(Database::Sqlite, count(20));
}

#[test]
fn watched_mail_survives_random_kills_on_postgresql() {
    sweep(Database::Postgres, count(6));
}

fn sweep(database: Database, turns: u64) {
    let mut noise = Noise(seed());
    (0..turns)
        .step_by(CHAPTER as usize)
        .for_each(|from| chapter(database, CHAPTER.min(turns - from), &mut noise));
}

/// One database and one server, killed so many times.
fn chapter(database: Database, turns: u64, noise: &mut Noise) {
    let mut line = None;
    let mut yard = Yard::new(database, MAILBOXES, |server| line.insert(Chaos::start(server)).address());
    let line = line.expect("the yard asked for it");
    yard.meet();
    let (store, _) = store_of(&yard.house);
    yard.house.server.kill();
    let mut behind = 0;
    for turn in 0..turns {
        deliver(&mut yard, noise);
        line.always(script(noise));
        yard.house.begin(None);
        if turn % 2 == 1 {
            assert!(yard.house.is_up(PATIENCE), "it does not start:\n{}", yard.house.printed());
        }
        deliver(&mut yard, noise);
        // The random moment itself: nothing is waited for.
        std::thread::sleep(Duration::from_millis(noise.below(LATEST)));
        assert!(yard.house.server.ended().is_none(), "it ended by itself:\n{}", yard.house.printed());
        yard.house.server.kill();
        let all = postroom_tracking::messages::list(&store, postroom_tracking::messages::Wanted::default());
        behind += u64::from(wait_for(all).expect("the database answers").len() < yard.delivered.len());
        count_anew(&yard, turn, noise);
    }
    assert!(behind * 2 >= turns, "most kills found nothing on its way: {behind} of {turns}");
    line.calm();
    yard.house.start();
    let letters = yard.judge();
    tell(&format!(
        "{database:?}, seed {}: {turns} kills, {behind} of them with mail on its way; {letters} letters; {} connections, {} cut",
        seed(),
        line.connections(),
        line.cuts()
    ));
    yard.house.server.terminate(PATIENCE);
}

fn deliver(yard: &mut Yard, noise: &mut Noise) {
    yard.deliver(LETTERS, |_| vec![noise.below(MAILBOXES), noise.below(MAILBOXES)]);
}

/// What happens to the connections until the next turn.
fn script(noise: &mut Noise) -> Script {
    match noise.below(5) {
        0 => Script::CutAfter(Side::Server, 200 + noise.below(20_000)),
        1 => Script::CutAfter(Side::Client, 20 + noise.below(600)),
        2 => Script::CutAt(Cut::Unanswered, Line::Contains("FETCH".into())),
        _ => Script::Pass,
    }
}

/// The server numbers the messages of a folder anew now and then.
fn count_anew(yard: &Yard, turn: u64, noise: &mut Noise) {
    let user = name(noise.below(MAILBOXES));
    match turn % 6 {
        1 | 4 => drop(yard.dovecot.bump_uidvalidity(&user, "INBOX")),
        5 => yard.dovecot.renumber(&user, "INBOX", Validity::Changed),
        _ => {}
    }
}

/// What a sweep did; seen with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a test's own words")]
pub fn tell(text: &str) {
    println!("{text}");
}
