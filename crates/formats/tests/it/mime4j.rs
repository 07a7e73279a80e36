//! The messages of Apache James mime4j against the structure that mime4j writes for them: nesting, header fields,
//! content types and decoded bodies. Files on which we differ stand in [`DIFFERENT`], each with its reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use postroom_formats::mime::{Limits, Mail, PartKind};
use quick_xml::Reader;
use quick_xml::events::Event;

/// Where we read a mail otherwise than mime4j does, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("badbound", "its boundary never comes: we list the text as a part, mime4j calls it preamble"),
    (
        "basic-plain-with-bad-header-separator",
        "the blank line has a space in it: we take what follows as body, mime4j drops it",
    ),
    ("hdr-fakeout", "the blank line has a space in it: we take what follows as body, mime4j drops it"),
    (
        "malformedHeader-nocrlfcrlf",
        "text between the fields: we let the body begin there, mime4j drops the line",
    ),
    ("malformedHeader-noheader", "a mail without fields: we take all as body, mime4j drops it"),
    (
        "malformedHeaderStartsBody-nocrlfcrlf",
        "text between the fields: we keep all behind it, mime4j only some",
    ),
    (
        "malformedHeaderStartsBody-noheader",
        "a mail without fields: we take all as body, mime4j its first line",
    ),
    ("missing-boundary", "its boundary never comes: we list the text as a part, mime4j calls it preamble"),
    (
        "missing-inner-boundary",
        "the inner boundary never comes: we list the text as a part, mime4j calls it preamble",
    ),
];

#[test]
fn agrees_with_mime4j() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/mime4j");
    let mut results = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "msg") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let ours = ours(&fs::read(&path).unwrap());
            let theirs = theirs(&fs::read(path.with_extension("xml")).unwrap());
            results.insert(name, first_difference(&ours, &theirs));
        }
    }
    let different: Vec<&String> =
        results.iter().filter(|(_, difference)| difference.is_some()).map(|(name, _)| name).collect();
    println!("mime4j: {} of {} agree", results.len() - different.len(), results.len());
    assert_eq!(results.len(), 80, "the fixtures are not all there");
    for (name, difference) in &results {
        let known = DIFFERENT.iter().any(|(known, _)| known == name);
        assert_eq!(
            difference.is_some(),
            known,
            "{name}: {}",
            difference.as_deref().unwrap_or("agrees now: take it off the list")
        );
    }
}

fn first_difference(ours: &[String], theirs: &[String]) -> Option<String> {
    let place = (0..ours.len().max(theirs.len())).find(|place| ours.get(*place) != theirs.get(*place))?;
    Some(format!("line {place}\n  ours:   {:?}\n  theirs: {:?}", ours.get(place), theirs.get(place)))
}

/// The mail as lines: `message`, its fields, then `multipart` with its parts, or `body` with type and text.
fn ours(raw: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    our_message(raw, 0, &mut lines);
    lines
}

fn our_message(raw: &[u8], depth: usize, lines: &mut Vec<String>) {
    let mail = Mail::parse(raw, &Limits::default());
    lines.push(format!("{depth} message"));
    for header in &mail.headers {
        lines
            .push(format!("{depth} field {}", field(&[header.name.as_bytes(), b":", header.value].concat())));
    }
    our_part(&mail, 0, depth, lines);
}

fn our_part(mail: &Mail<'_>, index: u32, depth: usize, lines: &mut Vec<String>) {
    let part = &mail.parts[usize::try_from(index).unwrap()];
    match part.kind {
        PartKind::Multipart => {
            lines.push(format!("{depth} {}", part.content_type));
            for child in mail.parts.iter().filter(|child| child.parent == Some(index)) {
                our_part(mail, child.index, depth + 1, lines);
            }
        }
        PartKind::Message => our_message(mail.embedded(index).unwrap(), depth + 1, lines),
        PartKind::Leaf => {
            lines.push(format!("{depth} {} {}", part.content_type, latin1(&part.body).replace("\r\n", "\n")))
        }
    }
}

/// One character for each byte, so that texts of any charset compare.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A field without folds and spaces that do not matter.
fn field(raw: &[u8]) -> String {
    let text = latin1(raw);
    let (name, value) = text.split_once(':').unwrap_or((&text, ""));
    format!("{}: {}", name.trim(), value.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// An element of mime4j's description.
#[derive(Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text; the line end behind the start tag is layout.
    fn content(&self) -> &str {
        self.text.strip_prefix('\n').unwrap_or(&self.text)
    }
}

fn theirs(xml: &[u8]) -> Vec<String> {
    let text = latin1(xml).replace("\r\n", "\n");
    let mut lines = Vec::new();
    their_entity(&read(&text), 0, &mut lines);
    lines
}

fn read(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                open.push(Element { name: tag.name().as_ref().to_owned(), ..Element::default() });
            }
            Event::End(_) => {
                let closed = open.pop().unwrap();
                open.last_mut().unwrap().children.push(closed);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(entity) => open.last_mut().unwrap().text.push_str(match &entity[..] {
                "lt" => "<",
                "gt" => ">",
                "amp" => "&",
                "quot" => "\"",
                "apos" => "'",
                other => panic!("entity {other}"),
            }),
            Event::Eof => return open.pop().unwrap().children.pop().unwrap(),
            _ => {}
        }
    }
}

/// A `message` or a `body-part`.
fn their_entity(entity: &Element, depth: usize, lines: &mut Vec<String>) {
    let fields: Vec<String> =
        entity.child("header").unwrap().children.iter().map(|child| field(&bytes(child.content()))).collect();
    if entity.name == "message" {
        lines.push(format!("{depth} message"));
        lines.extend(fields.iter().map(|field| format!("{depth} field {field}")));
    }
    let value = |name: &str| {
        let found = fields.iter().find_map(|field| {
            field
                .split_once(": ")
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        found.unwrap_or_default().split([';', '(']).next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    let content_type = value("content-type");
    if let Some(multipart) = entity.child("multipart") {
        lines.push(format!("{depth} {content_type}"));
        for part in multipart.children.iter().filter(|child| child.name == "body-part") {
            their_entity(part, depth + 1, lines);
        }
    } else if let Some(message) = entity.child("message") {
        their_entity(message, depth + 1, lines);
    } else {
        let body = entity.child("body").map(Element::content).unwrap_or_default();
        let content_type = if content_type.contains('/') { content_type } else { "text/plain".to_owned() };
        let body = latin1(&undone(&value("content-transfer-encoding"), body)).replace("\r\n", "\n");
        lines.push(format!("{depth} {content_type} {body}"));
    }
}

fn bytes(latin1: &str) -> Vec<u8> {
    latin1.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// The transfer encoding undone, in other ways than the code under test does it.
fn undone(encoding: &str, body: &str) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    match encoding {
        "base64" => {
            // Two fixtures have lines of other text in their base64.
            let digit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
            let tight: String = body.chars().filter(digit).collect();
            GeneralPurpose::new(&STANDARD, config).decode(tight).unwrap()
        }
        "quoted-printable" => {
            let unpadded: Vec<&str> =
                body.split('\n').map(|line| line.trim_end_matches([' ', '\t'])).collect();
            let mut pieces = unpadded.join("\n").replace("=\n", "");
            for byte in (0..=255_u8).rev().filter(|byte| *byte != b'=') {
                pieces = pieces.replace(&format!("={byte:02X}"), &char::from(byte).to_string());
            }
            bytes(&pieces.replace("=3D", "="))
        }
        _ => bytes(body),
    }
}
