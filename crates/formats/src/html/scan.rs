//! Cuts HTML into tags and text, as WHATWG HTML section 13.2.5 does, with no memory of what it saw.
//!
//! Comments, doctypes and processing instructions are passed over. Not here: character references (they stay as written)
//! and the raw-text elements, which the caller skips by name with [`Scanner::skip_raw`].

/// One piece of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'h> {
    /// Text as written, character references not resolved. A `<` in it is a bare one.
    Text(&'h str),
    Start {
        name: &'h str,
        attributes: Attributes<'h>,
    },
    End {
        name: &'h str,
    },
}

/// Most attributes of a tag that are looked at: parsers compare each name with those before it.
const MOST_ATTRIBUTES: usize = 32;

/// Name and raw value, in order; at most [`MOST_ATTRIBUTES`].
pub(super) type Attributes<'h> = Vec<(&'h str, &'h str)>;

/// A position in the input.
pub(super) struct Scanner<'h> {
    html: &'h str,
    at: usize,
}

impl<'h> Scanner<'h> {
    pub(super) fn new(html: &'h str) -> Self {
        Scanner { html, at: 0 }
    }

    /// Skips to the end tag of a raw-text element (`script`, `style`, …) or to the end; gives what was skipped.
    pub(super) fn skip_raw(&mut self, name: &str) -> &'h str {
        let rest = &self.html[self.at..];
        let is_end = |place: &usize| {
            let after = &rest.as_bytes()[place + 2..];
            after.len() >= name.len()
                && after[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                && after.get(name.len()).is_none_or(|byte| ends_name(*byte))
        };
        let end = rest.match_indices("</").map(|(place, _)| place).find(is_end).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn byte(&self) -> Option<u8> {
        self.html.as_bytes().get(self.at).copied()
    }

    fn skip_while(&mut self, keep: impl Fn(u8) -> bool) -> &'h str {
        let start = self.at;
        while self.byte().is_some_and(&keep) {
            self.at += 1;
        }
        // Every stop byte is ASCII, so both ends are character boundaries.
        &self.html[start..self.at]
    }

    fn tag(&mut self) -> Option<Piece<'h>> {
        self.at += 1;
        let is_end = self.byte() == Some(b'/');
        if is_end {
            self.at += 1;
        }
        let name = self.skip_while(|byte| !ends_name(byte));
        let attributes = self.attributes()?;
        Some(if is_end { Piece::End { name } } else { Piece::Start { name, attributes } })
    }

    /// The attributes up to and past the `>`; `None` when the input ends inside the tag, which drops it.
    fn attributes(&mut self) -> Option<Attributes<'h>> {
        let mut attributes = Vec::new();
        loop {
            self.skip_while(|byte| is_space(byte) || byte == b'/');
            if self.byte()? == b'>' {
                self.at += 1;
                return Some(attributes);
            }
            let attribute = self.attribute();
            if attributes.len() < MOST_ATTRIBUTES {
                attributes.push(attribute);
            }
        }
    }

    fn attribute(&mut self) -> (&'h str, &'h str) {
        let start = self.at;
        // A `=` at the head belongs to the name.
        self.at += usize::from(self.byte() == Some(b'='));
        self.skip_while(|byte| !ends_name(byte) && byte != b'=');
        let name = &self.html[start..self.at];
        self.skip_while(is_space);
        if self.byte() != Some(b'=') {
            return (name, "");
        }
        self.at += 1;
        self.skip_while(is_space);
        let value = match self.byte() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.skip_while(|byte| byte != quote);
                self.at += usize::from(self.byte().is_some());
                value
            }
            _ => self.skip_while(|byte| !is_space(byte) && byte != b'>'),
        };
        (name, value)
    }

    /// `<!…` and `<?…`: a comment, a doctype, or what HTML takes for a comment.
    fn skip_markup(&mut self) {
        let rest = &self.html[self.at..];
        let length = match rest.strip_prefix("<!--") {
            Some(inner) if inner.starts_with('>') => 5,
            Some(inner) if inner.starts_with("->") => 6,
            Some(inner) => {
                let ends = ["-->", "--!>"].map(|mark| inner.find(mark).map(|place| 4 + place + mark.len()));
                ends.into_iter().flatten().min().unwrap_or(rest.len())
            }
            None => rest.find('>').map_or(rest.len(), |place| place + 1),
        };
        self.at += length;
    }
}

impl<'h> Iterator for Scanner<'h> {
    type Item = Piece<'h>;

    fn next(&mut self) -> Option<Piece<'h>> {
        while self.at < self.html.len() {
            let next = |ahead: usize| self.html.as_bytes().get(self.at + ahead).copied();
            match (next(0), next(1), next(2)) {
                (Some(b'<'), Some(b'!' | b'?'), _) => self.skip_markup(),
                (Some(b'<'), Some(b'/'), Some(letter)) if !letter.is_ascii_alphabetic() => self.skip_markup(),
                (Some(b'<'), Some(letter), _) if letter.is_ascii_alphabetic() => return self.tag_or_end(),
                (Some(b'<'), Some(b'/'), Some(_)) => return self.tag_or_end(),
                _ => return Some(self.text()),
            }
        }
        None
    }
}

impl<'h> Scanner<'h> {
    fn tag_or_end(&mut self) -> Option<Piece<'h>> {
        let piece = self.tag();
        if piece.is_none() {
            self.at = self.html.len();
        }
        piece
    }

    fn text(&mut self) -> Piece<'h> {
        let start = self.at;
        // The first byte is text even when it is a `<`.
        self.at += self.html[start..].chars().next().map_or(1, char::len_utf8);
        self.at += self.html[self.at..].find('<').unwrap_or(self.html.len() - self.at);
        Piece::Text(&self.html[start..self.at])
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

fn ends_name(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'/' | b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &str) {
        let shown: Vec<String> = Scanner::new(html)
            .map(|piece| match piece {
                Piece::Text(text) => format!("'{text}'"),
                Piece::Start { name, attributes } => {
                    let shown: Vec<String> = attributes.iter().map(|(n, v)| format!(" {n}={v}")).collect();
                    format!("<{name}{}>", shown.concat())
                }
                Piece::End { name } => format!("</{name}>"),
            })
            .collect();
        assert_eq!(shown.join("|"), expected);
    }

    #[test]
    fn tags_and_text() {
        check("a<b>c</b>d", "'a'|<b>|'c'|</b>|'d'");
        check("<a href=x class='y z' id=\"q>\" checked>", "<a href=x class=y z id=q> checked=>");
        check("<br/><img src=a/b />", "<br>|<img src=a/b>");
        check("1 < 2 <3 << 4", "'1 '|'< 2 '|'<3 '|'<'|'< 4'");
    }

    #[test]
    fn comments() {
        check("a<!-- <b> -->c", "'a'|'c'");
        check("a<!--><b>", "'a'|<b>");
        check("a<!-- x --!><b>", "'a'|<b>");
        check("<!DOCTYPE html><?xml version=1?></ x><p>", "<p>");
        check("a<!-- open", "'a'");
        check("<![if !mso]>x<![endif]>", "'x'");
    }

    #[test]
    fn odd_tags() {
        check("<a b\"c>d", "<a b\"c=>|'d'");
        check("<a =x=y>", "<a =x=y>");
        check("<a href", "");
        check("<日本>", "'<日本>'");
        check("x</", "'x'|'</'");
    }
}
