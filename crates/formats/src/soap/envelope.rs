//! The envelope: SOAP 1.1 for `/web`, 1.2 with WS-Addressing for the rest, and the headers that matter (dataverse.md E2).

use uuid::Uuid;

use super::fault::Fault;
use super::names::{ADDRESSING, ANONYMOUS, DIAGNOSTICS, SECEXT, SOAP11, SOAP12, UTILITY, XRM};
use super::value::guid;
use super::{Error, Generation, missing};
use crate::xml::{self, Element, Limits};

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
        let ns = self.soap.ns();
        let mut root = Element::new(ns, "Envelope");
        if self.soap == Soap::V12 {
            root = root.declare(ADDRESSING).declare(UTILITY);
        }
        let headers = self.headers.write(ns);
        if !headers.is_empty() || self.soap == Soap::V12 {
            root = root.with(Element::new(ns, "Header").with_all(headers));
        }
        xml::write(&root.with(Element::new(ns, "Body").with(self.body.clone())))
    }
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
