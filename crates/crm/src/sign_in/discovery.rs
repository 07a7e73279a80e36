//! Which organisations a user has, and where: the three generations of discovery services (dataverse.md D3,
//! protocol-annex.md 1.4, 3.1).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode};
use postroom_core::{Code, Fault, Ids, Verdict};
use postroom_formats::soap::discovery::{self, Question};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use serde::{Deserialize, Serialize};

use super::claims::{Claims, Signer as _};
use super::hosted::Hosted;
use super::refusal::{nonsense, refused};
use super::soap::{call, wrong_address};
use super::transport::{Anonymous, Transport};

/// Microsoft's global service. The sovereign clouds have their own.
pub const GLOBAL: &str = "https://globaldisco.crm.dynamics.com";

/// Endings of hosts in Microsoft's clouds, and each one's global service.
const CLOUDS: [(&str, &str); 5] = [
    ("crm9.dynamics.com", "https://globaldisco.crm9.dynamics.com"),
    ("dynamics.com", GLOBAL),
    ("microsoftdynamics.us", "https://globaldisco.crm.microsoftdynamics.us"),
    ("appsplatform.us", "https://globaldisco.crm.appsplatform.us"),
    ("dynamics.cn", "https://globaldisco.crm.dynamics.cn"),
];

/// The generations of discovery services, each at its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// [`Global`].
    Global(String),
    /// [`Service2011`].
    Service2011(String),
    /// [`Hosted`].
    Hosted(String),
}

impl Place {
    /// The service that an address names by its path.
    ///
    /// # Errors
    /// [`Code::CONFIG_INVALID`] when that is no address, or one without TLS elsewhere than here.
    pub fn at(url: &str) -> Result<Place, Fault> {
        safe(url)?;
        let url = url.trim().trim_end_matches('/').to_owned();
        let path = url.to_ascii_lowercase();
        Ok(match () {
            () if path.ends_with(".asmx") => Place::Hosted(url),
            () if path.ends_with("/discovery.svc") => Place::Service2011(url),
            () => Place::Global(url),
        })
    }

    /// Where the organisations of a server are told that has this address: its cloud's service, or its own.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn of_server(org_url: &str) -> Result<Place, Fault> {
        let root = safe(org_url)?;
        let uri: http::Uri = root.parse().map_err(|_| wrong_address(org_url))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong_address(org_url));
        };
        let host = authority.host().to_ascii_lowercase();
        let is_in = |cloud: &str| host.strip_suffix(cloud).is_some_and(|rest| rest.ends_with('.'));
        Ok(match CLOUDS.iter().find(|(cloud, _)| is_in(cloud)) {
            Some((_, global)) => Place::Global((*global).to_owned()),
            None => Place::Service2011(format!("{scheme}://{authority}/XRMServices/2011/Discovery.svc")),
        })
    }

    pub fn url(&self) -> &str {
        match self {
            Place::Global(url) | Place::Service2011(url) | Place::Hosted(url) => url,
        }
    }
}

/// An address that a password may be sent to.
fn safe(url: &str) -> Result<String, Fault> {
    let settings = crate::webapi::Settings::new(url);
    let settings =
        settings.map_err(|error| Fault::new(Verdict::Hold, Code::CONFIG_INVALID, error.to_string()))?;
    Ok(settings.org_url().to_owned())
}

/// An organisation and its addresses; those that its generation does not have are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Organization {
    pub unique_name: String,
    pub friendly_name: String,
    pub version: String,
    pub enabled: bool,
    /// The root, for people and for `/api/data`.
    pub web: Option<String>,
    /// `…/XRMServices/2011/Organization.svc`.
    pub organization_service: Option<String>,
    /// `…/2007/CrmService.asmx`, and its definitions.
    pub crm_service: Option<String>,
    pub metadata_service: Option<String>,
}

/// Somewhere to ask.
#[async_trait]
pub trait Discover: Send + Sync {
    async fn organizations(&self) -> Result<Vec<Organization>, Fault>;
}

/// The global service: OAuth tokens of users only.
pub struct Global {
    /// Signed in as a user for [`Global::url`].
    pub transport: Arc<dyn Transport>,
    /// [`GLOBAL`].
    pub url: String,
}

#[derive(Deserialize)]
struct Instances {
    value: Vec<Instance>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Instance {
    unique_name: String,
    friendly_name: String,
    version: String,
    url: Option<String>,
    /// 0 is enabled.
    state: i64,
}

#[async_trait]
impl Discover for Global {
    async fn organizations(&self) -> Result<Vec<Organization>, Fault> {
        let url = format!("{}/api/discovery/v2.0/Instances", self.url.trim_end_matches('/'));
        let request = Request::get(&url).header(http::header::ACCEPT, "application/json");
        let request = request.body(Bytes::new()).map_err(|_| wrong_address(&url))?;
        // It answers an application with 401 or 403, and some with an empty list.
        let only = "the global discovery service takes tokens of users only, not of applications: set org_url by hand";
        let answer = match self.transport.send(request).await {
            Err(fault) if fault.code == Code::CRM_SIGN_IN => return Err(refused(only)),
            answer => answer?,
        };
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(refused(only)),
            status if status.is_server_error() => {
                return Err(Fault::retry(Code::CRM_AWAY, format!("{url} is failing ({status})")));
            }
            status => return Err(nonsense(&format!("{url} answers {status}"))),
        }
        let read: Result<Instances, _> = serde_json::from_slice(answer.body());
        let read = read.map_err(|error| nonsense(&format!("{url}: {error}")))?;
        Ok(read.value.into_iter().map(Organization::from).collect())
    }
}

impl From<Instance> for Organization {
    fn from(from: Instance) -> Self {
        let service =
            |web: &String| format!("{}/XRMServices/2011/Organization.svc", web.trim_end_matches('/'));
        Organization {
            unique_name: from.unique_name,
            friendly_name: from.friendly_name,
            version: from.version,
            enabled: from.state == 0,
            organization_service: from.url.as_ref().map(service),
            web: from.url,
            ..Organization::default()
        }
    }
}

/// Discovery.svc of 2011: on premises, and the regional ones of Online.
pub struct Service2011 {
    /// `https://host/XRMServices/2011/Discovery.svc`.
    pub url: String,
    pub by: By,
    pub ids: Ids,
}

/// How Discovery.svc is signed in to.
pub enum By {
    /// Windows sign-in or a bearer token, at `…/Discovery.svc/web`.
    Transport(Arc<dyn Transport>),
    /// Claims for Discovery.svc itself.
    Claims { client: reqwest::Client, claims: Box<Claims> },
}

#[async_trait]
impl Discover for Service2011 {
    async fn organizations(&self) -> Result<Vec<Organization>, Fault> {
        let question = Question::Organizations;
        let answer = match &self.by {
            By::Transport(transport) => {
                let envelope = Envelope::new(Soap::V11, Headers::default(), question.write());
                call(&**transport, &format!("{}/web", self.url), &envelope, Some(discovery::ACTION)).await?
            }
            By::Claims { client, claims } => {
                let id = format!("urn:uuid:{}", self.ids.next());
                let security = Some(claims.header().await?);
                let headers =
                    Headers { security, ..Headers::request(discovery::ACTION, id, self.url.as_str()) };
                let envelope = Envelope::new(Soap::V12, headers, question.write());
                call(&Anonymous(client.clone()), &self.url, &envelope, None).await?
            }
        };
        if let Some(fault) = answer.fault {
            let said: String = fault.message.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(refused(&format!("the discovery service refused: {said}")));
        }
        let all = discovery::read_answer(&answer.body).map_err(|error| nonsense(&error.to_string()))?;
        Ok(all.into_iter().map(Organization::from).collect())
    }
}

impl From<discovery::Organization> for Organization {
    fn from(from: discovery::Organization) -> Self {
        let at =
            |kind: &str| from.endpoints.iter().find(|(known, _)| known == kind).map(|(_, url)| url.clone());
        Organization {
            web: at("WebApplication"),
            organization_service: at("OrganizationService"),
            enabled: from.state == "Enabled" || from.state.is_empty(),
            unique_name: from.unique_name,
            friendly_name: from.friendly_name,
            version: from.version,
            ..Organization::default()
        }
    }
}

#[async_trait]
impl Discover for Hosted {
    async fn organizations(&self) -> Result<Vec<Organization>, Fault> {
        let all = Hosted::organizations(self).await?;
        let some = |text: String| (!text.is_empty()).then_some(text);
        let organization = |from: postroom_formats::soap::crm4::Organization| Organization {
            unique_name: from.name,
            friendly_name: from.friendly_name,
            enabled: true,
            web: some(from.web_application),
            crm_service: some(from.crm_service),
            metadata_service: some(from.metadata_service),
            ..Organization::default()
        };
        Ok(all.into_iter().map(organization).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(org_url: &str, expected: Place) {
        assert_eq!(Place::of_server(org_url).unwrap(), expected);
    }

    #[test]
    fn each_server_has_its_service() {
        let own = |origin: &str| Place::Service2011(format!("{origin}/XRMServices/2011/Discovery.svc"));
        check("https://acme.crm4.dynamics.com", Place::Global(GLOBAL.into()));
        check(
            "https://acme.crm9.dynamics.com/",
            Place::Global("https://globaldisco.crm9.dynamics.com".into()),
        );
        check("https://crm.x.example:5555/Acme", own("https://crm.x.example:5555"));
        check("https://notdynamics.com", own("https://notdynamics.com"));
        assert!(Place::of_server("crm").is_err());
        assert!(Place::of_server("http://crm.x.example").is_err(), "a password would go in the clear");
    }

    #[test]
    fn an_address_names_its_generation() {
        assert_eq!(Place::at(GLOBAL).unwrap(), Place::Global(GLOBAL.into()));
        let svc = "https://x.example/XRMServices/2011/Discovery.svc";
        assert_eq!(Place::at(&format!("{svc}/")).unwrap(), Place::Service2011(svc.into()));
        let asmx = "https://x.example/MSCRMServices/2007/SPLA/CrmDiscoveryService.asmx";
        assert_eq!(Place::at(asmx).unwrap(), Place::Hosted(asmx.into()));
    }
}
