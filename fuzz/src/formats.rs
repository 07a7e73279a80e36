//! Entry points into `postroom-formats`. A stable test replays every corpus through them.

use std::io::Cursor;

use postroom_formats::mbox::{Mbox, Quoting};
use postroom_formats::mime::{Limits, Mail, scan_headers};
use postroom_formats::odata::{MAX_TEXT, batch, options::Options, path, prefer::Preferences};
use postroom_formats::{dsn, html, tnef};

/// What the fuzzer calls with its bytes.
pub type Entry = fn(&[u8]);

/// The targets by name: how a corpus folder finds its function.
pub const TARGETS: &[(&str, Entry)] = &[
    ("mime", mime),
    ("headers", headers),
    ("mbox", mbox),
    ("dsn", report),
    ("tnef", winmail),
    ("html", markup),
    ("odata", web_api),
];

/// Reads a mail and everything that can be asked of it.
pub fn mime(data: &[u8]) {
    let mail = Mail::parse(data, &Limits::default());
    let (_, _) = (mail.text_body(), mail.html_body());
    for attachment in mail.attachments() {
        assert!(!attachment.name.is_empty(), "an attachment has a name");
        assert!(!attachment.name.contains(['/', '\\', '\0']), "an attachment's name is no path");
    }
    for part in &mail.parts {
        let _ = mail.part_text(part.index);
        assert!(part.parent.is_none_or(|parent| parent < part.index), "a part stands behind its parent");
    }
}

/// Reads the header fields alone; they are those of the whole mail.
pub fn headers(data: &[u8]) {
    let (fields, mail) = (scan_headers(data), Mail::parse(data, &Limits::default()));
    assert_eq!(fields.message_id, mail.message_id, "both ways of reading find the same Message-ID");
    assert_eq!(fields.date, mail.date, "both ways of reading find the same date");
}

/// Reads a mailbox file to its end.
pub fn mbox(data: &[u8]) {
    for quoting in [Quoting::Mboxrd, Quoting::Mboxo] {
        let mut last = None;
        for message in Mbox::new(Cursor::new(data), quoting, 1 << 20).flatten() {
            assert!(last.is_none_or(|last| last < message.offset), "offsets rise");
            last = Some(message.offset);
        }
    }
}

/// Reads a report about an earlier mail.
pub fn report(data: &[u8]) {
    let _ = dsn::read(&Mail::parse(data, &Limits::default()));
}

/// Decodes a winmail.dat.
pub fn winmail(data: &[u8]) {
    let limits = tnef::Limits::default();
    assert!(tnef::is_tnef(data) || tnef::decode(data, &limits).is_err(), "what is no TNEF file is refused");
}

/// Cleans HTML; what is clean stays as it is, and nothing that runs is left.
pub fn markup(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let clean = html::clean(&text);
    assert!(!clean.to_ascii_lowercase().contains("<script"), "no script is left: {clean}");
    let _ = html::to_text(&clean);
}

/// The Web API's language: the bytes are a URL, a preference, and a batch with its content type as the first line.
pub fn web_api(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let resource = path::resource(&text);
    if let Ok(path) = path::Path::parse(resource.path) {
        let keys = path.segments.iter().filter_map(|segment| segment.key().ok().flatten());
        for key in keys {
            // Escaping may make it longer than what is read.
            let url = format!("x{}", key.to_url());
            let again = path::Path::parse(&url);
            assert!(again.is_ok() || url.len() > MAX_TEXT, "a key that was read can be written");
        }
    }
    let _ = (Options::parse(resource.query), Preferences::parse([text.as_ref()]).to_string());
    if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        let (kind, body) = (String::from_utf8_lossy(&data[..end]), &data[end + 1..]);
        let _ = (batch::read_requests(&kind, body), batch::read_responses(&kind, body));
    }
}
