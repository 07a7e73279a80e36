//! Enumerations of a service's words: what is known by name, what is not by its text.

/// Makes an enumeration whose values are read without regard to case; a value that is not in the list is `Other`.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal $(| $also:literal)*),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// As the service wrote it; empty when it wrote nothing.
            Other(String),
        }

        impl $name {
            /// The word as it is kept.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)+
                    $name::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                let is = |word: &str| text.eq_ignore_ascii_case(word);
                match () {
                    $(() if is($text) $(|| is($also))* => $name::$variant,)+
                    () => $name::Other(text.to_owned()),
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::Other(String::new())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(super) use words;

#[cfg(test)]
mod tests {
    words! {
        /// For the test.
        Colour { Red = "Red", LightBlue = "LightBlue" | "Light Blue" }
    }

    #[track_caller]
    fn check(text: &str, expected: Colour, kept: &str) {
        let read = Colour::from(text);
        assert_eq!((&read, read.as_str()), (&expected, kept), "{text:?}");
        assert_eq!(Colour::from(read.as_str()), read, "it reads back");
    }

    #[test]
    fn unknown_words_are_kept() {
        check("Red", Colour::Red, "Red");
        check("red", Colour::Red, "Red");
        check("light blue", Colour::LightBlue, "LightBlue");
        check(
            "NotAvailableInThisVersion",
            Colour::Other("NotAvailableInThisVersion".into()),
            "NotAvailableInThisVersion",
        );
        check("", Colour::default(), "");
    }
}
