//! What can be set about a listener, and the limits with their defaults.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::ServerConfig;

use super::Recipients;
use crate::trust::Evaluator;

/// Which of the two protocols a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 5321: one answer for a mail, whatever the number of its recipients.
    Smtp,
    /// RFC 2033: one answer for each accepted recipient.
    Lmtp,
}

impl Protocol {
    /// The word used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Lmtp => "lmtp",
        }
    }
}

/// One listener.
#[derive(Debug, Clone)]
pub struct Options {
    pub protocol: Protocol,
    /// Port 0 lets the kernel choose; [`Listener::local_addr`](super::Listener::local_addr) tells which.
    pub listen: SocketAddr,
    /// Our name in the greeting.
    pub host: String,
    pub recipients: Recipients,
    /// STARTTLS is announced when there is a certificate.
    pub tls: Option<Arc<ServerConfig>>,
    /// Finds out who really sent a mail before it is handed over. LMTP clients are our own mail server, and never asked.
    pub trust: Option<Arc<Evaluator>>,
    pub limits: Limits,
}

impl Options {
    /// A listener with the default limits, no STARTTLS and no look at senders.
    pub fn new(
        protocol: Protocol,
        listen: SocketAddr,
        host: impl Into<String>,
        recipients: Recipients,
    ) -> Self {
        Options {
            protocol,
            listen,
            host: host.into(),
            recipients,
            tls: None,
            trust: None,
            limits: Limits::default(),
        }
    }
}

/// How much one listener takes. Sizes in bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest mail. Too low refuses ordinary attachments (552 5.3.4); too high lets few mails fill the memory budget.
    pub max_message: u64,
    /// Recipients of one mail; the next ones get 452 4.5.3 and the client sends them in another mail. RFC 5321
    /// 4.5.3.1.8 wants at least 100.
    pub max_recipients: usize,
    /// Connections at once; the next one gets 421.
    pub max_connections: usize,
    /// Connections at once from one address. Too low throttles a mail server that hands us everything.
    pub max_connections_per_peer: usize,
    /// Commands since the last mail (or the greeting). Must exceed `max_recipients`.
    pub max_commands: u32,
    /// Commands answered 4yz or 5yz since the last mail.
    pub max_errors: u32,
    /// `Received:` lines; more means a loop (554 5.4.6).
    pub max_hops: usize,
    /// Wait for a whole command line, and for the next bytes of a mail. RFC 5321 4.5.3.2.7 asks for five minutes.
    pub idle: Duration,
    /// For all the bytes of one mail.
    pub data: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the store's answer. Clients wait ten minutes (RFC 5321 4.5.3.2.6) and send again if we answer later.
    pub store: Duration,
    /// How long running mails may take to finish when the listener stops.
    pub stop: Duration,
    /// Free space that must remain on the data volume after a mail, else 452 4.3.1.
    pub disk_reserve: u64,
}

const MIB: u64 = 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_message: 35 * MIB,
            max_recipients: 1000,
            max_connections: 200,
            max_connections_per_peer: 100,
            max_commands: 3000,
            max_errors: 100,
            max_hops: 50,
            idle: Duration::from_secs(300),
            data: Duration::from_secs(600),
            handshake: Duration::from_secs(60),
            store: Duration::from_secs(300),
            stop: Duration::from_secs(20),
            disk_reserve: 128 * MIB,
        }
    }
}
