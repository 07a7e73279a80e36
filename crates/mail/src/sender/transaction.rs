//! One mail over a ready connection (RFC 5321 3.3): MAIL and RCPT together where PIPELINING is offered (RFC 2920), DATA
//! alone, then the mail.
//!
//! Until the piece with the final dot is written nobody can have the mail; from then on only an answer tells.

use bytes::Bytes;
use postroom_core::{Handed, Outgoing};

use super::Error;
use super::connection::Connection;
use super::envelope::Envelope;
use super::fault::Step;
use super::stream::Broken;
use super::wire::{Reply, stuffed};

/// Commands sent before their answers are read: more, and both sides could wait for each other to read.
const GROUP: usize = 100;

impl Connection {
    /// Sends one mail. After an error the connection is of no use.
    pub async fn send(&mut self, mail: &Outgoing) -> Result<Handed, Error> {
        let mut envelope = Envelope::new(mail, &self.offers);
        let open = envelope.open();
        if open.is_empty() {
            return Ok(envelope.handed());
        }
        let accepted = self.ask_for(&mut envelope, &open).await?;
        if accepted.is_empty() {
            self.reset().await;
        } else {
            self.data(&mut envelope, &accepted, &mail.raw).await?;
        }
        self.mails += 1;
        Ok(envelope.handed())
    }

    /// MAIL and RCPT. Gives the recipients that were accepted; the others are settled.
    async fn ask_for(&mut self, envelope: &mut Envelope, open: &[usize]) -> Result<Vec<usize>, Error> {
        self.stream.say(&envelope.mail);
        let group = if self.offers.pipelining { GROUP } else { 1 };
        let mut groups = open.chunks(group);
        // The first group travels with MAIL; without PIPELINING it is empty.
        let first = if self.offers.pipelining { groups.next().unwrap_or_default() } else { &[] };
        first.iter().for_each(|&index| self.stream.say(&envelope.recipient(index)));
        self.flush(Step::Mail).await?;
        let sender = self.hear(Step::Mail).await?;
        if sender.code == 421 {
            return Err(Error::Closing { server: self.options.server(), answer: sender.answer() });
        }
        self.must_know_us(Step::Mail, &sender)?;
        let mut accepted = Vec::new();
        self.recipients(envelope, first, &mut accepted).await?;
        if !sender.is_ok() {
            accepted.clear();
            // The answers to RCPT after a refused MAIL say nothing about the recipients.
            open.iter().for_each(|&index| envelope.settle(index, sender.answer()));
            return Ok(accepted);
        }
        for group in groups {
            if self.spent {
                break;
            }
            group.iter().for_each(|&index| self.stream.say(&envelope.recipient(index)));
            self.flush(Step::Recipient).await?;
            self.recipients(envelope, group, &mut accepted).await?;
        }
        Ok(accepted)
    }

    /// The answers to RCPT for `group`. When the server goes (421), it answers for everybody who was not refused yet.
    async fn recipients(
        &mut self,
        envelope: &mut Envelope,
        group: &[usize],
        accepted: &mut Vec<usize>,
    ) -> Result<(), Error> {
        for &index in group {
            let reply = self.hear(Step::Recipient).await?;
            self.must_know_us(Step::Recipient, &reply)?;
            if reply.code == 421 {
                self.spent = true;
                accepted.clear();
                envelope.settle_open(&reply.answer());
                return Ok(());
            }
            match reply.is_ok() {
                true => accepted.push(index),
                false => envelope.settle(index, reply.answer()),
            }
        }
        Ok(())
    }

    async fn data(&mut self, envelope: &mut Envelope, accepted: &[usize], mail: &Bytes) -> Result<(), Error> {
        let go = self.ask(Step::Data, "DATA").await?;
        self.must_know_us(Step::Data, &go)?;
        if go.is_ok() {
            return Err(self.broken(Step::Data, Broken::Foreign));
        }
        let last = if go.code == 354 { self.pour(mail).await? } else { go };
        self.must_know_us(Step::Answer, &last)?;
        self.spent |= last.code == 421;
        accepted.iter().for_each(|&index| envelope.settle(index, last.answer()));
        Ok(())
    }

    /// The mail and the final dot; gives the answer to it.
    async fn pour(&mut self, mail: &Bytes) -> Result<Reply, Error> {
        let (write, patience) = (self.options.limits.write, self.options.limits.answer);
        let pieces = stuffed(mail);
        let (end, pieces) = pieces.split_last().expect("there is always a final dot");
        for piece in pieces {
            if let Err(broken) = self.stream.pour(piece, write).await {
                return self.cut_short(broken).await;
            }
        }
        self.stream.append(end);
        let unknown = |broken| Error::Unknown {
            server: self.options.server(),
            source: match broken {
                Broken::Io(source) => Some(source),
                Broken::Late | Broken::Foreign => None,
            },
        };
        self.stream.flush(write).await.map_err(unknown)?;
        let reply = self.stream.hear(patience).await.map_err(unknown)?;
        match reply.code {
            300..=399 => Err(unknown(Broken::Foreign)),
            _ => Ok(reply),
        }
    }

    /// A server that stops reading may have said why before it went; its last word is an answer for this mail.
    async fn cut_short(&mut self, broken: Broken) -> Result<Reply, Error> {
        self.spent = true;
        let heard = match &broken {
            Broken::Io(_) => self.stream.hear(self.options.limits.command).await.ok(),
            Broken::Late | Broken::Foreign => None,
        };
        match heard {
            Some(reply) if reply.code >= 400 => Ok(reply),
            _ => Err(self.broken(Step::Body, broken)),
        }
    }

    /// 530 and its kin mean that we are not allowed to send at all: no recipient is to blame.
    fn must_know_us(&self, step: Step, reply: &Reply) -> Result<(), Error> {
        match reply.is_sign_in() {
            true => {
                let (server, answer) = (self.options.server(), reply.answer());
                Err(Error::SignIn { server, step, answer, renewed: false })
            }
            false => Ok(()),
        }
    }

    /// Ends a transaction without a mail. The answers stand whether it works or not.
    async fn reset(&mut self) {
        if !self.spent {
            let reply = self.ask(Step::Leaving, "RSET").await;
            self.spent = !reply.is_ok_and(|reply| reply.is_ok());
        }
    }
}
