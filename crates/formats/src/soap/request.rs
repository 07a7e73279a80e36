//! What `Execute` carries: named messages with typed parameters, one by one or many at once (dataverse.md E5).
//!
//! A message is told by its name, never by its type: a real server publishes no request classes, and toolkits send a bare
//! `OrganizationRequest`.

use uuid::Uuid;

use super::fault::Fault;
use super::names::{GENERIC, XRM, XRM_2012, of_message};
use super::value::{Any, boolean, guid, int, members, pairs, say_guid, say_pairs};
use super::{Error, Generation, missing};
use crate::xml::sink::{Sink, Start};
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

    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        classed(to, at, &self.name, "Request", self.bare, |to| {
            say_pairs(to, PARAMETERS, XRM, &self.parameters, generation);
            match self.id {
                Some(id) => say_guid(to, Start::new(XRM, "RequestId"), id),
                None => to.maybe(Start::new(XRM, "RequestId"), None),
            }
            to.leaf(Start::new(XRM, "RequestName"), &self.name);
        });
    }
}

const PARAMETERS: Start<'static> = Start { declares: &[GENERIC], ..Start::new(XRM, "Parameters") };
const RESULTS: Start<'static> = Start { declares: &[GENERIC], ..Start::new(XRM, "Results") };

/// An element of the class of a message.
fn classed<S: Sink>(
    to: &mut S,
    at: Start<'_>,
    name: &str,
    ending: &str,
    bare: bool,
    content: impl FnOnce(&mut S),
) {
    let class = format!("{name}{ending}");
    let at = at.declares(&[XRM]);
    match of_message(name).filter(|_| !bare) {
        Some(ns) => to.within(at.kind(ns, &class), content),
        None => to.within(at, content),
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

    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        classed(to, at, &self.name, "Response", self.bare, |to| {
            to.leaf(Start::new(XRM, "ResponseName"), &self.name);
            say_pairs(to, RESULTS, XRM, &self.results, generation);
        });
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

    pub(crate) fn say(&self, to: &mut impl Sink, generation: Generation) {
        let at = |name| Start::new(XRM_2012, name);
        to.within(at("ExecuteMultipleResponseItem"), |to| {
            match &self.fault {
                Some(fault) => members(to, at("Fault"), &fault.members(generation)),
                None => to.maybe(at("Fault"), None),
            }
            to.leaf(at("RequestIndex"), &self.index.to_string());
            match &self.response {
                Some(response) => response.say(to, at("Response"), generation),
                None => to.maybe(at("Response"), None),
            }
        });
    }
}
