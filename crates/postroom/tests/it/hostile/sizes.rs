//! Too much of everything: bytes, parts, depth, headers, recipients.

use super::*;

#[test]
fn a_mail_as_large_as_is_allowed() {
    let line = [b"0123456789abcdef".repeat(4).as_slice(), b"\r\n"].concat();
    let content = line.repeat(36_000_000 / line.len());
    let mail = attached("large", "filename=large.txt", "application/octet-stream", &content);
    let message = survives(&mail);
    assert_eq!(files(&message), [("large.txt".to_owned(), content.len() as i64)]);
}

#[test]
fn a_mail_larger_than_is_allowed() {
    let mail = format!("{}Subject: too large\r\n\r\n{}", headers("huge"), "0123456789\r\n".repeat(3_200_000));
    is_refused(mail.as_bytes(), 552);
}

#[test]
fn ten_thousand_parts() {
    let part =
        "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n";
    let mail = format!(
        "{}Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        headers("parts"),
        part.repeat(10_000)
    );
    let message = survives(mail.as_bytes());
    assert!(message["flags"].to_string().contains("only partly read"), "{message:#}");
    let count = files(&message).len();
    assert!((1..10_000).contains(&count), "{count} attachments");
}

#[test]
fn ten_thousand_multiparts_inside_each_other() {
    let mut mail =
        format!("{}Subject: depth\r\nContent-Type: multipart/mixed; boundary=b0\r\n\r\n", headers("depth"));
    for level in 0..10_000 {
        mail.push_str(&format!(
            "--b{level}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n",
            level + 1
        ));
    }
    mail.push_str("--b10000\r\n\r\nthe bottom\r\n");
    let message = survives(mail.as_bytes());
    assert!(message["flags"].to_string().contains("only partly read"), "{message:#}");
}

#[test]
fn ten_thousand_messages_inside_each_other() {
    let level = "Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n";
    let mail = format!("{}Subject: depth\r\n{}\r\nthe bottom\r\n", headers("nested"), level.repeat(10_000));
    survives(mail.as_bytes());
}

#[test]
fn a_hundred_thousand_headers() {
    let many: String = (0..100_000).map(|number| format!("X-Number-{number}: {number}\r\n")).collect();
    let mail = format!("{}Subject: before\r\n{many}\r\nHello\r\n", headers("headers"));
    let message = survives(mail.as_bytes());
    assert_eq!(text(&message["subject"]), "before");
}

#[test]
fn a_subject_of_a_megabyte() {
    let folded =
        format!("{}Subject: {}\r\n\r\nHello\r\n", headers("folded"), "word and word\r\n ".repeat(70_000));
    let one_line = format!("{}Subject: {}\r\n\r\nHello\r\n", headers("line"), "a".repeat(1 << 20));
    let encoded =
        format!("{}Subject: {}\r\n\r\nHello\r\n", headers("words"), "=?utf-8?Q?a?=\r\n ".repeat(70_000));
    let broken = format!("{}Subject: {}\r\n\r\nHello\r\n", headers("broken"), "=?utf-8?B?".repeat(100_000));
    let tokens =
        format!("{}Subject: {}\r\n\r\nHello\r\n", headers("tokens"), "CRM: {6f1ed002-".repeat(16_000));
    for mail in [folded, one_line, encoded, broken, tokens] {
        let message = survives(mail.as_bytes());
        assert!(text(&email(&message)["subject"]).encode_utf16().count() <= 800);
    }
}

#[test]
fn a_hundred_thousand_recipients_and_references() {
    let many: String = (0..100_000).map(|number| format!("r{number}@x.example,\r\n ")).collect();
    let ids: String = (0..100_000).map(|number| format!("<{number}@x.example>\r\n ")).collect();
    let recipients =
        format!("{}Cc: {many}last@x.example\r\nSubject: recipients\r\n\r\nHello\r\n", headers("recipients"));
    let references = format!(
        "{}References: {ids}<last@x.example>\r\nSubject: references\r\n\r\nHello\r\n",
        headers("references")
    );
    survives(recipients.as_bytes());
    survives(references.as_bytes());
}

#[test]
fn a_message_id_of_a_megabyte() {
    let mail = headers("id").replace("Message-ID: <id", &format!("Message-ID: <{}", "i".repeat(1 << 20)));
    survives(format!("{mail}Subject: id\r\n\r\nHello\r\n").as_bytes());
}

#[test]
fn nothing_at_all() {
    for mail in [
        b"".as_slice(),
        b"\r\n",
        b"\r\n\r\n\r\n",
        b":",
        b"no header, no body",
        b"From: \r\nTo:\r\nSubject:\r\nDate:\r\nMessage-ID:\r\n\r\n",
    ] {
        survives(mail);
    }
}
