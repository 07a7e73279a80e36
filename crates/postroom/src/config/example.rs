//! The complete, commented example file, made from the same definitions that read a file.
//!
//! A line that begins with `# ` explains; one that begins with `#` and a letter or bracket is a key that stands at its
//! default: take the `#` away to set it.

use std::fmt::Write;

use super::Config;
use super::setting::{Inside, KeyDoc};
use super::tree::join;

const HEAD: &str = "\
# postroom.toml: every key, with its default.
# A value wins over the next in this order: flag, environment (POSTROOM_HTTP__LISTEN), file, default.
# Check it with: postroom config validate
";

/// The example file. `values` are keys to set, with their value as TOML text: `("http.listen", "\"127.0.0.1:8080\"")`.
pub fn example(values: &[(&str, String)]) -> String {
    let mut writer = Writer { out: HEAD.to_owned(), values };
    for (name, may_be_left_out, inside) in Config::described() {
        let key = match inside.named {
            Some(shown) => join(name, shown),
            None => name.to_owned(),
        };
        let optional = may_be_left_out || inside.named.is_some();
        writer.section(&key, optional, &inside);
    }
    writer.out
}

struct Writer<'v> {
    out: String,
    values: &'v [(&'v str, String)],
}

impl Writer<'_> {
    fn section(&mut self, key: &str, optional: bool, inside: &Inside) {
        let prefix = format!("{key}.");
        let wanted = !optional || self.values.iter().any(|(name, _)| name.starts_with(&prefix));
        self.line("");
        self.comment(inside.doc);
        self.line(&format!("{}[{key}]", if wanted { "" } else { "#" }));
        for one in inside.keys.iter().filter(|one| one.inside.is_none()) {
            self.key(key, wanted, one);
        }
        for one in &inside.keys {
            if let Some(inner) = &one.inside {
                let path = join(key, one.name);
                let path = inner.named.map_or(path.clone(), |shown| join(&path, shown));
                self.section(&path, true, inner);
            }
        }
    }

    fn key(&mut self, section: &str, wanted: bool, key: &KeyDoc) {
        self.comment(key.doc);
        let standing = match (&key.default, key.required) {
            (Some(default), _) => format!("default {default}"),
            (None, true) => "must be set".to_owned(),
            (None, false) => "not set by default".to_owned(),
        };
        self.line(&format!("# ({}; {standing})", key.expects));
        let full = join(section, key.name);
        let given = self.values.iter().find(|(name, _)| *name == full).map(|(_, value)| value.as_str());
        let live = given.is_some() || (wanted && key.required);
        let mark = if live { "" } else { "#" };
        self.line(&format!("{mark}{} = {}", key.name, given.unwrap_or(key.example)));
    }

    fn comment(&mut self, doc: &[&str]) {
        for line in doc {
            self.line(&format!("#{line}"));
        }
    }

    fn line(&mut self, text: &str) {
        writeln!(self.out, "{text}").expect("writing into a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::secret::{SecretRef, is_secret};
    use crate::config::setting::Setting;
    use crate::config::{Loaded, Sources, load};

    fn load_text(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("postroom.toml");
        std::fs::write(&file, text).unwrap();
        let sources = Sources { file: Some(file), ..Sources::default() };
        load(&sources).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    /// Every key with a path, those of the named tables under the name that the example uses.
    fn every_key() -> Vec<(String, KeyDoc)> {
        fn walk(prefix: &str, inside: Inside, out: &mut Vec<(String, KeyDoc)>) {
            let prefix = inside.named.map_or(prefix.to_owned(), |name| join(prefix, name));
            for mut key in inside.keys {
                let path = join(&prefix, key.name);
                if let Some(inner) = key.inside.take() {
                    walk(&path, inner, out);
                }
                out.push((path, key));
            }
        }
        let mut out = Vec::new();
        Config::described().into_iter().for_each(|(name, _, inside)| walk(name, inside, &mut out));
        out
    }

    #[test]
    fn the_example_can_be_used_as_it_is() {
        let loaded = load_text(&example(&[]));
        assert_eq!(
            loaded.origins.keys().filter(|key| key.contains('.')).collect::<Vec<_>>(),
            ["storage.url"]
        );
    }

    #[test]
    fn every_key_is_in_the_example_and_its_example_is_right() {
        // SQLite has no password, and every key is to be set.
        let text = example(&[("storage.url", "\"postgres://postroom@localhost/postroom\"".to_owned())]);
        let set: Vec<&str> = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => key,
                _ => line,
            })
            .collect();
        // A mailbox signs in with a password or with tokens that are asked for: the example shows both, one is set.
        let imap =
            set.iter().position(|line| *line == "[mailboxes.support.imap]").expect("a mailbox is shown");
        let oauth =
            set.iter().position(|line| *line == "[mailboxes.support.imap.oauth]").expect("both are shown");
        let after = oauth
            + 1
            + set[oauth + 1..].iter().position(|line| line.starts_with('[')).unwrap_or(set.len() - oauth - 1);
        let by_password = [&set[..oauth], &set[after..]].concat().join("\n");
        let tokens = set.iter().enumerate().map(|(place, line)| match line {
            _ if place < imap || place > oauth => *line,
            line if line.starts_with("password") => "",
            line if line.starts_with("sign_in") => "sign_in = \"xoauth2\"",
            line => *line,
        });
        let by_tokens = tokens.collect::<Vec<_>>().join("\n");
        let loaded = [load_text(&by_password), load_text(&by_tokens)];
        let keys = every_key();
        assert!(keys.len() > 60, "{}", keys.len());
        for (key, _) in keys {
            let there = loaded.iter().any(|loaded| loaded.origins.contains_key(&key));
            assert!(there, "{key} is not in the example");
        }
    }

    #[test]
    fn defaults_of_the_example_are_those_in_effect() {
        let leaves = load_text(&example(&[])).config.leaves();
        for (key, doc) in every_key().into_iter().filter(|(_, doc)| doc.default.is_some()) {
            if let Some(leaf) = leaves.iter().find(|leaf| leaf.key == key) {
                assert_eq!(leaf.literal, doc.default, "{key}");
            }
        }
    }

    #[test]
    fn a_key_with_a_secret_name_takes_a_secret_and_no_other_does() {
        for (key, doc) in every_key() {
            assert_eq!(is_secret(doc.name), doc.expects == SecretRef::expects(), "{key}");
        }
    }

    #[test]
    fn given_values_are_set() {
        let text = example(&[
            ("http.listen", "\"127.0.0.1:1\"".to_owned()),
            ("mailboxes.support.address", "\"a@b.example\"".to_owned()),
        ]);
        let loaded = load_text(&text);
        assert_eq!(loaded.config.mailboxes["support"].address.0, "a@b.example");
        assert!(loaded.config.http.listen.is_some());
        assert!(Path::new(&loaded.files[0]).ends_with("postroom.toml"));
    }
}
