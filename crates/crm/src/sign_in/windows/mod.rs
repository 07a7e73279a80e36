//! Windows sign-in over HTTP: NTLM version 2, bare or inside Negotiate, for CRM on premises (dataverse.md D2).
//!
//! It signs in a *connection*, not a request. So this does not go through the pooled HTTP client, which promises nothing
//! about connections: each [`line::Line`] here is one HTTP/1.1 connection held in the hand. A request takes an idle line that
//! is signed in, or opens one and signs it in with three messages; then the line goes back. As many requests as run at
//! once, so many lines there are; a few idle ones are kept. No Kerberos: a server that takes nothing else refuses.
//! Sources: MS-NTHT (NTLM over HTTP), RFC 4559 (Negotiate), RFC 5929 section 4 (the certificate in the answer).

mod channel;
mod handshake;
mod line;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use postroom_core::{Clock, Fault, Secret};
use postroom_formats::ntlm::message::{Person, Surroundings};
use ring::rand::{SecureRandom, SystemRandom};

pub use handshake::Scheme;

use super::caution::Caution;
use super::connection::Connection;
use super::refusal::refused;
use super::transport::{Transport, repeatable};
use handshake::Handshake;
use line::{Line, Lost, Target};

/// Lines that are kept while nobody needs them.
const IDLE: usize = 4;

const WRONG: &str = "the CRM refused user or password (Windows sign-in): check crm.username (DOMAIN\\name) and crm.password, and that the account is neither locked nor expired";

/// Requests signed in with a Windows account.
pub struct Windows {
    connection: Connection,
    person: Person,
    /// The only scheme to be used; Negotiate, then NTLM, when none is set.
    scheme: Option<Scheme>,
    clock: Clock,
    idle: Mutex<Vec<(Target, Line)>>,
    caution: Caution,
    /// The password was right the last time.
    proven: AtomicBool,
    /// Until then one sign-in runs at a time: eight wrong ones at once may lock an account.
    proving: tokio::sync::Mutex<()>,
    tls: Arc<rustls::ClientConfig>,
}

/// `DOMAIN\user` or `user@realm`, and the password.
pub fn person(name: &str, password: &Secret) -> Person {
    let (domain, user) = name.split_once('\\').unwrap_or(("", name));
    Person {
        user: user.to_owned(),
        domain: domain.to_owned(),
        password: password.expose().to_owned(),
        workstation: String::new(),
    }
}

impl Windows {
    /// # Errors
    /// Those of [`Connection::client`].
    pub fn new(
        connection: Connection,
        name: &str,
        password: &Secret,
        scheme: Option<Scheme>,
        clock: Clock,
    ) -> Result<Self, Fault> {
        // IIS has no Windows sign-in over HTTP/2.
        let tls = Arc::new(connection.tls(&[b"http/1.1"])?);
        Ok(Windows {
            connection,
            person: person(name, password),
            scheme,
            caution: Caution::new(clock.clone()),
            clock,
            idle: Mutex::default(),
            proven: AtomicBool::new(false),
            proving: tokio::sync::Mutex::new(()),
            tls,
        })
    }

    fn take(&self, target: &Target) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, line)| line.is_open());
        let at = idle.iter().rposition(|(of, _)| of == target)?;
        Some(idle.swap_remove(at).1)
    }

    fn give_back(&self, target: Target, line: Line) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_open() && idle.len() < IDLE {
            idle.push((target, line));
        }
    }

    /// Sends on a line that is signed in; `None` when it no longer is and nothing was done.
    async fn reuse(
        &self,
        target: &Target,
        request: &Request<Bytes>,
    ) -> Result<Option<Response<Bytes>>, Fault> {
        let Some(mut line) = self.take(target) else { return Ok(None) };
        let answer = match line.send(request, HeaderMap::new()).await {
            Ok(answer) => answer,
            Err(Lost { untouched: true, .. }) => return Ok(None),
            // The server closes idle lines when it likes; a read is simply sent again.
            Err(_) if repeatable(request.method()) => return Ok(None),
            Err(lost) => return Err(lost.fault(false)),
        };
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        self.give_back(target.clone(), line);
        Ok(Some(answer))
    }

    async fn carefully(&self, target: Target, request: &Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        self.caution.allow()?;
        let ended = self.caution.learn(self.sign_in(target, request).await);
        self.proven.store(ended.is_ok(), Ordering::SeqCst);
        ended
    }

    /// Signs a new line in with this request.
    async fn sign_in(&self, target: Target, request: &Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let schemes = self.scheme.map_or(vec![Scheme::Negotiate, Scheme::Ntlm], |only| vec![only]);
        let mut line = Line::open(&target, &self.connection, &self.tls).await?;
        for scheme in schemes {
            let mut handshake = Handshake::new(scheme, self.surroundings(&target, &line)?);
            let empty = without_body(request);
            let asked = line.send(&empty, authorization(&handshake.open())?).await;
            // Nothing has been written yet: this message has no body, and the server has not seen who asks.
            let asked = asked.map_err(|lost| lost.fault(true))?;
            if asked.status() != StatusCode::UNAUTHORIZED {
                return self.open_door(target, line, request, asked).await;
            }
            let Some(challenge) = token(asked.headers(), scheme) else { continue };
            let reply =
                handshake.answer(&self.person, &challenge).map_err(|error| refused(&error.to_string()))?;
            let repeatable = repeatable(request.method());
            let answer =
                line.send(request, authorization(&reply)?).await.map_err(|lost| lost.fault(repeatable))?;
            if answer.status() == StatusCode::UNAUTHORIZED {
                return Err(refused(WRONG));
            }
            handshake
                .finish(token(answer.headers(), scheme).as_deref())
                .map_err(|error| refused(&error.to_string()))?;
            self.give_back(target, line);
            return Ok(answer);
        }
        Err(refused(
            "the CRM offers no Windows sign-in with NTLM at this address: set crm.org_url to the address inside the network, or sign in through AD FS (crm.sign_in)",
        ))
    }

    /// The server asks for no sign-in here, or judged the request before it.
    async fn open_door(
        &self,
        target: Target,
        mut line: Line,
        request: &Request<Bytes>,
        asked: Response<Bytes>,
    ) -> Result<Response<Bytes>, Fault> {
        let answer = match request.body().is_empty() {
            true => asked,
            false => {
                let repeatable = repeatable(request.method());
                line.send(request, HeaderMap::new()).await.map_err(|lost| lost.fault(repeatable))?
            }
        };
        self.give_back(target, line);
        Ok(answer)
    }

    fn surroundings(&self, target: &Target, line: &Line) -> Result<Surroundings, Fault> {
        let (mut challenge, mut session) = ([0; 8], [0; 16]);
        // Ids are no secrets: these must not be guessed, so they come from the system.
        let random = SystemRandom::new();
        let filled = random.fill(&mut challenge).and_then(|()| random.fill(&mut session));
        filled.map_err(|_| Fault::bug("the system has no random numbers"))?;
        let certificate_hash = line.certificate_hash.clone();
        let (time, target) = (file_time(self.clock.now()), format!("HTTP/{}", target.host));
        Ok(Surroundings { challenge, session, time, target, certificate_hash })
    }
}

#[async_trait]
impl Transport for Windows {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let target = Target::of(request.uri())?;
        match self.reuse(&target, &request).await? {
            Some(answer) => Ok(answer),
            None if self.proven.load(Ordering::SeqCst) => self.carefully(target, &request).await,
            None => {
                let _proving = self.proving.lock().await;
                self.carefully(target, &request).await
            }
        }
    }
}

/// The first message travels without the body, which would be sent twice for nothing.
fn without_body(request: &Request<Bytes>) -> Request<Bytes> {
    let mut empty = Request::new(Bytes::new());
    *empty.method_mut() = request.method().clone();
    *empty.uri_mut() = request.uri().clone();
    *empty.headers_mut() = request.headers().clone();
    if empty.method() != Method::GET && empty.method() != Method::HEAD {
        empty.headers_mut().insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    empty
}

fn authorization(value: &str) -> Result<HeaderMap, Fault> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Fault::bug("base64 is no header's value"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// The token that a server sends for this scheme.
fn token(headers: &HeaderMap, scheme: Scheme) -> Option<String> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut tokens = values.filter_map(|value| {
        let (name, token) = value.trim().split_once(' ')?;
        name.eq_ignore_ascii_case(scheme.name()).then(|| token.trim().to_owned())
    });
    tokens.find(|token| !token.is_empty())
}

/// 100 ns since 1601.
fn file_time(at: Timestamp) -> u64 {
    const TO_1970: i64 = 116_444_736_000_000_000;
    u64::try_from(at.as_microsecond() * 10 + TO_1970).unwrap_or_default()
}
