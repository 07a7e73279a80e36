//! Charsets: labels as mail writes them, text with no label, and text with a wrong one.
//!
//! The label table is the WHATWG's (encoding_rs), so `iso-8859-1` means windows-1252, `gb2312` means GB18030, `shift_jis`
//! means windows-31J: what senders mean by them. Around it: aliases of old mailers, UTF-7 and DOS code pages (mail-parser),
//! HZ and ISO-2022-KR, which browsers refuse but mail archives hold.

use std::borrow::Cow;

use encoding_rs::{EUC_KR, Encoding, GBK, ISO_2022_JP, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::{DecoderFnc, map::charset_decoder};

/// How the bytes of a text become characters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Charset {
    Web(&'static Encoding),
    /// UTF-7, code page 850 and the like.
    Rare(DecoderFnc),
    /// HZ (RFC 1843): `~{` and `~}` shift to GB 2312 in seven bits.
    Hz,
    /// ISO-2022-KR (RFC 1557): SO and SI shift to KS C 5601 in seven bits.
    Iso2022Kr,
}

/// Names that mailers use and the WHATWG table lacks.
const ALIASES: &[(&str, &str)] = &[
    ("utf8mb4", "utf-8"),
    ("utf-8mb4", "utf-8"),
    ("utf-8-mac", "utf-8"),
    ("unicode", "utf-8"),
    ("cp65001", "utf-8"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("ms936", "gbk"),
    ("euc-cn", "gbk"),
    ("euccn", "gbk"),
    ("cp949", "euc-kr"),
    ("ms949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("ks_c_5601", "euc-kr"),
    ("cp950", "big5"),
    ("ms950", "big5"),
    ("iso-2022-jp-ms", "iso-2022-jp"),
    ("iso-2022-jp-1", "iso-2022-jp"),
    ("iso-2022-jp-2", "iso-2022-jp"),
    ("iso-2022-jp-3", "iso-2022-jp"),
    ("cp50220", "iso-2022-jp"),
    ("cp50221", "iso-2022-jp"),
    ("cp50222", "iso-2022-jp"),
    ("jis", "iso-2022-jp"),
    ("eucjp", "euc-jp"),
    ("eucjp-ms", "euc-jp"),
    ("ansi", "windows-1252"),
    ("ansi_x3.110-1983", "windows-1252"),
    ("iso8859-1-windows", "windows-1252"),
    ("iso-8859-1-windows-3.0-latin-1", "windows-1252"),
    ("iso-8859-1-windows-3.1-latin-1", "windows-1252"),
    ("latin-1", "windows-1252"),
    ("8859_1", "windows-1252"),
    ("646", "windows-1252"),
    ("usascii", "windows-1252"),
];

/// The charset a label means, `None` when it means nothing (`x-unknown`, `default`, ``).
pub(super) fn for_label(label: &str) -> Option<Charset> {
    // RFC 2231 section 5 allows a language behind the charset: `utf-8*en`.
    let label = label.split('*').next().unwrap_or_default();
    let label = label.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | ',' | '='));
    if label.is_empty() || label.len() > 60 {
        return None;
    }
    let lower = label.to_ascii_lowercase();
    let lower = lower.strip_prefix("charset=").map(str::to_owned).unwrap_or(lower);
    match lower.as_str() {
        "hz-gb-2312" | "hz" => return Some(Charset::Hz),
        "iso-2022-kr" | "csiso2022kr" => return Some(Charset::Iso2022Kr),
        _ => {}
    }
    let known = ALIASES.iter().find(|(alias, _)| *alias == lower).map_or(lower.as_str(), |(_, name)| name);
    web(known).or_else(|| rare(known))
}

fn web(label: &str) -> Option<Charset> {
    let found = |label: &str| Encoding::for_label_no_replacement(label.as_bytes()).map(Charset::Web);
    // `windows1251`, `cp-1252`, `win-1250`, `iso8859_1`: one more try with the separators where they belong.
    found(label).or_else(|| {
        let squeezed: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
        let digits = squeezed.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        match squeezed.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "windows" | "win" | "cp" | "xcp" | "ms" | "microsoftcp" => found(&format!("windows-{digits}")),
            "iso" => digits.strip_prefix("8859").and_then(|number| found(&format!("iso-8859-{number}"))),
            "utf" => found(&format!("utf-{digits}")),
            _ => None,
        }
    })
}

fn rare(label: &str) -> Option<Charset> {
    let name = label.strip_prefix("unicode-1-1-").unwrap_or(label).replace("cp-", "cp");
    // mail-parser maps what the WHATWG calls "replacement" to a decoder that gives nothing back.
    let refused = name.starts_with("iso-2022-") || name == "replacement";
    charset_decoder(name.as_bytes()).filter(|_| !refused).map(Charset::Rare)
}

/// Decodes with a known charset; the flag says that nothing had to be replaced.
fn apply<'a>(charset: Charset, bytes: &'a [u8]) -> (Cow<'a, str>, bool) {
    match charset {
        Charset::Web(encoding) => {
            let (text, _, errors) = encoding.decode(bytes);
            (text, !errors)
        }
        Charset::Rare(decoder) => (Cow::Owned(decoder(bytes)), true),
        Charset::Hz => (Cow::Owned(shifted(bytes, GBK)), true),
        Charset::Iso2022Kr => (Cow::Owned(shifted(bytes, EUC_KR)), true),
    }
}

/// Turns the seven-bit shift codes of HZ and ISO-2022-KR into the eight-bit form of the same character set.
fn shifted(bytes: &[u8], wide: &'static Encoding) -> String {
    let (start, stop): (&[u8], &[u8]) = if wide == GBK { (b"~{", b"~}") } else { (b"\x0e", b"\x0f") };
    let mut eight_bit = Vec::with_capacity(bytes.len());
    let mut shift = false;
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        if rest.starts_with(start) || rest.starts_with(stop) {
            shift = rest.starts_with(start);
            rest = &rest[start.len()..];
        } else if rest.starts_with(b"\x1b$)C") && wide == EUC_KR {
            rest = &rest[4..];
        } else {
            shift &= byte != b'\n';
            eight_bit.push(if shift && byte > b' ' { byte | 0x80 } else { byte });
            rest = tail;
        }
    }
    wide.decode_without_bom_handling(&eight_bit).0.into_owned()
}

/// Whether seven-bit text holds the escapes of ISO-2022-JP. It is then also valid ASCII, so this must be asked first.
pub(super) fn has_japanese_escapes(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0x1b, bytes)
        .any(|at| matches!(bytes.get(at + 1..at + 3), Some(b"$B" | b"$@" | b"(I")))
        && bytes.is_ascii()
}

/// Text without a usable label: ISO-2022-JP by its escapes, UTF-8 if valid, then `hint` if it fits, then a guess.
pub(super) fn guess<'a>(bytes: &'a [u8], hint: Option<Charset>) -> Cow<'a, str> {
    if has_japanese_escapes(bytes) {
        return ISO_2022_JP.decode(bytes).0;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if let Some(hint) = hint
        && let (text, true) = apply(hint, bytes)
    {
        return text;
    }
    detect(bytes).decode(bytes).0
}

/// What the bytes look like, when they are no UTF-8.
fn detect(bytes: &[u8]) -> &'static Encoding {
    /// More than enough to tell, and a bound on the work.
    const SAMPLE: usize = 64 * 1024;
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(SAMPLE)], true);
    let found = detector.guess(None, chardetng::Utf8Detection::Deny);
    let fits =
        |encoding: &'static Encoding| encoding.decode_without_bom_handling_and_without_replacement(bytes);
    if fits(found).is_some() { found } else { WINDOWS_1252 }
}

/// Decodes a text with the label its mail gives it, repairing labels that are plainly wrong. NULs are dropped: no database
/// takes them in text.
pub fn decode(bytes: &[u8], label: Option<&str>) -> String {
    without_nul(decode_with(bytes, label, None))
}

pub(super) fn without_nul(text: Cow<'_, str>) -> String {
    if memchr::memchr(0, text.as_bytes()).is_some() { text.replace('\0', "") } else { text.into_owned() }
}

/// [`decode`], with a charset to try when the label is missing or wrong.
pub(super) fn decode_with<'a>(bytes: &'a [u8], label: Option<&str>, hint: Option<Charset>) -> Cow<'a, str> {
    let Some(charset) = label.and_then(for_label) else { return guess(bytes, hint) };
    if has_japanese_escapes(bytes) && matches!(charset, Charset::Web(web) if web.is_ascii_compatible()) {
        return ISO_2022_JP.decode(bytes).0;
    }
    // An ASCII label on 8-bit text says nothing.
    let ascii = label.is_some_and(|label| label.to_ascii_lowercase().contains("ascii"));
    if ascii && !bytes.is_ascii() {
        return guess(bytes, hint);
    }
    let (text, clean) = apply(charset, bytes);
    if clean { text } else { mislabelled(bytes, charset, hint).unwrap_or(text) }
}

/// Text that its label does not fit: another charset, if one fits without a single error.
fn mislabelled<'a>(bytes: &'a [u8], charset: Charset, hint: Option<Charset>) -> Option<Cow<'a, str>> {
    let Charset::Web(label) = charset else { return None };
    if label != UTF_8 {
        return std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    }
    // Mostly good UTF-8 with a broken byte (a cut, a footer in another charset) is UTF-8 all the same.
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    (bad > 2 * good).then(|| guess(bytes, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], label: &str, expected: &str) {
        assert_eq!(decode(bytes, Some(label).filter(|label| !label.is_empty())), expected);
    }

    #[test]
    fn labels_mean_what_senders_mean() {
        check(b"\x80 5", "iso-8859-1", "€ 5");
        check(b"\x93x\x94", "us-ascii", "\u{201c}x\u{201d}");
        check(&[0x81, 0x30, 0x81, 0x30], "gb2312", "\u{80}"); // a four-byte character: GB18030, not GB 2312
        check(b"\x87\x40", "shift_jis", "①"); // windows-31J
        check(b"\x1b$B-!\x1b(B", "iso-2022-jp", "①"); // NEC row 13, as iso-2022-jp-ms
        check(b"\x1b(I\x31\x1b(B", "iso-2022-jp", "ｱ");
        check(b"\xb0\xa1", "ks_c_5601-1987", "가");
        check(b"caf\xc3\xa9", "utf8", "café");
        check(b"caf\xc3\xa9", "utf8mb4", "café");
        check(b"caf\xc3\xa9", "\"UTF-8\"", "café");
        check(b"caf\xc3\xa9", "utf-8*en", "café");
        check(b"caf\xe9", "iso8859_1", "café");
        check(b"\xcf\xf0\xe8", "charset=windows-1251", "При");
        check(b"\xcf\xf0\xe8", "cp-1251", "При");
        check(b"caf\x82", "cp-850", "café");
        check(b"caf\xe9", "ansi_x3.110-1983", "café");
        check(b"Hi +AOk-", "unicode-1-1-utf-7", "Hi é");
        check(b"a~{VP~}b", "hz-gb-2312", "a中b");
        check(b"\x1b$)Ca\x0e0!\x0fb", "iso-2022-kr", "a가b");
    }

    #[test]
    fn no_label() {
        check(b"plain", "", "plain");
        check(b"caf\xc3\xa9", "x-unknown", "café");
        check(b"caf\xe9 cr\xe8me", "default", "café crème");
        check(b"\x1b$B$3$s\x1b(B", "", "こん");
        check("Привет, как дела".as_bytes(), "", "Привет, как дела");
        check(&encoding_rs::WINDOWS_1251.encode("Привет, как дела").0, "", "Привет, как дела");
    }

    #[test]
    fn wrong_label() {
        check(b"\x1b$B$3$s\x1b(B", "us-ascii", "こん");
        check(b"\x1b$B$3$s\x1b(B", "utf-8", "こん");
        check(
            &encoding_rs::SHIFT_JIS.encode("こんにちは、世界。元気ですか").0,
            "utf-8",
            "こんにちは、世界。元気ですか",
        );
        check("Grüße 東 京".as_bytes(), "gb2312", "Grüße 東 京");
        check(b"\xc3\xa9\xc3\xa9\xc3\xa9 \xff", "utf-8", "ééé \u{fffd}");
        check(b"a\0b", "utf-8", "ab");
    }
}
