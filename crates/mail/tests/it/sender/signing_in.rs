//! TLS and AUTH: what is believed, what is refused, and that nothing secret crosses the wire in the clear.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_core::{MailSender, Secret, Verdict};
use postroom_mail::oauth::Tokens;
use postroom_mail::sender::{Auth, Fingerprint, Mechanism, Options, Security, SmtpSender};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::script::{Act, Server, Tls, say, usual};
use super::{options, outgoing, sender, short};

struct Certificate {
    der: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

fn certificate(name: &str) -> Certificate {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Certificate { der: made.cert.der().clone(), config: Arc::new(config) }
}

/// A server with this certificate that offers STARTTLS and AUTH and knows one user.
async fn server(certificate: &Certificate, implicit: bool) -> Server {
    let tls = Tls { config: certificate.config.clone(), implicit };
    Server::with(Some(tls), known).await
}

fn known(_: usize, command: &str) -> Act {
    let plain = STANDARD.encode("\0crm\0se cret");
    let token = STANDARD.encode("user=crm\u{1}auth=Bearer se cret\u{1}\u{1}");
    match command {
        _ if command.starts_with("EHLO") => say("250-mx\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN XOAUTH2"),
        "AUTH LOGIN" => say("334 VXNlcm5hbWU6"),
        _ if command == STANDARD.encode("crm") => say("334 UGFzc3dvcmQ6"),
        _ if command == STANDARD.encode("se cret") => say("235 2.7.0 Welcome"),
        _ if command == format!("AUTH PLAIN {plain}") => say("235 2.7.0 Welcome"),
        _ if command == format!("AUTH XOAUTH2 {token}") => say("235 2.7.0 Welcome"),
        _ if command.starts_with("AUTH XOAUTH2") => say("334 eyJzdGF0dXMiOiI0MDEifQ=="),
        _ if command.starts_with("AUTH") || command.is_empty() => say("535 5.7.8 Wrong"),
        _ => usual(command),
    }
}

fn auth(mechanism: Mechanism, secret: &str) -> Option<Auth> {
    Some(Auth::fixed("crm", Secret::new(secret), mechanism))
}

fn secure(server: &Server, security: Security, certificate: &Certificate) -> Options {
    Options {
        host: "localhost".to_owned(),
        security,
        roots: vec![certificate.der.clone()],
        ..options(server)
    }
}

async fn try_with(options: Options) -> Result<Vec<u16>, String> {
    short(SmtpSender::new(options).unwrap().send(outgoing(&["one@x.example"])).await)
}

#[tokio::test]
async fn both_kinds_of_tls_and_every_mechanism() {
    let certificate = certificate("localhost");
    for (security, implicit) in [(Security::Implicit, true), (Security::StartTls, false)] {
        for mechanism in [Mechanism::Password, Mechanism::Plain, Mechanism::Login, Mechanism::XOAuth2] {
            let server = server(&certificate, implicit).await;
            let with =
                Options { auth: auth(mechanism, "se cret"), ..secure(&server, security, &certificate) };
            assert_eq!(try_with(with.clone()).await, Ok(vec![250]), "{security:?} {mechanism:?}");
            let wrong = Options { auth: auth(mechanism, "guess"), ..with };
            assert_eq!(try_with(wrong).await, Err("hold 4002".to_owned()), "{security:?} {mechanism:?}");
        }
    }
}

/// Tokens of which each is good until the server refuses it.
#[derive(Debug)]
struct Renewed {
    refused: AtomicUsize,
    /// How many there are.
    all: usize,
}

impl Renewed {
    fn new(all: usize) -> Arc<Renewed> {
        Arc::new(Renewed { refused: AtomicUsize::new(0), all })
    }
}

#[async_trait]
impl Tokens for Renewed {
    async fn token(&self) -> Result<Secret, postroom_mail::oauth::Error> {
        Ok(Secret::new(["old", "older still", "se cret"][self.refused.load(Ordering::SeqCst)]))
    }

    async fn refused(&self, _: &Secret) -> bool {
        self.refused.fetch_add(1, Ordering::SeqCst) + 1 < self.all
    }
}

/// A token that ended while the process ran: the next one is asked for, once.
#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let certificate = certificate("localhost");
    let server = server(&certificate, true).await;
    let with = |tokens: &Arc<Renewed>| Options {
        auth: Some(Auth { user: "crm".into(), secret: tokens.clone(), mechanism: Mechanism::XOAuth2 }),
        ..secure(&server, Security::Implicit, &certificate)
    };
    let tokens = Renewed::new(3);
    tokens.refused.store(1, Ordering::SeqCst);
    assert_eq!(try_with(with(&tokens)).await, Ok(vec![250]), "the second is good");
    let tokens = Renewed::new(3);
    assert_eq!(try_with(with(&tokens)).await, Err("hold 4002".to_owned()), "a third is not tried");
    assert_eq!(tokens.refused.load(Ordering::SeqCst), 2);
    let tokens = Renewed::new(1);
    assert_eq!(try_with(with(&tokens)).await, Err("hold 4002".to_owned()), "there is no other");
    assert_eq!(tokens.refused.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn sign_in_answers() {
    for (said, expected) in [
        ("454 4.7.0 Later", "retry 4002"),
        ("421 4.7.0 Overloaded", "retry 4002"),
        ("534 5.7.9 Too weak", "hold 4002"),
        ("538 5.7.11 Encrypt", "hold 4002"),
        ("550 5.7.1 Blocked", "hold 4002"),
    ] {
        let server = Server::start(move |_, command| match command {
            _ if command.starts_with("EHLO") => say("250-mx\r\n250 AUTH PLAIN"),
            _ if command.starts_with("AUTH") => say(said),
            _ => usual(command),
        })
        .await;
        let options = Options { auth: auth(Mechanism::Password, "x"), ..options(&server) };
        assert_eq!(try_with(options).await, Err(expected.to_owned()), "{said}");
    }
    // Nothing offered that we may use.
    let server = Server::start(|_, command| usual(command)).await;
    let options = Options { auth: auth(Mechanism::Password, "x"), ..options(&server) };
    assert_eq!(try_with(options).await, Err("hold 4002".to_owned()));
}

/// A server that wants us to sign in says so at any step; no recipient is to blame.
#[tokio::test]
async fn authentication_required_holds() {
    for at in ["MAIL", "RCPT", "DATA", "."] {
        for said in ["530 5.7.0 Authentication required", "535 5.7.8 Expired"] {
            let server = Server::start(
                move |_, command| if command.starts_with(at) { say(said) } else { usual(command) },
            )
            .await;
            let outcome = short(sender(&server).send(outgoing(&["one@x.example", "two@x.example"])).await);
            assert_eq!(outcome, Err("hold 4002".to_owned()), "{at} {said}");
        }
    }
}

#[tokio::test]
async fn certificates() {
    let (good, other, named) =
        (certificate("localhost"), certificate("localhost"), certificate("mx.example"));
    let start = |certificate| server(certificate, true);
    let (at_good, at_named) = (start(&good).await, start(&named).await);
    let secure = |server, certificate| secure(server, Security::Implicit, certificate);
    assert_eq!(try_with(secure(&at_good, &other)).await, Err("hold 4003".to_owned()), "unknown issuer");
    assert_eq!(try_with(secure(&at_named, &named)).await, Err("hold 4003".to_owned()), "another name");
    let pinned = |server, pin: &Certificate| Options {
        pin: Some(Fingerprint::of(&pin.der)),
        ..secure(server, &other)
    };
    assert_eq!(try_with(pinned(&at_named, &named)).await, Ok(vec![250]), "pinned in spite of its name");
    assert_eq!(try_with(pinned(&at_named, &good)).await, Err("hold 4003".to_owned()), "another pin");
    let fault = SmtpSender::new(pinned(&at_named, &good)).unwrap().check().await.unwrap_err();
    assert!(fault.message.contains(&Fingerprint::of(&named.der).to_string()), "{}", fault.message);
    let text = SmtpSender::new(pinned(&at_named, &named)).unwrap().check().await.unwrap();
    assert!(text.contains("TLSv1_3, certificate "), "{text}");
}

#[tokio::test]
async fn no_tls_no_mail() {
    let made = certificate("localhost");
    for (answer, expected) in [
        (None, "hold 4003"),
        (Some("454 4.7.0 Not now"), "retry 4003"),
        (Some("501 5.5.4 No"), "hold 4003"),
        // Words that only look as if they came through TLS (CVE-2021-38371).
        (Some("220 Go\r\n250 injected"), "hold 4003"),
    ] {
        let server = Server::start(move |_, command| match (command, answer) {
            (_, Some(_)) if command.starts_with("EHLO") => say("250-mx\r\n250 STARTTLS"),
            ("STARTTLS", Some(answer)) => say(answer),
            _ => usual(command),
        })
        .await;
        assert_eq!(
            try_with(secure(&server, Security::StartTls, &made)).await,
            Err(expected.to_owned()),
            "{answer:?}"
        );
        assert!(!server.heard().iter().any(|line| line.contains("MAIL")), "{answer:?}");
    }
}

/// An old server breaks the handshake off, or is none at all.
#[tokio::test]
async fn a_server_that_cannot_do_tls() {
    let made = certificate("localhost");
    let plain = Server::start(|_, command| usual(command)).await;
    let fault =
        SmtpSender::new(secure(&plain, Security::Implicit, &made)).unwrap().check().await.unwrap_err();
    assert!(
        matches!(fault.verdict, Verdict::Hold) && fault.message.contains("STARTTLS"),
        "{}",
        fault.message
    );
    // TLS alert 70: protocol_version, what a server with TLS 1.0 answers to us.
    let alert = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = alert.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = alert.accept().await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        stream.write_all(&[21, 3, 1, 0, 2, 2, 70]).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let old = Options { port, ..secure(&plain, Security::Implicit, &made) };
    let fault = SmtpSender::new(old).unwrap().check().await.unwrap_err();
    assert!(matches!(fault.verdict, Verdict::Hold), "{fault}");
    assert!(
        fault.message.contains("TLS 1.2 with ECDHE") && fault.message.contains("TLS proxy"),
        "{}",
        fault.message
    );
}

/// Plain text is for this machine only, whatever the name says.
#[tokio::test]
async fn plain_text_never_leaves_this_machine() {
    let far = Options::new("192.0.2.1", 25, Security::None, "c.example");
    assert_eq!(try_with(far).await, Err("hold 4003".to_owned()));
}

#[tokio::test]
async fn no_secret_in_a_fault() {
    let certificate = certificate("localhost");
    let server = server(&certificate, true).await;
    let with = Options {
        auth: auth(Mechanism::Plain, "guess-me"),
        ..secure(&server, Security::Implicit, &certificate)
    };
    assert!(!format!("{with:?}").contains("guess-me"));
    let fault = SmtpSender::new(with).unwrap().check().await.unwrap_err();
    assert!(
        !format!("{fault:?}").contains("guess-me")
            && !format!("{fault:?}").contains(&STANDARD.encode("\0crm\0guess-me"))
    );
}
