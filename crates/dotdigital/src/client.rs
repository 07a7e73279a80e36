//! One request over the wire, with the rules of regions, limits and repeats.
//!
//! * What may be repeated is repeated after 5xx, a broken connection and a time-out, with growing waits.
//! * What may be done once only is sent again when it is certain that nothing was done: no connection was made, or the
//!   service said so (429, the flat limit, "temporarily unavailable"). Otherwise the fault is `Unknown`.
//! * A limit is waited for as long as the settings' patience; a longer wait is handed on.
//! * 401 stops all calls of the API user for a while. 403 without a reason asks once where the account lives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use jiff::SignedDuration;
use postroom_core::{Clock, Code, Fault, Ids, Verdict};
use tokio::sync::{Mutex as Turn, Semaphore};

use crate::ask::Ask;
use crate::auth::{Credentials, Keys};
use crate::config::{Api, Settings};
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::region;
use crate::sink::{Sink, Whole, unreadable};
use crate::soap::{self, Call};
use crate::wire::Row;

/// Of a refusal.
const LARGEST_REFUSAL: usize = 1 << 20;
pub(crate) const ACCOUNT_INFO: &str = "/v2/account-info";

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The service says no.
    Refused(Refusal),
    /// It did not happen, or ([`Verdict::Unknown`]) nobody knows.
    Fault(Fault),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(refusal) => refusal.fault(),
            Trouble::Fault(fault) => fault,
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Fault(fault)
    }
}

/// What one try came to.
pub(crate) enum Try {
    Done(StatusCode),
    Again { trouble: Trouble, wait: Option<SignedDuration> },
    Stop(Trouble),
}

pub(crate) struct Client {
    pub settings: Settings,
    http: reqwest::Client,
    keys: Keys,
    limits: Limits,
    lanes: Semaphore,
    ids: Ids,
    calls: AtomicU64,
    endpoint: Mutex<Option<String>>,
    /// Where the account lives is asked by one task at a time.
    turn: Turn<()>,
}

impl Client {
    pub(crate) fn new(
        settings: Settings,
        http: reqwest::Client,
        credentials: Credentials,
        clock: Clock,
        ids: Ids,
    ) -> Client {
        Client {
            keys: Keys::new(credentials, clock.clone()),
            limits: Limits::new(clock, settings.reserve),
            lanes: Semaphore::new(settings.parallel.max(1)),
            endpoint: Mutex::new(settings.endpoint().map(str::to_owned)),
            turn: Turn::default(),
            http,
            ids,
            calls: AtomicU64::new(0),
            settings,
        }
    }

    /// Sends it, as often as the rules allow; the answer goes into the sink.
    pub(crate) async fn send(&self, ask: &Ask, sink: &mut dyn Sink) -> Result<StatusCode, Trouble> {
        let mut moved = false;
        loop {
            let origin = self.origin().await?;
            match self.send_to(&origin, ask, sink).await {
                Err(Trouble::Refused(refusal)) if refusal.elsewhere() && !moved => {
                    moved = true;
                    if !self.moves_from(&origin).await? {
                        return Err(Trouble::Refused(refusal));
                    }
                }
                answer => return answer,
            }
        }
    }

    /// Requests that have gone out.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// A whole answer and its status.
    pub(crate) async fn whole(&self, ask: &Ask) -> Result<(StatusCode, Vec<u8>), Trouble> {
        let mut sink = Whole::default();
        let status = self.send(ask, &mut sink).await?;
        Ok((status, sink.bytes))
    }

    /// Where everything goes.
    async fn origin(&self) -> Result<String, Fault> {
        if let Some(origin) = self.known_endpoint() {
            return Ok(origin);
        }
        let _turn = self.turn.lock().await;
        match self.known_endpoint() {
            Some(origin) => Ok(origin),
            None => self.ask_endpoint().await,
        }
    }

    pub(crate) fn known_endpoint(&self) -> Option<String> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Learns where the account lives; an answer that names no host means here.
    async fn ask_endpoint(&self) -> Result<String, Fault> {
        let base = self.settings.base().to_owned();
        let mut sink = Whole::object(ACCOUNT_INFO);
        let mut asked = self.send_to(&base, &Ask::get(ACCOUNT_INFO, &[]).urgent().by_rest(), &mut sink).await;
        // An account that takes SOAP alone says it by SOAP.
        if self.settings.api == Api::Soap && matches!(asked, Err(Trouble::Refused(_))) {
            asked = self.send_to(&base, &Ask::get(ACCOUNT_INFO, &[]).urgent(), &mut sink).await;
        }
        asked.map_err(|trouble| match trouble {
            Trouble::Refused(refusal) if refusal.elsewhere() => elsewhere(),
            other => other.into(),
        })?;
        let row = Row::read(&sink.bytes).map_err(|_| unreadable(ACCOUNT_INFO))?;
        self.learn_endpoint(&row)
    }

    /// Remembers the host that `account-info` names.
    pub(crate) fn learn_endpoint(&self, account: &Row<'_>) -> Result<String, Fault> {
        let base = self.settings.base();
        let properties = account.rows("properties");
        let property = properties.iter().find(|row| row.string("name").eq_ignore_ascii_case("ApiEndpoint"));
        let named = property.and_then(|row| row.some_text("value"));
        let origin = match named {
            None => base.to_owned(),
            Some(named) => region::believed(base, &named).ok_or_else(|| {
                let text = "Dotdigital names a host for this account that is not its own; nothing is sent there. Set the address of the account's region";
                Fault::new(Verdict::Hold, Code::MARKETING_REGION, text)
            })?,
        };
        *self.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin.clone());
        Ok(origin)
    }

    /// After a 403: whether the account lives elsewhere than where it was asked.
    async fn moves_from(&self, origin: &str) -> Result<bool, Fault> {
        let _turn = self.turn.lock().await;
        if self.known_endpoint().is_some_and(|known| known != origin) {
            return Ok(true);
        }
        Ok(self.ask_endpoint().await? != origin)
    }

    async fn send_to(&self, origin: &str, ask: &Ask, sink: &mut dyn Sink) -> Result<StatusCode, Trouble> {
        let (mut tried, mut waited) = (0, SignedDuration::ZERO);
        loop {
            if let Some(wait) = self.limits.take(ask.route, ask.urgent) {
                waited += wait;
                self.wait(wait, waited).await?;
                continue;
            }
            tried += 1;
            let (trouble, wait) = match self.once(origin, ask, sink).await {
                Try::Done(status) => return Ok(status),
                Try::Stop(trouble) => return Err(trouble),
                Try::Again { trouble, wait } => (trouble, wait),
            };
            if tried >= self.settings.tries {
                return Err(put_back(trouble, wait));
            }
            match wait {
                Some(wait) if wait > self.patience() => return Err(put_back(trouble, Some(wait))),
                Some(wait) => {
                    throttled(wait);
                    tokio::time::sleep(wait.unsigned_abs()).await;
                }
                None => tokio::time::sleep(self.pause(tried)).await,
            }
        }
    }

    /// Waits for a limit, when that is not too long.
    async fn wait(&self, wait: SignedDuration, waited: SignedDuration) -> Result<(), Fault> {
        if waited > self.patience() {
            let text = "the account's calls are spent for now; work goes on when Dotdigital allows";
            return Err(Fault::new(Verdict::Retry { after: Some(wait) }, Code::MARKETING_LIMIT, text));
        }
        throttled(wait);
        tokio::time::sleep(wait.unsigned_abs().max(Duration::from_millis(10))).await;
        Ok(())
    }

    fn patience(&self) -> SignedDuration {
        SignedDuration::try_from(self.settings.patience).unwrap_or(SignedDuration::MAX)
    }

    async fn once(&self, origin: &str, ask: &Ask, sink: &mut dyn Sink) -> Try {
        let (call, request) = match self.request(origin, ask) {
            Ok(ready) => ready,
            Err(fault) => return Try::Stop(Trouble::Fault(fault)),
        };
        let _lane = self.lanes.acquire().await.expect("the semaphore is never closed");
        self.calls.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let executed = self.http.execute(request).await;
        measured(ask, executed.as_ref().ok().map(reqwest::Response::status), began.elapsed());
        let mut answer = match executed {
            Ok(answer) => answer,
            Err(error) => return broken(ask, error),
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        tracing::debug!(event = "dotdigital.answer", method = %ask.method, route = ask.route, status = status.as_u16());
        self.limits.learn(ask.route, &headers);
        if let Some(call) = &call {
            return self.hear(ask, call, answer, sink).await;
        }
        if !status.is_success() {
            let body = refusal_body(&mut answer).await;
            return self.refused(ask, Refusal::read(status, &body), &headers);
        }
        self.taken();
        sink.begin();
        loop {
            match answer.chunk().await {
                Ok(Some(part)) => {
                    if let Err(fault) = sink.take(&part) {
                        return unread(ask, fault);
                    }
                }
                Ok(None) => break,
                Err(error) => return broken(ask, error),
            }
        }
        match sink.end() {
            Ok(()) => Try::Done(status),
            Err(fault) => unread(ask, fault),
        }
    }

    /// The service took the credentials.
    pub(crate) fn taken(&self) {
        self.keys.taken();
    }

    pub(crate) fn refused(&self, ask: &Ask, refusal: Refusal, headers: &HeaderMap) -> Try {
        if refusal.hour_spent() {
            let wait = Some(self.limits.flat());
            return Try::Again { trouble: Trouble::Refused(refusal), wait };
        }
        if refusal.tier_spent() {
            let wait = Some(self.limits.spent(ask.route, headers));
            return Try::Again { trouble: Trouble::Refused(refusal), wait };
        }
        if refusal.status == 401 {
            return Try::Stop(Trouble::Fault(self.keys.refused()));
        }
        let again = refusal.away() || refusal.broke_down() && ask.repeatable;
        match (again, refusal.broke_down()) {
            (true, _) => Try::Again { trouble: Trouble::Refused(refusal), wait: None },
            (false, true) => {
                Try::Stop(Trouble::Fault(lost(&format!("Dotdigital broke down ({})", refusal.status))))
            }
            (false, false) => Try::Stop(Trouble::Refused(refusal)),
        }
    }

    /// The request, and the call of the SOAP API that it is, if it is one.
    fn request(&self, origin: &str, ask: &Ask) -> Result<(Option<Call>, reqwest::Request), Fault> {
        let credentials = self.keys.get()?;
        let by_soap = self.settings.api == Api::Soap && !ask.by_rest;
        let call = by_soap.then(|| Call::of(ask)).transpose()?;
        let (method, url) = match &call {
            Some(_) => (Method::POST, format!("{origin}{}", soap::PATH)),
            None => (ask.method.clone(), ask.url(origin)),
        };
        let mut request = self
            .http
            .request(method, url)
            .timeout(self.settings.timeout)
            .basic_auth(&credentials.user, Some(credentials.password.expose()))
            .header("accept", if by_soap { "text/xml" } else { "application/json, */*;q=0.5" });
        if let Some(call) = &call {
            request = request
                .header("content-type", "text/xml; charset=utf-8")
                .header("soapaction", format!("\"{}\"", call.operation.action()))
                .body(call.envelope.clone());
        } else if let Some(spooled) = &ask.spooled {
            request = request.header("content-type", "application/json").body(spooled.body());
        } else if !ask.body.is_empty() {
            request = request.header("content-type", "application/json").body(ask.body.clone());
        } else if ask.method != Method::GET && ask.method != Method::DELETE {
            // Without a body the service still wants to be told that there is none.
            request = request.header("content-length", "0");
        }
        let request = request.build().map_err(|error| {
            Fault::bug("a request to Dotdigital could not be made").with_source(error.without_url())
        })?;
        Ok((call, request))
    }

    /// Full jitter: between nothing and a bound that doubles.
    fn pause(&self, tried: u32) -> Duration {
        let most = self.settings.pause.saturating_mul(1 << tried.min(8)).min(Duration::from_secs(30));
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(self.ids.next().as_u128() as u64 % most)
    }
}

/// Counts a request; without a status nothing was answered.
fn measured(ask: &Ask, status: Option<StatusCode>, took: Duration) {
    let op = if ask.repeatable { "read" } else { "write" };
    let status = status.map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
    metrics::counter!("postroom_peer_requests_total", "connection" => "dotdigital", "op" => op, "status" => status)
        .increment(1);
    metrics::histogram!("postroom_peer_seconds", "connection" => "dotdigital", "op" => op).record(took);
}

/// Counts time spent waiting for a limit, in whole seconds: what is shorter counts as one.
fn throttled(wait: SignedDuration) {
    let seconds = wait.unsigned_abs().as_millis().div_ceil(1000) as u64;
    metrics::counter!("postroom_peer_throttled_seconds_total", "connection" => "dotdigital")
        .increment(seconds);
}

async fn refusal_body(answer: &mut reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(part)) = answer.chunk().await {
        let room = LARGEST_REFUSAL.saturating_sub(body.len());
        body.extend_from_slice(&part[..part.len().min(room)]);
        if body.len() >= LARGEST_REFUSAL {
            break;
        }
    }
    body
}

/// The tries are used up: what the caller's own machinery does next.
fn put_back(trouble: Trouble, wait: Option<SignedDuration>) -> Trouble {
    match (trouble, wait) {
        (Trouble::Refused(refusal), Some(after)) => {
            Trouble::Fault(Fault { verdict: Verdict::Retry { after: Some(after) }, ..refusal.fault() })
        }
        (other, _) => other,
    }
}

/// The answer came, and it cannot be read: for what may be done once only, nobody knows what was done.
pub(crate) fn unread(ask: &Ask, fault: Fault) -> Try {
    match ask.repeatable {
        true => Try::Again { trouble: Trouble::Fault(fault), wait: None },
        false => Try::Stop(Trouble::Fault(Fault {
            verdict: Verdict::Unknown,
            code: Code::MARKETING_UNKNOWN,
            ..fault
        })),
    }
}

pub(crate) fn broken(ask: &Ask, error: reqwest::Error) -> Try {
    // Without the URL: it holds addresses of people.
    let error = error.without_url();
    if let Some(advice) = certificate(&error) {
        let text = format!("no safe connection to Dotdigital: {advice}");
        return Try::Stop(Trouble::Fault(
            Fault::new(Verdict::Hold, Code::MARKETING_TLS, text).with_source(error),
        ));
    }
    let connecting = error.is_connect();
    let text = match (connecting, error.is_timeout()) {
        (true, _) => "no connection to Dotdigital could be made",
        (_, true) => "Dotdigital did not answer in time",
        _ => "the connection to Dotdigital broke",
    };
    match ask.repeatable || connecting {
        true => {
            let fault = Fault::retry(Code::MARKETING_AWAY, text).with_source(error);
            Try::Again { trouble: Trouble::Fault(fault), wait: None }
        }
        false => Try::Stop(Trouble::Fault(lost(text).with_source(error))),
    }
}

fn lost(text: &str) -> Fault {
    let text = format!("{text} after the request left: whether it was done is not known");
    Fault::new(Verdict::Unknown, Code::MARKETING_UNKNOWN, text)
}

/// What to do when an error is about a certificate.
fn certificate(error: &reqwest::Error) -> Option<&'static str> {
    let mut at: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = at {
        let text = cause.to_string().to_lowercase();
        if text.contains("certificate") || text.contains("handshake") {
            let expired = text.contains("expired") || text.contains("not valid yet");
            return Some(match expired {
                true => "its certificate has run out, or this machine's clock is wrong",
                false => "its certificate is not believed; a proxy that opens TLS needs its CA named here",
            });
        }
        at = cause.source();
    }
    None
}

/// A 403 where every account should be known.
fn elsewhere() -> Fault {
    let text = "Dotdigital refuses the account at this address (403): set the address of the account's region, and check the API user's permissions";
    Fault::new(Verdict::Hold, Code::MARKETING_REGION, text)
}
