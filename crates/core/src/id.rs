//! Ids of postroom's own rows: a UUIDv7 shown as `msg_` and 26 characters of Crockford base32.
//!
//! The text form is case-insensitive on input, sorts like the UUID, and can be copied with a double click.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Crockford base32: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not an id of this kind: expected {prefix}_ and 26 letters or digits (list the items to see their ids)"
)]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Takes the shown form, with or without its prefix, in any case.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let fail = || IdError { text: text.chars().take(60).collect(), prefix: $prefix };
                let lower = text.trim().to_ascii_lowercase();
                let bare = lower.strip_prefix(concat!($prefix, "_")).unwrap_or(&lower);
                decode(bare).map($name).ok_or_else(fail)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(/// One mail, whatever the number of times it was seen.
    MailId, "msg");
id!(/// One time a mail was seen: a mailbox, an SMTP transaction, a file.
    SightingId, "sgt");
id!(/// One decision about one mail; immutable.
    DecisionId, "dec");
id!(/// One unit of work in the durable queue.
    JobId, "job");
id!(/// One API token.
    TokenId, "tok");
id!(/// One execution of a sync type.
    RunId, "run");

fn encode(uuid: Uuid) -> String {
    let value = uuid.as_u128();
    (0..26).rev().map(|place| char::from(ALPHABET[(value >> (place * 5)) as usize & 31])).collect()
}

fn decode(text: &str) -> Option<Uuid> {
    if text.len() != 26 {
        return None;
    }
    let mut value: u128 = 0;
    for (place, byte) in text.bytes().enumerate() {
        let byte = match byte {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            other => other,
        };
        let digit = ALPHABET.iter().position(|letter| *letter == byte)? as u128;
        if place == 0 && digit > 7 {
            return None; // 26 * 5 = 130 bits: the first character carries three
        }
        value = value << 5 | digit;
    }
    Some(Uuid::from_u128(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_form_reads_back_in_any_case() {
        let id = MailId(Uuid::from_u128(0x0191_7f3a_0000_7000_8000_0000_dead_beef));
        let shown = id.to_string();
        assert!(shown.starts_with("msg_") && shown.len() == 30, "{shown}");
        assert_eq!(shown.parse(), Ok(id));
        assert_eq!(shown.to_uppercase().parse(), Ok(id));
        assert_eq!(shown[4..].parse(), Ok(id));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "msg_",
            "dec_00000000000000000000000000",
            "msg_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_u0000000000000000000000000",
        ] {
            assert!(text.parse::<MailId>().is_err(), "{text}");
        }
    }
}
