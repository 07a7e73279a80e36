//! The binary killed with SIGKILL: at every durable step before and after its commit ([`points`]), at random moments
//! ([`moments`]), beside another node ([`nodes`]); its disk full ([`disk`], [`full`]); its PostgreSQL killed ([`outage`]).
//!
//! The sender outside keeps its own books of what was acknowledged and is the judge; `postroom verify` is the second.
//!
//! A short sweep runs with all tests; the long one is `cargo xtask crash`.

pub mod agent;
mod disk;
mod full;
pub mod inside;
mod moments;
mod nodes;
mod outage;
pub mod points;
mod relay;
mod visitor;

use agent::Agent;
use postroom_testkit::mailer::{Book, Fate, Mail, Protocol, Run};

use crate::load::{House, letters, one_book};

/// The sender's side of a drill: letters by all doors, each on its way until it is acknowledged, whatever the server does.
struct Load {
    runs: Vec<Run>,
    agents: Vec<Agent>,
    /// For the HTTP door.
    token: String,
    sent: u64,
}

impl Load {
    /// For a house that has been installed.
    fn new(house: &House) -> Load {
        Load { runs: Vec::new(), agents: Vec::new(), token: token(house), sent: 0 }
    }

    /// Starts sending more letters, by all doors at once.
    fn more(&mut self, house: &House) {
        self.some(house, Protocol::Smtp, 8);
        self.some(house, Protocol::Lmtp, 4);
        self.by_http(house, 4);
    }

    fn some(&mut self, house: &House, door: Protocol, count: u64) {
        let letters = self.next(count);
        self.runs.push(house.mailer(door).start(letters));
    }

    fn by_http(&mut self, house: &House, count: u64) {
        let letters = self.next(count);
        self.agents.push(Agent::start(house.http, self.token.clone(), letters));
    }

    fn next(&mut self, count: u64) -> Vec<Mail> {
        self.sent += count;
        letters(self.sent + 1 - count..self.sent + 1)
    }

    fn acked(&self) -> usize {
        self.runs.iter().map(Run::acked).chain(self.agents.iter().map(Agent::acked)).sum()
    }

    /// Whether letters are on their way.
    fn is_open(&self) -> bool {
        (self.acked() as u64) < self.sent
    }

    /// Waits until every letter is settled; answers the books of all.
    fn finish(self) -> Book {
        let mut book = one_book(self.runs);
        self.agents.into_iter().for_each(|agent| book.entries.extend(agent.finish().entries));
        let open: Vec<_> = book.entries.iter().filter(|(_, entry)| entry.fate != Fate::Acked).collect();
        assert!(open.is_empty(), "never acknowledged: {open:?}");
        book
    }
}

/// A new token for a mail agent.
pub fn token(house: &House) -> String {
    let made = house.lines(&["apitoken", "create", "--scope", "agent"]);
    made[0]["token"].as_str().expect("a token is a text").to_owned()
}
