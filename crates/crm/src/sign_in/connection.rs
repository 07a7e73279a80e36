//! How the CRM and its identity provider are reached: through which proxy, and whose certificates are believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postroom_core::{Code, Fault, Fingerprint, Secret, Verdict};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use super::pin::{Pinned, provider};

/// What holds for all connections to one CRM. The environment's proxy variables do not count.
#[derive(Debug, Clone)]
pub struct Connection {
    pub proxy: Option<Proxy>,
    /// PEM certificates of a private CA, believed besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// When there are any, no other certificate is believed.
    pub pins: Vec<Fingerprint>,
    /// The host whose certificates the pins are; at others, such as an identity provider, they say nothing. Without one they
    /// hold everywhere.
    pub pinned_host: Option<String>,
    /// For connecting, and for each answer as a whole.
    pub timeout: Duration,
}

/// An HTTP proxy.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// `http://host:port`, without user and password.
    pub url: String,
    pub user: Option<(String, Secret)>,
}

impl Default for Connection {
    fn default() -> Self {
        let timeout = Duration::from_secs(120);
        Connection { proxy: None, ca_file: None, pins: Vec::new(), pinned_host: None, timeout }
    }
}

/// A setting that cannot be used.
fn wrong(message: String) -> Fault {
    Fault::new(Verdict::Hold, Code::CONFIG_INVALID, message)
}

impl Connection {
    /// The HTTP client: no redirects, no cookies, no proxy but the one set.
    ///
    /// # Errors
    /// [`Code::CONFIG_INVALID`], when the CA file or the proxy's address cannot be used.
    pub fn client(&self) -> Result<reqwest::Client, Fault> {
        let tls = self.tls(&[b"h2", b"http/1.1"])?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.timeout.min(Duration::from_secs(20)))
            .timeout(self.timeout)
            .user_agent("postroom")
            // Answers of the CRM are unpacked whole, by the transport.
            .no_gzip()
            .no_proxy();
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.to_reqwest()?);
        }
        builder.build().map_err(|error| wrong(format!("the HTTP client cannot be made: {}", causes(&error))))
    }

    /// TLS on ring; the platform's verifier unless there are pins.
    pub(crate) fn tls(&self, protocols: &[&[u8]]) -> Result<ClientConfig, Fault> {
        let verifier: Arc<dyn ServerCertVerifier> = match self.pins.is_empty() {
            true => Arc::new(self.verifier()?),
            false => Arc::new(Pinned::new(self.clone())),
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::bug(format!("ring has no usable TLS version: {error}")))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }

    pub(super) fn verifier(&self) -> Result<Verifier, Fault> {
        let extra = self.ca_file.as_deref().map(certificates).transpose()?.unwrap_or_default();
        Verifier::new_with_extra_roots(extra, provider())
            .map_err(|error| wrong(format!("the certificates of the private CA cannot be used: {error}")))
    }
}

/// The certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let shown = path.display();
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(wrong(format!("{shown} holds no certificate; it must be in PEM")))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(format!("{shown} cannot be read as PEM certificates: {error}"))),
    }
}

impl Proxy {
    fn to_reqwest(&self) -> Result<reqwest::Proxy, Fault> {
        self.host_and_port()?;
        let proxy = reqwest::Proxy::all(&self.url)
            .map_err(|_| wrong("the proxy's address cannot be used; write http://host:port".into()))?;
        Ok(match &self.user {
            Some((user, password)) => proxy.basic_auth(user, password.expose()),
            None => proxy,
        })
    }

    /// Host and port of the address.
    pub(super) fn host_and_port(&self) -> Result<(String, u16), Fault> {
        let uri: Option<http::Uri> = self.url.parse().ok();
        let fits = |uri: &http::Uri| {
            let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            plain && uri.scheme_str() == Some("http")
        };
        match uri.filter(fits).and_then(|uri| Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(80)))) {
            Some(found) => Ok(found),
            // The address is not repeated: it may hold a password.
            None => Err(wrong(
                "the proxy's address must be http://host:port; give user and password by themselves".into(),
            )),
        }
    }
}

/// An error with what is underneath it, on one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        at = cause.source();
    }
    text
}

/// Why a request got no answer. `repeatable` tells that sending it twice does no harm.
pub(super) fn unanswered(what: &str, error: reqwest::Error, repeatable: bool) -> Fault {
    let untouched = error.is_connect() || error.is_builder();
    let text = causes(&error.without_url());
    unreachable(what, &text, repeatable || untouched)
}

/// The same from the text of an error.
pub(crate) fn unreachable(what: &str, text: &str, repeatable: bool) -> Fault {
    if let Some(advice) = certificate(text) {
        return Fault::new(
            Verdict::Hold,
            Code::CRM_TLS,
            format!("no safe connection to {what}: {text}; {advice}"),
        );
    }
    let verdict = if repeatable { Verdict::Retry { after: None } } else { Verdict::Unknown };
    Fault::new(verdict, Code::CRM_AWAY, format!("{what} cannot be reached or gave no answer: {text}"))
}

/// What to do when an error is about a certificate.
fn certificate(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    match () {
        () if lower.contains("unknownissuer") => {
            Some("name the file of the private CA that issued its certificate in crm.ca_file")
        }
        () if lower.contains("pinned") => {
            Some("compare the fingerprint with the server's and set crm.tls_pin")
        }
        () if lower.contains("expired") && lower.contains("certificate") => Some(
            "its certificate has run out: let its administrator renew it; or this machine's clock is wrong",
        ),
        () if lower.contains("notvalidforname") || lower.contains("not valid for") => {
            Some("use the host name that its certificate names, in crm.org_url or crm.authority")
        }
        () if lower.contains("certificate") || lower.contains("handshake") => {
            Some("check its certificate and the TLS versions it speaks")
        }
        () => None,
    }
}
