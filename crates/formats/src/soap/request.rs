//! What `Execute` carries: named messages with typed parameters, one by one or many at once (dataverse.md E5).
//!
//! A message is told by its name, never by its type: a real server publishes no request classes, and toolkits send a bare
//! `OrganizationRequest`.

use uuid::Uuid;

use super::fault::Fault;
use super::names::{XRM, XRM_2012, of_message};
use super::value::{Any, boolean, guid, int};
use super::{Error, Generation, missing};
use crate::soap::value::pairs;
use crate::xml::{Element, Name};

/// A message to the server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// `WhoAmI`, without the ending of its class.
    pub name: String,
    pub id: Option<Uuid>,
    pub parameters: Vec<(String, Any)>,
    /// It says no class of its own: a late-bound client, which may know none.
    pub bare: bool,
}

/// The server's answer to one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    pub name: String,
    pub results: Vec<(String, Any)>,
    /// Written without a class, for clients that know only what the WSDL publishes.
    pub bare: bool,
}

/// How `ExecuteMultiple` goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    pub continue_on_error: bool,
    pub return_responses: bool,
}

/// One answer of `ExecuteMultiple`.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseItem {
    pub fault: Option<Fault>,
    /// Which request, from 0.
    pub index: i32,
    pub response: Option<Response>,
}

/// The class's name without its ending, for messages that do not say their name.
pub(super) fn by_class(kind: Option<&Name>, ending: &str) -> Option<String> {
    kind?.local.strip_suffix(ending).filter(|name| *name != "Organization").map(str::to_owned)
}

impl Request {
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Request { bare: of_message(&name).is_none(), name, ..Request::default() }
    }

    pub fn with(mut self, parameter: impl Into<String>, value: Any) -> Self {
        self.parameters.push((parameter.into(), value));
        self
    }

    pub fn get(&self, parameter: &str) -> Option<&Any> {
        self.parameters.iter().find(|(name, _)| name == parameter).map(|(_, value)| value)
    }

    pub fn read(at: &Element) -> Result<Self, Error> {
        let name = at.text_of("RequestName").filter(|name| !name.is_empty()).map(str::to_owned);
        let name =
            name.or_else(|| by_class(at.kind.as_ref(), "Request")).ok_or_else(|| missing("RequestName"))?;
        let id = at.text_of("RequestId").filter(|id| !id.is_empty()).map(guid).transpose()?;
        let bare = at.kind.as_ref().is_none_or(|kind| kind.local == "OrganizationRequest");
        Ok(Request { name, id, parameters: pairs(at.child("Parameters"), Any::read)?, bare })
    }

    pub(crate) fn fill(&self, at: Element, generation: Generation) -> Element {
        let at = at.declare(XRM);
        let at = match of_message(&self.name).filter(|_| !self.bare) {
            Some(ns) => at.kind(ns, format!("{}Request", self.name)),
            None => at,
        };
        let parameters = Element::new(XRM, "Parameters");
        at.with(super::value::write_pairs(parameters, XRM, &self.parameters, generation))
            .with(Element::maybe(XRM, "RequestId", self.id.map(|id| id.to_string())))
            .with(Element::leaf(XRM, "RequestName", self.name.as_str()))
    }
}

impl Response {
    pub fn new(name: impl Into<String>) -> Self {
        Response { name: name.into(), ..Response::default() }
    }

    pub fn with(mut self, result: impl Into<String>, value: Any) -> Self {
        self.results.push((result.into(), value));
        self
    }

    /// The same without classes, its own and those of responses within.
    pub fn stripped(mut self) -> Self {
        self.bare = true;
        for (_, value) in &mut self.results {
            match value {
                Any::Responses(inner) => inner.iter_mut().for_each(|one| one.bare = true),
                Any::ResponseItems(items) => {
                    items
                        .iter_mut()
                        .filter_map(|item| item.response.as_mut())
                        .for_each(|one| one.bare = true);
                }
                _ => {}
            }
        }
        self
    }

    pub fn get(&self, result: &str) -> Option<&Any> {
        self.results.iter().find(|(name, _)| name == result).map(|(_, value)| value)
    }

    pub fn read(at: &Element) -> Result<Self, Error> {
        let name = at.text_of("ResponseName").filter(|name| !name.is_empty()).map(str::to_owned);
        let name =
            name.or_else(|| by_class(at.kind.as_ref(), "Response")).ok_or_else(|| missing("ResponseName"))?;
        Ok(Response { name, results: pairs(at.child("Results"), Any::read)?, bare: false })
    }

    pub(crate) fn fill(&self, at: Element, generation: Generation) -> Element {
        let at = at.declare(XRM);
        let at = match of_message(&self.name).filter(|_| !self.bare) {
            Some(ns) => at.kind(ns, format!("{}Response", self.name)),
            None => at,
        };
        let results = Element::new(XRM, "Results");
        at.with(Element::leaf(XRM, "ResponseName", self.name.as_str())).with(super::value::write_pairs(
            results,
            XRM,
            &self.results,
            generation,
        ))
    }
}

impl Settings {
    pub fn read(at: &Element) -> Result<Self, Error> {
        let flag = |name: &str| at.text_of(name).filter(|text| !text.is_empty()).map_or(Ok(false), boolean);
        Ok(Settings {
            continue_on_error: flag("ContinueOnError")?,
            return_responses: flag("ReturnResponses")?,
        })
    }

    pub(crate) fn members(self) -> Vec<Element> {
        vec![
            Element::leaf(XRM_2012, "ContinueOnError", self.continue_on_error.to_string()),
            Element::leaf(XRM_2012, "ReturnResponses", self.return_responses.to_string()),
        ]
    }
}

impl ResponseItem {
    pub fn read(at: &Element) -> Result<Self, Error> {
        let filled = |name: &str| at.child(name).filter(|child| !child.nil);
        Ok(ResponseItem {
            fault: filled("Fault").map(Fault::of_detail).transpose()?,
            index: at.text_of("RequestIndex").ok_or_else(|| missing("RequestIndex")).and_then(int)?,
            response: filled("Response").map(Response::read).transpose()?,
        })
    }

    pub(crate) fn write(&self, generation: Generation) -> Element {
        let fault = match &self.fault {
            Some(fault) => Element::new(XRM_2012, "Fault").with_all(fault.members(generation)),
            None => Element::null(XRM_2012, "Fault"),
        };
        let response = match &self.response {
            Some(response) => response.fill(Element::new(XRM_2012, "Response"), generation),
            None => Element::null(XRM_2012, "Response"),
        };
        let index = Element::leaf(XRM_2012, "RequestIndex", self.index.to_string());
        Element::new(XRM_2012, "ExecuteMultipleResponseItem").with(fault).with(index).with(response)
    }
}
