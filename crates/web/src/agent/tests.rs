//! Kernels made into mail and read back by the parser that reads all mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_formats::mime::{Limits, Mail};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::kernel::Kernel;
use crate::problem::Problem;

fn build(kernel: &Value) -> Result<Vec<u8>, Problem> {
    let kernel: Kernel = serde_json::from_value(kernel.clone()).unwrap();
    kernel.into_mail().map(|posted| posted.raw.to_vec())
}

/// A reader sees one space where any white space was folded or encoded; that is all that may change.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned()
}

/// Text a person might write, with no control characters.
fn words() -> impl Strategy<Value = String> {
    "[ -~äöüßéñЖ漢🙂]{0,120}"
        .prop_filter("an encoded word in the input is decoded, as it should be", |text| !text.contains("=?"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn subjects_come_back(subject in words()) {
        let raw = build(&json!({ "headers": [["Subject", subject]] })).unwrap();
        let mail = Mail::parse(&raw, &Limits::default());
        prop_assert_eq!(spaced(&mail.subject), spaced(&subject));
    }

    #[test]
    fn names_and_addresses_come_back(name in "[A-Za-zäöüß漢][A-Za-zäöüß漢., ]{0,40}", user in "[a-z]{1,10}") {
        let quoted = format!("\"{name}\" <{user}@x.example>");
        let raw = build(&json!({ "headers": [["From", quoted], ["To", format!("{quoted}, b@x.example")]] })).unwrap();
        let mail = Mail::parse(&raw, &Limits::default());
        prop_assert_eq!(spaced(&mail.from[0].name), spaced(&name));
        prop_assert_eq!(&mail.from[0].address, &format!("{user}@x.example"));
        prop_assert_eq!(mail.to.len(), 2);
    }

    #[test]
    fn bodies_and_files_come_back(
        text in proptest::option::of("[ -~\nä漢]{0,400}"),
        html in proptest::option::of("<p>[a-zä ]{0,200}</p>"),
        files in proptest::collection::vec(("[A-Za-zäß漢][A-Za-z0-9äß漢_-]{0,90}", proptest::collection::vec(any::<u8>(), 0..400)), 0..4),
    ) {
        let attachments: Vec<Value> = files.iter().map(|(name, bytes)| json!({
            "name": format!("{name}.bin"), "type": "application/octet-stream", "content": STANDARD.encode(bytes)
        })).collect();
        let kernel = json!({ "headers": [["Subject", "x"]], "text": text, "html": html, "attachments": attachments });
        let raw = build(&kernel).unwrap();
        prop_assert_eq!(&raw, &build(&kernel).unwrap());
        prop_assert!(raw.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
        let mail = Mail::parse(&raw, &Limits::default());
        if let Some(text) = text.as_ref().filter(|text| html.is_none() || !text.trim().is_empty()) {
            prop_assert_eq!(text_lines(&mail.text_body().unwrap_or_default()), text_lines(text));
        }
        if let Some(html) = &html {
            prop_assert_eq!(text_lines(&mail.html_body().unwrap_or_default()), html.clone());
        }
        let read = mail.attachments();
        prop_assert_eq!(read.len(), files.len());
        for (file, (name, bytes)) in read.iter().zip(&files) {
            prop_assert_eq!(&file.name, &format!("{name}.bin"));
            prop_assert_eq!(&*mail.parts[file.part as usize].body, &bytes[..]);
        }
    }

    #[test]
    fn no_value_makes_another_header(name in "\\PC{0,20}|[ -~\r\n\0]{0,20}", value in "[ -~\r\n\0ä\u{85}\u{2028}]{0,60}") {
        let kernel = json!({ "headers": [["Subject", "x"], [name, value], ["Comments", value]] });
        if let Ok(raw) = build(&kernel) {
            let mail = Mail::parse(&raw, &Limits::default());
            let known = ["subject", "comments", "mime-version", "content-type", "content-transfer-encoding"];
            for header in &mail.headers {
                let lower = header.name.to_lowercase();
                prop_assert!(known.contains(&lower.as_str()) || lower == name.to_lowercase(), "{}", header.name);
            }
        }
    }

    #[test]
    fn no_input_panics(kernel in any::<String>()) {
        let _ = serde_json::from_str::<Kernel>(&kernel).map(Kernel::into_mail);
    }
}

#[test]
fn pictures_of_the_html_are_related_to_it() {
    let picture =
        json!({ "name": "a.png", "type": "image/png", "content_id": "<a@x>", "content": "iVBORw0KGgo=" });
    let file = json!({ "name": "a.pdf", "type": "application/pdf", "content": "" });
    let raw = build(&json!({ "text": "t", "html": "<img src=\"cid:a@x\">", "attachments": [picture, file] }))
        .unwrap();
    let mail = Mail::parse(&raw, &Limits::default());
    let kinds: Vec<&str> = mail.parts.iter().map(|part| part.content_type.as_str()).collect();
    let expected = [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
        "application/pdf",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(mail.attachments()[0].content_id.as_deref(), Some("a@x"));
}

#[test]
fn an_empty_text_beside_html_is_left_out() {
    let raw = build(&json!({ "text": " \n", "html": "<p>only here</p>" })).unwrap();
    let mail = Mail::parse(&raw, &Limits::default());
    assert_eq!(mail.parts.len(), 1);
    assert_eq!(mail.text_body().map(|text| text_lines(&text)).as_deref(), Some("only here"));
}

#[test]
fn an_attached_mail_stays_a_mail() {
    let inner = "Subject: inside\r\n\r\nbody\r\n";
    let file = json!({ "name": "m.eml", "type": "message/rfc822", "content": STANDARD.encode(inner) });
    let raw = build(&json!({ "text": "t", "attachments": [file] })).unwrap();
    let mail = Mail::parse(&raw, &Limits::default());
    let part = mail.attachments()[0].part;
    assert_eq!(mail.embedded(part).map(text_of), Some(text_lines(inner)));
}

fn text_of(bytes: &[u8]) -> String {
    text_lines(&String::from_utf8_lossy(bytes))
}

#[test]
fn fields_that_describe_the_body_are_ours() {
    let headers =
        json!([["Content-Type", "text/calendar"], ["MIME-Version", "9"], ["Content-Transfer-Encoding", "x"]]);
    let raw = build(&json!({ "headers": headers, "text": "t" })).unwrap();
    assert_eq!(String::from_utf8(raw).unwrap().matches("ontent-T").count(), 2);
}
