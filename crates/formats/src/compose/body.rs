//! The parts of a mail and how they are put together (RFC 2046 section 5.1).

use uuid::Uuid;

use super::{ComposeError, File, checked, entity, words};

/// Text of lines up to this goes as it is; longer lines are wrapped by quoted-printable.
const READABLE: usize = 78;

/// A part, or parts under one head.
pub(super) enum Tree {
    Leaf(Entity),
    Multi { kind: &'static str, parts: Vec<Tree> },
}

/// A part with its body in its transfer encoding.
pub(super) struct Entity {
    fields: Vec<(&'static str, Vec<String>)>,
    body: Vec<u8>,
}

/// Makes the boundaries of one mail.
pub(super) struct Boundaries {
    stem: String,
}

impl Boundaries {
    /// `=_` stands neither in base64 nor in quoted-printable, and plain text with it is not sent plain; the id keeps mails
    /// within mails apart.
    pub(super) fn of(message_id: &str) -> Boundaries {
        let stem = Uuid::new_v5(&Uuid::NAMESPACE_OID, message_id.as_bytes()).simple().to_string();
        Boundaries { stem }
    }

    fn at(&self, depth: usize) -> String {
        format!("=_{}_{depth}", self.stem)
    }
}

impl Tree {
    /// The parts under one head; without `more` it is `first` alone.
    pub(super) fn group(kind: &'static str, first: Tree, more: Vec<Tree>) -> Tree {
        if more.is_empty() {
            return first;
        }
        let mut parts = vec![first];
        parts.extend(more);
        Tree::Multi { kind, parts }
    }

    /// Appends head and body; a blank line parts them.
    pub(super) fn write(&self, out: &mut Vec<u8>, boundaries: &Boundaries) {
        self.write_at(out, boundaries, 0);
    }

    fn write_at(&self, out: &mut Vec<u8>, boundaries: &Boundaries, depth: usize) {
        match self {
            Tree::Leaf(entity) => entity.write(out),
            Tree::Multi { kind, parts } => {
                let boundary = boundaries.at(depth);
                let mut head = format!("Content-Type: multipart/{kind};");
                if *kind == "related" {
                    // RFC 2387 section 3.1 wants the type of the root.
                    head.push_str("\r\n type=\"multipart/alternative\";");
                }
                head.push_str(&format!("\r\n boundary=\"{boundary}\"\r\n\r\n"));
                out.extend_from_slice(head.as_bytes());
                for part in parts {
                    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    part.write_at(out, boundaries, depth + 1);
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            }
        }
    }
}

impl Entity {
    /// A text part.
    pub(super) fn text(subtype: &str, text: &str) -> Entity {
        let text = entity::crlf(text);
        let plain = entity::is_plain(text.as_bytes(), READABLE);
        let (charset, encoding, body) = match plain {
            true => ("us-ascii", "7bit", text),
            false => ("utf-8", "quoted-printable", entity::quoted_printable(&text)),
        };
        let kind = vec![format!("text/{subtype};"), format!("charset={charset}")];
        Entity {
            fields: vec![("Content-Type", kind), ("Content-Transfer-Encoding", vec![encoding.to_owned()])],
            body: body.into_bytes(),
        }
    }

    /// A file, shown `inline` or as an `attachment`.
    pub(super) fn file(file: &File, disposition: &str) -> Result<Entity, ComposeError> {
        checked("attachment name", &file.name)?;
        checked("attachment type", &file.content_type)?;
        checked("attachment content id", file.content_id.as_deref().unwrap_or_default())?;
        let (content_type, plain) = carried(file);
        let encoding = if plain { "7bit" } else { "base64" };
        let mut shown = vec![disposition.to_owned()];
        if !file.name.is_empty() {
            shown.extend(words::parameter("filename", &file.name));
        }
        let mut fields = vec![
            ("Content-Type", vec![content_type]),
            ("Content-Transfer-Encoding", vec![encoding.to_owned()]),
            ("Content-Disposition", parameters(shown)),
        ];
        let id = file.content_id.as_deref().map(|id| id.trim_matches(['<', '>', ' ']));
        if let Some(id) = id.filter(|id| is_content_id(id)) {
            fields.push(("Content-ID", vec![format!("<{id}>")]));
        }
        let body = if plain { file.bytes.to_vec() } else { entity::base64(&file.bytes).into_bytes() };
        Ok(Entity { fields, body })
    }

    fn write(&self, out: &mut Vec<u8>) {
        for (name, values) in &self.fields {
            out.extend_from_slice(format!("{name}: {}\r\n", values.join("\r\n ")).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        if !self.body.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn is_content_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 250
        && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte))
}

fn parameters(values: Vec<String>) -> Vec<String> {
    let last = values.len() - 1;
    values.into_iter().enumerate().map(|(at, value)| if at < last { value + ";" } else { value }).collect()
}

/// The type a file travels under, and whether as it is. Mails and multiparts may not be encoded (RFC 2046 section 5.2.1):
/// one that cannot go as it is goes as bytes.
fn carried(file: &File) -> (String, bool) {
    let bytes = ("application/octet-stream".to_owned(), false);
    let kind = file.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty()
            && text.len() <= 60
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let Some((class, subtype)) = kind.split_once('/') else { return bytes };
    if !token(class) || !token(subtype) {
        return bytes;
    }
    match class {
        "message" if entity::is_plain(&file.bytes, 998) && kind == "message/rfc822" => (kind, true),
        "message" | "multipart" => bytes,
        _ => (kind, false),
    }
}
