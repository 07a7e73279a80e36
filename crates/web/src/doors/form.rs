//! The body of a token request: `application/x-www-form-urlencoded`, or `multipart/form-data` as AlexaCRM's toolkit sends it.
//! Text fields only; a few kilobytes.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// Bytes of a token request.
pub(super) const MOST: usize = 64 * 1024;

/// Fields by name. Of a field that comes twice the first one counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads a body by its media type; one without a type is taken for a urlencoded one. `None` for anything else.
    pub(super) fn read(kind: &str, body: &[u8]) -> Option<Fields> {
        let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
        match media.trim().to_ascii_lowercase().as_str() {
            "" | "application/x-www-form-urlencoded" => Some(urlencoded(body)),
            "multipart/form-data" => Some(multipart(parameter(parameters, "boundary")?, body)),
            _ => None,
        }
    }

    /// A field's value; `None` when it is empty too.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn add(&mut self, name: String, value: String) {
        self.0.entry(name).or_insert(value);
    }
}

fn urlencoded(body: &[u8]) -> Fields {
    let text = String::from_utf8_lossy(body);
    let mut fields = Fields::default();
    for pair in text.trim().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.add(decoded(name), decoded(value));
    }
    fields
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// RFC 7578: parts between lines of `--boundary`.
fn multipart(boundary: &str, body: &[u8]) -> Fields {
    let text = String::from_utf8_lossy(body);
    // Every delimiter but the first begins on a new line; a line break before the first makes them all alike.
    let text = format!("\r\n{text}");
    let mut fields = Fields::default();
    for part in text.split(&format!("\r\n--{boundary}")).skip(1) {
        // `--` ends the last part.
        let Some((head, value)) = part.split_once("\r\n\r\n").filter(|_| !part.starts_with("--")) else {
            continue;
        };
        if let Some(name) = head.lines().find_map(named) {
            fields.add(name.to_owned(), value.to_owned());
        }
    }
    fields
}

/// The field's name in `Content-Disposition: form-data; name="x"`.
fn named(line: &str) -> Option<&str> {
    let (header, value) = line.split_once(':')?;
    let is_it = header.trim().eq_ignore_ascii_case("content-disposition");
    parameter(value.split_once(';')?.1, "name").filter(|_| is_it)
}

fn parameter<'t>(parameters: &'t str, name: &str) -> Option<&'t str> {
    let mut pairs = parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().trim_matches('"')).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, body: &str, name: &str, expected: Option<&str>) {
        let fields = Fields::read(kind, body.as_bytes());
        assert_eq!(fields.as_ref().and_then(|fields| fields.get(name)), expected, "{body}");
    }

    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    #[test]
    fn forms() {
        check(FORM, "a=1&grant_type=client_credentials", "grant_type", Some("client_credentials"));
        check(FORM, "scope=https%3A%2F%2Fh%2F.default+openid", "scope", Some("https://h/.default openid"));
        check(FORM, "a=1&a=2", "a", Some("1"));
        check(FORM, "a=&b", "a", None);
        check(FORM, "a=&b", "b", None);
        check("", "a=1", "a", Some("1"));
        check("application/json", "{}", "a", None);
    }

    #[test]
    fn multiparts() {
        let body = "--x1\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x1\r\n\
                    content-disposition: form-data; name=\"client_secret\"\r\nContent-Type: text/plain\r\n\r\na+b\r\nc\r\n--x1--\r\n";
        check("multipart/form-data; boundary=x1", body, "grant_type", Some("client_credentials"));
        check("multipart/form-data; boundary=\"x1\"", body, "client_secret", Some("a+b\r\nc"));
        check("multipart/form-data", body, "grant_type", None);
        check("multipart/form-data; boundary=other", body, "grant_type", None);
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read(kind in ".{0,40}", body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Fields::read(&kind, &body);
            let _ = Fields::read("multipart/form-data; boundary=b", &body);
        }

        #[test]
        fn what_a_client_encodes_is_read_back(name in "[a-z_]{1,12}", value in "\\PC{1,40}") {
            let text = format!("{name}={}", percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC));
            let fields = Fields::read(FORM, text.as_bytes()).unwrap();
            proptest::prop_assert_eq!(fields.get(&name), Some(value.as_str()));
        }
    }
}
