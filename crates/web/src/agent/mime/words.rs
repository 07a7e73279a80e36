//! Encoded words (RFC 2047), always UTF-8 in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Bytes of text in one word: `=?utf-8?B?` and `?=` and 60 letters of base64 stay below the 75 that RFC 2047 allows.
const CHUNK: usize = 45;

/// The whole text as encoded words with spaces between, which a reader takes away again.
pub(super) fn encode(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.floor_char_boundary(CHUNK);
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(&rest[..end])));
        rest = &rest[end..];
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_characters() {
        let words = encode(&"ä".repeat(40));
        assert!(words.split(' ').all(|word| word.len() <= 75), "{words}");
        assert_eq!(words.split(' ').count(), 2);
        assert_eq!(encode(""), "");
    }
}
