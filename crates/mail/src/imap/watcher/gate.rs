//! How many connections a server is burdened with, so that five hundred mailboxes on one server neither storm it at the
//! start nor wait for one of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// One server, as all its mailboxes share it.
#[derive(Debug)]
pub struct Server {
    /// Connections that may be open.
    pub seats: Semaphore,
    /// Sign-ins that may be under way.
    pub doors: Semaphore,
    /// Every mailbox may keep its connection while it waits for news; else they take turns.
    pub keep: bool,
}

/// The servers of all mailboxes.
pub fn servers<'a>(
    mailboxes: impl Iterator<Item = &'a str>,
    connections: usize,
    sign_ins: usize,
) -> HashMap<String, Arc<Server>> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for server in mailboxes {
        *counts.entry(server.to_owned()).or_default() += 1;
    }
    let make = |(name, count): (String, usize)| {
        let server = Server {
            seats: Semaphore::new(connections.max(1)),
            doors: Semaphore::new(sign_ins.max(1)),
            keep: count <= connections.max(1),
        };
        (name, Arc::new(server))
    };
    counts.into_iter().map(make).collect()
}
