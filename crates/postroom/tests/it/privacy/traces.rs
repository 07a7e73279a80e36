//! What was erased or purged lies in no file of a SQLite database: its bytes are looked for in the file and its log.

use std::collections::HashSet;
use std::fs;

use jiff::SignedDuration;
use postroom_store::sql::Query;
use postroom_testkit::database::Database;

use super::bench::{ANNA, BEN, Bench, about_the_case, letter};
use crate::load::Noise;

/// What only the mails that go say, in their subjects.
const WORD: &str = "Quetzalcoatl";
/// Bytes of a stored body that are looked for.
const PIECE: usize = 24;

/// A text that no two mails have in common, of several pages for every third.
fn text(number: u64) -> String {
    let mut noise = Noise(number + 1);
    let words = if number.is_multiple_of(3) { 4000 } else { 20 };
    (0..words).map(|_| format!("{:x} ", noise.next())).collect()
}

/// A piece from the middle of each stored body, as it is stored.
async fn pieces(bench: &Bench) -> HashSet<Vec<u8>> {
    let mut pieces = HashSet::new();
    for table in ["body", "body_chunk"] {
        for row in bench.rows(Query::select().column("data").from(table).to_owned()).await {
            let data: Vec<u8> = row.at::<Option<Vec<u8>>>(0).unwrap().unwrap_or_default();
            let middle = data.len() / 2;
            pieces.extend(data.get(middle..middle + PIECE).map(<[u8]>::to_vec));
        }
    }
    pieces
}

/// How many of these lie somewhere in the file or its log.
fn found(bench: &Bench, wanted: &HashSet<Vec<u8>>) -> usize {
    let path = bench.store.path().unwrap();
    let mut there = HashSet::new();
    for end in ["db", "db-wal"] {
        let bytes = fs::read(path.with_extension(end)).unwrap_or_default();
        for size in [PIECE, WORD.len()] {
            there.extend(bytes.windows(size).filter(|some| wanted.contains(*some)).map(<[u8]>::to_vec));
        }
    }
    there.len()
}

/// Mails of both, filed; those that go are `from` somebody.
async fn mails(bench: &Bench, mailbox: &str, from: &str, subject: &str) {
    for number in 0..24 {
        let (from, subject) = match number % 2 {
            0 => (from, format!("{WORD} {number} {subject}")),
            _ => ("carl@customer.example", "Hello".to_owned()),
        };
        let name = format!("{mailbox}-{number}");
        bench.mail(mailbox, &letter(&name, from, "", &subject, &text(number))).await;
    }
}

/// Checks that the bodies that are gone, and the word, are found no more.
async fn gone(bench: &Bench, mut before: HashSet<Vec<u8>>) {
    let after = pieces(bench).await;
    before.retain(|piece| !after.contains(piece));
    before.insert(WORD.as_bytes().to_vec());
    assert!(before.len() > 12, "a body of each mail went: {}", before.len());
    assert_eq!(found(bench, &before), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_mail_is_in_no_file() {
    let bench = Bench::on(Database::sqlite()).await;
    mails(&bench, "desk", ANNA, &about_the_case("Pump")).await;
    let before = pieces(&bench).await;
    assert!(found(&bench, &before) > before.len() / 2, "the test looks where it should");
    bench.erasing().erase(ANNA, false).await.unwrap();
    gone(&bench, before).await;
}

/// Headers stay: only the bodies are looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_purged_body_is_in_no_file() {
    let bench = Bench::on(Database::sqlite()).await;
    let letters = (0..24).map(|number| letter(&format!("p{number}"), BEN, "", "Hello", &text(number)));
    for raw in letters.collect::<Vec<_>>() {
        bench.mail("closed", &raw).await;
    }
    let before = pieces(&bench).await;
    assert!(found(&bench, &before) > before.len() / 2, "the test looks where it should");
    bench.clock.advance(SignedDuration::from_hours(100));
    assert_eq!(bench.purging().run(false).await.unwrap().messages, 24);
    gone(&bench, before).await;
}
