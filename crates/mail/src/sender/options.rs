//! What can be set about a sender, and the limits with their defaults.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::Secret;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::Fingerprint;
use crate::oauth::{Fixed, Tokens};

/// How the connection is protected. There is no "TLS if possible": what an attacker can switch off protects nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314, usually port 465).
    Implicit,
    /// The server must offer STARTTLS (RFC 3207), or nothing is sent.
    StartTls,
    /// Plain text; only to addresses of this machine, where a relay or a TLS proxy listens.
    None,
}

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// PLAIN when offered, else LOGIN.
    Password,
    /// RFC 4616.
    Plain,
    /// The old two questions, which Domino and Exchange still ask.
    Login,
    /// An OAuth 2 access token instead of a password.
    XOAuth2,
}

/// Who signs in.
#[derive(Debug, Clone)]
pub struct Auth {
    pub user: String,
    /// Where the password or the access token comes from: asked for each connection, since tokens end after an hour or so.
    pub secret: Arc<dyn Tokens>,
    pub mechanism: Mechanism,
}

impl Auth {
    /// With a password, or a token, that stays.
    pub fn fixed(user: impl Into<String>, secret: Secret, mechanism: Mechanism) -> Self {
        Auth { user: user.into(), secret: Arc::new(Fixed(secret)), mechanism }
    }
}

/// One mail server and how to use it.
#[derive(Debug, Clone)]
pub struct Options {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// Our name in EHLO; a name that resolves to us, or an address literal.
    pub hello: String,
    pub auth: Option<Auth>,
    /// The only certificate that is believed, whoever issued it and whatever name and dates it bears.
    pub pin: Option<Fingerprint>,
    /// Issuers believed beside those of the system.
    pub roots: Vec<CertificateDer<'static>>,
    pub limits: Limits,
}

impl Options {
    /// A server with the default limits, no sign-in, and the system's certificates.
    pub fn new(host: impl Into<String>, port: u16, security: Security, hello: impl Into<String>) -> Self {
        Options {
            host: host.into(),
            port,
            security,
            hello: hello.into(),
            auth: None,
            pin: None,
            roots: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// How long each step may take and how connections are used.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For each address of the server.
    pub connect: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the greeting and the answer to each command. RFC 5321 4.5.3.2 asks for five minutes.
    pub command: Duration,
    /// For each piece of a mail that is written.
    pub write: Duration,
    /// For the answer after the final dot. RFC 5321 4.5.3.2.6 asks for ten minutes; less makes mails unknown that a slow
    /// server would have answered for.
    pub answer: Duration,
    /// Connections at once. Too many and the server answers 421.
    pub max_connections: usize,
    /// Mails over one connection. Many servers close after 20 to 100.
    pub max_mails: u32,
    /// Age at which a connection is given up.
    pub max_age: Duration,
    /// How long a connection is kept without work.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(30),
            command: Duration::from_secs(300),
            write: Duration::from_secs(180),
            answer: Duration::from_secs(600),
            max_connections: 5,
            max_mails: 100,
            max_age: Duration::from_secs(300),
            idle: Duration::from_secs(20),
        }
    }
}
