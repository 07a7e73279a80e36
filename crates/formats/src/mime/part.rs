//! One part of a mail's body.

use super::content::Body;

/// What a [`Part`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// Holds other parts, which follow it.
    Multipart,
    /// A mail in the mail (`message/rfc822`); its own parts follow it. `body` is its raw bytes.
    Message,
    Leaf,
}

/// A part as it stands in the mail. A multipart in which no boundary ever came gets its whole inside as one `text/plain`
/// leaf, so that its words are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'x> {
    /// Position in [`Mail::parts`](super::Mail::parts), which is what `Content::MailPart.part` means.
    pub index: u32,
    pub parent: Option<u32>,
    pub kind: PartKind,
    /// Lower case, as `text/html`; defaulted by RFC 2045 section 5.2 and RFC 2046 section 5.1.5.
    pub content_type: String,
    pub charset: Option<String>,
    /// Parameters of Content-Type: names in lower case, values decoded.
    pub params: Vec<(String, String)>,
    /// Lower case: `attachment`, `inline`.
    pub disposition: Option<String>,
    /// Decoded, but as in the mail: see [`safe_file_name`](super::safe_file_name) before using it for a file.
    pub file_name: Option<String>,
    /// Without angle brackets.
    pub content_id: Option<String>,
    pub content_location: Option<String>,
    /// Transfer encoding undone; text is still in its charset. For a multipart, its raw inside.
    pub body: Body<'x>,
}

impl Part<'_> {
    /// A parameter of Content-Type by its lower-case name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind == PartKind::Leaf && self.content_type.starts_with("text/")
    }

    pub(super) fn into_owned(self) -> Part<'static> {
        Part {
            index: self.index,
            parent: self.parent,
            kind: self.kind,
            content_type: self.content_type,
            charset: self.charset,
            params: self.params,
            disposition: self.disposition,
            file_name: self.file_name,
            content_id: self.content_id,
            content_location: self.content_location,
            body: self.body.into_owned(),
        }
    }
}
