//! One request over the line, with the rules of repeating.
//!
//! * What only reads is repeated after 5xx, a broken connection and a time-out, with growing waits.
//! * What writes is repeated when it is certain that it did not happen: the connection was not made, or the server's limits
//!   turned it away, which they do before any work. Otherwise it is *lost*: the caller looks what happened.
//! * `Retry-After` is obeyed; one that is longer than the settings' patience is handed on.
//!
//! Signing in is the [`Transport`]'s business. What its fault says of the request decides here too: *unknown* is lost.
//! Not here: what a body says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use jiff::SignedDuration;
use postroom_core::{Code, Fault, Ids, Verdict};

use super::batch::Batch;
use crate::lanes::{Lanes, pause};
use crate::outside::Seen;
use crate::refusal::{Refusal, codes};
use crate::sign_in::Transport;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server says no.
    Refused(Refusal),
    /// It may have happened or not.
    Lost(Fault),
    /// It did not happen: away, too busy, not signed in.
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

/// One try that came to nothing.
#[derive(Debug)]
pub(crate) enum Miss {
    /// Another one does no harm, after this wait or after one that grows.
    Again {
        trouble: Trouble,
        wait: Option<Duration>,
    },
    Stop(Trouble),
}

impl Miss {
    /// Whether it happened is not known.
    pub(crate) fn lost(fault: Fault, repeatable: bool) -> Miss {
        match repeatable {
            true => Miss::Again { trouble: Trouble::Fault(fault), wait: None },
            false => Miss::Stop(Trouble::Lost(fault)),
        }
    }

    /// No answer came: what the transport says of it.
    fn unanswered(fault: Fault, repeatable: bool) -> Miss {
        match fault.verdict {
            Verdict::Retry { after } => {
                let wait = after.and_then(|after| Duration::try_from(after).ok());
                Miss::Again { trouble: Trouble::Fault(fault), wait }
            }
            // Whether it happened is looked up before anything is sent again, so for the caller it is a matter of trying again.
            Verdict::Unknown => {
                Miss::lost(Fault { verdict: Verdict::Retry { after: None }, ..fault }, repeatable)
            }
            Verdict::Hold | Verdict::Reject | Verdict::Bug => Miss::Stop(Trouble::Fault(fault)),
        }
    }
}

/// What an administrator sets of it.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub timeout: Duration,
    pub patience: Duration,
    pub tries: u32,
    /// Of the parallelism that the server recommends, in per cent.
    pub share: u32,
    /// Messages in one at most, at first.
    pub batch: usize,
}

pub(crate) struct Line {
    transport: Arc<dyn Transport>,
    rules: Rules,
    pub lanes: Lanes,
    pub ids: Ids,
    seen: Mutex<Seen>,
    batch: Batch,
}

/// The tries of one request.
pub(crate) struct Tries<'l> {
    line: &'l Line,
    tried: u32,
}

impl Tries<'_> {
    /// The answer of a try; `None` when it is time for the next one.
    pub(crate) async fn after<T>(&mut self, tried: Result<T, Miss>) -> Result<Option<T>, Trouble> {
        self.tried += 1;
        let (trouble, wait) = match tried {
            Ok(answer) => return Ok(Some(answer)),
            Err(Miss::Stop(trouble)) => return Err(trouble),
            Err(Miss::Again { trouble, wait }) => (trouble, wait),
        };
        let rules = &self.line.rules;
        let limited = matches!(&trouble, Trouble::Refused(refusal) if refusal.limited());
        let wait = wait.unwrap_or_else(|| pause(&self.line.ids, self.tried));
        if self.tried >= rules.tries || wait > rules.patience {
            return Err(put_back(trouble, wait));
        }
        if limited {
            // A counter of whole seconds: what is shorter counts as one.
            let seconds = wait.as_millis().div_ceil(1000) as u64;
            metrics::counter!("postroom_peer_throttled_seconds_total", "connection" => "crm")
                .increment(seconds);
        }
        tokio::time::sleep(wait).await;
        Ok(None)
    }
}

impl Line {
    pub(crate) fn new(transport: Arc<dyn Transport>, rules: Rules, ids: Ids) -> Line {
        let (lanes, batch) = (Lanes::new(rules.share), Batch::new(rules.batch));
        Line { transport, rules, lanes, ids, seen: Mutex::default(), batch }
    }

    /// Another line of the same caller, with lanes of its own.
    pub(crate) fn beside(&self) -> Line {
        Line::new(Arc::clone(&self.transport), self.rules.clone(), self.ids.clone())
    }

    /// What the last answer said beside itself.
    pub(crate) fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages in one: fewer when the server needed too long.
    pub(crate) fn batch_size(&self) -> usize {
        self.batch.size()
    }

    pub(crate) fn tries(&self) -> Tries<'_> {
        Tries { line: self, tried: 0 }
    }

    /// Sends a request with so many writes in it once, when a lane is free. Whatever the server answers is an answer.
    pub(crate) async fn exchange(
        &self,
        request: Request<Bytes>,
        repeatable: bool,
        writes: usize,
    ) -> Result<Response<Bytes>, Miss> {
        let lane = self.lanes.enter().await;
        if let Some(pace) = self.lanes.pace() {
            tokio::time::sleep(pace).await;
        }
        let (op, begun) = (if repeatable { "read" } else { "write" }, tokio::time::Instant::now());
        let sent = tokio::time::timeout(self.rules.timeout, self.transport.send(request)).await;
        drop(lane);
        let status = sent.as_ref().ok().and_then(|sent| sent.as_ref().ok()).map(Response::status);
        measured(op, status, begun.elapsed());
        let silent = || Fault::new(Verdict::Unknown, Code::CRM_AWAY, "the CRM did not answer in time");
        let sent = sent.unwrap_or_else(|_| Err(silent()));
        match &sent {
            Ok(answer) if answer.status() == StatusCode::GATEWAY_TIMEOUT => self.batch.late(writes),
            Ok(answer) if answer.status().is_success() => self.batch.kept_up(writes),
            // The transport has a limit of its own, which is as long.
            Err(_) if begun.elapsed() * 10 >= self.rules.timeout * 9 => self.batch.late(writes),
            _ => {}
        }
        let answer = sent.map_err(|fault| Miss::unanswered(fault, repeatable))?;
        let seen = Seen::beside(answer.headers());
        self.lanes.learn(&seen);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(answer)
    }

    /// What comes of a refusal.
    pub(crate) fn refused(&self, refusal: Refusal, wait: Option<Duration>, repeatable: bool) -> Miss {
        if refusal.limited() {
            if matches!(refusal.code, 0 | codes::CONCURRENCY | codes::TIME | codes::BUSY) {
                self.lanes.too_many();
            }
            return Miss::Again { trouble: Trouble::Refused(refusal), wait };
        }
        match refusal.status {
            408 | 500 | 502..=599 => Line::broken(refusal, wait, repeatable),
            _ => Miss::Stop(Trouble::Refused(refusal)),
        }
    }

    /// The server, or what stands before it, is broken.
    pub(crate) fn broken(refusal: Refusal, wait: Option<Duration>, repeatable: bool) -> Miss {
        match repeatable {
            true => Miss::Again { trouble: Trouble::Refused(refusal), wait },
            false => Miss::Stop(Trouble::Lost(refusal.fault())),
        }
    }
}

/// Counts a request; without a status nothing was answered.
fn measured(op: &'static str, status: Option<StatusCode>, took: Duration) {
    let status = status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
    metrics::counter!("postroom_peer_requests_total", "connection" => "crm", "op" => op, "status" => status)
        .increment(1);
    metrics::histogram!("postroom_peer_seconds", "connection" => "crm", "op" => op).record(took);
}

/// `Retry-After` in seconds.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
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
