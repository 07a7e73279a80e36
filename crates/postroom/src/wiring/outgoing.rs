//! `[smtp_out]` as a sender and the rules of sending.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use postroom_core::{Clock, Code, Fault, Secret, address};
use postroom_mail::imap::{self, FolderName};
use postroom_mail::sender::{Auth, Limits, Mechanism, Options, Security, SmtpSender};
use postroom_mail::trust::dkim;
use postroom_tracking::sending::{self, SentCopy, Sign};

use super::issuers::{Issuers, Kept};
use super::watched;
use crate::config::{Config, SignIn, SmtpOut, Tls};
use crate::report::CliError;

/// The sender of `[smtp_out]`.
pub async fn sender(smtp_out: &SmtpOut, host_name: &str) -> Result<SmtpSender, CliError> {
    let hello = smtp_out.hostname.as_ref().map_or_else(|| host_name.to_owned(), ToString::to_string);
    let security = security(smtp_out.tls);
    let mut options = Options::new(smtp_out.host.to_string(), smtp_out.port, security, hello);
    options.pin = pin(smtp_out.tls_pin.as_ref())?;
    options.auth = match smtp_out.username.as_ref().zip(smtp_out.password.as_ref()) {
        Some((user, password)) => {
            let mechanism = mechanism(smtp_out.sign_in);
            Some(match mechanism {
                // It ends after an hour or so: another program puts the next one there.
                Mechanism::XOAuth2 => {
                    let (user, secret) = (user.clone(), Arc::new(Kept(password.clone())));
                    Auth { user, secret, mechanism }
                }
                _ => Auth::fixed(user, secret(password).await?, mechanism),
            })
        }
        None => None,
    };
    options.limits = Limits { max_connections: smtp_out.max_connections as usize, ..Limits::default() };
    SmtpSender::new(options).map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))
}

pub fn security(tls: Tls) -> Security {
    match tls {
        Tls::Implicit => Security::Implicit,
        Tls::Starttls => Security::StartTls,
        Tls::None => Security::None,
    }
}

/// The certificate that alone is believed.
pub fn pin<P: std::str::FromStr<Err: std::fmt::Display>>(
    pin: Option<&crate::config::Fingerprint>,
) -> Result<Option<P>, CliError> {
    let read = pin.map(|pin| pin.as_ref().parse::<P>()).transpose();
    read.map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))
}

fn mechanism(sign_in: SignIn) -> Mechanism {
    match sign_in {
        SignIn::Auto => Mechanism::Password,
        SignIn::Plain => Mechanism::Plain,
        SignIn::Login => Mechanism::Login,
        SignIn::Xoauth2 => Mechanism::XOAuth2,
    }
}

pub async fn secret(secret: &crate::config::secret::SecretRef) -> Result<Secret, CliError> {
    secret.read().await.map_err(|error| CliError::new(error.code(), error.to_string()))
}

/// The rules of sending.
pub fn rules(smtp_out: &SmtpOut) -> sending::Options {
    let span =
        |span: crate::config::Span| SignedDuration::try_from(span.get()).unwrap_or(SignedDuration::MAX);
    let addresses = smtp_out.senders.iter().map(|sender| address::normal(sender.as_ref()));
    let domains = smtp_out.sender_domains.iter().map(ToString::to_string);
    sending::Options {
        senders: addresses.chain(domains).collect(),
        max_recipients: smtp_out.max_recipients as usize,
        many_allowed: smtp_out.allow_many_recipients,
        per_record: u64::from(smtp_out.max_per_record),
        per_recipient: u64::from(smtp_out.max_per_recipient),
        reply_address: smtp_out.reply_address,
        bounce_address: smtp_out.bounce_address,
        give_up: span(smtp_out.give_up),
        resend_after: smtp_out.resend_unknown.then(|| span(smtp_out.resend_after)),
        ..sending::Options::default()
    }
}

/// Signs finished mail, when there is a key.
pub async fn sign(smtp_out: &SmtpOut) -> Result<Option<Sign>, CliError> {
    let (Some(domain), Some(selector), Some(key)) =
        (&smtp_out.dkim_domain, &smtp_out.dkim_selector, &smtp_out.dkim_private_key)
    else {
        return Ok(None);
    };
    let signer = dkim::Signer::new(domain.as_ref(), selector, &secret(key).await?)
        .map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?;
    let sign = move |raw: &[u8]| signer.sign(&Bytes::copy_from_slice(raw)).map(|signed| signed.to_vec());
    Ok(Some(Arc::new(sign)))
}

/// Puts copies into the Sent folders of mailboxes with IMAP.
pub struct IntoSent {
    /// Address in normal form, and its account.
    accounts: Vec<(String, imap::Account)>,
    dialer: imap::Dialer,
}

impl IntoSent {
    pub async fn new(config: &Config, clock: &Clock) -> Result<Self, CliError> {
        let (mut accounts, mut issuers) = (Vec::new(), Issuers::new(clock));
        for mailbox in config.mailboxes.values() {
            let Some(imap) = mailbox.imap.as_ref().filter(|_| !mailbox.is_journal()) else { continue };
            let account = watched::account(imap, &mut issuers).await?;
            let addresses = mailbox.all_addresses().map(|address| address::normal(address.as_ref()));
            accounts.extend(addresses.map(|address| (address, account.clone())));
        }
        Ok(IntoSent { accounts, dialer: imap::Dialer::default() })
    }
}

#[async_trait]
impl SentCopy for IntoSent {
    async fn keep(&self, from: &str, raw: Bytes) -> Result<(), Fault> {
        let Some((_, account)) = self.accounts.iter().find(|(address, _)| address == from) else {
            return Ok(()); // no mailbox of ours to put it into
        };
        let kept = imap::append(account, &self.dialer, &FolderName::Sent, raw).await;
        kept.map(drop).map_err(|error| Fault::retry(error.code(), error.sentence()))
    }
}
