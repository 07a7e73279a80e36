//! OAuth 2 at Microsoft's identity platform (v2 with a scope, v1 with a resource) and at AD FS (dataverse.md D1, D2).
//!
//! A service signs in by client credentials: a secret or a certificate. AD FS has only the password grant for services.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;
use postroom_core::{Clock, Fault, Ids, Secret};
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::assertion::Certificate;
use super::connection::unanswered;
use super::policy::{Authority, authority};
use super::refusal;
use super::token::{Issue, Issued};
use crate::webapi::config::is_here;

/// Where Microsoft's identity platform is, outside the sovereign clouds.
pub const MICROSOFT: &str = "https://login.microsoftonline.com";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An endpoint that issues tokens, and what it wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    asks: Asks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Scope,
    Resource,
}

impl Endpoint {
    /// `{authority}/{tenant}/oauth2/v2.0/token`, with a scope.
    pub fn v2(authority: &str, tenant: &str) -> Self {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
        Endpoint { url, asks: Asks::Scope }
    }

    /// `{authority}/{tenant}/oauth2/token`, with a resource.
    pub fn v1(authority: &str, tenant: &str) -> Self {
        let url = format!("{}/{tenant}/oauth2/token", authority.trim_end_matches('/'));
        Endpoint { url, asks: Asks::Resource }
    }

    /// AD FS: `https://sts.example.com` gives `https://sts.example.com/adfs/oauth2/token`.
    pub fn adfs(host: &str) -> Self {
        Endpoint { url: format!("{}/adfs/oauth2/token", host.trim_end_matches('/')), asks: Asks::Resource }
    }

    /// The one beside the address to which the CRM sends people: `…/oauth2/authorize` gives `…/oauth2/token`. Microsoft's
    /// platform and AD FS both have it so.
    ///
    /// # Errors
    /// [`postroom_core::Verdict::Hold`] for another address, and for one without TLS that is not this machine's.
    pub fn beside(authority: &Authority) -> Result<Self, Fault> {
        let place = &authority.authorization;
        let uri: Option<http::Uri> = place.parse().ok();
        let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
        let safe = uri.as_ref().and_then(http::Uri::scheme_str) == Some("https") || is_here(host);
        match place.strip_suffix("/authorize") {
            Some(root) if safe => Ok(Endpoint { url: format!("{root}/token"), asks: Asks::Resource }),
            _ => Err(refusal::refused(&format!(
                "the CRM names {place:?} as the place to sign in, which is not used: set crm.tenant, or crm.authority"
            ))),
        }
    }

    fn target(&self, resource: &str) -> (&'static str, String) {
        match self.asks {
            // The scope of a resource is its address without a slash at the end.
            Asks::Scope => ("scope", format!("{}/.default", resource.trim_end_matches('/'))),
            Asks::Resource => ("resource", resource.to_owned()),
        }
    }
}

/// How a client proves that it is itself.
#[derive(Debug, Clone)]
pub enum Grant {
    Secret(Secret),
    Certificate(Arc<Certificate>),
    /// A user's password: AD FS only. Microsoft's platform refuses it for users with a second factor.
    Password {
        user: String,
        password: Secret,
    },
}

/// Asks one endpoint for tokens for one CRM. [`super::Kept`] keeps them.
pub struct OAuth {
    pub client: reqwest::Client,
    pub endpoint: Endpoint,
    pub client_id: String,
    pub grant: Grant,
    /// The CRM's address: `https://org.crm.dynamics.com`, or the web root that AD FS knows.
    pub resource: String,
    pub clock: Clock,
    pub ids: Ids,
}

/// What the endpoint answers, good or bad.
#[derive(Deserialize, Default)]
pub(super) struct Answer {
    pub access_token: Option<String>,
    /// v1 writes the number as a text.
    pub expires_in: Option<serde_json::Value>,
    pub error: Option<String>,
    pub error_description: Option<String>,
    #[serde(default)]
    pub error_codes: Vec<i64>,
}

impl OAuth {
    fn form(&self) -> Result<Vec<(&'static str, String)>, Fault> {
        let (key, target) = self.endpoint.target(&self.resource);
        let mut form = vec![("client_id", self.client_id.clone()), (key, target)];
        let kind = match &self.grant {
            Grant::Password { .. } => "password",
            Grant::Secret(_) | Grant::Certificate(_) => "client_credentials",
        };
        form.push(("grant_type", kind.to_owned()));
        match &self.grant {
            Grant::Secret(secret) => form.push(("client_secret", secret.expose().to_owned())),
            Grant::Certificate(certificate) => {
                let (now, id) = (self.clock.now(), self.ids.next());
                let assertion = certificate.assertion(&self.client_id, &self.endpoint.url, now, id)?;
                form.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
                form.push(("client_assertion", assertion.expose().to_owned()));
            }
            Grant::Password { user, password } => {
                form.push(("username", user.clone()));
                form.push(("password", password.expose().to_owned()));
            }
        }
        Ok(form)
    }

    fn read(&self, answer: Answer) -> Result<Issued, Fault> {
        let token = answer.access_token.filter(|token| !token.is_empty());
        let seconds = match answer.expires_in {
            Some(serde_json::Value::Number(number)) => number.as_i64(),
            Some(serde_json::Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        // RFC 6749 5.1 lets the life be left out.
        let life = SignedDuration::from_secs(seconds.unwrap_or(300).clamp(1, 366 * 86_400));
        let token = token.ok_or_else(|| refusal::nonsense("it has no access_token"))?;
        let expires = self.clock.now().checked_add(life).unwrap_or(jiff::Timestamp::MAX);
        Ok(Issued { token: Secret::new(token), expires })
    }
}

/// The same at the provider that the CRM itself names, found out when the first token is wanted.
pub struct AtCrm {
    client: reqwest::Client,
    org_url: String,
    client_id: String,
    grant: Grant,
    resource: Option<String>,
    clock: Clock,
    ids: Ids,
    found: OnceCell<OAuth>,
}

impl AtCrm {
    pub fn new(
        client: reqwest::Client,
        org_url: impl Into<String>,
        client_id: impl Into<String>,
        grant: Grant,
        clock: Clock,
        ids: Ids,
    ) -> Self {
        let (org_url, client_id) = (org_url.into(), client_id.into());
        AtCrm { client, org_url, client_id, grant, resource: None, clock, ids, found: OnceCell::new() }
    }

    /// Asks for tokens for this, whatever the CRM says.
    pub fn for_resource(self, resource: Option<String>) -> Self {
        AtCrm { resource, ..self }
    }

    async fn find(&self) -> Result<OAuth, Fault> {
        let Some(named) = authority(&self.client, &self.org_url).await? else {
            return Err(refusal::refused(
                "the CRM does not say where to sign in: set crm.tenant, or crm.authority",
            ));
        };
        let said = named.resource.clone().unwrap_or_else(|| self.org_url.clone());
        Ok(OAuth {
            client: self.client.clone(),
            endpoint: Endpoint::beside(&named)?,
            client_id: self.client_id.clone(),
            grant: self.grant.clone(),
            resource: self.resource.clone().unwrap_or(said),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        })
    }
}

#[async_trait]
impl Issue for AtCrm {
    async fn issue(&self) -> Result<Issued, Fault> {
        self.found.get_or_try_init(|| self.find()).await?.issue().await
    }
}

#[async_trait]
impl Issue for OAuth {
    async fn issue(&self) -> Result<Issued, Fault> {
        let request = self.client.post(&self.endpoint.url).form(&self.form()?);
        let lost = |error| {
            refusal::naming_authority(unanswered(
                &format!("the identity provider ({})", self.endpoint.url),
                error,
                true,
            ))
        };
        let response = request.header(http::header::ACCEPT, "application/json").send().await.map_err(lost)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(lost)?;
        let answer = serde_json::from_slice::<Answer>(&body);
        match answer {
            Ok(answer) if status.is_success() => self.read(answer),
            Err(_) if status.is_success() => Err(refusal::nonsense("it is no JSON")),
            answer => Err(refusal::explain(status, &headers, &answer.unwrap_or_default(), self.clock.now())),
        }
    }
}
