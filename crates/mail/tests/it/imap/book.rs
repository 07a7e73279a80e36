//! A [`WatchBook`] in memory that checks what it is told, and options that make a watcher quick.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::{
    Accepted, Clock, Code, Cursor, Fault, Folder, Ids, Incoming, MailId, Orders, Secret, WatchBook,
    WatchReport,
};
use postroom_mail::imap::{Account, Auth, Options, Pauses, Tls, Watched, Watcher};
use postroom_testkit::poll::until_async;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Default)]
struct State {
    cursors: HashMap<Folder, Cursor>,
    /// By content, as the store knows a mail.
    mails: BTreeMap<Bytes, (MailId, Vec<Incoming>)>,
    orders: HashMap<String, Orders>,
    reports: HashMap<String, Vec<WatchReport>>,
    done: Vec<String>,
    takes: usize,
    /// Refuse so many calls of `take` first.
    refusals: usize,
    /// Refuse mail that contains this, as the store refuses what is too large.
    unwanted: Option<&'static str>,
}

/// Keeps everything in memory.
pub struct Book {
    state: Mutex<State>,
    ids: Ids,
}

impl Book {
    pub fn new() -> Arc<Book> {
        Arc::new(Book { state: Mutex::default(), ids: Ids::counted() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The number of different mails.
    pub fn count(&self) -> usize {
        self.state().mails.len()
    }

    pub fn has(&self, raw: &[u8]) -> bool {
        self.state().mails.contains_key(raw)
    }

    /// The first sighting of each mail of a mailbox.
    pub fn of(&self, mailbox: &str) -> Vec<Incoming> {
        let state = self.state();
        let first = state.mails.values().filter_map(|(_, seen)| seen.first());
        first.filter(|mail| mail.mailbox.as_deref() == Some(mailbox)).cloned().collect()
    }

    /// How often one mail was handed over.
    pub fn sightings(&self, raw: &[u8]) -> usize {
        self.state().mails.get(raw).map_or(0, |(_, seen)| seen.len())
    }

    pub fn takes(&self) -> usize {
        self.state().takes
    }

    pub fn cursor_of(&self, mailbox: &str, folder: &str) -> Option<Cursor> {
        let state = self.state();
        let found = state.cursors.iter().find(|(at, _)| at.mailbox == mailbox && at.name == folder);
        found.map(|(_, cursor)| cursor.clone())
    }

    pub fn last_report(&self, mailbox: &str) -> Option<WatchReport> {
        self.state().reports.get(mailbox)?.last().cloned()
    }

    pub fn order(&self, mailbox: &str, orders: Orders) {
        self.state().orders.insert(mailbox.to_owned(), orders);
    }

    pub fn is_done(&self, order: &str) -> bool {
        self.state().done.iter().any(|done| done == order)
    }

    pub fn refuse(&self, times: usize) {
        self.state().refusals = times;
    }

    pub fn refuse_mail_with(&self, text: &'static str) {
        self.state().unwanted = Some(text);
    }

    /// Every message at or below the cursor is stored, or waits. `messages` is what the server has.
    #[track_caller]
    pub fn check(&self, mailbox: &str, folder: &str, messages: &[(u32, Vec<u8>)]) {
        let cursor = self.cursor_of(mailbox, folder).unwrap();
        for (uid, raw) in messages.iter().filter(|(uid, _)| *uid <= cursor.uid) {
            let waits = cursor.waiting.iter().any(|waiting| waiting.uid == *uid);
            assert!(waits || self.has(raw), "UID {uid} is covered by the cursor {cursor:?} and not stored");
        }
    }
}

#[async_trait]
impl WatchBook for Book {
    async fn cursor(&self, folder: &Folder) -> Result<Option<Cursor>, Fault> {
        Ok(self.state().cursors.get(folder).cloned())
    }

    async fn take(
        &self,
        folder: &Folder,
        mails: Vec<Incoming>,
        cursor: &Cursor,
    ) -> Result<Vec<Accepted>, Fault> {
        let mut state = self.state();
        state.takes += 1;
        if state.refusals > 0 {
            state.refusals -= 1;
            return Err(Fault::retry(Code::STORE_AWAY, "the test's store is away"));
        }
        let unwanted = |mail: &Incoming| {
            state
                .unwanted
                .is_some_and(|text| mail.raw.windows(text.len()).any(|part| part == text.as_bytes()))
        };
        if mails.iter().any(unwanted) {
            return Err(Fault::reject(Code::MAIL_TOO_LARGE, "too large for the test's store"));
        }
        if let Some(before) = state.cursors.get(folder) {
            let begins_anew = cursor.uid_validity != before.uid_validity || before.mark != cursor.mark;
            assert!(cursor.uid >= before.uid || begins_anew, "the cursor fell from {before:?} to {cursor:?}");
        }
        let mut accepted = Vec::new();
        for mail in mails {
            let id = MailId(self.ids.next());
            let known = state.mails.entry(mail.raw.clone()).or_insert((id, Vec::new()));
            accepted.push(Accepted { id: known.0, new: known.1.is_empty() });
            known.1.push(mail);
        }
        state.cursors.insert(folder.clone(), cursor.clone());
        Ok(accepted)
    }

    async fn orders(&self, mailbox: &str) -> Result<Orders, Fault> {
        Ok(self.state().orders.get(mailbox).cloned().unwrap_or_default())
    }

    async fn done(&self, mailbox: &str, order: &str) -> Result<(), Fault> {
        let mut state = self.state();
        state.done.push(order.to_owned());
        if let Some(orders) = state.orders.get_mut(mailbox) {
            orders.rescan = None;
        }
        Ok(())
    }

    async fn report(&self, mailbox: &str, report: &WatchReport) -> Result<(), Fault> {
        let mut state = self.state();
        let reports = state.reports.entry(mailbox.to_owned()).or_default();
        assert_ne!(reports.last(), Some(report), "a report is written on change only");
        reports.push(report.clone());
        Ok(())
    }
}

/// Everything soon.
pub fn quick() -> Options {
    Options {
        poll: Duration::from_millis(150),
        poll_longest: Duration::from_millis(300),
        look: Duration::from_millis(600),
        orders: Duration::from_millis(100),
        pauses: Pauses {
            sign_in: vec![Duration::from_millis(200), Duration::from_secs(300)],
            network: Duration::from_millis(20),
            network_longest: Duration::from_millis(100),
            person: Duration::from_millis(200),
        },
        ..Options::default()
    }
}

/// An account in the clear on this machine.
pub fn account(address: std::net::SocketAddr, user: &str, password: &str) -> Account {
    Account {
        host: address.ip().to_string(),
        port: address.port(),
        tls: Tls::none(),
        auth: Auth::Password { user: user.to_owned(), password: Secret::new(password) },
        below: None,
    }
}

/// A watcher at work. Stops when dropped.
pub struct Watching {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Watching {
    pub fn start(book: &Arc<Book>, options: Options, mailboxes: Vec<Watched>) -> Self {
        let stop = CancellationToken::new();
        let watcher = Watcher::new(book.clone(), Clock::system(), options);
        let task = tokio::spawn(watcher.run(mailboxes, stop.clone()));
        Watching { stop, task: Some(task) }
    }

    /// Stops it, and waits until it has.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.await.unwrap();
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits for what must come.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let at = std::panic::Location::caller();
    async move {
        assert!(until_async(PATIENCE, async || condition()).await, "{at}: it never came: {what}");
    }
}

/// A mail that no other is like.
pub fn mail(number: usize) -> Vec<u8> {
    let head = format!(
        "Return-Path: <a@b.example>\r\nDelivered-To: desk@ours.example\r\nMessage-ID: <{number}@b.example>\r\n"
    );
    format!("{head}From: a@b.example\r\nSubject: mail {number}\r\n\r\nText {number}\r\n").into_bytes()
}

/// The time of day, for dates in the past.
pub fn now() -> Timestamp {
    Clock::system().now()
}
