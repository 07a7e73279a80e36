//! Where access tokens come from: a secret, or a server that issues them, one for all mailboxes that name the same.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use postroom_core::{Clock, Code, Secret};
use postroom_mail::oauth::{Error, Issued, Options, Tokens};

use super::outgoing::secret;
use crate::config::secret::SecretRef;
use crate::config::{Imap, OAuth};
use crate::report::CliError;

/// Makes sources of tokens, and shares those that are the same.
pub struct Issuers {
    clock: Clock,
    /// By token URL, client and scope.
    known: HashMap<(String, String, Option<String>), Arc<Issued>>,
}

impl Issuers {
    pub fn new(clock: &Clock) -> Self {
        Issuers { clock: clock.clone(), known: HashMap::new() }
    }

    /// The tokens of a mailbox that signs in by xoauth2.
    pub async fn of(&mut self, imap: &Imap) -> Result<Arc<dyn Tokens>, CliError> {
        match (&imap.oauth, &imap.password) {
            (Some(oauth), _) => Ok(self.issued(oauth).await?),
            (None, Some(password)) => Ok(Arc::new(Kept(password.clone()))),
            (None, None) => {
                Err(CliError::new(Code::CONFIG_INVALID, "xoauth2 needs password, the token, or oauth"))
            }
        }
    }

    async fn issued(&mut self, oauth: &OAuth) -> Result<Arc<Issued>, CliError> {
        let key = (oauth.token_url.to_string(), oauth.client_id.clone(), oauth.scope.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let options = Options {
            token_url: oauth.token_url.to_string(),
            client_id: oauth.client_id.clone(),
            client_secret: secret(&oauth.client_secret).await?,
            scope: oauth.scope.clone(),
            roots: Vec::new(),
        };
        let made = Issued::new(options, self.clock.clone());
        let made = made.map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?;
        let made = Arc::new(made);
        self.known.insert(key, made.clone());
        Ok(made)
    }
}

/// A token that another program renews where it is kept: read anew each time.
#[derive(Debug)]
pub struct Kept(pub SecretRef);

#[async_trait]
impl Tokens for Kept {
    async fn token(&self) -> Result<Secret, Error> {
        self.0.read().await.map_err(|error| Error::Secret(error.to_string()))
    }

    /// Another one may lie there already.
    async fn refused(&self, token: &Secret) -> bool {
        self.0.read().await.is_ok_and(|now| now.expose() != token.expose())
    }
}
