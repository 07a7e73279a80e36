//! Signing in: each make against the sandbox's identity provider, Windows sign-in also against pyspnego.

mod claims;
mod connection;
mod discovery;
mod oauth;
mod pyspnego;
mod secrets;
mod transport;
pub mod windows;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Fault, Ids, Secret};
use postroom_crm::sign_in::assertion::Certificate;
use postroom_crm::sign_in::oauth::{Endpoint, Grant, OAuth};
use postroom_crm::sign_in::{Connection, Kept, Transport};
use postroom_sandbox::identity::{Application, Identity, Options, User};
use postroom_testkit::peers::require;

pub const CRM: &str = "https://org.example.com";
pub const TENANT: &str = "contoso";
pub const CLIENT: &str = "7f1c0000-0000-4000-8000-00000000c11e";
pub const SECRET: &str = "canary-of-the-secret";
pub const USER: &str = "CONTOSO\\alice";
pub const PASSWORD: &str = "canary-of-the-pässword";

/// An RSA key with its certificate, of openssl's making.
pub struct Pair {
    pub certificate: String,
    pub key: String,
    pub der: Vec<u8>,
}

/// The application's pair, made once: a key takes its time.
pub static PAIR: LazyLock<Pair> = LazyLock::new(Pair::new);

impl Pair {
    pub fn new() -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let output =
                Command::new(require("openssl")).current_dir(folder.path()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key",
            "-out",
            "pem",
            "-subj",
            "/CN=postroom",
            "-days",
            "3650",
        ]);
        run(&["x509", "-in", "pem", "-outform", "der", "-out", "der"]);
        run(&["rsa", "-in", "key", "-traditional", "-out", "pkcs1"]);
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let key = text("key");
        assert!(key.contains("BEGIN PRIVATE KEY") && text("pkcs1").contains("BEGIN RSA PRIVATE KEY"));
        // Both forms of the same key must do.
        Certificate::from_pem(&text("pem"), &Secret::new(text("pkcs1"))).unwrap();
        Pair { certificate: text("pem"), key, der: std::fs::read(folder.path().join("der")).unwrap() }
    }

    pub fn grant(&self) -> Grant {
        Grant::Certificate(Arc::new(
            Certificate::from_pem(&self.certificate, &Secret::new(&*self.key)).unwrap(),
        ))
    }
}

pub fn clock() -> Clock {
    Clock::manual("2026-11-22T08:00:00Z".parse::<Timestamp>().unwrap())
}

pub fn user() -> User {
    User { name: USER.into(), password: PASSWORD.into() }
}

/// A provider that knows one application, one user and one CRM.
pub fn provider(clock: &Clock, certificates: Vec<Vec<u8>>) -> Identity {
    let application = Application { client_id: CLIENT.into(), secret: Some(SECRET.into()), certificates };
    let options = Options {
        tenant: TENANT.into(),
        applications: vec![application],
        users: vec![user()],
        resources: vec![CRM.into()],
        token_life: SignedDuration::from_hours(1),
    };
    Identity::start(options, clock.clone())
}

pub fn client() -> reqwest::Client {
    Connection::default().client().unwrap()
}

pub fn oauth(endpoint: Endpoint, grant: Grant, clock: &Clock) -> OAuth {
    OAuth {
        client: client(),
        endpoint,
        client_id: CLIENT.into(),
        grant,
        resource: CRM.into(),
        clock: clock.clone(),
        ids: Ids::random(),
    }
}

pub fn secret() -> Grant {
    Grant::Secret(Secret::new(SECRET))
}

/// Tokens by secret.
pub fn tokens(identity: &Identity, clock: &Clock) -> Arc<Kept<OAuth>> {
    let endpoint = Endpoint::v2(&identity.url(), TENANT);
    Arc::new(Kept::new(oauth(endpoint, secret(), clock), clock.clone()))
}

/// Serves a router on a free port of this machine, until the test ends.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    url
}

pub async fn get(transport: &dyn Transport, url: &str) -> Result<Response<Bytes>, Fault> {
    transport.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

pub async fn post(transport: &dyn Transport, url: &str, body: &str) -> Result<Response<Bytes>, Fault> {
    transport.send(Request::post(url).body(Bytes::from(body.to_owned())).unwrap()).await
}

pub fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

pub fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
