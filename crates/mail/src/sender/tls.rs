//! TLS towards a mail server: the system's issuers and the configured ones, or exactly one certificate by fingerprint.
//! TLS 1.2 with ECDHE, and 1.3 (what rustls on ring has); never less, and never plain text instead.
//!
//! What the certificate of an old server lacks can be mended by a pin; what its TLS lacks cannot, and needs a TLS proxy
//! beside it or on this machine.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
};

use super::{Error, Security};

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a SHA-256 fingerprint: write 64 hexadecimal digits, with or without colons (openssl x509 -fingerprint -sha256)"
)]
pub struct NotAFingerprint;

impl Fingerprint {
    /// Of this certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Fingerprint(Sha256::digest(certificate.as_ref()).into())
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b':' | b' ')).collect();
        if digits.len() != 64 {
            return Err(NotAFingerprint);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or(NotAFingerprint);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| NotAFingerprint)?;
        }
        Ok(Fingerprint(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The client side for such a connection; none when it wants no TLS.
pub(crate) fn client_config(
    security: Security,
    pin: Option<Fingerprint>,
    roots: &[CertificateDer<'static>],
) -> Result<Option<Arc<ClientConfig>>, Error> {
    if security == Security::None {
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match pin {
        Some(pin) => Arc::new(Pinned { pin, provider: provider.clone() }),
        None => Arc::new(
            Verifier::new_with_extra_roots(roots.iter().cloned(), provider.clone()).map_err(Error::Roots)?,
        ),
    };
    let config = ClientConfig::builder_with_provider(provider)
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

/// Believes one certificate. The handshake's signature still proves that the server has its key.
#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = Fingerprint::of(certificate);
        match seen == self.pin {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::Error::General(format!(
                "the certificate is not the pinned one; its fingerprint is {seen}. If it was renewed, set the new one"
            ))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_back() {
        let fingerprint = Fingerprint::of(&CertificateDer::from(vec![1, 2, 3]));
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 95);
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.replace(':', "").to_lowercase().parse(), Ok(fingerprint));
        for bad in ["", "00", &"zz".repeat(32), &"0".repeat(63)] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(NotAFingerprint), "{bad}");
        }
    }
}
