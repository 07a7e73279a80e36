//! One operation over the wire, with the rules of repeating.
//!
//! * What only reads is repeated after 5xx, a broken connection and a time-out, with growing waits.
//! * What writes is repeated when it is certain that it did not happen: the connection was not made, or the server's limits
//!   turned it away. Otherwise it is *lost*: the caller looks what happened.
//! * A header of claims that is refused is made anew, once. `Retry-After` is obeyed; one that is longer than the settings'
//!   patience is handed on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use jiff::SignedDuration;
use postroom_core::{Code, Fault, Ids, Verdict};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault;
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::reply::{Reply, Said};
use postroom_formats::soap::{Error, Generation};
use postroom_formats::xml::Limits;

use super::config::Settings;
use super::refusal;
use crate::lanes::{Lanes, pause};
use crate::outside::Seen;
use crate::refusal::{Refusal, codes};
use crate::sign_in::Transport;
use crate::sign_in::claims::Signer;

/// What is read of one answer at most.
const LIMITS: Limits = Limits { bytes: 256 << 20, nodes: 20_000_000, depth: 64 };
/// Answers above this are read on a thread of their own.
const LARGE: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server says no; of many messages in one, to this one.
    Refused(Refusal, Option<usize>),
    /// It may have happened or not.
    Lost(Fault),
    /// It did not happen: away, too busy, not signed in.
    Fault(Fault),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal, _) => refusal.fault(),
            Trouble::Lost(fault) | Trouble::Fault(fault) => fault,
        }
    }
}

pub(super) struct Wire {
    transport: Arc<dyn Transport>,
    claims: Option<Arc<dyn Signer>>,
    settings: Settings,
    pub lanes: Lanes,
    ids: Ids,
    seen: Mutex<Seen>,
}

/// What one try came to.
enum Try {
    Done(Said),
    Again { trouble: Trouble, wait: Option<Duration> },
    Stop(Trouble),
}

impl Wire {
    pub(super) fn new(transport: Arc<dyn Transport>, settings: Settings, ids: Ids) -> Wire {
        let lanes = Lanes::new(settings.share);
        Wire { transport, claims: None, settings, lanes, ids, seen: Mutex::default() }
    }

    pub(super) fn sign(&mut self, claims: Arc<dyn Signer>) {
        self.claims = Some(claims);
    }

    /// What the last answer said beside itself.
    pub(super) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends it, as often as the rules allow.
    pub(super) async fn send(
        &self,
        operation: &Operation,
        generation: Generation,
        repeatable: bool,
    ) -> Result<Said, Trouble> {
        let mut signed_again = false;
        for tried in 1.. {
            let (trouble, wait) = match self.once(operation, generation, repeatable, &mut signed_again).await
            {
                Try::Done(answer) => return Ok(answer),
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

    async fn once(
        &self,
        operation: &Operation,
        generation: Generation,
        repeatable: bool,
        signed_again: &mut bool,
    ) -> Try {
        let request = match self.request(operation, generation).await {
            Ok(request) => request,
            Err(fault) => return Try::Stop(Trouble::Fault(fault)),
        };
        let lane = self.lanes.enter().await;
        if let Some(pace) = self.lanes.pace() {
            tokio::time::sleep(pace).await;
        }
        let answer = tokio::time::timeout(self.settings.timeout, self.transport.send(request)).await;
        drop(lane);
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => return unsent(fault, repeatable),
            Err(_) => return lost(away("the CRM did not answer in time"), repeatable),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let seen = Seen::beside(&headers);
        self.lanes.learn(&seen);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        match read(answer).await {
            Ok(Reply::Said(said)) => {
                self.lanes.went_well();
                Try::Done(said)
            }
            Ok(Reply::Fault(fault)) => self.refused(&fault, (status, &headers), repeatable, signed_again),
            Err(error) if status.is_success() => {
                let text = format!("the CRM's answer cannot be read: {error}");
                lost(away(&text), repeatable)
            }
            Err(_) => self.without_fault(status, &headers, repeatable),
        }
    }

    async fn request(&self, operation: &Operation, generation: Generation) -> Result<Request<Bytes>, Fault> {
        let (service, body, action) =
            (self.settings.service(), operation.write(generation), operation.action());
        let (url, envelope) = match &self.claims {
            None => (format!("{service}/web"), Envelope::new(Soap::V11, self.headers(generation), body)),
            Some(claims) => {
                let id = format!("urn:uuid:{}", self.ids.next());
                let headers = Headers {
                    security: Some(claims.header().await?),
                    client_version: self.headers(generation).client_version,
                    ..Headers::request(action.as_str(), id, service.as_str())
                };
                (service, Envelope::new(Soap::V12, headers, body))
            }
        };
        let mut request = Request::post(url).header(CONTENT_TYPE, envelope.soap.content_type());
        if envelope.soap == Soap::V11 {
            request = request.header("soapaction", format!("\"{action}\""));
        }
        let made = request.body(Bytes::from(envelope.write()));
        made.map_err(|error| Fault::bug("a request to the CRM could not be made").with_source(error))
    }

    /// Servers answer what came after 2011 only to clients that say they know it.
    fn headers(&self, generation: Generation) -> Headers {
        let version = match generation {
            Generation::Crm2011 => None,
            Generation::Crm2016 => Some("8.2.0.0"),
            Generation::Dataverse => Some("9.2.0.0"),
        };
        Headers { client_version: version.map(str::to_owned), ..Headers::default() }
    }

    fn refused(
        &self,
        fault: &fault::Fault,
        (status, headers): (StatusCode, &HeaderMap),
        repeatable: bool,
        signed_again: &mut bool,
    ) -> Try {
        let refusal = refusal::of(fault, status);
        let request = fault.faulted_request.and_then(|index| usize::try_from(index).ok());
        let wait = fault.retry_after.and_then(|wait| Duration::try_from(wait).ok());
        let wait = wait.or_else(|| number(headers, "retry-after").map(Duration::from_secs));
        if refusal.limited() {
            if refusal.code == codes::CONCURRENCY || refusal.code == codes::BUSY {
                self.lanes.too_many();
            }
            return Try::Again { trouble: Trouble::Refused(refusal, request), wait };
        }
        match (refusal.status, &self.claims) {
            (401, Some(claims)) => {
                claims.refused();
                match std::mem::replace(signed_again, true) {
                    false => {
                        Try::Again { trouble: Trouble::Refused(refusal, request), wait: Some(Duration::ZERO) }
                    }
                    true => Try::Stop(Trouble::Fault(no_claims(&refusal.message))),
                }
            }
            (500..=599, _) if !refusal::unknown(&refusal) && repeatable => {
                Try::Again { trouble: Trouble::Refused(refusal, request), wait }
            }
            (500..=599, _) if !refusal::unknown(&refusal) => Try::Stop(Trouble::Lost(refusal.fault())),
            _ => Try::Stop(Trouble::Refused(refusal, request)),
        }
    }

    /// What a proxy or IIS answers in the service's place.
    fn without_fault(&self, status: StatusCode, headers: &HeaderMap, repeatable: bool) -> Try {
        let text = match status {
            StatusCode::NOT_FOUND => {
                "there is no Organization.svc at this address; check the organisation's address"
            }
            _ => "",
        };
        let refusal = Refusal { status: status.as_u16(), code: 0, message: text.to_owned() };
        let wait = number(headers, "retry-after").map(Duration::from_secs);
        match status.as_u16() {
            429 => {
                self.lanes.too_many();
                Try::Again { trouble: Trouble::Refused(refusal, None), wait }
            }
            408 | 500..=599 if repeatable => Try::Again { trouble: Trouble::Refused(refusal, None), wait },
            408 | 500..=599 => Try::Stop(Trouble::Lost(refusal.fault())),
            _ => Try::Stop(Trouble::Refused(refusal, None)),
        }
    }
}

async fn read(answer: Response<Bytes>) -> Result<Reply, Error> {
    let body = answer.into_body();
    match body.len() > LARGE {
        false => read_body(&body),
        true => tokio::task::spawn_blocking(move || read_body(&body))
            .await
            .unwrap_or_else(|_| Err(Error::Missing("a readable answer".to_owned()))),
    }
}

fn read_body(body: &[u8]) -> Result<Reply, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::Missing("text in UTF-8".to_owned()))?;
    Reply::read(text, &LIMITS)
}

/// The transport's own faults.
fn unsent(fault: Fault, repeatable: bool) -> Try {
    match fault.verdict {
        Verdict::Unknown => lost(Fault { verdict: Verdict::Retry { after: None }, ..fault }, repeatable),
        Verdict::Retry { after } => {
            let wait = after.and_then(|after| Duration::try_from(after).ok());
            Try::Again { trouble: Trouble::Fault(fault), wait }
        }
        _ => Try::Stop(Trouble::Fault(fault)),
    }
}

fn lost(fault: Fault, repeatable: bool) -> Try {
    match repeatable {
        true => Try::Again { trouble: Trouble::Fault(fault), wait: None },
        false => Try::Stop(Trouble::Lost(fault)),
    }
}

/// The tries are used up: what the caller's own machinery does next.
fn put_back(trouble: Trouble, wait: Duration) -> Trouble {
    match trouble {
        Trouble::Refused(refusal, _) if refusal.limited() => {
            let after = SignedDuration::try_from(wait).ok();
            Trouble::Fault(Fault { verdict: Verdict::Retry { after }, ..refusal.fault() })
        }
        other => other,
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn away(text: &str) -> Fault {
    Fault::retry(Code::CRM_AWAY, text)
}

fn no_claims(said: &str) -> Fault {
    let text = format!(
        "the CRM refuses the token service's fresh token: check the clocks, and that the organisation trusts this token service (it said: {said})"
    );
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, text)
}
