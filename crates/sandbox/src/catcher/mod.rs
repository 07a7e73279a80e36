//! An SMTP server (RFC 5321) that keeps the mail it gets in memory, refuses what it is told to, and fails when told to.
//!
//! It offers PIPELINING, SIZE, 8BITMIME, SMTPUTF8, DSN and ENHANCEDSTATUSCODES. Not here: TLS, AUTH, and handing on.

mod connection;
mod session;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::thread::ServerThread;

/// One mail that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// The reverse-path; empty for a bounce.
    pub from: String,
    /// What followed the reverse-path: `SIZE=400 RET=HDRS`.
    pub from_parameters: String,
    /// The recipients that were accepted, with what followed each.
    pub to: Vec<(String, String)>,
    /// As it was sent, dots unstuffed.
    pub raw: Bytes,
    /// The client's name.
    pub client: String,
}

impl Caught {
    /// The recipients' addresses.
    pub fn recipients(&self) -> Vec<&str> {
        self.to.iter().map(|(address, _)| address.as_str()).collect()
    }
}

/// When a connection ends after the final dot, without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoseAnswer {
    /// The mail is not kept.
    BeforeKeeping,
    /// The mail is kept: the client cannot know.
    AfterKeeping,
}

/// A running server. It ends with this value; so do the mails.
pub struct Catcher {
    shared: Arc<Shared>,
    thread: ServerThread,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mails: Vec<Caught>,
    commands: Vec<String>,
    connections: usize,
    /// Replies to recipients, by address in lower case.
    refused: BTreeMap<String, String>,
    /// Replies to the next commands that start so.
    replies: Vec<(String, String)>,
    lost: VecDeque<LoseAnswer>,
    /// For the next connections, one each.
    drop_after: VecDeque<u64>,
    pause: Duration,
    greylist: bool,
    /// Sender and recipient that came before.
    met: BTreeSet<(String, String)>,
    largest: Option<usize>,
    hidden: BTreeSet<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catcher {
    /// Starts one on a free port of 127.0.0.1 that takes everything.
    ///
    /// # Panics
    /// When the machine has no port or thread to spare.
    pub fn start() -> Catcher {
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let serve = move |stream| connection::serve(stream, Arc::clone(&served));
        Catcher { shared, thread: ServerThread::start("catcher", serve) }
    }

    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    /// What was kept, in the order of arrival.
    pub fn mails(&self) -> Vec<Caught> {
        self.state().mails.clone()
    }

    /// Forgets what was kept.
    pub fn clear(&self) {
        self.state().mails.clear();
    }

    /// Answers this recipient with this reply, for instance `550 5.1.1 No such user` or `452 4.2.2 Mailbox full`.
    pub fn refuse(&self, recipient: &str, reply: &str) {
        self.state().refused.insert(recipient.to_lowercase(), reply.to_owned());
    }

    /// Takes this recipient's mail again.
    pub fn accept(&self, recipient: &str) {
        self.state().refused.remove(&recipient.to_lowercase());
    }

    /// Answers the next command that starts so (`EHLO`, `MAIL`, `RCPT`, `DATA`) with this reply. `.` is the end of a
    /// mail's data. After a 421 the server hangs up.
    pub fn answer_next(&self, command: &str, reply: &str) {
        self.state().replies.push((command.to_uppercase(), reply.to_owned()));
    }

    /// Drops the next connection that sends a mail, after its final dot, without an answer.
    pub fn lose_next_answer(&self, when: LoseAnswer) {
        self.state().lost.push_back(when);
    }

    /// The next connection that is not planned for is dropped after the server said so many bytes.
    pub fn drop_after(&self, bytes: u64) {
        self.state().drop_after.push_back(bytes);
    }

    /// Every answer comes this much later.
    pub fn slow(&self, pause: Duration) {
        self.state().pause = pause;
    }

    /// Defers each pair of sender and recipient the first time it comes.
    pub fn greylist(&self, on: bool) {
        self.state().greylist = on;
    }

    /// Refuses larger mail, and says so in SIZE.
    pub fn limit_size(&self, bytes: usize) {
        self.state().largest = Some(bytes);
    }

    /// No longer offers this extension: `SMTPUTF8`.
    pub fn hide(&self, extension: &str) {
        self.state().hidden.insert(extension.to_uppercase());
    }

    /// What clients said so far, mail data left out.
    pub fn commands(&self) -> Vec<String> {
        self.state().commands.clone()
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}
