//! The SMTP sender: against a scripted server that answers, lies, falls silent and hangs up at every step (`dialogue`,
//! `cuts`, `signing_in`), and against Postfix's smtp-sink and our own listener (`peers`).

mod cuts;
mod dialogue;
mod peers;
mod script;
mod signing_in;

use std::time::Duration;

use bytes::Bytes;
use postroom_core::{Handed, MailSender, Outgoing, Verdict};
use postroom_mail::sender::{Limits, Options, Security, SmtpSender};

use self::script::Server;

pub const MAIL: &str = "From: a@b.example\r\nSubject: x\r\n\r\n.dot\r\n";

pub fn outgoing(to: &[&str]) -> Outgoing {
    Outgoing {
        from: "anna@client.example".to_owned(),
        to: to.iter().map(|&to| to.to_owned()).collect(),
        envelope_id: Some("out.7".to_owned()),
        receipt: false,
        raw: Bytes::from_static(MAIL.as_bytes()),
    }
}

/// Options with waits that a test can afford.
pub fn options(server: &Server) -> Options {
    let wait = Duration::from_millis(300);
    Options {
        limits: Limits { command: wait, write: wait, answer: wait, ..Limits::default() },
        ..Options::new("127.0.0.1", server.port, Security::None, "crm.client.example")
    }
}

pub fn sender(server: &Server) -> SmtpSender {
    SmtpSender::new(options(server)).unwrap()
}

/// `Ok(codes)` by recipient, or the verdict's word and the code.
pub fn short(outcome: Result<Handed, postroom_core::Fault>) -> Result<Vec<u16>, String> {
    match outcome {
        Ok(handed) => Ok(handed.into_iter().map(|(_, answer)| answer.code).collect()),
        Err(fault) => {
            let verdict = match fault.verdict {
                Verdict::Retry { .. } => "retry",
                Verdict::Reject => "reject",
                Verdict::Hold => "hold",
                Verdict::Unknown => "unknown",
                Verdict::Bug => "bug",
            };
            Err(format!("{verdict} {}", fault.code.0))
        }
    }
}

/// Sends to `to` through a new sender.
pub async fn send(server: &Server, to: &[&str]) -> Result<Vec<u16>, String> {
    short(sender(server).send(outgoing(to)).await)
}
