//! Small forms of text on pages: sizes, times, and what strangers wrote made harmless to look at.

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A text with its invisible characters made visible: direction marks can turn `exe.fdp` into `pdf.exe` for the reader,
/// and control characters can hide text. Line breaks and tabs stay.
pub(super) fn visible(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

fn shown(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\r' => '\n',
        // Unicode's own pictures of C0 controls.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        // UAX 9: embeddings, overrides, isolates and marks; and the zero-width characters that hide in names.
        '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        other => other,
    }
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A number with thin spaces between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A length of time, roundly.
pub(super) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Where a mail stands with one recipient, in words for people.
pub(super) fn delivery(state: &str) -> String {
    match state {
        "later" => "tried again later".into(),
        "expired" => "given up".into(),
        "accepted" => "taken by the server".into(),
        other => other.replace('_', " "),
    }
}

/// One segment of a path.
pub(super) fn in_path(text: &str) -> String {
    utf8_percent_encode(text, IN_PATH).to_string()
}

/// A moment in full.
pub(super) fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long ago a moment was, or its date when that says more.
pub(super) fn ago(now: &str, time: &str) -> String {
    let (Ok(now), Ok(time)) = (now.parse::<Timestamp>(), time.parse::<Timestamp>()) else {
        return time.to_owned();
    };
    let past = now.duration_since(time);
    let minutes = past.as_mins();
    match past {
        past if past < SignedDuration::from_secs(45) => "just now".into(),
        _ if minutes < 60 => format!("{} min ago", minutes.max(1)),
        _ if minutes < 24 * 60 => format!("{} h ago", minutes / 60),
        _ if minutes < 7 * 24 * 60 => format!("{} d ago", minutes / (24 * 60)),
        _ => time.strftime("%-d %b %Y").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_show() {
        assert_eq!(visible("a\u{202e}fdp.exe"), "a\u{fffd}fdp.exe");
        assert_eq!(visible("a\u{200b}b\0c\r\nd\re"), "a\u{fffd}b\u{2400}c\nd\ne");
        assert_eq!(visible("Grüße مرحبا 回复"), "Grüße مرحبا 回复");
    }

    #[test]
    fn sizes_and_counts() {
        assert_eq!(
            (size(12), size(1536), size(3 << 20)),
            ("12 B".into(), "1.5 KiB".into(), "3.0 MiB".into())
        );
        assert_eq!(
            (count(7), count(1234), count(1234567)),
            ("7".into(), "1\u{202f}234".into(), "1\u{202f}234\u{202f}567".into())
        );
    }

    #[test]
    fn spans() {
        let shown = [0, 59, 60, 7200, 200_000].map(span);
        assert_eq!(shown, ["0 s", "59 s", "1 min", "2 h", "2 d"]);
    }

    #[track_caller]
    fn check(time: &str, expected: &str) {
        assert_eq!(ago("2026-03-10T12:00:00Z", time), expected);
    }

    #[test]
    fn times() {
        check("2026-03-10T11:59:50Z", "just now");
        check("2026-03-10T11:58:00Z", "2 min ago");
        check("2026-03-10T09:00:00Z", "3 h ago");
        check("2026-03-08T09:00:00Z", "2 d ago");
        check("2025-12-24T09:00:00Z", "24 Dec 2025");
        check("never", "never");
    }
}
