//! Killed at random moments: in the start, in the recovery, under load.
//!
//! Seeded: `POSTROOM_CRASH_SEED=7 POSTROOM_CRASH_MOMENTS=200 cargo test -p postroom --test it crash::moments`.

use std::time::Duration;

use postroom_testkit::mailer::Protocol;

use crate::crash::Load;
use crate::crash::points::seed;
use crate::load::{Database, House, Noise, PATIENCE, records};

const MOMENTS: &str = "POSTROOM_CRASH_MOMENTS";
/// How many with all tests; `cargo xtask crash` asks for more.
const FEW: u64 = 6;
/// After so many the mail is judged, and the books begin anew.
const CHAPTER: u64 = 20;
/// The latest moment, in milliseconds: counted by turns from the start and from when mail can come in.
const LATEST: u64 = 500;

#[test]
fn accepted_mail_survives_random_kills_on_sqlite() {
    sweep(Database::Sqlite);
}

#[test]
fn accepted_mail_survives_random_kills_on_postgresql() {
    sweep(Database::Postgres);
}

fn sweep(database: Database) {
    let count = std::env::var(MOMENTS).ok().and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let mut noise = Noise(seed());
    for from in (0..count).step_by(CHAPTER as usize) {
        let moments: Vec<u64> = (from..count.min(from + CHAPTER)).map(|_| noise.below(LATEST)).collect();
        let to = from + moments.len() as u64;
        tell(&format!("{database:?}, seed {}: moments {} to {to} of {count}", seed(), from + 1));
        chapter(database, &moments);
    }
}

/// One database, killed at each of these moments after a start.
fn chapter(database: Database, moments: &[u64]) {
    let mut house = House::new(database);
    house.import(&records());
    let mut load = Load::new(&house);
    let mut busy = 0;
    for (turn, moment) in moments.iter().enumerate() {
        house.begin(None);
        load.some(&house, Protocol::Smtp, 30);
        load.some(&house, Protocol::Lmtp, 12);
        load.by_http(&house, 12);
        if turn % 2 == 1 {
            assert!(house.is_up(PATIENCE), "it does not start:\n{}", house.printed());
        }
        // The random moment itself: nothing is waited for.
        std::thread::sleep(Duration::from_millis(*moment));
        assert!(house.server.ended().is_none(), "it ended by itself:\n{}", house.printed());
        busy += usize::from(load.is_open());
        house.server.kill();
    }
    house.start();
    let book = load.finish();
    let (all, letters) = (moments.len(), book.entries.len());
    tell(&format!("{busy} of {all} kills fell among letters on their way; {letters} letters in all"));
    assert!(busy * 2 >= all, "most kills found nothing on its way: send more");
    house.judge(&book);
    house.server.terminate(PATIENCE);
}

/// Progress of a long sweep; seen with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a test's own words")]
fn tell(text: &str) {
    println!("{text}");
}
