//! A value to Internet mail: RFC 5322, 2045 to 2047, 2231, 2183 and 6532, the counterpart of [`mime`](crate::mime).
//!
//! The bytes depend on the draft alone: no clock, no randomness. The header is ASCII unless an address needs SMTPUTF8.
//! Every value that reaches a header is checked first: one with a CR, LF or NUL in it is refused by its field's name, for
//! what stands in a CRM column may come from a stranger.
//!
//! Written by hand and not with mail-builder: that draws boundaries from the clock and a random number, writes 8-bit
//! addresses without saying so, and lets line ends in header values through.
//!
//! Not here: envelopes, signing, what a mail says. A `Bcc` field is never written.

mod address;
mod body;
mod entity;
mod field;
mod words;

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::Address;

pub use address::wire as wire_address;

use body::{Entity, Tree};
use field::Block;

use crate::html;

/// A mail to be written.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub from: Address,
    /// Who sends on behalf of `from`, when that is another.
    pub sender: Option<Address>,
    pub reply_to: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub subject: String,
    pub date: Timestamp,
    /// With or without angle brackets.
    pub message_id: String,
    pub in_reply_to: Vec<String>,
    /// Oldest first.
    pub references: Vec<String>,
    /// Made from the HTML when missing.
    pub text: Option<String>,
    pub html: Option<String>,
    /// Pictures that the HTML names by `cid:`. Without HTML they are attachments.
    pub inline: Vec<File>,
    pub attachments: Vec<File>,
    /// Further fields, in this order.
    pub extra: Vec<(String, String)>,
}

/// A file in a mail.
#[derive(Debug, Clone, Default)]
pub struct File {
    pub name: String,
    /// `type/subtype`; what is not well-formed goes as `application/octet-stream`.
    pub content_type: String,
    /// Without angle brackets.
    pub content_id: Option<String>,
    pub bytes: Bytes,
}

/// A finished mail.
#[derive(Debug, Clone)]
pub struct Built {
    /// With CRLF line ends, no line over 998 octets.
    pub raw: Vec<u8>,
    /// An address has letters beyond ASCII before its `@`: the mail needs a server with SMTPUTF8.
    pub smtputf8: bool,
}

/// Why a draft cannot become a mail. `field` names the header field, or the attachment's property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    #[error("{field} has a line end or NUL in it, which could forge header fields: remove it")]
    Injection { field: String },
    #[error("{field} has an address that cannot be written: {address:?}; correct it")]
    Address { field: String, address: String },
    #[error("{field} is missing: give one")]
    Missing { field: String },
    #[error("{field} is not a message id, or one too long: {id:?}")]
    MessageId { field: String, id: String },
    #[error("{field} is not a field name: use letters, digits and hyphens")]
    FieldName { field: String },
}

impl Draft {
    /// Writes the mail.
    pub fn build(&self) -> Result<Built, ComposeError> {
        let mut block = Block::default();
        self.heads(&mut block)?;
        let tree = self.tree()?;
        let smtputf8 = block.smtputf8;
        let mut raw = block.text.into_bytes();
        tree.write(&mut raw, &body::Boundaries::of(&self.message_id));
        Ok(Built { raw, smtputf8 })
    }

    fn heads(&self, block: &mut Block) -> Result<(), ComposeError> {
        if self.from.address.trim().is_empty() {
            return Err(ComposeError::Missing { field: "From".into() });
        }
        block.line("Date", &self.date.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string());
        block.addresses("From", std::slice::from_ref(&self.from))?;
        if let Some(sender) = &self.sender {
            block.addresses("Sender", std::slice::from_ref(sender))?;
        }
        block.addresses("Reply-To", &self.reply_to)?;
        block.addresses("To", &self.to)?;
        block.addresses("Cc", &self.cc)?;
        if self.to.is_empty() && self.cc.is_empty() {
            // RFC 5322 3.6.3 lets a mail go without; servers and filters are less patient.
            block.line("To", "undisclosed-recipients:;");
        }
        block.text("Subject", &self.subject)?;
        block.ids("Message-ID", std::slice::from_ref(&self.message_id))?;
        block.ids("In-Reply-To", &self.in_reply_to)?;
        block.ids("References", &self.references)?;
        for (name, value) in &self.extra {
            block.extra(name, value)?;
        }
        block.line("MIME-Version", "1.0");
        Ok(())
    }

    /// `mixed` around `related` around `alternative`, each only where it holds more than one part.
    fn tree(&self) -> Result<Tree, ComposeError> {
        let readable = match (&self.text, &self.html) {
            (Some(text), _) => text.clone(),
            (None, Some(page)) => html::to_text(page),
            (None, None) => String::new(),
        };
        let mut tree = Tree::Leaf(Entity::text("plain", &readable));
        if let Some(page) = &self.html {
            tree = Tree::group("alternative", tree, vec![Tree::Leaf(Entity::text("html", page))]);
        }
        let (inline, loose): (&[File], &[File]) =
            if self.html.is_some() { (&self.inline, &[]) } else { (&[], &self.inline) };
        let pictures = inline.iter().map(|file| Entity::file(file, "inline").map(Tree::Leaf));
        tree = Tree::group("related", tree, pictures.collect::<Result<_, _>>()?);
        let files = loose.iter().chain(&self.attachments);
        let files = files.map(|file| Entity::file(file, "attachment").map(Tree::Leaf));
        Ok(Tree::group("mixed", tree, files.collect::<Result<_, _>>()?))
    }
}

/// One field of free text as it stands in a header block: encoded where it must be, folded, with its CRLF.
pub fn text_field(name: &str, value: &str) -> Result<String, ComposeError> {
    let mut block = Block::default();
    block.extra(name, value)?;
    Ok(block.text)
}

/// Refuses what would end a header line.
fn checked(field: &str, value: &str) -> Result<(), ComposeError> {
    match value.contains(['\r', '\n', '\0']) {
        true => Err(ComposeError::Injection { field: field.to_owned() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
