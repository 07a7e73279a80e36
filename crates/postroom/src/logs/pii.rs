//! E-mail addresses in log texts: hashed, masked, or (for a time) left as they are.
//!
//! Every text of every event is looked at in one pass, so that an address inside a peer's answer is found as well.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use postroom_core::{Ids, address};
use sha2::Sha256;

use crate::config::Pii;

/// RFC 5321 section 4.5.3.1.1: a local part has at most 64 octets; a longer run is cut there.
const MAX_LOCAL: usize = 64;

/// The key under which addresses are hashed. Keep it with the installation and the same person stays the same word.
#[derive(Clone)]
pub struct HashKey(Vec<u8>);

impl HashKey {
    #[cfg(test)]
    pub fn new(key: &[u8]) -> Self {
        HashKey(key.to_vec())
    }

    /// A key that nobody knows and that ends with this run.
    pub fn of_this_run(ids: &Ids) -> Self {
        let parts = [ids.next(), ids.next(), ids.next()];
        HashKey(parts.iter().flat_map(|id| *id.as_bytes()).collect())
    }
}

pub(super) struct Privacy {
    pub rule: Pii,
    /// When `full` ends.
    pub until: Option<Timestamp>,
    pub key: HashKey,
}

impl Privacy {
    /// The text with its addresses treated by the rule; `None` when nothing changes.
    pub fn scrub(&self, text: &str, now: Timestamp) -> Option<String> {
        let rule = match self.rule {
            Pii::Full if self.until.is_some_and(|until| now >= until) => Pii::Hash,
            rule => rule,
        };
        if rule == Pii::Full || !text.contains('@') {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for (at, _) in text.match_indices('@') {
            let Some((start, end)) = around(text, at, copied) else { continue };
            out.push_str(&text[copied..start]);
            out.push_str(&self.word(&text[start..end], rule));
            copied = end;
        }
        out.push_str(&text[copied..]);
        Some(out)
    }

    fn word(&self, found: &str, rule: Pii) -> String {
        if rule == Pii::Mask {
            let (local, domain) = found.rsplit_once('@').unwrap_or((found, ""));
            let first: String = local.chars().take(1).collect();
            return format!("{first}***@{domain}");
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key.0).expect("HMAC takes a key of any length");
        mac.update(address::normal(found).as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("addr_{hex}")
    }
}

/// The address around an `@`, not before `from`; `None` when one side is empty.
fn around(text: &str, at: usize, from: usize) -> Option<(usize, usize)> {
    let before = text.get(from..at)?;
    let start = match before.strip_suffix('"') {
        Some(quoted) => from + quoted.rfind('"')?,
        None => {
            let local = before.char_indices().rev().take(MAX_LOCAL).take_while(|(_, c)| is_local(*c));
            from + local.last()?.0
        }
    };
    let after = &text[at + 1..];
    let length =
        after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))).unwrap_or(after.len());
    let domain = after[..length].trim_end_matches('.');
    (!domain.is_empty()).then_some((start, at + 1 + domain.len()))
}

/// RFC 5322 `atext` and the dot, and letters of other scripts (RFC 6531).
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn masked(text: &str, expected: &str) {
        let privacy = Privacy { rule: Pii::Mask, until: None, key: HashKey::new(b"key") };
        let scrubbed = privacy.scrub(text, Timestamp::UNIX_EPOCH);
        assert_eq!(scrubbed.as_deref().unwrap_or(text), expected);
    }

    #[test]
    fn addresses_are_found_in_texts() {
        masked("550 <anna@x.example>: no such user", "550 <a***@x.example>: no such user");
        masked("to a+b@x.example, c@y.example.", "to a***@x.example, c***@y.example.");
        masked("\"odd name\"@x.example", "\"***@x.example");
        masked("grüße@世界.example", "g***@世界.example");
        masked("a@b@c", "a***@b@c");
        masked("@ alone, foo@ and @bar", "@ alone, foo@ and @bar");
    }

    #[test]
    fn full_ends() {
        let until = Timestamp::from_second(100).unwrap();
        let privacy = Privacy { rule: Pii::Full, until: Some(until), key: HashKey::new(b"key") };
        assert_eq!(privacy.scrub("a@b.example", Timestamp::UNIX_EPOCH), None);
        assert!(privacy.scrub("a@b.example", until).is_some_and(|text| text.starts_with("addr_")));
    }

    #[test]
    fn another_key_is_another_word() {
        let word = |key: &[u8]| {
            let privacy = Privacy { rule: Pii::Hash, until: None, key: HashKey::new(key) };
            privacy.scrub("A@b.example", Timestamp::UNIX_EPOCH)
        };
        assert_eq!(word(b"one"), word(b"one"));
        assert_ne!(word(b"one"), word(b"two"));
    }
}
