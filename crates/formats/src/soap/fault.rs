//! Faults: what an error says on the wire, in each generation's members (dataverse.md E6, protocol-annex.md 0).

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::names::{DISPATCHER, GENERIC, SECEXT, SERIALIZATION, SOAP11, SOAP12, XRM, XRM_71, XSD};
use super::value::{guid, int, pairs, time};
use super::{Error, Generation};
use crate::xml::Element;

/// The key of the wait in `ErrorDetails`.
const RETRY_AFTER: &str = "Retry-After";

/// A fault of the organization service, or (with code 0) one of the channel below it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fault {
    /// `ErrorCode`: an HRESULT, negative for every error of the platform. 0 when the fault has no detail.
    pub code: i32,
    pub message: String,
    /// `ErrorDetails` without the wait.
    pub details: Vec<(String, String)>,
    /// How long the server asks to wait before the next try.
    pub retry_after: Option<SignedDuration>,
    pub trace: Option<String>,
    pub activity: Option<Uuid>,
    pub at: Option<Timestamp>,
    /// Of `ExecuteTransaction`: the request that failed, from 0.
    pub faulted_request: Option<i32>,
    pub inner: Option<Box<Fault>>,
    /// The server's own failure, not the sender's.
    pub receiver: bool,
    /// SOAP 1.2's second code, such as `FailedAuthentication` of WS-Security; 1.1 says it as the fault code.
    pub subcode: Option<String>,
}

impl Fault {
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Fault { code, message: message.into(), ..Fault::default() }
    }

    /// The fault that a body's element is; `None` when it is none.
    pub fn read(body: &Element) -> Result<Option<Fault>, Error> {
        if body.name.local != "Fault" || !(body.name.ns == *SOAP11 || body.name.ns == *SOAP12) {
            return Ok(None);
        }
        let detail = body.child("detail").or(body.child("Detail"));
        let detail = detail.and_then(|detail| detail.children.iter().find(|child| is_fault(child)));
        let mut fault = match detail {
            Some(detail) => Fault::of_detail(detail)?,
            None => Fault::default(),
        };
        let reason = body.child("Reason").and_then(|reason| reason.text_of("Text"));
        if let Some(reason) = reason.or(body.text_of("faultstring")).filter(|_| fault.message.is_empty()) {
            fault.message = reason.to_owned();
        }
        let code = body.child("Code");
        let value =
            code.and_then(|code| code.text_of("Value")).or(body.text_of("faultcode")).unwrap_or_default();
        let local = local(value);
        fault.receiver = matches!(local, "Receiver" | "Server" | "InternalServiceFault");
        let sub = code.and_then(|code| code.child("Subcode")).and_then(|sub| sub.text_of("Value"));
        let odd = (!matches!(local, "Sender" | "Client" | "Receiver" | "Server" | "")).then_some(local);
        // The namespace of a value that is a name stays unresolved: the local name is enough to tell these apart.
        fault.subcode = sub.map(self::local).or(odd).map(str::to_owned);
        Ok(Some(fault))
    }

    /// Reads the members of an `OrganizationServiceFault`.
    pub fn of_detail(at: &Element) -> Result<Fault, Error> {
        let text = |name: &str| at.text_of(name).filter(|text| !text.is_empty());
        let mut details = pairs(at.child("ErrorDetails"), |value| Ok(value.text.clone()))?;
        let wait = details.iter().position(|(key, _)| key == RETRY_AFTER).map(|at| details.remove(at).1);
        let inner = at.child("InnerFault").filter(|inner| !inner.nil);
        Ok(Fault {
            code: text("ErrorCode").map_or(Ok(0), int)?,
            message: at.child("Message").map(|message| message.text.clone()).unwrap_or_default(),
            details,
            retry_after: wait.as_deref().and_then(duration),
            trace: text("TraceText").map(str::to_owned),
            activity: text("ActivityId").map(guid).transpose()?.filter(|id| !id.is_nil()),
            at: text("Timestamp").map(time).transpose()?,
            faulted_request: text("FaultedRequestIndex").map(int).transpose()?,
            inner: inner.map(Fault::of_detail).transpose()?.map(Box::new),
            receiver: false,
            subcode: None,
        })
    }

    /// The members, base class first.
    pub(crate) fn members(&self, generation: Generation) -> Vec<Element> {
        let newest = generation >= Generation::Dataverse;
        let mut members = Vec::new();
        if newest {
            members.push(Element::leaf(XRM, "ActivityId", self.activity.unwrap_or_default().to_string()));
        }
        members.push(Element::leaf(XRM, "ErrorCode", self.code.to_string()));
        members.push(self.details());
        if newest {
            members.push(Element::null(XRM, "HelpLink"));
        }
        members.push(Element::leaf(XRM, "Message", self.message.as_str()));
        members.push(Element::leaf(XRM, "Timestamp", self.at.unwrap_or(Timestamp::UNIX_EPOCH).to_string()));
        if newest {
            members.push(Element::leaf(XRM, "ExceptionRetriable", self.retry_after.is_some().to_string()));
            members.push(Element::null(XRM, "ExceptionSource"));
        }
        members.push(match &self.inner {
            Some(inner) => Element::new(XRM, "InnerFault").with_all(inner.members(generation)),
            None => Element::null(XRM, "InnerFault"),
        });
        if newest {
            members.push(Element::null(XRM, "OriginalException"));
        }
        members.push(Element::maybe(XRM, "TraceText", self.trace.as_deref()));
        members
    }

    fn details(&self) -> Element {
        let pair = |key: &str, value: Element| {
            let key = Element::leaf(GENERIC, "key", key);
            Element::new(XRM, "KeyValuePairOfstringanyType").with(key).with(value)
        };
        let wait = self.retry_after.map(|wait| {
            let text = format!("PT{}S", wait.as_secs().max(0));
            pair(RETRY_AFTER, Element::leaf(GENERIC, "value", text).kind(SERIALIZATION, "duration"))
        });
        let others = self.details.iter().map(|(key, value)| {
            pair(key, Element::leaf(GENERIC, "value", value.as_str()).kind(XSD, "string"))
        });
        Element::new(XRM, "ErrorDetails").declare(GENERIC).with_all(wait).with_all(others)
    }

    /// The `s:Fault` of a body.
    pub(crate) fn write(&self, soap: &'static str, generation: Generation) -> Element {
        let detail = (self.code != 0).then(|| self.detail(generation));
        match soap {
            SOAP12 => self.of_soap12(detail),
            _ => self.of_soap11(detail),
        }
    }

    fn detail(&self, generation: Generation) -> Element {
        let members = self.members(generation);
        match self.faulted_request {
            Some(index) => Element::new(XRM_71, "ExecuteTransactionFault")
                .plain()
                .with_all(members)
                .with(Element::leaf(XRM_71, "FaultedRequestIndex", index.to_string())),
            None => Element::new(XRM, "OrganizationServiceFault").plain().with_all(members),
        }
    }

    fn of_soap11(&self, detail: Option<Element>) -> Element {
        let code = match (&self.subcode, self.receiver) {
            (Some(subcode), _) => coded(Element::new("", "faultcode"), subcode),
            (None, true) => Element::leaf("", "faultcode", "s:Server"),
            (None, false) => Element::leaf("", "faultcode", "s:Client"),
        };
        let reason = Element::leaf("", "faultstring", self.message.as_str());
        Element::new(SOAP11, "Fault")
            .with(code)
            .with(reason.attribute_in(crate::xml::XML, "lang", "en-US"))
            .with_all(detail.map(|detail| Element::new("", "detail").with(detail)))
    }

    fn of_soap12(&self, detail: Option<Element>) -> Element {
        let value = if self.receiver { "s:Receiver" } else { "s:Sender" };
        let subcode = self.subcode.as_deref().map(|subcode| {
            Element::new(SOAP12, "Subcode").with(coded(Element::new(SOAP12, "Value"), subcode))
        });
        let code = Element::new(SOAP12, "Code").with(Element::leaf(SOAP12, "Value", value)).with_all(subcode);
        let text = Element::leaf(SOAP12, "Text", self.message.as_str());
        Element::new(SOAP12, "Fault")
            .with(code)
            .with(Element::new(SOAP12, "Reason").with(text.attribute_in(crate::xml::XML, "lang", "en-US")))
            .with_all(detail.map(|detail| Element::new(SOAP12, "Detail").with(detail)))
    }
}

fn is_fault(detail: &Element) -> bool {
    detail.name.local.ends_with("Fault") && detail.child("ErrorCode").is_some()
}

/// A code as a name: WCF's own, or one of WS-Security. Their prefixes are fixed, because a name in text cannot be rewritten.
fn coded(mut at: Element, code: &str) -> Element {
    let (ns, prefix) = match code {
        "InternalServiceFault" | "ActionNotSupported" | "DeserializationFailed" => (DISPATCHER, "w"),
        _ => (SECEXT, "o"),
    };
    at.text = format!("{prefix}:{code}");
    at.declare(ns)
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// A wait: as a duration (`PT4M59S`), as .NET's `00:04:59`, or in seconds.
fn duration(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(SignedDuration::from_secs(i64::from(seconds)));
    }
    let clock: Option<Vec<i64>> = text.split(':').map(|part| part.split('.').next()?.parse().ok()).collect();
    match clock.as_deref() {
        Some([hours @ 0..=23, minutes @ 0..=59, seconds @ 0..=59]) => {
            Some(SignedDuration::from_secs(hours * 3600 + minutes * 60 + seconds))
        }
        _ => text.parse().ok(),
    }
}
