//! The body: text, HTML and files, nested as RFC 2046 wants them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::param;

/// RFC 5322 section 2.1.1: no line is longer.
const LONGEST_LINE: usize = 998;
/// RFC 2045 section 6.8.
const BASE64_LINE: usize = 76;

/// A file of a mail, decoded.
#[derive(Debug)]
pub(in crate::agent) struct Entity {
    pub name: String,
    pub kind: String,
    /// Without angle brackets.
    pub content_id: Option<String>,
    pub content: Vec<u8>,
}

/// Appends the fields that describe the body, the empty line, and the body.
pub(in crate::agent) fn body(out: &mut Vec<u8>, text: Option<&str>, html: Option<&str>, files: Vec<Entity>) {
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    // A picture with an id belongs to the HTML that shows it; without HTML it is a file like any other.
    let (inside, apart): (Vec<Entity>, Vec<Entity>) =
        files.into_iter().partition(|file| html.is_some() && file.content_id.is_some());
    // Senders that have only HTML send an empty text beside it; an empty alternative would hide the mail from readers.
    let text = text.filter(|text| html.is_none() || !text.trim().is_empty());
    let mut shown: Vec<Part> = Vec::new();
    if text.is_some() || html.is_none() {
        shown.push(text_part("plain", text.unwrap_or_default()));
    }
    if let Some(html) = html {
        shown.push(text_part("html", html));
    }
    let mut whole = multipart("alternative", shown);
    if !inside.is_empty() {
        whole = multipart(
            "related",
            [vec![whole], inside.iter().map(|file| file_part(file, "inline")).collect()].concat(),
        );
    }
    if !apart.is_empty() {
        whole = multipart(
            "mixed",
            [vec![whole], apart.iter().map(|file| file_part(file, "attachment")).collect()].concat(),
        );
    }
    out.extend_from_slice(whole.head.as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&whole.body);
}

/// A MIME entity: its fields, each with its line end, and its encoded body.
#[derive(Clone)]
struct Part {
    head: String,
    body: Vec<u8>,
}

/// Several parts as one; a single part stays as it is.
fn multipart(kind: &str, mut parts: Vec<Part>) -> Part {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let mut hash = Sha256::new();
    for part in &parts {
        hash.update((part.head.len() as u64).to_le_bytes());
        hash.update(part.head.as_bytes());
        hash.update((part.body.len() as u64).to_le_bytes());
        hash.update(&part.body);
    }
    let digest = hash.finalize();
    let boundary = digest[..16].iter().fold("=_".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n{}\r\n", part.head).as_bytes());
        body.extend_from_slice(&part.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Part { head: format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n"), body }
}

fn text_part(subtype: &str, text: &str) -> Part {
    let lines = with_crlf(text);
    let plain = lines.is_ascii()
        && !lines.contains('\0')
        && lines.split("\r\n").all(|line| line.len() <= LONGEST_LINE);
    let encoding = if plain { "7bit" } else { "base64" };
    let body = if plain { lines.into_bytes() } else { base64(lines.as_bytes()) };
    let head =
        format!("Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n");
    Part { head, body }
}

fn file_part(file: &Entity, disposition: &str) -> Part {
    let mut head = format!("Content-Type: {}", file.kind);
    let named = Some(&file.name).filter(|name| !name.is_empty());
    if let Some(name) = named {
        param::write(&mut head, "name", name);
    }
    // RFC 2046 section 5.2.1: an attached mail is never encoded.
    let embedded = file.kind == "message/rfc822";
    let encoding = if embedded { "binary" } else { "base64" };
    head.push_str(&format!(
        "\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Disposition: {disposition}"
    ));
    if let Some(name) = named {
        param::write(&mut head, "filename", name);
    }
    head.push_str("\r\n");
    if let Some(id) = &file.content_id {
        head.push_str(&format!("Content-ID: <{id}>\r\n"));
    }
    Part { head, body: if embedded { file.content.clone() } else { base64(&file.content) } }
}

/// Every kind of line end as CRLF.
fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<&[u8]> = encoded.as_bytes().chunks(BASE64_LINE).collect();
    lines.join(&b"\r\n"[..])
}
