//! A PostgreSQL server behind TLS: whose certificate is trusted, and that nothing goes out in the clear.

use std::fs;
use std::path::PathBuf;

use postroom_store::{Options, Store};
use postroom_testkit::peers::{Durability, Postgres};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::harness::NOTES;

/// A private authority.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    file: PathBuf,
}

fn authority(folder: &tempfile::TempDir, name: &str) -> Authority {
    let key = KeyPair::generate().expect("a certificate can be made");
    let mut params = CertificateParams::new(Vec::new()).expect("a certificate can be made");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let file = folder.path().join(format!("{name}.pem"));
    fs::write(&file, params.self_signed(&key).expect("a certificate can be made").pem())
        .expect("a certificate can be made");
    Authority { params, key, file }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_by_its_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (authority(&folder, "ours"), authority(&folder, "others"));
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&ours.params, &ours.key);
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let server = Postgres::start(Durability::Fast);
    let url = |host: &str, mode: &str| {
        format!("postgres://postgres@{host}:{}/postgres?sslmode={mode}&hostaddr=127.0.0.1", server.port())
    };
    let check = async |url: String, ca: Option<&PathBuf>, expected: &[&str]| {
        let options = Options { ca_file: ca.cloned(), ..Options::default() };
        let opened = Store::open(&url, &options, &[NOTES]).await.map(drop).map_err(|error| error.to_string());
        match opened {
            Ok(()) => assert!(expected.is_empty(), "{url} with {ca:?} was opened"),
            Err(said) => assert!(
                !expected.is_empty() && expected.iter().all(|words| said.contains(words)),
                "{url} with {ca:?}: {said}"
            ),
        }
    };
    // A server elsewhere that offers no TLS is not spoken to in the clear.
    check(url("db.example", "prefer"), None, &["does not support TLS", "sslmode=disable"]).await;
    server.speak_tls(&leaf.pem(), &key.serialize_pem());
    check(url("localhost", "require"), Some(&ours.file), &[]).await;
    check(url("localhost", "prefer"), Some(&ours.file), &[]).await;
    check(url("localhost", "require"), Some(&others.file), &["certificate", "storage.ca_file"]).await;
    check(url("localhost", "require"), None, &["certificate", "storage.ca_file"]).await;
    check(url("db.example", "require"), Some(&ours.file), &["certificate"]).await; // another name
    check(url("localhost", "disable"), None, &[]).await;
    check(url("localhost", "require"), Some(&folder.path().join("missing.pem")), &["missing.pem"]).await;
}
