//! Modified UTF-7: how RFC 3501 5.1.3 writes the names of folders.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A folder's name as it goes over the wire.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut foreign = String::new();
    for char in name.chars() {
        if (' '..='~').contains(&char) {
            flush(&mut foreign, &mut out);
            out.push(char);
            if char == '&' {
                out.push('-');
            }
        } else {
            foreign.push(char);
        }
    }
    flush(&mut foreign, &mut out);
    out
}

fn flush(foreign: &mut String, out: &mut String) {
    if foreign.is_empty() {
        return;
    }
    let units: Vec<u8> = foreign.encode_utf16().flat_map(u16::to_be_bytes).collect();
    out.push('&');
    BASE64.encode_string(units, out);
    out.push('-');
    foreign.clear();
}

/// A folder's name for people. What is not well encoded stays as it came: some servers send plain UTF-8.
pub fn decode(wire: &str) -> String {
    let mut out = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let Some(end) = rest.find('-') else { break };
        match shifted(&rest[1..end]) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

fn shifted(inside: &str) -> Option<String> {
    if inside.is_empty() {
        return Some("&".to_owned());
    }
    let bytes = BASE64.decode(inside).ok()?;
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(name: &str, wire: &str) {
        assert_eq!(encode(name), wire);
        assert_eq!(decode(wire), name);
    }

    #[test]
    fn names() {
        check("INBOX", "INBOX");
        check("Gesendete Elemente", "Gesendete Elemente");
        check("Entwürfe", "Entw&APw-rfe");
        check("送信済み", "&kAFP4W4IMH8-");
        check("A & B", "A &- B");
        check("Éléments envoyés", "&AMk-l&AOk-ments envoy&AOk-s");
        check("a😀b", "a&2D3eAA-b");
        check("", "");
    }

    #[test]
    fn what_is_not_encoded_stays() {
        for wire in ["A&B", "&!!-", "Gelöscht", "&AP-"] {
            let _ = decode(wire);
        }
        assert_eq!(decode("Gelöscht"), "Gelöscht");
        assert_eq!(decode("A&B"), "A&B");
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC{0,40}") {
            let wire = encode(&name);
            prop_assert!(wire.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(decode(&wire), name);
        }
    }
}
