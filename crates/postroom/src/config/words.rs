//! Keys that take one of a few words; a slip is answered with the nearest one.

/// An enum whose variants are the words a key takes.
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $word_doc:literal])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $word_doc])* $variant),+ }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl $crate::config::setting::Setting for $name {
            fn expects() -> String {
                let words: Vec<String> = Self::ALL.iter().map(|word| format!("{:?}", word.as_str())).collect();
                match words.split_last() {
                    Some((last, [])) => format!("only {last}"),
                    Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
                    None => String::new(),
                }
            }

            fn read(
                node: &$crate::config::tree::Node,
                key: &str,
                cx: &mut $crate::config::setting::Reading,
            ) -> Option<Self> {
                let text = match &node.value {
                    $crate::config::tree::Value::Text(text) => text.as_str(),
                    _ => "",
                };
                let found = Self::ALL.iter().copied().find(|word| word.as_str() == text);
                if found.is_none() {
                    let near = $crate::config::setting::nearest(text, Self::ALL.iter().map(|word| word.as_str()));
                    let hint = near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
                    cx.mismatch(node, key, &format!("{}{hint}", Self::expects()));
                }
                found
            }

            fn literal(&self) -> Option<String> {
                Some(format!("{:?}", self.as_str()))
            }
        }
    };
}
pub(super) use words;
