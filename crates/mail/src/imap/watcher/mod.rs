//! Watches many mailboxes at once. Start reading at [`Watcher`]; its rooms:
//!
//! | module | holds |
//! | --- | --- |
//! | `mailbox` | one mailbox: connects, looks, waits, backs off |
//! | `resolve`, `report` | which folders it has, and what it tells people |
//! | `folder` | one pass over one folder: cursor, new mail, retries, rescans |
//! | `ledger`, `mark` | the cursor while it moves; pure |
//! | `memory` | how much mail is held at once |
//! | `fetch` | whole messages out of a server that may not give them |
//! | `gate`, `pause` | how many connections and sign-ins at once, and how long to wait after a failure |
//! | `events` | log lines and metrics |
//!
//! Invariants: a cursor moves in the transaction that stores the mails below it; a message that fails never holds up its
//! neighbours, nor a mailbox another; nothing on the server changes unless a [`Touch`](super::Touch) says so, and then
//! only after the store's `Ok`.

mod events;
mod fetch;
mod folder;
mod gate;
mod ledger;
mod mailbox;
mod mark;
mod memory;
mod pause;
mod report;
mod resolve;

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Clock, WatchBook};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::account::Watched;
use super::client::Patience;
use super::dial::Dialer;
use folder::Desk;
use mailbox::Mailbox;
use memory::Memory;
pub use pause::Pauses;

/// Between the first connections of two mailboxes.
const STAGGER: Duration = Duration::from_millis(2);
/// Before a task that broke is begun again.
const AFTER_BUG: Duration = Duration::from_secs(60);

/// How the watcher goes about its work.
#[derive(Debug, Clone)]
pub struct Options {
    /// Between two questions for news, where there is no IDLE and for folders beside the first. Shorter burdens servers,
    /// longer delays Sent mail.
    pub poll: Duration,
    /// Quiet mailboxes are asked less often, down to this.
    pub poll_longest: Duration,
    /// Between two looks at every folder, whatever the server says: servers forget to tell.
    pub look: Duration,
    /// How long one IDLE lasts. RFC 2177 allows 29 minutes; some firewalls less.
    pub idle: Duration,
    /// Between two looks at what people want of a mailbox.
    pub orders: Duration,
    /// Connections to one server. With fewer than mailboxes they take turns and poll.
    pub connections: usize,
    /// Sign-ins to one server at once.
    pub sign_ins: usize,
    /// Bytes of mail in memory at once, over all mailboxes.
    pub memory: u64,
    /// Larger mail is not fetched, and shown instead.
    pub max_message: u64,
    pub patience: Patience,
    pub pauses: Pauses,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            poll: Duration::from_secs(30),
            poll_longest: Duration::from_secs(120),
            look: Duration::from_secs(600),
            idle: Duration::from_secs(28 * 60),
            orders: Duration::from_secs(10),
            connections: 1000,
            sign_ins: 8,
            memory: 64 << 20,
            max_message: 50 << 20,
            patience: Patience::default(),
            pauses: Pauses::default(),
        }
    }
}

/// Watches mailboxes and hands their mail to a [`WatchBook`].
pub struct Watcher {
    book: Arc<dyn WatchBook>,
    clock: Clock,
    options: Arc<Options>,
    dialer: Dialer,
}

impl Watcher {
    pub fn new(book: Arc<dyn WatchBook>, clock: Clock, options: Options) -> Self {
        Watcher { book, clock, options: Arc::new(options), dialer: Dialer::default() }
    }

    /// Watches until `stop`. A task that breaks by a bug of ours takes no other with it, and is begun again.
    pub async fn run(self, mailboxes: Vec<Watched>, stop: CancellationToken) {
        let names: Vec<String> = mailboxes.iter().map(|watched| watched.account.server()).collect();
        let servers =
            gate::servers(names.iter().map(String::as_str), self.options.connections, self.options.sign_ins);
        let memory = Arc::new(Memory::new(self.options.memory));
        let mut tasks = JoinSet::new();
        for (index, watched) in mailboxes.into_iter().enumerate() {
            let make = {
                let (options, dialer, stop) = (self.options.clone(), self.dialer.clone(), stop.clone());
                let server = servers[&watched.account.server()].clone();
                let desk = Desk {
                    book: self.book.clone(),
                    clock: self.clock.clone(),
                    memory: memory.clone(),
                    max_message: self.options.max_message,
                    start: watched.start,
                    host: watched.account.host.clone(),
                };
                move || {
                    let (options, server) = (options.clone(), server.clone());
                    Mailbox::new(watched.clone(), options, desk.clone(), dialer.clone(), server, stop.clone())
                }
            };
            tasks.spawn(async move {
                sleep(STAGGER * u32::try_from(index).unwrap_or(u32::MAX)).await;
                while tokio::spawn(make().run()).await.is_err_and(|ended| ended.is_panic()) {
                    events::Broke.emit();
                    sleep(AFTER_BUG).await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}
