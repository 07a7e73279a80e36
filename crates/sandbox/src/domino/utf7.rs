//! Folder names on the wire: modified UTF-7 (RFC 3501 section 5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

pub(super) fn encode(name: &str) -> String {
    let (mut text, mut other) = (String::new(), String::new());
    for letter in name.chars() {
        if (' '..='~').contains(&letter) {
            flush(&mut other, &mut text);
            text.push(letter);
            text.push_str(if letter == '&' { "-" } else { "" });
        } else {
            other.push(letter);
        }
    }
    flush(&mut other, &mut text);
    text
}

fn flush(other: &mut String, text: &mut String) {
    if !other.is_empty() {
        let bytes: Vec<u8> = other.encode_utf16().flat_map(u16::to_be_bytes).collect();
        text.push_str(&format!("&{}-", BASE64.encode(bytes)));
        other.clear();
    }
}

/// `None` when it is no modified UTF-7.
pub(super) fn decode(text: &str) -> Option<String> {
    let (mut name, mut rest) = (String::new(), text);
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (coded, after) = shifted.split_once('-')?;
        if coded.is_empty() {
            name.push('&');
        } else {
            let bytes = BASE64.decode(coded).ok()?;
            let pairs = bytes.chunks(2).map(|pair| Some(u16::from_be_bytes([pair[0], *pair.get(1)?])));
            name.push_str(&String::from_utf16(&pairs.collect::<Option<Vec<u16>>>()?).ok()?);
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str) {
        assert_eq!(encode(name), text);
        assert_eq!(decode(text).as_deref(), Some(name));
    }

    #[test]
    fn names_go_both_ways() {
        check("Inbox", "Inbox");
        check("Auftr\u{e4}ge", "Auftr&AOQ-ge");
        check("R&D", "R&-D");
        check("\u{53f0}\u{5317}", "&U,BTFw-");
        check("\u{1f600}", "&2D3eAA-");
    }

    #[test]
    fn what_is_no_modified_utf_7_is_refused() {
        for text in ["&", "&AOQ", "&A-", "&!-", "&2D0-"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_comes_back(name in ".*") {
            proptest::prop_assert_eq!(decode(&encode(&name)), Some(name));
        }
    }
}
