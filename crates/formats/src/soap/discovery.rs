//! Discovery.svc of 2011: which organisations there are, and where (protocol-annex.md 1.4).

use uuid::Uuid;

use super::names::{DISCOVERY, GENERIC, XRM_2014};
use super::value::{Any, guid};
use super::{Error, missing};
use crate::xml::Element;

/// `a:Action` of the request.
pub const ACTION: &str =
    "http://schemas.microsoft.com/xrm/2011/Contracts/Discovery/IDiscoveryService/Execute";
/// `a:Action` of the answer.
pub const ANSWER_ACTION: &str =
    "http://schemas.microsoft.com/xrm/2011/Contracts/Discovery/IDiscoveryService/ExecuteResponse";

/// The pair's element in Discovery.svc. Clients match these two names literally.
const PAIR: &str = "KeyValuePairOfEndpointTypestringztYlk6OT";
/// The pair's element in `RetrieveCurrentOrganization`.
const PAIR_2014: &str = "KeyValuePairOfEndpointTypestringyDL0RVHi";

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    Organizations,
    /// By unique name.
    Organization(String),
}

/// An organisation: `OrganizationDetail`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Organization {
    /// By kind: `OrganizationService`, `WebApplication`, `OrganizationDataService`.
    pub endpoints: Vec<(String, String)>,
    pub friendly_name: String,
    pub id: Uuid,
    pub version: String,
    /// `Enabled` or `Disabled`.
    pub state: String,
    pub unique_name: String,
    pub url_name: String,
}

fn leaf(ns: &'static str, name: &'static str, text: &str) -> Element {
    Element::leaf(ns, name, text)
}

impl Question {
    /// Reads the element of a body.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let request = at.child("request").ok_or_else(|| missing("request"))?;
        match request.kind.as_ref().map(|kind| kind.local.as_str()) {
            Some("RetrieveOrganizationsRequest") => Ok(Question::Organizations),
            Some("RetrieveOrganizationRequest") => {
                let name = request.text_of("UniqueName").ok_or_else(|| missing("UniqueName"))?;
                Ok(Question::Organization(name.to_owned()))
            }
            other => Err(Error::Operation(other.unwrap_or("request").chars().take(80).collect())),
        }
    }

    /// The element of a body.
    pub fn write(&self) -> Element {
        let member = |name: &'static str, text: &str| leaf(DISCOVERY, name, text);
        let request = Element::new(DISCOVERY, "request").with(member("AccessType", "Default"));
        let request = match self {
            Question::Organizations => request
                .kind(DISCOVERY, "RetrieveOrganizationsRequest")
                .with(member("IsInternalCrossGeoServerRequest", "false"))
                .with(member("Release", "Current")),
            Question::Organization(name) => request
                .kind(DISCOVERY, "RetrieveOrganizationRequest")
                .with(member("Release", "Current"))
                .with(member("UniqueName", name)),
        };
        Element::new(DISCOVERY, "Execute").plain().with(request)
    }
}

/// The organisations of an answer's body.
pub fn read_answer(at: &Element) -> Result<Vec<Organization>, Error> {
    let result = at.child("ExecuteResult").ok_or_else(|| missing("ExecuteResult"))?;
    let single = result.child("Detail").into_iter();
    let all = result.child("Details").map(|details| &*details.children).unwrap_or_default();
    single.chain(all).map(Organization::read).collect()
}

/// The body's element that answers `question`.
pub fn write_answer(question: &Question, organizations: &[Organization]) -> Element {
    let details = organizations
        .iter()
        .map(|one| one.fill(Element::new(DISCOVERY, "OrganizationDetail"), DISCOVERY, PAIR));
    let result = Element::new(DISCOVERY, "ExecuteResult");
    let result = match question {
        Question::Organizations => result
            .kind(DISCOVERY, "RetrieveOrganizationsResponse")
            .with(Element::new(DISCOVERY, "Details").with_all(details)),
        Question::Organization(_) => result
            .kind(DISCOVERY, "RetrieveOrganizationResponse")
            .with_all(details.map(|detail| detail.renamed(DISCOVERY, "Detail")).take(1)),
    };
    Element::new(DISCOVERY, "ExecuteResponse").plain().with(result)
}

impl Organization {
    /// Reads an `OrganizationDetail` of either service.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let text = |name: &str| at.text_of(name).unwrap_or_default().to_owned();
        let endpoints = at.child("Endpoints").map(|list| &*list.children).unwrap_or_default();
        let endpoints = endpoints.iter().map(|pair| {
            let of = |name: &str| pair.text_of(name).unwrap_or_default().to_owned();
            (of("key"), of("value"))
        });
        let id = text("OrganizationId");
        Ok(Organization {
            endpoints: endpoints.collect(),
            friendly_name: text("FriendlyName"),
            id: if id.is_empty() { Uuid::nil() } else { guid(&id)? },
            version: text("OrganizationVersion"),
            state: text("State"),
            unique_name: text("UniqueName"),
            url_name: text("UrlName"),
        })
    }

    fn fill(&self, at: Element, ns: &'static str, pair: &'static str) -> Element {
        let endpoints = self.endpoints.iter().map(|(kind, url)| {
            Element::new(ns, pair).with(leaf(GENERIC, "key", kind)).with(leaf(GENERIC, "value", url))
        });
        at.with(Element::new(ns, "Endpoints").declare(GENERIC).with_all(endpoints))
            .with(leaf(ns, "FriendlyName", &self.friendly_name))
            .with(leaf(ns, "OrganizationId", &self.id.to_string()))
            .with(leaf(ns, "OrganizationVersion", &self.version))
            .with(leaf(ns, "State", &self.state))
            .with(leaf(ns, "UniqueName", &self.unique_name))
            .with(leaf(ns, "UrlName", &self.url_name))
    }

    /// The `Detail` of `RetrieveCurrentOrganization`.
    pub fn current(&self) -> Any {
        let at = Element::new(GENERIC, "value").kind(XRM_2014, "OrganizationDetail");
        Any::Raw(self.fill(at, XRM_2014, PAIR_2014))
    }
}
