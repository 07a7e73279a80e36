//! TLS to a PostgreSQL server: its certificate is judged as this machine judges others, or by a private authority's.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use deadpool_postgres::PoolError;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Makes connections to servers whose certificate the system trusts, or one of the authorities in `ca_file` signed.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let judge = match ca_file.map(authorities).transpose()? {
        Some(extra) => Verifier::new_with_extra_roots(extra, provider.clone()),
        None => Verifier::new(provider.clone()),
    };
    let judge = judge.map_err(|error| error.to_string())?;
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous() // the name of the method; this judge is the system's own
        .with_custom_certificate_verifier(Arc::new(judge))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |reason: String| format!("storage.ca_file {}: {reason}", file.display());
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read.map_err(|error| named(error.to_string()))? {
        none if none.is_empty() => Err(named("no certificate in it".to_owned())),
        some => Ok(some),
    }
}

/// Why there is no connection, with the next step where TLS is why.
pub(super) fn explained(error: &PoolError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    if text.contains("certificate") {
        text.push_str("; set storage.ca_file to the certificate of the authority that signed the server's");
    } else if text.contains("server does not support TLS") {
        text.push_str(
            "; switch ssl on there, or say sslmode=disable in storage.url on a network that you trust",
        );
    }
    text
}
