//! PostgreSQL killed under load and started again: nothing that was acknowledged is lost, and the process goes on.

use postroom_testkit::mailer::Protocol;
use postroom_testkit::peers::{Durability, Postgres};
use postroom_testkit::poll;

use crate::crash::Load;
use crate::load::{House, PATIENCE, records};

const TIMES: usize = 2;

#[test]
fn accepted_mail_survives_a_crash_of_postgresql() {
    let postgres = Postgres::start(Durability::Synced);
    let mut house = House::at(Some(postgres.database()));
    house.import(&records());
    house.start();
    let process = house.server.id();
    let mut load = Load::new(&house);
    for _ in 0..TIMES {
        let before = load.acked();
        load.some(&house, Protocol::Smtp, 60);
        load.some(&house, Protocol::Lmtp, 20);
        load.by_http(&house, 20);
        assert!(poll::until(PATIENCE, || load.acked() > before + 10), "mail comes in:\n{}", house.printed());
        assert!(load.acked() < before + 100, "the crash falls into the load");
        postgres.kill();
        postgres.restart();
    }
    let book = load.finish();
    house.judge(&book);
    let interrupted = book.entries.values().filter(|entry| entry.later + entry.lost_answers > 0).count();
    assert!(interrupted > 0, "no sender noticed the outage");
    assert_eq!(house.server.id(), process);
    assert!(house.server.ended().is_none(), "it did not survive:\n{}", house.printed());
    house.server.terminate(PATIENCE);
}
