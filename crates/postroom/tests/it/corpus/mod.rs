//! The corpus of made mail (`tests/data/corpus.py`) over real SMTP and LMTP: every message on the right record, none on a
//! wrong one, automatic ones marked, whatever the order and the number of sessions; and a repeat adds nothing.
//!
//! Another seed: `POSTROOM_CORPUS_SEED=7 cargo test -p postroom --test it corpus`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use postroom_testkit::mailer::{Mail, Mailer, Protocol};
use postroom_testkit::peers;
use serde_json::{Value, json};

use crate::load::{Database, House, MAILBOX, Noise, PATIENCE};
use crate::make::Make;

const SEED: &str = "POSTROOM_CORPUS_SEED";
const COUNT: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsWritten,
    Shuffled,
}

/// A message with what is true of it.
struct Written {
    truth: Value,
    raw: Vec<u8>,
}

impl Written {
    fn id(&self) -> &str {
        self.truth["message_id"].as_str().expect("every message has an id")
    }
}

/// Makes the corpus; answers its messages and the record lines of its records and contacts.
fn corpus(seed: u64, folder: &Path) -> (Vec<Written>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/corpus.py");
    let (seed, count) = (seed.to_string(), COUNT.to_string());
    let mut command = Command::new(peers::require("python3"));
    command.arg(script).args([
        "--seed",
        &seed,
        "--count",
        &count,
        "--records",
        "60",
        "--attach-scale",
        "0.05",
    ]);
    command.args(["--formats", "eml", "--out"]).arg(folder).stdin(Stdio::null()).stdout(Stdio::null());
    assert!(command.status().expect("python3 starts").success(), "corpus.py --seed {seed}");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("corpus.py writes it");
    let written = read("truth.jsonl").lines().map(|line| written(line, folder)).collect();
    (written, records(&read("records.csv")) + &contacts(&read("contacts.csv")))
}

fn written(line: &str, folder: &Path) -> Written {
    let truth: Value = serde_json::from_str(line).expect("a line of JSON");
    let file = truth["file"].as_str().expect("every message has a file");
    Written { raw: fs::read(folder.join(file)).expect("corpus.py writes it"), truth }
}

/// `number,guid,entity,name`
fn records(csv: &str) -> String {
    let mut lines = String::new();
    for row in csv.lines().skip(1) {
        let [_, id, table, name] = row.splitn(4, ',').collect::<Vec<_>>()[..] else {
            panic!("four columns: {row}")
        };
        let column = match table {
            "incident" => "title",
            "lead" | "contact" => "lastname",
            _ => "name",
        };
        writeln!(lines, "{}", json!({ "table": table, "id": id, "columns": { column: name } }))
            .expect("a String");
    }
    lines
}

/// `email,name`
fn contacts(csv: &str) -> String {
    let mut lines = String::new();
    for (place, row) in csv.lines().skip(1).enumerate() {
        let (email, name) = row.split_once(',').expect("two columns");
        let id = format!("{:08x}-c0de-4000-8000-000000000000", place + 1);
        let columns = json!({ "lastname": name, "emailaddress1": email });
        writeln!(lines, "{}", json!({ "table": "contact", "id": id, "columns": columns })).expect("a String");
    }
    lines
}

/// Sends everything by so many sessions at once; each message has its own envelope sender.
fn send(house: &House, protocol: Protocol, sessions: usize, written: &[Written], order: &[usize]) {
    let waiting = Mutex::new(order.iter().copied().collect::<VecDeque<_>>());
    let next = || waiting.lock().expect("no sender panics").pop_front();
    let session = || {
        while let Some(place) = next() {
            let message = &written[place];
            let sender = message.truth["mail_from"].as_str().expect("a text").to_owned();
            let server = if protocol == Protocol::Smtp { house.smtp } else { house.lmtp };
            let mailer = Mailer { sender, deadline: PATIENCE, ..Mailer::new(protocol, server, MAILBOX) };
            let book = mailer.send(vec![Mail { number: place as u64, raw: message.raw.clone() }]);
            assert_eq!(book.acked().count(), 1, "{} was not taken: {book:?}", message.id());
        }
    };
    std::thread::scope(|scope| (0..sessions).for_each(|_| drop(scope.spawn(session))));
}

/// Everything that is not as the truth says.
fn mistakes(house: &House, written: &[Written]) -> Vec<String> {
    let messages = house.messages();
    let mut mistakes = Vec::new();
    if messages.len() != written.len() {
        mistakes.push(format!("{} messages were sent, {} are there", written.len(), messages.len()));
    }
    for Written { truth, .. } in written {
        let copies =
            messages.get(truth["message_id"].as_str().unwrap_or_default()).map_or(&[][..], Vec::as_slice);
        let [message] = copies else {
            mistakes.push(format!("{} times: {truth}", copies.len()));
            continue;
        };
        let automatic = !truth["auto"].is_null();
        if message["record"]["id"] != truth["expected"] || message["automatic"] != automatic {
            mistakes.push(format!("wrong: {message}\n  truth: {truth}"));
        }
    }
    mistakes
}

#[track_caller]
fn right(house: &House, written: &[Written], repeat: &str) {
    let books = house.settled();
    let mistakes = mistakes(house, written);
    assert!(
        mistakes.is_empty(),
        "{repeat}: {} of {}:\n{}",
        mistakes.len(),
        written.len(),
        mistakes.join("\n")
    );
    house.run(&["verify"]).succeeds();
    let tracked = written.iter().filter(|message| !message.truth["expected"].is_null()).count();
    assert_eq!(books["activities"], tracked, "{repeat}: {books}");
    let activities = house.activities();
    assert!(activities.values().all(|count| *count == 1), "{repeat}: an activity is there twice");
}

#[track_caller]
fn check(database: Database, protocol: Protocol, sessions: usize, order: Order, seed: u64) {
    check_over(Make::Embedded, database, protocol, sessions, order, seed);
}

/// The same with another make of the CRM.
#[track_caller]
fn check_over(make: Make, database: Database, protocol: Protocol, sessions: usize, order: Order, seed: u64) {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(seed);
    let repeat =
        format!("{SEED}={seed}, {make:?}, {database:?}, {protocol:?}, {sessions} sessions, {order:?}");
    check_in(House::with(make, database), protocol, sessions, order, (seed, &repeat));
}

#[track_caller]
fn check_in(
    mut house: House,
    protocol: Protocol,
    sessions: usize,
    order: Order,
    (seed, repeat): (u64, &str),
) {
    let (written, records) = corpus(seed, &house.folder.join("corpus"));
    house.import(&records);
    house.start();
    let mut places: Vec<usize> = (0..written.len()).collect();
    if order == Order::Shuffled {
        shuffle(&mut places, seed);
    }
    send(&house, protocol, sessions, &written, &places);
    right(&house, &written, repeat);
    if sessions > 1 {
        // The same again: sightings, and nothing else.
        let before = house.run(&["verify"]).lines().remove(0);
        shuffle(&mut places, seed + 1);
        send(&house, protocol, sessions, &written, &places);
        right(&house, &written, repeat);
        let after = house.run(&["verify"]).lines().remove(0);
        assert_eq!(after["sightings"], 2 * before["sightings"].as_u64().unwrap_or(0), "{repeat}: {after}");
        assert_eq!(after["messages"], before["messages"], "{repeat}");
    }
    house.server.terminate(PATIENCE);
}

fn shuffle(places: &mut [usize], seed: u64) {
    let mut noise = Noise(seed);
    for last in (1..places.len()).rev() {
        places.swap(last, noise.below(last as u64 + 1) as usize);
    }
}

#[test]
fn in_order_by_one_session() {
    check(Database::Sqlite, Protocol::Smtp, 1, Order::AsWritten, 11);
    check(Database::Postgres, Protocol::Smtp, 1, Order::AsWritten, 12);
}

#[test]
fn in_order_by_eight_sessions() {
    check(Database::Sqlite, Protocol::Smtp, 8, Order::AsWritten, 13);
    check(Database::Postgres, Protocol::Smtp, 8, Order::AsWritten, 14);
}

#[test]
fn shuffled_by_one_session() {
    check(Database::Sqlite, Protocol::Smtp, 1, Order::Shuffled, 15);
    check(Database::Postgres, Protocol::Smtp, 1, Order::Shuffled, 16);
}

#[test]
fn shuffled_by_eight_sessions() {
    check(Database::Sqlite, Protocol::Smtp, 8, Order::Shuffled, 17);
    check(Database::Postgres, Protocol::Smtp, 8, Order::Shuffled, 18);
}

#[test]
fn over_lmtp_by_eight_sessions() {
    check(Database::Sqlite, Protocol::Lmtp, 8, Order::Shuffled, 19);
}

#[test]
fn over_the_web_api_by_eight_sessions() {
    check_over(Make::WebApi, Database::Sqlite, Protocol::Smtp, 8, Order::Shuffled, 21);
}

#[test]
fn over_the_web_api_in_order_on_postgresql() {
    check_over(Make::WebApi, Database::Postgres, Protocol::Smtp, 1, Order::AsWritten, 22);
}

#[test]
fn over_soap_by_eight_sessions() {
    check_over(Make::Soap, Database::Sqlite, Protocol::Smtp, 8, Order::Shuffled, 23);
}

/// The CRM itself delivers what our rules track, under ids of its own.
#[track_caller]
fn delivered(make: Make, database: Database, order: Order, seed: u64) {
    let repeat = format!("{SEED}={seed}, delivered by {make:?}, {database:?}, {order:?}");
    check_in(House::delivering(make, database), Protocol::Smtp, 8, order, (seed, &repeat));
}

#[test]
fn delivered_by_the_embedded_crm() {
    delivered(Make::Embedded, Database::Sqlite, Order::Shuffled, 31);
    delivered(Make::Embedded, Database::Postgres, Order::AsWritten, 32);
}

#[test]
fn delivered_over_the_web_api() {
    delivered(Make::WebApi, Database::Sqlite, Order::Shuffled, 33);
}

#[test]
fn delivered_over_soap() {
    delivered(Make::Soap, Database::Sqlite, Order::Shuffled, 34);
}

/// The comparison itself must be able to fail.
#[test]
fn a_wrong_place_is_found() {
    let mut house = House::new(Database::Sqlite);
    let (mut written, records) = corpus(20, &house.folder.join("corpus"));
    written.truncate(30);
    house.import(&records);
    house.start();
    send(&house, Protocol::Smtp, 1, &written, &(0..30).collect::<Vec<_>>());
    right(&house, &written, "thirty");
    written[0].truth["expected"] = json!("00000000-0000-4000-8000-000000000000");
    written[1].truth["auto"] = json!("bulk");
    written[2].truth["message_id"] = json!("<nobody@customer.example>");
    assert_eq!(mistakes(&house, &written).len(), 3);
}
