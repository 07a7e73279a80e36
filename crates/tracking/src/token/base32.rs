//! Base32 for things that mail servers copy: lower case, no look-alikes (no `i`, `l`, `o`, `u`), any case on input.
//!
//! Unlike Crockford's own reading, `o` is not taken for `0` nor `l` for `1`: one text, one value.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The first `chars` times five bits of `bytes`, the highest first; bits past the end are zero.
pub(super) fn encode(bytes: &[u8], chars: usize) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |place: usize| (0..5).fold(0, |value, step| value << 1 | bit(place * 5 + step));
    (0..chars).map(|place| char::from(ALPHABET[usize::from(digit(place))])).collect()
}

/// The bits of a text, the highest first; the last byte is filled up with zeros. `None` for a character that is no digit.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; (text.len() * 5).div_ceil(8)];
    for (place, byte) in text.bytes().enumerate() {
        let lower = byte.to_ascii_lowercase();
        let digit = ALPHABET.iter().position(|letter| *letter == lower)?;
        for step in (0..5).filter(|step| digit >> (4 - step) & 1 == 1) {
            let at = place * 5 + step;
            bytes[at / 8] |= 0x80 >> (at % 8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(encode(&[0xff, 0x00, 0x80], 4), "zw08");
        assert_eq!(decode("ZW08"), Some(vec![0xff, 0x00, 0x80]));
        for bad in ["o", "i", "l", "u", "-", "é"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(bytes in proptest::collection::vec(any::<u8>(), 5..=5)) {
            prop_assert_eq!(decode(&encode(&bytes, 8)), Some(bytes));
        }
    }
}
