//! Handles for bodies: a mail is stored once, and rows that show a part of it refer to it.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

/// SHA-256 of a stored body's uncompressed bytes: its name in the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyHash(pub [u8; 32]);

impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BodyHash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).map_err(|_| ())?;
        }
        Ok(BodyHash(hash))
    }
}

/// A body, or where to find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes themselves.
    Bytes(Bytes),
    /// The decoded bytes of one leaf part of a stored mail. `part` counts as `formats::mime::Mail::parts` does.
    MailPart { mail: BodyHash, part: u32, size: u64 },
    /// A whole body of the store by its own hash: what was unpacked from a container such as TNEF.
    Stored { body: BodyHash, size: u64 },
    /// The display body (cleaned HTML, or HTML made from the text) of a stored mail.
    MailBody { mail: BodyHash },
}

/// `part:HASH:INDEX:SIZE`, `stored:HASH:SIZE` and `body:HASH`: how a row keeps a handle. `Bytes` has no such form.
impl Content {
    /// The text of a handle, `None` for bytes.
    pub fn handle(&self) -> Option<String> {
        match self {
            Content::Bytes(_) => None,
            Content::MailPart { mail, part, size } => Some(format!("part:{mail}:{part}:{size}")),
            Content::Stored { body, size } => Some(format!("stored:{body}:{size}")),
            Content::MailBody { mail } => Some(format!("body:{mail}")),
        }
    }

    /// Reads what [`Content::handle`] wrote.
    pub fn from_handle(text: &str) -> Option<Content> {
        let mut fields = text.split(':');
        let kind = fields.next()?;
        let mail: BodyHash = fields.next()?.parse().ok()?;
        match kind {
            "stored" => Some(Content::Stored { body: mail, size: fields.next()?.parse().ok()? }),
            "part" => Some(Content::MailPart {
                mail,
                part: fields.next()?.parse().ok()?,
                size: fields.next()?.parse().ok()?,
            }),
            "body" => Some(Content::MailBody { mail }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_read_back() {
        let mail = BodyHash([0xab; 32]);
        let stored = Content::Stored { body: mail, size: 7 };
        for content in [Content::MailPart { mail, part: 3, size: 42 }, stored, Content::MailBody { mail }] {
            assert_eq!(Content::from_handle(&content.handle().unwrap()), Some(content));
        }
        assert_eq!(Content::from_handle("part:zz:1:2"), None);
        assert_eq!(Content::Bytes(Bytes::new()).handle(), None);
    }
}
