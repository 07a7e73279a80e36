//! The services' descriptions, as real servers shape them (protocol-annex.md 1): `?wsdl` imports `?wsdl=wsdl0`, which holds
//! port type, binding and policy; `?xsd=xsdN` holds the types; `?singleWsdl` holds everything. Older clients walk the
//! imports, some look for the policy in `wsdl1`, newer ones take everything at once.
//!
//! The types are those of the contracts of 9.2 in `data/wsdl`; [`trim`] leaves out what this server does not publish.

mod policy;
mod trim;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use super::place::{Place, Service};
use super::{Door, Generation};
use crate::webapi::Reply;
use trim::{Schema, trimmed};

/// The schema sets made so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Described(Arc<Mutex<HashMap<Generation, Arc<Vec<Schema>>>>>);

macro_rules! files {
    ($($folder:literal: $($number:literal),+ $(,)?);+ $(;)?) => {
        $(&[$(($number, include_str!(concat!("../../../data/wsdl/", $folder, "/xsd", $number, ".xsd")))),+]),+
    };
}
const ORGANIZATION: &[(usize, &str)] =
    files!("organization": 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20);
const DISCOVERY: &[(usize, &str)] = files!("discovery": 0, 1, 2, 3);
/// Messages and port types.
const ORGANIZATION_PORT: &str = include_str!("../../../data/wsdl/organization/wsdl0.xml");
const DISCOVERY_PORT: &str = include_str!("../../../data/wsdl/discovery/wsdl0.xml");

const SERVICES: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Services";
const DISCOVERIES: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Discovery";

const OPERATIONS: &[&str] =
    &["Create", "Retrieve", "Update", "Delete", "Execute", "Associate", "Disassociate", "RetrieveMultiple"];

/// One service, described.
struct Description<'d> {
    door: &'d Door,
    service: Service,
    /// The URL of the service.
    url: String,
    /// What the SDK's version adds to every further URL.
    suffix: String,
    schemas: Arc<Vec<Schema>>,
}

/// Answers a GET of a description.
pub(super) fn answer(door: &Door, place: &Place, origin: &str) -> Option<Reply> {
    let asked = place.parameter("sdkversion");
    let own = door.settings.generation;
    let generation = asked.and_then(Generation::of_sdk).map_or(own, |sdk| sdk.min(own));
    let description = Description {
        door,
        service: place.service,
        url: escaped(&format!("{origin}{}", place.path)),
        suffix: asked.map_or_else(String::new, |version| format!("&amp;sdkversion={}", escaped(version))),
        schemas: schemas(door, place.service, generation),
    };
    let body = match (place.parameter("wsdl"), place.parameter("xsd")) {
        (Some(""), _) => Some(description.root()),
        (Some("wsdl0"), _) => Some(description.port(false)),
        (Some("wsdl1"), _) => Some(description.policy_alone()),
        (None, Some(name)) => description.schema(name),
        (None, None) if place.parameter("singlewsdl").is_some() => Some(description.port(true)),
        (None, None) => return None,
        (Some(_), _) => None,
    };
    let Some(body) = body else { return Some(Reply::empty(StatusCode::NOT_FOUND)) };
    let mut reply = Reply::empty(StatusCode::OK).header("content-type", "text/xml; charset=utf-8");
    reply.body = body.into();
    Some(reply)
}

fn schemas(door: &Door, service: Service, generation: Generation) -> Arc<Vec<Schema>> {
    if service == Service::Discovery {
        return Arc::new(trimmed(DISCOVERY, generation, false));
    }
    let mut known = door.described.0.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(generation).or_insert_with(|| Arc::new(trimmed(ORGANIZATION, generation, true))).clone()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Description<'_> {
    fn namespace(&self) -> &'static str {
        match self.service {
            Service::Organization => SERVICES,
            Service::Discovery => DISCOVERIES,
        }
    }

    fn name(&self) -> &'static str {
        match self.service {
            Service::Organization => "OrganizationService",
            Service::Discovery => "DiscoveryService",
        }
    }

    fn binding(&self) -> String {
        format!("CustomBinding_I{}", self.name())
    }

    fn head(&self, name: Option<&str>) -> String {
        let ns = self.namespace();
        let name = name.map_or_else(String::new, |name| format!(" name=\"{name}\""));
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<wsdl:definitions{name} targetNamespace=\"{ns}\" \
             xmlns:tns=\"{ns}\" xmlns:i0=\"{ns}\" xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" \
             xmlns:soap12=\"http://schemas.xmlsoap.org/wsdl/soap12/\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
             xmlns:wsp=\"http://schemas.xmlsoap.org/ws/2004/09/policy\" \
             xmlns:wsu=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd\" \
             xmlns:wsaw=\"http://www.w3.org/2006/05/addressing/wsdl\">\n"
        )
    }

    /// `?wsdl`: the service, and where the rest is.
    fn root(&self) -> String {
        let mut text = self.head(Some(self.name()));
        let (ns, url, suffix) = (self.namespace(), &self.url, &self.suffix);
        let _ = writeln!(text, "  <wsdl:import namespace=\"{ns}\" location=\"{url}?wsdl=wsdl0{suffix}\" />");
        text += "  <wsdl:types />\n";
        text += &self.service();
        text + "</wsdl:definitions>\n"
    }

    fn service(&self) -> String {
        let (name, binding, url) = (self.name(), self.binding(), &self.url);
        format!(
            "  <wsdl:service name=\"{name}\">\n    <wsdl:port name=\"{binding}\" binding=\"i0:{binding}\">\n      \
             <soap12:address location=\"{url}\" />\n    </wsdl:port>\n  </wsdl:service>\n"
        )
    }

    /// `?wsdl=wsdl0`; with `single` the types and the service stand in it.
    fn port(&self, single: bool) -> String {
        let mut text = self.head(single.then(|| self.name()));
        text += &self.policy();
        text += "  <wsdl:types>\n";
        if single {
            for schema in self.schemas.iter() {
                text += &schema.write(|_| None);
            }
        } else {
            let _ = writeln!(text, "    <xsd:schema targetNamespace=\"{}/Imports\">", self.namespace());
            for schema in self.schemas.iter() {
                let _ = writeln!(text, "      <xsd:import {}/>", self.import(schema));
            }
            text += "    </xsd:schema>\n";
        }
        text += "  </wsdl:types>\n  ";
        text += self.messages();
        text += &self.bound();
        if single {
            text += &self.service();
        }
        text + "</wsdl:definitions>\n"
    }

    /// `?wsdl=wsdl1`: for clients that look for the policy there.
    fn policy_alone(&self) -> String {
        self.head(None) + &self.policy() + "</wsdl:definitions>\n"
    }

    fn import(&self, schema: &Schema) -> String {
        let location = self.location(schema.number);
        match schema.namespace.as_str() {
            "" => format!("schemaLocation=\"{location}\" "),
            ns => format!("schemaLocation=\"{location}\" namespace=\"{ns}\" "),
        }
    }

    fn location(&self, number: usize) -> String {
        format!("{}?xsd=xsd{number}{}", self.url, self.suffix)
    }

    /// `?xsd=xsdN`
    fn schema(&self, name: &str) -> Option<String> {
        let number: usize = name.strip_prefix("xsd")?.parse().ok()?;
        let schema = self.schemas.iter().find(|schema| schema.number == number)?;
        let location = |ns: &str| {
            let to = self.schemas.iter().find(|schema| schema.namespace == ns)?;
            Some(self.location(to.number))
        };
        Some(format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{}", schema.write(location)))
    }

    fn messages(&self) -> &'static str {
        let inner = |text: &'static str| {
            let start = text.find("<wsdl:message").unwrap_or_default();
            let end = text.find("</wsdl:definitions>").unwrap_or(text.len());
            &text[start..end]
        };
        match self.service {
            Service::Organization => inner(ORGANIZATION_PORT),
            Service::Discovery => inner(DISCOVERY_PORT),
        }
    }

    fn policy(&self) -> String {
        policy::write(&self.door.settings.deployment, &format!("{}_policy", self.binding()))
    }

    fn bound(&self) -> String {
        let (binding, ns) = (self.binding(), self.namespace());
        let interface = format!("I{}", self.name());
        let (operations, fault): (&[&str], &str) = match self.service {
            Service::Organization => (OPERATIONS, "OrganizationServiceFaultFault"),
            Service::Discovery => (&["Execute"], "DiscoveryServiceFaultFault"),
        };
        let mut text = format!(
            "  <wsdl:binding name=\"{binding}\" type=\"i0:{interface}\">\n    <wsp:PolicyReference \
             URI=\"#{binding}_policy\" />\n    <soap12:binding transport=\"http://schemas.xmlsoap.org/soap/http\" />\n"
        );
        for name in operations {
            let _ = writeln!(
                text,
                "    <wsdl:operation name=\"{name}\">\n      <soap12:operation soapAction=\"{ns}/{interface}/{name}\" \
                 style=\"document\" />\n      <wsdl:input><soap12:body use=\"literal\" /></wsdl:input>\n      \
                 <wsdl:output><soap12:body use=\"literal\" /></wsdl:output>\n      <wsdl:fault name=\"{fault}\">\
                 <soap12:fault name=\"{fault}\" use=\"literal\" /></wsdl:fault>\n    </wsdl:operation>"
            );
        }
        text + "  </wsdl:binding>\n"
    }
}
