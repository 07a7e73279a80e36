//! How one key is defined once: its type, default, example and comment. From a definition come the reading, the
//! complete example file and `config show`, so that none of them can drift from the others.

use std::collections::BTreeMap;

use super::origin::{Origin, Problem};
use super::tree::{Node, Table, Value, join};

/// A type that a key may have.
pub trait Setting: Sized {
    /// Under which name the example shows a table of these, where the user chooses the name.
    const SHOWN_AS: &'static str = "support";

    /// What a value looks like, for messages and the example: `a duration such as "30s"`.
    fn expects() -> String;

    /// Reads the value. What is wrong with it goes to `cx`, and then nothing is returned.
    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self>;

    /// The value as TOML text; `None` when it is not set. Never the inside of a secret.
    fn literal(&self) -> Option<String>;

    /// Every key at and below `key` with its effective value.
    fn leaves(&self, key: &str, out: &mut Vec<Leaf>) {
        out.push(Leaf { key: key.to_owned(), literal: self.literal() });
    }

    /// The keys inside, when this is a table of keys; `None` for a plain value.
    fn inside() -> Option<Inside> {
        None
    }
}

/// Checks of a section that look at more than one of its keys; they run as soon as the section is read, so that a slip
/// elsewhere hides nothing.
pub trait Check {
    fn check(&self, cx: &mut Reading);
}

impl<T: Check> Check for Option<T> {
    fn check(&self, cx: &mut Reading) {
        if let Some(inner) = self {
            inner.check(cx);
        }
    }
}

/// One key with its effective value as TOML text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    pub key: String,
    pub literal: Option<String>,
}

/// A table of keys, as the example file shows it.
pub struct Inside {
    /// The name to show for a table whose name the user chooses (`support` in `[mailboxes.support]`).
    pub named: Option<&'static str>,
    pub doc: &'static [&'static str],
    pub keys: Vec<KeyDoc>,
}

/// One key, as the example file shows it.
pub struct KeyDoc {
    pub name: &'static str,
    pub doc: &'static [&'static str],
    pub expects: String,
    pub required: bool,
    pub default: Option<String>,
    pub example: &'static str,
    pub inside: Option<Inside>,
}

impl KeyDoc {
    pub fn of<T: Setting>(
        name: &'static str,
        doc: &'static [&'static str],
        default: Option<T>,
        example: &'static str,
    ) -> Self {
        KeyDoc {
            name,
            doc,
            expects: T::expects(),
            required: default.is_none(),
            default: default.and_then(|value| value.literal()),
            example,
            inside: T::inside(),
        }
    }
}

/// The default of a key that must be set.
pub fn required<T>() -> Option<T> {
    None
}

/// The default of a key that may be left out.
pub fn default<T>(value: T) -> Option<T> {
    Some(value)
}

/// The default of a key that has none and need not be set.
pub fn optional<T>() -> Option<Option<T>> {
    Some(None)
}

/// What is gathered while the tree is read: all problems, not only the first.
#[derive(Debug, Default)]
pub struct Reading {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    /// Where each key that was given came from.
    pub origins: BTreeMap<String, Origin>,
}

impl Reading {
    /// The origin of a key; a default when nobody gave it.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Says that a key's value cannot be used.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.problems.push(Problem::new(key, origin, message));
    }

    /// Says that a key is worth a look.
    pub fn warn(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.origin(key);
        self.warnings.push(Problem::new(key, origin, message));
    }

    /// Says that a value is of another form than its key wants.
    pub fn mismatch(&mut self, node: &Node, key: &str, expects: &str) {
        let found = match &node.value {
            Value::Text(text) if text.len() <= 60 => format!("{text:?}"),
            Value::Integer(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => node.kind().to_owned(),
        };
        self.problems.push(Problem::new(key, node.at.clone(), format!("{key} takes {expects}, not {found}")));
    }

    /// Reads one key of a table, or takes its default.
    pub fn take<T: Setting>(
        &mut self,
        table: &Table,
        prefix: &str,
        name: &str,
        default: Option<T>,
    ) -> Option<T> {
        let key = join(prefix, name);
        let Some(node) = table.get(name) else {
            if default.is_none() {
                let origin = self.origin(prefix);
                let text = format!("{key} is missing: it takes {}", T::expects());
                self.problems.push(Problem::new(key, origin, text));
            }
            return default;
        };
        self.origins.insert(key.clone(), node.at.clone());
        T::read(node, &key, self)
    }

    /// Every key of the table that nobody knows is an error, with the nearest one that somebody does.
    pub fn refuse_unknown(&mut self, table: &Table, prefix: &str, known: &[&str]) {
        for (name, node) in table.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            let place = match prefix {
                "" => "there is no section".to_owned(),
                _ => format!("[{prefix}] has no key"),
            };
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known are {}", known.join(", ")),
            };
            let text = format!("{place} {name:?}: {hint}");
            self.problems.push(Problem::new(join(prefix, name), node.key_at.clone(), text));
        }
    }
}

/// The known name most like `name`, when one is like enough to be a slip.
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name = name.to_ascii_lowercase();
    let scored = known.map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate));
    let (distance, candidate) = scored.min_by_key(|(distance, _)| *distance)?;
    // A third of the letters may be wrong; three-letter names may have one slip.
    (distance <= candidate.len().div_ceil(3).max(1)).then_some(candidate)
}

/// Defines a section: the struct, its reading, its keys. `KEY: TYPE = DEFAULT, EXAMPLE;` A section whose name the user chooses
/// may say `as "main"`: so the example calls it.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        pub struct $type:ident $(as $shown:literal)? {
            $( $(#[doc = $key_doc:literal])+ pub $name:ident : $kind:ty = $default:expr, $example:literal; )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone)]
        pub struct $type { $( $(#[doc = $key_doc])+ pub $name: $kind, )+ }

        impl $crate::config::setting::Setting for $type {
            $( const SHOWN_AS: &'static str = $shown; )?

            fn expects() -> String {
                "a table".to_owned()
            }

            fn read(
                node: &$crate::config::tree::Node,
                key: &str,
                cx: &mut $crate::config::setting::Reading,
            ) -> Option<Self> {
                let $crate::config::tree::Value::Table(table) = &node.value else {
                    cx.mismatch(node, key, "a table");
                    return None;
                };
                cx.refuse_unknown(table, key, &[$(stringify!($name)),+]);
                // All keys are read before the first missing one ends it: every problem is told at once.
                $( let $name = cx.take::<$kind>(table, key, stringify!($name), $default); )+
                Some($type { $($name: $name?),+ })
            }

            fn literal(&self) -> Option<String> {
                let parts = [$( self.$name.literal().map(|text| format!("{} = {text}", stringify!($name))) ),+];
                Some(format!("{{ {} }}", parts.into_iter().flatten().collect::<Vec<_>>().join(", ")))
            }

            fn leaves(&self, key: &str, out: &mut Vec<$crate::config::setting::Leaf>) {
                $( self.$name.leaves(&$crate::config::tree::join(key, stringify!($name)), out); )+
            }

            fn inside() -> Option<$crate::config::setting::Inside> {
                let keys = vec![$(
                    $crate::config::setting::KeyDoc::of::<$kind>(
                        stringify!($name), &[$($key_doc),+], $default, $example)
                ),+];
                Some($crate::config::setting::Inside { named: None, doc: &[$($doc),+], keys })
            }
        }
    };
}
pub(super) use section;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_key_and_strangers_do_not() {
        let known = ["listen", "public_url", "tls_cert"];
        for (name, expected) in [
            ("lissen", Some("listen")),
            ("tls_crt", Some("tls_cert")),
            ("colour", None),
            ("LISTEN", Some("listen")),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
    }
}
