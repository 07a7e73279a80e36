//! The kill sweep with a real mail server: STARTTLS to a Postfix that hands everything on to a catcher. Whatever step the process
//! dies at, the world gets the mail, and every copy of it is the same.

use std::net::SocketAddr;
use std::sync::Arc;

use postroom_core::MailSender;
use postroom_mail::sender::{Fingerprint, Options, Security, SmtpSender};
use postroom_sandbox::catcher::Catcher;
use postroom_testkit::peers::{Certificate, Postfix, Route, Shape};
use postroom_testkit::poll;

use super::bench::On;
use super::crash::{Drill, Story};
use crate::load::PATIENCE;

/// `ADDRESS FINGERPRINT` of the mail server, for the process that is killed.
pub const SERVER: &str = "POSTROOM_TEST_SENDING_SERVER";

/// Steps of a mail that is taken at the first try.
const STEPS: [&str; 4] = ["mail.claimed", "mail.rendered", "mail.answered", "mail.told"];

#[test]
fn killed_at_every_step_with_starttls_to_postfix() {
    sweep(On::Sqlite);
}

#[test]
fn killed_at_every_step_with_starttls_on_postgresql() {
    sweep(On::Postgres);
}

fn sweep(on: On) {
    let (world, certificate) = (Catcher::start(), Certificate::local());
    let pin = Fingerprint::of(&certificate.der);
    let shape = Shape {
        tls: Some(certificate),
        settings: vec![("smtpd_tls_loglevel".into(), "1".into())],
        ..Shape::default()
    };
    let postfix = Postfix::with(Route::Smtp(world.address()), shape);
    let server = format!("{} {pin}", postfix.address);
    let drill = Drill::new(on).at_server(&server);
    for step in STEPS {
        for moment in ["before_commit", "after_commit"] {
            let point = format!("{step}.{moment}");
            world.clear();
            drill.kill(&point, Story::Plain);
            let gone = || (postfix.flush(), postfix.queued() == 0 && !world.mails().is_empty()).1;
            assert!(poll::until(PATIENCE, gone), "{point}: nothing arrives\n{}", postfix.log());
            let copies = world.mails();
            let own: Vec<String> = copies.iter().map(|copy| without_trace(&copy.raw)).collect();
            assert!(copies.len() <= 2, "{point}: {} copies", copies.len());
            assert!(own.iter().all(|one| *one == own[0]), "{point}: one mail, however often");
        }
    }
    assert!(postfix.log().contains("TLS connection established from"), "{}", postfix.log());
}

/// What we gave, without what the servers on the way put before it.
fn without_trace(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw).into_owned();
    let start = text.find("\r\nFrom: ").unwrap_or_default();
    text[start..].to_owned()
}

/// The sender to the server of the variable, when there is one.
pub fn sender() -> Option<Arc<dyn MailSender>> {
    let server = std::env::var(SERVER).ok()?;
    let (address, pin) = server.split_once(' ').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let hello = "postroom.crm.example";
    let mut options = Options::new(address.ip().to_string(), address.port(), Security::StartTls, hello);
    options.pin = Some(pin.parse().unwrap());
    Some(Arc::new(SmtpSender::new(options).unwrap()))
}
