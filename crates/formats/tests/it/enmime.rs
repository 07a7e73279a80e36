//! The broken mails of enmime and the bounces of sisimai: nothing panics, nothing is lost, odd charsets decode.

use std::fs;
use std::path::{Path, PathBuf};

use postroom_formats::mime::{Limits, Mail, Part, PartKind, scan_headers};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Every mail under a folder, by name.
pub fn mails(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder(name)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mail = path
                .extension()
                .is_some_and(|extension| ["raw", "msg", "eml"].iter().any(|known| extension == *known));
            if path.is_dir() {
                open.push(path);
            } else if mail {
                found.push((
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    fs::read(&path).unwrap(),
                ));
            }
        }
    }
    found.sort();
    found
}

/// Whether the body is a view on the raw mail, not a copy.
fn is_slice(raw: &[u8], part: &Part<'_>) -> bool {
    let range = raw.as_ptr_range();
    part.body.is_empty() || range.contains(&part.body.as_ptr())
}

/// No byte of a body is lost or copied that needs no decoding, and every part is in one list or the other.
fn check_whole(name: &str, raw: &[u8]) {
    let mail = Mail::parse(raw, &Limits::default());
    assert_eq!(mail.truncated, None, "{name}");
    let encoded = |part: &Part<'_>| !is_slice(raw, part);
    for part in &mail.parts {
        if encoded(part) {
            let text = String::from_utf8_lossy(raw).to_ascii_lowercase();
            let labelled =
                ["base64", "quoted-printable", "uuencode"].iter().any(|label| text.contains(label));
            assert!(labelled, "{name}: part {} was copied without need", part.index);
        }
        let _ = (mail.part_text(part.index), mail.embedded(part.index));
    }
    let (body, attached) = (mail.body_parts(), mail.attachments());
    for part in mail.parts.iter().filter(|part| part.kind != PartKind::Multipart) {
        let mut outer = part.parent;
        let mut inside = false;
        while let Some(parent) = outer.map(|parent| &mail.parts[usize::try_from(parent).unwrap()]) {
            inside |= parent.kind == PartKind::Message;
            outer = parent.parent;
        }
        let listed = usize::from(body.contains(&part.index))
            + attached.iter().filter(|a| a.part == part.index).count();
        assert_eq!(listed, usize::from(!inside), "{name}: part {} is listed {listed} times", part.index);
    }
    let _ = (mail.text_body(), mail.html_body());
    let scanned = scan_headers(raw);
    assert_eq!((&scanned.message_id, &scanned.date), (&mail.message_id, &mail.date), "{name}");
    assert_eq!(scanned.headers.len(), mail.headers.len(), "{name}");
}

#[test]
fn nothing_is_lost() {
    let enmime = mails("enmime");
    assert_eq!(enmime.len(), 92, "the enmime fixtures are not all there");
    let all: Vec<_> = enmime.into_iter().chain(mails("mime4j")).chain(mails("sisimai")).collect();
    assert!(all.len() > 80 + 92, "the sisimai fixtures are missing");
    for (name, raw) in &all {
        check_whole(name, raw);
    }
    println!("{} mails read", all.len());
}

fn raw(name: &str) -> Vec<u8> {
    fs::read(Path::new(&folder("enmime")).join(format!("{name}.raw"))).unwrap()
}

#[track_caller]
fn check_text(name: &str, expected: &str) {
    let raw = raw(name);
    let text = Mail::parse(&raw, &Limits::default()).text_body().unwrap_or_default();
    assert!(text.contains(expected), "{name}: {text:?}");
}

#[test]
fn texts_of_enmime() {
    check_text("low-quality__incorrect-charset", "∮ E⋅da = Q");
    check_text("low-quality__unk-charset-part", "A text section");
    check_text("mail__html-mime-bad-charset-inline", "Test of text section");
    check_text("mail__mime-bad-content-transfer-encoding", "ploozdect  nispplul");
    check_text("mail__multipart-wo-boundary", "I'm  multipart message without boundary");
    check_text("mail__non-mime-html-charset-header-only", "Test Müller");
    check_text("parts__chardet-fail-not-long-enough", "和弟弟");
    check_text("parts__chardet-success-big-5", "顏是家訓");
    check_text("parts__chardet-success-iso-8859-1", "Drachenköpfe");
    check_text("parts__extra-base64-character", "Hello World!");
    check_text("parts__multi-malformed", "I'm section without headers");
    check_text("parts__similar-boundary", "A text section");
    check_text("parts__multimixed-no-closing-boundary", "Hello,");
}

#[track_caller]
fn check_attachment(name: &str, expected: &str, size: u64) {
    let raw = raw(name);
    let found = Mail::parse(&raw, &Limits::default()).attachments();
    let found: Vec<_> = found.iter().map(|attachment| (attachment.name.as_str(), attachment.size)).collect();
    assert_eq!(found, [(expected, size)], "{name}");
}

#[test]
fn attachments_of_enmime() {
    check_attachment("low-quality__bad-final-boundary", "foo_9E5D72.zip", 7);
    check_attachment("low-quality__bad-header-wrap", "7DDA4_foo_9E5D72.zip", 7);
    check_attachment("low-quality__malformed-base64-attach", "some.doc", 7);
    check_attachment("mail__mime-bad-8bit-filename", "管理.doc", 7);
    check_attachment("mail__mime-unquoted-tspecials-param", "Invoice_(302232133150612).pdf", 524);
    check_attachment("mail__mime-duplicate-param", "Invoice_302232133150612.pdf", 524);
    check_attachment("mail__attachment-only", "favicon.jpg", 687);
    check_attachment("parts__bin-attach", "test.bin", 16);
}

#[test]
fn headers_of_enmime() {
    let recursed = raw("mail__qp-utf8-header-recursed");
    let mail = Mail::parse(&recursed, &Limits::default());
    assert_eq!(
        mail.from[1].name,
        "WirelessCaller (203) 402-5984 WirelessCaller (203) 402-5984 WirelessCaller (203) 402-5984"
    );
    let several = raw("mail__malformed-multiple-address-header-values");
    let mail = Mail::parse(&several, &Limits::default());
    assert_eq!(mail.from.len(), 2);
}
