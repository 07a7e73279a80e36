//! Killed at random moments: in the start, in the recovery, under load.
//!
//! Seeded: `POSTROOM_CRASH_SEED=7 POSTROOM_CRASH_MOMENTS=200 cargo test -p postroom --test it crash::moments`.

use std::time::Duration;

use crate::crash::points::seed;
use crate::crash::Load;
use crate::load::{Database, House, Noise, PATIENCE, records};

const MOMENTS: &str = "POSTROOM_CRASH_MOMENTS";
/// How many with all tests; `cargo xtask crash` asks for more.
const FEW: u64 = 6;
/// After so many the mail is judged, and the books begin anew.
const CHAPTER: u64 = 20;
/// The latest moment, in milliseconds from the start: starts take a part of it, the rest falls into the load.
const LATEST: u64 = 900;

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
        println!("{database:?}, seed {}: moments {} to {} of {count}", seed(), from + 1, from + moments.len() as u64);
        chapter(database, &moments);
    }
}

/// One database, killed at each of these moments after a start.
fn chapter(database: Database, moments: &[u64]) {
    let mut house = House::new(database);
    house.import(&records());
    let mut load = Load::default();
    for moment in moments {
        house.begin(None);
        load.more(&house);
        // The random moment itself: nothing is waited for.
        std::thread::sleep(Duration::from_millis(*moment));
        assert!(house.server.ended().is_none(), "it ended by itself:\n{}", house.printed());
        house.server.kill();
    }
    let before = load.acked();
    house.start();
    let book = load.finish();
    println!("  {before} of {} letters were acknowledged before the last kill", book.entries.len());
    house.judge(&book);
    house.server.terminate(PATIENCE);
}
