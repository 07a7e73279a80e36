//! File names from strangers, made fit for any file system and for people's eyes.

/// Longest name, in characters.
const LONGEST: usize = 200;

/// Takes the last component of a path and removes what misleads or breaks: control and bidirectional characters,
/// characters and names that Windows reserves, dots and spaces at the ends. At most 200 characters, keeping the extension;
/// never empty (`attachment`).
pub fn safe_file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).map(clean).find(|piece| !piece.is_empty());
    let name = last.unwrap_or_else(|| "attachment".to_owned());
    shorten(if is_reserved(&name) { format!("_{name}") } else { name })
}

fn clean(piece: &str) -> String {
    let kept = piece.chars().filter_map(|c| match c {
        c if c.is_control() || is_invisible(c) => None,
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => Some('_'),
        c if c.is_whitespace() => Some(' '),
        c => Some(c),
    });
    let name: String = kept.collect();
    // A leading dot hides a file, dots and spaces at the end vanish on Windows.
    name.trim_matches(|c: char| c == ' ' || c == '.').to_owned()
}

/// Zero-width and bidirectional characters: `invoice\u{202e}fdp.exe` reads as a PDF.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim().to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|port| {
        stem.strip_prefix(port)
            .is_some_and(|number| number.len() == 1 && number != "0" && number.parse::<u8>().is_ok())
    });
    numbered || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
}

fn shorten(name: String) -> String {
    if name.chars().count() <= LONGEST {
        return name;
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.chars().count() <= 20 => (stem, extension),
        _ => (name.as_str(), ""),
    };
    let room = LONGEST - extension.chars().count() - usize::from(!extension.is_empty());
    let stem: String = stem.chars().take(room).collect();
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}

/// The name of an attachment that came without one, from its content type.
pub(super) fn default_name(content_type: &str) -> String {
    const EXTENSIONS: &[(&str, &str)] = &[
        ("text/plain", "txt"),
        ("text/html", "html"),
        ("text/calendar", "ics"),
        ("text/vcard", "vcf"),
        ("text/x-vcard", "vcf"),
        ("text/csv", "csv"),
        ("text/rfc822-headers", "txt"),
        ("image/jpeg", "jpg"),
        ("image/jpg", "jpg"),
        ("image/png", "png"),
        ("image/gif", "gif"),
        ("image/tiff", "tif"),
        ("image/bmp", "bmp"),
        ("image/svg+xml", "svg"),
        ("image/webp", "webp"),
        ("audio/mpeg", "mp3"),
        ("audio/wav", "wav"),
        ("video/mp4", "mp4"),
        ("application/pdf", "pdf"),
        ("application/zip", "zip"),
        ("application/json", "json"),
        ("application/xml", "xml"),
        ("application/rtf", "rtf"),
        ("application/msword", "doc"),
        ("application/vnd.ms-excel", "xls"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
        ("application/ics", "ics"),
        ("application/pgp-signature", "asc"),
        ("application/pgp-encrypted", "asc"),
        ("application/pkcs7-signature", "p7s"),
        ("application/x-pkcs7-signature", "p7s"),
        ("application/pkcs7-mime", "p7m"),
        ("application/x-pkcs7-mime", "p7m"),
        ("application/ms-tnef", "dat"),
        ("message/delivery-status", "txt"),
        ("message/disposition-notification", "txt"),
        ("message/rfc822", "eml"),
        ("message/global", "eml"),
    ];
    let extension =
        EXTENSIONS.iter().find(|(known, _)| *known == content_type).map(|(_, extension)| extension);
    extension.map_or_else(|| "attachment".to_owned(), |extension| format!("attachment.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(safe_file_name(name), expected);
    }

    #[test]
    fn names() {
        check("report.pdf", "report.pdf");
        check("Über uns (1).docx", "Über uns (1).docx");
        check("../../etc/passwd", "passwd");
        check(r"C:\temp\x.doc", "x.doc");
        check("dir/", "dir");
        check("..", "attachment");
        check("", "attachment");
        check(" \u{200b} ", "attachment");
        check(".htaccess", "htaccess");
        check("a. . .", "a");
        check("a\r\nb\0c.txt", "abc.txt");
        check("invoice\u{202e}fdp.exe", "invoicefdp.exe");
        check("a<b>:\"|?*.txt", "a_b______.txt");
    }

    #[test]
    fn reserved_names() {
        check("con", "_con");
        check("NUL.txt", "_NUL.txt");
        check("com1.tar.gz", "_com1.tar.gz");
        check("com10.txt", "com10.txt");
        check("console.txt", "console.txt");
    }

    #[test]
    fn long_names_keep_their_extension() {
        let name = safe_file_name(&format!("{}.pdf", "ä".repeat(500)));
        assert_eq!(name.chars().count(), 200);
        assert!(name.ends_with("ä.pdf"));
        assert_eq!(safe_file_name(&"x".repeat(500)).len(), 200);
    }
}
