//! Pinned certificates: believed instead of what the system believes, at the host whose they are.

use std::sync::{Arc, OnceLock};

use postroom_core::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::connection::Connection;

/// ring, made once.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider())).clone()
}

/// Believes the connection's pins, and at other hosts than theirs what the system believes. The handshake's signature still
/// proves that the server has the key.
#[derive(Debug)]
pub(super) struct Pinned {
    connection: Connection,
    /// Made when another host is met: reading the system's certificates takes its time.
    others: OnceLock<Verifier>,
}

impl Pinned {
    pub fn new(connection: Connection) -> Self {
        Pinned { connection, others: OnceLock::new() }
    }

    fn holds_at(&self, name: &ServerName<'_>) -> bool {
        let host = self.connection.pinned_host.as_deref();
        host.is_none_or(|host| host.trim_matches(['[', ']']).eq_ignore_ascii_case(&name.to_str()))
    }

    fn others(&self) -> Result<&Verifier, rustls::Error> {
        if let Some(made) = self.others.get() {
            return Ok(made);
        }
        let made = self.connection.verifier().map_err(|fault| rustls::Error::General(fault.message))?;
        Ok(self.others.get_or_init(|| made))
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.holds_at(name) {
            return self.others()?.verify_server_cert(certificate, chain, name, stapled, now);
        }
        let seen = Fingerprint::of(certificate);
        match self.connection.pins.contains(&seen) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::Error::General(format!(
                "the certificate is not a pinned one; its fingerprint is {seen}. If it was renewed, set the new one"
            ))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = provider().signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = provider().signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
