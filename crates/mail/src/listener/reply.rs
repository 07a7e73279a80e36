//! Answers: code, enhanced code (RFC 2034, RFC 3463), text. Nothing a peer or a fault said is echoed, so an answer can
//! carry neither a line break nor a secret; but for [`Said`], whose words are made harmless here.

use std::borrow::Cow;

use postroom_core::{Code, Fault, Verdict};

/// Characters of a line that an inbox words; RFC 5321 section 4.5.3.1.5 lets an answer line have 512 octets.
const LINE: usize = 400;

/// An enhanced status code: class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// Why something was refused: the label of the metric and of the log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Syntax,
    Sequence,
    NotOffered,
    Parameter,
    Address,
    Relay,
    Unknown,
    TooLarge,
    Recipients,
    Commands,
    Connections,
    Disk,
    Busy,
    Smuggling,
    Loop,
    Idle,
    Stopping,
    Store,
    Content,
    Client,
    NextHop,
}

impl Why {
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Syntax => "syntax",
            Why::Sequence => "sequence",
            Why::NotOffered => "not_offered",
            Why::Parameter => "parameter",
            Why::Address => "address",
            Why::Relay => "relay",
            Why::Unknown => "unknown_mailbox",
            Why::TooLarge => "too_large",
            Why::Recipients => "recipients",
            Why::Commands => "commands",
            Why::Connections => "connections",
            Why::Disk => "disk",
            Why::Busy => "busy",
            Why::Smuggling => "smuggling",
            Why::Loop => "loop",
            Why::Idle => "idle",
            Why::Stopping => "stopping",
            Why::Store => "store",
            Why::Content => "content",
            Why::Client => "client",
            Why::NextHop => "next_hop",
        }
    }

    /// The documented code, where there is one.
    pub fn code(self) -> Option<Code> {
        match self {
            Why::Relay | Why::Unknown => Some(Code::MAIL_RELAY),
            Why::TooLarge => Some(Code::MAIL_TOO_LARGE),
            Why::Client => Some(Code::MAIL_CLIENT),
            Why::Busy => Some(Code::MAIL_BUSY),
            Why::Disk => Some(Code::STORE_FULL),
            _ => None,
        }
    }

    /// The limit that was hit, for `postroom_limit_hits_total`.
    pub fn limit(self) -> Option<&'static str> {
        match self {
            Why::TooLarge => Some("max_message"),
            Why::Recipients => Some("max_recipients"),
            Why::Commands => Some("max_commands"),
            Why::Connections => Some("max_connections"),
            Why::Disk => Some("disk_reserve"),
            Why::Busy => Some("memory"),
            Why::Loop => Some("max_hops"),
            Why::Idle => Some("idle"),
            _ => None,
        }
    }
}

/// One answer, of one line or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// None in the greeting, after HELO, EHLO and LHLO, and in 3yz answers (RFC 2034 section 4).
    pub enhanced: Option<Enhanced>,
    pub lines: Vec<Cow<'static, str>>,
    /// Set in every 4yz and 5yz answer.
    pub why: Option<Why>,
}

impl Reply {
    /// An answer without an enhanced code.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Reply { code, enhanced: None, lines: vec![text.into()], why: None }
    }

    pub fn ok(code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Self {
        Reply { code, enhanced: Some(enhanced), lines: vec![text.into()], why: None }
    }

    pub fn refuse(why: Why, code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Self {
        Reply { code, enhanced: Some(enhanced), lines: vec![text.into()], why: Some(why) }
    }

    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// Appends the answer as it stands on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (index, line) in self.lines.iter().enumerate() {
            let mark = if index + 1 == self.lines.len() { ' ' } else { '-' };
            let enhanced = self.enhanced.map(|Enhanced(a, b, c)| format!("{a}.{b}.{c} ")).unwrap_or_default();
            out.extend_from_slice(format!("{}{mark}{enhanced}{line}\r\n", self.code).as_bytes());
        }
    }

    pub fn too_large() -> Self {
        Reply::refuse(Why::TooLarge, 552, Enhanced(5, 3, 4), "Message is larger than this server takes")
    }

    pub fn busy() -> Self {
        Reply::refuse(Why::Busy, 452, Enhanced(4, 3, 1), "Too much mail in flight, try again later")
    }

    pub fn disk_short() -> Self {
        Reply::refuse(Why::Disk, 452, Enhanced(4, 3, 1), "Not enough disk space, try again later")
    }

    pub fn smuggling() -> Self {
        Reply::refuse(
            Why::Smuggling,
            554,
            Enhanced(5, 6, 0),
            "A lone dot between bare CR or LF is not accepted; lines end with CRLF",
        )
    }

    pub fn loops() -> Self {
        Reply::refuse(Why::Loop, 554, Enhanced(5, 4, 6), "Too many hops; this looks like a mail loop")
    }

    pub fn stopping() -> Self {
        Reply::refuse(Why::Stopping, 421, Enhanced(4, 3, 2), "Shutting down, try again later")
    }

    pub fn idle() -> Self {
        Reply::refuse(Why::Idle, 421, Enhanced(4, 4, 2), "Waited too long, closing")
    }

    pub fn too_many_connections() -> Self {
        Reply::refuse(Why::Connections, 421, Enhanced(4, 3, 2), "Too many connections, try again later")
    }

    /// The greeting for a client that may not use this listener.
    pub fn stranger() -> Self {
        Reply::refuse(Why::Client, 554, Enhanced(5, 7, 1), "No mail is taken from this address")
    }

    pub fn not_stored(code: Code) -> Self {
        Reply::refuse(Why::Store, 451, Enhanced(4, 3, 0), format!("Not stored, try again later ({code})"))
    }
}

/// The answer in the words of an inbox that knows better than its verdict tells: as the source of a
/// [`Fault`](postroom_core::Fault) it is what the client hears. For clients who may read the words of the next server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {}.{}.{}", .enhanced.0, .enhanced.1, .enhanced.2)]
pub struct Said {
    /// 4yz or 5yz.
    pub code: u16,
    pub enhanced: Enhanced,
    pub lines: Vec<String>,
}

impl Said {
    /// An answer of one line.
    pub fn new(code: u16, enhanced: Enhanced, line: impl Into<String>) -> Self {
        Said { code, enhanced, lines: vec![line.into()] }
    }
}

impl From<&Said> for Reply {
    fn from(said: &Said) -> Self {
        let harmless = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let lines =
            said.lines.iter().map(|line| line.chars().take(LINE).map(harmless).collect::<String>().into());
        let why = Some(Why::NextHop);
        Reply { code: said.code, enhanced: Some(said.enhanced), lines: lines.collect(), why }
    }
}

/// What the client is told about a mail that the inbox did not take. When in doubt the mail stays with its sender:
/// sending it again is safe, losing it is not.
impl From<&Fault> for Reply {
    fn from(fault: &Fault) -> Self {
        if let Some(said) = fault.source.as_ref().and_then(|source| source.downcast_ref::<Said>()) {
            return said.into();
        }
        match (fault.verdict, fault.code) {
            (_, Code::STORE_FULL) => Reply::disk_short(),
            (_, Code::MAIL_BUSY) => Reply::busy(),
            (Verdict::Reject, Code::MAIL_TOO_LARGE) => Reply::too_large(),
            (Verdict::Reject, code) => {
                Reply::refuse(Why::Content, 554, Enhanced(5, 6, 0), format!("Message refused ({code})"))
            }
            (Verdict::Retry { .. } | Verdict::Hold | Verdict::Unknown | Verdict::Bug, code) => {
                Reply::not_stored(code)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &Reply, expected: &str) {
        let mut out = Vec::new();
        reply.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn one_line_and_several() {
        check(&Reply::plain(354, "Go on"), "354 Go on\r\n");
        check(&Reply::ok(250, Enhanced(2, 0, 0), "Ok"), "250 2.0.0 Ok\r\n");
        let mut reply = Reply::plain(250, "mx.example");
        reply.lines.push("SIZE 1".into());
        check(&reply, "250-mx.example\r\n250 SIZE 1\r\n");
    }

    #[test]
    fn faults_become_answers() {
        let of = |fault: Fault| {
            let reply = Reply::from(&fault);
            let Enhanced(a, b, c) = reply.enhanced.unwrap();
            format!("{} {a}.{b}.{c}", reply.code)
        };
        assert_eq!(of(Fault::retry(Code::STORE_AWAY, "x")), "451 4.3.0");
        assert_eq!(of(Fault::retry(Code::STORE_FULL, "x")), "452 4.3.1");
        assert_eq!(of(Fault::retry(Code::MAIL_BUSY, "x")), "452 4.3.1");
        assert_eq!(of(Fault::reject(Code::MAIL_TOO_LARGE, "x")), "552 5.3.4");
        assert_eq!(of(Fault::reject(Code::MAIL_UNREADABLE, "x")), "554 5.6.0");
        assert_eq!(of(Fault::bug("x")), "451 4.3.0");
        assert_eq!(of(Fault::new(Verdict::Hold, Code::STORE_FAILED, "x")), "451 4.3.0");
        assert_eq!(of(Fault::new(Verdict::Unknown, Code::STORE_AWAY, "x")), "451 4.3.0");
    }

    #[test]
    fn a_fault_s_words_never_reach_the_peer() {
        let mut out = Vec::new();
        Reply::from(&Fault::retry(Code::STORE_AWAY, "secret\r\n250 Ok")).write(&mut out);
        assert_eq!(out, b"451 4.3.0 Not stored, try again later (PR-7001)\r\n");
    }
}
