//! Parameters of `Content-Type` and `Content-Disposition` (RFC 2045 section 5.1, RFC 2231).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 2231 `attribute-char`: letters, digits and these stand as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');
/// Characters of a value on one line; the rest goes on as `name*1*`.
const CHUNK: usize = 60;

/// `; name="value"` on a line of its own, or its RFC 2231 form when the value is long or not ASCII.
pub(super) fn write(out: &mut String, name: &str, value: &str) {
    if value.is_ascii() && value.len() <= CHUNK {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        out.push_str(&format!(";\r\n {name}=\"{quoted}\""));
        return;
    }
    let escaped = utf8_percent_encode(value, ESCAPED).to_string();
    if escaped.len() <= CHUNK {
        out.push_str(&format!(";\r\n {name}*=utf-8''{escaped}"));
        return;
    }
    let mut rest = escaped.as_str();
    let mut n = 0;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(end(rest));
        let charset = if n == 0 { "utf-8''" } else { "" };
        out.push_str(&format!(";\r\n {name}*{n}*={charset}{chunk}"));
        (rest, n) = (after, n + 1);
    }
}

/// Where the first line ends: never inside `%xx`.
fn end(escaped: &str) -> usize {
    let end = escaped.len().min(CHUNK);
    let cut = escaped[..end].rfind('%').filter(|place| end < escaped.len() && place + 3 > end);
    cut.unwrap_or(end)
}
