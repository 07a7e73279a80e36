//! Our `Received:` line (RFC 5321 section 4.4), and loops.
//!
//! The line's `id` is a mark: a keyed digest of the recipients. A mail that comes with the mark it would get now was here
//! before on its way to the same people, which is a loop; one that was here on its way to others was forwarded or came
//! through a list, which is not. The key lives as long as the process, so nobody who reads the mail can guess from the
//! mark to whom else it went; a restart lets a loop make one more round.

use postroom_core::{Incoming, Source};
use postroom_formats::mime::scan_headers;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How this relay shows in the mails it passed on.
pub(super) struct Trace {
    host: String,
    key: Uuid,
}

/// The `id` of a `Received:` line.
pub(super) struct Mark(String);

impl Trace {
    pub fn new(host: String, key: Uuid) -> Self {
        Trace { host, key }
    }

    /// The mark of a mail to these people, in whatever order.
    pub fn mark(&self, to: &[String]) -> Mark {
        let mut to: Vec<String> = to.iter().map(|to| to.to_lowercase()).collect();
        to.sort_unstable();
        to.dedup();
        let mut hasher = Sha256::new();
        hasher.update(self.key.as_bytes());
        for to in &to {
            hasher.update((to.len() as u64).to_le_bytes());
            hasher.update(to.as_bytes());
        }
        let digest: String = hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Mark(format!("postroom.{digest}"))
    }

    /// The line, with its CRLF. The client's words are in it only as far as they are harmless.
    pub fn line(&self, mail: &Incoming, mark: &Mark) -> String {
        let protocol = if mail.source == Source::Lmtp { "LMTP" } else { "ESMTP" };
        let date = mail.received_at.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let (host, Mark(id)) = (&self.host, mark);
        let mut line =
            format!("Received: from {}\r\n\tby {host} (postroom) with {protocol}\r\n\tid {id}", peer(mail));
        // With several, a recipient in Bcc would be shown to the others.
        if let [only] = &mail.envelope.to[..]
            && only.len() < 500
            && only.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>();\"\\".contains(&byte))
        {
            line.push_str(&format!("\r\n\tfor <{only}>"));
        }
        line.push_str(&format!(";\r\n\t{date}\r\n"));
        line
    }
}

/// `mail.example ([192.0.2.1])`, from the listener's `mail.example [192.0.2.1]`.
fn peer(mail: &Incoming) -> String {
    let text = mail.peer.as_deref().unwrap_or_default();
    let (hello, address) = text.rsplit_once(' ').unwrap_or(("", text));
    let harmless = |text: &str| {
        text.len() <= 255
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    let hello = if !hello.is_empty() && harmless(hello) { hello } else { "unknown" };
    let known = !address.is_empty() && harmless(address);
    if known { format!("{hello} ({address})") } else { hello.to_owned() }
}

/// Whether a `Received:` line of the mail's own header bears this mark.
pub(super) fn carries(raw: &[u8], Mark(id): &Mark) -> bool {
    let fields = scan_headers(raw);
    let mut received = fields.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("Received"));
    received.any(|header| memchr::memmem::find(header.value, id.as_bytes()).is_some())
}

/// RFC 5321 section 2.3.8: a lone CR or LF must not be sent; what one server takes for a line end another does not.
pub(super) fn has_only_crlf(raw: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', raw).all(|at| match raw[at] {
        b'\r' => raw.get(at + 1) == Some(&b'\n'),
        _ => at > 0 && raw[at - 1] == b'\r',
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use postroom_core::mail::Authentication;
    use postroom_core::{Direction, Envelope};

    use super::*;

    fn mail(peer: &str, to: &[&str]) -> Incoming {
        Incoming {
            source: Source::Smtp,
            direction: Direction::Incoming,
            mailbox: None,
            folder: None,
            envelope: Envelope { from: None, to: to.iter().map(|&to| to.to_owned()).collect() },
            source_id: None,
            peer: Some(peer.to_owned()),
            authentication: Authentication::Unknown,
            received_at: Timestamp::from_second(1_795_305_600).unwrap(),
            raw: Bytes::new(),
        }
    }

    #[track_caller]
    fn check(peer: &str, to: &[&str], expected: &str) {
        let trace = Trace::new("crm.example".to_owned(), Uuid::nil());
        let mail = mail(peer, to);
        let line = trace.line(&mail, &Mark("M".to_owned()));
        assert_eq!(
            line.replace("\r\n\t", "~"),
            format!("Received: {expected};~Sun, 22 Nov 2026 00:00:00 +0000\r\n")
        );
    }

    #[test]
    fn lines() {
        let by = "~by crm.example (postroom) with ESMTP~id M";
        check("mx.example [192.0.2.1]", &["a@b"], &format!("from mx.example ([192.0.2.1]){by}~for <a@b>"));
        check("[::1] [IPv6:::1]", &["a@b", "c@d"], &format!("from [::1] ([IPv6:::1]){by}"));
        check("evil);x [192.0.2.1]", &["a b@c"], &format!("from unknown ([192.0.2.1]){by}"));
        check("\u{fc} [192.0.2.1]", &["\"a>\"@c"], &format!("from unknown ([192.0.2.1]){by}"));
        check("", &["a@\u{fc}"], &format!("from unknown{by}"));
    }

    #[test]
    fn a_mark_stands_for_the_same_people_only() {
        let trace = Trace::new("x".to_owned(), Uuid::from_u128(1));
        let mark = |to: &[&str]| trace.mark(&to.iter().map(|&to| to.to_owned()).collect::<Vec<_>>()).0;
        assert_eq!(mark(&["a@b", "C@d"]), mark(&["c@d", "a@b", "a@b"]));
        assert_ne!(mark(&["a@b", "c@d"]), mark(&["a@b"]));
        assert_ne!(
            mark(&["a@b"]),
            Trace::new("x".to_owned(), Uuid::from_u128(2)).mark(&["a@b".to_owned()]).0
        );
    }

    #[test]
    fn marks_are_looked_for_in_the_own_trace_only() {
        let mark = Mark("postroom.0123".to_owned());
        assert!(carries(b"Received: from x\r\n\tid postroom.0123;\r\nSubject: y\r\n\r\n", &mark));
        assert!(!carries(
            b"Received: from x\r\nSubject: postroom.0123\r\n\r\nReceived: id postroom.0123\r\n",
            &mark
        ));
    }

    #[test]
    fn line_ends() {
        for sound in ["", "a\r\n", "\r\n\r\n", "a"] {
            assert!(has_only_crlf(sound.as_bytes()), "{sound:?}");
        }
        for broken in ["\n", "a\r", "a\r\r\n", "a\nb\r\n", "\r\n\n"] {
            assert!(!has_only_crlf(broken.as_bytes()), "{broken:?}");
        }
    }
}
