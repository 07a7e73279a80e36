//! Plain text to HTML and HTML to plain text.

use std::borrow::Cow;

use super::shape;

/// HTML read as text: more than this is cut off.
const READ_LIMIT: usize = 4 * 1024 * 1024;
/// The text is cut at this many bytes.
const TEXT_LIMIT: usize = 1024 * 1024;
/// Columns: lines are not wrapped, the reader's window does that.
const WIDTH: usize = 100_000;

/// Plain text as HTML: escaped, blank lines part paragraphs, line ends and indents stay. No links are made.
pub fn from_text(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    let mut in_paragraph = false;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            html.push_str(if in_paragraph { "</p>\n" } else { "" });
            in_paragraph = false;
            continue;
        }
        html.push_str(if in_paragraph { "<br>\n" } else { "<p>" });
        in_paragraph = true;
        push_line(&mut html, line);
    }
    html.push_str(if in_paragraph { "</p>\n" } else { "" });
    html
}

fn push_line(html: &mut String, line: &str) {
    let mut after_space = true;
    for letter in line.chars() {
        let is_space = letter == ' ';
        match letter {
            ' ' if after_space => html.push_str("&nbsp;"),
            '\t' => html.push_str("&nbsp;&nbsp;&nbsp; "),
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            letter if letter.is_control() => {}
            letter => html.push(letter),
        }
        after_space = is_space || letter == '\t';
    }
}

/// HTML as plain text: block elements and table rows become lines, links and images leave their words. At most 1 MiB of
/// text out of the first 4 MiB of HTML.
pub fn to_text(html: &str) -> String {
    let shaped = shape::prose(super::cut(html, READ_LIMIT));
    let read = html2text::config::plain_no_decorate().string_from_read(shaped.as_bytes(), WIDTH);
    // It refuses only what does not fit its width.
    let mut text = read.unwrap_or_else(|_| unescaped(&without_tags(&shaped)).into_owned());
    text.truncate(text.floor_char_boundary(TEXT_LIMIT));
    tidy(&text)
}

fn without_tags(html: &str) -> String {
    let pieces = super::scan::Scanner::new(html).map(|piece| match piece {
        super::scan::Piece::Text(text) => text,
        _ => "\n",
    });
    pieces.collect()
}

/// No blanks at line ends, no more than one empty line in a row.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(|line| line.trim_end_matches([' ', '\t', '\u{a0}'])) {
        if line.is_empty() && blank {
            continue;
        }
        blank = line.is_empty();
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// For an attribute value in double quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Undoes the references that a serialiser writes.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let plain =
        text.replace("&nbsp;", "\u{a0}").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    Cow::Owned(plain.replace("&amp;", "&"))
}

/// `%40` as `@` (RFC 2392: a cid URL is percent-encoded); what is no escape stays.
pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let value = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match value.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
