//! What the listener tells its operators. Each event writes its log line and moves its metric together.
//!
//! Never here: addresses of mail, the client's name for itself, subjects, bodies. The client's IP address is that of a
//! mail server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use postroom_core::mail::Authentication;
use postroom_core::{Fault, MailId};
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::{Protocol, Why};
use crate::trust::{Outcome, Verdicts};

/// A listener is ready.
pub struct Listening {
    pub protocol: Protocol,
    pub address: SocketAddr,
}

impl Listening {
    pub fn emit(self) {
        let Listening { protocol, address } = self;
        info!(event = "smtp.listening", protocol = protocol.as_str(), %address, "Listening for {}", protocol.as_str());
    }
}

/// A client was let in.
pub struct Opened {
    pub protocol: Protocol,
    pub session: Uuid,
    pub peer: IpAddr,
}

impl Opened {
    pub fn emit(self) {
        let protocol = self.protocol.as_str();
        counter!("postroom_smtp_connections_total", "protocol" => protocol, "result" => "admitted")
            .increment(1);
        gauge!("postroom_smtp_connections", "protocol" => protocol).increment(1.0);
        debug!(event = "smtp.opened", protocol, session = %self.session, peer = %self.peer, "Session opened");
    }
}

/// A session is over; `why` is one of a few words.
pub struct Closed {
    pub protocol: Protocol,
    pub session: Uuid,
    pub peer: IpAddr,
    pub why: &'static str,
}

impl Closed {
    pub fn emit(self) {
        let Closed { protocol, session, peer, why } = self;
        let protocol = protocol.as_str();
        gauge!("postroom_smtp_connections", "protocol" => protocol).decrement(1.0);
        counter!("postroom_smtp_sessions_total", "protocol" => protocol, "end" => why).increment(1);
        debug!(event = "smtp.closed", protocol, %session, %peer, why, "Session closed: {why}");
    }
}

/// A client was turned away at the door.
pub struct TurnedAway {
    pub protocol: Protocol,
    pub peer: IpAddr,
    pub limit: &'static str,
}

impl TurnedAway {
    pub fn emit(self) {
        let TurnedAway { protocol, peer, limit } = self;
        let protocol = protocol.as_str();
        counter!("postroom_smtp_connections_total", "protocol" => protocol, "result" => "turned_away")
            .increment(1);
        counter!("postroom_limit_hits_total", "limit" => limit).increment(1);
        warn!(event = "smtp.turned_away", protocol, %peer, limit, "Turned a client away: {limit} is reached");
    }
}

/// A command or a mail was refused.
pub struct Refused {
    pub protocol: Protocol,
    pub session: Uuid,
    pub reply: u16,
    pub why: Why,
}

impl Refused {
    pub fn emit(self) {
        let (protocol, why) = (self.protocol.as_str(), self.why.as_str());
        counter!("postroom_smtp_refused_total", "protocol" => protocol, "why" => why).increment(1);
        if let Some(limit) = self.why.limit() {
            counter!("postroom_limit_hits_total", "limit" => limit).increment(1);
        }
        let code = self.why.code().map(|code| code.to_string());
        info!(
            event = "mail.refused", protocol, session = %self.session, reply = self.reply, why, code,
            "Refused with {}: {why}", self.reply
        );
    }
}

/// The inbox took a mail; 250 is about to be written.
pub struct Accepted {
    pub protocol: Protocol,
    pub session: Uuid,
    pub id: MailId,
    pub new: bool,
    pub bytes: usize,
    pub recipients: usize,
    /// What the inbox needed.
    pub took: Duration,
}

impl Accepted {
    pub fn emit(self) {
        let protocol = self.protocol.as_str();
        counter!("postroom_smtp_mails_total", "protocol" => protocol).increment(1);
        counter!("postroom_smtp_mail_bytes_total", "protocol" => protocol).increment(self.bytes as u64);
        histogram!("postroom_smtp_accept_seconds", "protocol" => protocol).record(self.took.as_secs_f64());
        info!(
            event = "mail.accepted", protocol, session = %self.session, message_id = %self.id, new = self.new,
            bytes = self.bytes, recipients = self.recipients, dur_ms = self.took.as_millis() as u64, "Accepted a mail"
        );
    }
}

/// The inbox did not take a mail. The answer to the client is a [`Refused`] of its own.
pub struct NotTaken<'a> {
    pub session: Uuid,
    pub fault: &'a Fault,
}

impl NotTaken<'_> {
    pub fn emit(self) {
        let NotTaken { session, fault } = self;
        counter!("postroom_smtp_not_taken_total", "code" => fault.code.to_string()).increment(1);
        warn!(event = "mail.not_taken", %session, code = %fault.code, "A mail was not taken: {}", fault.message);
    }
}

/// The free space of the data volume cannot be read; mail is refused until it can.
pub struct DiskUnreadable<'a> {
    pub error: &'a std::io::Error,
}

impl DiskUnreadable<'_> {
    pub fn emit(self) {
        counter!("postroom_limit_hits_total", "limit" => "disk_unreadable").increment(1);
        error!(
            event = "storage.unreadable", code = %postroom_core::Code::STORE_FULL,
            "Cannot read the free space of the data volume: {}", self.error
        );
    }
}

/// A client could not be let in (too many open files, for instance); the listener goes on.
pub struct AcceptFailed<'a> {
    pub protocol: Protocol,
    pub error: &'a std::io::Error,
}

impl AcceptFailed<'_> {
    pub fn emit(self) {
        let protocol = self.protocol.as_str();
        counter!("postroom_smtp_connections_total", "protocol" => protocol, "result" => "failed")
            .increment(1);
        warn!(event = "smtp.accept_failed", protocol, "Cannot take a connection: {}", self.error);
    }
}

/// A session task panicked: a bug; its mail was not acknowledged.
pub struct SessionBroke {
    pub protocol: Protocol,
}

impl SessionBroke {
    pub fn emit(self) {
        let protocol = self.protocol.as_str();
        counter!("postroom_smtp_sessions_total", "protocol" => protocol, "end" => "bug").increment(1);
        error!(event = "smtp.bug", protocol, code = %postroom_core::Code::INTERNAL, "A session ended by a bug");
    }
}

/// It was looked into who really sent a mail. The domain in From is not told: it may be a person's own.
pub struct Authenticated<'a> {
    pub session: Uuid,
    pub authentication: Authentication,
    pub verdicts: &'a Verdicts,
}

impl Authenticated<'_> {
    pub fn emit(self) {
        let Authenticated { session, authentication, verdicts } = self;
        let (result, words) =
            (authentication.as_str(), [verdicts.dmarc, verdicts.spf, verdicts.dkim, verdicts.arc]);
        let [dmarc, spf, dkim, arc] = words.map(Outcome::as_str);
        counter!("postroom_smtp_authentication_total", "result" => result).increment(1);
        debug!(
            event = "smtp.authenticated", %session, result, dmarc, spf, dkim, arc, skipped = verdicts.skipped.unwrap_or("no"),
            "Sender authentication: {result}"
        );
    }
}
