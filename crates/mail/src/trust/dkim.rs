//! Signs what leaves (RFC 6376): relaxed/relaxed, RSA with SHA-256 or Ed25519 (RFC 8463).
//!
//! The bytes must be final: whatever changes a signed header or the body afterwards breaks the signature.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::{Canonicalization, DkimSigner, Done};
use postroom_core::{Fault, Secret};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// What is signed when it is there, and what may not be added when it is not. From and Subject stand twice: one more
/// header of that name, put above the signed one, would be what the reader sees.
const HEADERS: &[&str] = &[
    "From",
    "From",
    "Subject",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
];

/// Why there is no signer.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "the DKIM key cannot be read: it must be PEM without a passphrase (openssl genpkey -algorithm RSA)"
    )]
    Pem(#[source] tokio_rustls::rustls::pki_types::pem::Error),
    #[error("the DKIM key is neither RSA of 2048 bits or more nor Ed25519 (PKCS #1 or #8): make a new one")]
    Kind,
    #[error("{0:?} cannot be a DKIM domain or selector: letters, digits, hyphens and dots")]
    Name(String),
}

/// Signs for one domain with one key.
pub struct Signer {
    domain: String,
    selector: String,
    signer: DkimSigner<DkimKey, Done>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// `pem` is the private key; its public half must be published at `selector._domainkey.domain`.
    pub fn new(domain: &str, selector: &str, pem: &Secret) -> Result<Self, KeyError> {
        for name in [domain, selector] {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            if name.is_empty() || !name.bytes().all(good) {
                return Err(KeyError::Name(name.to_owned()));
            }
        }
        let signer = DkimSigner::from_key(key(pem)?)
            .domain(domain)
            .selector(selector)
            .headers(HEADERS.iter().copied())
            .header_canonicalization(Canonicalization::Relaxed)
            .body_canonicalization(Canonicalization::Relaxed);
        Ok(Signer { domain: domain.to_owned(), selector: selector.to_owned(), signer })
    }

    /// The domain signed for: it should be that of From.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The mail with the signature on top.
    pub fn sign(&self, mail: &Bytes) -> Result<Bytes, Fault> {
        let signature = self
            .signer
            .sign(mail)
            .map_err(|error| Fault::bug("a mail could not be signed (DKIM)").with_source(error))?;
        let header = signature.to_header();
        let mut signed = BytesMut::with_capacity(header.len() + mail.len());
        signed.put_slice(header.as_bytes());
        signed.put_slice(mail);
        Ok(signed.freeze())
    }
}

fn key(pem: &Secret) -> Result<DkimKey, KeyError> {
    let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).map_err(KeyError::Pem)?;
    if let PrivateKeyDer::Pkcs8(pkcs8) = &der
        && let Ok(key) = Ed25519Key::from_pkcs8_maybe_unchecked_der(pkcs8.secret_pkcs8_der())
    {
        return Ok(DkimKey::Ed25519(key));
    }
    RsaKey::<Sha256>::from_key_der(der).map(DkimKey::Rsa).map_err(|_| KeyError::Kind)
}
