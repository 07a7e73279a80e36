//! The stamping relay: behind our own listener and in front of our own listener (`passing`, `refusals`, `loops`), with
//! doubles where time or failure must be in our hand (`stamper`), and as Postfix's content filter (`postfix`).

mod loops;
mod passing;
mod postfix;
mod refusals;
mod stamper;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::{Clock, Ids, Inbox, Incoming, MailSender, Stamp, StampAsk, Stamper};
use postroom_mail::client::{Answer, Client};
use postroom_mail::listener::{Clients, Options, Protocol, Recipients};
use postroom_mail::relay::{self, Relay};
use postroom_mail::sender::{self, Security, SmtpSender};

use crate::harness::{Running, Shelf, options, ports};

pub const TOKEN: &str = " CRM:{0190f3c2-1111-2222-3333-444455556666}:MRC";
/// Stamped when a recipient is here.
pub const KNOWN: &str = "@customer.example";

/// Adds the token when a recipient is known.
pub struct Suffix;

#[async_trait]
impl Stamper for Suffix {
    async fn stamp(&self, ask: StampAsk) -> Stamp {
        let known = ask.to.iter().any(|to| to.ends_with(KNOWN)) && !ask.subject.contains(TOKEN);
        let subject = if known { format!("{}{TOKEN}", ask.subject) } else { ask.subject };
        Stamp { subject, record: None, reason: String::new() }
    }
}

/// A relay with its parts at hand.
pub struct Desk {
    pub running: Running,
    /// What was recorded.
    pub shelf: Arc<Shelf>,
    pub clock: Clock,
}

impl Desk {
    pub async fn new(next: SocketAddr, shelf: Arc<Shelf>) -> Desk {
        Desk::of(Protocol::Smtp, Arc::new(Suffix), sender_to(next), shelf).await
    }

    pub async fn of(
        protocol: Protocol,
        stamper: Arc<dyn Stamper>,
        next: Arc<dyn MailSender>,
        shelf: Arc<Shelf>,
    ) -> Desk {
        let (relay, clock) = relay(stamper, next, shelf.clone());
        let running = Running::start(open(protocol), ports(Arc::new(relay))).await;
        Desk { running, shelf, clock }
    }

    /// Sends one mail over a connection of its own.
    pub async fn send(&self, from: &str, to: &[&str], mail: &str) -> Vec<Answer> {
        let mut client = Client::connect(self.running.address).await.unwrap();
        client.send(from, to, mail.as_bytes()).await.unwrap()
    }

    /// Sends a mail of Anna's and gives the start of the one answer.
    pub async fn try_send(&self, to: &[&str], mail: &str) -> String {
        let answer = self.send("anna@ours.example", to, mail).await.pop().unwrap();
        format!("{} {}", answer.code, answer.text)
    }
}

pub fn relay(stamper: Arc<dyn Stamper>, next: Arc<dyn MailSender>, inbox: Arc<dyn Inbox>) -> (Relay, Clock) {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let ports = relay::Ports { stamper, next, inbox, clock: clock.clone(), ids: Ids::random() };
    (Relay::new(relay::Options::new("crm.client.example"), ports), clock)
}

/// A listener for anybody, from this machine.
pub fn open(protocol: Protocol) -> Options {
    let clients = Clients::read(["127.0.0.1"]).unwrap();
    Options { recipients: Recipients::anyone_from(clients), ..options(protocol) }
}

pub fn sender_to(next: SocketAddr) -> Arc<SmtpSender> {
    let to = sender::Options::new("127.0.0.1", next.port(), Security::None, "crm.client.example");
    Arc::new(SmtpSender::new(to).unwrap())
}

/// The rest of the world: takes everything, and `judge` may object.
pub async fn world(shelf: &Arc<Shelf>) -> Running {
    Running::start(open(Protocol::Smtp), ports(shelf.clone())).await
}

pub fn text(mail: &Incoming) -> String {
    String::from_utf8(mail.raw.to_vec()).unwrap()
}

/// The mail without the `Received:` field at its head.
pub fn below_received(mail: &Incoming) -> String {
    let text = text(mail);
    assert!(text.starts_with("Received: from "), "{text}");
    let end = text.match_indices("\r\n").find(|(at, _)| !text[at + 2..].starts_with('\t')).unwrap().0;
    text[end + 2..].to_owned()
}

pub fn letter(to: &str, id: &str) -> String {
    format!(
        "From: anna@ours.example\r\nTo: {to}\r\nSubject: Offer\r\nMessage-ID: <{id}@ours.example>\r\n\r\n.Hello\r\n..\r\n"
    )
}
