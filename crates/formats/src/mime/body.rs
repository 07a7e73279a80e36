//! What of a mail is its body and what is attached: RFC 8621 section 4.1.4, with two changes. Pictures between texts are
//! attachments here, and a lone part of another text type (`text/enriched`) is shown.

use super::filename::{default_name, safe_file_name};
use super::{Mail, Part, PartKind};

/// A part that is not shown as body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its place in [`Mail::parts`].
    pub part: u32,
    /// Safe for any file system, never empty.
    pub name: String,
    pub content_type: String,
    pub content_id: Option<String>,
    /// Meant to be shown inside the body (a picture that the HTML may refer to).
    pub inline: bool,
    /// Decoded bytes.
    pub size: u64,
}

/// The leaves to show, for either form of display.
#[derive(Default)]
struct Shown {
    text: Vec<u32>,
    html: Vec<u32>,
}

/// Where in the tree a part is.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The subtype of the multipart around it, empty at the root.
    multipart: &'a str,
    first: bool,
    /// Some multipart further out offers alternatives.
    in_alternative: bool,
}

fn shown(mail: &Mail<'_>) -> Shown {
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); mail.parts.len()];
    for part in &mail.parts {
        if let Some(siblings) = part.parent.and_then(|parent| children.get_mut(place(parent))) {
            siblings.push(part.index);
        }
    }
    let mut shown = Shown::default();
    let root = Place { multipart: "", first: true, in_alternative: false };
    if let Some(part) = mail.parts.first() {
        Reader { mail, children: &children }.visit(part, root, true, true, &mut shown);
    }
    shown
}

fn place(part: u32) -> usize {
    usize::try_from(part).unwrap_or(usize::MAX)
}

struct Reader<'a, 'x> {
    mail: &'a Mail<'x>,
    children: &'a [Vec<u32>],
}

impl<'x> Reader<'_, 'x> {
    /// Recursion is bounded by `Limits::depth`. `text` and `html` say which lists are still open to this part.
    fn visit(&self, part: &Part<'x>, at: Place<'_>, text: bool, html: bool, shown: &mut Shown) {
        match part.kind {
            PartKind::Message => {}
            PartKind::Multipart => self.multipart(part, at, text, html, shown),
            PartKind::Leaf if is_body(part, at) => {
                let markup = part.content_type == "text/html";
                // Of alternatives each form of display takes its own; elsewhere both take everything.
                let alternative = at.multipart == "alternative";
                if text && (!alternative || !markup) {
                    shown.text.push(part.index);
                }
                if html && (!alternative || markup) {
                    shown.html.push(part.index);
                }
            }
            PartKind::Leaf => {}
        }
    }

    fn multipart(&self, part: &Part<'x>, at: Place<'_>, text: bool, html: bool, shown: &mut Shown) {
        let multipart = part.content_type.strip_prefix("multipart/").unwrap_or_default();
        let (texts, htmls) = (shown.text.len(), shown.html.len());
        let (mut text_open, mut html_open) = (text, html);
        let in_alternative = at.in_alternative || multipart == "alternative";
        let children = &self.children[place(part.index)];
        let start = related_root(self.mail, part, children);
        for &child in children {
            let Some(child) = self.mail.part(child) else { continue };
            let first =
                if multipart == "related" { child.index == start } else { child.index == children[0] };
            let here = Place { multipart, first, in_alternative };
            // Inside one alternative (mixed or related) the first text decides which alternative this is.
            let decides = in_alternative && multipart != "alternative" && text_open && html_open;
            if decides && child.kind == PartKind::Leaf && is_body(child, here) {
                let markup = child.content_type == "text/html";
                (text_open, html_open) = (!markup, markup);
            }
            self.visit(child, here, text_open, html_open, shown);
        }
        if multipart == "alternative" {
            // Only one form was offered: it serves both displays.
            if text && html && shown.text.len() == texts {
                shown.text.extend_from_slice(&shown.html[htmls..]);
            } else if text && html && shown.html.len() == htmls {
                shown.html.extend_from_slice(&shown.text[texts..]);
            }
        }
    }
}

/// The part that a multipart/related is about: its `start` parameter's, else the first (RFC 2387).
fn related_root(mail: &Mail<'_>, part: &Part<'_>, children: &[u32]) -> u32 {
    let start = part.param("start").map(|id| id.trim_matches(['<', '>', ' ']));
    let is_start =
        |child: &&u32| mail.part(**child).is_some_and(|child| child.content_id.as_deref() == start);
    let named = start.and_then(|_| children.iter().find(is_start));
    named.or(children.first()).copied().unwrap_or_default()
}

fn is_body(part: &Part<'_>, at: Place<'_>) -> bool {
    let lone = at.multipart.is_empty() && part.content_type != "text/calendar";
    let readable = matches!(part.content_type.as_str(), "text/plain" | "text/html") || lone && part.is_text();
    let attached = part.disposition.as_deref() == Some("attachment");
    let unnamed = at.multipart != "related" && part.file_name.is_none();
    let machine = matches!(at.multipart, "encrypted");
    readable && !attached && !machine && (at.first || unnamed)
}

pub(super) fn parts(mail: &Mail<'_>) -> Vec<u32> {
    let Shown { mut text, html } = shown(mail);
    text.extend(html);
    text.sort_unstable();
    text.dedup();
    text
}

pub(super) fn attachments(mail: &Mail<'_>) -> Vec<Attachment> {
    let body = parts(mail);
    // Parts of attached mails belong to those.
    let mut inside = vec![false; mail.parts.len()];
    let mut found = Vec::new();
    for part in &mail.parts {
        let outer = part.parent.and_then(|parent| mail.part(parent));
        let hidden = outer.is_some_and(|outer| outer.kind == PartKind::Message || inside[place(outer.index)]);
        inside[place(part.index)] = hidden;
        if !hidden && part.kind != PartKind::Multipart && body.binary_search(&part.index).is_err() {
            found.push(attachment(part, outer));
        }
    }
    found
}

fn attachment(part: &Part<'_>, outer: Option<&Part<'_>>) -> Attachment {
    let related = outer.is_some_and(|outer| outer.content_type == "multipart/related");
    let inline = part.disposition.as_deref() == Some("inline") || part.content_id.is_some() && related;
    let name = part.file_name.clone().or_else(|| message_name(part));
    Attachment {
        part: part.index,
        name: name.map_or_else(|| default_name(&part.content_type), |name| safe_file_name(&name)),
        content_type: part.content_type.clone(),
        content_id: part.content_id.clone(),
        inline: inline && part.kind == PartKind::Leaf,
        size: part.body.size() as u64,
    }
}

/// An attached mail is named after its subject.
fn message_name(part: &Part<'_>) -> Option<String> {
    let subject = (part.kind == PartKind::Message).then(|| super::scan_headers(&part.body).subject)?;
    // A slash in a subject is no path.
    let subject = subject.replace(['/', '\\'], "_");
    (!subject.trim().is_empty()).then(|| format!("{}.eml", subject.trim()))
}

pub(super) fn text(mail: &Mail<'_>) -> Option<String> {
    let shown = shown(mail);
    let plain = |list: &[u32]| joined(list.iter().map(|part| readable(mail, *part)));
    let text = plain(&shown.text);
    // "alternative" with an empty text half: the HTML half is what was meant.
    if text.trim().is_empty() && !shown.html.is_empty() {
        return Some(plain(&shown.html));
    }
    (!shown.text.is_empty()).then_some(text)
}

/// Pieces one below the other, each on its own line.
fn joined(pieces: impl Iterator<Item = String>) -> String {
    let mut all = String::new();
    for piece in pieces {
        if !all.is_empty() && !piece.is_empty() && !all.ends_with('\n') {
            all.push('\n');
        }
        all.push_str(&piece);
    }
    all
}

fn readable(mail: &Mail<'_>, index: u32) -> String {
    let text = mail.part_text(index);
    let Some(part) = mail.part(index) else { return text };
    if part.content_type == "text/html" {
        return crate::html::to_text(&text);
    }
    match part.param("format") {
        Some(format) if format.eq_ignore_ascii_case("flowed") => {
            unflow(&text, part.param("delsp").is_some_and(|value| value.eq_ignore_ascii_case("yes")))
        }
        _ => text,
    }
}

/// Joins the soft-broken lines of `format=flowed` (RFC 3676): a line that ends with a space goes on in the next one of the
/// same quote depth, but the signature mark `-- ` never does.
fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let end = &line[content.len()..];
        let depth = content.bytes().take_while(|byte| *byte == b'>').count();
        let body = &content[depth..];
        let body = body.strip_prefix(' ').unwrap_or(body);
        let signature = body == "-- ";
        if open.is_some_and(|open| open != depth || signature) {
            out.push('\n');
            open = None;
        }
        if open.is_none() && depth > 0 {
            out.extend(std::iter::repeat_n('>', depth));
            out.push(' ');
        }
        let flows = body.ends_with(' ') && !signature;
        out.push_str(if flows && delsp { &body[..body.len() - 1] } else { body });
        open = (flows && !end.is_empty()).then_some(depth);
        if !flows {
            out.push_str(end);
        }
    }
    out
}

pub(super) fn html(mail: &Mail<'_>) -> Option<String> {
    let shown = shown(mail);
    let markup = |part: &u32| mail.part(*part).is_some_and(|part| part.content_type == "text/html");
    if !shown.html.iter().any(markup) {
        return None;
    }
    let piece = |part: &u32| {
        if markup(part) { mail.part_text(*part) } else { crate::html::from_text(&readable(mail, *part)) }
    };
    Some(joined(shown.html.iter().map(piece)))
}

/// The charset that an HTML part's own `<meta>` names, for parts whose header names none.
pub(super) fn meta_charset(part: &Part<'_>) -> Option<String> {
    if part.content_type != "text/html" {
        return None;
    }
    let head = &part.body[..part.body.len().min(2048)];
    let at = memchr::memmem::find_iter(head, b"charset")
        .next()
        .or_else(|| memchr::memmem::find(head, b"CHARSET"))?;
    let value = head[at + 7..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
    let label =
        value.iter().take(40).take_while(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte));
    let label: String = label.map(|byte| char::from(*byte)).collect();
    // A page cannot say in its own bytes that they are UTF-16.
    (!label.is_empty() && !label.to_ascii_lowercase().starts_with("utf-16")).then_some(label)
}
