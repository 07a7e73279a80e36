//! One address as it stands in a header and in an envelope (RFC 5321 section 4.1.2, RFC 6531).

/// An address in the form that goes over the wire: the domain as A-labels, the local part as given. The flag says that
/// the local part needs SMTPUTF8. `None` when no server could take it.
pub fn wire(address: &str) -> Option<(String, bool)> {
    let bare = address.trim();
    let (local, domain) = bare.rsplit_once('@')?;
    if !is_local(local) || bare.len() > 254 {
        return None;
    }
    Some((format!("{local}@{}", host(domain)?), !local.is_ascii()))
}

fn is_local(local: &str) -> bool {
    match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => is_quoted(inside),
        None => !local.is_empty() && local.split('.').all(is_atom) && local.len() <= 64,
    }
}

fn is_atom(atom: &str) -> bool {
    let fits = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        false => !c.is_control() && !c.is_whitespace() && !is_format(c),
    };
    !atom.is_empty() && atom.chars().all(fits)
}

/// The inside of a quoted local part: printable ASCII, with a backslash before `"` and `\`.
fn is_quoted(inside: &str) -> bool {
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' { chars.next() } else { Some(c).filter(|c| *c != '"') };
        if !c.is_some_and(|c| c == ' ' || c.is_ascii_graphic()) {
            return false;
        }
    }
    inside.len() <= 62
}

/// Characters that are not seen and change how others are.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn host(domain: &str) -> Option<String> {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
        return (!literal.is_empty() && literal.chars().all(fits)).then(|| domain.to_owned());
    }
    let ascii = match domain.is_ascii() {
        true => domain.to_owned(),
        false => idna::domain_to_ascii(domain).ok()?,
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    ascii.split('.').all(label).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: Option<(&str, bool)>) {
        assert_eq!(wire(address), expected.map(|(text, utf8)| (text.to_owned(), utf8)), "{address}");
    }

    #[test]
    fn addresses_that_can_be_written() {
        check(" anna@x.example ", Some(("anna@x.example", false)));
        check("a+b/c='d@X.Example", Some(("a+b/c='d@X.Example", false)));
        check("\"a b@c\"@x.example", Some(("\"a b@c\"@x.example", false)));
        check("a@[192.0.2.1]", Some(("a@[192.0.2.1]", false)));
        check("a@b\u{fc}cher.example", Some(("a@xn--bcher-kva.example", false)));
        check("j\u{f6}rg@x.example", Some(("j\u{f6}rg@x.example", true)));
    }

    #[test]
    fn addresses_that_cannot() {
        for address in [
            "",
            "anna",
            "@x.example",
            "anna@",
            "a b@x.example",
            "a@x..example",
            "a..b@x.example",
            "a,b@x.example",
            "<a@x.example>",
            "a@x.example>, <b@x.example",
            "a@b@x.example",
            "\"a\"b\"@x.example",
            "a\r\nBcc: b@x.example",
            "a\u{202e}b@x.example",
        ] {
            check(address, None);
        }
    }
}
