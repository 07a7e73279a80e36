//! Access tokens for XOAUTH2: as they are given, or issued to this program by a token server for its own credentials
//! (RFC 6749, section 4.4) and renewed before they end.
//!
//! What it does not do: act for a person with a browser, or keep a token on disk.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Secret};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::http::{self, Endpoint};
use crate::sender::{Security, tls};

/// Where access tokens come from.
#[async_trait]
pub trait Tokens: fmt::Debug + Send + Sync {
    /// A token to sign in with now.
    async fn token(&self) -> Result<Secret, Error>;

    /// A server refused this token. True when [`Tokens::token`] may have another one.
    async fn refused(&self, token: &Secret) -> bool;
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the token server {server} cannot be reached: check token_url, the DNS and the firewall")]
    Away { server: String, source: io::Error },
    #[error("the token server {server} refused: {text}. Check client_id, client_secret and scope")]
    Refused { server: String, text: String },
    #[error("the token server {server} answered without a token: check token_url")]
    NoToken { server: String },
    #[error("{0:?} is no address of a token server: write https://host/path; http is for this machine only")]
    Address(String),
    #[error("cannot use the certificate authorities: {0}")]
    Roots(String),
    #[error("{0}")]
    Secret(String),
}

/// What is asked of a token server.
#[derive(Debug, Clone)]
pub struct Options {
    /// `https://login.example.org/oauth2/token`
    pub token_url: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: Option<String>,
    /// Issuers of certificates believed beside those of the system.
    pub roots: Vec<CertificateDer<'static>>,
}

/// A token is renewed when it is good for less than this, or for less than half its life.
const LEFT: SignedDuration = SignedDuration::from_mins(5);
/// When the server does not say how long its token is good for.
const LIFE: i64 = 600;
/// One question and its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tokens of a token server. One is used by all who share this value, until shortly before its end.
pub struct Issued {
    options: Options,
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    clock: Clock,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: Secret,
    /// From then on another one is asked for.
    renew: Timestamp,
    /// A clock that is set back before this makes nothing of what `renew` says.
    since: Timestamp,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("token_url", &self.options.token_url).finish_non_exhaustive()
    }
}

impl Issued {
    pub fn new(options: Options, clock: Clock) -> Result<Self, Error> {
        let address = || Error::Address(options.token_url.clone());
        let endpoint = Endpoint::parse(&options.token_url).ok_or_else(address)?;
        let security = if endpoint.https { Security::Implicit } else { Security::None };
        let tls = tls::client_config(security, None, &options.roots);
        let tls = tls.map_err(|error| Error::Roots(error.to_string()))?;
        Ok(Issued { options, endpoint, tls, clock, kept: Mutex::new(None) })
    }

    async fn ask(&self) -> Result<Kept, Error> {
        let server = || self.endpoint.server();
        let secret = self.options.client_secret.expose();
        let mut fields = vec![("grant_type", "client_credentials"), ("client_id", &self.options.client_id)];
        fields.push(("client_secret", secret));
        fields.extend(self.options.scope.as_deref().map(|scope| ("scope", scope)));
        let since = self.clock.now();
        let asked = timeout(PATIENCE, http::form(&self.endpoint, self.tls.clone(), &fields)).await;
        let asked = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let answer = asked.map_err(|source| Error::Away { server: server(), source })?;
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = told["access_token"].as_str().filter(|token| !token.is_empty());
        match (answer.status, token) {
            (200, Some(token)) => {
                let life = told["expires_in"].as_i64().unwrap_or(LIFE).clamp(0, 365 * 86_400);
                let life = SignedDuration::from_secs(life);
                let renew = since.saturating_add(life - LEFT.min(life / 2)).unwrap_or(since);
                Ok(Kept { token: Secret::new(token), renew, since })
            }
            (200, None) => Err(Error::NoToken { server: server() }),
            (500.., _) => {
                let source = io::Error::other(format!("it answered {}", answer.status));
                Err(Error::Away { server: server(), source })
            }
            (status, _) => {
                let why =
                    told["error_description"].as_str().or(told["error"].as_str()).unwrap_or("no reason");
                let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
                Err(Error::Refused { server: server(), text: format!("{status} {why}") })
            }
        }
    }
}

#[async_trait]
impl Tokens for Issued {
    async fn token(&self) -> Result<Secret, Error> {
        // Held while the server is asked: of many who need a token, one asks.
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some(good) = kept.as_ref().filter(|kept| (kept.since..kept.renew).contains(&now)) {
            return Ok(good.token.clone());
        }
        let fresh = self.ask().await?;
        let token = fresh.token.clone();
        *kept = Some(fresh);
        Ok(token)
    }

    async fn refused(&self, token: &Secret) -> bool {
        let mut kept = self.kept.lock().await;
        // Somebody else may have renewed it meanwhile.
        if kept.as_ref().is_some_and(|kept| kept.token.expose() == token.expose()) {
            *kept = None;
        }
        true
    }
}

/// One token as it was given.
#[derive(Debug, Clone)]
pub struct Fixed(pub Secret);

#[async_trait]
impl Tokens for Fixed {
    async fn token(&self) -> Result<Secret, Error> {
        Ok(self.0.clone())
    }

    async fn refused(&self, _: &Secret) -> bool {
        false
    }
}
