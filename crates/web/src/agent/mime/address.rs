//! Address lists, as far as writing them needs: where one ends, and what of it is a name (RFC 5322 section 3.4).

use super::words;

/// The list with every name that is not ASCII encoded.
pub(super) fn encoded(list: &str) -> String {
    split(list).into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The addresses alone.
pub(in crate::agent) fn bare(list: &str) -> Vec<String> {
    let address = |one: &str| match one.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default().trim().to_owned(),
        None => one.split('(').next().unwrap_or_default().trim().to_owned(), // a comment may follow
    };
    split(list).into_iter().map(address).filter(|address| address.contains('@')).collect()
}

fn one(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_owned();
    }
    let Some((name, rest)) = text.rsplit_once('<') else { return text.to_owned() };
    let name = name.trim();
    match name.is_ascii() {
        true => format!("{name} <{rest}").trim_start().to_owned(),
        false => format!("{} <{rest}", words::encode(&unquoted(name))),
    }
}

fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

/// Cuts at commas that stand outside quotes, angle brackets and comments.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped, mut angle, mut depth) = (false, false, false, 0_u32);
    for (place, c) in list.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '<' if depth == 0 => angle = true,
            '>' if depth == 0 => angle = false,
            ',' if !angle && depth == 0 => {
                parts.push(&list[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &[&str]) {
        assert_eq!(bare(list), expected);
    }

    #[test]
    fn lists() {
        check("a@x.example", &["a@x.example"]);
        check("A <a@x.example>, \"B, C\" <b@x.example>", &["a@x.example", "b@x.example"]);
        check("a@x.example (one, two), , b@x.example", &["a@x.example", "b@x.example"]);
        check("nobody", &[]);
    }

    #[test]
    fn only_names_are_encoded() {
        assert_eq!(
            encoded("\"Ärger, \\\"X\\\"\" <a@x.example>, b@x.example"),
            format!("{} <a@x.example>, b@x.example", words::encode("Ärger, \"X\""))
        );
        assert_eq!(encoded("A <ü@x.example>"), "A <ü@x.example>");
    }
}
