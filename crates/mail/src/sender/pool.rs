//! Connections kept for the next mail: as many at once as the limits allow, each for a number of mails and a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use postroom_core::{Handed, Outgoing};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_rustls::rustls::ClientConfig;

use super::connection::Connection;
use super::wire::has_only_crlf;
use super::{Error, Options, tls};

pub(crate) struct Pool {
    options: Arc<Options>,
    tls: Option<Arc<ClientConfig>>,
    seats: Semaphore,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<(Instant, Connection)>,
    /// Whether a task is there that ends those that wait too long.
    sweeping: bool,
}

impl Pool {
    pub fn new(options: Options) -> Result<Self, Error> {
        let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        for (what, text) in [("the host", &options.host), ("the EHLO name", &options.hello)] {
            if !word(text) {
                return Err(Error::Options { what: format!("{what} {text:?}") });
            }
        }
        let tls = tls::client_config(options.security, options.pin, &options.roots)?;
        let seats = Semaphore::new(options.limits.max_connections.max(1));
        Ok(Pool { options: Arc::new(options), tls, seats, idle: Mutex::default() })
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Sends over a connection that waits, or a new one. One that died while it waited costs nothing but a second try.
    pub async fn send(self: &Arc<Self>, mail: Outgoing) -> Result<Handed, Error> {
        if !has_only_crlf(&mail.raw) {
            return Err(Error::LineEnds);
        }
        let _seat = self.seats.acquire().await.expect("the semaphore is never closed");
        if let Some(mut kept) = self.take() {
            match Box::pin(kept.send(&mail)).await {
                Err(error) if error.is_stale() => {}
                Err(error) => return Err(error),
                Ok(handed) => {
                    self.keep(kept);
                    return Ok(handed);
                }
            }
        }
        let mut fresh = self.open().await?;
        let handed = Box::pin(fresh.send(&mail)).await?;
        self.keep(fresh);
        Ok(handed)
    }

    /// A connection of its own, to see whether it works.
    pub async fn check(&self) -> Result<String, Error> {
        let connection = self.open().await?;
        let text = connection.describe();
        connection.quit().await;
        Ok(text)
    }

    /// Takes leave on every connection that waits.
    pub async fn close_idle(&self) {
        let idle = std::mem::take(&mut self.lock().connections);
        for (_, connection) in idle {
            connection.quit().await;
        }
    }

    async fn open(&self) -> Result<Connection, Error> {
        match self.dial().await {
            // Once: another token is there by now, or is issued.
            Err(Error::SignIn { renewed: true, .. }) => self.dial().await,
            opened => opened,
        }
    }

    async fn dial(&self) -> Result<Connection, Error> {
        Box::pin(Connection::open(self.options.clone(), self.tls.clone())).await
    }

    /// The connection used last, when it is still good.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.lock();
        while let Some((since, mut connection)) = idle.connections.pop() {
            if since.elapsed() < self.options.limits.idle
                && is_good(&connection)
                && connection.stream.is_quiet()
            {
                return Some(connection);
            }
        }
        None
    }

    fn keep(self: &Arc<Self>, connection: Connection) {
        if connection.spent {
            return;
        }
        if !is_good(&connection) {
            tokio::spawn(connection.quit());
            return;
        }
        let mut idle = self.lock();
        idle.connections.push((Instant::now(), connection));
        if !idle.sweeping {
            idle.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.options.limits.idle));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_good(connection: &Connection) -> bool {
    let limits = &connection.options.limits;
    !connection.spent && connection.mails < limits.max_mails && connection.since.elapsed() < limits.max_age
}

/// Ends connections that waited for `idle`, until none waits.
async fn sweep(pool: Weak<Pool>, idle: Duration) {
    loop {
        sleep(idle).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut old = Vec::new();
        let more = {
            let mut waiting = pool.lock();
            let kept = std::mem::take(&mut waiting.connections);
            for (since, connection) in kept {
                match since.elapsed() >= idle {
                    true => old.push(connection),
                    false => waiting.connections.push((since, connection)),
                }
            }
            waiting.sweeping = !waiting.connections.is_empty();
            waiting.sweeping
        };
        for connection in old {
            connection.quit().await;
        }
        if !more {
            return;
        }
    }
}
