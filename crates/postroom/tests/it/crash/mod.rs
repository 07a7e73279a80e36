//! The binary killed with SIGKILL: at every durable step before and after its commit ([`points`]), at random moments
//! ([`moments`]), beside another node ([`nodes`]); its disk full ([`disk`]); its PostgreSQL killed ([`outage`]).
//!
//! The sender outside keeps its own books of what was acknowledged and is the judge; `postroom verify` is the second.
//!
//! A short sweep runs with all tests; the long one is `cargo xtask crash`.

mod disk;
mod inside;
mod moments;
mod nodes;
mod outage;
mod points;

use postroom_testkit::mailer::{Book, Protocol, Run};

use crate::load::{House, letters, one_book};

/// The sender's side of a drill: lots of letters, each on its way until it is acknowledged, whatever the server does.
#[derive(Default)]
struct Load {
    runs: Vec<Run>,
    sent: u64,
}

impl Load {
    /// Starts sending more letters, by both doors at once.
    fn more(&mut self, house: &House) {
        self.some(house, Protocol::Smtp, 8);
        self.some(house, Protocol::Lmtp, 4);
    }

    fn some(&mut self, house: &House, door: Protocol, count: u64) {
        self.runs.push(house.mailer(door).start(letters(self.sent + 1..self.sent + 1 + count)));
        self.sent += count;
    }

    fn acked(&self) -> usize {
        self.runs.iter().map(Run::acked).sum()
    }

    /// Waits until every letter is settled; answers the books of all.
    fn finish(self) -> Book {
        let book = one_book(self.runs);
        let open = book.entries.len() - book.acked().count();
        assert_eq!(open, 0, "{open} of {} letters were never acknowledged", book.entries.len());
        book
    }
}
