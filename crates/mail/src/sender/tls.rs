//! TLS towards a mail server: the system's issuers and the configured ones, or exactly one certificate by fingerprint.
//! TLS 1.2 with ECDHE, and 1.3 (what rustls on ring has); never less, and never plain text instead.
//!
//! What the certificate of an old server lacks can be mended by a pin; what its TLS lacks cannot, and needs a TLS proxy
//! beside it or on this machine.

use std::io;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig};

use super::{Error, Security};
use crate::tls::{Pinned, provider};
use postroom_core::Fingerprint;

/// The client side for such a connection; none when it wants no TLS.
pub(crate) fn client_config(
    security: Security,
    pin: Option<Fingerprint>,
    roots: &[CertificateDer<'static>],
) -> Result<Option<Arc<ClientConfig>>, Error> {
    if security == Security::None {
        return Ok(None);
    }
    let verifier: Arc<dyn ServerCertVerifier> = match pin {
        Some(pin) => Arc::new(Pinned(pin)),
        None => {
            Arc::new(Verifier::new_with_extra_roots(roots.iter().cloned(), provider()).map_err(Error::Roots)?)
        }
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring implements TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}

/// What a failed handshake means and what to do about it.
pub(crate) fn explain(error: &io::Error) -> String {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return format!("it broke off ({error}); a server that is too old for TLS 1.2 may do so too");
    };
    match inner {
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity,
        ) => {
            "the server has neither TLS 1.2 with ECDHE nor TLS 1.3. Update it, or put a TLS proxy beside it; \
             a fingerprint does not help here"
                .to_owned()
        }
        rustls::Error::InvalidMessage(_) => {
            "the server does not begin with TLS: check the port, it may want STARTTLS".to_owned()
        }
        rustls::Error::InvalidCertificate(why) => format!("{}; or pin its fingerprint", certificate(why)),
        rustls::Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

fn certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "nobody we know issued the certificate: name its issuer".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate bears no subject alternative name that is the host's: use the name it bears as host".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired: renew it".to_owned()
        }
        other => format!("the certificate is not believed ({other:?})"),
    }
}
