//! Real peers: Postfix's smtp-sink, and our own listener with the mail's bytes compared.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use postroom_core::{MailSender, Outgoing};
use postroom_mail::listener::{Protocol, server_config};
use postroom_mail::sender::{Fingerprint, Limits, Options, Security, SmtpSender};

use crate::harness::{self, HOST, Running, SOON, Shelf, ports};

use super::{outgoing, short};

/// smtp-sink, killed when dropped.
struct Sink {
    child: Child,
    port: u16,
}

impl Sink {
    fn start(more: &[&str]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // As root it insists on becoming somebody else.
        let user: &[&str] = if rustix::process::geteuid().is_root() { &["-u", "nobody"] } else { &[] };
        let child = Command::new("/usr/sbin/smtp-sink")
            .args(user)
            .args(more)
            .args([&format!("127.0.0.1:{port}"), "100"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("smtp-sink is missing: apt-get install postfix");
        let deadline = Instant::now() + SOON;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "smtp-sink does not listen");
            std::thread::yield_now();
        }
        Sink { child, port }
    }

    fn options(&self) -> Options {
        Options::new("127.0.0.1", self.port, Security::None, "crm.client.example")
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn smtp_sink_takes_mails_at_once() {
    let sink = Sink::start(&[]);
    let sender = SmtpSender::new(sink.options()).unwrap();
    let mails = (0..100).map(|_| {
        let sender = sender.clone();
        tokio::spawn(async move { short(sender.send(outgoing(&["one@x.example", "two@x.example"])).await) })
    });
    for mail in mails.collect::<Vec<_>>() {
        assert_eq!(mail.await.unwrap(), Ok(vec![250, 250]));
    }
}

/// smtp-sink refuses (-f 5yz, -r 4yz) or hangs up (-q) at a command.
#[tokio::test]
async fn smtp_sink_that_refuses() {
    let one = &["one@x.example"];
    for (more, expected) in [
        (&["-f", "RCPT"][..], Ok(vec![500])),
        (&["-r", "RCPT"], Ok(vec![450])),
        (&["-f", "."], Ok(vec![500])),
        (&["-q", "RCPT"], Err("retry 4001".to_owned())),
        (&["-q", "."], Err("unknown 4004".to_owned())),
    ] {
        let sink = Sink::start(more);
        let outcome = short(SmtpSender::new(sink.options()).unwrap().send(outgoing(one)).await);
        assert_eq!(outcome, expected, "{more:?}");
    }
}

#[tokio::test]
async fn our_own_listener_gets_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let shelf = Shelf::new();
    let listener = postroom_mail::listener::Options {
        tls: Some(server_config(&cert, &key).unwrap()),
        ..harness::options(Protocol::Smtp)
    };
    let running = Running::start(listener, ports(shelf.clone())).await;
    let options = Options {
        pin: Some(Fingerprint::of(made.cert.der())),
        limits: Limits { max_connections: 1, ..Limits::default() },
        ..Options::new("127.0.0.1", running.address.port(), Security::StartTls, "crm.client.example")
    };
    let sender = SmtpSender::new(options).unwrap();
    let bodies = [
        ".\r\n..\r\n.dots\r\n\r\n.\r\n".to_owned(),
        "8-bit: \u{e4}\r\n".to_owned(),
        "no line end".to_owned(),
        "x".repeat(300_000) + "\r\n",
        String::new(),
    ];
    for body in &bodies {
        let raw = Bytes::from(format!("Subject: x\r\n\r\n{body}"));
        let to = ["desk@ours.example", "nobody@elsewhere.example"];
        let codes = short(sender.send(Outgoing { raw, ..outgoing(&to) }).await).unwrap();
        assert_eq!((codes[0], codes[1] / 100), (250, 5));
    }
    let mails = shelf.mails();
    assert_eq!(mails.len(), bodies.len());
    for (mail, body) in mails.iter().zip(&bodies) {
        // DATA cannot carry a last line without an end: it gets one.
        let end = if body == "no line end" { "\r\n" } else { "" };
        assert_eq!(mail.raw, format!("Subject: x\r\n\r\n{body}{end}").as_bytes());
        assert_eq!(mail.envelope.to, ["desk@ours.example"]);
    }
}
