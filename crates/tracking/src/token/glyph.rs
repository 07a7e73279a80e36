//! Reading characters as a token's author meant them: case, full-width forms and typographic hyphens folded,
//! invisible characters dropped.
//!
//! This is the part of NFKC that mail programs really apply to a token, not all of Unicode normalisation.

/// What a character means inside a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// Zero width: it is as if it were not there.
    Nothing,
    /// White space of any width, line ends among it.
    Space,
    /// The plain, lower-case character (ASCII letters only are lowered here).
    Plain(char),
}

/// Reads one character.
pub(crate) fn read(c: char) -> Glyph {
    match c {
        '!'..='~' => Glyph::Plain(c.to_ascii_lowercase()),
        _ if c.is_whitespace() => Glyph::Space,
        _ if is_invisible(c) => Glyph::Nothing,
        '\u{FF01}'..='\u{FF5E}' => Glyph::Plain(half_width(c)),
        // Hyphens and dashes of autocorrect, minus, and their small form.
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => Glyph::Plain('-'),
        // Colons and braces of East Asian input methods and vertical text.
        '\u{FE55}' | '\u{FE13}' | '\u{2236}' => Glyph::Plain(':'),
        '\u{FE5B}' | '\u{FE37}' => Glyph::Plain('{'),
        '\u{FE5C}' | '\u{FE38}' => Glyph::Plain('}'),
        _ => Glyph::Plain(c),
    }
}

/// A full-width form of ASCII (U+FF01 to U+FF5E) as plain, lower-case ASCII.
fn half_width(c: char) -> char {
    char::from_u32(u32::from(c) - 0xFEE0).map_or(c, |plain| plain.to_ascii_lowercase())
}

/// Zero-width characters, marks of direction, soft hyphens, variation selectors and stray control characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
        || c.is_control()
}

/// A text in plain characters and lower case, with every run of white space as one space and none at the ends:
/// the form in which short words (prefixes, phrases of machines) are compared.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match read(c) {
            Glyph::Nothing => {}
            Glyph::Space => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            // Lowering `İ` leaves a combining dot behind, which no word in our lists has.
            Glyph::Plain(c) => out.extend(c.to_lowercase().filter(|c| *c != '\u{307}')),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The characters of a text that can be seen, as they are: white space and invisible ones left out.
pub(crate) fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| matches!(read(*c), Glyph::Plain(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(plain(text), expected);
    }

    #[test]
    fn plain_text() {
        check("ＣＲＭ：｛０Ｆ｝", "crm:{0f}");
        check(" a\u{A0}\t\r\n b ", "a b");
        check("a\u{200B}b\u{AD}c\u{FEFF}\0", "abc");
        check("İlt", "ilt");
        check("1\u{2013}2\u{2212}3", "1-2-3");
        check("ΑΠ: Ж", "απ: ж");
    }
}
