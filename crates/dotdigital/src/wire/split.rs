//! Splits a JSON answer into its rows while it arrives: no answer is in memory as a whole.
//!
//! An array gives its elements; an object gives its members, and of a member that is an array the elements. It looks at the
//! structure only: whether a piece is valid JSON is for who reads it.

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'p> {
    /// An element of the array that is the answer.
    Element,
    /// An element of the array that is this member.
    ElementOf(&'p str),
    /// The value of this member.
    Member(&'p str),
}

/// Who gets the pieces.
type Take<'t, E> = dyn FnMut(Piece<'_>, &[u8]) -> Result<(), E> + 't;

/// How an answer is taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Rows: an answer that is one object is one row.
    Rows,
    /// Members.
    Members,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    /// Between the elements of an array.
    Array,
    /// Between the members of an object.
    Object,
    Key,
    Colon,
    Value,
    /// In an object, array or text that is a piece.
    Inside,
    /// In a number or literal that is a piece.
    Scalar,
    End,
}

/// Where it stands in the answer.
#[derive(Debug)]
pub(crate) struct Splitter {
    shape: Shape,
    at: At,
    piece: Vec<u8>,
    /// The member being read; `None` at the top.
    key: Option<String>,
    /// In the array of a member.
    member_array: bool,
    /// The answer is one piece.
    single: bool,
    depth: u32,
    in_text: bool,
    escaped: bool,
}

/// The answer is not of the form of JSON, or was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no JSON or was cut off")]
pub(crate) struct Broken;

impl Splitter {
    /// Of an array of rows, or of one row.
    pub(crate) fn rows() -> Splitter {
        Splitter::new(Shape::Rows)
    }

    /// Of an object whose members are looked at.
    pub(crate) fn members() -> Splitter {
        Splitter::new(Shape::Members)
    }

    fn new(shape: Shape) -> Splitter {
        Splitter {
            shape,
            at: At::Start,
            piece: Vec::new(),
            key: None,
            member_array: false,
            single: false,
            depth: 0,
            in_text: false,
            escaped: false,
        }
    }

    /// Takes more bytes and hands on each piece that is whole.
    pub(crate) fn feed<E: From<Broken>>(&mut self, bytes: &[u8], take: &mut Take<'_, E>) -> Result<(), E> {
        for byte in bytes {
            self.step(*byte, take)?;
        }
        Ok(())
    }

    /// The answer has ended.
    pub(crate) fn end(&self) -> Result<(), Broken> {
        if self.at == At::End { Ok(()) } else { Err(Broken) }
    }

    fn step<E: From<Broken>>(&mut self, byte: u8, take: &mut Take<'_, E>) -> Result<(), E> {
        match self.at {
            At::Inside => return self.inside(byte, take),
            At::Key => return self.key_byte(byte).map_err(E::from),
            At::Scalar if !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') => {
                self.piece.push(byte);
                return Ok(());
            }
            At::Scalar => self.whole(take)?,
            _ => {}
        }
        // A byte order mark stands before some of the service's answers.
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') || self.at == At::Start && byte >= 0x80 {
            return Ok(());
        }
        self.between(byte).map_err(E::from)
    }

    fn between(&mut self, byte: u8) -> Result<(), Broken> {
        self.at = match (self.at, byte) {
            (At::Start, b'[') => At::Array,
            (At::Start, b'{') if self.shape == Shape::Members => At::Object,
            (At::Array, b']') if self.member_array => {
                self.member_array = false;
                At::Object
            }
            (At::Array, b']') | (At::Object, b'}') => At::End,
            (At::Array, b',') => At::Array,
            (At::Object, b',') => At::Object,
            (At::Object, b'"') => {
                self.piece.clear();
                At::Key
            }
            (At::Colon, b':') => At::Value,
            (At::Value, b'[') => {
                self.member_array = true;
                At::Array
            }
            (At::Start | At::Array | At::Value, _) => self.begin(byte),
            _ => return Err(Broken),
        };
        Ok(())
    }

    fn begin(&mut self, byte: u8) -> At {
        self.single = self.at == At::Start;
        self.piece.clear();
        self.piece.push(byte);
        (self.depth, self.in_text, self.escaped) = (0, false, false);
        match byte {
            b'{' | b'[' => {
                self.depth = 1;
                At::Inside
            }
            b'"' => {
                self.in_text = true;
                At::Inside
            }
            _ => At::Scalar,
        }
    }

    fn inside<E: From<Broken>>(&mut self, byte: u8, take: &mut Take<'_, E>) -> Result<(), E> {
        self.piece.push(byte);
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            _ if self.in_text => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 0 && !self.in_text { self.whole(take) } else { Ok(()) }
    }

    fn key_byte(&mut self, byte: u8) -> Result<(), Broken> {
        match byte {
            b'"' if !self.escaped => {
                self.key = Some(String::from_utf8(std::mem::take(&mut self.piece)).map_err(|_| Broken)?);
                self.at = At::Colon;
            }
            _ => {
                self.escaped = byte == b'\\' && !self.escaped;
                self.piece.push(byte);
            }
        }
        Ok(())
    }

    /// A piece is whole; what comes next is decided by where it stood.
    fn whole<E: From<Broken>>(&mut self, take: &mut Take<'_, E>) -> Result<(), E> {
        let (piece, next) = match (&self.key, self.member_array) {
            (Some(key), true) => (Piece::ElementOf(key), At::Array),
            (Some(key), false) => (Piece::Member(key), At::Object),
            (None, _) if self.single => (Piece::Element, At::End),
            (None, _) => (Piece::Element, At::Array),
        };
        take(piece, &self.piece)?;
        self.at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The pieces of an answer that arrives in parts of this size.
    fn pieces(mut splitter: Splitter, text: &str, size: usize) -> Result<Vec<(String, String)>, Broken> {
        let mut found = Vec::new();
        for part in text.as_bytes().chunks(size) {
            splitter.feed(part, &mut |piece, bytes| {
                let name = match piece {
                    Piece::Element => "-".to_owned(),
                    Piece::ElementOf(key) => format!("{key}[]"),
                    Piece::Member(key) => key.to_owned(),
                };
                found.push((name, String::from_utf8_lossy(bytes).into_owned()));
                Ok::<(), Broken>(())
            })?;
        }
        splitter.end().map(|()| found)
    }

    #[track_caller]
    fn check(splitter: fn() -> Splitter, text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(name, piece)| ((*name).to_owned(), (*piece).to_owned())).collect();
        for size in [1, 3, 1000] {
            assert_eq!(pieces(splitter(), text, size), Ok(expected.clone()), "{text} in parts of {size}");
        }
    }

    #[test]
    fn answers_of_every_shape() {
        check(Splitter::rows, "[]", &[]);
        check(Splitter::rows, "\u{feff} [ ]\n", &[]);
        check(
            Splitter::rows,
            r#"[{"a":"]}"},{"b":[1,{}]}]"#,
            &[("-", r#"{"a":"]}"}"#), ("-", r#"{"b":[1,{}]}"#)],
        );
        check(Splitter::rows, r#"{"a":1}"#, &[("-", r#"{"a":1}"#)]);
        check(Splitter::rows, r#"[1,"x\\",null]"#, &[("-", "1"), ("-", r#""x\\""#), ("-", "null")]);
        check(
            Splitter::members,
            r#"{"_links":{"next":null},"_items":[{"a":1},{"b":"\""}],"n":3,"t":"x"}"#,
            &[
                ("_links", r#"{"next":null}"#),
                ("_items[]", r#"{"a":1}"#),
                ("_items[]", r#"{"b":"\""}"#),
                ("n", "3"),
                ("t", r#""x""#),
            ],
        );
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        let text = r#"[{"a":"x"},{"b":2}]"#;
        for length in 0..text.len() {
            assert_eq!(pieces(Splitter::rows(), &text[..length], 7), Err(Broken), "{}", &text[..length]);
        }
        assert_eq!(pieces(Splitter::rows(), "<html>", 7), Err(Broken));
        assert_eq!(pieces(Splitter::rows(), "[] x", 7), Err(Broken));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\é]{1,4}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn elements_are_what_a_parser_sees(rows in prop::collection::vec(values(), 0..8), size in 1_usize..40) {
            let found = pieces(Splitter::rows(), &json!(rows).to_string(), size).unwrap();
            let found: Vec<Value> = found.iter().map(|(_, piece)| serde_json::from_str(piece).unwrap()).collect();
            prop_assert_eq!(found, rows);
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(prop::sample::select(&b"[]{},:\"\\ax1 "[..]), 0..40)) {
            for mut splitter in [Splitter::rows(), Splitter::members()] {
                let _ = splitter.feed(&bytes, &mut |_, _| Ok::<(), Broken>(()));
                let _ = splitter.end();
            }
        }
    }
}
