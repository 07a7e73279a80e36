//! `[crm]` as a way to sign in. Files and secrets are read when the first request goes out, so that commands that ask
//! nothing of the CRM need none of them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use postroom_core::{Clock, Code, Fault, Ids, Secret, Verdict};
use postroom_crm::sign_in::assertion::Certificate;
use postroom_crm::sign_in::claims::{Claims, Signer};
use postroom_crm::sign_in::oauth::{AtCrm, Endpoint, Grant, MICROSOFT, OAuth};
use postroom_crm::sign_in::policy;
use postroom_crm::sign_in::transport::Anonymous;
use postroom_crm::sign_in::{Bearer, Connection, Kept, Token, Transport, Windows};
use postroom_formats::xml::Element;
use tokio::sync::OnceCell;

use crate::config::secret::SecretRef;
use crate::config::{Crm, CrmSignIn, HttpUrl};

/// Requests to the CRM, signed in as the configuration says.
pub struct SignedIn {
    crm: Crm,
    connection: Connection,
    /// The organisation's address, as the make takes it.
    org_url: String,
    clock: Clock,
    ids: Ids,
    made: OnceCell<Arc<dyn Transport>>,
}

impl SignedIn {
    pub fn new(crm: Crm, connection: Connection, org_url: String, clock: Clock, ids: Ids) -> Self {
        SignedIn { crm, connection, org_url, clock, ids, made: OnceCell::new() }
    }

    async fn make(&self) -> Result<Arc<dyn Transport>, Fault> {
        let way = self.crm.way_in().ok_or_else(|| held("crm.sign_in is missing"))?;
        Ok(match way {
            CrmSignIn::Token => self.bearer(Arc::new(Given(needed("token", self.crm.token.as_ref())?)))?,
            CrmSignIn::ClientSecret | CrmSignIn::ClientCertificate => self.as_application(way).await?,
            CrmSignIn::Adfs => self.at_adfs().await?,
            CrmSignIn::Windows => {
                let (user, password) = self.user().await?;
                let windows =
                    Windows::new(self.connection.clone(), &user, &password, None, self.clock.clone())?;
                Arc::new(windows)
            }
            // The messages are signed: see [`SignedMessages`].
            CrmSignIn::WsTrust => Arc::new(Anonymous(self.connection.client()?)),
        })
    }

    fn bearer(&self, token: Arc<dyn Token>) -> Result<Arc<dyn Transport>, Fault> {
        Ok(Arc::new(Bearer::new(self.connection.client()?, token)))
    }

    async fn as_application(&self, way: CrmSignIn) -> Result<Arc<dyn Transport>, Fault> {
        let grant = match way {
            CrmSignIn::ClientCertificate => {
                let file = needed("client_certificate", self.crm.client_certificate.as_ref())?;
                let pem = tokio::fs::read_to_string(&file)
                    .await
                    .map_err(|error| held(format!("{} cannot be read: {error}", file.display())))?;
                let key = read(&needed("client_private_key", self.crm.client_private_key.as_ref())?).await?;
                Grant::Certificate(Arc::new(Certificate::from_pem(&pem, &key)?))
            }
            _ => Grant::Secret(read(&needed("client_secret", self.crm.client_secret.as_ref())?).await?),
        };
        let endpoint = self.crm.tenant.as_ref().map(|tenant| {
            Endpoint::v2(self.crm.authority.as_ref().map_or(MICROSOFT, HttpUrl::as_ref), tenant)
        });
        self.by_oauth(endpoint, grant, false)
    }

    async fn at_adfs(&self) -> Result<Arc<dyn Transport>, Fault> {
        let (user, password) = self.user().await?;
        let endpoint = self.crm.authority.as_ref().map(|host| Endpoint::adfs(host.as_ref()));
        self.by_oauth(endpoint, Grant::Password { user, password }, true)
    }

    /// At an endpoint that is known, or at the one that the CRM names.
    fn by_oauth(
        &self,
        endpoint: Option<Endpoint>,
        grant: Grant,
        slash: bool,
    ) -> Result<Arc<dyn Transport>, Fault> {
        let (client, clock, ids) = (self.connection.client()?, self.clock.clone(), self.ids.clone());
        let client_id = needed("client_id", self.crm.client_id.as_ref())?;
        let resource = self.crm.resource.as_ref().map(|resource| self.resource(resource.as_ref(), slash));
        let Some(endpoint) = endpoint else {
            let found = AtCrm::new(client, &self.org_url, client_id, grant, clock.clone(), ids);
            return self.bearer(Arc::new(Kept::new(found.for_resource(resource), clock)));
        };
        let resource = resource.unwrap_or_else(|| self.resource(&self.org_url, slash));
        let oauth = OAuth { client, endpoint, client_id, grant, resource, clock: clock.clone(), ids };
        self.bearer(Arc::new(Kept::new(oauth, clock)))
    }

    /// AD FS knows a CRM by its web root with a slash at the end; the platform by its address alone.
    fn resource(&self, url: &str, slash: bool) -> String {
        let plain = url.trim_end_matches('/');
        if slash { format!("{plain}/") } else { plain.to_owned() }
    }

    /// Claims for the service at this address, by the token service that is set, or by the one that the CRM names.
    pub(super) async fn claims(&self, service: &str) -> Result<Claims, Fault> {
        let SignedIn { crm, connection, clock, ids, .. } = self;
        let client = connection.client()?;
        let (user, password) = self.user().await?;
        let sts = match &crm.authority {
            Some(url) => url.as_ref().to_owned(),
            None => policy::token_service(&client, service).await?,
        };
        Ok(Claims::new(client, sts, (&user, &password), service, clock.clone(), ids.clone()))
    }

    /// The user with his domain, and the password.
    pub(super) async fn user(&self) -> Result<(String, Secret), Fault> {
        let name = needed("username", self.crm.username.as_ref())?;
        let name = match &self.crm.domain {
            Some(domain) => format!("{domain}\\{name}"),
            None => name,
        };
        Ok((name, read(&needed("password", self.crm.password.as_ref())?).await?))
    }
}

#[async_trait]
impl Transport for SignedIn {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        self.made.get_or_try_init(|| self.make()).await?.send(request).await
    }
}

/// SOAP messages, each with a header signed by a token of the CRM's token service.
pub struct SignedMessages {
    sign_in: Arc<SignedIn>,
    /// The service's address: what the token is for.
    service: String,
    made: OnceCell<Claims>,
}

impl SignedMessages {
    pub fn new(sign_in: Arc<SignedIn>, service: String) -> Self {
        SignedMessages { sign_in, service, made: OnceCell::new() }
    }

    async fn make(&self) -> Result<Claims, Fault> {
        self.sign_in.claims(&self.service).await
    }
}

#[async_trait]
impl Signer for SignedMessages {
    async fn header(&self) -> Result<Element, Fault> {
        self.made.get_or_try_init(|| self.make()).await?.header().await
    }

    fn refused(&self) {
        if let Some(claims) = self.made.get() {
            claims.refused();
        }
    }
}

/// A token that another program may renew where it is kept: read anew each time.
struct Given(SecretRef);

#[async_trait]
impl Token for Given {
    async fn bearer(&self) -> Result<Secret, Fault> {
        read(&self.0).await
    }
}

async fn read(secret: &SecretRef) -> Result<Secret, Fault> {
    secret.read().await.map_err(|error| Fault::new(Verdict::Hold, error.code(), error.to_string()))
}

fn held(text: impl Into<String>) -> Fault {
    Fault::new(Verdict::Hold, Code::CONFIG_INVALID, text)
}

/// What the check of the configuration has seen to.
fn needed<T: Clone>(key: &str, value: Option<&T>) -> Result<T, Fault> {
    value.cloned().ok_or_else(|| held(format!("crm.{key} is missing")))
}
