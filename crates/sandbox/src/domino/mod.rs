//! The IMAP side of a Domino server, as its transcripts and users' reports show it.
//!
//! IMAP4rev1 (RFC 3501) with LITERAL+, NAMESPACE, QUOTA and UIDPLUS, and nothing else: no IDLE, no CONDSTORE, no MOVE, no
//! SPECIAL-USE. The delimiter is a backslash; a user to whom others delegated their mail finds it below `Other\OWNER`;
//! what Notes users send is in the Notes view, and in the folder `Sent` only with [`Domino::enable_imap_folder_synch`].
//! [`Quirks`] are what it does otherwise than a client would hope; all are on by default. Not here: TLS, rights finer
//! than reading and editing, MIME (BODYSTRUCTURE is as useless as the transcripts show it, parts cannot be fetched alone).

mod connection;
mod fetch;
mod folders;
mod messages;
mod session;
mod state;
mod syntax;
mod utf7;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::Clock;
use tokio::sync::watch;

use self::state::{Message, State, Trigger, canonical, key};
use crate::thread::ServerThread;

/// What the server is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Dates the greeting and the messages.
    pub clock: Clock,
    /// As the greeting names it.
    pub release: String,
    pub quirks: Quirks,
    /// A session in which nothing is said ends after this time.
    pub session_timeout: Duration,
    /// How many may be connected at once; the next is told BYE.
    pub max_sessions: Option<usize>,
    /// A sequence set of more parts is refused.
    pub longest_set: usize,
    /// Whether others' folders show in a plain `LIST "" *`.
    pub lists_others: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Clock::system(),
            release: "10.0.1FP3".to_owned(),
            quirks: Quirks::all(),
            session_timeout: Duration::from_secs(30 * 60),
            max_sessions: None,
            longest_set: 50,
            lists_others: false,
        }
    }
}

/// What it does otherwise than a client would hope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// FETCH answers come in a shuffled order, always the same.
    pub fetch_out_of_order: bool,
    /// `(ENVELOPE (…))` in parentheses of its own.
    pub extra_parentheses: bool,
    /// Messages whose UID this divides have the INTERNALDATE `00-Jan-0000 00:00:00 +0000`.
    pub dateless: Option<u32>,
    /// When a message goes, EXISTS tells the lower number before EXPUNGE tells which.
    pub exists_before_expunge: bool,
    /// A body has a blank line more at every second fetch, as when rich text is converted anew. Off in [`Quirks::all`]:
    /// nobody has shown it yet.
    pub changing_bodies: bool,
}

impl Quirks {
    pub fn all() -> Quirks {
        Quirks {
            fetch_out_of_order: true,
            extra_parentheses: true,
            dateless: Some(5),
            exists_before_expunge: true,
            changing_bodies: false,
        }
    }

    pub fn none() -> Quirks {
        Quirks {
            fetch_out_of_order: false,
            extra_parentheses: false,
            dateless: None,
            exists_before_expunge: false,
            changing_bodies: false,
        }
    }
}

/// What a delegate may do with the owner's mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Reader,
    Editor,
}

/// What goes wrong with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered NO, and not carried out.
    No,
    /// It is answered BAD, and not carried out.
    Bad,
    /// The server says BYE and hangs up; it is not carried out.
    Bye,
    /// The server hangs up; it is not carried out.
    Drop,
    /// The server carries it out and hangs up without an answer.
    Unanswered,
}

/// A running server. It ends with this value.
pub struct Domino {
    shared: Arc<Shared>,
    thread: ServerThread,
}

/// What the sessions and the owner both see.
struct Shared {
    state: Mutex<State>,
    /// Counts the times at which all sessions were ended.
    kicks: watch::Sender<u64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Domino {
    /// Starts one without accounts on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine has no port or thread to spare.
    pub fn start(options: Options) -> Domino {
        let shared =
            Arc::new(Shared { state: Mutex::new(State::new(options)), kicks: watch::Sender::new(0) });
        let served = Arc::clone(&shared);
        let serve = move |stream| connection::serve(stream, Arc::clone(&served));
        Domino { shared, thread: ServerThread::start("domino", serve) }
    }

    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    /// A user with a mail file: Inbox, Drafts, Sent, Trash. The name may be a Notes name, such as `Anna Adler/Acme`.
    pub fn add_account(&self, user: &str, password: &str) {
        self.state().add_account(user, password);
    }

    /// Lets a user read the owner's mail, below `Other\OWNER`.
    pub fn delegate(&self, owner: &str, to: &str) {
        self.delegate_as(owner, to, Access::Reader);
    }

    pub fn delegate_as(&self, owner: &str, to: &str, access: Access) {
        let mut state = self.state();
        state.account(owner).unwrap_or_else(|| nobody(owner)).delegates.insert(key(to), access);
    }

    pub fn withdraw(&self, owner: &str, from: &str) {
        self.state().account(owner).unwrap_or_else(|| nobody(owner)).delegates.remove(&key(from));
    }

    /// Puts a mail into a folder, which is made when it is missing; answers its UID.
    pub fn deliver(&self, user: &str, folder: &str, raw: &[u8]) -> u32 {
        let now = self.state().options.clock.now();
        self.deliver_at(user, folder, raw, now)
    }

    /// The same for a mail that came at that time.
    pub fn deliver_at(&self, user: &str, folder: &str, raw: &[u8], received: Timestamp) -> u32 {
        let mut state = self.state();
        let replica = state.replica;
        let folder = state.folder_made(user, folder).unwrap_or_else(|| nobody(user));
        folder.add(Message::new(Bytes::copy_from_slice(raw), received), replica)
    }

    /// A mail that the user sends from Notes: it is in the Notes view, and in `Sent` if that is kept in step.
    pub fn send_as(&self, user: &str, raw: &[u8]) {
        let mut state = self.state();
        let message = Message::new(Bytes::copy_from_slice(raw), state.options.clock.now());
        state.account(user).unwrap_or_else(|| nobody(user)).sent_view.push(message);
        state.synch_sent();
    }

    /// NOTES.INI `EnableImapFolderSynch=1`: the folder `Sent` shows what the Notes view shows, earlier mail too.
    pub fn enable_imap_folder_synch(&self) {
        let mut state = self.state();
        state.folder_synch = true;
        state.synch_sent();
    }

    /// Removes a message. False when it is not there.
    pub fn expunge(&self, user: &str, folder: &str, uid: u32) -> bool {
        let mut state = self.state();
        let replica = state.replica;
        state.folder(user, folder).is_some_and(|folder| folder.remove(replica, uid).is_some())
    }

    /// Removes a folder with its messages, as when a mail file has never had one.
    pub fn remove_folder(&self, user: &str, folder: &str) {
        self.state().account(user).unwrap_or_else(|| nobody(user)).folders.remove(canonical(folder));
    }

    /// Moves a message to another folder, which is made when it is missing; answers its UID there. `None` when it is not
    /// there.
    pub fn move_message(&self, user: &str, from: &str, uid: u32, to: &str) -> Option<u32> {
        let mut state = self.state();
        let replica = state.replica;
        let message = state.folder(user, from)?.remove(replica, uid)?;
        Some(state.folder_made(user, to)?.add(message, replica))
    }

    /// The messages of a folder with their UIDs.
    pub fn messages(&self, user: &str, folder: &str) -> Vec<(u32, Bytes)> {
        let mut state = self.state();
        let replica = state.replica;
        let folder = state.folder(user, folder);
        let in_order = folder.map(|folder| folder.in_order(replica)).unwrap_or_default();
        in_order.into_iter().map(|(uid, message)| (uid, message.raw.clone())).collect()
    }

    /// The flags of a message as this reader sees them.
    pub fn flags(&self, user: &str, folder: &str, uid: u32, reader: &str) -> Vec<String> {
        let mut state = self.state();
        let replica = state.replica;
        let message = state.folder(user, folder).and_then(|folder| folder.get_mut(replica, uid));
        message.map(|message| fetch::flags(message, &key(reader))).unwrap_or_default()
    }

    pub fn uid_validity(&self, user: &str, folder: &str) -> Option<u32> {
        let mut state = self.state();
        let replica = state.replica;
        Some(state.folder(user, folder)?.uid_validity[replica])
    }

    /// Gives a folder another UIDVALIDITY; the UIDs stay.
    pub fn bump_uid_validity(&self, user: &str, folder: &str) {
        let mut state = self.state();
        let replica = state.replica;
        if let Some(folder) = state.folder(user, folder) {
            folder.uid_validity[replica] += 1000;
        }
    }

    /// The cluster's other replica answers from now on: same content, other UIDs and UIDVALIDITY. All sessions end. A
    /// second fail-over goes back to the first replica and its UIDs.
    pub fn fail_over(&self) {
        self.state().fail_over();
        self.end_sessions();
    }

    /// Says BYE to everybody.
    pub fn end_sessions(&self) {
        self.shared.kicks.send_modify(|count| *count += 1);
    }

    /// The `count`th command from now meets this fault, whoever sends it; 1 is the next.
    pub fn fail_command(&self, count: usize, fault: Fault) {
        self.state().faults.push((Trigger::Count(count), fault));
    }

    /// The next command that starts so, for instance `UID FETCH`, meets this fault.
    pub fn fail_next(&self, command: &str, fault: Fault) {
        self.state().faults.push((Trigger::Starts(command.to_owned()), fault));
    }

    /// The next connection that is not planned for is dropped after the server said so many bytes.
    pub fn drop_after(&self, bytes: u64) {
        self.state().drop_after.push_back(bytes);
    }

    /// Every answer comes this much later.
    pub fn slow(&self, pause: Duration) {
        self.state().pause = pause;
    }

    /// From now on a message's body cannot be had: FETCH answers without it. False heals it.
    pub fn break_message(&self, user: &str, folder: &str, uid: u32, broken: bool) {
        let mut state = self.state();
        let replica = state.replica;
        if let Some(message) = state.folder(user, folder).and_then(|folder| folder.get_mut(replica, uid)) {
            message.broken = broken;
        }
    }

    /// What clients said so far, without tags and passwords.
    pub fn commands(&self) -> Vec<String> {
        self.state().commands.clone()
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.state().sessions
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

fn nobody(user: &str) -> ! {
    panic!("the Domino server has no account {user:?}: call add_account first")
}
