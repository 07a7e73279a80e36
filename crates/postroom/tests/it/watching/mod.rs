//! Many mailboxes on a Dovecot, watched by the real binary: all at once ([`fifty`]), killed at every durable step
//! ([`points`]) and at random moments behind a bad line ([`moments`]); with ways of their own ([`sources`]); and the same for mail that leaves
//! ([`leaving`]). The clock is set for both ([`clock`]).

mod clock;
mod fifty;
pub mod leaving;
mod moments;
pub mod points;
mod sources;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use postroom_embedded::Embedded;
use postroom_store::Store;
use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD};
use postroom_testkit::poll;
use postroom_tracking::watching::{self, Overview};
use serde_json::{Value, json};

use crate::house::wait_for;
use crate::load::{Database, House, PATIENCE, letters, message_id, number_of, record_of, records};
use crate::sending::bench;

/// A house that watches mailboxes, and the letters that were delivered to them.
struct Yard {
    dovecot: Dovecot,
    house: House,
    users: u64,
    /// Letter, and the users who got it.
    delivered: BTreeMap<u64, Vec<u64>>,
}

fn name(user: u64) -> String {
    format!("u{user:02}")
}

/// Adds to a house's configuration.
pub fn configure(house: &House, text: &str) {
    let file = OpenOptions::new().append(true).open(house.folder.join("postroom.toml"));
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the folder can be written to");
}

/// The house's database and its CRM, in this process.
pub fn store_of(house: &House) -> (Store, Embedded) {
    wait_for(async {
        let store = bench::open(&house.url).await;
        let crm =
            Embedded::open(store.clone(), postroom_core::Clock::system()).await.expect("it is installed");
        (store, crm)
    })
}

impl Yard {
    /// A house and its mailboxes, with the letters' records in its CRM; nothing runs. `through` is what the house
    /// connects to in place of the Dovecot.
    fn new(database: Database, users: u64, through: impl FnOnce(SocketAddr) -> SocketAddr) -> Yard {
        let dovecot = Dovecot::start(DovecotOptions::users((0..users).map(name)));
        let house = House::new(database);
        let secret = house.folder.join("password");
        fs::write(&secret, PASSWORD).expect("the folder can be written to");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("the file is ours");
        let server = through(dovecot.imap());
        let mailbox = |user: u64| {
            let name = name(user);
            format!(
                "[mailboxes.{name}]\naddress = \"{name}@crm.example\"\n[mailboxes.{name}.imap]\n\
                 host = \"{}\"\nport = {}\ntls = \"none\"\nusername = \"{name}\"\n\
                 password = {{ file = \"{}\" }}\npoll = \"500ms\"\n",
                server.ip(),
                server.port(),
                secret.display()
            )
        };
        configure(&house, &(0..users).map(mailbox).collect::<String>());
        house.import(&records());
        Yard { dovecot, house, users, delivered: BTreeMap::new() }
    }

    /// Starts for the first time and waits until every folder was seen: what comes from then on is new.
    fn meet(&mut self) {
        self.house.start();
        let (store, _) = store_of(&self.house);
        let mut met = 0;
        let all = poll::until(PATIENCE, || {
            met = overview(&store).values().map(|mailbox| mailbox.folders.len()).sum();
            met as u64 == 2 * self.users
        });
        assert!(all, "only {met} folders were seen\n{}\n{}", self.house.printed(), self.dovecot.log());
    }

    /// Delivers the next letters, each to the users that `who` names.
    fn deliver(&mut self, count: u64, mut who: impl FnMut(u64) -> Vec<u64>) {
        let next = self.delivered.keys().last().map_or(1, |last| last + 1);
        for letter in letters(next..next + count) {
            let users = who(letter.number);
            users.iter().for_each(|user| self.dovecot.deliver(&name(*user), "INBOX", &letter.raw));
            self.delivered.insert(letter.number, users);
        }
    }

    /// Every letter that was delivered is one message with one activity, on its record, and the books balance.
    fn judge(&self) -> usize {
        let mut messages = self.house.messages();
        let all = poll::until(PATIENCE, || {
            messages = self.house.messages();
            messages.len() >= self.delivered.len()
        });
        let numbers: Vec<u64> = messages.keys().map(|id| number_of(id)).collect();
        let missing: Vec<_> = self.delivered.iter().filter(|(number, _)| !numbers.contains(number)).collect();
        assert!(all, "missed: {missing:?}\n{}\n{}", self.house.printed(), self.dovecot.log());
        self.house.settled();
        let messages = self.house.messages();
        let wrong = wrong(&self.delivered, &messages, &self.house.activities());
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), self.house.printed());
        let books = self.house.run(&["verify"]).succeeds();
        assert_eq!(books.lines()[0]["unread_count"], 0, "{}", books.out);
        messages.len()
    }
}

/// What is wrong with the messages and the activities of delivered letters.
fn wrong(
    delivered: &BTreeMap<u64, Vec<u64>>,
    messages: &HashMap<String, Vec<Value>>,
    activities: &HashMap<String, u32>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for number in delivered.keys() {
        let id = message_id(*number);
        match messages.get(&id).map_or(&[][..], Vec::as_slice) {
            [message] if message["state"] != "tracked" || message["record"]["id"] != record_of(*number) => {
                wrong.push(format!("letter {number} is elsewhere: {message}"));
            }
            [_] if activities.get(&id) != Some(&1) => {
                wrong.push(format!("letter {number} has {} activities", activities.get(&id).unwrap_or(&0)));
            }
            [_] => {}
            copies => wrong.push(format!("letter {number} is {} messages", copies.len())),
        }
    }
    let ours: HashSet<String> = delivered.keys().map(|number| message_id(*number)).collect();
    let others = messages.keys().chain(activities.keys()).filter(|id| !ours.contains(*id));
    wrong.extend(others.map(|id| format!("nobody delivered {id}")));
    wrong
}

fn overview(store: &Store) -> BTreeMap<String, Overview> {
    wait_for(watching::overview(store)).expect("the database answers")
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let delivered: BTreeMap<u64, Vec<u64>> = [(1, vec![0]), (2, vec![0, 1])].into();
    let message = |number, state: &str| json!({ "state": state, "record": { "id": record_of(number) } });
    let check = |of_two: &[Value], activities: u32, expected: &str| {
        let one = (message_id(1), vec![message(1, "tracked")]);
        let messages = HashMap::from([one, (message_id(2), of_two.to_vec())]);
        let activities = HashMap::from([(message_id(1), 1), (message_id(2), activities)]);
        assert!(wrong(&delivered, &messages, &activities).join("\n").starts_with(expected), "{expected}");
        assert_eq!(wrong(&delivered, &messages, &activities).is_empty(), expected.is_empty());
    };
    let two = message(2, "tracked");
    check(std::slice::from_ref(&two), 1, "");
    check(&[], 1, "letter 2 is 0 messages");
    check(&[two.clone(), two.clone()], 1, "letter 2 is 2 messages");
    check(&[message(1, "tracked")], 1, "letter 2 is elsewhere");
    check(&[message(2, "review")], 1, "letter 2 is elsewhere");
    check(std::slice::from_ref(&two), 2, "letter 2 has 2 activities");
    let stray = HashMap::from([(message_id(3), vec![two])]);
    assert_eq!(
        wrong(&BTreeMap::new(), &stray, &HashMap::new()),
        ["nobody delivered <letter-3@customer.example>"]
    );
}
