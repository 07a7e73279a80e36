//! A mail as a JSON kernel, made into RFC 5322 bytes.
//!
//! The same kernel always makes the same bytes, so a repeat is the same mail. Header values are text: they are encoded
//! here (RFC 2047), and one that would start another header is refused. The fields that describe the body (MIME-Version,
//! Content-…) are ours, because the body is built anew; Bcc is taken into the envelope and not into the mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postroom_core::Envelope;
use postroom_operations::Posted;
use serde::Deserialize;

use super::mime::{self, Entity, address};
use crate::input;
use crate::problem::Problem;

/// A mail in JSON (`interfaces.md`).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernel {
    mailbox: Option<String>,
    direction: Option<String>,
    source: Option<String>,
    #[serde(default)]
    envelope: Parties,
    #[serde(default)]
    headers: Vec<(String, String)>,
    text: Option<String>,
    html: Option<String>,
    #[serde(default)]
    attachments: Vec<File>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parties {
    from: Option<String>,
    #[serde(default)]
    to: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    content_id: Option<String>,
    /// Base64.
    content: String,
}

impl Kernel {
    /// The mail with its envelope, or the place in the JSON that is wrong.
    pub fn into_mail(self) -> Result<Posted, Problem> {
        let refused = || Problem::at("/direction", "direction is Inbox or Sent (or incoming, outgoing)");
        let direction = input::direction(self.direction.as_deref()).ok_or_else(refused)?;
        let mut to = self.envelope.to;
        refuse_controls("/envelope/from", self.envelope.from.as_deref().unwrap_or_default())?;
        for (n, address) in to.iter().enumerate() {
            refuse_controls(&format!("/envelope/to/{n}"), address)?;
        }
        let mut raw = Vec::new();
        for (n, (name, value)) in self.headers.iter().enumerate() {
            check_name(&format!("/headers/{n}/0"), name)?;
            refuse_controls(&format!("/headers/{n}/1"), value)?;
            match name.to_ascii_lowercase().as_str() {
                "bcc" => to.extend(hidden(value, &to)),
                "mime-version" => {}
                lower if lower.starts_with("content-") => {}
                _ => mime::header(&mut raw, name, value),
            }
        }
        let files = self
            .attachments
            .into_iter()
            .enumerate()
            .map(|(n, file)| file.entity(n))
            .collect::<Result<_, _>>()?;
        mime::body(&mut raw, self.text.as_deref(), self.html.as_deref(), files);
        Ok(Posted {
            mailbox: self.mailbox.filter(|name| !name.is_empty()),
            direction,
            envelope: Envelope { from: self.envelope.from, to },
            source_id: self.source.filter(|id| !id.is_empty()),
            peer: None,
            raw: Bytes::from(raw),
        })
    }
}

impl File {
    fn entity(self, n: usize) -> Result<Entity, Problem> {
        let place = |field: &str| format!("/attachments/{n}/{field}");
        refuse_controls(&place("name"), &self.name)?;
        let kind = self.kind.unwrap_or_else(|| "application/octet-stream".into()).trim().to_ascii_lowercase();
        if !is_media_type(&kind) || kind.starts_with("multipart/") {
            let text = "type is a media type of one file, such as application/pdf";
            return Err(Problem::at(place("type"), text));
        }
        let content_id = self.content_id.map(|id| id.trim().trim_matches(['<', '>']).to_owned());
        if content_id.as_deref().is_some_and(|id| !is_content_id(id)) {
            return Err(Problem::at(
                place("content_id"),
                "content_id is one word without spaces or angle brackets",
            ));
        }
        // Encoders for mail wrap their lines; that is fine.
        let wrapped: String = self.content.split_ascii_whitespace().collect();
        let decoded = STANDARD.decode(wrapped.as_bytes());
        let content =
            decoded.map_err(|error| Problem::at(place("content"), format!("not base64: {error}")))?;
        Ok(Entity { name: self.name, kind, content_id: content_id.filter(|id| !id.is_empty()), content })
    }
}

/// Addresses that only the envelope may know, without those it has.
fn hidden(value: &str, known: &[String]) -> Vec<String> {
    let has = |address: &String| known.iter().any(|other| other.eq_ignore_ascii_case(address));
    address::bare(value).into_iter().filter(|address| !has(address)).collect()
}

/// RFC 5322 section 2.2: printable ASCII without colon.
fn check_name(place: &str, name: &str) -> Result<(), Problem> {
    let fits = !name.is_empty()
        && name.len() <= 76
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    match fits {
        true => Ok(()),
        false => Err(Problem::at(place, "a header name is 1 to 76 printable ASCII characters without colon")),
    }
}

/// Whoever may put a line break into a value may write any header, and any body.
fn refuse_controls(place: &str, value: &str) -> Result<(), Problem> {
    match value.chars().any(|c| c.is_control() && c != '\t') {
        true => Err(Problem::at(place, "line breaks and other control characters cannot stand here")),
        false => Ok(()),
    }
}

/// RFC 2045 tokens on both sides, no parameters.
fn is_media_type(kind: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.len() <= 127
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    kind.split_once('/').is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}

fn is_content_id(id: &str) -> bool {
    id.len() <= 255 && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte))
}
