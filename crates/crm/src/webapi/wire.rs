//! One request over the wire, with the rules of repeating.
//!
//! * A read is repeated after 5xx, a broken connection and a time-out, with growing waits.
//! * A write is repeated when it is certain that it did not happen: the connection was not made, or the server's limits turned
//!   it away (429 and its three codes, which come before any work). Otherwise it is *lost*: the caller looks what happened.
//! * 401 fetches another token, once. `Retry-After` is obeyed; one that is longer than the settings' patience is handed on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jiff::SignedDuration;
use postroom_core::{Code, Fault, Ids, Verdict};

use super::auth::Token;
use super::config::Settings;
use super::lanes::Lanes;
use super::refusal::{Refusal, codes};

/// An answer larger than this is not read.
const LARGEST: usize = 256 << 20;

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
    http: reqwest::Client,
    token: Arc<dyn Token>,
    settings: Settings,
    pub lanes: Lanes,
    ids: Ids,
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
    pub(crate) fn new(http: reqwest::Client, token: Arc<dyn Token>, settings: Settings, ids: Ids) -> Wire {
        let lanes = Lanes::new(settings.share);
        Wire { http, token, settings, lanes, ids }
    }

    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Sends it, as often as the rules allow.
    pub(crate) async fn send(&self, ask: &Ask) -> Result<Reply, Trouble> {
        let mut signed_in_again = false;
        for tried in 1.. {
            let (trouble, wait) = match self.once(ask, &mut signed_in_again).await {
                Try::Done(reply) => return Ok(reply),
                Try::Stop(trouble) => return Err(trouble),
                Try::Again { trouble, wait } => (trouble, wait),
            };
            let wait = wait.unwrap_or_else(|| self.pause(tried));
            if tried >= self.settings.tries || wait > self.settings.patience {
                return Err(put_back(trouble, wait));
            }
            tokio::time::sleep(wait).await;
        }
        unreachable!("the loop ends by its bound")
    }

    async fn once(&self, ask: &Ask, signed_in_again: &mut bool) -> Try {
        let token = match self.token.bearer().await {
            Ok(token) => token,
            Err(fault) => return Try::Stop(Trouble::Fault(fault)),
        };
        let lane = self.lanes.enter().await;
        let answer = self.http.execute(match self.request(ask, token.expose()) {
            Ok(request) => request,
            Err(fault) => return Try::Stop(Trouble::Fault(fault)),
        });
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(error) => return broken(ask, error),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = match whole(answer).await {
            Ok(body) => body,
            Err(Some(fault)) => return Try::Stop(Trouble::Fault(fault)),
            Err(None) if ask.repeatable => {
                return Try::Again { trouble: Trouble::Lost(away("the answer broke off")), wait: None };
            }
            Err(None) => return Try::Stop(Trouble::Lost(away("the answer broke off"))),
        };
        drop(lane);
        if let Some(lanes) = header(&headers, "x-ms-dop-hint").and_then(|text| text.parse().ok()) {
            self.lanes.hint(lanes);
        }
        // A batch that stopped at a request that failed answers 400 with the parts.
        let parts = header(&headers, "content-type").is_some_and(|kind| kind.starts_with("multipart/"));
        if status.is_success() || parts {
            self.lanes.went_well();
            return Try::Done(Reply { headers, body });
        }
        if status == StatusCode::UNAUTHORIZED && !std::mem::replace(signed_in_again, true) {
            self.token.refused(&token).await;
            return Try::Again {
                trouble: Trouble::Refused(Refusal::read(status, &body)),
                wait: Some(Duration::ZERO),
            };
        }
        self.refused(ask, Refusal::read(status, &body), &headers)
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

    fn request(&self, ask: &Ask, token: &str) -> Result<reqwest::Request, Fault> {
        let mut request = self
            .http
            .request(ask.method.clone(), &ask.url)
            .timeout(self.settings.timeout)
            .bearer_auth(token)
            .header("accept", "application/json")
            .header("odata-maxversion", "4.0")
            .header("odata-version", "4.0");
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if !ask.body.is_empty() {
            request = request.body(ask.body.clone());
        }
        request
            .build()
            .map_err(|error| Fault::bug("a request to the CRM could not be made").with_source(error))
    }

    /// Full jitter: between nothing and a bound that doubles, 30 seconds at most.
    fn pause(&self, tried: u32) -> Duration {
        let most = 250_u64.saturating_mul(1 << tried.min(10)).min(30_000);
        Duration::from_millis(self.ids.next().as_u128() as u64 % most)
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

fn broken(ask: &Ask, error: reqwest::Error) -> Try {
    // Without the URL: queries hold addresses of people.
    let error = error.without_url();
    let connecting = error.is_connect();
    let text = match (connecting, error.is_timeout()) {
        (true, _) => "no connection to the CRM could be made",
        (_, true) => "the CRM did not answer in time",
        _ => "the connection to the CRM broke",
    };
    let fault = away(text).with_source(error);
    match (ask.repeatable, connecting) {
        (true, _) => Try::Again { trouble: Trouble::Lost(fault), wait: None },
        (false, true) => Try::Again { trouble: Trouble::Fault(fault), wait: None },
        (false, false) => Try::Stop(Trouble::Lost(fault)),
    }
}

fn away(text: &str) -> Fault {
    Fault::retry(Code::CRM_AWAY, text)
}

/// The whole body; `None` when it broke off.
async fn whole(mut answer: reqwest::Response) -> Result<Bytes, Option<Fault>> {
    let mut body = Vec::with_capacity(answer.content_length().unwrap_or(0).min(8 << 20) as usize);
    while let Some(part) = answer.chunk().await.map_err(|_| None)? {
        if body.len() + part.len() > LARGEST {
            let text = format!("the CRM's answer is larger than {} MB; ask for smaller pages", LARGEST >> 20);
            return Err(Some(Fault::reject(Code::CRM_REFUSED, text)));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.into())
}
