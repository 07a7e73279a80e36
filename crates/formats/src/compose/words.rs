//! Text in a header: RFC 2047 encoded words, quoted strings, and RFC 2231 parameters.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Bytes of text in one encoded word: with `=?utf-8?B?` and `?=` 72 characters, below the 75 of RFC 2047.
const WORD: usize = 45;
/// Characters of one piece of a parameter.
const PIECE: usize = 60;

/// Where a text stands, which says what an encoded word in it may hold (RFC 2047 section 5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Unstructured,
    Phrase,
}

/// A text as header words, to be folded between them. Only the words that need it are encoded, so that a token of
/// ASCII at the end of a subject can be read in the raw mail.
pub(super) fn words(text: &str, place: Place) -> Vec<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let odd = |word: &&str| needs_encoding(word);
    let (Some(first), Some(last)) = (words.iter().position(odd), words.iter().rposition(odd)) else {
        return words.into_iter().map(str::to_owned).collect();
    };
    let mut out: Vec<String> = words[..first].iter().map(|word| (*word).to_owned()).collect();
    out.extend(encoded(&words[first..=last].join(" "), place));
    out.extend(words[last + 1..].iter().map(|word| (*word).to_owned()));
    out
}

/// An empty word stands for a space beside another, which folding would lose.
fn needs_encoding(word: &str) -> bool {
    word.is_empty()
        || word.len() > 200
        || word.contains("=?")
        || !word.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A display name: bare, quoted, or encoded.
pub(super) fn phrase(name: &str) -> Vec<String> {
    let bare = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    let single = name.split(' ').all(|word| !needs_encoding(word));
    if single && name.chars().all(bare) {
        return name.split(' ').map(str::to_owned).collect();
    }
    match single && name.len() <= 60 {
        true => vec![quoted(name)],
        false => encoded(name, Place::Phrase),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The text in encoded words, each of whole characters.
fn encoded(text: &str, place: Place) -> Vec<String> {
    let plain = |c: &char| match place {
        Place::Unstructured => c.is_ascii_graphic() && !matches!(c, '=' | '?' | '_'),
        // RFC 2047 section 5 (3): only these in a phrase.
        Place::Phrase => c.is_ascii_alphanumeric() || matches!(c, '!' | '*' | '+' | '-' | '/'),
    };
    let cost = |c: char| if c == ' ' || plain(&c) { 1 } else { 3 * c.len_utf8() };
    let readable = text.chars().map(cost).sum::<usize>() <= text.len() * 4 / 3;
    let (room, cost): (usize, &dyn Fn(char) -> usize) =
        if readable { (WORD * 4 / 3, &cost) } else { (WORD, &char::len_utf8) };
    let mut words = Vec::new();
    let (mut from, mut used) = (0, 0);
    for (at, c) in text.char_indices() {
        if used + cost(c) > room {
            words.push(&text[from..at]);
            (from, used) = (at, 0);
        }
        used += cost(c);
    }
    words.push(&text[from..]);
    let one = |word: &str| match readable {
        true => format!("=?utf-8?Q?{}?=", q(word, plain)),
        false => format!("=?utf-8?B?{}?=", BASE64.encode(word)),
    };
    words.into_iter().map(one).collect()
}

fn q(text: &str, plain: impl Fn(&char) -> bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' => out.push('_'),
            c if plain(&c) => out.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("={byte:02X}"))),
        }
    }
    out
}

/// A parameter with its value, in as many pieces as it takes (RFC 2231 sections 3 and 4).
pub(super) fn parameter(name: &str, value: &str) -> Vec<String> {
    let simple = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if simple && value.len() <= PIECE && !value.contains("=?") {
        return vec![format!("{name}={}", quoted(value))];
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`{|}~".contains(c);
    let mut pieces = vec![String::new()];
    for c in value.chars() {
        let mut next = String::new();
        match plain(c) {
            true => next.push(c),
            false => {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| next.push_str(&format!("%{byte:02X}")))
            }
        }
        if pieces.last().is_some_and(|piece| piece.len() + next.len() > PIECE) {
            pieces.push(String::new());
        }
        pieces.last_mut().expect("begins with one").push_str(&next);
    }
    match &pieces[..] {
        [only] => vec![format!("{name}*=utf-8''{only}")],
        many => {
            let piece = |(place, piece): (usize, &String)| {
                let charset = if place == 0 { "utf-8''" } else { "" };
                format!("{name}*{place}*={charset}{piece}")
            };
            many.iter().enumerate().map(piece).collect()
        }
    }
}
