//! A stored mail as a person may safely see it: text, cleaned HTML, and what is attached. Reads bytes, decides nothing.
//!
//! Pictures inside the mail become `data:` URLs, so that a page showing the HTML needs to load nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postroom_formats::{html, mime};
use serde::Serialize;

/// A picture larger than this is shown as an attachment only.
const PICTURE: usize = 2 * 1024 * 1024;
/// Pictures in one page, together.
const PICTURES: usize = 8 * 1024 * 1024;
/// Picture formats that cannot run or load anything.
const FORMATS: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"];

/// A mail to look at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MailView {
    /// Plain text: what the mail has, or its HTML made readable.
    pub text: String,
    /// Cleaned: no script, no form, nothing that loads. `None` when the mail has only plain text.
    pub html: Option<String>,
    /// Every header field, decoded, in order.
    pub headers: Vec<(String, String)>,
    pub attachments: Vec<FileView>,
    /// Whether a limit cut the reading short; the raw mail is whole.
    pub truncated: bool,
}

/// An attachment to look at.
#[derive(Debug, Clone, Serialize)]
pub struct FileView {
    /// Names it in [`file()`].
    pub part: u32,
    /// Safe for any file system.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Decoded bytes.
    pub size: u64,
}

/// Reads a mail for showing.
pub fn view(raw: &[u8]) -> MailView {
    let mail = mime::Mail::parse(raw, &mime::Limits::default());
    let files = mail.attachments();
    let html = mail.html_body().map(|page| {
        let left = std::cell::Cell::new(PICTURES);
        html::clean_with(&page, |id| {
            let file = files.iter().find(|file| file.content_id.as_deref() == Some(id))?;
            let bytes = &mail.parts.get(file.part as usize)?.body;
            if !FORMATS.contains(&file.content_type.as_str()) || bytes.len() > PICTURE.min(left.get()) {
                return None;
            }
            left.set(left.get() - bytes.len());
            Some(format!("data:{};base64,{}", file.content_type, STANDARD.encode(bytes)))
        })
    });
    let only_plain =
        mail.body_parts().iter().all(|part| mail.parts[*part as usize].content_type != "text/html");
    MailView {
        text: mail.text_body().unwrap_or_default(),
        html: html.filter(|page| !page.trim().is_empty() && !only_plain),
        headers: mail.headers.iter().map(|header| (header.name.to_owned(), header.text())).collect(),
        attachments: files.iter().map(file_view).collect(),
        truncated: mail.truncated.is_some(),
    }
}

/// One attachment with its bytes; `None` when there is no such part or it is no attachment.
pub fn file(raw: &[u8], part: u32) -> Option<(FileView, Bytes)> {
    let mail = mime::Mail::parse(raw, &mime::Limits::default());
    let found = mail.attachments().into_iter().find(|file| file.part == part)?;
    let bytes = Bytes::copy_from_slice(&mail.parts.get(part as usize)?.body);
    Some((file_view(&found), bytes))
}

/// A file's name as a stranger wrote it, made safe for any file system and honest to the eye.
pub fn file_name(name: &str) -> String {
    mime::safe_file_name(name)
}

fn file_view(file: &mime::Attachment) -> FileView {
    let (name, kind) = (file.name.clone(), file.content_type.clone());
    FileView { part: file.part, name, kind, size: file.size }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &[u8] = b"Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/related; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
        <p>Hi<script>alert(1)</script><img src=\"cid:one@x\"><img src=\"https://x.example/p.gif\"></p>\r\n\
        --b\r\nContent-Type: image/png; name=a.png\r\nContent-ID: <one@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        iVBORw0KGgo=\r\n--b--\r\n";

    #[test]
    fn html_is_clean_and_whole_in_itself() {
        let shown = view(MIXED);
        let html = shown.html.unwrap();
        assert!(html.contains("data:image/png;base64,iVBORw0KGgo="), "{html}");
        assert!(!html.contains("script") && !html.contains("x.example"), "{html}");
        assert!(shown.text.contains("Hi"));
        assert_eq!(shown.headers[0], ("Subject".to_owned(), "Grüße".to_owned()));
    }

    #[test]
    fn attachments_come_by_number() {
        let part = view(MIXED).attachments[0].part;
        let (file, bytes) = file(MIXED, part).unwrap();
        assert_eq!((file.name.as_str(), file.kind.as_str(), file.size), ("a.png", "image/png", 8));
        assert!(bytes.starts_with(b"\x89PNG"));
        assert!(super::file(MIXED, 99).is_none());
    }

    #[test]
    fn plain_mail_has_no_html() {
        let shown = view(b"Subject: x\r\n\r\nplain <b>text</b>\r\n");
        assert_eq!(shown.html, None);
        assert_eq!(shown.text.trim(), "plain <b>text</b>");
    }
}
