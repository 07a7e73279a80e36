//! Which mail a report is about: its Message-ID, subject and recipients, from the returned message, from its headers in
//! the text, or from what the report says in words.

use super::letter::Letter;
use super::prose::{after_fold, before_fold};
use crate::mime::{Limits, Mail};

/// What is known of the mail reported about.
#[derive(Debug, Default)]
pub(super) struct Original {
    pub message_id: Option<String>,
    pub subject: Option<String>,
    pub to: Vec<String>,
}

/// Looks in the returned message first, then in the text; the report's own In-Reply-To comes last.
pub(super) fn headers(letter: &Letter) -> Original {
    let mut original = letter.returned.as_deref().map(|raw| parse(head_of(raw))).unwrap_or_default();
    if (original.message_id.is_none() || original.subject.is_none())
        && let Some(text) = after_fold(&letter.text)
    {
        original.fill(parse(header_lines(text).as_bytes()));
    }
    if original.message_id.is_none() || original.subject.is_none() {
        original.fill(told(before_fold(&letter.text)));
    }
    original.message_id = original.message_id.or_else(|| letter.answers.clone());
    original
}

impl Original {
    fn fill(&mut self, other: Original) {
        self.message_id = self.message_id.take().or(other.message_id);
        self.subject = self.subject.take().or(other.subject);
        if self.to.is_empty() {
            self.to = other.to;
        }
    }
}

fn parse(raw: &[u8]) -> Original {
    let mail = Mail::parse(raw, &Limits::default());
    let to = mail.to.iter().map(|to| to.address.clone()).filter(|address| address.contains('@')).collect();
    Original {
        message_id: mail.message_id.clone(),
        subject: Some(mail.subject.clone()).filter(|text| not_empty(text)),
        to,
    }
}

fn not_empty(text: &str) -> bool {
    !text.trim().is_empty()
}

/// The header block of the attached message as text.
pub(super) fn head(letter: &Letter) -> Option<String> {
    letter.returned.as_deref().map(|raw| String::from_utf8_lossy(head_of(raw)).into_owned())
}

/// The header block of a returned message: blank lines and an mbox line before it do not count.
fn head_of(raw: &[u8]) -> &[u8] {
    let mut rest = raw.trim_ascii_start();
    if rest.starts_with(b"From ") {
        let line = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        rest = &rest[line..];
    }
    let crlf = rest.windows(4).position(|window| window == b"\r\n\r\n");
    let lf = rest.windows(2).position(|window| window == b"\n\n");
    let end = crlf.into_iter().chain(lf).min().unwrap_or(rest.len());
    &rest[..end]
}

/// The first block of header fields in a returned message given as text; indented as a whole it is moved to the margin.
fn header_lines(text: &str) -> String {
    let is_field = |line: &&str| is_field(line.trim_start());
    let Some(first) = text.lines().find(is_field) else { return String::new() };
    let margin = first.len() - first.trim_start().len();
    let block = text.lines().skip_while(|line| !is_field(line)).take_while(|line| !line.trim().is_empty());
    let moved = block.map(|line| match line.get(..margin) {
        Some(head) if head.trim().is_empty() => &line[margin..],
        _ => line,
    });
    moved.flat_map(|line| [line, "\r\n"]).collect()
}

fn is_field(line: &str) -> bool {
    let Some((name, _)) = line.split_once(':') else { return false };
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `Subject: …` and `Message-ID: …` among the report's own words, and Exim's sentences.
fn told(human: &str) -> Original {
    let after = |label: &str| {
        human.lines().find_map(|line| {
            let line = line.trim();
            let head = line.get(..label.len()).filter(|head| head.eq_ignore_ascii_case(label))?;
            Some(line[head.len()..].trim().trim_matches('\'').to_owned()).filter(|text| not_empty(text))
        })
    };
    let raw_id = after("Message-ID:").and_then(|id| crate::mime::normal_message_id(&id));
    let subject = after("Subject:").or_else(|| after("The subject of the message is:"));
    Original { message_id: raw_id, subject, to: Vec::new() }
}
