//! The reader and what it understands: Domino's transcripts, servers' odd manners, and any bytes at all.

use std::fs;
use std::path::Path;

use bytes::BytesMut;
use postroom_mail::imap::wire::{Condition, Limits, Malformed, Reader, Response, Token};
use postroom_mail::imap::{fetched, listed, namespaces, status};
use proptest::prelude::*;

/// All responses in `data`, fed in pieces.
fn read(data: &[u8], piece: usize) -> Result<Vec<Response>, Malformed> {
    let (mut reader, mut input, mut found) = (Reader::new(Limits::default()), BytesMut::new(), Vec::new());
    for part in data.chunks(piece.max(1)) {
        input.extend_from_slice(part);
        while let Some(response) = reader.take(&mut input)? {
            found.push(response);
        }
    }
    Ok(found)
}

#[track_caller]
fn tokens(line: &str) -> Vec<Token> {
    match read(format!("* {line}\r\n").as_bytes(), 4096).unwrap().remove(0) {
        Response::Data(tokens) => tokens,
        other => panic!("{line}: {other:?}"),
    }
}

fn transcript(name: &str) -> Vec<Response> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/domino-imap").join(name);
    read(&fs::read(path).unwrap(), 7).unwrap()
}

fn data(responses: &[Response]) -> Vec<&[Token]> {
    let mut found = Vec::new();
    for response in responses {
        if let Response::Data(tokens) = response {
            found.push(tokens.as_slice());
        }
    }
    found
}

#[test]
fn domino_transcripts() {
    let list = transcript("list-inbox.txt");
    let inbox = listed(data(&list)[0]).unwrap();
    assert_eq!((inbox.name.as_str(), inbox.delimiter), ("Inbox", Some('\\')));
    assert!(inbox.has("\\noinferiors") && inbox.can_be_opened());
    let names = namespaces(data(&transcript("namespace.txt"))[0]).unwrap();
    assert_eq!((names.others[0].prefix.as_str(), names.others[0].delimiter), ("Other\\", Some('\\')));
    assert_eq!((names.own[0].prefix.as_str(), names.shared[0].prefix.as_str()), ("", "Shared\\"));
    let fetches = transcript("fetch-extra-parens.txt");
    let uids: Vec<u32> = data(&fetches).iter().map(|tokens| fetched(tokens).unwrap().uid).collect();
    assert_eq!((uids.len(), uids[0], uids[1], uids[28]), (data(&fetches).len(), 14935, 14937, 14962));
    assert!(
        matches!(&transcript("greeting.txt")[0], Response::Status(status) if status.text.starts_with("Domino IMAP4"))
    );
}

#[test]
fn messages_are_found_by_their_words() {
    let all = "3 FETCH (FLAGS (\\Seen) UID 7 RFC822.SIZE 4 INTERNALDATE \"01-Feb-2026 10:00:00 +0000\" BODY[] {4}\r\nbody)";
    let found = fetched(&tokens(all)).unwrap();
    assert_eq!((found.uid, found.size, found.body.as_deref()), (7, Some(4), Some(&b"body"[..])));
    assert_eq!(found.date.unwrap().to_string(), "2026-02-01T10:00:00Z");
    let first = fetched(&tokens("1 FETCH (BODY[]<0> \"UID 9\" UID 8)")).unwrap();
    assert_eq!((first.uid, first.body.as_deref()), (8, Some(&b"UID 9"[..])));
    assert_eq!(fetched(&tokens("1 FETCH (UID 8 BODY[] NIL)")).unwrap().body, None);
    assert_eq!(
        fetched(&tokens("1 FETCH (UID 8 INTERNALDATE \"00-Jan-0000 00:00:00 +0000\")")).unwrap().date,
        None
    );
    assert_eq!(fetched(&tokens("1 FETCH (FLAGS (\\Seen))")), None);
    assert_eq!(fetched(&tokens("1 EXISTS")), None);
    let inside = "1 FETCH (UID 5 BODY[HEADER.FIELDS (DATE FROM)] {2}\r\n\r\n)";
    assert_eq!(fetched(&tokens(inside)).unwrap().body.as_deref(), Some(&b"\r\n"[..]));
}

#[test]
fn names_come_in_every_dress() {
    let name = |line: &str| listed(&tokens(line)).unwrap().name;
    assert_eq!(name("LIST () \"/\" {5}\r\nA \"B\""), "A \"B\"");
    assert_eq!(name("LIST (\\HasNoChildren) \".\" \"Entw&APw-rfe\""), "Entwürfe");
    assert_eq!(name("LIST (\\Noselect) NIL Public"), "Public");
    assert_eq!(name("LIST () \"\\\\\" \"Other\\\\anna\\\\Inbox\""), "Other\\anna\\Inbox");
    assert_eq!(status(&tokens("STATUS \"UIDNEXT (x\" (UIDNEXT 5 UIDVALIDITY 9)")).unwrap().uid_next, Some(5));
}

#[test]
fn status_lines() {
    let read = read(b"p1 no [TRYCREATE] none {5}\r\n* ok [UIDNEXT 7] hi\n+ \r\nrubbish\r\n", 3).unwrap();
    let Response::Status(first) = &read[0] else { panic!("{read:?}") };
    assert_eq!(
        (first.tag.as_deref(), first.condition, first.code_name()),
        (Some("p1"), Condition::No, "TRYCREATE")
    );
    assert_eq!(first.text, "none {5}");
    assert!(matches!(&read[1], Response::Status(status) if status.code_number("UIDNEXT") == Some(7)));
    assert_eq!(read[2..], [Response::Continue(String::new()), Response::Junk]);
}

#[test]
fn what_is_too_much_ends_it() {
    let limits = Limits { line: 50, literal: 100, response: 150 };
    let check = |bytes: &[u8]| Reader::new(limits).take(&mut BytesMut::from(bytes));
    assert_eq!(check(&[b'a'; 51]), Err(Malformed::Line(50)));
    assert_eq!(check(b"* 1 FETCH (BODY[] {101}\r\n"), Err(Malformed::Literal(101)));
    assert_eq!(
        check(b"* 1 FETCH (BODY[] {99999999999999999999}\r\n"),
        Ok(Some(tokens_of("1 FETCH (BODY[] {99999999999999999999}")))
    );
    let two = [&b"* 1 FETCH (A {100}\r\n"[..], &[b'x'; 100], b" B {100}\r\n"].concat();
    assert_eq!(check(&two), Err(Malformed::Response(150)));
}

#[test]
fn the_fuzz_corpus_reads_alike_in_any_pieces() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/imap");
    let files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let data = fs::read(&file).unwrap();
        assert!(
            [1, 2, 7].iter().all(|piece| read(&data, *piece) == read(&data, data.len())),
            "{}",
            file.display()
        );
    }
}

fn tokens_of(line: &str) -> Response {
    Response::Data(tokens(line))
}

proptest! {
    /// How the bytes were cut into packets does not matter, and nothing panics.
    #[test]
    fn packets_do_not_matter(data in proptest::collection::vec(prop_oneof![
        Just(b"* ".to_vec()), Just(b"\r\n".to_vec()), Just(b"{3}\r\nabc".to_vec()), Just(b"(\"".to_vec()),
        Just(b" FETCH UID 7 ".to_vec()), Just(b"BODY[".to_vec()), Just(b"\\".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ], 0..30), piece in 1_usize..20) {
        let data = data.concat();
        let whole = read(&data, data.len());
        prop_assert_eq!(&read(&data, piece), &whole);
        for response in whole.into_iter().flatten() {
            if let Response::Data(tokens) = response {
                let _ = (fetched(&tokens), listed(&tokens), namespaces(&tokens), status(&tokens));
            }
        }
    }

    /// A literal comes back byte for byte, and what stands behind it too.
    #[test]
    fn literals_are_exact(body in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        let line = [format!("* 1 FETCH (BODY[] {{{}}}\r\n", body.len()).as_bytes(), &body, b" UID 9)\r\n* 2 EXISTS\r\n"].concat();
        let found = read(&line, piece).unwrap();
        prop_assert_eq!(found.len(), 2);
        let message = fetched(data(&found)[0]).unwrap();
        prop_assert_eq!((message.uid, message.body.as_deref()), (9, Some(body.as_slice())));
    }
}
