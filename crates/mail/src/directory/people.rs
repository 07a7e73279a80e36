//! Which entry of a directory a name means, and the filter that finds the candidates.

use std::collections::{BTreeSet, HashSet};

use ldap3::{SearchEntry, ldap_escape};
use postroom_formats::notes_name::NotesName;

/// The attributes that are read.
pub(super) const ATTRIBUTES: &[&str] = &["cn", "displayName", "uid", "mail"];

/// A person of the directory who has an address.
#[derive(Debug)]
pub(super) struct Person {
    mail: String,
    /// All that names this person and nobody else, as compared.
    keys: HashSet<String>,
    /// Common names, which several people may share.
    common: HashSet<String>,
}

impl Person {
    pub fn of(entry: &SearchEntry) -> Option<Person> {
        let values = |wanted: &str| {
            let found = entry.attrs.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
            found.flat_map(|(_, values)| values.iter().map(String::as_str)).collect::<Vec<_>>()
        };
        let mail = values("mail").into_iter().find(|mail| mail.contains('@'))?.to_owned();
        let (mut keys, mut common) = (HashSet::new(), HashSet::new());
        // A DN with a base of `dc=…` is no Notes name, but then it is nobody else's either.
        let named = values("displayName").into_iter().chain(values("cn")).chain([entry.dn.as_str()]);
        for name in named.filter_map(NotesName::parse) {
            match name.is_hierarchical() {
                true => keys.insert(name.key()),
                false => common.insert(name.key()),
            };
        }
        keys.extend(values("uid").into_iter().map(str::to_lowercase));
        Some(Person { mail, keys, common })
    }
}

/// The address of the one person whom the name means. A name without a hierarchy is enough when only one has it.
pub(super) fn find(people: &[Person], name: &NotesName) -> Option<String> {
    let key = name.key();
    let only = |fits: &dyn Fn(&Person) -> bool| {
        let mails: BTreeSet<String> =
            people.iter().filter(|person| fits(person)).map(|person| person.mail.to_lowercase()).collect();
        let first = people.iter().find(|person| fits(person))?;
        (mails.len() == 1).then(|| first.mail.clone())
    };
    if people.iter().any(|person| person.keys.contains(&key)) {
        return only(&|person| person.keys.contains(&key));
    }
    if name.is_hierarchical() { None } else { only(&|person| person.common.contains(&key)) }
}

/// RFC 4515: everybody who may be meant by one of the names.
pub(super) fn filter(names: &[NotesName]) -> String {
    let mut terms = BTreeSet::new();
    for name in names {
        terms.insert(equals("cn", name.common()));
        terms.insert(equals("displayName", name.common()));
        match name.is_hierarchical() {
            false => {
                terms.insert(equals("uid", name.common()));
            }
            true => {
                terms.insert(equals("displayName", &name.abbreviated()));
                // Domino gives FullName's other values as further common names.
                terms.insert(equals("cn", &name.abbreviated()));
                terms.insert(equals("cn", &name.canonical()));
            }
        }
    }
    let terms: String = terms.into_iter().collect();
    format!("(|{terms})")
}

fn equals(attribute: &str, value: &str) -> String {
    format!("({attribute}={})", ldap_escape(value))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn person(dn: &str, attributes: &[(&str, &str)]) -> Option<Person> {
        let mut attrs: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in attributes {
            attrs.entry((*name).to_owned()).or_default().push((*value).to_owned());
        }
        Person::of(&SearchEntry { dn: dn.to_owned(), attrs, bin_attrs: HashMap::new() })
    }

    fn people() -> Vec<Person> {
        [
            person(
                "cn=John Doe,ou=Sales,o=Acme",
                &[("cn", "John Doe"), ("uid", "jdoe"), ("mail", "john@acme.example")],
            ),
            person("cn=John Doe,ou=East,o=Acme", &[("cn", "John Doe"), ("mail", "doe@acme.example")]),
            person(
                "uid=jane,dc=acme",
                &[("CN", "Jane Roe"), ("displayName", "Jane Roe/Acme"), ("MAIL", "jane@acme.example")],
            ),
            person("cn=No Mail,o=Acme", &[("cn", "No Mail")]),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        assert_eq!(find(&people(), &NotesName::parse(name).unwrap()).as_deref(), expected, "{name}");
    }

    #[test]
    fn the_one_who_is_meant() {
        check("CN=John Doe/OU=Sales/O=Acme", Some("john@acme.example"));
        check("john doe/east/acme", Some("doe@acme.example"));
        check("John Doe", None);
        check("John Doe/Acme", None);
        check("JDoe", Some("john@acme.example"));
        check("Jane Roe", Some("jane@acme.example"));
        check("Jane_Roe/Acme%Acme@acme.example", Some("jane@acme.example"));
        check("Jane Roe/Other", None);
        check("No Mail/Acme", None);
    }

    #[test]
    fn a_name_cannot_add_to_the_filter() {
        let evil = NotesName::parse("*)(uid=*").unwrap();
        assert_eq!(
            filter(&[evil]),
            "(|(cn=\\2a\\29\\28uid=\\2a)(displayName=\\2a\\29\\28uid=\\2a)(uid=\\2a\\29\\28uid=\\2a))"
        );
        let doe = NotesName::parse("John Doe/Acme").unwrap();
        assert_eq!(
            filter(&[doe]),
            "(|(cn=CN=John Doe/O=Acme)(cn=John Doe)(cn=John Doe/Acme)(displayName=John Doe)(displayName=John Doe/Acme))"
        );
    }
}
