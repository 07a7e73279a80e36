//! Subjects without the prefixes that replying and forwarding add, for comparing threads. Never for finding tokens.

/// Words before a colon that mean "reply" or "forward" in the languages of mail programs, in lower case.
const PREFIXES: &[&str] = &[
    "re",
    "aw",
    "antw",
    "antwort",
    "sv",
    "vs",
    "vá",
    "res",
    "rif",
    "r",
    "rv",
    "tr",
    "odp",
    "ynt",
    "atb",
    "απ",
    "отв",
    "на",
    "回复",
    "答复",
    "回覆",
    "返信",
    "fw",
    "fwd",
    "wg",
    "vb",
    "vl",
    "i",
    "enc",
    "pd",
    "ilt",
    "i\u{307}lt",
    "пересл",
    "转发",
    "轉寄",
    "転送",
];

/// The subject without reply and forward prefixes, list tags and spam marks at its start, spaces collapsed.
///
/// ```
/// # use postroom_formats::mime::base_subject;
/// assert_eq!(base_subject("Re: [list] AW: Fwd: Price  list"), "Price list");
/// ```
pub fn base_subject(subject: &str) -> String {
    let tidy = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = tidy.as_str();
    while let Some(shorter) = without_prefix(rest).or_else(|| without_tag(rest)) {
        rest = shorter.trim_start();
    }
    rest.to_owned()
}

/// `Re:`, `RE[2]:`, `Re^2:`, `AW :`, `回复：`.
fn without_prefix(subject: &str) -> Option<&str> {
    let colon = subject.char_indices().take(16).find(|(_, c)| matches!(c, ':' | '：'))?;
    let (head, tail) = subject.split_at(colon.0);
    let word = head
        .trim_end()
        .trim_end_matches(|c: char| matches!(c, '[' | ']' | '(' | ')' | '^' | '*') || c.is_ascii_digit());
    let known = PREFIXES.contains(&word.trim_end().to_lowercase().as_str());
    known.then(|| &tail[colon.1.len_utf8()..])
}

/// `[list]`, `[EXTERNAL]`, `{Spam?}`, `***SPAM***`: only when something is left behind them.
fn without_tag(subject: &str) -> Option<&str> {
    let end = match subject.chars().next()? {
        '[' => subject.find(']')? + 1,
        '{' => subject.find('}')? + 1,
        '*' => {
            let word = subject.trim_start_matches('*');
            let stars = word.find('*').filter(|_| subject.starts_with("**"))?;
            subject.len() - word[stars..].trim_start_matches('*').len()
        }
        _ => return None,
    };
    let (tag, rest) = subject.split_at(end);
    (tag.len() <= 40 && !rest.trim().is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(subject: &str, expected: &str) {
        assert_eq!(base_subject(subject), expected);
    }

    #[test]
    fn prefixes() {
        check("Price list", "Price list");
        check("Re: x", "x");
        check("RE[2]: Re^2: AW : x", "x");
        check("回复：转发: x", "x");
        check("İlt: Ynt: x", "x");
        check("[EXTERNAL] Re: [list] x", "x");
        check("***SPAM*** {Spam?} Fwd: x", "x");
        check("Vá: ΑΠ: Отв: x", "x");
    }

    #[test]
    fn what_is_no_prefix() {
        check("Resume: my own", "Resume: my own");
        check("[ticket 12]", "[ticket 12]");
        check("Re:", "");
        check("12: x", "12: x");
        check("* note", "* note");
    }
}
