//! The name, the way there and the certificate, before anything is asked of the CRM.

use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use postroom_core::Code;
use postroom_formats::x509::Certificate;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Probe, State, Step};
use crate::sign_in::Connection;

/// A certificate that ends so soon is worth a word.
const SOON: i64 = 14;
/// A person waits.
const PATIENCE: Duration = Duration::from_secs(20);

const PIN: &str = "name the file of the private authority in crm.ca_file, or compare the fingerprint with the server's (openssl s_client -connect HOST:443 </dev/null | openssl x509 -noout -fingerprint -sha256) and set crm.tls_pin";

/// `name` and `tls`.
pub(super) async fn steps(probe: &Probe<'_>) -> Vec<Step> {
    let Some((tls, host, port)) = place(probe.org_url) else {
        return vec![Step::failed("name", "org_url names no host", "write https://host in crm.org_url")];
    };
    if let Some(proxy) = &probe.connection.proxy {
        let text = format!("the proxy {} looks the name up and connects", proxy.url);
        return vec![Step::skipped("name", text.clone()), Step::skipped("tls", text)];
    }
    let addresses: Vec<SocketAddr> = match timeout(PATIENCE, lookup_host((host.as_str(), port))).await {
        Ok(Ok(found)) => found.collect(),
        _ => Vec::new(),
    };
    if addresses.is_empty() {
        let fix =
            "check the host in crm.org_url, and that DNS works on this machine; behind a proxy set crm.proxy";
        let failed = Step::failed("name", format!("{host} has no address"), fix);
        return vec![Step { state: State::Away, ..failed }];
    }
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let named = Step::well("name", format!("{host} is {}", list.join(", ")));
    vec![named, secured(probe, tls, &host, &addresses).await]
}

/// Whether TLS is spoken, the host and the port.
fn place(url: &str) -> Option<(bool, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let tls = uri.scheme_str() == Some("https");
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    Some((tls, host, uri.port_u16().unwrap_or(if tls { 443 } else { 80 })))
}

async fn secured(probe: &Probe<'_>, tls: bool, host: &str, addresses: &[SocketAddr]) -> Step {
    let stream = match timeout(PATIENCE, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => stream,
        other => {
            let why = other.map_or("no answer in time".to_owned(), |answer| match answer {
                Err(error) => error.to_string(),
                Ok(_) => "no answer".to_owned(),
            });
            let text = format!("{host} cannot be connected to: {why}");
            let fix = "check crm.org_url, open the firewall to this host and port, or set crm.proxy";
            return Step { state: State::Away, ..Step::failed("tls", text, fix) };
        }
    };
    if !tls {
        return Step::well("tls", "none, to this machine itself");
    }
    match handshake(probe.connection, host, stream).await {
        Ok(certificate) => judged(&certificate, probe),
        Err(text) => Step::failed("tls", text, PIN),
    }
}

async fn handshake(connection: &Connection, host: &str, stream: TcpStream) -> Result<Certificate, String> {
    let config = connection.tls(&[b"http/1.1"]).map_err(|fault| fault.message)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no host name"))?;
    let connector = TlsConnector::from(std::sync::Arc::new(config));
    let stream = match timeout(PATIENCE, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let fault = crate::sign_in::connection::unreachable(host, &error.to_string(), true);
            let safe = fault.code == Code::CRM_TLS;
            return Err(if safe { fault.message } else { format!("{host} speaks no TLS: {error}") });
        }
        Err(_) => return Err(format!("{host} does not answer the TLS handshake")),
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    shown.map(|der| Certificate::read(der)).ok_or_else(|| format!("{host} shows no certificate"))
}

fn judged(certificate: &Certificate, probe: &Probe<'_>) -> Step {
    let print = certificate.fingerprint;
    let how = if probe.connection.pins.is_empty() { "trusted" } else { "the pinned one" };
    match certificate.days_left(probe.now) {
        Some(days) if days <= SOON => {
            Step::well("tls", format!("the certificate ends in {days} days; its fingerprint is {print}"))
                .with_fix("renew the server's certificate")
        }
        Some(days) => Step::well(
            "tls",
            format!("the certificate is {how} and good for {days} days; its fingerprint is {print}"),
        ),
        None => Step::well("tls", format!("the certificate is {how}; its fingerprint is {print}")),
    }
}
