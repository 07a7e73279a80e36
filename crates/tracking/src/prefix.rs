//! What mail programs put before a subject: `Re:`, `AW:`, `回复：`, `Fwd:`, `WG:`, and tags such as `[EXTERNAL]`.
//!
//! For comparing subjects and for telling a reply from a forward, never for finding tokens: `CRM:` itself looks like a
//! prefix. The words are those that mail programs of each language really write (`mail-tracking.md` section 7).

use crate::token::plain;

/// Prefixes of answers, in plain lower case (`token::plain`).
const REPLY: &[&[&str]] = &[
    // English and most others, French
    &["re", "réf", "rép"],
    // German, Dutch
    &["aw", "antw", "antwort"],
    // Scandinavian, Finnish, Estonian
    &["sv", "svar", "vs", "vast"],
    // Hungarian
    &["vá", "válasz"],
    // Portuguese, Spanish, Italian
    &["res", "resp", "rif", "r"],
    // Polish, Czech, Croatian
    &["odp", "odpověď", "odg"],
    // Turkish
    &["ynt", "cvp"],
    // Welsh and Latvian, Indonesian, Vietnamese
    &["atb", "bls", "balas", "tl", "trả lời"],
    // Greek
    &["απ", "σχετ", "απάντηση"],
    // Russian, Bulgarian, Ukrainian
    &["отв", "ответ", "на", "відп", "отг"],
    // Chinese, Japanese, Korean
    &["回复", "回覆", "答复", "答覆", "返信", "回信", "회신", "답장"],
    // Hebrew, Arabic, Thai
    &["השב", "תשובה", "رد", "ตอบกลับ"],
];

/// Prefixes of forwarded mail, in plain lower case.
const FORWARD: &[&[&str]] = &[
    // English, German, Dutch, Scandinavian, Finnish, French
    &["fw", "fwd", "wg", "doorst", "vb", "vl", "fs", "tr", "trs"],
    // Spanish, Portuguese, Italian
    &["rv", "renv", "enc", "i", "inoltro"],
    // Polish, Hungarian, Turkish, Welsh
    &["pd", "továbbítás", "tov", "ilt", "ılt", "yml"],
    // Greek, Russian, Bulgarian
    &["πρθ", "προώθ", "пересл", "пер", "препр", "переслано"],
    // East Asian, Hebrew, Arabic, Thai
    &["转发", "轉寄", "轉發", "転送", "전달", "הועבר", "إعادة توجيه", "ส่งต่อ"],
];

/// Longer than any prefix with its counter; what comes later is no prefix.
const MOST_CHARS: usize = 24;
/// A tag's closing bracket stands within so many characters of the opening one.
const MOST_TAG_CHARS: usize = 60;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Reply,
    Forward,
}

/// Whether the subject begins, behind any tags, with the prefix of an answer.
pub fn is_reply_prefix(subject: &str) -> bool {
    first(subject) == Some(Prefix::Reply)
}

/// Whether the subject begins, behind any tags, with the prefix of a forwarded mail.
pub fn is_forward_prefix(subject: &str) -> bool {
    first(subject) == Some(Prefix::Forward)
}

/// The subject without prefixes and tags, white space evened out, in lower case: equal for the mails of one exchange.
///
/// A subject that is nothing but a tag keeps it.
pub fn base_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        if let Some((_, after)) = take_prefix(rest) {
            rest = after;
        } else if let Some(after) = take_tag(rest).filter(|after| !after.is_empty()) {
            rest = after;
        } else {
            return plain(rest);
        }
    }
}

fn first(subject: &str) -> Option<Prefix> {
    let mut rest = subject.trim();
    loop {
        if let Some((prefix, _)) = take_prefix(rest) {
            return Some(prefix);
        }
        rest = take_tag(rest)?;
    }
}

/// One prefix with its colon, and the subject behind it.
fn take_prefix(subject: &str) -> Option<(Prefix, &str)> {
    let (at, colon) =
        subject.char_indices().take(MOST_CHARS).find(|(_, c)| matches!(c, ':' | '：' | '\u{FE55}'))?;
    let word = plain(&subject[..at]);
    let word = without_counter(&word);
    let prefix = match word {
        _ if listed(REPLY, word) => Prefix::Reply,
        _ if listed(FORWARD, word) => Prefix::Forward,
        _ => return None,
    };
    Some((prefix, subject[at + colon.len_utf8()..].trim_start()))
}

fn listed(words: &[&[&str]], word: &str) -> bool {
    words.iter().any(|language| language.contains(&word))
}

/// `re[2]`, `re^2`, `re(2)`, `re*2`, `re2` and `re.` are all `re`.
fn without_counter(word: &str) -> &str {
    let counter = |c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^' | '*' | '.' | ' ');
    word.trim_end_matches(counter)
}

/// The subject behind one leading tag: `[list]`, `(EXTERNAL)`, `{Spam?}`, `***SPAM***`, `【社外】`.
fn take_tag(subject: &str) -> Option<&str> {
    let open = subject.chars().next()?;
    let close = match open {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        '<' => '>',
        '【' => '】',
        '［' => '］',
        '*' => return take_starred(subject),
        _ => return None,
    };
    let (at, _) = subject.char_indices().take(MOST_TAG_CHARS).find(|(_, c)| *c == close)?;
    Some(subject[at + close.len_utf8()..].trim_start())
}

fn take_starred(subject: &str) -> Option<&str> {
    let inner = subject.trim_start_matches('*');
    let (at, _) = inner.char_indices().take(MOST_TAG_CHARS).find(|(_, c)| *c == '*')?;
    Some(inner[at..].trim_start_matches('*').trim_start())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_reply(subject: &str) {
        assert!(is_reply_prefix(subject), "{subject}");
        assert!(!is_forward_prefix(subject), "{subject}");
        assert_eq!(base_subject(subject), "order 12", "{subject}");
    }

    #[track_caller]
    fn check_forward(subject: &str) {
        assert!(is_forward_prefix(subject), "{subject}");
        assert!(!is_reply_prefix(subject), "{subject}");
        assert_eq!(base_subject(subject), "order 12", "{subject}");
    }

    #[test]
    fn replies() {
        for prefix in [
            "Re", "RE", "RE[2]", "Re^2", "Re (3)", "RE*2", "Re2", "AW", "Antw", "SV", "VS", "Vá", "RES",
            "RIF", "R", "Odp", "Ynt", "Atb", "ATB", "ΑΠ", "Отв", "На", "回复", "答复", "回覆", "返信",
            "ＲＥ",
        ] {
            check_reply(&format!("{prefix}: Order 12"));
            check_reply(&format!("{prefix}：Order 12"));
            check_reply(&format!("{prefix} : Order  12"));
        }
        check_reply("Re: AW: Fwd: Order 12");
        check_reply("[list] Re: [EXTERNAL] Order 12");
        check_reply("***SPAM*** Re: Order 12");
        check_reply("{Spam?} RE:Order 12");
        check_reply("Re:\u{A0}Order\t12");
    }

    #[test]
    fn forwards() {
        for prefix in [
            "Fw",
            "Fwd",
            "FW",
            "WG",
            "VB",
            "VL",
            "TR",
            "I",
            "ENC",
            "PD",
            "İlt",
            "ilt",
            "Пересл",
            "转发",
            "轉寄",
            "転送",
            "RV",
        ] {
            check_forward(&format!("{prefix}: Order 12"));
            check_forward(&format!("[list] {prefix}：Re: Order 12"));
        }
    }

    #[test]
    fn other_words_stay() {
        for subject in
            ["CRM: Order 12", "Note: Order 12", "Order: 12", "Ree: 12", "12: 13", ": 12", "Ref: 12", ""]
        {
            assert!(!is_reply_prefix(subject) && !is_forward_prefix(subject), "{subject}");
            assert_eq!(base_subject(subject), subject.to_lowercase());
        }
        assert_eq!(base_subject("Re: [ticket 12]"), "[ticket 12]");
        assert_eq!(base_subject("Re: Re:"), "");
    }

    proptest! {
        #[test]
        fn the_base_has_no_base_of_its_own(subject in "(Re|AW|Fwd|x|[\\[\\]*:{}é ]){0,30}") {
            let base = base_subject(&subject);
            prop_assert_eq!(base_subject(&base), base.clone());
        }

        #[test]
        fn any_text_is_read(subject in any::<String>()) {
            base_subject(&subject);
            is_reply_prefix(&subject);
        }
    }

    #[test]
    fn a_megabyte_of_prefixes() {
        for piece in ["Re: ", "[x]", "*", "(", "***a***", "re"] {
            let subject = piece.repeat((1 << 20) / piece.len());
            let start = Instant::now();
            base_subject(&subject);
            assert!(start.elapsed() < Duration::from_secs(5), "{piece}: {:?}", start.elapsed());
        }
    }
}
