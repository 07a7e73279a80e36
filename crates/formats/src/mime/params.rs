//! Structured fields with parameters: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231).

use super::charset::{self, Charset};
use super::encoding::hex_pair;
use super::words;

/// A value and its parameters, names in lower case.
#[derive(Debug, Default)]
pub(super) struct Field {
    /// Lower case, without comments.
    pub value: String,
    pub params: Vec<(String, String)>,
}

impl Field {
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A parameter as written: `name`, `name*`, `name*0` or `name*0*`.
struct Raw {
    name: String,
    /// The number of a continuation.
    section: Option<u32>,
    /// Percent-encoded (a star at the end).
    extended: bool,
    value: String,
}

/// Reads an unfolded field; `hint` helps with percent bytes that name no charset.
pub(super) fn parse(text: &str, hint: Option<Charset>) -> Field {
    let (value, mut rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    let value = value.split('(').next().unwrap_or_default().trim().trim_matches('"').to_ascii_lowercase();
    let mut raws: Vec<Raw> = Vec::new();
    while let Some(after) = rest.strip_prefix([';', ',']) {
        let (raw, left) = one(after);
        raws.extend(raw);
        rest = left;
    }
    Field { value, params: assemble(&raws, hint) }
}

/// Reads the parameter behind a semicolon, up to the next one.
fn one(text: &str) -> (Option<Raw>, &str) {
    let text = text.trim_start();
    let stop = text.find([';', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(stop);
    let Some(after) = rest.strip_prefix('=') else { return (None, rest) };
    let after = after.trim_start();
    let (value, rest) = match after.strip_prefix('"') {
        Some(inside) => quoted(inside),
        None => {
            let end = after.find(';').unwrap_or(after.len());
            (uncommented(&after[..end]), &after[end..])
        }
    };
    (raw_name(name).map(|(name, section, extended)| Raw { name, section, extended, value }), rest)
}

/// An unquoted value; a comment behind it goes, a parenthesis inside it (`a(1).doc`) stays.
fn uncommented(text: &str) -> String {
    text.split(" (").next().unwrap_or_default().trim().to_owned()
}

/// The value of a quoted string and what follows its parameter. Without a closing quote it ends at the next semicolon.
fn quoted(inside: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = &inside[at + 1..];
                return (value, &rest[rest.find(';').unwrap_or(rest.len())..]);
            }
            '\\' => match chars.clone().next() {
                Some((_, next @ ('"' | '\\'))) => {
                    value.push(next);
                    chars.next();
                }
                // Windows paths come unescaped: `"C:\temp\a.doc"`.
                _ => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    let end = inside.find(';').unwrap_or(inside.len());
    (inside[..end].trim_end().to_owned(), &inside[end..])
}

fn raw_name(name: &str) -> Option<(String, Option<u32>, bool)> {
    let name = name.trim().to_ascii_lowercase();
    let (name, extended) = match name.strip_suffix('*') {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (name, section) = match name.split_once('*') {
        Some((name, section)) => (name, section.parse().ok()),
        None => (name, None),
    };
    (!name.is_empty()).then(|| (name.trim().to_owned(), section, extended))
}

/// Joins continuations. The starred form wins over the plain one, the first of two equals over the second.
fn assemble(raws: &[Raw], hint: Option<Charset>) -> Vec<(String, String)> {
    let mut params: Vec<(String, String)> = Vec::new();
    for raw in raws {
        if params.iter().any(|(known, _)| *known == raw.name) {
            continue;
        }
        let of_name = || raws.iter().filter(|other| other.name == raw.name);
        let value = if let Some(whole) = of_name().find(|other| other.extended && other.section.is_none()) {
            joined(&[whole], hint)
        } else if of_name().any(|other| other.section.is_some()) {
            let mut sections: Vec<&Raw> = of_name().filter(|other| other.section.is_some()).collect();
            sections.sort_by_key(|other| other.section); // out of order, or starting at 1: as it comes
            joined(&sections, hint)
        } else {
            plain(&raw.value, hint)
        };
        params.push((raw.name.clone(), value));
    }
    params
}

/// RFC 2231 sections 3 and 4: the bytes of all sections are joined before they are decoded.
fn joined(sections: &[&Raw], hint: Option<Charset>) -> String {
    let mut label = None;
    let mut bytes = Vec::new();
    for (place, section) in sections.iter().enumerate() {
        let mut text = section.value.as_str();
        if place == 0 && section.extended {
            // Only the first two apostrophes are syntax; and some senders leave them out.
            let mut pieces = text.splitn(3, '\'');
            if let (Some(charset), Some(_language), Some(value)) =
                (pieces.next(), pieces.next(), pieces.next())
                && !charset.contains('%')
            {
                (label, text) = (Some(charset), value);
            }
        }
        match section.extended {
            true => percent(text, &mut bytes),
            false => bytes.extend_from_slice(text.as_bytes()),
        }
    }
    words::decode(&charset::decode_with(&bytes, label, hint))
}

/// A plain value: encoded words in it are illegal and common; so is the starred syntax without the star.
fn plain(value: &str, hint: Option<Charset>) -> String {
    let mut pieces = value.splitn(3, '\'');
    if let (Some(label), Some(_), Some(text)) = (pieces.next(), pieces.next(), pieces.next())
        && charset::for_label(label).is_some()
        && text.contains('%')
    {
        let mut bytes = Vec::new();
        percent(text, &mut bytes);
        return charset::decode_with(&bytes, Some(label), hint).into_owned();
    }
    words::decode(value)
}

fn percent(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'%').then(|| hex_pair(*tail.first()?, *tail.get(1)?)).flatten();
        out.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let field = parse(text, None);
        let params: Vec<_> = field.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(format!("{}|{}", field.value, params.join("|")), expected);
    }

    #[test]
    fn as_specified() {
        check("text/plain; charset=utf-8", "text/plain|charset=utf-8");
        check("Text/HTML ; Charset=\"a;b\" ; x=y", "text/html|charset=a;b|x=y");
        check("text/plain (c); charset=us-ascii (Plain text)", "text/plain|charset=us-ascii");
        check(r#"a/b; name="q\"u\\o""#, r#"a/b|name=q"u\o"#);
    }

    #[test]
    fn odd_syntax() {
        check("a/b ; ; ;; boundary=\"foo\"", "a/b|boundary=foo");
        check("text/html;iso-8859-1", "text/html|");
        check("a/b; name=with spaces.doc; c=d", "a/b|name=with spaces.doc|c=d");
        check("a/b; name=a(1).doc", "a/b|name=a(1).doc");
        check("a/b; name=\"open; c=d", "a/b|name=open|c=d");
        check(r#"a/b; name="C:\temp\x.doc""#, r"a/b|name=C:\temp\x.doc");
        check("a/b; name=\"a\" junk; c=d", "a/b|name=a|c=d");
        check("a/b; name=one; name=two", "a/b|name=one");
        check("; name=\"\"", "|name=");
        check("a/b; =x; name = y", "a/b|name=y");
    }

    #[test]
    fn rfc2231() {
        check("a; filename*=utf-8'en'na%C3%AFve.txt", "a|filename=naïve.txt");
        check("a; filename=x.txt; filename*=utf-8''%C3%A9.txt", "a|filename=é.txt");
        check("a; filename*0*=utf-8''a%C3; filename*1*=%A9b; filename*2=c%41", "a|filename=aébc%41");
        check("a; filename*2=c; filename*0=a; filename*1=b", "a|filename=abc");
        check("a; filename*1=b; filename*2=c", "a|filename=bc");
        check("a; filename*=utf-8''it's%20here", "a|filename=it's here");
        check("a; filename*=%D0%9F.txt", "a|filename=П.txt");
        check("a; filename*=''%CF%F0%E8%E2%E5%F2%20%EC%E8%F0.doc", "a|filename=Привет мир.doc");
        check("a; filename*0=\"=?utf-8?Q?a=C3\"; filename*1=\"=A9?=\"", "a|filename=aé");
        check("a; filename=\"utf-8''%C3%A9.txt\"", "a|filename=é.txt");
        check("a; filename*=utf-8''100%.txt", "a|filename=100%.txt");
    }

    #[test]
    fn encoded_words_in_values() {
        check("a; name=\"=?iso-8859-1?Q?=E9t=E9.doc?=\"", "a|name=été.doc");
        check("a; name==?utf-8?B?w6kuZG9j?=", "a|name=é.doc");
        check("a; name=\"=?utf-8?Q?a?= =?utf-8?Q?b.doc?=\"", "a|name=ab.doc");
    }
}
