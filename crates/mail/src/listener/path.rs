//! The mailbox inside the angle brackets of MAIL and RCPT (RFC 5321 4.1.2, RFC 6531 3.3), and what is wrong with it.
//!
//! Forms that once meant "send it on for me" (source routes, the percent hack, bang paths, an at sign hidden in quotes)
//! are told apart from plain bad syntax, because they are refused as relaying.

use std::borrow::Cow;

/// A mailbox in two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mailbox<'a> {
    /// Without quotes.
    pub local: Cow<'a, str>,
    /// Empty only for the bare `postmaster`.
    pub domain: &'a str,
}

/// Why a text is not a mailbox that we would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It asks to be sent on to somewhere else.
    Routed,
    Syntax,
}

/// Reads a forward-path (without its brackets).
pub(crate) fn forward(text: &str) -> Result<Mailbox<'_>, Problem> {
    if text.starts_with('@') {
        return Err(Problem::Routed);
    }
    let (local, rest) = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => {
            let end = text.find('@').unwrap_or(text.len());
            dot_atom(&text[..end])?;
            (Cow::Borrowed(&text[..end]), &text[end..])
        }
    };
    match rest.strip_prefix('@') {
        Some(domain) => Ok(Mailbox { local, domain: domain_of(domain)? }),
        None if rest.is_empty() && local.eq_ignore_ascii_case("postmaster") => {
            Ok(Mailbox { local, domain: "" })
        }
        None => Err(Problem::Syntax),
    }
}

/// Whether a text may stand as a reverse-path: empty for a bounce, else anything with an at sign that a machine could
/// have meant. Senders are strange, and nothing is ever sent there from here.
pub(crate) fn reverse_is_sound(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return text.is_empty() };
    !local.is_empty() && !local.starts_with(['@', '<']) && domain_of(domain).is_ok()
}

/// The content of a quoted local part and what follows the closing quote.
fn unquote(text: &str) -> Result<(Cow<'_, str>, &str), Problem> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    while let Some((index, found)) = chars.next() {
        match found {
            '"' => {
                if local.trim().is_empty() {
                    return Err(Problem::Syntax);
                }
                return Ok((Cow::Owned(local), &text[index + 1..]));
            }
            '\\' => {
                let (_, escaped) = chars.next().ok_or(Problem::Syntax)?;
                local.push(plain_in_quotes(escaped)?);
            }
            other => local.push(plain_in_quotes(other)?),
        }
    }
    Err(Problem::Syntax)
}

/// Spaces and dots are the reasons to quote that Domino's names have; what could route has no business here.
fn plain_in_quotes(found: char) -> Result<char, Problem> {
    match found {
        ' ' | '.' => Ok(found),
        other if routes(other) => Err(Problem::Routed),
        other if is_atom(other) => Ok(other),
        _ => Err(Problem::Syntax),
    }
}

fn dot_atom(text: &str) -> Result<(), Problem> {
    if text.contains(routes) {
        return Err(Problem::Routed);
    }
    match text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom)) {
        true => Ok(()),
        false => Err(Problem::Syntax),
    }
}

fn routes(found: char) -> bool {
    matches!(found, '@' | '%' | '!' | ':' | ',')
}

fn is_atom(found: char) -> bool {
    found.is_ascii_alphanumeric()
        || "#$&'*+-/=?^_`{|}~".contains(found)
        || !found.is_ascii() && !found.is_control()
}

fn domain_of(text: &str) -> Result<&str, Problem> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let sound = |found: char| found.is_ascii_alphanumeric() || ".-_:".contains(found) || !found.is_ascii();
    if text.contains('@') {
        return Err(Problem::Routed);
    }
    match !bare.is_empty() && bare.len() <= 255 && bare.chars().all(sound) && !bare.contains("..") {
        true => Ok(text),
        false => Err(Problem::Syntax),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn takes(text: &str, local: &str, domain: &str) {
        assert_eq!(forward(text), Ok(Mailbox { local: local.into(), domain }));
    }

    #[track_caller]
    fn refuses(text: &str, problem: Problem) {
        assert_eq!(forward(text), Err(problem), "{text}");
    }

    #[test]
    fn ordinary_mailboxes() {
        takes("anna@ours.example", "anna", "ours.example");
        takes("a.b+c@ours.example", "a.b+c", "ours.example");
        takes("Postmaster", "Postmaster", "");
        takes("\"John Doe/Acme\"@ours.example", "John Doe/Acme", "ours.example");
        takes("\"anna\"@ours.example", "anna", "ours.example");
        takes("\"a\\nna\"@ours.example", "anna", "ours.example");
        takes("jürgen@bücher.example", "jürgen", "bücher.example");
        takes("a@[192.0.2.1]", "a", "[192.0.2.1]");
    }

    #[test]
    fn routed_mailboxes() {
        for text in [
            "@relay.example:anna@ours.example",
            "@a,@b:anna@ours.example",
            "anna%else.example@ours.example",
            "else.example!anna@ours.example",
            "\"anna@else.example\"@ours.example",
            "\"anna\\@else.example\"@ours.example",
            "\"anna%else.example\"@ours.example",
            "anna@else.example@ours.example",
            "anna@ours.example:25,b@else.example",
        ] {
            refuses(text, Problem::Routed);
        }
    }

    #[test]
    fn broken_mailboxes() {
        for text in [
            "",
            "anna",
            "anna@",
            "an na@ours.example",
            ".anna@ours.example",
            "an..na@ours.example",
            "\"\"@ours.example",
            "\"anna",
            "\"anna\"x@ours.example",
            "anna@ours..example",
            "an\"na@ours.example",
            "anna@ours example",
            "anna@<ours.example",
            "\"a\tb\"@ours.example",
        ] {
            refuses(text, Problem::Syntax);
        }
    }

    #[test]
    fn reverse_paths() {
        for text in ["", "a@b", "prvs=1234=\"x y\"@b.example", "a..b.@docomo.example"] {
            assert!(reverse_is_sound(text), "{text}");
        }
        for text in ["anna", "@b", "@a:b@c", "a@", "a@b c", "<x@y.example"] {
            assert!(!reverse_is_sound(text), "{text}");
        }
    }
}
