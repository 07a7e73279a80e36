//! Names from configuration: for organisations without LDAP, and for the few that a directory gets wrong.

use std::collections::HashMap;

use async_trait::async_trait;
use postroom_core::{Directory, Fault};
use postroom_formats::notes_name::NotesName;

/// A fixed table. Names match whatever their form and case: `John Doe/Acme` finds `CN=John Doe/O=Acme`.
#[derive(Debug, Clone, Default)]
pub struct Table(HashMap<String, String>);

impl Table {
    /// From pairs of name and internet address; of two pairs with one name the later counts.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Table(pairs.into_iter().map(|(name, address)| (key(&name), address)).collect())
    }
}

/// What names are compared by.
pub(super) fn key(name: &str) -> String {
    NotesName::parse(name).map_or_else(|| name.trim().to_lowercase(), |name| name.key())
}

#[async_trait]
impl Directory for Table {
    async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault> {
        let found = names.iter().filter_map(|name| Some((name.clone(), self.0.get(&key(name))?.clone())));
        Ok(found.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_found_in_any_form() {
        let table = Table::new([("CN=John Doe/O=Acme".to_owned(), "john@acme.example".to_owned())]);
        let names =
            ["john doe/acme", "cn=John Doe,o=Acme", "John_Doe/Acme%Acme@acme.example", "Jane Roe/Acme", ""];
        let found = table.resolve(&names.map(str::to_owned)).await.unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(names[..3].iter().all(|&name| found[name] == "john@acme.example"));
    }
}
