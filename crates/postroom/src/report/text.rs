//! Text from outside made safe for one line of a terminal.

use std::fmt::Write;

/// The text on one line: control characters (line ends, escapes, direction marks) are written as `\u{…}`, so that a
/// subject can neither forge a line nor steer the terminal.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_format(c) => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing into a String cannot fail");
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that are not seen but change what is: line separators and direction marks (Unicode Bidi, UAX #9).
fn is_format(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// At most `width` characters, the last one being `…` when something was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(one_line("a\nb\u{1b}[2J\u{202e}c"), "a\\nb\\u{1b}[2J\\u{202e}c");
        assert_eq!(one_line("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn cut_says_so() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
