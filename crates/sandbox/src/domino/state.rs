//! Accounts, folders and messages, on two replicas: the content is the same, the UIDs are not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::{Access, Fault, Options};

/// The first UIDVALIDITY of each replica.
const VALIDITY: [u32; 2] = [1_413_000_001, 1_544_000_001];

/// The first UID of each replica; the transcripts of a server in use have high ones.
const FIRST: [u32; 2] = [1, 14_934];

pub(super) struct State {
    pub options: Options,
    pub accounts: BTreeMap<String, Account>,
    /// Which replica answers: 0 or 1.
    pub replica: usize,
    /// NOTES.INI `EnableImapFolderSynch`.
    pub folder_synch: bool,
    pub sessions: usize,
    pub connections: usize,
    /// What clients said, without passwords.
    pub commands: Vec<String>,
    pub faults: Vec<(Trigger, Fault)>,
    /// For the next connections, one each.
    pub drop_after: VecDeque<u64>,
    pub pause: Duration,
    folders: u32,
}

/// When a fault comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trigger {
    /// At this command from now, counted down.
    Count(usize),
    /// At the next command that starts so.
    Starts(String),
}

pub(super) struct Account {
    pub name: String,
    pub password: String,
    pub folders: BTreeMap<String, Folder>,
    /// Who may read this mail file, by the key of their account.
    pub delegates: BTreeMap<String, Access>,
    /// Mail sent from Notes that the IMAP folder does not show.
    pub sent_view: Vec<Message>,
}

pub(super) struct Folder {
    pub uid_validity: [u32; 2],
    uid_next: [u32; 2],
    pub messages: Vec<Message>,
}

#[derive(Clone)]
pub(super) struct Message {
    /// On each replica, once that has counted it.
    uids: [Option<u32>; 2],
    pub raw: Bytes,
    pub received: Timestamp,
    pub flags: BTreeSet<String>,
    /// `\Seen` belongs to a reader, not to the message.
    pub seen_by: BTreeSet<String>,
    /// Its body cannot be had.
    pub broken: bool,
    pub fetched: u32,
}

impl Message {
    pub fn new(raw: Bytes, received: Timestamp) -> Message {
        Message {
            uids: [None; 2],
            raw,
            received,
            flags: BTreeSet::new(),
            seen_by: BTreeSet::new(),
            broken: false,
            fetched: 0,
        }
    }

    /// A copy, as for another folder.
    pub fn copy(&self) -> Message {
        Message { uids: [None; 2], ..self.clone() }
    }
}

impl Folder {
    /// The UID that the next message gets.
    pub fn uid_next(&self, replica: usize) -> u32 {
        self.uid_next[replica]
    }

    /// Puts a message in and answers its UID.
    pub fn add(&mut self, message: Message, replica: usize) -> u32 {
        self.messages.push(Message { uids: [None; 2], ..message });
        self.count(replica);
        self.uid_next[replica] - 1
    }

    /// Gives UIDs to the messages that this replica has not counted: the youngest first, so that its UIDs name other
    /// messages than the other replica's.
    fn count(&mut self, replica: usize) {
        for message in self.messages.iter_mut().rev().filter(|message| message.uids[replica].is_none()) {
            message.uids[replica] = Some(self.uid_next[replica]);
            self.uid_next[replica] += 1;
        }
    }

    /// The messages by UID.
    pub fn in_order(&self, replica: usize) -> BTreeMap<u32, &Message> {
        self.messages.iter().filter_map(|message| Some((message.uids[replica]?, message))).collect()
    }

    pub fn get_mut(&mut self, replica: usize, uid: u32) -> Option<&mut Message> {
        self.messages.iter_mut().find(|message| message.uids[replica] == Some(uid))
    }

    pub fn remove(&mut self, replica: usize, uid: u32) -> Option<Message> {
        let index = self.messages.iter().position(|message| message.uids[replica] == Some(uid))?;
        Some(self.messages.remove(index))
    }
}

impl State {
    pub fn new(options: Options) -> State {
        State {
            options,
            accounts: BTreeMap::new(),
            replica: 0,
            folder_synch: false,
            sessions: 0,
            connections: 0,
            commands: Vec::new(),
            faults: Vec::new(),
            drop_after: VecDeque::new(),
            pause: Duration::ZERO,
            folders: 0,
        }
    }

    pub fn add_account(&mut self, user: &str, password: &str) {
        let mut folders = BTreeMap::new();
        for name in ["Inbox", "Drafts", "Sent", "Trash"] {
            folders.insert(name.to_owned(), self.new_folder());
        }
        let account = Account {
            name: user.to_owned(),
            password: password.to_owned(),
            folders,
            delegates: BTreeMap::new(),
            sent_view: Vec::new(),
        };
        self.accounts.insert(key(user), account);
    }

    pub fn new_folder(&mut self) -> Folder {
        self.folders += 1;
        let uid_validity = VALIDITY.map(|first| first + self.folders);
        Folder { uid_validity, uid_next: FIRST, messages: Vec::new() }
    }

    pub fn account(&mut self, user: &str) -> Option<&mut Account> {
        self.accounts.get_mut(&key(user))
    }

    /// A folder by its owner and its name; `Inbox` in any case.
    pub fn folder(&mut self, user: &str, folder: &str) -> Option<&mut Folder> {
        let name = canonical(folder).to_owned();
        self.account(user)?.folders.get_mut(&name)
    }

    /// Makes it when it is missing.
    pub fn folder_made(&mut self, user: &str, folder: &str) -> Option<&mut Folder> {
        if self.folder(user, folder).is_none() {
            let made = self.new_folder();
            self.account(user)?.folders.insert(canonical(folder).to_owned(), made);
        }
        self.folder(user, folder)
    }

    /// The other replica answers from now on.
    pub fn fail_over(&mut self) {
        self.replica = 1 - self.replica;
        let replica = self.replica;
        for folder in self.accounts.values_mut().flat_map(|account| account.folders.values_mut()) {
            folder.count(replica);
        }
    }

    /// Shows what Notes users sent in the IMAP folder.
    pub fn synch_sent(&mut self) {
        let replica = self.replica;
        for account in self.accounts.values_mut().filter(|_| self.folder_synch) {
            let Some(sent) = account.folders.get_mut("Sent") else { continue };
            for message in account.sent_view.drain(..) {
                sent.add(message, replica);
            }
        }
    }

    /// The fault that this command meets, if any.
    pub fn fault(&mut self, command: &str) -> Option<Fault> {
        let mut met = None;
        self.faults.retain_mut(|(trigger, fault)| {
            let here = match trigger {
                Trigger::Count(left) => {
                    *left = left.saturating_sub(1);
                    *left == 0
                }
                Trigger::Starts(text) => command.to_uppercase().starts_with(&text.to_uppercase()),
            };
            let here = here && met.is_none();
            if here {
                met = Some(*fault);
            }
            !here
        });
        met
    }
}

/// Names of users do not depend on case.
pub(super) fn key(user: &str) -> String {
    user.to_lowercase()
}

/// `Inbox` whatever its case.
pub(super) fn canonical(folder: &str) -> &str {
    if folder.eq_ignore_ascii_case("inbox") { "Inbox" } else { folder }
}
