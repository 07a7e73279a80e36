//! Mails made to hurt: bombs stay flat and quick, and no bytes make any entry point panic.

use std::io::BufReader;
use std::thread;

use postroom_formats::mbox::{Mbox, Quoting, is_mbox};
use postroom_formats::mime::{self, Limit, Limits, Mail, scan_headers};
use proptest::prelude::*;

use crate::enmime::mails;

/// Calls everything that reads bytes.
fn read_all(raw: &[u8]) -> Option<Limit> {
    let mail = Mail::parse(raw, &Limits::default());
    for part in &mail.parts {
        assert!(part.parent.is_none_or(|parent| parent < part.index));
        let _ = mail.part_text(part.index);
    }
    for header in &mail.headers {
        assert!(!header.text().contains(['\r', '\n', '\0']));
    }
    let _ = (mail.text_body(), mail.html_body(), mail.attachments());
    let _ = (scan_headers(raw), is_mbox(raw));
    let kept: usize = Mbox::new(BufReader::new(raw), Quoting::Mboxrd, 1 << 20)
        .map(|item| item.map_or(0, |m| m.raw.len()))
        .sum();
    assert!(kept <= raw.len());
    mail.truncated
}

/// On a stack so small that recursion over the input would break it.
fn check_flat(raw: Vec<u8>, expected: Option<Limit>) {
    let reader = thread::Builder::new().stack_size(512 * 1024).spawn(move || read_all(&raw)).unwrap();
    assert_eq!(reader.join().unwrap(), expected);
}

#[test]
fn nesting_bombs() {
    check_flat(b"Content-Type: message/rfc822\r\n\r\n".repeat(100_000), Some(Limit::Depth));
    let multiparts: String =
        (0..20_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
    check_flat(multiparts.into_bytes(), Some(Limit::Depth));
    let same = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(20_000);
    // Here each inner part takes the next boundary for its own, up to the depth; then they are parts of the innermost.
    check_flat(same.into_bytes(), Some(Limit::Parts));
}

/// mail-parser 0.11.9 looks for each of these boundaries up to the end of the mail: seconds for 500 KB.
#[test]
fn boundaries_that_never_come() {
    let parts: String = (0..990)
        .map(|n| format!("--b\nContent-Type: multipart/mixed; boundary=z{n}\n\n{}\n", "-- x\n".repeat(200)))
        .collect();
    check_flat(
        format!("Content-Type: multipart/mixed; boundary=b\n\n{parts}").into_bytes(),
        Some(Limit::Parts),
    );
}

#[test]
fn part_and_header_bombs() {
    check_flat(
        format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n".repeat(300_000)).into_bytes(),
        Some(Limit::Parts),
    );
    check_flat("a:\n".repeat(300_000).into_bytes(), Some(Limit::HeaderBytes));
    check_flat(format!("A: b\n{}", "junk without colon\n".repeat(50_000)).into_bytes(), None);
    check_flat(format!("A: b\n{}", " \n".repeat(200_000)).into_bytes(), Some(Limit::HeaderBytes));
    check_flat("\n".repeat(1_000_000).into_bytes(), None);
}

/// Values on which a careless scanner goes back and forth.
#[test]
fn field_bombs() {
    for piece in [
        "=?a?Q?",
        "=?utf-8?B?YQ",
        "=?=?",
        "?=",
        "<",
        "(",
        "\"",
        "a:",
        "@:",
        ",",
        "\\",
        "=?utf-8?Q?=3D=3F",
        "a=\"",
        ";a*0*=",
        "'",
    ] {
        let value = piece.repeat(100_000 / piece.len());
        let fields =
            ["Subject", "From", "Message-ID", "References", "Date", "Content-Type", "Content-Disposition"];
        for field in fields {
            let end = if field == "Content-Type" { "text/plain; " } else { "" };
            check_flat(format!("{field}: {end}{value}\n\nx").into_bytes(), None);
        }
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = mails("enmime")
        .into_iter()
        .chain(mails("mime4j"))
        .map(|(_, raw)| raw)
        .filter(|raw| raw.len() < 20_000)
        .collect();
    let change = (any::<prop::sample::Index>(), 0..6_u8, any::<u8>(), 0..300_usize);
    (prop::sample::select(all), prop::collection::vec(change, 0..8)).prop_map(|(mut raw, changes)| {
        for (at, kind, byte, length) in changes {
            if raw.is_empty() {
                break;
            }
            let at = at.index(raw.len());
            let end = (at + length).min(raw.len());
            match kind {
                0 => raw.truncate(at),
                1 => raw[at] = byte,
                2 => drop(raw.drain(at..end)),
                3 => raw.splice(at..at, raw[at..end].to_vec()).for_each(drop),
                4 => raw.insert(at, b"\r\n-;\"=?<(\0"[usize::from(byte % 10)]),
                _ => raw.rotate_left(at),
            }
        }
        raw
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(raw in prop::collection::vec(any::<u8>(), 0..2000)) {
        read_all(&raw);
    }

    #[test]
    fn real_mail_changed(raw in mutated()) {
        read_all(&raw);
    }

    #[test]
    fn any_text(text in "[ -~äß\u{a0}東\r\n\t]{0,60}|(=\\?|\\?=|utf-8|\\?[QB]\\?|=[0-9A-F]{2}|[a-z ,;:@<>\"()'*%=])*") {
        let _ = (mime::parse_addresses(&text), mime::message_ids(&text), mime::parse_date(&text));
        let words = mime::decode_words(&text);
        prop_assert!(!words.contains(['\r', '\n', '\0']));
        let name = mime::safe_file_name(&text);
        prop_assert!(!name.is_empty() && !name.contains(['/', '\\']) && name.chars().count() <= 201);
        prop_assert_eq!(mime::safe_file_name(&name), name.clone());
    }

    #[test]
    fn any_charset(raw in prop::collection::vec(any::<u8>(), 0..300), label in prop::sample::select(LABELS)) {
        prop_assert!(!mime::decode_charset(&raw, Some(label)).contains('\0'));
    }

    /// What was written as mboxrd reads back, and each offset starts its message.
    #[test]
    fn mbox_reads_back(bodies in prop::collection::vec("(From a|>From b 10:00|>>From|x|\n|\r\n){0,20}", 1..6)) {
        let mut file = String::new();
        let mails: Vec<String> = bodies.iter().map(|body| format!("X: y\n\n{body}\n")).collect();
        for mail in &mails {
            file.push_str("From a@b Thu Jan  1 00:00:00 1970\n");
            for line in mail.split_inclusive('\n') {
                let quoted = line.trim_start_matches('>').starts_with("From ");
                file.push_str(if quoted { ">" } else { "" });
                file.push_str(line);
            }
            file.push('\n');
        }
        let read: Vec<_> = Mbox::new(file.as_bytes(), Quoting::Mboxrd, 10_000).map(Result::unwrap).collect();
        prop_assert_eq!(read.iter().map(|m| String::from_utf8_lossy(&m.raw).into_owned()).collect::<Vec<_>>(), mails);
        for message in &read {
            let start = usize::try_from(message.offset).unwrap();
            let mut again = Mbox::resume(&file.as_bytes()[start..], Quoting::Mboxrd, 10_000, message.offset);
            prop_assert_eq!(&again.next().unwrap().unwrap(), message);
        }
    }
}

const LABELS: &[&str] = &[
    "utf-8",
    "utf-7",
    "us-ascii",
    "iso-8859-1",
    "iso-8859-8-i",
    "iso-2022-jp",
    "iso-2022-kr",
    "hz-gb-2312",
    "gb2312",
    "big5",
    "shift_jis",
    "euc-jp",
    "ks_c_5601-1987",
    "cp850",
    "utf-16",
    "utf-16le",
    "koi8-r",
    "macintosh",
    "windows-874",
    "x-unknown",
    "",
];
