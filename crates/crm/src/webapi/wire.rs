//! One request over the wire, with the rules of repeating.
//!
//! * A read is repeated after 5xx, a broken connection and a time-out, with growing waits.
//! * A write is repeated when it is certain that it did not happen: the connection was not made, or the server's limits turned
//!   it away (429 and its three codes, which come before any work). Otherwise it is *lost*: the caller looks what happened.
//! * `Retry-After` is obeyed; one that is longer than the settings' patience is handed on.
//!
//! Signing in is the [`Transport`]'s business. What its fault says of the request decides here too: *unknown* is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use jiff::SignedDuration;
use postroom_core::{Code, Fault, Ids, Verdict};

use super::config::Settings;
use super::lanes::Lanes;
use super::refusal::{Refusal, codes};
use crate::lanes::pause;
use crate::outside::Seen;
use crate::sign_in::Transport;

/// One request.
pub(crate) struct Ask {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Whether sending it twice does no harm.
    pub repeatable: bool,
}

/// A success.
#[derive(Debug)]
pub(crate) struct Reply {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server says no.
    Refused(Refusal),
    /// It may have happened or not.
    Lost(Fault),
    /// It did not happen: away, too busy, no token.
    Fault(Fault),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => refusal.fault(),
            Trouble::Lost(fault) | Trouble::Fault(fault) => fault,
        }
    }
}

pub(crate) struct Wire {
    transport: Arc<dyn Transport>,
    settings: Settings,
    pub lanes: Lanes,
    ids: Ids,
    seen: Mutex<Seen>,
}

/// What one try came to.
enum Try {
    Done(Reply),
    Again { trouble: Trouble, wait: Option<Duration> },
    Stop(Trouble),
}

impl Ask {
    /// A read.
    pub(crate) fn get(url: impl Into<String>) -> Ask {
        Ask {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            repeatable: true,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Ask {
        self.headers.push((name, value.into()));
        self
    }
}

impl Wire {
    pub(crate) fn new(transport: Arc<dyn Transport>, settings: Settings, ids: Ids) -> Wire {
        let lanes = Lanes::new(settings.share);
        Wire { transport, settings, lanes, ids, seen: Mutex::default() }
    }

    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// What the last answer said beside itself.
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends it, as often as the rules allow.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Reply, Trouble> {
        for tried in 1.. {
            let (trouble, wait) = match self.once(ask).await {
                Try::Done(reply) => return Ok(reply),
                Try::Stop(trouble) => return Err(trouble),
                Try::Again { trouble, wait } => (trouble, wait),
            };
            let wait = wait.unwrap_or_else(|| pause(&self.ids, tried));
            if tried >= self.settings.tries || wait > self.settings.patience {
                return Err(put_back(trouble, wait));
            }
            tokio::time::sleep(wait).await;
        }
        unreachable!("the loop ends by its bound")
    }

    async fn once(&self, ask: &Ask) -> Try {
        let request = match request(ask) {
            Ok(request) => request,
            Err(fault) => return Try::Stop(Trouble::Fault(fault)),
        };
        let lane = self.lanes.enter().await;
        if let Some(pace) = self.lanes.pace() {
            tokio::time::sleep(pace).await;
        }
        let sent = tokio::time::timeout(self.settings.timeout, self.transport.send(request)).await;
        drop(lane);
        let answer = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => return unanswered(ask, fault),
            Err(_) => {
                let text = "the CRM did not answer in time";
                return unanswered(ask, Fault::new(Verdict::Unknown, Code::CRM_AWAY, text));
            }
        };
        self.look(answer.headers());
        // A batch that stopped at a request that failed answers 400 with the parts.
        let parts =
            header(answer.headers(), "content-type").is_some_and(|kind| kind.starts_with("multipart/"));
        let status = answer.status();
        let (head, body) = answer.into_parts();
        if status.is_success() || parts {
            self.lanes.went_well();
            return Try::Done(Reply { headers: head.headers, body });
        }
        self.refused(ask, Refusal::read(status, &body), &head.headers)
    }

    /// Learns from what stands beside an answer.
    fn look(&self, headers: &HeaderMap) {
        let seen = Seen::beside(headers);
        self.lanes.learn(&seen);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    fn refused(&self, ask: &Ask, refusal: Refusal, headers: &HeaderMap) -> Try {
        let wait =
            header(headers, "retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        if refusal.limited() {
            if refusal.code == codes::CONCURRENCY || refusal.code == 0 {
                self.lanes.too_many();
            }
            return Try::Again { trouble: Trouble::Refused(refusal), wait };
        }
        match refusal.status {
            408 | 500 | 502..=504 if ask.repeatable => {
                Try::Again { trouble: Trouble::Refused(refusal), wait }
            }
            408 | 500 | 502..=504 => Try::Stop(Trouble::Lost(refusal.fault())),
            _ => Try::Stop(Trouble::Refused(refusal)),
        }
    }
}

pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The tries are used up: what the caller's own machinery does next.
fn put_back(trouble: Trouble, wait: Duration) -> Trouble {
    match trouble {
        Trouble::Refused(refusal) if refusal.limited() => {
            let after = SignedDuration::try_from(wait).ok();
            Trouble::Fault(Fault { verdict: Verdict::Retry { after }, ..refusal.fault() })
        }
        other => other,
    }
}

/// No answer came.
fn unanswered(ask: &Ask, fault: Fault) -> Try {
    match fault.verdict {
        Verdict::Retry { after } => {
            let wait = after.and_then(|after| Duration::try_from(after).ok());
            let trouble = if ask.repeatable { Trouble::Lost(fault) } else { Trouble::Fault(fault) };
            Try::Again { trouble, wait }
        }
        // Whether it happened is looked up before anything is sent again, so for the caller it is a matter of trying again.
        Verdict::Unknown => {
            let fault = Fault { verdict: Verdict::Retry { after: None }, ..fault };
            match ask.repeatable {
                true => Try::Again { trouble: Trouble::Lost(fault), wait: None },
                false => Try::Stop(Trouble::Lost(fault)),
            }
        }
        Verdict::Hold | Verdict::Reject | Verdict::Bug => Try::Stop(Trouble::Fault(fault)),
    }
}

fn request(ask: &Ask) -> Result<Request<Bytes>, Fault> {
    let unfit = || Fault::bug("a request to the CRM could not be made");
    // Written as RFC 3986 has it: what people and records are called may hold anything.
    let url = reqwest::Url::parse(&ask.url).map_err(|_| unfit())?;
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(url.as_str())
        .header("accept", "application/json")
        .header("odata-maxversion", "4.0")
        .header("odata-version", "4.0");
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    request.body(ask.body.clone()).map_err(|error| unfit().with_source(error))
}
