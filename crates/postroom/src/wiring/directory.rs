//! `[directory]` as the port that resolves Notes names.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Clock, Code, Directory};
use postroom_mail::directory::{Ages, Cached, Chain, Ldap, Options, Table};

use super::outgoing::{pin, secret, security};
use crate::config::{self, Config};
use crate::report::CliError;

/// How long one search may take: a lot of mail waits for it.
const SEARCH: Duration = Duration::from_secs(10);

/// The table first, then the server; `None` when neither is configured.
pub async fn directory(config: &Config, clock: &Clock) -> Result<Option<Arc<dyn Directory>>, CliError> {
    let wanted = &config.directory;
    let mut chain: Vec<Arc<dyn Directory>> = Vec::new();
    if !wanted.names.is_empty() {
        let pairs = wanted.names.iter().filter_map(config::NotesAlias::parts);
        chain.push(Arc::new(Table::new(pairs.map(|(name, address)| (name.to_owned(), address.to_owned())))));
    }
    if let Some(host) = &wanted.ldap_host {
        let bind = match wanted.ldap_bind_dn.as_ref().zip(wanted.ldap_password.as_ref()) {
            Some((dn, password)) => Some((dn.clone(), secret(password).await?)),
            None => None,
        };
        let options = Options {
            host: host.to_string(),
            port: wanted.ldap_port,
            security: security(wanted.ldap_tls),
            pin: pin(wanted.ldap_tls_pin.as_ref())?,
            roots: Vec::new(),
            bind,
            base: wanted.ldap_base.clone(),
            limit: SEARCH,
        };
        let ldap =
            Ldap::new(options).map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?;
        chain.push(Arc::new(Cached::new(ldap, clock.clone(), Ages::default())));
    }
    Ok((!chain.is_empty()).then(|| Arc::new(Chain(chain)) as Arc<dyn Directory>))
}
