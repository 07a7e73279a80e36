//! A SOAP call of the sign-in itself: sent, and its answer taken apart.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use postroom_core::{Code, Fault, Verdict};
use postroom_formats::soap::envelope::{Envelope, Soap};
use postroom_formats::soap::fault;
use postroom_formats::xml::{Element, Limits};

use super::refusal;
use super::transport::Transport;

/// What came back.
pub(super) struct Answer {
    pub headers: HeaderMap,
    pub body: Element,
    pub fault: Option<fault::Fault>,
}

/// Tokens, policies and lists of organisations are small.
pub(super) fn limits() -> Limits {
    Limits { bytes: 8 << 20, nodes: 100_000, depth: 64 }
}

/// Sends an envelope and reads the answer. `action` is SOAP 1.1's header.
pub(super) async fn call(
    transport: &dyn Transport,
    url: &str,
    envelope: &Envelope,
    action: Option<&str>,
) -> Result<Answer, Fault> {
    let mut request = Request::post(url).header(CONTENT_TYPE, envelope.soap.content_type());
    if let (Soap::V11, Some(action)) = (envelope.soap, action) {
        request = request.header("SOAPAction", format!("\"{action}\""));
    }
    let request = request.body(Bytes::from(envelope.write())).map_err(|_| wrong_address(url))?;
    let answer = transport.send(request).await.map_err(asked_again)?;
    let status = answer.status();
    let read = std::str::from_utf8(answer.body()).ok().map(|text| Envelope::read(text, &limits()));
    let envelope = match read {
        Some(Ok(envelope)) => envelope,
        _ => return Err(no_soap(url, status, answer.headers())),
    };
    let fault = fault::Fault::read(&envelope.body).map_err(|error| refusal::nonsense(&error.to_string()))?;
    Ok(Answer { headers: answer.headers().clone(), body: envelope.body, fault })
}

/// Nothing is written by these calls: a lost answer is simply asked for again.
fn asked_again(mut fault: Fault) -> Fault {
    if fault.verdict == Verdict::Unknown {
        fault.verdict = Verdict::Retry { after: None };
    }
    fault
}

pub(super) fn wrong_address(url: &str) -> Fault {
    Fault::new(Verdict::Hold, Code::CONFIG_INVALID, format!("{url:?} is no address; write https://host/path"))
}

fn no_soap(url: &str, status: StatusCode, headers: &HeaderMap) -> Fault {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refusal::refused(&format!(
            "{url} refused the sign-in ({status}); check crm.username and crm.password, and that this address takes this kind of sign-in (crm.sign_in)"
        )),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Fault::new(
            Verdict::Retry { after: refusal::retry_after(headers) },
            Code::CRM_AWAY,
            format!("{url} is busy or failing ({status})"),
        ),
        status => refusal::nonsense(&format!("{url} answers no SOAP ({status})")),
    }
}

/// What to add to a refusal when the clocks differ.
pub(super) fn wrong_clock(answer: &Answer, now: Timestamp) -> String {
    refusal::skew(&answer.headers, now).map(|skew| format!("; {skew}")).unwrap_or_default()
}
