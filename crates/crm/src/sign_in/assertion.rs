//! The JWT with which an application proves itself by certificate (RFC 7523; Microsoft's certificate credentials): RS256,
//! with the certificate's thumbprints `x5t` (SHA-1) and `x5t#S256`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use postroom_core::{Code, Fault, Secret, Verdict};
use postroom_formats::x509;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How long an assertion holds, in seconds.
const LIFE: i64 = 600;

/// A certificate and its RSA key.
pub struct Certificate {
    key: RsaKeyPair,
    /// When it ends, where that can be read.
    ends: Option<Timestamp>,
    sha1: [u8; 20],
    sha256: [u8; 32],
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate {}", self.thumbprint())
    }
}

fn wrong(message: impl Into<String>) -> Fault {
    Fault::new(Verdict::Hold, Code::CRM_SIGN_IN, message)
}

impl Certificate {
    /// From PEM: the certificate, and its key in PKCS#8 or PKCS#1. They may stand in the same text.
    ///
    /// # Errors
    /// [`Code::CRM_SIGN_IN`], when one of them cannot be used. The text says how to convert it.
    pub fn from_pem(certificate: &str, key: &Secret) -> Result<Self, Fault> {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| {
            wrong("the certificate (crm.client_certificate) is not in PEM; convert it: openssl x509 -inform der -outform pem")
        })?;
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            .map_err(|_| wrong("the certificate's key (crm.client_private_key) is not in PEM or has a passphrase; convert it: openssl pkcs8 -topk8 -nodes"))?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(wrong("the certificate's key is no RSA key; make one of 2048 bits or more")),
        };
        let pair = pair.map_err(|error| {
            wrong(format!(
                "the certificate's key cannot be used ({error}); it must be RSA of 2048 bits or more"
            ))
        })?;
        let sha1 = sha1_smol::Sha1::from(&*certificate).digest().bytes();
        let ends = x509::Certificate::read(&certificate).not_after;
        Ok(Certificate { key: pair, ends, sha1, sha256: Sha256::digest(&*certificate).into() })
    }

    /// The SHA-1 as the app registration shows it.
    pub fn thumbprint(&self) -> String {
        self.sha1.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// A signed assertion of `client` for the token endpoint at `audience`.
    ///
    /// # Errors
    /// [`Code::CRM_SIGN_IN`], when the certificate has ended.
    pub(super) fn assertion(
        &self,
        client: &str,
        audience: &str,
        now: Timestamp,
        id: Uuid,
    ) -> Result<Secret, Fault> {
        // The provider would only say that the signature is not valid.
        if let Some(ends) = self.ends.filter(|ends| *ends < now) {
            return Err(wrong(format!(
                "the application's certificate ended on {:.0}: make a new one, upload it in the app registration, and set crm.client_certificate and crm.client_private_key",
                ends
            )));
        }
        let from = now.as_second();
        let header = serde_json::json!({
            "alg": "RS256",
            "typ": "JWT",
            "x5t": URL_SAFE_NO_PAD.encode(self.sha1),
            "x5t#S256": URL_SAFE_NO_PAD.encode(self.sha256),
        });
        let claims = serde_json::json!({
            "aud": audience,
            "iss": client,
            "sub": client,
            "jti": id.to_string(),
            "iat": from,
            "nbf": from,
            "exp": from + LIFE,
        });
        let part = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Fault::bug("the certificate's key did not sign"))?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}
