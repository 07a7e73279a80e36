//! Each trap of mail in one line: headers, structure, choice of body, attachments.

use postroom_formats::mime::{Limit, Limits, Mail, PartKind, scan_headers};

fn parse(raw: &[u8]) -> Mail<'_> {
    Mail::parse(raw, &Limits::default())
}

#[track_caller]
fn check_subject(raw: &[u8], expected: &str) {
    assert_eq!(parse(raw).subject, expected);
    assert_eq!(
        parse(
            &raw.iter()
                .flat_map(|b| if *b == b'\n' { vec![b'\r', b'\n'] } else { vec![*b] })
                .collect::<Vec<_>>()
        )
        .subject,
        expected
    );
}

#[test]
fn subjects() {
    check_subject(b"Subject: plain\n\n", "plain");
    check_subject(b"Subject:\n\n", "");
    check_subject(b"X: y\n\n", "");
    check_subject(b"Subject: a CRM: {0f\n 1c}:MRC\n\n", "a CRM: {0f 1c}:MRC");
    check_subject(b"Subject: =?utf-8?Q?CRM=3A_=7B0f1c?=\n =?utf-8?Q?2d=7D=3AM?=RC\n\n", "CRM: {0f1c2d}:MRC");
    check_subject(b"Subject: =?utf-8?Q?lost\n\tindent?=\nX-Y: z\n\n", "lost indent");
    check_subject(b"Subject: a\0b\n\n", "ab");
}

#[test]
fn raw_8bit_subjects() {
    check_subject("Subject: Grüße\n\n".as_bytes(), "Grüße");
    check_subject(b"Subject: Gr\xfc\xdfe aus K\xf6ln\n\n", "Grüße aus Köln");
    check_subject(b"Subject: \xcf\xf0\xe8\nContent-Type: text/plain; charset=windows-1251\n\n", "При");
    check_subject(
        b"Subject: \xcf\xf0\xe8\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=windows-1251\n\nx\n--b--\n",
        "При",
    );
    check_subject(b"Subject: \x1b$B$3$s\x1b(B\n\n", "こん");
}

/// The parts as indented `kind type "text"`, for LF and CRLF alike.
fn tree(raw: &str) -> String {
    let mail = parse(raw.as_bytes());
    let mut lines = Vec::new();
    let mut depths: Vec<usize> = Vec::new();
    for part in &mail.parts {
        let depth = part.parent.map_or(0, |parent| depths[usize::try_from(parent).unwrap()] + 1);
        depths.push(depth);
        let text = match part.kind {
            PartKind::Leaf => format!("{:?}", String::from_utf8_lossy(&part.body).replace("\r\n", "\n")),
            kind => format!("{kind:?}"),
        };
        lines.push(format!("{}{} {text}", ".".repeat(depth), part.content_type));
    }
    lines.join("|")
}

#[track_caller]
fn check_tree(raw: &str, expected: &str) {
    assert_eq!(tree(raw), expected);
    assert_eq!(tree(&raw.replace('\n', "\r\n")), expected, "with CRLF");
    assert_eq!(tree(&raw.replace('\n', "\r")), expected.replace("\\n", "\\r"), "with CR");
}

#[test]
fn boundaries() {
    check_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b\n\nb\n--b--\n",
        r#"multipart/mixed Multipart|.text/plain "a"|.text/plain "b""#,
    );
    check_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n",
        r#"multipart/mixed Multipart|.text/plain "a\n""#,
    );
    check_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n --b\nx--b\n--bc\n--b--",
        r#"multipart/mixed Multipart|.text/plain "a\n --b\nx--b\n--bc""#,
    );
    check_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b  \n\na\n--b\t\n\nb\n--b-- x\n--b\n",
        r#"multipart/mixed Multipart|.text/plain "a"|.text/plain "b""#,
    );
    check_tree(
        "Content-Type: multipart/mixed\n\nhello\n--x1\nContent-Type: text/html\n\na\n--x1--\n",
        r#"multipart/mixed Multipart|.text/html "a""#,
    );
    check_tree(
        "Content-Type: multipart/mixed; boundary=\"\"\n\nhello\n",
        r#"multipart/mixed Multipart|.text/plain "hello\n""#,
    );
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n--b--\n", "multipart/mixed Multipart");
    check_tree("Content-Type: multipart/mixed; boundary=b\n\n", "multipart/mixed Multipart");
}

#[test]
fn nested_boundaries() {
    let inner =
        |b: &str| format!("Content-Type: multipart/alternative; boundary=\"{b}\"\n\n--{b}\n\na\n--{b}--\n");
    let both =
        r#"multipart/mixed Multipart|.multipart/alternative Multipart|..text/plain "a"|.text/plain "z""#;
    let outer = |b: &str, inner: &str| {
        format!("Content-Type: multipart/mixed; boundary=\"{b}\"\n\n--{b}\n{inner}--{b}\n\nz\n--{b}--\n")
    };
    check_tree(&outer("b", &inner("c")), both);
    check_tree(&outer("b", &inner("bc")), both); // one begins the other
    check_tree(&outer("bc", &inner("b")), both);
    check_tree(&outer("b", &inner("b--")), both);
    check_tree(&outer("b", &inner("b")), both); // both the same
    check_tree(&outer("b", "Content-Type: multipart/alternative; boundary=c\n\n--c\n\na\n"), both); // the inner never closes
    check_tree(&outer("b", "Content-Type: multipart/alternative; boundary=c\n\na\n"), both); // nor begins
}

#[test]
fn mails_in_mails() {
    check_tree(
        "Content-Type: message/rfc822\n\nSubject: x\n\na\n",
        r#"message/rfc822 Message|.text/plain "a\n""#,
    );
    let encoded = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKYQo=\n";
    assert_eq!(tree(encoded), r#"message/rfc822 Message|.text/plain "a\n""#);
    check_tree(
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\na\n--b--\n",
        r#"multipart/digest Multipart|.message/rfc822 Message|..text/plain "a""#,
    );
    check_tree(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\na\n--b\n\nz\n--b--\n",
        r#"multipart/mixed Multipart|.message/rfc822 Message|..multipart/mixed Multipart|...text/plain "a"|.text/plain "z""#,
    );
    let mail = b"Content-Type: message/rfc822\n\nSubject: inner\n\na\n";
    assert_eq!(parse(mail).embedded(0), Some(&b"Subject: inner\n\na\n"[..]));
    assert_eq!(parse(mail).embedded(1), None);
    assert_eq!(parse(mail).attachments()[0].name, "inner.eml");
}

#[test]
fn content_types() {
    let check = |value: &str, expected: &str| {
        let raw = format!("Content-Type: {value}\n\nx");
        assert_eq!(parse(raw.as_bytes()).parts[0].content_type, expected, "{value}");
    };
    check("", "text/plain");
    check("text", "text/plain");
    check("TEXT/HTML", "text/html");
    check("html", "text/html");
    check("text/plain charset=utf-8", "text/plain");
    check("text/ plain", "text/plain");
    check("application/x-y+z; a=b", "application/x-y+z");
    check("not a type", "text/plain");
}

/// A multipart of the given parts (header and body each).
fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--{boundary}\n{part}\n")).collect();
    format!("Content-Type: multipart/{kind}; boundary={boundary}\n\n{parts}--{boundary}--\n")
}

const TEXT: &str = "Content-Type: text/plain\n\ntext";
const HTML: &str = "Content-Type: text/html\n\n<p>html</p>";
const IMAGE: &str = "Content-Type: image/png; name=i.png\nContent-ID: <i@x>\n\nxxx";
const FILE: &str = "Content-Type: application/pdf; name=f.pdf\nContent-Disposition: attachment\n\nxxxx";

/// Text body, HTML body, names of attachments (inline ones with a star).
#[track_caller]
fn check_body(raw: &str, text: &str, html: &str, attached: &str) {
    let mail = parse(raw.as_bytes());
    assert_eq!(mail.text_body().unwrap_or("-".to_owned()).trim_end(), text);
    assert_eq!(mail.html_body().unwrap_or("-".to_owned()), html);
    let star = |inline| if inline { "*" } else { "" };
    let names: Vec<_> = mail.attachments().iter().map(|a| format!("{}{}", a.name, star(a.inline))).collect();
    assert_eq!(names.join(" "), attached);
}

#[test]
fn bodies() {
    check_body(TEXT, "text", "-", "");
    check_body(HTML, "html", "<p>html</p>", "");
    check_body(&multipart("alternative", "b", &[TEXT, HTML]), "text", "<p>html</p>", "");
    check_body(&multipart("alternative", "b", &[HTML]), "html", "<p>html</p>", "");
    let related = multipart("related", "c", &[HTML, IMAGE]);
    check_body(&related, "html", "<p>html</p>", "i.png*");
    let alternative = multipart("alternative", "b", &[TEXT, &related]);
    check_body(&alternative, "text", "<p>html</p>", "i.png*");
    check_body(&multipart("mixed", "a", &[&alternative, FILE]), "text", "<p>html</p>", "i.png* f.pdf");
    let mixed = multipart("mixed", "d", &[HTML, FILE]);
    check_body(&multipart("alternative", "b", &[TEXT, &mixed]), "text", "<p>html</p>", "f.pdf");
    check_body(&multipart("mixed", "a", &[TEXT, TEXT]), "text\ntext", "-", "");
    check_body(&multipart("mixed", "a", &[HTML, HTML]), "html\nhtml", "<p>html</p>\n<p>html</p>", "");
    check_body(
        &multipart("alternative", "b", &["Content-Type: text/plain\n\n \n", HTML]),
        "html",
        "<p>html</p>",
        "",
    );
    check_body("Content-Type: text/enriched\n\nrich", "rich", "-", "");
    check_body("Content-Type: image/png\n\nx", "-", "-", "attachment.png");
}

#[test]
fn attachments() {
    let named = "Content-Type: text/plain; name=notes.txt\nContent-Disposition: attachment\n\nnotes";
    check_body(&multipart("mixed", "a", &[TEXT, named]), "text", "-", "notes.txt");
    let calendar = "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR";
    check_body(&multipart("alternative", "a", &[TEXT, calendar]), "text", "-", "attachment.ics");
    let signature = "Content-Type: application/pgp-signature; name=signature.asc\n\nsig";
    check_body(&multipart("signed", "a", &[TEXT, signature]), "text", "-", "signature.asc");
    let version = "Content-Type: application/pgp-encrypted\n\nVersion: 1";
    let secret = "Content-Type: application/octet-stream; name=encrypted.asc\n\nxx";
    check_body(&multipart("encrypted", "a", &[version, secret]), "-", "-", "attachment.asc encrypted.asc");
    check_body("Content-Type: application/pkcs7-mime; name=smime.p7m\n\nxx", "-", "-", "smime.p7m");
    let status = "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x";
    let returned = "Content-Type: message/rfc822\n\nSubject: re/turned\n\ninner text";
    check_body(
        &multipart("report", "a", &[TEXT, status, returned]),
        "text",
        "-",
        "attachment.txt re_turned.eml",
    );
    check_body(
        &multipart(
            "related; start=\"<h@x>\"",
            "a",
            &[IMAGE, "Content-Type: text/html\nContent-ID: <h@x>\n\n<p>html</p>"],
        ),
        "html",
        "<p>html</p>",
        "i.png*",
    );
}

#[test]
fn flowed_text() {
    check_body(
        "Content-Type: text/plain; format=flowed\n\nsoft \nbreak\n> quo \n> ted\n-- \nsig\n",
        "soft break\n> quo ted\n-- \nsig",
        "-",
        "",
    );
    check_body("Content-Type: text/plain; format=flowed; delsp=yes\n\nsoft \nbreak\n", "softbreak", "-", "");
}

#[test]
fn ids_and_addresses() {
    let mail = parse(b"Message-ID: <A.b@HOST.Example>\nIn-Reply-To: <x@y>\nReferences: <1@y>\n <2@Y>\nFrom: a@b\nFrom: c@d\nTo: undisclosed-recipients:;\nCc: <>\nSender: S <s@x>\n\n");
    assert_eq!(mail.message_id.as_deref(), Some("A.b@host.example"));
    assert_eq!(mail.in_reply_to, ["x@y"]);
    assert_eq!(mail.references, ["1@y", "2@y"]);
    assert_eq!(mail.from.len(), 2);
    assert!(mail.to.is_empty() && mail.cc.is_empty() && mail.bcc.is_empty());
    assert_eq!(mail.sender.unwrap().to_string(), "S <s@x>");
}

#[test]
fn headers_by_name() {
    let mail = parse(b"X-A: 1\nx-a: =?utf-8?Q?2?=\n\n");
    assert_eq!(mail.header("x-A").as_deref(), Some("1"));
    assert_eq!(mail.headers_named("X-A").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(mail.header("X-B"), None);
}

#[test]
fn limits() {
    let parts = |count: usize| multipart("mixed", "b", &vec![TEXT; count]);
    assert_eq!(parse(parts(999).as_bytes()).truncated, None);
    let many = parts(5000);
    let mail = parse(many.as_bytes());
    assert_eq!((mail.parts.len(), mail.truncated), (1000, Some(Limit::Parts)));
    let large = format!("Subject: kept\nX: {}\nTo: a@b\n\nbody", "x".repeat(300 * 1024));
    let mail = parse(large.as_bytes());
    assert_eq!((mail.subject.as_str(), mail.truncated), ("kept", Some(Limit::HeaderBytes)));
    assert_eq!(mail.text_body().as_deref(), Some("body"));
    assert_eq!(scan_headers(large.as_bytes()).truncated, Some(Limit::HeaderBytes));
}
