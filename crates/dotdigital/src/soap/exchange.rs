//! One answer of the SOAP API: the body whole, a result to its sink, a fault to the refusal that REST would have made of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::HeaderMap;
use postroom_core::Fault;
use postroom_formats::soap::dotdigital::{Answer, read_answer};
use postroom_formats::xml::Limits;

use super::Call;
use super::ways::Shape;
use crate::ask::Ask;
use crate::client::{Client, Try, broken, unread};
use crate::refusal::Refusal;
use crate::sink::{Sink, Whole, unreadable};

impl Client {
    /// Reads what came back for a call.
    pub(crate) async fn hear(
        &self,
        ask: &Ask,
        call: &Call,
        mut answer: reqwest::Response,
        sink: &mut dyn Sink,
    ) -> Try {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut whole = Whole::default();
        loop {
            match answer.chunk().await {
                Ok(Some(part)) => {
                    if let Err(fault) = whole.take(&part) {
                        return unread(ask, fault);
                    }
                }
                Ok(None) => break,
                Err(error) => return broken(ask, error),
            }
        }
        let text = String::from_utf8_lossy(&whole.bytes);
        let read = read_answer(call.operation, &text, &Limits::default());
        match read {
            Ok(Answer::Fault(fault)) => self.refused(ask, Refusal::of_fault(&fault), &headers),
            _ if !status.is_success() => self.refused(ask, Refusal::read(status, &whole.bytes), &headers),
            Ok(Answer::Result(json)) => {
                self.taken();
                if json == "null" && ask.repeatable && ask.body.is_empty() && call.operation.answers_object()
                {
                    return self.refused(ask, Refusal::nothing(), &HeaderMap::new());
                }
                match hand_on(call.shape, json, ask.route, sink) {
                    Ok(()) => Try::Done(status),
                    Err(fault) => unread(ask, fault),
                }
            }
            Err(_) => unread(ask, unreadable(ask.route)),
        }
    }
}

fn hand_on(shape: Shape, json: String, route: &str, sink: &mut dyn Sink) -> Result<(), Fault> {
    let bytes = match shape {
        Shape::Same => Bytes::from(json),
        Shape::Member(name) => Bytes::from(format!("{{\"{name}\":{json}}}")),
        Shape::Bytes => {
            let text: Option<String> = serde_json::from_str(&json).map_err(|_| unreadable(route))?;
            let packed: String = text.unwrap_or_default().split_whitespace().collect();
            Bytes::from(BASE64.decode(packed).map_err(|_| unreadable(route))?)
        }
    };
    sink.begin();
    sink.take(&bytes)?;
    sink.end()
}
