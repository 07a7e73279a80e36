//! E-mail addresses: kept as received, compared by a normal form.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A mailbox as it stood in a header: display name and address, unverified and possibly odd.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Address {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub address: String,
}

impl Address {
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Address { name: name.into(), address: address.into() }
    }

    /// The form used for comparison only; see [`normal`].
    pub fn normal(&self) -> String {
        normal(&self.address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => f.write_str(&self.address),
            false => write!(f, "{} <{}>", self.name, self.address),
        }
    }
}

/// The normal form of an address: trimmed, angle brackets off, lower case. Dots and plus tags stay: folding them is the
/// business of one provider, not of the world.
pub fn normal(address: &str) -> String {
    let bare = address.trim().trim_start_matches('<').trim_end_matches('>').trim().trim_end_matches('.');
    bare.to_lowercase()
}

/// The domain of an address in normal form, or `None` when it has none.
pub fn domain(address: &str) -> Option<String> {
    normal(address).rsplit_once('@').map(|(_, domain)| domain.to_owned()).filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: &str) {
        assert_eq!(normal(address), expected);
    }

    #[test]
    fn normal_forms() {
        check("Anna.Adler@Customer.Example", "anna.adler@customer.example");
        check(" <a+b@x.example.> ", "a+b@x.example");
        check("", "");
    }

    #[test]
    fn domains() {
        assert_eq!(domain("\"odd@local\"@Example.ORG").as_deref(), Some("example.org"));
        assert_eq!(domain("no-at-sign"), None);
        assert_eq!(domain("empty@"), None);
    }
}
