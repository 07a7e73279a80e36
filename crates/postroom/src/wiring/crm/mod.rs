//! The CRM of the configuration: the embedded one, or one outside.
//!
//! Everybody works with the port ([`Make::port`]). What only one make can do is asked for by name: [`Make::embedded`] for
//! doors, imports and users, [`Make::outside`] for `postroom check crm`. A make outside is made in [`outside`], each kind in
//! one arm; signing in ([`sign_in`]) is the same for all. Nothing is asked of a CRM outside before it is needed, so that mail
//! comes in while it is away. [`discovery`] is for whoever does not know the address yet.

pub mod discovery;
pub mod sign_in;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{Clock, Code, Content, Crm, Fault, Ids};
use postroom_crm::outside::Outside;
use postroom_crm::sign_in::{Connection, Proxy};
use postroom_crm::soap::{self, Soap};
use postroom_crm::webapi::config::ConfigError;
use postroom_crm::webapi::{self, Bodies, WebApi};
use postroom_embedded::{Embedded, read_content};
use postroom_store::Store;

use super::outgoing::{pin, secret};
use crate::config::{self, Config, CrmKind, CrmSignIn};
use crate::report::CliError;
use sign_in::{SignedIn, SignedMessages};

/// The CRM, and what it can do beyond the port.
#[derive(Clone)]
pub enum Make {
    Embedded(Embedded),
    Outside(Elsewhere),
}

/// A CRM outside, and how it is reached.
#[derive(Clone)]
pub struct Elsewhere {
    pub crm: Arc<dyn Outside>,
    pub connection: Connection,
    pub org_url: String,
}

impl Make {
    /// The CRM of this configuration. Asks a CRM outside nothing.
    pub async fn open(config: &Config, store: &Store, clock: &Clock, ids: &Ids) -> Result<Make, CliError> {
        match config.crm.kind {
            CrmKind::Embedded => Ok(Make::Embedded(Embedded::open(store.clone(), clock.clone()).await?)),
            CrmKind::WebApi | CrmKind::Soap => Ok(Make::Outside(outside(config, store, clock, ids).await?)),
        }
    }

    pub fn port(&self) -> Arc<dyn Crm> {
        match self {
            Make::Embedded(embedded) => Arc::new(embedded.clone()),
            Make::Outside(elsewhere) => elsewhere.crm.clone(),
        }
    }

    pub fn embedded(&self) -> Option<&Embedded> {
        match self {
            Make::Embedded(embedded) => Some(embedded),
            Make::Outside(_) => None,
        }
    }

    pub fn outside(&self) -> Option<&Elsewhere> {
        match self {
            Make::Embedded(_) => None,
            Make::Outside(elsewhere) => Some(elsewhere),
        }
    }

    /// The embedded CRM for what no other can do.
    ///
    /// # Errors
    /// [`Code::CRM_OTHER`], when the CRM is outside.
    pub fn needs_embedded(&self, what: &str) -> Result<&Embedded, CliError> {
        self.embedded().ok_or_else(|| {
            CliError::new(
                Code::CRM_OTHER,
                format!("{what} is for the embedded CRM, and [crm] kind names another"),
            )
        })
    }
}

/// A CRM outside, by its kind.
async fn outside(config: &Config, store: &Store, clock: &Clock, ids: &Ids) -> Result<Elsewhere, CliError> {
    let keys = &config.crm;
    let connection = connection(keys).await?;
    let bodies = Arc::new(Kept(store.clone()));
    let sign_in = |org_url: &str| {
        let (clock, ids) = (clock.clone(), ids.clone());
        Arc::new(SignedIn::new(keys.clone(), connection.clone(), org_url.to_owned(), clock, ids))
    };
    let (crm, org_url): (Arc<dyn Outside>, String) = match keys.kind {
        CrmKind::WebApi => {
            let settings = web_api(keys)?;
            let org_url = settings.org_url().to_owned();
            let sign_in = sign_in(&org_url);
            (Arc::new(WebApi::new(settings, sign_in, bodies, clock.clone(), ids.clone())), org_url)
        }
        CrmKind::Soap => {
            let settings = soap(keys)?;
            let (org_url, service) = (settings.org_url().to_owned(), settings.service());
            let sign_in = sign_in(&org_url);
            let crm = Soap::new(settings, sign_in.clone(), bodies, clock.clone(), ids.clone());
            let crm = match keys.way_in() {
                Some(CrmSignIn::WsTrust) => crm.signed(Arc::new(SignedMessages::new(sign_in, service))),
                _ => crm,
            };
            (Arc::new(crm), org_url)
        }
        // The caller asks for none.
        CrmKind::Embedded => {
            return Err(CliError::new(Code::CONFIG_INVALID, "crm.kind names no CRM outside"));
        }
    };
    Ok(Elsewhere { crm, connection, org_url })
}

fn web_api(crm: &config::Crm) -> Result<webapi::Settings, CliError> {
    let mut settings = webapi::Settings::new(address(crm)).map_err(wrong_address)?;
    settings.version = crm.api_version.map(|version| version.as_str().to_owned());
    settings.share = share(crm);
    settings.timeout = crm.timeout.get();
    settings.patience = crm.patience.get();
    Ok(settings)
}

fn soap(crm: &config::Crm) -> Result<soap::Settings, CliError> {
    let mut settings = soap::Settings::new(address(crm)).map_err(wrong_address)?;
    settings.share = share(crm);
    settings.timeout = crm.timeout.get();
    settings.patience = crm.patience.get();
    Ok(settings)
}

fn address(crm: &config::Crm) -> &str {
    crm.org_url.as_ref().map(config::HttpUrl::as_ref).unwrap_or_default()
}

fn wrong_address(error: ConfigError) -> CliError {
    CliError::new(Code::CONFIG_INVALID, error.to_string())
}

fn host(url: &str) -> Option<String> {
    url.parse::<http::Uri>().ok()?.host().map(str::to_owned)
}

/// Per cent of the service protection's budget that is ours.
pub fn share(crm: &config::Crm) -> u32 {
    100_u32.saturating_sub(crm.leave_to_others)
}

async fn connection(crm: &config::Crm) -> Result<Connection, CliError> {
    let user = match (&crm.proxy_username, &crm.proxy_password) {
        (Some(user), Some(password)) => Some((user.clone(), secret(password).await?)),
        _ => None,
    };
    let proxy = crm.proxy.as_ref().map(|url| Proxy { url: url.to_string(), user });
    Ok(Connection {
        proxy,
        ca_file: crm.ca_file.clone(),
        pins: pin(crm.tls_pin.as_ref())?.into_iter().collect(),
        // An identity provider has a certificate of its own.
        pinned_host: host(address(crm)),
        timeout: crm.timeout.get(),
    })
}

/// Bodies that rows refer to lie in postroom's own store.
struct Kept(Store);

#[async_trait]
impl Bodies for Kept {
    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        read_content(&self.0, content).await
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    /// The pin is of this host's certificate.
    #[test]
    fn hosts_of_addresses() {
        assert_eq!(host("https://crm.x.example:5555/Contoso").as_deref(), Some("crm.x.example"));
        assert_eq!(host("https://127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(host(""), None);
    }
}
