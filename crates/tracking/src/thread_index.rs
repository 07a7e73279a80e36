//! Outlook's `Thread-Index` header (the CRM's ConversationIndex): which conversation a mail belongs to.
//!
//! Base64 of 22 bytes that name the conversation (one reserved, five of a time, sixteen of a GUID) and five more for each
//! answer. Only the 22 matter here, and they only count together with a shared party: anybody can copy them.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const HEAD: usize = 22;
/// 22 bytes and several hundred answers; a longer header is cut, its head is all we read.
const MOST_CHARS: usize = 4000;

/// Padding is often lost and the last bits are not always zero.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A conversation's id: the first 22 bytes of its Thread-Index. Shown in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation(pub [u8; HEAD]);

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the header's value; white space in it does not matter. `None` when it is no Thread-Index, or one whose GUID is
/// a single byte repeated: programs that fill in nothing would throw all their mail into one conversation.
pub fn conversation(value: &str) -> Option<Conversation> {
    let dense: String = value.chars().filter(|c| !c.is_whitespace()).take(MOST_CHARS).collect();
    // Whole groups of four only: what comes behind the head may be damaged.
    let head = dense.get(..HEAD.div_ceil(3) * 4).unwrap_or(&dense);
    let bytes = TOLERANT.decode(head).ok()?;
    let head: [u8; HEAD] = bytes.get(..HEAD)?.try_into().ok()?;
    let guid = &head[6..];
    guid.iter().any(|byte| *byte != guid[0]).then_some(Conversation(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4EQ==";
    const ANSWER: &str = "AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4EQAAeLpA";

    #[test]
    fn answers_share_the_head() {
        let head = conversation(FIRST).unwrap();
        assert_eq!(conversation(ANSWER), Some(head));
        assert_eq!(conversation(FIRST.trim_end_matches('=')), Some(head));
        assert_eq!(conversation("AdcB1Z3x0Q9vZbGfSr\r\n\tKq7m2yYpV4EQAAeLpA"), Some(head));
        assert_eq!(conversation(&format!("{ANSWER}AA!!damaged")), Some(head));
        assert_eq!(head.to_string(), "01d701d59df1d10f6f65b19f4ab2aaee6db262957811");
    }

    #[test]
    fn others_are_told_apart() {
        assert_ne!(conversation("AdcB1Z3x0Q9vZbGfSrKq7m2yYpV4Eg=="), conversation(FIRST));
    }

    #[test]
    fn what_is_none() {
        for value in
            ["", "====", "AdcB1Z3x0Q9vZbGf", "not base64 at all, really not, no", "é", &"A".repeat(40)]
        {
            assert_eq!(conversation(value), None, "{value}");
        }
    }
}
