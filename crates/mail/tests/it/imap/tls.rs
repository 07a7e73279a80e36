//! TLS and sign-in: what is safe goes through, and what is not says why.

use std::io;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use postroom_mail::imap::{
    Account, Certificate, Client, Dialer, Error, Names, Pages, Patience, Sent, Srv, Tls, TlsMode, guess,
    probe,
};
use postroom_testkit::peers::{self, Dovecot, DovecotOptions, PASSWORD};
use postroom_testkit::{net, poll};

use super::book::{account, now};

/// Names of this machine only.
pub struct NoNames;

#[async_trait]
impl Names for NoNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(host.parse().into_iter().collect())
    }

    async fn srv(&self, _: &str) -> io::Result<Vec<Srv>> {
        Ok(Vec::new())
    }

    async fn mx(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

async fn sign_in(account: &Account) -> Result<(), Error> {
    let mut client = Client::connect(account, &Dialer::default(), Patience::default()).await?;
    client.sign_in(&account.auth).await
}

fn secure() -> (Dovecot, Certificate, tempfile::TempDir) {
    let certificate = peers::Certificate::local();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &certificate.certificate).unwrap();
    let read = Certificate::read(&certificate.der);
    let options =
        DovecotOptions { tls: Some(certificate), tls_required: true, ..DovecotOptions::users(["anna"]) };
    (Dovecot::start(options), read, folder)
}

#[tokio::test]
async fn implicit_and_starttls_by_issuer_and_by_pin() {
    let (dovecot, certificate, folder) = secure();
    let with = |address, tls| Account { tls, ..account(address, "anna", PASSWORD) };
    for (address, mode) in [(dovecot.imaps(), TlsMode::Implicit), (dovecot.imap(), TlsMode::StartTls)] {
        let plain = Tls { mode, pin: None, ca_file: None };
        let by_file = Tls { ca_file: Some(folder.path().join("ca.pem")), ..plain.clone() };
        sign_in(&with(address, by_file)).await.unwrap();
        let pinned = Tls { pin: Some(certificate.fingerprint), ..plain.clone() };
        sign_in(&with(address, pinned)).await.unwrap();
        let other = "ab".repeat(32).parse().unwrap();
        let wrong = sign_in(&with(address, Tls { pin: Some(other), ..plain.clone() })).await.unwrap_err();
        assert!(wrong.to_string().contains("is not the pinned one"), "{wrong}");
        let unknown = sign_in(&with(address, plain)).await.unwrap_err();
        assert!(unknown.to_string().contains("issuer that is not trusted"), "{unknown}");
    }
    let clear = sign_in(&with(dovecot.imap(), Tls::none())).await.unwrap_err();
    assert!(matches!(clear, Error::LoginDisabled), "{clear:?}");
    let steps =
        probe(&with(dovecot.imaps(), Tls::implicit()), Sent::Watched, &Dialer::default(), &NoNames, now())
            .await;
    let last = steps.last().unwrap();
    assert!(
        !last.ok && last.name == "tls" && last.text.contains(&certificate.fingerprint.to_string()),
        "{steps:?}"
    );
}

#[tokio::test]
async fn a_server_without_starttls_is_refused() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    let account = Account { tls: Tls::starttls(), ..account(dovecot.imap(), "anna", PASSWORD) };
    assert!(matches!(sign_in(&account).await, Err(Error::NoStartTls { .. })));
}

#[tokio::test]
async fn clear_text_goes_to_this_machine_only() {
    let account = account("192.0.2.1:143".parse().unwrap(), "anna", PASSWORD);
    assert!(matches!(sign_in(&account).await, Err(Error::ClearText { .. })));
}

/// Ends the process when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An old server: openssl's own, with these options.
async fn old(options: &[&str], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let mut make = Command::new(peers::require("openssl"));
    make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    let made = make.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let port = net::free_port();
    let mut serve = Command::new(peers::require("openssl"));
    serve.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]).args(options);
    serve.arg("-cert").arg(&certificate).arg("-key").arg(&key).stdin(Stdio::piped());
    let _server = Server(serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let listens = || std::net::TcpStream::connect(net::loopback(port)).is_ok();
    assert!(poll::until(Duration::from_secs(10), listens), "openssl s_server does not listen");
    let mut account = account(net::loopback(port), "anna", PASSWORD);
    account.tls = Tls { ca_file: Some(certificate), ..Tls::implicit() };
    let error = sign_in(&account).await.unwrap_err();
    assert!(
        matches!(error, Error::Tls { .. }) && error.to_string().contains(expected),
        "{options:?}: {error}"
    );
}

#[tokio::test]
async fn old_servers_are_refused_with_a_clear_word() {
    old(&["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], "older than 1.2").await;
    old(&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "older than 1.2").await;
    old(&["-tls1_2", "-cipher", "AES128-SHA256:AES128-GCM-SHA256"], "enable ECDHE").await;
    old(&["-tls1_2"], "").await;
}

struct Zone;

#[async_trait]
impl Names for Zone {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let known = ["mx.host.example", "imap.host.example", "mail.ours.example", "box.ours.example"];
        Ok(if known.contains(&host) { vec![IpAddr::from([192, 0, 2, 7])] } else { Vec::new() })
    }

    async fn srv(&self, name: &str) -> io::Result<Vec<Srv>> {
        let one = |host: &str, port| Srv { priority: 1, weight: 1, port, host: host.to_owned() };
        Ok(match name {
            "_imaps._tcp.ours.example" => vec![one("box.ours.example.", 9993)],
            "_imap._tcp.ours.example" => vec![one(".", 0)],
            _ => Vec::new(),
        })
    }

    async fn mx(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(vec!["MX.host.example.".to_owned()])
    }
}

#[tokio::test]
async fn servers_are_guessed_from_the_address() {
    let found = guess("anna@Ours.Example", &Zone, &NoPages).await;
    let list: Vec<String> = found.iter().map(|at| format!("{}:{}", at.host, at.port)).collect();
    let expected = [
        "box.ours.example:9993",
        "mail.ours.example:993",
        "mail.ours.example:143",
        "imap.host.example:993",
        "imap.host.example:143",
        "mx.host.example:993",
        "mx.host.example:143",
    ];
    assert_eq!(list, expected);
    assert!(guess("no address", &Zone, &NoPages).await.is_empty());
}

/// Nothing is published.
struct NoPages;

#[async_trait]
impl Pages for NoPages {
    async fn page(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
}

/// A domain that publishes its settings at one place.
struct Published(&'static str);

#[async_trait]
impl Pages for Published {
    async fn page(&self, url: &str) -> Option<Vec<u8>> {
        const SERVERS: [(&str, &str, &str); 3] = [
            ("mail.%EMAILDOMAIN%", "9143", "STARTTLS"),
            ("nowhere.example", "993", "SSL"),
            ("imap.host.example", "993", "SSL"),
        ];
        let server = |(host, port, socket)| {
            format!(
                "<incomingServer type='imap'><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType></incomingServer>"
            )
        };
        let servers: String = SERVERS.into_iter().map(server).collect();
        let file = format!(
            "<clientConfig version='1.1'><emailProvider id='x'>{servers}</emailProvider></clientConfig>"
        );
        (url == self.0).then(|| file.into_bytes())
    }
}

#[tokio::test]
async fn what_a_domain_publishes_comes_before_guesses() {
    for place in [
        "https://autoconfig.ours.example/mail/config-v1.1.xml",
        "https://ours.example/.well-known/autoconfig/mail/config-v1.1.xml",
    ] {
        let found = guess("anna@Ours.Example", &Zone, &Published(place)).await;
        let list: Vec<String> =
            found.iter().map(|at| format!("{}:{} {:?}", at.host, at.port, at.tls)).collect();
        let expected = [
            "box.ours.example:9993 Implicit",
            "mail.ours.example:9143 StartTls",
            "imap.host.example:993 Implicit",
        ];
        assert_eq!(list[..3], expected, "{list:?}");
        assert!(found[1].from.contains("autoconfig"));
    }
}
