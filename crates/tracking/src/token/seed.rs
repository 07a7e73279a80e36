//! Writing the seed's token, and reading a GUID from a header's value.

use uuid::Uuid;

use super::glyph;
use super::grammar::{self, FoundToken};

/// The seed's form, 47 characters: `CRM: {GUID}:MRC`.
pub fn make(guid: Uuid) -> String {
    format!("CRM: {{{}}}:MRC", guid.hyphenated())
}

/// The subject with exactly one token of `guid` in it, at the end. Tokens of other GUIDs stay where they are: they may
/// belong to another system.
///
/// At most `max_len` UTF-16 units (what the CRM counts) come back: the human part is cut, never the token; a limit below
/// the token's length leaves the token alone. Line ends and control characters become spaces, so the result can stand
/// in a header. Stamping twice changes nothing.
pub fn stamp(subject: &str, guid: Uuid, max_len: usize) -> String {
    stamp_over(subject, guid, |_| false, max_len)
}

/// Like [`stamp`], but first takes out every token for which `ours` holds: for mail that must carry one token only.
pub fn stamp_over(subject: &str, guid: Uuid, ours: impl Fn(&Uuid) -> bool, max_len: usize) -> String {
    let token = make(guid);
    let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let human = without(&subject, |found| found.guid == guid || ours(&found.guid));
    let room = max_len.saturating_sub(token.len() + 1);
    match cut(&human, room) {
        "" => token,
        human => format!("{human} {token}"),
    }
}

/// The subject as a person reads it, with no token in it: for comparing subjects.
pub fn without_tokens(subject: &str) -> String {
    without(subject, |_| true)
}

fn without(subject: &str, drop: impl Fn(&FoundToken) -> bool) -> String {
    let mut human = String::with_capacity(subject.len());
    let mut rest_from = 0;
    for token in grammar::occurrences(subject).into_iter().filter(drop) {
        let mut before = &subject[rest_from..token.range.start];
        rest_from = token.range.end;
        // `[CRM: …:MRC]` goes with its brackets.
        if let (Some(outside), true) = (before.strip_suffix('['), subject[rest_from..].starts_with(']')) {
            before = outside;
            rest_from += 1;
        }
        push_spaced(&mut human, before);
    }
    push_spaced(&mut human, &subject[rest_from..]);
    human
}

/// Appends a piece with one space between it and what is there.
fn push_spaced(human: &mut String, piece: &str) {
    let piece = piece.trim();
    if !piece.is_empty() && !human.is_empty() {
        human.push(' ');
    }
    human.push_str(piece);
}

/// The start of a text, at most `units` UTF-16 units long, not ending inside a token.
fn cut(text: &str, units: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        used += c.len_utf16();
        (used > units).then_some(at)
    });
    let Some(end) = end else { return text };
    let inside = grammar::occurrences(text).into_iter().find(|token| token.range.contains(&end));
    text[..inside.map_or(end, |token| token.range.start)].trim_end()
}

/// The GUID in a header's value: with or without braces, parentheses, quotes, hyphens, `urn:uuid:` or a table's name
/// before it, in any case, as the seed's token, or as .NET's `{0x…,0x…,{0x…}}`. `None` when there is none, or
/// when there are several different ones.
pub fn parse_guid(value: &str) -> Option<Uuid> {
    let text = glyph::plain(value);
    let mut guids: Vec<Uuid> = grammar::find_tokens(value).into_iter().map(|token| token.guid).collect();
    if guids.is_empty() {
        guids = bare_guids(&text);
    }
    if guids.is_empty() {
        // Folded or spaced out, or in hexadecimal groups: only as the whole value.
        let dense: String = text.chars().filter(|c| *c != ' ').collect();
        guids = bare_guids(&dense);
        guids.extend(grouped_guid(&dense));
    }
    guids.dedup();
    match guids[..] {
        [guid] => Some(guid),
        _ => None,
    }
}

/// Every word that is a GUID with all its hyphens or none.
fn bare_guids(text: &str) -> Vec<Uuid> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
    words.filter(|word| matches!(word.len(), 32 | 36)).filter_map(|word| Uuid::try_parse(word).ok()).collect()
}

/// .NET's format `X`: a 32-bit, two 16-bit and eight 8-bit numbers.
fn grouped_guid(dense: &str) -> Option<Uuid> {
    let groups: Vec<&str> = dense.split(',').map(|group| group.trim_matches(['{', '}'])).collect();
    if groups.len() != 11 {
        return None;
    }
    let mut value = 0u128;
    for (place, group) in groups.into_iter().enumerate() {
        let bits = [32, 16, 16].get(place).copied().unwrap_or(8);
        let number = u128::from(u32::from_str_radix(group.strip_prefix("0x")?, 16).ok()?);
        if number >> bits != 0 {
            return None;
        }
        value = value << bits | number;
    }
    Some(Uuid::from_u128(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GUID: Uuid = Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_1f0e6e2a9b11);
    const OTHER: Uuid = Uuid::from_u128(0xffffffff_0000_4000_8000_000000000001);
    const TOKEN: &str = "CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC";
    const FOREIGN: &str = "CRM: {ffffffff-0000-4000-8000-000000000001}:MRC";

    #[track_caller]
    fn check(subject: &str, max_len: usize, human: &str) {
        let expected = match human {
            "" => TOKEN.to_owned(),
            human => format!("{human} {TOKEN}"),
        };
        assert_eq!(stamp(subject, GUID, max_len), expected);
    }

    #[test]
    fn stamps_at_the_end() {
        check("Hello", 255, "Hello");
        check("", 255, "");
        check(&format!("Hello {TOKEN}"), 255, "Hello");
        check(&format!("{TOKEN} Re: Hello {TOKEN} again"), 255, "Re: Hello again");
        check("Re: Hello [CRM: 6F1ED002AB5E4A2C8D0C1F0E6E2A9B11:MRC] more", 255, "Re: Hello more");
        check("two\r\n lines\0", 255, "two   lines");
    }

    #[test]
    fn cuts_the_human_subject() {
        check("Hello world", TOKEN.len() + 6, "Hello");
        check("Hello world", TOKEN.len() + 7, "Hello");
        check("Hello world", TOKEN.len() + 8, "Hello w");
        check("Hello", TOKEN.len() + 1, "");
        check("Hello", 3, "");
        check("📦📦📦", TOKEN.len() + 1 + 3, "📦");
    }

    #[test]
    fn foreign_tokens_stay_whole_or_go() {
        check(&format!("A {FOREIGN} b"), 255, &format!("A {FOREIGN} b"));
        check(&format!("A {FOREIGN} b"), TOKEN.len() + 20, "A");
        let one = stamp_over(&format!("A {FOREIGN} b"), GUID, |guid| *guid == OTHER, 255);
        assert_eq!(one, format!("A b {TOKEN}"));
    }

    #[test]
    fn human_part() {
        assert_eq!(without_tokens(&format!("Re: A {FOREIGN} b {TOKEN}")), "Re: A b");
    }

    #[track_caller]
    fn check_guid(value: &str, expected: Option<Uuid>) {
        assert_eq!(parse_guid(value), expected, "{value}");
    }

    #[test]
    fn guids_of_headers() {
        for value in [
            "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            " {6F1ED002-AB5E-4A2C-8D0C-1F0E6E2A9B11} ",
            "6f1ed002ab5e4a2c8d0c1f0e6e2a9b11",
            "(6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11)",
            "urn:uuid:6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            "\"6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"",
            "incident/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            "6f1ed002-ab5e-4a2c-\r\n 8d0c-1f0e6e2a9b11",
            "６f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11",
            TOKEN,
            "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11, {6F1ED002-AB5E-4A2C-8D0C-1F0E6E2A9B11}",
            "{0x6f1ed002,0xab5e,0x4a2c,{0x8d,0x0c,0x1f,0x0e,0x6e,0x2a,0x9b,0x11}}",
        ] {
            check_guid(value, Some(GUID));
        }
        for value in [
            "",
            "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b1",
            "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b111",
            "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b1g",
            "6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11 ffffffff-0000-4000-8000-000000000001",
            "{0x6f1ed002,0xab5e0,0x4a2c,{0x8d,0x0c,0x1f,0x0e,0x6e,0x2a,0x9b,0x11}}",
        ] {
            check_guid(value, None);
        }
    }

    proptest! {
        #[test]
        fn one_token_within_the_limit_and_stable(subject in "\\PC{0,60}", max_len in 0usize..120) {
            let once = stamp(&subject, GUID, max_len);
            prop_assert!(once.ends_with(TOKEN));
            prop_assert!(once.encode_utf16().count() <= max_len.max(TOKEN.len()));
            let of_ours = grammar::occurrences(&once).iter().filter(|token| token.guid == GUID).count();
            prop_assert_eq!(of_ours, 1);
            prop_assert_eq!(stamp(&once, GUID, max_len), once);
        }
    }
}
