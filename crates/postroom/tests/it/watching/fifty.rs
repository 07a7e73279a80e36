//! Fifty mailboxes at once.

use super::Yard;
use crate::load::{Database, PATIENCE};

const MAILBOXES: u64 = 50;

/// Every letter lies in two mailboxes: one message, seen twice.
fn each_once(database: Database) {
    let mut yard = Yard::new(database, MAILBOXES, |server| server);
    yard.meet();
    yard.deliver(2 * MAILBOXES, |number| vec![number % MAILBOXES, (number + 7) % MAILBOXES]);
    yard.judge();
    let twice = postroom_testkit::poll::until(PATIENCE, || {
        let messages = yard.house.messages();
        messages.values().flatten().all(|message| message["sightings"] == 2)
    });
    assert!(twice, "each letter was delivered to two mailboxes: {:?}", yard.house.messages());
    let status = yard.house.server.terminate(PATIENCE);
    assert!(status.success(), "{status}\n{}", yard.house.printed());
}

#[test]
fn each_letter_in_fifty_mailboxes_is_tracked_once_on_sqlite() {
    each_once(Database::Sqlite);
}

#[test]
fn each_letter_in_fifty_mailboxes_is_tracked_once_on_postgresql() {
    each_once(Database::Postgres);
}
