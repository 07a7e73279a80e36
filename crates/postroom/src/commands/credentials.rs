//! The certificates that the configuration names, and when they end.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use postroom_formats::x509;
use postroom_operations::Credential;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::{Config, CrmKind, CrmSignIn};

/// Those that are in use. A chain ends with the first of its certificates.
pub async fn of(config: &Config) -> Vec<Credential> {
    let mut all = Vec::new();
    for (connection, key, file) in named(config) {
        let ends = match tokio::fs::read(file).await {
            Ok(pem) => end(&pem),
            Err(error) => Err(format!("{}: {error}", Path::display(file))),
        };
        all.push(Credential { connection, key, ends });
    }
    all
}

/// Section, key and file.
fn named(config: &Config) -> Vec<(&'static str, &'static str, &PathBuf)> {
    let Config { http, smtp_in, lmtp_in, relay, crm, .. } = config;
    let by_certificate = crm.kind != CrmKind::Embedded && crm.way_in() == Some(CrmSignIn::ClientCertificate);
    let all = [
        ("http", "http.tls_cert", http.listen.is_some(), &http.tls_cert),
        ("smtp_in", "smtp_in.tls_cert", smtp_in.enabled, &smtp_in.tls_cert),
        ("lmtp_in", "lmtp_in.tls_cert", lmtp_in.enabled, &lmtp_in.tls_cert),
        ("relay", "relay.tls_cert", relay.enabled, &relay.tls_cert),
        ("crm", "crm.client_certificate", by_certificate, &crm.client_certificate),
    ];
    let used = all.into_iter().filter(|(_, _, used, _)| *used);
    used.filter_map(|(connection, key, _, file)| Some((connection, key, file.as_ref()?))).collect()
}

fn end(pem: &[u8]) -> Result<Timestamp, String> {
    let mut first = None;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("it is no PEM: {error}"))?;
        let end = x509::Certificate::read(&certificate).not_after;
        let end = end.ok_or_else(|| "it does not say when it ends".to_owned())?;
        first = Some(first.map_or(end, |known: Timestamp| known.min(end)));
    }
    first.ok_or_else(|| "it holds no certificate in PEM".to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32) -> String {
        let mut params = CertificateParams::new(vec!["mx.example".to_owned()]).expect("a good name");
        params.not_after = date_time_ymd(year, 1, 1);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("it signs itself").pem()
    }

    #[test]
    fn a_chain_ends_with_its_first() {
        let chain = format!("{}{}", certificate(2031), certificate(2029));
        assert_eq!(end(chain.as_bytes()).expect("both are read").to_string(), "2029-01-01T00:00:00Z");
        assert!(end(b"nothing").expect_err("no PEM").contains("no certificate"));
    }
}
