//! Names of Notes users in their four forms, and the internet addresses that Domino makes up for those who have none
//! (HCL's documentation of `@Name` and of address conversion; `mail-tracking.md` 9.5).
//!
//! | form | example |
//! | --- | --- |
//! | canonical | `CN=John B Goode/OU=Sales/OU=East/O=Acme/C=US` |
//! | abbreviated | `John B Goode/Sales/East/Acme/US` |
//! | LDAP | `cn=John B Goode,ou=Sales,ou=East,o=Acme,c=US` (RFC 4514) |
//! | made up | `John_B_Goode/Sales/Acme%Acme@acme.example` |
//!
//! The abbreviated form does not say which part is what. As Notes does, the first is the common name, a last part of two
//! letters the country, the one before it the organisation, and all between are units.

use std::fmt::Write;

/// A hierarchical name, most particular part first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotesName {
    /// Key in capitals (`CN`, `OU`, `O`, `C`, or another that was written), value as written.
    parts: Vec<(String, String)>,
    /// The Notes domain behind `@`, when there is one.
    domain: Option<String>,
}

/// Longest text that is taken for a name.
const MAX: usize = 1000;

impl NotesName {
    /// Reads any of the four forms. `None` for what is no name: empty, over long, with control characters, or an ordinary
    /// internet address.
    pub fn parse(text: &str) -> Option<NotesName> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX || text.chars().any(char::is_control) {
            return None;
        }
        if let Some(made_up) = made_up(text) {
            return Some(made_up);
        }
        let (name, domain) = match split_at_sign(text) {
            Some((_, domain)) if domain.contains('.') => return None,
            Some((name, domain)) => (name, Some(domain.trim().to_owned())),
            None => (text, None),
        };
        let parts = if is_ldap(name) { keyed(split(name, ','))? } else { hierarchy(split(name, '/'))? };
        Some(NotesName { parts, domain: domain.filter(|domain| !domain.is_empty()) })
    }

    /// `John B Goode`
    pub fn common(&self) -> &str {
        self.parts.iter().find(|(key, _)| key == "CN").or(self.parts.first()).map_or("", |(_, value)| value)
    }

    /// Whether there is more than a common name.
    pub fn is_hierarchical(&self) -> bool {
        self.parts.len() > 1
    }

    /// The Notes domain behind `@`.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    pub fn canonical(&self) -> String {
        let parts: Vec<String> =
            self.parts.iter().map(|(key, value)| format!("{key}={}", value.replace('/', "\\/"))).collect();
        parts.join("/")
    }

    pub fn abbreviated(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|(_, value)| value.replace('/', "\\/")).collect();
        parts.join("/")
    }

    pub fn ldap(&self) -> String {
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|(key, value)| format!("{}={}", key.to_lowercase(), escaped(value)))
            .collect();
        parts.join(",")
    }

    /// The same for all forms of one name, whatever its case and Notes domain: to compare by.
    pub fn key(&self) -> String {
        self.abbreviated().to_lowercase()
    }
}

/// `John_Doe/Company%Company@company.com`: Domino's stand-in for an address (blanks as `_`, `@` as `%`).
fn made_up(text: &str) -> Option<NotesName> {
    let (local, host) = split_at_sign(text)?;
    let local = local.trim_matches('"');
    if !host.contains('.') || !local.contains(['/', '%']) {
        return None;
    }
    // Several domains may be chained: the first belongs to the name.
    let mut words = local.split('%').map(|word| word.replace('_', " "));
    let name = words.next()?;
    let parts = hierarchy(split(&name, '/'))?;
    // `50%off@shop.example` is somebody's address: a name has a hierarchy.
    if parts.len() < 2 {
        return None;
    }
    Some(NotesName { parts, domain: words.next().filter(|domain| !domain.is_empty()) })
}

fn split_at_sign(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('@')
}

/// LDAP names have commas between keyed parts; a canonical name has slashes.
fn is_ldap(name: &str) -> bool {
    let first = split(name, '/').into_iter().next().unwrap_or_default();
    let commas = split(&first, ',');
    commas.len() > 1 && commas.iter().all(|part| part.contains('='))
}

/// Cuts at a separator that no backslash stands before; what a backslash hides stays hidden.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut hidden = false;
    for c in text.chars() {
        let last = parts.last_mut().expect("never empty");
        if c == separator && !hidden {
            parts.push(String::new());
        } else {
            last.push(c);
        }
        hidden = c == '\\' && !hidden;
    }
    parts
}

/// Parts with or without keys, by their place.
fn hierarchy(parts: Vec<String>) -> Option<Vec<(String, String)>> {
    if parts.iter().all(|part| key_of(part).is_some()) {
        return keyed(parts);
    }
    let count = parts.len();
    let country = count > 2 && is_country(&parts[count - 1]);
    let organisation = if country { count - 2 } else { count - 1 };
    let named = parts.into_iter().enumerate().map(|(place, part)| {
        let key = match place {
            0 => "CN",
            _ if country && place == count - 1 => "C",
            _ if place == organisation => "O",
            _ => "OU",
        };
        let value = plain(&part);
        (!value.is_empty()).then(|| (key.to_owned(), value))
    });
    named.collect()
}

fn keyed(parts: Vec<String>) -> Option<Vec<(String, String)>> {
    let read = |part: &String| {
        let (key, value) = key_of(part)?;
        let value = plain(value);
        (!value.is_empty()).then(|| (key.to_ascii_uppercase(), value))
    };
    parts.iter().map(read).collect()
}

fn key_of(part: &str) -> Option<(&str, &str)> {
    let (key, value) = part.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some((key, value))
}

fn is_country(part: &str) -> bool {
    part.trim().len() == 2 && part.trim().bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A value without its backslashes: `\,` and `\2C` are a comma (RFC 4514 section 2.4).
fn plain(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let trimmed = value.trim().as_bytes();
    let mut at = 0;
    while let Some(&byte) = trimmed.get(at) {
        at += 1;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let digit = |at: usize| trimmed.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        if let (Some(high), Some(low)) = (digit(at), digit(at + 1)) {
            bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits"));
            at += 2;
        } else if let Some(&next) = trimmed.get(at) {
            bytes.push(next);
            at += 1;
        }
    }
    String::from_utf8_lossy(&bytes).trim().chars().filter(|c| !c.is_control()).collect()
}

/// A value as RFC 4514 wants it inside a DN.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, c) in value.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => {
                let _ = write!(out, "\\{c}");
            }
            '#' | ' ' if place == 0 => {
                let _ = write!(out, "\\{c}");
            }
            ' ' if place == last => out.push_str("\\ "),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str, abbreviated: &str, ldap: &str) {
        let name = NotesName::parse(text).unwrap_or_else(|| panic!("{text} is no name"));
        assert_eq!(
            (name.canonical().as_str(), name.abbreviated().as_str(), name.ldap().as_str()),
            (canonical, abbreviated, ldap)
        );
    }

    #[test]
    fn all_forms_of_one_name() {
        let canonical = "CN=John B Goode/OU=Sales/OU=East/O=Acme/C=US";
        let abbreviated = "John B Goode/Sales/East/Acme/US";
        let ldap = "cn=John B Goode,ou=Sales,ou=East,o=Acme,c=US";
        for text in [
            canonical,
            abbreviated,
            ldap,
            "cn=John B Goode/ou=Sales/ou=East/o=Acme/c=US",
            "CN=John B Goode, OU=Sales, OU=East, O=Acme, C=US",
        ] {
            check(text, canonical, abbreviated, ldap);
        }
        check("John Doe/Acme", "CN=John Doe/O=Acme", "John Doe/Acme", "cn=John Doe,o=Acme");
        check("John Doe", "CN=John Doe", "John Doe", "cn=John Doe");
        check("John Doe/Acme@AcmeDomain", "CN=John Doe/O=Acme", "John Doe/Acme", "cn=John Doe,o=Acme");
        // Two letters alone behind the name are an organisation, not a country.
        check("Jo/HP", "CN=Jo/O=HP", "Jo/HP", "cn=Jo,o=HP");
        check("cn=Doe\\, John,o=Acme", "CN=Doe, John/O=Acme", "Doe, John/Acme", "cn=Doe\\, John,o=Acme");
        check("cn=J\\c3\\bcrgen,o=A", "CN=J\u{fc}rgen/O=A", "J\u{fc}rgen/A", "cn=J\u{fc}rgen,o=A");
    }

    #[test]
    fn made_up_addresses() {
        let name = NotesName::parse("John_Doe/Company%Company@company.com").unwrap();
        assert_eq!((name.abbreviated().as_str(), name.domain()), ("John Doe/Company", Some("Company")));
        let name = NotesName::parse("\"CN=Jane_Roe/OU=Sales/O=Acme\"@acme.example").unwrap();
        assert_eq!(name.abbreviated(), "Jane Roe/Sales/Acme");
        let name = NotesName::parse("A_B/Acme%Acme%Other@gateway.example").unwrap();
        assert_eq!((name.abbreviated().as_str(), name.domain()), ("A B/Acme", Some("Acme")));
    }

    #[test]
    fn what_is_no_name() {
        for text in [
            "",
            "  ",
            "anna@acme.example",
            "50%off@shop.example",
            "a/\u{0}b",
            "/Acme",
            "John//Acme",
            &"x".repeat(MAX + 1),
        ] {
            assert_eq!(NotesName::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_compare_whatever_their_form() {
        let key = |text: &str| NotesName::parse(text).unwrap().key();
        assert_eq!(key("CN=john doe/O=ACME"), key("John_Doe/Acme%Acme@acme.example"));
        assert_ne!(key("John Doe/Acme"), key("John Doe/Sales/Acme"));
    }

    proptest! {
        #[test]
        fn any_text(text in ".{0,40}") {
            let _ = NotesName::parse(&text);
        }

        #[test]
        fn forms_read_back(common in "[A-Za-z][A-Za-z ,+;.]{0,8}[a-z]", units in proptest::collection::vec("[A-Z][a-z]{2,5}", 0..4), organisation in "[A-Z][a-z]{2,6}") {
            let mut parts = vec![("CN".to_owned(), common)];
            parts.extend(units.into_iter().map(|unit| ("OU".to_owned(), unit)));
            parts.push(("O".to_owned(), organisation));
            let name = NotesName { parts, domain: None };
            for text in [name.canonical(), name.abbreviated(), name.ldap()] {
                prop_assert_eq!(NotesName::parse(&text), Some(name.clone()), "{}", text);
            }
        }
    }
}
