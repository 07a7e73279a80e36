//! A CRM that believes claims alone: before the doors of a postroom stands what IIS and the token service are before a
//! partner-hosted Dynamics. Messages without a signature that holds are refused; the others go on with the doors' own token.
//! Source: protocol-annex.md 1 and 3.2.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use jiff::SignedDuration;
use postroom_core::Clock;
use postroom_crm::soap::Settings;
use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault::Fault;
use postroom_sandbox::identity::{Identity, Options, User};

use crate::api::wire;
use crate::house::PATIENCE;
use crate::make::Place;

/// It listens until the test program ends.
pub struct Federation {
    pub origin: String,
    identity: Arc<Identity>,
}

impl Federation {
    /// Before these doors, for one user.
    pub fn before(crm: Place, user: &str, password: &str) -> Federation {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
        let service = Settings::new(&origin).expect("an address of this machine").service();
        let options = Options {
            tenant: "ours".into(),
            applications: Vec::new(),
            users: vec![User { name: user.into(), password: password.into() }],
            resources: vec![service.clone()],
            token_life: SignedDuration::from_hours(1),
        };
        let identity = Arc::new(Identity::start(options, Clock::system()));
        let judge = Arc::clone(&identity);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (judge, service, crm) = (Arc::clone(&judge), service.clone(), crm.clone());
                std::thread::spawn(move || answer(stream, &judge, &service, &crm));
            }
        });
        Federation { origin, identity }
    }

    /// Where names and passwords are taken.
    pub fn token_service(&self) -> String {
        format!("{}/adfs/services/trust/13/usernamemixed", self.identity.url())
    }

    /// Tokens so far.
    pub fn issued(&self) -> usize {
        self.identity.issued()
    }
}

/// One request of a connection.
fn answer(mut stream: TcpStream, judge: &Identity, service: &str, crm: &Place) {
    let Some((head, body)) = read(&mut stream) else { return };
    let path = head.split(' ').nth(1).expect("a request line").to_owned();
    let signed = judge.signer(&String::from_utf8_lossy(&body), service).is_ok();
    let (status, kind, body) = if signed && service.ends_with(&path) {
        let server: SocketAddr = crm.origin.trim_start_matches("http://").parse().expect("an address");
        let kind = header(&head, "content-type").unwrap_or_default();
        let answer = wire::post(path, kind, body).bearer(&crm.token).to(server);
        (answer.status, answer.header("content-type").to_owned(), answer.body)
    } else {
        let fault = Fault { subcode: Some("FailedAuthentication".into()), ..Fault::new(0, "no") };
        let envelope = Envelope::fault(Soap::V12, Headers::default(), &fault, Generation::Dataverse);
        (500, Soap::V12.content_type().to_owned(), envelope.write().into_bytes())
    };
    let size = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    );
    drop(stream.write_all(&[head.as_bytes(), &body].concat()));
}

/// Head and body of a request; nothing when the client hangs up.
fn read(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let (mut raw, mut part) = (Vec::new(), [0; 8192]);
    loop {
        let size = stream.read(&mut part).ok().filter(|size| *size > 0)?;
        raw.extend_from_slice(&part[..size]);
        let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        if raw.len() >= end + 4 + length {
            return Some((head, raw.split_off(end + 4)));
        }
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
