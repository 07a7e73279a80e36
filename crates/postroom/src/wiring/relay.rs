//! `[relay]` as a listener whose inbox is the next hop.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Clock, Code, Ids};
use postroom_mail::listener::{
    Clients, Limits, Listener, Options, Ports, Protocol, Recipients, server_config,
};
use postroom_mail::relay::{self, Relay};
use postroom_mail::sender::{Auth, Limits as SenderLimits, Mechanism, Options as NextHop, SmtpSender};

use super::outgoing::{pin, secret, security};
use crate::app::{App, host_name};
use crate::config;
use crate::report::CliError;

/// The next hop's answer must come before the listener gives up, and that before its client does: a client that gave up
/// repeats a mail that is still being sent.
const ANSWER: Duration = Duration::from_secs(240);
const LISTENER: Duration = Duration::from_secs(540);
/// To the next hop at once: as many as the recipe of docs/STAMPING.md lets the mail server open to us.
const CONNECTIONS: usize = 20;

/// The listener, when the relay is enabled.
pub async fn listener(app: &App, ports: &Ports) -> Result<Option<Listener>, CliError> {
    let relay = &app.config.relay;
    if !relay.enabled {
        return Ok(None);
    }
    let inbox = Relay::new(options(relay), parts(app, next_hop(relay).await?));
    let clients = Clients::read(relay.clients.iter().map(config::Network::as_ref));
    let clients = clients.map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?;
    let recipients = Recipients::anyone_from(clients);
    let mut options = Options::new(Protocol::Smtp, relay.listen.get(), host_name(), recipients);
    options.limits = Limits {
        max_message: relay.max_message.get(),
        disk_reserve: app.config.storage.disk_reserve.get(),
        store: LISTENER,
        ..Limits::default()
    };
    if let Some((certificate, key)) = relay.tls_cert.as_ref().zip(relay.tls_key.as_ref()) {
        let config = server_config(certificate, key);
        options.tls = Some(config.map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))?);
    }
    let ports = Ports { inbox: Arc::new(inbox), ..ports.clone() };
    let bound = Listener::bind(options, ports).await;
    bound.map(Some).map_err(|error| CliError::new(Code::LISTEN_FAILED, error.to_string()))
}

fn options(relay: &config::Relay) -> relay::Options {
    relay::Options { patience: relay.patience.get(), ..relay::Options::new(host_name()) }
}

fn parts(app: &App, next: SmtpSender) -> relay::Ports {
    relay::Ports {
        stamper: Arc::new(app.stamping(app.config.relay.patience.get())),
        next: Arc::new(next),
        inbox: app.intake.clone(),
        clock: Clock::system(),
        ids: Ids::random(),
    }
}

/// Where stamped mail goes on.
pub async fn next_hop(relay: &config::Relay) -> Result<SmtpSender, CliError> {
    let host = relay.next_host.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut next = NextHop::new(host, relay.next_port, security(relay.next_tls), host_name());
    next.pin = pin(relay.next_tls_pin.as_ref())?;
    if let Some((user, password)) = relay.next_username.as_ref().zip(relay.next_password.as_ref()) {
        let secret = secret(password).await?;
        next.auth = Some(Auth::fixed(user.clone(), secret, Mechanism::Password));
    }
    next.limits = SenderLimits { answer: ANSWER, max_connections: CONNECTIONS, ..SenderLimits::default() };
    SmtpSender::new(next).map_err(|error| CliError::new(Code::CONFIG_INVALID, error.to_string()))
}
