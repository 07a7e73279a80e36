//! Connections: TCP, then TLS on ring (1.2 and newer, ECDHE only), and a clear word for servers too old for it.
//!
//! A certificate is judged as the system judges it, with further issuers from a file when one is named, or by its
//! fingerprint alone. Never both ways, never neither: there is no switch to trust everything.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use postroom_formats::x509::Certificate;
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError,
    PeerIncompatible, SignatureScheme,
};

use super::account::{Account, Tls, TlsMode};
use super::error::Error;
use crate::tls::{Pinned, provider};

/// How long finding the server, and each address of it, may take; the TLS handshake as long again.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a session runs over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Makes connections. Keeps the trusted issuers, which are many, so that all connections share them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    judges: Arc<Mutex<HashMap<Tls, Arc<dyn ServerCertVerifier>>>>,
}

impl Dialer {
    /// A TCP connection.
    pub async fn tcp(&self, account: &Account) -> Result<TcpStream, Error> {
        let server = account.server();
        let fault = |source| Error::Connect { server: server.clone(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses(&account.host, account.port).await? {
            if account.tls.mode == TlsMode::None && !address.ip().to_canonical().is_loopback() {
                return Err(Error::ClearText { server });
            }
            match timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(fault)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(fault(last))
    }

    /// TLS over a connection. The certificate comes back also when it is not trusted, for a person to look at.
    pub async fn tls(
        &self,
        account: &Account,
        stream: Box<dyn Stream>,
    ) -> (Result<Box<dyn Stream>, Error>, Option<Certificate>) {
        let seen = Arc::new(OnceLock::new());
        let judge = match self.judge(&account.tls) {
            Ok(judge) => judge,
            Err(error) => return (Err(error), None),
        };
        let noting = client_config(Arc::new(Noting { judge, seen: seen.clone() }));
        let result = handshake(account, Arc::new(noting), stream).await;
        (result, seen.get().copied())
    }

    fn judge(&self, tls: &Tls) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let mut known = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judge) = known.get(tls) {
            return Ok(judge.clone());
        }
        let made = judge(tls)?;
        known.insert(tls.clone(), made.clone());
        Ok(made)
    }
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let fault = |source| Error::Resolve { host: host.to_owned(), source };
    let looking = timeout(PATIENCE, tokio::net::lookup_host((host, port)));
    let found = looking.await.map_err(|_| fault(io::ErrorKind::TimedOut.into()))?.map_err(fault)?;
    Ok(found.collect())
}

async fn handshake(
    account: &Account,
    settings: Arc<ClientConfig>,
    stream: Box<dyn Stream>,
) -> Result<Box<dyn Stream>, Error> {
    let server = account.server();
    let name = ServerName::try_from(account.host.clone()).map_err(|error| Error::Tls {
        server: server.clone(),
        why: format!("{:?} is no host name", account.host),
        source: io::Error::other(error),
    })?;
    match timeout(PATIENCE, TlsConnector::from(settings).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(source)) => match explain(&source) {
            Some(why) => Err(Error::Tls { server, why, source }),
            None => Err(Error::Connect { server, source }),
        },
        Err(_) => Err(Error::Late { command: "the TLS handshake" }),
    }
}

/// What stands in the way and what to do, in a sentence. `None` when the connection broke and TLS is not to blame.
fn explain(error: &io::Error) -> Option<String> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>())?;
    let old =
        "its TLS is older than 1.2, which is not safe: update the server, or put a TLS proxy in front of it";
    let text = match inner {
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        )
        | TlsError::AlertReceived(AlertDescription::ProtocolVersion) => old.to_owned(),
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            "it has none of the safe ciphers (ECDHE with AES-GCM or ChaCha20): enable ECDHE on the server, or put a TLS proxy in front of it".to_owned()
        }
        TlsError::InvalidMessage(_) => {
            "it does not speak TLS on this port: check the port (993 is TLS, 143 is STARTTLS), or its TLS is too old".to_owned()
        }
        TlsError::InvalidCertificate(problem) => certificate_problem(problem),
        // The pin's own words.
        TlsError::General(text) => text.clone(),
        other => format!("the TLS handshake failed ({other})"),
    };
    Some(text)
}

fn certificate_problem(problem: &CertificateError) -> String {
    let pin = "or pin it by its fingerprint";
    match problem {
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!("its certificate names no host in subjectAltName: have it issued anew with SAN, {pin}")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name: connect by the name in the certificate, {pin}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired: renew it, {pin}")
        }
        CertificateError::UnknownIssuer => {
            format!(
                "its certificate comes from an issuer that is not trusted here: set ca_file in the mailbox's imap section to the issuer's certificate, {pin}"
            )
        }
        other => format!("its certificate cannot be trusted ({other:?}): replace it, {pin}"),
    }
}

fn client_config(judge: Arc<dyn ServerCertVerifier>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring implements TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(judge)
        .with_no_client_auth();
    // Each connection has settings of its own, so there is nobody to resume a session.
    config.resumption = Resumption::disabled();
    config
}

fn judge(tls: &Tls) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    if let Some(pin) = tls.pin {
        return Ok(Arc::new(Pinned(pin)));
    }
    let fault = |error: &dyn std::fmt::Display| Error::Roots(error.to_string());
    let extra: Vec<CertificateDer<'static>> = match &tls.ca_file {
        None => Vec::new(),
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| Error::Roots(format!("{}: {error}", path.display())))?,
    };
    let verifier = match extra.is_empty() {
        true => Verifier::new(provider()),
        false => Verifier::new_with_extra_roots(extra, provider()),
    };
    Ok(Arc::new(verifier.map_err(|error| fault(&error))?))
}

/// Notes the certificate, and lets another judge it.
#[derive(Debug)]
struct Noting {
    judge: Arc<dyn ServerCertVerifier>,
    seen: Arc<OnceLock<Certificate>>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        // A renegotiation does not exist in what rustls speaks, so the first is the only one.
        let _ = self.seen.set(Certificate::read(end_entity));
        self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
