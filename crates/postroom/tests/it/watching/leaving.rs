//! Killed at random moments while the CRM's mail leaves, by a server that loses answers: every mail arrives, and however
//! often it does, it is the same mail.

use std::collections::BTreeMap;
use std::time::Duration;

use postroom_core::{MailState, Value};
use postroom_embedded::Embedded;
use postroom_sandbox::catcher::{Catcher, LoseAnswer};
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

/// E-mails that the CRM wants sent, in all.
const MAILS: u64 = 100;
/// The latest moment after the start, in milliseconds.
const LATEST: u64 = 900;

#[test]
fn outgoing_mail_survives_random_kills_on_sqlite() {
    sweep(Database::Sqlite, count(20), MAILS);
}

#[test]
fn outgoing_mail_survives_random_kills_on_postgresql() {
    sweep(Database::Postgres, count(6), MAILS / 3);
}

fn sweep(database: Database, turns: u64, mails: u64) {
    let catcher = Catcher::start();
    let mut house = House::new(database);
    configure(
        &house,
        &format!(
            "[smtp_out]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nsenders = [\"{SALES}\"]\npoll = \"500ms\"\n\
             resend_after = \"1s\"\n",
            catcher.address().port()
        ),
    );
    house.import(&records());
    let (store, crm) = store_of(&house);
    wait_for(bench::furnish(&crm));
    // Slow enough that a kill finds mail on its way.
    catcher.slow(Duration::from_millis(15));
    let (mut noise, mut written, mut busy) = (Noise(seed()), 0, 0);
    for turn in 0..turns {
        let until = mails * (turn + 1) / turns;
        (written..until).for_each(|number| wait_for(write(&crm, number)));
        written = until;
        (0..noise.below(4)).for_each(|_| catcher.lose_next_answer(lost(&mut noise)));
        house.begin(None);
        assert!(house.is_up(PATIENCE), "it does not start:\n{}", house.printed());
        // The random moment itself: nothing is waited for.
        std::thread::sleep(Duration::from_millis(noise.below(LATEST)));
        assert!(house.server.ended().is_none(), "it ended by itself:\n{}", house.printed());
        house.server.kill();
        busy += u64::from(open(&store, written) > 0);
    }
    assert!(busy * 2 >= turns, "most kills found nothing on its way: {busy} of {turns}");
    catcher.slow(Duration::ZERO);
    house.start();
    let sent = poll::until(PATIENCE, || open(&store, mails) == 0);
    assert!(sent, "{} never left:\n{}", open(&store, mails), house.printed());
    let copies = judge(&catcher, mails);
    house.settled();
    house.run(&["verify"]).succeeds();
    statuses(&crm, mails);
    tell(&format!(
        "{database:?}, seed {}: {turns} kills, {busy} with mail on its way; {mails} mails, {copies} arrivals",
        seed()
    ));
    house.server.terminate(PATIENCE);
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

/// An e-mail in *Pending Send*: a customer of its own, on one of a few records, that no brake holds it.
async fn write(crm: &Embedded, number: u64) {
    let account = record_of(number + 1).parse::<Uuid>().expect("a GUID");
    let draft = Draft::new(&format!("Mail {number}")).named(id(number));
    let draft = draft.with("regardingobjectid", Value::lookup("account", account));
    bench::put(crm, draft.to_address(2, &format!("c{number}@customer.example"))).await;
}

/// How many of the mails are not sent yet.
fn open(store: &Store, mails: u64) -> u64 {
    let sent = Wanted { state: Some(MailState::Sent), ..Wanted::default() };
    let sent = wait_for(verbs::list(store, sent)).expect("the database answers");
    mails - sent.len() as u64
}

/// Every mail arrived at least once, all its copies are one mail; answers how many arrived in all.
fn judge(catcher: &Catcher, mails: u64) -> usize {
    let caught = catcher.mails();
    let mut arrived: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
    for mail in &caught {
        let to = mail.recipients();
        assert_eq!(to.len(), 1, "{to:?}");
        arrived.entry(to[0]).or_default().push(&mail.raw);
    }
    let missing: Vec<u64> = (0..mails)
        .filter(|number| !arrived.contains_key(format!("c{number}@customer.example").as_str()))
        .collect();
    assert!(missing.is_empty() && arrived.len() as u64 == mails, "never arrived: {missing:?}");
    let mut ids: Vec<String> = Vec::new();
    for (to, copies) in &arrived {
        assert!(copies.iter().all(|copy| copy == &copies[0]), "{to} got two mails where there is one");
        let mail = postroom_formats::mime::Mail::parse(copies[0], &Default::default());
        ids.push(mail.message_id.clone().expect("it has a Message-ID"));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, mails, "each mail has a Message-ID of its own");
    caught.len()
}

/// The CRM knows that each is sent.
fn statuses(crm: &Embedded, mails: u64) {
    for number in 0..mails {
        let told = poll::until(PATIENCE, || wait_for(bench::status(crm, id(number))) == (1, 3));
        assert!(told, "the CRM was not told of mail {number}");
    }
}
