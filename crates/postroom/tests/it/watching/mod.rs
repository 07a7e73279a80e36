//! Many mailboxes on a Dovecot, watched by the real binary: all at once ([`fifty`]), killed at every durable step
//! ([`points`]) and at random moments behind a bad line ([`moments`]); and the same for mail that leaves ([`leaving`]).

mod fifty;
mod leaving;
mod moments;
pub mod points;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use postroom_embedded::Embedded;
use postroom_store::Store;
use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD};
use postroom_testkit::poll;
use postroom_tracking::watching::{self, Overview};

use crate::house::wait_for;
use crate::load::{Database, House, PATIENCE, letters, number_of, record_of, records};
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
fn configure(house: &House, text: &str) {
    let file = OpenOptions::new().append(true).open(house.folder.join("postroom.toml"));
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the folder can be written to");
}

/// The house's database and its CRM, in this process.
fn store_of(house: &House) -> (Store, Embedded) {
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
        let (messages, activities) = (self.house.messages(), self.house.activities());
        assert_eq!((messages.len(), activities.len()), (self.delivered.len(), self.delivered.len()));
        for (id, copies) in &messages {
            assert_eq!(copies.len(), 1, "{copies:?}");
            let expected = record_of(number_of(id));
            let stands = (&copies[0]["state"], &copies[0]["record"]["id"]);
            assert_eq!(stands, (&"tracked".into(), &expected.into()), "{}", copies[0]);
            assert_eq!(activities.get(id), Some(&1), "activities of {id}");
        }
        let books = self.house.run(&["verify"]).succeeds();
        assert_eq!(books.lines()[0]["unread_count"], 0, "{}", books.out);
        messages.len()
    }
}

fn overview(store: &Store) -> BTreeMap<String, Overview> {
    wait_for(watching::overview(store)).expect("the database answers")
}
