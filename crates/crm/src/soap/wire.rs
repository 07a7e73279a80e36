//! One operation over the line, and what comes of its answer.
//!
//! A header of claims that is refused is made anew, once. The rules of repeating stand in [`crate::client::line`].

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use postroom_core::{Code, Fault, PeerAnswer, Verdict};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault;
use postroom_formats::soap::operation::Operation;
use postroom_formats::soap::reply::{Reply, Said};
use postroom_formats::soap::value::Any;
use postroom_formats::soap::{Error, Generation};
use postroom_formats::xml::Limits;

use super::refusal;
use super::service::Service;
use crate::client::line::{Line, Miss, Trouble, retry_after};
use crate::refusal::Refusal;

/// What is read of one answer at most.
const LIMITS: Limits = Limits { bytes: 256 << 20, nodes: 20_000_000, depth: 64 };
/// Answers above this are read on a thread of their own.
const LARGE: usize = 256 * 1024;

impl Service {
    /// Sends it, as often as the rules allow.
    pub(super) async fn exchange(
        &self,
        operation: &Operation,
        generation: Generation,
        repeatable: bool,
    ) -> Result<Said, Trouble> {
        let (mut tries, mut signed_again) = (self.line.tries(), false);
        loop {
            let tried = self.once(operation, generation, repeatable, &mut signed_again).await;
            if let Some(said) = tries.after(tried).await? {
                return Ok(said);
            }
        }
    }

    async fn once(
        &self,
        operation: &Operation,
        generation: Generation,
        repeatable: bool,
        signed_again: &mut bool,
    ) -> Result<Said, Miss> {
        let request = self.request(operation, generation).await;
        let request = request.map_err(|fault| Miss::Stop(Trouble::Fault(fault)))?;
        let answer = self.line.exchange(request, repeatable, writes(operation, repeatable)).await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        match read(answer).await {
            Ok(Reply::Said(said)) => {
                self.line.lanes.went_well();
                Ok(said)
            }
            Ok(Reply::Fault(fault)) => {
                Err(self.refused(&fault, (status, &headers), repeatable, signed_again))
            }
            Err(error) if status.is_success() => {
                let text = format!("the CRM's answer cannot be read: {error}");
                Err(Miss::lost(Fault::retry(Code::CRM_AWAY, text), repeatable))
            }
            Err(_) => Err(self.without_fault(status, &headers, repeatable)),
        }
    }

    async fn request(&self, operation: &Operation, generation: Generation) -> Result<Request<Bytes>, Fault> {
        let (service, action) = (self.settings.service(), operation.action());
        let (url, soap, headers) = match &self.claims {
            None => (format!("{service}/web"), Soap::V11, self.headers(generation)),
            Some(claims) => {
                let id = format!("urn:uuid:{}", self.line.ids.next());
                let headers = Headers {
                    security: Some(claims.header().await?),
                    client_version: self.headers(generation).client_version,
                    caller: self.caller,
                    ..Headers::request(action.as_str(), id, service.as_str())
                };
                (service, Soap::V12, headers)
            }
        };
        let mut request = Request::post(url).header(CONTENT_TYPE, soap.content_type());
        if soap == Soap::V11 {
            request = request.header("soapaction", format!("\"{action}\""));
        }
        let made = request.body(Bytes::from(Envelope::request(soap, &headers, operation, generation)));
        made.map_err(|error| Fault::bug("a request to the CRM could not be made").with_source(error))
    }

    /// Servers answer what came after 2011 only to clients that say they know it.
    fn headers(&self, generation: Generation) -> Headers {
        let version = match generation {
            Generation::Crm2011 => None,
            Generation::Crm2016 => Some("8.2.0.0"),
            Generation::Dataverse => Some("9.2.0.0"),
        };
        let client_version = version.map(str::to_owned);
        Headers { client_version, caller: self.caller, ..Headers::default() }
    }

    fn refused(
        &self,
        fault: &fault::Fault,
        (status, headers): (StatusCode, &HeaderMap),
        repeatable: bool,
        signed_again: &mut bool,
    ) -> Miss {
        let refusal = refusal::of(fault, status);
        let wait = fault.retry_after.and_then(|wait| Duration::try_from(wait).ok());
        let wait = wait.or_else(|| retry_after(headers));
        match (refusal.status, &self.claims) {
            (401, Some(claims)) => {
                claims.refused();
                match std::mem::replace(signed_again, true) {
                    false => Miss::Again { trouble: Trouble::Refused(refusal), wait: Some(Duration::ZERO) },
                    true => Miss::Stop(Trouble::Fault(no_claims(&refusal.message))),
                }
            }
            _ => self.line.refused(refusal, wait, repeatable),
        }
    }

    /// What a proxy or IIS answers in the service's place.
    fn without_fault(&self, status: StatusCode, headers: &HeaderMap, repeatable: bool) -> Miss {
        let text = match status {
            StatusCode::NOT_FOUND => {
                "there is no Organization.svc at this address; check the organisation's address"
            }
            _ => "",
        };
        let refusal = Refusal {
            status: status.as_u16(),
            code: 0,
            message: text.to_owned(),
            step: None,
            answer: PeerAnswer::of(b""),
        };
        match status.is_server_error() {
            // Nobody says here which message is not known.
            true => Line::broken(refusal, retry_after(headers), repeatable),
            false => self.line.refused(refusal, retry_after(headers), repeatable),
        }
    }
}

/// Writes in one message.
fn writes(operation: &Operation, repeatable: bool) -> usize {
    match operation {
        _ if repeatable => 0,
        Operation::Execute(request) => match request.get("Requests") {
            Some(Any::Requests(requests)) => requests.len(),
            _ => 1,
        },
        _ => 1,
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

fn no_claims(said: &str) -> Fault {
    let text = format!(
        "the CRM refuses the token service's fresh token: check the clocks, and that the organisation trusts this token service (it said: {said})"
    );
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, text)
}
