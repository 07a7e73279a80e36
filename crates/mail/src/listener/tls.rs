//! The certificate for STARTTLS (RFC 3207): PEM files to a rustls server configuration on ring, TLS 1.2 and newer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};

/// Why there is no STARTTLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read the certificate chain in {}: check the path and that it is PEM", path.display())]
    Certificate { path: PathBuf, source: pem::Error },
    #[error("cannot read a private key in {}: check the path and that it is PEM without a passphrase", path.display())]
    Key { path: PathBuf, source: pem::Error },
    #[error("{} holds no certificate: write the server's certificate there, then its issuers", path.display())]
    Empty { path: PathBuf },
    #[error("certificate and key do not work together: check that the key belongs to the first certificate")]
    Pair(#[source] rustls::Error),
}

/// Reads a certificate chain and its key.
pub fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let fault = |source| TlsError::Certificate { path: certificate.to_owned(), source };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .map_err(fault)?
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    if chain.is_empty() {
        return Err(TlsError::Empty { path: certificate.to_owned() });
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Key { path: key.to_owned(), source })?;
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring implements TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(TlsError::Pair)?;
    Ok(Arc::new(config))
}
