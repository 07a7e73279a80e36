//! What is built reads back with our own parser; what could be smuggled in is refused.

use proptest::prelude::*;

use super::*;
use crate::mime::{Limits, Mail};

fn draft() -> Draft {
    Draft {
        from: Address::new("Sales", "sales@crm.example"),
        to: vec![Address::new("Anna Adler", "anna@customer.example")],
        subject: "Order 12".into(),
        date: Timestamp::from_second(1_736_150_400).unwrap(),
        message_id: "<pr1.x.y@crm.example>".into(),
        text: Some("Hello\n".into()),
        ..Draft::default()
    }
}

fn file(name: &str, content_type: &str, bytes: &[u8]) -> File {
    File {
        name: name.into(),
        content_type: content_type.into(),
        content_id: None,
        bytes: Bytes::copy_from_slice(bytes),
    }
}

/// Builds, checks what holds for every mail, and hands the raw text on.
#[track_caller]
fn built(draft: &Draft) -> Vec<u8> {
    let built = draft.build().unwrap_or_else(|error| panic!("{error}"));
    let text = &built.raw;
    assert_eq!(
        memchr::memchr_iter(b'\n', text).count(),
        text.windows(2).filter(|two| two == b"\r\n").count()
    );
    assert!(!text.contains(&0) && text.ends_with(b"\r\n"));
    assert!(text.split(|byte| *byte == b'\n').all(|line| line.len() <= 999), "a line is too long");
    let head = text.windows(4).position(|four| four == b"\r\n\r\n").expect("a blank line");
    assert_eq!(text[..head].is_ascii(), !built.smtputf8, "{}", String::from_utf8_lossy(text));
    assert!(text[head..].is_ascii());
    assert_eq!(built.raw, draft.build().unwrap().raw, "the same draft gives the same bytes");
    built.raw
}

#[track_caller]
fn check_subject(subject: &str) {
    let raw = built(&Draft { subject: subject.into(), ..draft() });
    assert_eq!(Mail::parse(&raw, &Limits::default()).subject, subject, "{}", String::from_utf8_lossy(&raw));
}

#[test]
fn subjects_come_back() {
    check_subject("Order 12");
    check_subject("Gr\u{fc}\u{df}e aus K\u{f6}ln");
    check_subject("double  space and =? a half word");
    check_subject(&"\u{65e5}\u{672c}\u{8a9e}".repeat(60));
    check_subject("word ".repeat(60).trim_end());
    check_subject(&"x".repeat(2000));
    check_subject("\u{1f600} party");
    check_subject("");
}

#[test]
fn a_token_stays_readable_in_the_raw_mail() {
    let subject = "R\u{e9}clamation CRM: {6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC";
    let raw = String::from_utf8(built(&Draft { subject: subject.into(), ..draft() })).unwrap();
    assert!(raw.contains("{6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11}:MRC"), "{raw}");
    check_subject(subject);
}

#[track_caller]
fn check_name(name: &str) {
    let raw = built(&Draft {
        to: vec![Address::new(name, "a@x.example"), Address::new("", "b@x.example")],
        ..draft()
    });
    let mail = Mail::parse(&raw, &Limits::default());
    assert_eq!(mail.to[0], Address::new(name, "a@x.example"), "{}", String::from_utf8_lossy(&raw));
    assert_eq!(mail.to[1], Address::new("", "b@x.example"));
}

#[test]
fn names_come_back() {
    check_name("Anna Adler");
    check_name("Adler, Anna \"the\" <boss>");
    check_name("J\u{f6}rg M\u{fc}ller (Vertrieb), GmbH");
    check_name("other@elsewhere.example");
    check_name(&"\u{5c71}\u{7530}".repeat(40));
    check_name(r"back\slash");
}

#[test]
fn what_would_forge_a_header_is_refused_by_name() {
    let evil = "x\r\nBcc: thief@x.example";
    let with = |change: &dyn Fn(&mut Draft)| {
        let mut draft = draft();
        change(&mut draft);
        match draft.build() {
            Err(ComposeError::Injection { field }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(&|draft| draft.subject = evil.into()), "Subject");
    assert_eq!(with(&|draft| draft.subject = "x\ny".into()), "Subject");
    assert_eq!(with(&|draft| draft.subject = "x\0y".into()), "Subject");
    assert_eq!(with(&|draft| draft.from.name = evil.into()), "From");
    assert_eq!(with(&|draft| draft.to[0].address = evil.into()), "To");
    assert_eq!(with(&|draft| draft.cc = vec![Address::new(evil, "a@x.example")]), "Cc");
    assert_eq!(with(&|draft| draft.sender = Some(Address::new(evil, "a@x.example"))), "Sender");
    assert_eq!(with(&|draft| draft.reply_to = vec![Address::new("", evil)]), "Reply-To");
    assert_eq!(with(&|draft| draft.message_id = evil.into()), "Message-ID");
    assert_eq!(with(&|draft| draft.references = vec![evil.into()]), "References");
    assert_eq!(with(&|draft| draft.in_reply_to = vec![evil.into()]), "In-Reply-To");
    assert_eq!(with(&|draft| draft.extra = vec![("X-A".into(), evil.into())]), "X-A");
    assert_eq!(with(&|draft| draft.attachments = vec![file(evil, "a/b", b"")]), "attachment name");
    assert_eq!(with(&|draft| draft.attachments = vec![file("a", evil, b"")]), "attachment type");
}

#[test]
fn other_faults_are_named() {
    let bad = Draft { to: vec![Address::new("", "no-at-sign")], ..draft() };
    assert!(matches!(bad.build(), Err(ComposeError::Address { field, .. }) if field == "To"));
    let bad = Draft { from: Address::default(), ..draft() };
    assert!(matches!(bad.build(), Err(ComposeError::Missing { field }) if field == "From"));
    let bad = Draft { message_id: "a b".into(), ..draft() };
    assert!(matches!(bad.build(), Err(ComposeError::MessageId { .. })));
    let bad = Draft { extra: vec![("X A".into(), "1".into())], ..draft() };
    assert!(matches!(bad.build(), Err(ComposeError::FieldName { .. })));
}

#[test]
fn parts_are_nested_only_where_needed() {
    let kinds = |draft: &Draft| {
        let raw = built(draft);
        let mail = Mail::parse(&raw, &Limits::default());
        mail.parts.iter().map(|part| part.content_type.clone()).collect::<Vec<_>>().join(" ")
    };
    let mut draft = draft();
    assert_eq!(kinds(&draft), "text/plain");
    draft.html = Some("<p>Hello</p>".into());
    assert_eq!(kinds(&draft), "multipart/alternative text/plain text/html");
    draft.inline = vec![File { content_id: Some("a@x".into()), ..file("a.png", "image/png", b"\x89PNG") }];
    assert_eq!(kinds(&draft), "multipart/related multipart/alternative text/plain text/html image/png");
    draft.attachments = vec![file("a.pdf", "application/pdf", b"%PDF")];
    assert_eq!(
        kinds(&draft),
        "multipart/mixed multipart/related multipart/alternative text/plain text/html image/png application/pdf"
    );
    draft.html = None;
    assert_eq!(kinds(&draft), "multipart/mixed text/plain image/png application/pdf");
}

#[test]
fn html_alone_gets_its_text() {
    let raw = built(&Draft { text: None, html: Some("<p>One</p><p>Zw\u{f6}lf</p>".into()), ..draft() });
    let mail = Mail::parse(&raw, &Limits::default());
    let text = mail.text_body().unwrap();
    assert!(text.contains("One") && text.contains("Zw\u{f6}lf"), "{text}");
    assert_eq!(mail.html_body().unwrap().trim_end(), "<p>One</p><p>Zw\u{f6}lf</p>");
}

#[track_caller]
fn check_file(name: &str, content_type: &str, bytes: &[u8], carried: &str) {
    let raw = built(&Draft { attachments: vec![file(name, content_type, bytes)], ..draft() });
    let mail = Mail::parse(&raw, &Limits::default());
    let part = mail.parts.iter().find(|part| part.disposition.as_deref() == Some("attachment")).expect("it");
    assert_eq!(part.file_name.as_deref().unwrap_or_default(), name, "{}", String::from_utf8_lossy(&raw));
    assert_eq!((part.content_type.as_str(), part.body.as_ref()), (carried, bytes));
}

#[test]
fn files_come_back() {
    check_file("offer.pdf", "application/pdf", b"%PDF-1.4\n\0\xff", "application/pdf");
    check_file("Angebot f\u{fc}r K\u{f6}ln.pdf", "application/pdf", b"1", "application/pdf");
    check_file(&format!("{}.txt", "sehr lang ".repeat(20)), "text/plain; charset=utf-8", b"1", "text/plain");
    check_file("quo\"te\\.txt", "text/plain", b"", "text/plain");
    check_file(&"\u{65e5}".repeat(80), "image/png", b"1", "image/png");
    check_file("", "not a type", b"1", "application/octet-stream");
    check_file("a.eml", "message/rfc822", b"Subject: x\r\n\r\nhi\xff\r\n", "application/octet-stream");
    check_file("a.eml", "message/rfc822", b"Subject: x\r\n\r\nhi\r\n", "message/rfc822");
}

#[test]
fn smtputf8_only_where_an_address_needs_it() {
    let mut draft = draft();
    draft.to[0] = Address::new("J\u{f6}rg", "j\u{f6}rg@b\u{fc}cher.example");
    assert!(draft.build().unwrap().smtputf8);
    built(&draft);
    draft.to[0] = Address::new("J\u{f6}rg", "joerg@b\u{fc}cher.example");
    assert!(!draft.build().unwrap().smtputf8);
    let raw = built(&draft);
    assert_eq!(Mail::parse(&raw, &Limits::default()).to[0].address, "joerg@xn--bcher-kva.example");
}

#[test]
fn threads_and_own_fields() {
    let references = (0..40).map(|n| format!("id{n}@some.long.host.example")).collect::<Vec<_>>();
    let draft = Draft {
        in_reply_to: vec!["id39@some.long.host.example".into()],
        references: references.clone(),
        extra: vec![("X-Postroom-Loop".into(), "x; 1".into())],
        sender: Some(Address::new("", "ben@crm.example")),
        ..draft()
    };
    let raw = built(&draft);
    let mail = Mail::parse(&raw, &Limits::default());
    assert_eq!(mail.references, references);
    assert_eq!(mail.in_reply_to, ["id39@some.long.host.example"]);
    assert_eq!(mail.message_id.as_deref(), Some("pr1.x.y@crm.example"));
    assert_eq!(mail.header("X-Postroom-Loop").as_deref(), Some("x; 1"));
    assert_eq!(mail.sender.unwrap().address, "ben@crm.example");
    assert_eq!(mail.date, Some(draft.date));
}

#[test]
fn nobody_named_is_said() {
    let raw = built(&Draft { to: Vec::new(), ..draft() });
    assert!(String::from_utf8(raw).unwrap().contains("\r\nTo: undisclosed-recipients:;\r\n"));
}

/// Text as a person writes it: no control characters, no white space that a header would not keep at its ends.
fn words() -> impl Strategy<Value = String> {
    "[ -~\u{a1}-\u{24f}\u{400}-\u{44f}\u{4e00}-\u{4e40}\u{1f600}-\u{1f610}]{0,120}"
        .prop_map(|text| text.trim().to_owned())
}

fn body() -> impl Strategy<Value = String> {
    prop::collection::vec("[ -~\u{a1}-\u{24f}\u{4e00}-\u{4e40}\t]{0,200}", 0..12)
        .prop_map(|lines| lines.join("\n"))
}

fn address() -> impl Strategy<Value = Address> {
    (words(), "[a-z0-9!#$%&'*+=?^_`{|}~-]{1,12}", "[a-z]{1,10}\\.example")
        // The reader takes quotes around a name for syntax, even escaped ones, as some programs write them.
        .prop_map(|(name, local, host)| {
            Address::new(name.trim_matches(['\'', '"', ' ']), format!("{local}@{host}"))
        })
}

fn files() -> impl Strategy<Value = Vec<File>> {
    let one = ("[ -~\u{a1}-\u{24f}\u{4e00}-\u{4e40}]{1,90}", prop::collection::vec(any::<u8>(), 0..300));
    let one = one.prop_map(|(name, bytes)| file(name.trim(), "application/pdf", &bytes));
    prop::collection::vec(one, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_built_parses_back(
        from in address(),
        to in prop::collection::vec(address(), 0..4),
        cc in prop::collection::vec(address(), 0..3),
        subject in words(),
        text in body(),
        html in prop::option::of(body()),
        attachments in files(),
    ) {
        let draft = Draft {
            from, to, cc, subject, attachments, html,
            text: Some(text),
            ..draft()
        };
        let raw = built(&draft);
        let mail = Mail::parse(&raw, &Limits::default());
        prop_assert_eq!(&mail.subject, &draft.subject);
        prop_assert_eq!(&mail.from, &vec![draft.from.clone()]);
        prop_assert_eq!(&mail.to, &draft.to);
        prop_assert_eq!(&mail.cc, &draft.cc);
        prop_assert!(mail.bcc.is_empty());
        let of = |kind: &str| {
            let part = mail.parts.iter().find(|part| part.content_type == kind);
            part.map(|part| mail.part_text(part.index).replace("\r\n", "\n"))
        };
        let ended = |text: &str| text.trim_end_matches('\n').to_owned();
        prop_assert_eq!(of("text/plain").map(|text| ended(&text)), draft.text.as_deref().map(ended));
        prop_assert_eq!(of("text/html").map(|text| ended(&text)), draft.html.as_deref().map(ended));
        let files: Vec<_> = mail.parts.iter().filter(|part| part.content_type == "application/pdf").collect();
        prop_assert_eq!(files.len(), draft.attachments.len());
        for (part, file) in files.iter().zip(&draft.attachments) {
            prop_assert_eq!(part.file_name.as_deref().unwrap_or_default(), file.name.as_str());
            prop_assert_eq!(part.body.as_ref(), file.bytes.as_ref());
        }
    }

    #[test]
    fn no_text_makes_another_header(text in any::<String>()) {
        let mut changed = draft();
        changed.subject = text.clone();
        changed.to[0].name = text.clone();
        changed.extra = vec![("X-A".into(), text)];
        if let Ok(built) = changed.build() {
            let names: Vec<String> = Mail::parse(&built.raw, &Limits::default()).headers.iter().map(|h| h.name.to_owned()).collect();
            prop_assert_eq!(names.join(" "), "Date From To Subject Message-ID X-A MIME-Version Content-Type Content-Transfer-Encoding");
        }
    }
}
