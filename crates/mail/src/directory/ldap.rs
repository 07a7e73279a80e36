//! A directory by LDAP (RFC 4511): Domino's own, or any with `cn`, `displayName`, `uid` and `mail`. One connection for
//! each question; [`Cached`](super::Cached) makes them few.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry};
use postroom_core::{Code, Directory, Fault, Secret, Verdict};
use postroom_formats::notes_name::NotesName;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, ClientConfig};

use super::people::{ATTRIBUTES, Person, filter, find};
use crate::sender::{self, Fingerprint, Security, tls};

/// Names in one search.
const BATCH: usize = 50;

/// One directory server.
#[derive(Debug, Clone)]
pub struct Options {
    pub host: String,
    pub port: u16,
    /// Plain text only to this machine.
    pub security: Security,
    /// The only certificate that is believed.
    pub pin: Option<Fingerprint>,
    /// Issuers believed beside those of the system.
    pub roots: Vec<CertificateDer<'static>>,
    /// DN and password; none asks anonymously.
    pub bind: Option<(String, Secret)>,
    /// Where people are below: `o=Acme`.
    pub base: String,
    /// For one search, connection and all.
    pub limit: Duration,
}

/// Why a directory gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tls(#[from] sender::Error),
    #[error(
        "the directory {server} cannot be reached: check that it runs, its name and port, and the firewall"
    )]
    Unreachable { server: String, source: io::Error },
    #[error("the directory {server} is not on this machine: set security to starttls or implicit")]
    NotLocal { server: String },
    #[error("the directory {server} did not answer in time")]
    Late { server: String },
    #[error("TLS with the directory {server} failed: {why}")]
    Handshake { server: String, why: String, source: io::Error },
    #[error(
        "the directory {server} refused the {step} (LDAP result {code} {text}): check bind name, password and base"
    )]
    Refused { server: String, step: &'static str, code: u32, text: String },
    #[error("the connection to the directory {server} broke")]
    Broken { server: String, source: Option<Box<LdapError>> },
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let retry = Verdict::Retry { after: None };
        let (verdict, code) = match &error {
            Error::Unreachable { .. } | Error::Late { .. } | Error::Broken { .. } => {
                (retry, Code::DIRECTORY_AWAY)
            }
            // timeLimitExceeded, busy, unavailable (RFC 4511 appendix A).
            Error::Refused { code: 3 | 51 | 52, .. } => (retry, Code::DIRECTORY_AWAY),
            Error::Tls(_) | Error::NotLocal { .. } | Error::Handshake { .. } | Error::Refused { .. } => {
                (Verdict::Hold, Code::DIRECTORY_REFUSED)
            }
        };
        Fault::new(verdict, code, error.to_string()).with_source(error)
    }
}

/// A directory server. Cheap to clone.
#[derive(Clone)]
pub struct Ldap {
    options: Arc<Options>,
    tls: Option<Arc<ClientConfig>>,
}

impl Ldap {
    /// Fails when the system's certificates cannot be read. Connects to nothing.
    pub fn new(options: Options) -> Result<Self, Error> {
        let tls = tls::client_config(options.security, options.pin, &options.roots)?;
        Ok(Ldap { options: Arc::new(options), tls })
    }

    fn server(&self) -> String {
        format!("{}:{}", self.options.host, self.options.port)
    }

    /// Everybody whom one of the names may mean.
    async fn search(self, filter: String) -> Result<Vec<Person>, Error> {
        let (server, limit) = (self.server(), self.options.limit);
        // A task of its own: the library panics over answers that are no LDAP, and that must stay here.
        let asked = tokio::spawn(async move { timeout(limit, Box::pin(self.ask(&filter))).await });
        match asked.await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(Error::Late { server }),
            Err(_) => Err(Error::Broken { server, source: None }),
        }
    }

    async fn ask(&self, filter: &str) -> Result<Vec<Person>, Error> {
        self.must_be_safe().await?;
        let broken = |source| self.broken(source);
        let (connection, mut ldap) =
            LdapConnAsync::with_settings(self.settings(), &self.url()).await.map_err(broken)?;
        // Ends with `ldap`; its error is also the operation's.
        tokio::spawn(async move { connection.drive().await });
        if let Some((dn, password)) = &self.options.bind {
            let bound = ldap.simple_bind(dn, password.expose()).await.map_err(broken)?;
            self.must_be_done("sign-in", &bound)?;
        }
        let asked = ldap.search(&self.options.base, Scope::Subtree, filter, ATTRIBUTES).await;
        let ldap3::SearchResult(entries, result) = asked.map_err(broken)?;
        self.must_be_done("search", &result)?;
        // The answer is here; how the server takes our leave does not matter.
        let _ = ldap.unbind().await;
        Ok(entries.into_iter().map(SearchEntry::construct).filter_map(|entry| Person::of(&entry)).collect())
    }

    /// Plain text stays on this machine.
    async fn must_be_safe(&self) -> Result<(), Error> {
        if self.options.security != Security::None {
            return Ok(());
        }
        let server = self.server();
        let found = lookup_host((self.options.host.as_str(), self.options.port)).await;
        let mut found = found.map_err(|source| Error::Unreachable { server: server.clone(), source })?;
        if found.all(|address| address.ip().is_loopback()) { Ok(()) } else { Err(Error::NotLocal { server }) }
    }

    fn settings(&self) -> LdapConnSettings {
        let settings = LdapConnSettings::new().set_starttls(self.options.security == Security::StartTls);
        match &self.tls {
            Some(tls) => settings.set_config(tls.clone()),
            None => settings,
        }
    }

    fn url(&self) -> String {
        let scheme = if self.options.security == Security::Implicit { "ldaps" } else { "ldap" };
        let host = &self.options.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("{scheme}://{host}:{}", self.options.port)
    }

    fn must_be_done(&self, step: &'static str, result: &LdapResult) -> Result<(), Error> {
        match result.rc {
            0 => Ok(()),
            code => Err(Error::Refused { server: self.server(), step, code, text: result.text.clone() }),
        }
    }

    fn broken(&self, error: LdapError) -> Error {
        let server = self.server();
        match error {
            LdapError::Io { source } if source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
                Error::Handshake { server, why: tls::explain(&source), source }
            }
            LdapError::Io { source } => Error::Unreachable { server, source },
            LdapError::LdapResult { result } => {
                Error::Refused { server, step: "StartTLS", code: result.rc, text: result.text }
            }
            other => Error::Broken { server, source: Some(Box::new(other)) },
        }
    }
}

#[async_trait]
impl Directory for Ldap {
    async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault> {
        let read: Vec<(&String, NotesName)> =
            names.iter().filter_map(|name| Some((name, NotesName::parse(name)?))).collect();
        let mut known = HashMap::new();
        for batch in read.chunks(BATCH) {
            let wanted: Vec<NotesName> = batch.iter().map(|(_, name)| name.clone()).collect();
            let people = self.clone().search(filter(&wanted)).await?;
            let found = batch.iter().filter_map(|(text, name)| Some(((*text).clone(), find(&people, name)?)));
            known.extend(found);
        }
        Ok(known)
    }
}
