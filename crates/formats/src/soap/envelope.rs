//! The envelope: SOAP 1.1 for `/web`, 1.2 with WS-Addressing for the rest, and the headers that matter (dataverse.md E2).

use uuid::Uuid;

use super::fault::Fault;
use super::names::{ADDRESSING, ANONYMOUS, DIAGNOSTICS, SECEXT, SOAP11, SOAP12, UTILITY, XRM};
use super::operation::{Answer, Operation};
use super::value::{guid, members};
use super::{Error, Generation, missing};
use crate::xml::sink::{Sink, Start};
use crate::xml::{self, Element, Limits, Writer};

/// The two versions of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soap {
    V11,
    V12,
}

impl Soap {
    /// The envelope's namespace.
    pub fn ns(self) -> &'static str {
        match self {
            Soap::V11 => SOAP11,
            Soap::V12 => SOAP12,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Soap::V11 => "text/xml; charset=utf-8",
            Soap::V12 => "application/soap+xml; charset=utf-8",
        }
    }
}

/// What stands in the header.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Headers {
    pub action: Option<String>,
    pub message_id: Option<String>,
    /// An answer: the message that it answers.
    pub relates_to: Option<String>,
    pub reply_to: Option<String>,
    pub to: Option<String>,
    /// On whose behalf, by `systemuserid`: `CallerId`, `MSCRMCallerID`.
    pub caller: Option<Uuid>,
    /// On whose behalf, by directory object: `CallerObjectId`.
    pub caller_object: Option<Uuid>,
    pub client_version: Option<String>,
    /// An answer: the activity's correlation id.
    pub correlation: Option<Uuid>,
    /// `o:Security` as it stands; see [`super::trust`].
    pub security: Option<Element>,
}

/// A message: its version, headers and the one element of its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub soap: Soap,
    pub headers: Headers,
    pub body: Element,
}

impl Envelope {
    pub fn new(soap: Soap, headers: Headers, body: Element) -> Self {
        Envelope { soap, headers, body }
    }

    /// An answer with a fault.
    pub fn fault(soap: Soap, headers: Headers, fault: &Fault, generation: Generation) -> Self {
        Envelope::new(soap, headers, fault.write(soap.ns(), generation))
    }

    pub fn read(text: &str, limits: &Limits) -> Result<Self, Error> {
        let mut root = xml::read(text, limits)?;
        let soap = match root.name.ns.as_str() {
            SOAP11 if root.name.local == "Envelope" => Soap::V11,
            SOAP12 if root.name.local == "Envelope" => Soap::V12,
            _ => return Err(missing("Envelope")),
        };
        let headers = root.child("Header").map_or(Ok(Headers::default()), Headers::read)?;
        let body = root
            .children
            .iter_mut()
            .find(|child| child.is(soap.ns(), "Body"))
            .ok_or_else(|| missing("Body"))?;
        match body.children.is_empty() {
            true => Err(missing("content in Body")),
            false => Ok(Envelope { soap, headers, body: body.children.swap_remove(0) }),
        }
    }

    pub fn write(&self) -> String {
        around(self.soap, &self.headers, |to| to.element(&self.body))
    }

    /// The text of a message with this answer; there is never a tree of it.
    pub fn answer(soap: Soap, headers: &Headers, answer: &Answer, generation: Generation) -> String {
        around(soap, headers, |to| answer.say(to, generation))
    }

    /// The text of a message with this request; there is never a tree of it.
    pub fn request(soap: Soap, headers: &Headers, operation: &Operation, generation: Generation) -> String {
        around(soap, headers, |to| operation.say(to, generation))
    }
}

/// The text of a message whose body holds what `body` says.
pub(crate) fn around(soap: Soap, headers: &Headers, body: impl FnOnce(&mut Writer)) -> String {
    let ns = soap.ns();
    let mut writer = Writer::default();
    let root = Start::new(ns, "Envelope");
    let root = if soap == Soap::V12 { root.declares(&[ADDRESSING, UTILITY]) } else { root };
    writer.within(root, |to| {
        let headers = headers.write(ns);
        if !headers.is_empty() || soap == Soap::V12 {
            members(to, Start::new(ns, "Header"), &headers);
        }
        to.within(Start::new(ns, "Body"), body);
    });
    writer.finish()
}

impl Headers {
    /// Of a request in SOAP 1.2: `id` is `urn:uuid:…`.
    pub fn request(action: impl Into<String>, id: impl Into<String>, to: impl Into<String>) -> Self {
        Headers {
            action: Some(action.into()),
            message_id: Some(id.into()),
            reply_to: Some(ANONYMOUS.to_owned()),
            to: Some(to.into()),
            ..Headers::default()
        }
    }

    /// Of the answer to a request with these headers.
    pub fn answer(&self, action: impl Into<String>) -> Self {
        Headers { action: Some(action.into()), relates_to: self.message_id.clone(), ..Headers::default() }
    }

    fn read(at: &Element) -> Result<Self, Error> {
        let mut headers = Headers::default();
        for child in at.children.iter().filter(|child| !child.nil) {
            let text = child.text.trim();
            let filled = || (!text.is_empty()).then(|| text.to_owned());
            match (child.name.ns.as_str(), child.name.local.as_str()) {
                (ADDRESSING, "Action") => headers.action = filled(),
                (ADDRESSING, "MessageID") => headers.message_id = filled(),
                (ADDRESSING, "RelatesTo") => headers.relates_to = filled(),
                (ADDRESSING, "To") => headers.to = filled(),
                (ADDRESSING, "ReplyTo") => headers.reply_to = child.text_of("Address").map(str::to_owned),
                (SECEXT, "Security") => headers.security = Some(child.clone()),
                (DIAGNOSTICS, "ActivityId") => {
                    headers.correlation = child.get("CorrelationId").and_then(|id| guid(id).ok());
                }
                (XRM, "CallerId" | "MSCRMCallerID") if !text.is_empty() => headers.caller = Some(guid(text)?),
                (XRM, "CallerObjectId") if !text.is_empty() => headers.caller_object = Some(guid(text)?),
                (XRM, "SdkClientVersion") => headers.client_version = filled(),
                _ => {}
            }
        }
        // The SDK sends the nil id when it acts for nobody else.
        headers.caller = headers.caller.filter(|id| !id.is_nil());
        headers.caller_object = headers.caller_object.filter(|id| !id.is_nil());
        Ok(headers)
    }

    fn write(&self, soap: &'static str) -> Vec<Element> {
        let must = |element: Element| element.attribute_in(soap, "mustUnderstand", "1");
        let addressing = |name: &'static str, text: &Option<String>| {
            text.as_deref().map(|text| Element::leaf(ADDRESSING, name, text))
        };
        let own = |name: &'static str, text: Option<String>| {
            text.map(|text| Element::leaf(XRM, name, text).plain())
        };
        let reply_to = self.reply_to.as_deref().map(|address| {
            Element::new(ADDRESSING, "ReplyTo").with(Element::leaf(ADDRESSING, "Address", address))
        });
        let activity = self.correlation.map(|id| {
            Element::leaf(DIAGNOSTICS, "ActivityId", Uuid::nil().to_string())
                .plain()
                .attribute("CorrelationId", id.to_string())
        });
        let all = [
            addressing("Action", &self.action).map(must),
            own("SdkClientVersion", self.client_version.clone()),
            own("CallerId", self.caller.map(|id| id.to_string())),
            own("CallerObjectId", self.caller_object.map(|id| id.to_string())),
            addressing("MessageID", &self.message_id),
            addressing("RelatesTo", &self.relates_to),
            reply_to,
            addressing("To", &self.to).map(must),
            activity,
            self.security.clone(),
        ];
        all.into_iter().flatten().collect()
    }
}
