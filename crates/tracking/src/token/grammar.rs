//! Finding tokens in a decoded, unfolded subject: `CRM: {GUID}:MRC` in every shape that mail programs leave of it,
//! and Microsoft's `CRM:0001021`.
//!
//! Not a regular expression: one pass, no backtracking, so a subject of a megabyte costs what a megabyte costs. Not a
//! judge either: whether a GUID names a record is the CRM's to say.
//!
//! The rule for the seed's form (`mail-tracking.md` 6.2): the letters `CRM`, a colon, 32 hexadecimal digits, a colon, the
//! letters `MRC`. Each brace may be missing, so may each hyphen, and a hyphen stands only between two groups of the GUID.
//! White space and invisible characters mean nothing anywhere inside, case and full-width forms neither. What lacks a
//! digit, has one too many or lost its end is no token; [`near_misses`] tells a person about it.

use std::collections::HashSet;
use std::ops::{Range, RangeInclusive};

use uuid::Uuid;

use super::glyph::{self, Glyph};

/// More different tokens than this in one subject are an attack, not mail: the last ones count, for tokens are appended.
const MOST_TOKENS: usize = 32;
/// Hints are for people; nobody reads more.
const MOST_MISSES: usize = 8;
/// Digits are counted up to here; a longer run is wrong anyhow.
const MOST_DIGITS: u32 = 64;
/// How much of a token's original text is kept (a token may contain any amount of white space).
const TEXT_CHARS: usize = 120;

/// A token in the seed's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    pub guid: Uuid,
    /// As it stood in the subject, cut to 120 characters.
    pub text: String,
    /// Where it stands, in bytes of the subject.
    pub range: Range<usize>,
}

/// Something that wants to be a token and is none: evidence for a person, never a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// As it stood in the subject, cut to 120 characters.
    pub text: String,
    pub why: Flaw,
}

/// What keeps a text from being a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the GUID has {0} of 32 digits; part of it was cut off")]
    TooFewDigits(u32),
    #[error("the GUID has more than 32 digits; something was typed into it")]
    TooManyDigits,
    #[error("the GUID's hyphens stand in the wrong places")]
    Misshapen,
    #[error("the closing :MRC is missing")]
    NoEnd,
    #[error("a GUID stands alone, without CRM: before it")]
    NoStart,
}

/// The tokens of a subject in the order they stand there, each GUID once (where it stands first).
///
/// `subject` must be decoded (RFC 2047); it may still hold line ends. Runs in time linear in its length.
pub fn find_tokens(subject: &str) -> Vec<FoundToken> {
    let mut seen = HashSet::new();
    let mut tokens: Vec<FoundToken> =
        occurrences(subject).into_iter().filter(|token| seen.insert(token.guid)).collect();
    let surplus = tokens.len().saturating_sub(MOST_TOKENS);
    tokens.drain(..surplus);
    tokens
}

/// Every occurrence of every token, repeated ones too.
pub(crate) fn occurrences(subject: &str) -> Vec<FoundToken> {
    let mut tokens = Vec::new();
    walk(subject, |reading| {
        if let Reading::Token { guid, range } = reading {
            tokens.push(FoundToken { guid, text: excerpt(subject, &range), range });
        }
    });
    tokens
}

/// What looks like a damaged token; at most eight.
pub fn near_misses(subject: &str) -> Vec<NearMiss> {
    let mut misses = Vec::new();
    let mut covered = Vec::new();
    walk(subject, |reading| match reading {
        Reading::Token { range, .. } => covered.push(range),
        Reading::Miss { why, range } => {
            if misses.len() < MOST_MISSES {
                misses.push(NearMiss { text: excerpt(subject, &range), why });
            }
            covered.push(range);
        }
        Reading::Nothing => {}
    });
    for range in lone_guids(subject, &covered) {
        if misses.len() < MOST_MISSES {
            misses.push(NearMiss { text: excerpt(subject, &range), why: Flaw::NoStart });
        }
    }
    misses
}

/// Microsoft's tokens: `prefix` (as configured, `CRM:` by default) and that many digits, standing as a word of their own.
/// Each is given once, with the prefix as configured, the way the CRM's `trackingtoken` holds it.
pub fn find_microsoft_tokens(subject: &str, prefix: &str, digits: RangeInclusive<usize>) -> Vec<String> {
    let wanted: Vec<char> = glyph::plain(prefix).chars().collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let text: Vec<char> = glyph::plain(&without_occurrences(subject)).chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at + wanted.len() < text.len() {
        let body = at + wanted.len();
        let glued_before = at > 0 && wanted[0].is_alphanumeric() && is_word(text[at - 1]);
        if text[at..body] != wanted[..] || glued_before {
            at += 1;
            continue;
        }
        let count = text[body..].iter().take(digits.end() + 1).take_while(|c| c.is_ascii_digit()).count();
        if digits.contains(&count) && ends_word(&text[body + count..]) {
            let number: String = text[body..body + count].iter().collect();
            found.push(format!("{prefix}{number}"));
        }
        at += 1;
    }
    let mut seen = HashSet::new();
    found.retain(|token| seen.insert(token.clone()));
    let surplus = found.len().saturating_sub(MOST_TOKENS);
    found.drain(..surplus);
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a number ends here. `-` and a hexadecimal digit continue it: then it is the first group of a cut GUID.
fn ends_word(rest: &[char]) -> bool {
    match rest {
        ['-', next, ..] => !next.is_ascii_hexdigit(),
        [next, ..] => !is_word(*next),
        [] => true,
    }
}

/// The subject with a space for each token of the seed's form, whose first group may look like a number.
fn without_occurrences(subject: &str) -> String {
    let mut rest = String::with_capacity(subject.len());
    let mut from = 0;
    for token in occurrences(subject) {
        rest.push_str(&subject[from..token.range.start]);
        rest.push(' ');
        from = token.range.end;
    }
    rest.push_str(&subject[from..]);
    rest
}

fn excerpt(subject: &str, range: &Range<usize>) -> String {
    subject[range.clone()].chars().take(TEXT_CHARS).collect()
}

/// What stands at one place of a subject.
enum Reading {
    Token { guid: Uuid, range: Range<usize> },
    Miss { why: Flaw, range: Range<usize> },
    Nothing,
}

/// Tries every `c` of the subject as the start of a token.
///
/// Linear: a reading cannot pass the start of the next one, because the `r` of `CRM` is no part of a GUID; so no stretch of
/// the subject is read more than a few times.
fn walk(subject: &str, mut tell: impl FnMut(Reading)) {
    let mut skip_to = 0;
    for (at, c) in subject.char_indices() {
        if at < skip_to || glyph::read(c) != Glyph::Plain('c') {
            continue;
        }
        let reading = read_at(subject, at);
        if let Reading::Token { range, .. } = &reading {
            skip_to = range.end;
        }
        tell(reading);
    }
}

fn read_at(subject: &str, start: usize) -> Reading {
    let mut cursor = Cursor { text: subject, at: start };
    if !cursor.take_all("crm:") {
        return Reading::Nothing;
    }
    let opened = cursor.take('{');
    let digits = cursor.digits();
    let closed = cursor.take('}');
    let claims = opened || closed || digits.hyphens > 0 || digits.count >= 32;
    let range = start..cursor.at;
    match digits.flaw() {
        None => {}
        Some(why) if claims && digits.count > 0 => return Reading::Miss { why, range },
        Some(_) => return Reading::Nothing,
    }
    match cursor.take_all(":mrc") {
        true => Reading::Token { guid: Uuid::from_u128(digits.value), range: start..cursor.at },
        false => Reading::Miss { why: Flaw::NoEnd, range },
    }
}

/// Whole GUIDs outside `covered` that show by a hyphen that they are meant as GUIDs.
fn lone_guids(subject: &str, covered: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut covered = covered.iter().peekable();
    let mut skip_to = 0;
    let mut glued = false;
    for (at, c) in subject.char_indices() {
        while covered.next_if(|range| range.end <= at).is_some() {}
        let inside = at < skip_to || covered.peek().is_some_and(|range| range.contains(&at));
        let digit = matches!(glyph::read(c), Glyph::Plain(c) if c.is_ascii_hexdigit());
        if !inside && digit && !glued {
            let mut cursor = Cursor { text: subject, at };
            let digits = cursor.digits();
            if digits.flaw().is_none() && digits.hyphens == 4 {
                found.push(at..cursor.at);
            }
            skip_to = cursor.at;
        }
        glued = is_word(c);
    }
    found
}

/// A run of hexadecimal digits, read as a GUID.
#[derive(Default)]
struct Digits {
    count: u32,
    value: u128,
    hyphens: u32,
    misshapen: bool,
}

impl Digits {
    fn flaw(&self) -> Option<Flaw> {
        match self.count {
            _ if self.misshapen => Some(Flaw::Misshapen),
            32 => None,
            0..32 => Some(Flaw::TooFewDigits(self.count)),
            _ => Some(Flaw::TooManyDigits),
        }
    }
}

/// A place in a text from which only meaningful characters are seen.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl Cursor<'_> {
    /// The next character that means something, and where it ends.
    fn peek(&self) -> Option<(char, usize)> {
        self.text[self.at..].char_indices().find_map(|(offset, c)| match glyph::read(c) {
            Glyph::Plain(plain) => Some((plain, self.at + offset + c.len_utf8())),
            Glyph::Nothing | Glyph::Space => None,
        })
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.peek() {
            Some((c, end)) if c == wanted => {
                self.at = end;
                true
            }
            _ => false,
        }
    }

    fn take_all(&mut self, wanted: &str) -> bool {
        wanted.chars().all(|c| self.take(c))
    }

    /// Reads digits and the hyphens between the groups 8-4-4-4-12.
    fn digits(&mut self) -> Digits {
        let mut digits = Digits::default();
        let mut after_hyphen = false;
        while let Some((c, end)) = self.peek() {
            match c.to_digit(16) {
                Some(digit) if digits.count < MOST_DIGITS => {
                    digits.value = digits.value << 4 | u128::from(digit);
                    digits.count += 1;
                    after_hyphen = false;
                }
                None if c == '-' && digits.count > 0 && digits.hyphens < 8 => {
                    digits.hyphens += 1;
                    digits.misshapen |= after_hyphen || !matches!(digits.count, 8 | 12 | 16 | 20);
                    after_hyphen = true;
                }
                _ => break,
            }
            self.at = end;
        }
        digits
    }
}
