//! Address fields (RFC 5322 section 3.4) and their odd relatives: semicolons between addresses, Notes names, addresses
//! with no brackets behind a name, brackets that never close, commas in encoded words.
//!
//! Groups are opened up: their members are listed, their names are not (`undisclosed-recipients:;` is an empty list).

use postroom_core::Address;

use super::words;

/// Reads an unfolded field value with its encoded words still in it (they may hold commas and brackets).
pub fn parse(text: &str) -> Vec<Address> {
    let mut reader = Reader { text, at: 0, open: Open::default(), found: Vec::new() };
    reader.run();
    reader.found
}

/// What was read of the address that is not finished yet.
#[derive(Default)]
struct Open {
    /// Everything outside brackets and comments, quotes included.
    phrase: String,
    /// The phrase holds an `@` (or a quoted string, which may).
    has_at: bool,
    angle: Option<String>,
    /// Text behind the brackets: the name of the next address, when a comma is missing.
    after: String,
    comment: String,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    open: Open,
    found: Vec<Address>,
}

impl Reader<'_> {
    fn run(&mut self) {
        while let Some(c) = self.text[self.at..].chars().next() {
            let from = self.at;
            self.at += c.len_utf8();
            match c {
                '"' => self.at = self.end_of_quote().unwrap_or(self.at),
                '(' => {
                    self.comment();
                    continue;
                }
                '<' => {
                    self.angle();
                    continue;
                }
                ',' | ';' => {
                    self.finish();
                    continue;
                }
                ':' if self.is_group() => {
                    self.open = Open::default();
                    continue;
                }
                '=' => self.at = self.end_of_word(from).unwrap_or(self.at),
                _ => {}
            }
            self.open.has_at |= c == '@' || c == '"';
            let into = if self.open.angle.is_some() { &mut self.open.after } else { &mut self.open.phrase };
            into.push_str(&self.text[from..self.at]);
        }
        self.finish();
    }

    /// The position behind the closing quote; `None` when there is none, and then the quote is an ordinary character.
    fn end_of_quote(&self) -> Option<usize> {
        let mut escaped = false;
        for (offset, byte) in self.text.as_bytes()[self.at..].iter().enumerate().take(LONGEST) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(self.at + offset + 1),
                _ => {}
            }
        }
        None
    }

    /// The end of an encoded word that starts at `from`: commas and brackets in it do not count.
    fn end_of_word(&self, from: usize) -> Option<usize> {
        let word = self.text[from..].strip_prefix("=?")?;
        let head: usize = word.splitn(3, '?').take(2).map(|piece| piece.len() + 1).sum();
        let body = word.get(head..)?;
        let body = &body.as_bytes()[..body.len().min(LONGEST)];
        let end = memchr::memmem::find(body, b"?=")?;
        (head < 80 && !body[..end].contains(&b'"')).then_some(from + 2 + head + end + 2)
    }

    fn comment(&mut self) {
        let mut depth = 1;
        let from = self.at;
        for (offset, byte) in self.text.as_bytes()[from..].iter().enumerate().take(LONGEST) {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.open.comment = self.text[from..from + offset].to_owned();
                self.at = from + offset + 1;
                return;
            }
        }
        // It never closes: an ordinary character.
        self.open.phrase.push('(');
    }

    fn angle(&mut self) {
        if self.open.angle.is_some() {
            let name = std::mem::take(&mut self.open.after);
            self.finish();
            self.open.phrase = name;
        }
        let rest = &self.text[self.at..];
        let near = memchr::memchr(b'>', &rest.as_bytes()[..rest.len().min(LONGEST)]);
        let end = match near {
            Some(end) if !rest[..end].contains('<') => end + 1,
            Some(_) if rest.starts_with('<') => return,
            _ => rest.find([',', ';', '<']).unwrap_or(rest.len()),
        };
        self.open.angle = Some(rest[..end].trim_end_matches('>').to_owned());
        self.at += end;
        self.at += self.text[self.at..].bytes().take_while(|byte| *byte == b'>').count();
    }

    /// A colon ends a group's name, unless it stands in something like an address.
    fn is_group(&self) -> bool {
        self.open.angle.is_none() && !self.open.has_at && self.open.phrase != "mailto"
    }

    fn finish(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        let after = std::mem::take(&mut open.after);
        self.found
            .extend(open.address().filter(|address| !address.address.is_empty() || !address.name.is_empty()));
        if after.contains('@') {
            self.found.extend(Open { phrase: after, ..Open::default() }.address());
        }
    }
}

/// No quoted string or encoded word is longer; looking further would make hostile fields slow.
const LONGEST: usize = 1000;

impl Open {
    fn address(self) -> Option<Address> {
        let phrase = trim(&self.phrase);
        let comment = trim(&self.comment);
        if let Some(angle) = &self.angle {
            let address = bare(angle);
            let name = if phrase.is_empty() { comment } else { phrase };
            return Some(Address::new(display_name(name), address));
        }
        if phrase.is_empty() {
            return None;
        }
        let (name, address) = split_phrase(phrase);
        let name = if name.is_empty() { comment } else { name };
        Some(Address::new(display_name(name), address.map(bare).unwrap_or_default()))
    }
}

/// A phrase with no angle brackets: an address, a name, or a name with an address behind it.
fn split_phrase(phrase: &str) -> (&str, Option<&str>) {
    if !phrase.contains('@') {
        // Notes names have spaces and no @ (`CN=John Doe/O=Acme`, `John Doe/Sales/Acme`); local users are one word.
        let notes = phrase.contains('/') || phrase.to_ascii_lowercase().starts_with("cn=");
        let word = !phrase.contains([' ', '"']) && !phrase.contains("=?");
        return if notes || word { ("", Some(phrase)) } else { (phrase, None) };
    }
    // Look for the last space outside quotes before the @.
    let at = phrase.rfind('@').unwrap_or(phrase.len());
    let mut quoted = false;
    let mut start = 0;
    for (place, c) in phrase[..at].char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => start = place + 1,
            _ => {}
        }
    }
    let address = &phrase[start..];
    // "a @ b.c": spaces round the @ belong to the address.
    if address.starts_with('@') {
        return ("", Some(phrase));
    }
    let end = phrase[at..].find(' ').map_or(phrase.len(), |length| at + length);
    (trim(&phrase[..start]), Some(&phrase[start..end]))
}

/// The address inside brackets, without route, `mailto:`, spaces and invisible characters.
fn bare(angle: &str) -> String {
    let decoded = words::decode(angle);
    let quoted = decoded.contains('"');
    let kept = |c: &char| !is_invisible(*c) && (quoted || !c.is_whitespace() || decoded.contains('/'));
    let text: String = decoded.chars().filter(kept).collect();
    let mut text = trim(&text);
    if let Some((route, address)) = text.split_once(':')
        && (route.starts_with('@') || route.eq_ignore_ascii_case("mailto"))
    {
        text = address;
    }
    trim(text).trim_matches(['<', '>']).to_owned()
}

/// A display name without quotes, its encoded words decoded.
fn display_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    let decoded = words::decode(&out);
    // Quotes inside the encoded word are quotes of the mailer, not of the person.
    let text = trim(&decoded);
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let inner = inner.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(inner);
    trim(inner).to_owned()
}

/// Trims white space, the no-break one too, and characters that cannot be seen.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{a0}')
        || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let found = parse(text);
        let found: Vec<_> = found.iter().map(|found| (found.name.as_str(), found.address.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn as_specified() {
        check("a@b.c", &[("", "a@b.c")]);
        check("Anna Adler <a@b.c>", &[("Anna Adler", "a@b.c")]);
        check("\"Adler, Anna\" <a@b.c>, d@e", &[("Adler, Anna", "a@b.c"), ("", "d@e")]);
        check(r#""Anna \"AA\" Adler" <a@b>"#, &[("Anna \"AA\" Adler", "a@b")]);
        check("a@b (Anna (nested) Adler)", &[("Anna (nested) Adler", "a@b")]);
        check("=?utf-8?Q?J=C3=B6rg?= <a@b>", &[("Jörg", "a@b")]);
        check("Pete(A nice guy) <pete@x>", &[("Pete", "pete@x")]);
        check("", &[]);
    }

    #[test]
    fn groups() {
        check("undisclosed-recipients:;", &[]);
        check("A Group:Ed <joe@x>,joe@y;, z@w", &[("Ed", "joe@x"), ("", "joe@y"), ("", "z@w")]);
        check("Empty:;, a@b", &[("", "a@b")]);
    }

    #[test]
    fn odd_brackets() {
        check("<>", &[]);
        check("Nobody <>", &[("Nobody", "")]);
        check("<<a@b>>", &[("", "a@b")]);
        check("Anna <a@b", &[("Anna", "a@b")]);
        check("Anna <a@b, Bob <c@d>", &[("Anna", "a@b"), ("Bob", "c@d")]);
        check("Bob <b@x> Bobby <b@y>", &[("Bob", "b@x"), ("Bobby", "b@y")]);
        check("<a@b> junk", &[("", "a@b")]);
        check("<a@b> c@d", &[("", "a@b"), ("", "c@d")]);
        check("<@route,@two:a@b>", &[("", "a@b")]);
        check("<mailto:a@b>", &[("", "a@b")]);
        check("Anna < a@b >", &[("Anna", "a@b")]);
        check("Anna <=?utf-8?Q?a=40b?=>", &[("Anna", "a@b")]);
    }

    #[test]
    fn odd_separators() {
        check("a@b; c@d", &[("", "a@b"), ("", "c@d")]);
        check("a@b,, ,c@d,", &[("", "a@b"), ("", "c@d")]);
        check("Anna a@b", &[("Anna", "a@b")]);
        check("=?utf-8?Q?Adler, Anna?= <a@b>", &[("Adler, Anna", "a@b")]);
    }

    #[test]
    fn odd_names_and_locals() {
        check("\"a b\"@c.d", &[("", "\"a b\"@c.d")]);
        check("<\"a b\"@c.d>", &[("", "\"a b\"@c.d")]);
        check("\"ceo@bank\" <evil@x>", &[("ceo@bank", "evil@x")]);
        check("ceo@bank <evil@x>", &[("ceo@bank", "evil@x")]);
        check("'Anna Adler' <a@b>", &[("Anna Adler", "a@b")]);
        check("\"=?utf-8?Q?J=C3=B6rg?=\" <a@b>", &[("Jörg", "a@b")]);
        check("Anna\u{a0}Adler\u{a0} <\u{a0}a@b\u{200b}>", &[("Anna\u{a0}Adler", "a@b")]);
        check("\"unclosed <a@b>", &[("unclosed", "a@b")]);
        check("unclosed (comment <a@b>", &[("unclosed (comment", "a@b")]);
        check("root", &[("", "root")]);
        check("Mail Delivery Subsystem", &[("Mail Delivery Subsystem", "")]);
        check("CN=John B Goode/OU=Sales/O=Acme", &[("", "CN=John B Goode/OU=Sales/O=Acme")]);
        check("John Doe <CN=John Doe/O=Acme>", &[("John Doe", "CN=John Doe/O=Acme")]);
        check("a@b.c.", &[("", "a@b.c.")]);
    }
}
