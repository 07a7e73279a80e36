//! Message ids (RFC 5322 section 3.6.4), reduced to one form so that two spellings of an id are equal.

use super::words;

/// The normal form of one id: no comments, no white space, no angle brackets, domain in lower case, local part as it is.
/// Ids without `@` are ids. `None` when nothing is left.
///
/// ```
/// # use postroom_formats::mime::normal_message_id;
/// assert_eq!(normal_message_id(" <Ab.1@Host.EXAMPLE> (note)").as_deref(), Some("Ab.1@host.example"));
/// ```
pub fn normal_message_id(text: &str) -> Option<String> {
    message_ids(text).into_iter().next()
}

/// All ids of an In-Reply-To or References field, normal, in order. Prose around them ("Your message of Monday …") goes;
/// a field without any angle bracket is split at spaces.
pub fn message_ids(text: &str) -> Vec<String> {
    // Exchange and some lists wrap ids in encoded words.
    let decoded = words::decode(text);
    if decoded.contains('<') {
        return bracketed(&decoded);
    }
    let bare = without_comments(&decoded);
    let words: Vec<&str> =
        bare.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    // One word is an id whatever it is; among several only those with an @ are.
    let single = words.len() == 1;
    words.into_iter().filter(|word| single || word.contains('@')).filter_map(normal).collect()
}

fn bracketed(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let inside = &rest[at + 1..];
        // A second "<" means that the first id was cut off.
        let end = inside.find(['>', '<']).unwrap_or(inside.len());
        let closed = inside[end..].starts_with('>');
        ids.extend(normal(&inside[..end]).filter(|id| closed || id.contains('@')));
        rest = &inside[end..];
    }
    ids
}

fn normal(inside: &str) -> Option<String> {
    let tight: String =
        inside.chars().filter(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>')).collect();
    let id = match tight.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => tight,
    };
    (!id.is_empty()).then_some(id)
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = text.chars().filter(|c| match c {
        '(' => {
            depth += 1;
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(message_ids(text), expected);
    }

    #[test]
    fn ids() {
        check("<a@b>", &["a@b"]);
        check("<a@b> <C@D.Example>", &["a@b", "C@d.example"]);
        check("<a@b><c@d>", &["a@b", "c@d"]);
        check("<a\n b@c>", &["ab@c"]);
        check("(comment) <a@b> (another <)", &["a@b"]);
        check("Your message of \"Mon\" <a@b>", &["a@b"]);
        check("", &[]);
        check("<>", &[]);
    }

    #[test]
    fn odd_ids() {
        check("a@b", &["a@b"]);
        check("no-at-sign", &["no-at-sign"]);
        check("<no-at-sign>", &["no-at-sign"]);
        check("a@b, c@d", &["a@b", "c@d"]);
        check("Message from x of Monday", &[]);
        check("<a@b <c@d>", &["a@b", "c@d"]);
        check("<a@b", &["a@b"]);
        check("<<a@b>>", &["a@b"]);
        check("=?utf-8?Q?=3Ca=40b=3E?=", &["a@b"]);
        check("<a@b@C>", &["a@b@c"]);
    }
}
