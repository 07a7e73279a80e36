//! The addresses of a mail and whose they are.

use postroom_core::{AddressHit, address};

/// Whose each address is.
pub(super) struct Addresses {
    hits: Vec<AddressHit>,
    /// An address of several records is nobody's.
    strict: bool,
}

/// Who is meant when several records have one address.
const ORDER: [&str; 5] = ["systemuser", "queue", "contact", "lead", "account"];

impl Addresses {
    pub(super) fn new(mut hits: Vec<AddressHit>, strict: bool) -> Self {
        let place = |hit: &AddressHit| ORDER.iter().position(|table| *table == hit.record.table);
        hits.sort_by_key(|hit| (!hit.active, place(hit), std::cmp::Reverse(hit.modified_on), hit.record.id));
        Addresses { hits, strict }
    }

    pub(super) fn of(&self, wanted: &str) -> impl Iterator<Item = &AddressHit> {
        let wanted = wanted.to_owned();
        self.hits.iter().filter(move |hit| hit.address == wanted)
    }

    pub(super) fn of_all<'a>(
        &'a self,
        wanted: impl Iterator<Item = &'a String>,
    ) -> impl Iterator<Item = &'a AddressHit> {
        wanted.flat_map(|address| self.of(address))
    }

    /// The one record that an address means; inactive ones mean nobody.
    pub(super) fn one(&self, wanted: &str) -> Option<&AddressHit> {
        let mut active = self.of(wanted).filter(|hit| hit.active);
        let first = active.next()?;
        let other = active.any(|hit| hit.record != first.record);
        (!other || !self.strict).then_some(first)
    }
}

/// The addresses in a header's text, in normal form: `Anna <a@x>; "B, C" <b@x>, c@x`.
pub(super) fn list(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ';' | ',' if !quoted => parts.push(std::mem::take(&mut part)),
            letter if !quoted => part.push(letter),
            _ => {}
        }
    }
    parts.push(part);
    let mut found: Vec<String> = Vec::new();
    for part in parts {
        let bare = match part.rsplit_once('<') {
            Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
            None => part.as_str(),
        };
        let bare = address::normal(bare);
        if bare.contains('@') && !bare.contains(char::is_whitespace) && !found.contains(&bare) {
            found.push(bare);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_addresses() {
        for (text, expected) in [
            ("a@x", vec!["a@x"]),
            ("A@X;b@y;", vec!["a@x", "b@y"]),
            ("\"B, C; D\" <b@x>, Anna <a@x>", vec!["b@x", "a@x"]),
            ("a@x, A@x", vec!["a@x"]),
            ("Anna", vec![]),
            ("", vec![]),
            ("<>,<@>x<a@x", vec!["@", "a@x"]),
        ] {
            let expected: Vec<&str> = expected.into_iter().filter(|address| *address != "@").collect();
            let found: Vec<String> = list(text).into_iter().filter(|address| address != "@").collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
