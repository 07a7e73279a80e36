//! Killed at random moments while the CRM's mail leaves, by a server that loses answers: every mail arrives, and however
//! often it does, it is the same mail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use postroom_core::{MailState, Value};
use postroom_embedded::Embedded;
use postroom_formats::mime::{Limits, Mail};
use postroom_sandbox::catcher::{Catcher, Caught, LoseAnswer};
use postroom_store::Store;
use postroom_testkit::poll;
use postroom_tracking::sending::verbs::{self, Wanted};
use uuid::Uuid;

use super::moments::{count, tell};
use super::{configure, store_of};
use crate::crash::points::seed;
use crate::house::wait_for;
use crate::load::{Database, House, Noise, PATIENCE, record_of, records};
use crate::sending::bench::{self, Draft, SALES};

/// E-mails that the CRM wants sent, for each kill.
const MAILS: u64 = 5;
/// After so many kills the mail is judged, and the books begin anew.
const CHAPTER: u64 = 20;
/// The latest moment after the start, in milliseconds.
const LATEST: u64 = 900;

#[test]
fn outgoing_mail_survives_random_kills_on_sqlite() {
    sweep(Database::Sqlite, count(20));
}

#[test]
fn outgoing_mail_survives_random_kills_on_postgresql() {
    sweep(Database::Postgres, count(6));
}

fn sweep(database: Database, turns: u64) {
    let mut noise = Noise(seed());
    (0..turns)
        .step_by(CHAPTER as usize)
        .for_each(|from| chapter(database, CHAPTER.min(turns - from), &mut noise));
}

/// One database, killed so many times.
fn chapter(database: Database, turns: u64, noise: &mut Noise) {
    let catcher = Catcher::start();
    let mut house = house(database, catcher.address());
    let (store, crm) = store_of(&house);
    wait_for(bench::furnish(&crm));
    // Slow enough that a kill finds mail on its way.
    catcher.slow(Duration::from_millis(15));
    let mut busy = 0;
    for turn in 0..turns {
        (turn * MAILS..(turn + 1) * MAILS).for_each(|number| wait_for(write(&crm, number)));
        (0..noise.below(4)).for_each(|_| catcher.lose_next_answer(lost(noise)));
        house.begin(None);
        assert!(house.is_up(PATIENCE), "it does not start:\n{}", house.printed());
        // The random moment itself: nothing is waited for.
        std::thread::sleep(Duration::from_millis(noise.below(LATEST)));
        assert!(house.server.ended().is_none(), "it ended by itself:\n{}", house.printed());
        house.server.kill();
        busy += u64::from(open(&store, (turn + 1) * MAILS) > 0);
    }
    assert!(busy * 2 >= turns, "most kills found nothing on its way: {busy} of {turns}");
    catcher.slow(Duration::ZERO);
    house.start();
    let mails = turns * MAILS;
    let sent = poll::until(PATIENCE, || open(&store, mails) == 0);
    assert!(sent, "{} never left:\n{}", open(&store, mails), house.printed());
    let caught = catcher.mails();
    assert_eq!(wrong(&caught, mails), "");
    house.settled();
    house.run(&["verify"]).succeeds();
    statuses(&crm, mails);
    tell(&format!(
        "{database:?}, seed {}: {turns} kills, {busy} with mail on its way; {mails} mails, {} arrivals",
        seed(),
        caught.len()
    ));
    house.server.terminate(PATIENCE);
}

/// A house that sends through this server, with the records that mail is about.
fn house(database: Database, server: SocketAddr) -> House {
    let house = House::new(database);
    configure_sending(&house, server);
    house.import(&records());
    house
}

/// The CRM's mail leaves by this server.
pub fn configure_sending(house: &House, server: SocketAddr) {
    let out = format!(
        "[smtp_out]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nsenders = [\"{SALES}\"]\npoll = \"500ms\"\n\
         resend_after = \"1s\"\n",
        server.port()
    );
    configure(house, &out);
}

fn lost(noise: &mut Noise) -> LoseAnswer {
    match noise.below(2) {
        0 => LoseAnswer::BeforeKeeping,
        _ => LoseAnswer::AfterKeeping,
    }
}

fn id(number: u64) -> Uuid {
    Uuid::from_u128(0x7e57_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

async fn write(crm: &Embedded, number: u64) {
    let account = record_of(number + 1).parse::<Uuid>().expect("a GUID");
    bench::put(crm, draft(number, account)).await;
}

/// An e-mail in *Pending Send*: to a customer of its own, on one of a few records, that no brake holds it.
pub fn draft(number: u64, account: Uuid) -> Draft {
    let draft = Draft::new(&format!("Mail {number}")).named(id(number));
    draft.with("regardingobjectid", Value::lookup("account", account)).addressed(2, &customer(number))
}

/// How many of the mails are not sent yet.
pub fn open(store: &Store, mails: u64) -> u64 {
    let sent = Wanted { state: Some(MailState::Sent), ..Wanted::default() };
    let sent = wait_for(verbs::list(store, sent)).expect("the database answers");
    mails - sent.len() as u64
}

/// What is wrong with what arrived: each mail at least once, all its copies one mail, no two with one Message-ID.
pub fn wrong(caught: &[Caught], mails: u64) -> String {
    let mut arrived: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
    for mail in caught {
        arrived.entry(mail.recipients().join(" ")).or_default().push(&mail.raw);
    }
    let mut wrong = Vec::new();
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for (to, copies) in &arrived {
        if copies.iter().any(|copy| copy != &copies[0]) {
            wrong.push(format!("{to} got two mails where there is one"));
        }
        let mail = Mail::parse(copies[0], &Limits::default());
        let id = mail.message_id.clone().unwrap_or_default();
        if let Some(other) = owners.insert(id.clone(), to) {
            wrong.push(format!("{other} and {to} got mails with the Message-ID {id:?}"));
        }
    }
    let wanted: Vec<String> = (0..mails).map(customer).collect();
    wrong.extend(wanted.iter().filter(|to| !arrived.contains_key(*to)).map(|to| format!("{to} got nothing")));
    wrong.extend(arrived.keys().filter(|to| !wanted.contains(to)).map(|to| format!("{to} got a mail")));
    wrong.join("\n")
}

fn customer(number: u64) -> String {
    format!("c{number}@customer.example")
}

/// The CRM knows that each is sent.
pub fn statuses(crm: &Embedded, mails: u64) {
    for number in 0..mails {
        let told = poll::until(PATIENCE, || wait_for(bench::status(crm, id(number))) == (1, 3));
        assert!(told, "the CRM was not told of mail {number}");
    }
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let mail = |number: u64, id: &str, body: &str| Caught {
        from: SALES.into(),
        from_parameters: String::new(),
        to: vec![(customer(number), String::new())],
        raw: format!("Message-ID: <{id}@crm.example>\r\n\r\n{body}\r\n").into(),
        client: String::new(),
    };
    let (first, second) = (mail(0, "a", "x"), mail(1, "b", "y"));
    let check = |caught: &[Caught], expected: &str| {
        let wrong = wrong(caught, 2);
        assert!(
            wrong == expected || !expected.is_empty() && wrong.contains(expected),
            "{wrong:?} for {expected:?}"
        );
    };
    check(&[first.clone(), second.clone(), first.clone()], "");
    check(std::slice::from_ref(&first), "c1@customer.example got nothing");
    check(&[first.clone(), second.clone(), mail(1, "c", "y")], "c1@customer.example got two mails");
    check(&[first.clone(), mail(1, "a", "y")], "got mails with the Message-ID");
    check(&[first, second, mail(2, "c", "z")], "c2@customer.example got a mail");
}
