//! Where the mailbox of an address may be: SRV records (RFC 6186), the settings that its domain publishes for mail programs
//! (autoconfig), the usual names, and the hosts that take its mail.
//!
//! A guess is for a person to confirm; nothing is signed in to.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::RecordType;
use postroom_formats::autoconfig;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use super::account::TlsMode;
use crate::http::{self, Endpoint};
use crate::sender::{Security, tls};

/// A person waits for it.
const PAGE: Duration = Duration::from_secs(5);

/// What DNS knows, so that tests need no network. An empty list means that there is no such record.
#[async_trait]
pub trait Names: Send + Sync {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;

    /// Services of a name such as `_imaps._tcp.example.org`.
    async fn srv(&self, name: &str) -> io::Result<Vec<Srv>>;

    /// The hosts that take a domain's mail, the preferred first.
    async fn mx(&self, domain: &str) -> io::Result<Vec<String>>;
}

/// What the web knows, so that tests need no network.
#[async_trait]
pub trait Pages: Send + Sync {
    /// The page at an https address; `None` when there is none to be had soon.
    async fn page(&self, url: &str) -> Option<Vec<u8>>;
}

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub host: String,
}

/// A server that may hold the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub host: String,
    pub port: u16,
    pub tls: TlsMode,
    /// How it was found, for the person who chooses.
    pub from: &'static str,
}

/// Candidates for the mailbox of an address, the most likely first; each host and port once, and only hosts that exist.
pub async fn guess(address: &str, names: &dyn Names, pages: &dyn Pages) -> Vec<Candidate> {
    let Some((_, domain)) = address.rsplit_once('@') else { return Vec::new() };
    let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
    let mut found = Vec::new();
    for (service, tls) in [("_imaps._tcp", TlsMode::Implicit), ("_imap._tcp", TlsMode::StartTls)] {
        let mut records = names.srv(&format!("{service}.{domain}")).await.unwrap_or_default();
        records.sort_by_key(|record| (record.priority, std::cmp::Reverse(record.weight)));
        // RFC 2782: "." says that the service is not offered.
        records.retain(|record| !record.host.trim_end_matches('.').is_empty());
        for Srv { port, host, .. } in records {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            found.push(Candidate { host, port, tls, from: "the domain's SRV record" });
        }
    }
    found.extend(published(&domain, pages).await);
    for label in ["imap", "mail", "imaps"] {
        found.extend(both(&format!("{label}.{domain}"), "a usual name in the domain"));
    }
    for host in names.mx(&domain).await.unwrap_or_default() {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if let Some((_, parent)) = host.split_once('.') {
            found.extend(both(&format!("imap.{parent}"), "a usual name beside the domain's mail host"));
        }
        found.extend(both(&host, "the domain's mail host (MX)"));
    }
    existing(found, names).await
}

/// What the domain's own web server says; the first of its usual places that says anything.
async fn published(domain: &str, pages: &dyn Pages) -> Vec<Candidate> {
    let places = [
        format!("https://autoconfig.{domain}/mail/config-v1.1.xml"),
        format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"),
    ];
    for place in places {
        let servers =
            pages.page(&place).await.map(|page| autoconfig::read(&page, domain)).unwrap_or_default();
        if !servers.is_empty() {
            let candidate = |server: autoconfig::Server| Candidate {
                host: server.host,
                port: server.port,
                tls: if server.starttls { TlsMode::StartTls } else { TlsMode::Implicit },
                from: "the domain's settings for mail programs (autoconfig)",
            };
            return servers.into_iter().map(candidate).collect();
        }
    }
    Vec::new()
}

fn both(host: &str, from: &'static str) -> [Candidate; 2] {
    [(993, TlsMode::Implicit), (143, TlsMode::StartTls)].map(|(port, tls)| Candidate {
        host: host.to_owned(),
        port,
        tls,
        from,
    })
}

async fn existing(found: Vec<Candidate>, names: &dyn Names) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in found {
        let is_known =
            kept.iter().any(|known| (&known.host, known.port) == (&candidate.host, candidate.port));
        let exists = kept.iter().any(|known| known.host == candidate.host)
            || names.addresses(&candidate.host).await.is_ok_and(|addresses| !addresses.is_empty());
        if !is_known && exists {
            kept.push(candidate);
        }
    }
    kept
}

/// The web, by https alone.
pub struct SystemPages(Option<Arc<ClientConfig>>);

impl SystemPages {
    /// With the issuers that the system believes.
    pub fn new() -> io::Result<Self> {
        let config = tls::client_config(Security::Implicit, None, &[]);
        Ok(SystemPages(config.map_err(|error| io::Error::other(error.to_string()))?))
    }
}

#[async_trait]
impl Pages for SystemPages {
    async fn page(&self, url: &str) -> Option<Vec<u8>> {
        let endpoint = Endpoint::parse(url).filter(|endpoint| endpoint.https)?;
        let asked = timeout(PAGE, http::get(&endpoint, self.0.clone())).await;
        let answer = asked.ok()?.ok()?;
        (answer.status == 200).then_some(answer.body)
    }
}

/// The machine's own DNS.
pub struct SystemNames(TokioResolver);

impl SystemNames {
    /// As `/etc/resolv.conf` says.
    pub fn new() -> io::Result<Self> {
        let builder = TokioResolver::builder_tokio().map_err(io::Error::other)?;
        Ok(SystemNames(builder.build().map_err(io::Error::other)?))
    }

    async fn records(&self, name: &str, kind: RecordType) -> io::Result<Vec<RData>> {
        match self.0.lookup(name, kind).await {
            Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        // Not by DNS alone: the hosts file counts too, as it will when we connect.
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }

    async fn srv(&self, name: &str) -> io::Result<Vec<Srv>> {
        let records = self.records(name, RecordType::SRV).await?;
        let read = |record| match record {
            RData::SRV(srv) => Some(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_ascii(),
            }),
            _ => None,
        };
        Ok(records.into_iter().filter_map(read).collect())
    }

    async fn mx(&self, domain: &str) -> io::Result<Vec<String>> {
        let records = self.records(domain, RecordType::MX).await?;
        let read = |record| match record {
            RData::MX(mx) => Some((mx.preference, mx.exchange.to_ascii())),
            _ => None,
        };
        let mut hosts: Vec<(u16, String)> = records.into_iter().filter_map(read).collect();
        hosts.sort();
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }
}
