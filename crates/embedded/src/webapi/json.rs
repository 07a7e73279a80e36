//! JSON written as it comes, for answers with thousands of rows: no tree is built.

use std::io::Write;

use serde::Serialize;

/// Writes one JSON text. The caller opens and closes in pairs; commas are minded here.
#[derive(Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    /// A comma is due before the next member or element.
    comma: bool,
}

impl Json {
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.within(b'{', b'}', members);
    }

    pub(crate) fn array(&mut self, elements: impl FnOnce(&mut Self)) {
        self.within(b'[', b']', elements);
    }

    fn within(&mut self, open: u8, close: u8, inner: impl FnOnce(&mut Self)) {
        self.due();
        self.out.push(open);
        self.comma = false;
        inner(self);
        self.out.push(close);
        self.comma = true;
    }

    fn due(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }

    /// The name of a member; its value follows.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.due();
        self.put(name);
        self.out.push(b':');
        self.comma = false;
        self
    }

    /// A name made of two parts, such as a property and its annotation.
    pub(crate) fn key_of(&mut self, name: &str, annotation: &str) -> &mut Self {
        self.due();
        self.put(name);
        // Re-opens the quotes: annotations are plain ASCII.
        self.out.pop();
        self.out.extend_from_slice(annotation.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.comma = false;
        self
    }

    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.due();
        self.put(value);
    }

    /// A number kept as text.
    pub(crate) fn number(&mut self, text: &str) {
        self.due();
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Text that needs no escaping.
    pub(crate) fn plain(&mut self, text: impl std::fmt::Display) {
        self.due();
        write!(self.out, "\"{text}\"").expect("a vector takes what is written");
    }

    pub(crate) fn null(&mut self) {
        self.due();
        self.out.extend_from_slice(b"null");
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        serde_json::to_writer(&mut self.out, value).expect("plain data has a JSON form");
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_where_they_belong() {
        let mut json = Json::default();
        json.object(|json| {
            json.key("a").value(&1);
            json.key("b").array(|json| {
                json.object(|_| {});
                json.object(|json| json.key_of("x\"", "@y").value("z"));
                json.null();
            });
            json.key("c").number("1.50");
            json.key("d").plain(7);
        });
        let text = String::from_utf8(json.into_bytes()).unwrap();
        assert_eq!(text, r#"{"a":1,"b":[{},{"x\"@y":"z"},null],"c":1.50,"d":"7"}"#);
    }
}
