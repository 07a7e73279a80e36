//! Two nodes on one PostgreSQL, one of them killed in the midst of its work: the other does it all, once.

use postroom_testkit::mailer::{Book, Fate, Protocol};
use postroom_testkit::poll;

use crate::load::{Database, House, PATIENCE, letters, one_book, records};

const EACH: u64 = 90;

#[test]
fn the_mail_of_a_killed_node_is_filed_by_the_other() {
    let mut one = House::new(Database::Postgres);
    let mut other = House::at(Some(one.url.clone()));
    one.import(&records());
    one.start();
    other.start();
    let to_other = other.mailer(Protocol::Smtp).start(letters(EACH + 1..2 * EACH + 1));
    let to_one = one.mailer(Protocol::Smtp).start(letters(1..EACH + 1));
    assert!(poll::until(PATIENCE, || to_one.acked() > 20), "mail comes in:\n{}", one.printed());
    one.server.kill();
    let left = rest(&to_one.book());
    // As a mail server does when one of two hosts is away: the other gets what was not acknowledged.
    let rest = letters(1..EACH + 1).into_iter().filter(|mail| left.contains(&mail.number)).collect();
    let again = other.mailer(Protocol::Smtp).start(rest);
    let mut book = one_book(vec![to_other, again]);
    let acked: Vec<u64> = to_one.book().acked().collect();
    assert!(acked.len() < EACH as usize, "the kill falls into the load");
    book.entries.extend(to_one.book().entries.into_iter().filter(|(_, entry)| entry.fate == Fate::Acked));
    assert_eq!(book.acked().count() as u64, 2 * EACH);
    other.judge(&book);
    other.server.terminate(PATIENCE);
}

/// What this sender may not forget.
fn rest(book: &Book) -> Vec<u64> {
    book.entries.iter().filter(|(_, entry)| entry.fate != Fate::Acked).map(|(number, _)| *number).collect()
}
