//! Discovery and tickets of CRM 4.0's 2007 endpoint, which the CRM 2011 server answers too (protocol-annex.md 3.1).
//!
//! Not here: CrmService's typed entities. Source: the contract of `CrmDiscoveryService.asmx`.

use std::fmt;

use uuid::Uuid;

use super::value::guid;
use super::{Error, missing};
use crate::xml::Element;

/// Everything of the discovery messages.
pub const NAMESPACE: &str = "http://schemas.microsoft.com/crm/2007/CrmDiscoveryService";
/// `SOAPAction` of the request.
pub const ACTION: &str = "http://schemas.microsoft.com/crm/2007/CrmDiscoveryService/Execute";
const WEB_SERVICES: &str = "http://schemas.microsoft.com/crm/2007/WebServices";
const CORE_TYPES: &str = "http://schemas.microsoft.com/crm/2007/CoreTypes";

/// What a client asks. Its password shows in no debug output.
#[derive(Clone, PartialEq, Eq)]
pub enum Question {
    Organizations { user: String, password: String },
    Ticket { organization: String, user: String, password: String },
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Organizations { user, .. } => write!(f, "Organizations of {user:?}"),
            Question::Ticket { organization, user, .. } => {
                write!(f, "Ticket of {user:?} for {organization:?}")
            }
        }
    }
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Organizations(Vec<Organization>),
    Ticket { ticket: String, organization: Organization, expires: String },
}

/// An organisation and its three addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Organization {
    pub id: Uuid,
    pub name: String,
    pub friendly_name: String,
    pub metadata_service: String,
    pub crm_service: String,
    pub web_application: String,
}

/// How a caller proves itself to CrmService: the header `CrmAuthenticationToken`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    /// 0 Windows, 1 Passport, 2 hosted ("SPLA", internet facing).
    pub kind: u8,
    pub ticket: Option<String>,
    pub organization: String,
    /// On whose behalf; nil for nobody else's.
    pub caller: Uuid,
}

fn leaf(name: &'static str, text: &str) -> Element {
    Element::leaf(NAMESPACE, name, text)
}

fn text(at: &Element, name: &str) -> Result<String, Error> {
    at.text_of(name).map(str::to_owned).ok_or_else(|| missing(name))
}

impl Question {
    /// Reads the element of a body.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let request = at.child("Request").ok_or_else(|| missing("Request"))?;
        // White space may be part of a password.
        let password = request.child("Password").map(|password| password.text.clone());
        let (user, password) = (text(request, "UserId")?, password.ok_or_else(|| missing("Password"))?);
        match request.kind.as_ref().map(|kind| kind.local.as_str()) {
            Some("RetrieveOrganizationsRequest") => Ok(Question::Organizations { user, password }),
            Some("RetrieveCrmTicketRequest") => {
                Ok(Question::Ticket { organization: text(request, "OrganizationName")?, user, password })
            }
            other => Err(Error::Operation(other.unwrap_or("Request").chars().take(80).collect())),
        }
    }

    /// The element of a body.
    pub fn write(&self) -> Element {
        let request = Element::new(NAMESPACE, "Request");
        let (request, user, password) = match self {
            Question::Organizations { user, password } => {
                (request.kind(NAMESPACE, "RetrieveOrganizationsRequest"), user, password)
            }
            Question::Ticket { organization, user, password } => {
                let request = request.kind(NAMESPACE, "RetrieveCrmTicketRequest");
                (request.with(leaf("OrganizationName", organization)), user, password)
            }
        };
        let request = request.with(leaf("UserId", user)).with(leaf("Password", password));
        Element::new(NAMESPACE, "Execute").plain().with(request)
    }
}

impl Answer {
    /// Reads the element of a body.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let response = at.child("Response").ok_or_else(|| missing("Response"))?;
        match response.kind.as_ref().map(|kind| kind.local.as_str()) {
            Some("RetrieveOrganizationsResponse") => {
                let details =
                    response.child("OrganizationDetails").map(|list| &*list.children).unwrap_or_default();
                details.iter().map(Organization::read).collect::<Result<_, _>>().map(Answer::Organizations)
            }
            Some("RetrieveCrmTicketResponse") => {
                let detail =
                    response.child("OrganizationDetail").ok_or_else(|| missing("OrganizationDetail"))?;
                let (ticket, expires) = (text(response, "CrmTicket")?, text(response, "ExpirationDate")?);
                Ok(Answer::Ticket { ticket, organization: Organization::read(detail)?, expires })
            }
            other => Err(Error::Operation(other.unwrap_or("Response").chars().take(80).collect())),
        }
    }

    /// The element of a body.
    pub fn write(&self) -> Element {
        let response = Element::new(NAMESPACE, "Response");
        let response = match self {
            Answer::Organizations(all) => {
                let details = Element::new(NAMESPACE, "OrganizationDetails");
                response
                    .kind(NAMESPACE, "RetrieveOrganizationsResponse")
                    .with(details.with_all(all.iter().map(Organization::write)))
            }
            Answer::Ticket { ticket, organization, expires } => response
                .kind(NAMESPACE, "RetrieveCrmTicketResponse")
                .with(leaf("CrmTicket", ticket))
                .with(organization.write())
                .with(leaf("ExpirationDate", expires)),
        };
        Element::new(NAMESPACE, "ExecuteResponse").plain().with(response)
    }
}

impl Organization {
    fn read(at: &Element) -> Result<Self, Error> {
        let text = |name: &str| at.text_of(name).unwrap_or_default().to_owned();
        Ok(Organization {
            id: guid(&self::text(at, "OrganizationId")?)?,
            name: text("OrganizationName"),
            friendly_name: text("FriendlyName"),
            metadata_service: text("CrmMetadataServiceUrl"),
            crm_service: text("CrmServiceUrl"),
            web_application: text("WebApplicationUrl"),
        })
    }

    fn write(&self) -> Element {
        Element::new(NAMESPACE, "OrganizationDetail")
            .with(leaf("OrganizationId", &self.id.to_string()))
            .with(leaf("OrganizationName", &self.name))
            .with(leaf("FriendlyName", &self.friendly_name))
            .with(leaf("CrmMetadataServiceUrl", &self.metadata_service))
            .with(leaf("CrmServiceUrl", &self.crm_service))
            .with(leaf("WebApplicationUrl", &self.web_application))
    }
}

impl Token {
    /// Reads the header; the ticket may be missing, because some clients send it as a cookie.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let kind = at.text_of("AuthenticationType").unwrap_or("0");
        let caller = at.text_of("CallerId").filter(|id| !id.is_empty());
        Ok(Token {
            kind: kind.parse().map_err(|_| super::wrong("an authentication type", kind))?,
            ticket: at.text_of("CrmTicket").filter(|ticket| !ticket.is_empty()).map(str::to_owned),
            organization: text(at, "OrganizationName")?,
            caller: caller.map_or(Ok(Uuid::nil()), guid)?,
        })
    }

    /// The header element, its children in the order of the contract.
    pub fn write(&self) -> Element {
        let leaf = |name: &'static str, text: String| Element::leaf(CORE_TYPES, name, text).plain();
        Element::new(WEB_SERVICES, "CrmAuthenticationToken")
            .plain()
            .with(leaf("AuthenticationType", self.kind.to_string()))
            .with_all(self.ticket.clone().map(|ticket| leaf("CrmTicket", ticket)))
            .with(leaf("OrganizationName", self.organization.clone()))
            .with(leaf("CallerId", self.caller.to_string()))
    }
}
