//! STARTTLS: what was said in the clear does not count, and what was smuggled in before the handshake is never obeyed.

use std::fs;
use std::sync::Arc;

use postroom_mail::listener::{Door, Options, Protocol, TlsError, server_config};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::harness::{HOST, Shelf, Talk, door, options, ports};

struct Certificate {
    folder: TempDir,
    client: Arc<ClientConfig>,
}

/// A self-signed certificate in files, and a client that trusts it.
fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Certificate { folder, client: Arc::new(client) }
}

fn secure_options(certificate: &Certificate) -> Options {
    let folder = certificate.folder.path();
    let tls = server_config(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
    Options { tls: Some(tls), ..options(Protocol::Smtp) }
}

fn secure_door(shelf: Arc<Shelf>, certificate: &Certificate) -> Arc<Door> {
    door(secure_options(certificate), ports(shelf))
}

async fn shake_hands(talk: Talk, certificate: &Certificate) -> BufReader<TlsStream<DuplexStream>> {
    let name = ServerName::try_from(HOST).unwrap();
    BufReader::new(TlsConnector::from(certificate.client.clone()).connect(name, talk.stream).await.unwrap())
}

/// One command, the lines of its answer.
async fn ask(stream: &mut BufReader<TlsStream<DuplexStream>>, command: &str) -> Vec<String> {
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert_ne!(stream.read_line(&mut line).await.unwrap(), 0, "the server hung up");
        let is_last = line.as_bytes()[3] == b' ';
        lines.push(line.trim_end().to_owned());
        if is_last {
            return lines;
        }
    }
}

#[tokio::test]
async fn a_mail_over_tls() {
    let (certificate, shelf) = (certificate(), Shelf::new());
    let mut talk = Talk::greeted(secure_door(shelf.clone(), &certificate)).await;
    assert!(talk.ask("EHLO c").await.1.contains("250 STARTTLS\r\n"));
    assert_eq!(talk.ask("STARTTLS").await.0, 220);
    let mut stream = shake_hands(talk, &certificate).await;
    let hello = ask(&mut stream, "EHLO c").await;
    assert!(hello.len() > 3 && !hello.iter().any(|line| line.contains("STARTTLS")), "{hello:?}");
    for (command, code) in [
        ("STARTTLS", "503"),
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<desk@ours.example>", "250"),
        ("DATA", "354"),
        ("Subject: x\r\n\r\nsecret\r\n.", "250"),
        ("QUIT", "221"),
    ] {
        assert!(ask(&mut stream, command).await[0].starts_with(code), "{command}");
    }
    assert_eq!(shelf.only(), "Subject: x\r\n\r\nsecret\r\n");
}

#[tokio::test]
async fn what_was_said_in_the_clear_is_forgotten() {
    let certificate = certificate();
    let mut talk = Talk::greeted(secure_door(Shelf::new(), &certificate)).await;
    assert_eq!(talk.ask("MAIL FROM:<evil@client.example>").await.0, 250);
    assert_eq!(talk.ask("STARTTLS").await.0, 220);
    let mut stream = shake_hands(talk, &certificate).await;
    assert!(ask(&mut stream, "RCPT TO:<desk@ours.example>").await[0].starts_with("503"));
    assert!(ask(&mut stream, "MAIL FROM:<>").await[0].starts_with("503"), "hello is needed again");
}

/// CVE-2011-0411.
#[tokio::test]
async fn commands_sent_behind_starttls_are_thrown_away() {
    let certificate = certificate();
    let mut talk = Talk::greeted(secure_door(Shelf::new(), &certificate)).await;
    talk.say("STARTTLS\r\nEHLO injected\r\nMAIL FROM:<injected@client.example>\r\n").await;
    assert_eq!(talk.hear().await.0, 220);
    let mut stream = shake_hands(talk, &certificate).await;
    assert!(ask(&mut stream, "NOOP").await[0].starts_with("250 2.0.0"), "the first answer is NOOP's");
    assert!(ask(&mut stream, "RCPT TO:<desk@ours.example>").await[0].starts_with("503"));
}

#[tokio::test]
async fn a_broken_handshake_ends_the_session() {
    let certificate = certificate();
    let mut talk = Talk::greeted(secure_door(Shelf::new(), &certificate)).await;
    assert_eq!(talk.ask("STARTTLS").await.0, 220);
    talk.say("NOOP\r\nNOOP\r\n").await;
    assert!(!talk.hear_out().await.contains("250"));
}

#[test]
fn bad_files_say_which_and_why() {
    let (good, folder) = (certificate(), tempfile::tempdir().unwrap());
    let (cert, key) = (good.folder.path().join("cert.pem"), good.folder.path().join("key.pem"));
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let other = certificate();
    let other_key = other.folder.path().join("key.pem");
    assert!(matches!(server_config(&folder.path().join("none"), &key), Err(TlsError::Certificate { .. })));
    assert!(matches!(server_config(&empty, &key), Err(TlsError::Empty { .. })));
    assert!(matches!(server_config(&cert, &empty), Err(TlsError::Key { .. })));
    assert!(matches!(server_config(&cert, &other_key), Err(TlsError::Pair(_))));
}
