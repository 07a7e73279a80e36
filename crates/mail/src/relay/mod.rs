//! The stamping relay: takes mail that users are sending from their mail server, gives its subject the token of the
//! record it belongs to, hands it to the next hop, and records it. Start reading at [`Relay`]; its rooms:
//!
//! | module | holds |
//! | --- | --- |
//! | `stamping` | what the stamper is asked, how long it may think, and which mail is left alone |
//! | `trace` | our `Received:` line (RFC 5321 section 4.4) and the mark in it that shows a loop |
//! | `answers` | the next hop's answers to one answer for the client |
//! | `memory` | who has a mail already that its client will send again |
//! | `events` | log lines and metrics |
//!
//! It stands behind a [listener](crate::listener) with [`Recipients::anyone_from`](crate::listener::Recipients::anyone_from)
//! as its [`Inbox`], in one of two shapes: *content filter*, where the next hop is the port at which the same mail server
//! takes its mail back, and *next hop* (smart host), where it is the way into the world.
//!
//! Invariants: the client hears 250 only after the next hop has taken the mail for every recipient and the mail is
//! recorded, so a crash or a lost answer costs a repeat with the same Message-ID and never a mail; the mail changes in
//! its first Subject field and one `Received:` line at its head and nowhere else; stamping costs at most
//! [`Options::patience`], and when in doubt the mail goes on unchanged.
//!
//! Deliberately absent: a queue (the client has one), DSN parameters (not announced by the listener, so a client answers
//! its users' wishes itself), the rules of stamping and of what is a record (the `Stamper` and the inner `Inbox`).

mod answers;
mod events;
mod memory;
mod stamping;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{
    Accepted, Answer, Clock, Direction, Envelope, Fate, Fault, Handed, Ids, Inbox, Incoming, MailId,
    MailSender, Outgoing, Stamper, Verdict,
};
use postroom_formats::mime::scan_headers;
use tokio::time::Instant;

use memory::{Delivered, Key};
use trace::Trace;

/// What can be set about a relay.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our name in the `Received:` line.
    pub host: String,
    /// How long the stamper may think about one mail. Users' mail waits so long when the CRM hangs.
    pub patience: Duration,
    /// How long it is remembered who has a mail that was not acknowledged. Must exceed the client's longest pause between
    /// two tries (Postfix: `maximal_backoff_time`, 4000 s), or a recipient gets such a mail twice.
    pub remember: Duration,
}

impl Options {
    pub fn new(host: impl Into<String>) -> Self {
        Options {
            host: host.into(),
            // With the rest of our work it stays below two seconds.
            patience: Duration::from_millis(1500),
            remember: Duration::from_secs(3 * 3600),
        }
    }
}

/// The ports of a relay.
#[derive(Clone)]
pub struct Ports {
    pub stamper: Arc<dyn Stamper>,
    pub next: Arc<dyn MailSender>,
    /// Where mail is recorded that has left.
    pub inbox: Arc<dyn Inbox>,
    pub clock: Clock,
    pub ids: Ids,
}

/// Takes a mail by handing it on: see the module. Cheap to clone; all clones share what is remembered.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    ports: Ports,
    trace: Trace,
    delivered: Delivered,
}

impl Relay {
    pub fn new(options: Options, ports: Ports) -> Self {
        let trace = Trace::new(options.host.clone(), ports.ids.next());
        let delivered = Delivered::new(options.remember);
        Relay { shared: Arc::new(Shared { options, ports, trace, delivered }) }
    }
}

#[async_trait]
impl Inbox for Relay {
    /// `Ok` means: the next hop has the mail for every recipient, and it is recorded. The sending goes on when the
    /// caller stops waiting, so that what it comes to is remembered for the repeat. Callers should wait longer than the
    /// next hop may take (`sender::Limits::answer`), and their clients longer than they do.
    async fn accept(&self, mail: Incoming) -> Result<Accepted, Fault> {
        let shared = self.shared.clone();
        let passing = tokio::spawn(async move { Box::pin(shared.pass(mail)).await });
        passing.await.unwrap_or_else(|_| Err(Fault::bug("the relay broke off in the middle of a mail")))
    }
}

impl Shared {
    async fn pass(&self, mail: Incoming) -> Result<Accepted, Fault> {
        let started = Instant::now();
        let outcome = self.try_pass(mail).await;
        events::Passed { outcome: &outcome, took: started.elapsed() }.emit();
        outcome
    }

    async fn try_pass(&self, mail: Incoming) -> Result<Accepted, Fault> {
        let mark = self.trace.mark(&mail.envelope.to);
        if trace::carries(&mail.raw, &mark) {
            return Err(answers::looping());
        }
        if !trace::has_only_crlf(&mail.raw) {
            return Err(answers::line_ends());
        }
        let stamped = match is_report(&mail) {
            true => mail.raw.clone(),
            false => stamping::stamped(self.ports.stamper.clone(), self.options.patience, &mail).await,
        };
        let raw = Bytes::from([self.trace.line(&mail, &mark).as_bytes(), &stamped].concat());
        let fields = scan_headers(&mail.raw);
        let key = Key::new(fields.message_id.as_deref(), &mail);
        self.hand_on(&mail, &key, &raw).await?;
        let recipients = mail.envelope.to.clone();
        let accepted = self.record(mail, raw).await?;
        self.delivered.forget(&key, &recipients);
        Ok(accepted)
    }

    /// Sends to those who have not got it yet. `Ok` when all have it now.
    async fn hand_on(&self, mail: &Incoming, key: &Key, raw: &Bytes) -> Result<(), Fault> {
        let now = self.ports.clock.now();
        let everybody = unique(&mail.envelope.to);
        let (have, open) = self.delivered.split(key, everybody, now);
        if open.is_empty() {
            return Ok(());
        }
        let from = mail.envelope.from.clone().unwrap_or_default();
        let outgoing = Outgoing { from, to: open, envelope_id: None, receipt: false, raw: raw.clone() };
        let handed = self.ports.next.send(outgoing).await.map_err(answers::not_handed_on)?;
        let took: Vec<String> = with_fate(&handed, Fate::Accepted);
        self.delivered.remember(key, &took, now);
        let Err(fault) = answers::conclude(&handed, have.len()) else { return Ok(()) };
        if fault.verdict == Verdict::Reject {
            self.delivered.forget(key, &mail.envelope.to);
        }
        if !took.is_empty() {
            // Some have it: it is on its way, whatever becomes of the rest. To the inbox the repeat is nothing new.
            let part = Incoming {
                envelope: Envelope { from: mail.envelope.from.clone(), to: took },
                ..mail.clone()
            };
            self.record(part, raw.clone()).await?;
        }
        Err(fault)
    }

    /// Records what has left, as it left. A report is not correspondence, and where it belongs is found when it comes in:
    /// the id it gets names nothing, and neither does that of a mail which the inbox will never take.
    async fn record(&self, mail: Incoming, raw: Bytes) -> Result<Accepted, Fault> {
        if is_report(&mail) {
            return Ok(Accepted { id: MailId(self.ports.ids.next()), new: true });
        }
        let sent = Incoming { direction: Direction::Outgoing, raw, ..mail };
        match self.ports.inbox.accept(sent).await {
            Err(fault) if fault.verdict == Verdict::Reject => {
                // Sending it again would not change that, and everybody would have it twice.
                events::NotRecorded { fault: &fault }.emit();
                Ok(Accepted { id: MailId(self.ports.ids.next()), new: true })
            }
            outcome => outcome,
        }
    }
}

/// Mail without a reverse-path (RFC 5321 section 4.5.5): about a mail, and never to be answered.
fn is_report(mail: &Incoming) -> bool {
    mail.envelope.from.as_deref().unwrap_or_default().is_empty()
}

fn with_fate(handed: &Handed, fate: Fate) -> Vec<String> {
    let of = |(_, answer): &&(String, Answer)| answer.fate() == fate;
    handed.iter().filter(of).map(|(to, _)| to.clone()).collect()
}

/// Each recipient once, in order.
fn unique(to: &[String]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    to.iter().filter(|to| seen.insert(to.as_str())).cloned().collect()
}
