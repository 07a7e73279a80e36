//! Proxies, private CAs and pins, for bearer tokens and for Windows sign-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_core::{Code, Secret, Verdict};
use postroom_crm::sign_in::transport::Anonymous;
use postroom_crm::sign_in::{Connection, Fingerprint, Proxy, Windows};
use postroom_sandbox::identity::windows::Options;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::windows::{front, windows};
use super::{PASSWORD, USER, clock, get, post, serve, text, write};

/// A private CA and a server certificate of its making.
struct Ca {
    pem: String,
    certificate: Vec<u8>,
    acceptor: TlsAcceptor,
}

fn ca() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], private).unwrap();
    Ca { pem: root.pem(), certificate: leaf.der().to_vec(), acceptor: TlsAcceptor::from(Arc::new(config)) }
}

/// TLS in front of a plain server.
async fn tls(ca: &Ca, plain: &str) -> String {
    let (acceptor, plain) = (ca.acceptor.clone(), plain.trim_start_matches("http://").to_owned());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, plain) = (acceptor.clone(), plain.clone());
            tokio::spawn(async move {
                // A client that does not believe the certificate ends here.
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(plain).await.unwrap();
                let _ = copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    url
}

/// A proxy that tunnels for one user and counts the tunnels.
async fn proxy(user: &str, password: &str) -> (Proxy, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (expected, counted) = (expected.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                if !head.contains(&expected) {
                    let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    stream.write_all(refusal).await.unwrap();
                    return;
                }
                let to = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let mut inner = TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut inner).await;
            });
        }
    });
    (Proxy { url, user: Some((user.into(), Secret::new(password))) }, count)
}

async fn open() -> String {
    serve(axum::Router::new().fallback(|| async { "hello" })).await
}

fn by(connection: &Connection) -> Anonymous {
    Anonymous(connection.client().unwrap())
}

#[tokio::test]
async fn a_private_ca_must_be_named() {
    let (ca, folder) = (ca(), tempfile::tempdir().unwrap());
    let url = tls(&ca, &open().await).await;
    let fault = get(&by(&Connection::default()), &url).await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CRM_TLS), "{fault}");
    assert!(fault.message.contains("private CA"), "{fault}");
    let named =
        Connection { ca_file: Some(write(folder.path(), "ca.pem", &ca.pem)), ..Connection::default() };
    assert_eq!(text(&get(&by(&named), &url).await.unwrap()), "hello");
}

#[tokio::test]
async fn a_pin_is_believed_alone() {
    let (ours, other) = (ca(), ca());
    let url = tls(&ours, &open().await).await;
    let pinned = |der: &[u8]| Connection { pins: vec![Fingerprint::of(der)], ..Connection::default() };
    assert_eq!(text(&get(&by(&pinned(&ours.certificate)), &url).await.unwrap()), "hello");
    let fault = get(&by(&pinned(&other.certificate)), &url).await.unwrap_err();
    assert_eq!(fault.code, Code::CRM_TLS);
    assert!(fault.message.contains(&Fingerprint::of(&ours.certificate).to_string()), "{fault}");
}

/// The pin is the CRM's; an identity provider elsewhere is believed as if there were none.
#[tokio::test]
async fn a_pin_holds_at_its_host() {
    let (ours, other, folder) = (ca(), ca(), tempfile::tempdir().unwrap());
    let connection = Connection {
        pins: vec![Fingerprint::of(&ours.certificate)],
        pinned_host: Some("127.0.0.1".into()),
        ca_file: Some(write(folder.path(), "ca.pem", &other.pem)),
        ..Connection::default()
    };
    let (crm, provider) = (tls(&ours, &open().await).await, tls(&other, &open().await).await);
    let named = |url: &str| url.replace("127.0.0.1", "localhost");
    let client = by(&connection);
    assert_eq!(text(&get(&client, &crm).await.unwrap()), "hello");
    assert_eq!(text(&get(&client, &named(&provider)).await.unwrap()), "hello");
    for url in [provider.clone(), named(&crm)] {
        assert_eq!(get(&client, &url).await.unwrap_err().code, Code::CRM_TLS, "{url}");
    }
}

#[tokio::test]
async fn through_a_proxy() {
    let (ca, folder) = (ca(), tempfile::tempdir().unwrap());
    let url = tls(&ca, &open().await).await;
    let (proxy, count) = proxy("squid", "canary-of-the-proxy").await;
    let ca_file = Some(write(folder.path(), "ca.pem", &ca.pem));
    let through = Connection { proxy: Some(proxy.clone()), ca_file, ..Connection::default() };
    assert_eq!(text(&get(&by(&through), &url).await.unwrap()), "hello");
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let user = Some(("squid".to_owned(), Secret::new("wrong")));
    let wrong = Connection { proxy: Some(Proxy { user, ..proxy }), ..through };
    assert!(get(&by(&wrong), &url).await.is_err());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn windows_sign_in_through_a_proxy_is_bound_to_the_certificate() {
    let (ca, folder) = (ca(), tempfile::tempdir().unwrap());
    let hash = Sha256::digest(&ca.certificate).to_vec();
    let front = front(Options { certificate_hash: Some(hash), ..Options::default() });
    let url = tls(&ca, &front.url()).await;
    let (proxy, count) = proxy("squid", "canary-of-the-proxy").await;
    let ca_file = Some(write(folder.path(), "ca.pem", &ca.pem));
    let connection = Connection { proxy: Some(proxy.clone()), ca_file, ..Connection::default() };
    let signed_in = |connection: Connection| {
        Windows::new(connection, USER, &Secret::new(PASSWORD), None, clock()).unwrap()
    };
    let windows_ = signed_in(connection.clone());
    for body in ["one", "two"] {
        assert_eq!(text(&post(&windows_, &url, body).await.unwrap()), format!("{USER}|{body}"));
    }
    assert_eq!((count.load(Ordering::SeqCst), front.sign_ins()), (1, 1));
    // Somebody who passes the messages on over another connection gets nothing.
    let relayed = get(&windows(USER, PASSWORD, None), &front.url()).await.unwrap_err();
    assert_eq!(relayed.verdict, Verdict::Hold);
    let user = Some(("squid".to_owned(), Secret::new("wrong")));
    let wrong = signed_in(Connection { proxy: Some(Proxy { user, ..proxy }), ..connection });
    let fault = get(&wrong, &url).await.unwrap_err();
    assert!(fault.verdict == Verdict::Hold && fault.message.contains("the proxy's user"), "{fault}");
}

#[test]
fn settings_that_cannot_be_used_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let ca = |ca_file| Connection { ca_file: Some(ca_file), ..Connection::default() };
    let proxy = |url: &str| {
        let proxy = Some(Proxy { url: url.into(), user: None });
        Connection { proxy, ..Connection::default() }
    };
    let cases = [
        (ca(folder.path().join("missing")), "missing"),
        (ca(write(folder.path(), "empty", "nothing")), "holds no certificate"),
        (proxy("squid.example.org:3128"), "http://host:port"),
        (proxy("http://user:geheim@squid.example.org"), "by themselves"),
    ];
    for (connection, part) in cases {
        let fault = connection.client().unwrap_err();
        assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::CONFIG_INVALID));
        assert!(fault.message.contains(part) && !fault.message.contains("geheim"), "{fault}");
    }
}
