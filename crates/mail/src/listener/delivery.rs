//! One received mail to the [`Inbox`](postroom_core::Inbox), and what became of it to answers: one in SMTP, one for each
//! recipient in LMTP (RFC 2033 section 4.2).

use std::net::IpAddr;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use memchr::memchr_iter;
use postroom_core::mail::Authentication;
use postroom_core::{Code, Direction, Envelope, Fault, Incoming, Source};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::connection::Door;
use super::reply::{Enhanced, Reply};
use super::{Protocol, Shortage, Transaction, events};
use crate::trust::Peer;

/// LMTP recipients that are handed over at once: enough for the store to commit them in one group.
const AT_ONCE: usize = 32;

/// Who sends: what goes into each mail's record of how it came.
pub(crate) struct Sender {
    pub session: Uuid,
    pub address: IpAddr,
    /// The client's name for itself.
    pub hello: String,
}

impl Sender {
    /// `mx.example [192.0.2.1]`
    fn peer(&self) -> String {
        match self.address {
            IpAddr::V4(address) => format!("{} [{address}]", self.hello),
            IpAddr::V6(address) => format!("{} [IPv6:{address}]", self.hello),
        }
    }
}

/// Hands a mail over and gives the answers, as many as the protocol wants. Nothing is answered 250 that the inbox has not
/// taken.
pub(crate) async fn deliver(
    door: &Door,
    sender: &Sender,
    transaction: Transaction,
    mail: Bytes,
) -> Vec<Reply> {
    if hops(&mail) > door.options.limits.max_hops {
        return refuse_all(door, &transaction, &Reply::loops());
    }
    if let Err(shortage) = door.room(mail.len() as u64) {
        return refuse_all(door, &transaction, &shortage.into());
    }
    let number = transaction.number;
    let from = transaction.from;
    match door.options.protocol {
        Protocol::Smtp => {
            let source_id = format!("{}:{number}", sender.session);
            vec![
                hand_over(door, sender, source_id, Envelope { from: Some(from), to: transaction.to }, mail)
                    .await,
            ]
        }
        Protocol::Lmtp => {
            let each = transaction.to.into_iter().enumerate().map(|(index, to)| {
                let envelope = Envelope { from: Some(from.clone()), to: vec![to] };
                hand_over(
                    door,
                    sender,
                    format!("{}:{number}:{index}", sender.session),
                    envelope,
                    mail.clone(),
                )
            });
            stream::iter(each).buffered(AT_ONCE).collect().await
        }
    }
}

/// The same refusal, as often as the client waits for an answer.
pub(crate) fn refuse_all(door: &Door, transaction: &Transaction, reply: &Reply) -> Vec<Reply> {
    match door.options.protocol {
        Protocol::Smtp => vec![reply.clone()],
        Protocol::Lmtp => vec![reply.clone(); transaction.to.len()],
    }
}

impl From<Shortage> for Reply {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Disk => Reply::disk_short(),
            Shortage::Memory => Reply::busy(),
        }
    }
}

async fn hand_over(
    door: &Door,
    sender: &Sender,
    source_id: String,
    envelope: Envelope,
    mail: Bytes,
) -> Reply {
    let (bytes, recipients) = (mail.len(), envelope.to.len());
    let from = envelope.from.as_deref().unwrap_or_default();
    let authentication = authenticate(door, sender, from, &mail).await;
    let incoming = Incoming {
        source: match door.options.protocol {
            Protocol::Smtp => Source::Smtp,
            Protocol::Lmtp => Source::Lmtp,
        },
        direction: Direction::Incoming,
        mailbox: None,
        folder: None,
        envelope,
        source_id: Some(source_id),
        peer: Some(sender.peer()),
        authentication,
        received_at: door.ports.clock.now(),
        raw: mail,
    };
    let started = Instant::now();
    let outcome = match timeout(door.options.limits.store, door.ports.inbox.accept(incoming)).await {
        Ok(outcome) => outcome,
        // Whether it is stored is not known. The client will send it again, and the inbox knows it then.
        Err(_) => Err(Fault::retry(Code::STORE_AWAY, "the store did not answer in time")),
    };
    match outcome {
        Ok(accepted) => {
            events::Accepted {
                protocol: door.options.protocol,
                session: sender.session,
                id: accepted.id,
                new: accepted.new,
                bytes,
                recipients,
                took: started.elapsed(),
            }
            .emit();
            let done = if door.options.recipients.is_relay() { "Passed on" } else { "Stored" };
            Reply::ok(250, Enhanced(2, 0, 0), format!("{done} as {}", accepted.id))
        }
        Err(fault) => {
            events::NotTaken { session: sender.session, fault: &fault }.emit();
            Reply::from(&fault)
        }
    }
}

/// Who really sent it, as far as the evaluator finds out. The mail's bytes stay as they are.
async fn authenticate(door: &Door, sender: &Sender, from: &str, mail: &[u8]) -> Authentication {
    let Some(trust) = door.options.trust.as_ref().filter(|_| door.options.protocol == Protocol::Smtp) else {
        return Authentication::Unknown;
    };
    let peer = Peer { address: sender.address, hello: &sender.hello, from };
    let verdicts = Box::pin(trust.evaluate(peer, mail)).await;
    let authentication = verdicts.authentication();
    events::Authenticated { session: sender.session, authentication, verdicts: &verdicts }.emit();
    authentication
}

/// `Received:` lines in the header: how many servers this mail has been through.
fn hops(mail: &[u8]) -> usize {
    const NAME: &[u8] = b"received:";
    let (mut start, mut count) = (0, 0);
    for end in memchr_iter(b'\n', mail) {
        let line = &mail[start..end];
        if line.is_empty() || line == b"\r" {
            break;
        }
        count += usize::from(line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)));
        start = end + 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::hops;

    #[test]
    fn hops_are_counted_in_the_header_only() {
        assert_eq!(hops(b""), 0);
        assert_eq!(hops(b"Received: a\r\n b\r\nRECEIVED: c\r\nX-Received: d\r\n\r\nReceived: e\r\n"), 2);
        assert_eq!(hops(b"Received: a\nReceived: b\n\nReceived: c\n"), 2);
    }
}
