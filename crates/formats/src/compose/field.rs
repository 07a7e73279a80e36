//! The header block: fields, folded between words.

use postroom_core::Address;

use super::words::{self, Place};
use super::{ComposeError, address, checked};

/// Columns after which a line is folded where it can be (RFC 5322 section 2.1.1).
const COLUMNS: usize = 76;
/// The longest message id that is written; with its field's name it stays on one line.
const ID: usize = 900;

/// The fields so far.
#[derive(Default)]
pub(super) struct Block {
    pub text: String,
    pub smtputf8: bool,
}

impl Block {
    /// A field whose value is ours.
    pub(super) fn line(&mut self, name: &str, value: &str) {
        self.words(name, value.split(' ').map(str::to_owned).collect());
    }

    /// A field of free text.
    pub(super) fn text(&mut self, name: &str, value: &str) -> Result<(), ComposeError> {
        checked(name, value)?;
        self.words(name, words::words(value, Place::Unstructured));
        Ok(())
    }

    /// A field of the caller's.
    pub(super) fn extra(&mut self, name: &str, value: &str) -> Result<(), ComposeError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || name.len() > 60 || !name.chars().all(fits) {
            return Err(ComposeError::FieldName { field: name.chars().take(60).collect() });
        }
        self.text(name, value)
    }

    pub(super) fn addresses(&mut self, name: &str, list: &[Address]) -> Result<(), ComposeError> {
        let mut all = Vec::new();
        for (place, one) in list.iter().enumerate() {
            checked(name, &one.name)?;
            checked(name, &one.address)?;
            let (wire, utf8) = address::wire(&one.address).ok_or_else(|| ComposeError::Address {
                field: name.to_owned(),
                address: one.address.chars().take(100).collect(),
            })?;
            self.smtputf8 |= utf8;
            let comma = if place + 1 < list.len() { "," } else { "" };
            match one.name.trim() {
                // Readers would take it for the start of an encoded word.
                "" if wire.contains("=?") => all.push(format!("<{wire}>{comma}")),
                "" => all.push(format!("{wire}{comma}")),
                named => {
                    all.extend(words::phrase(named));
                    all.push(format!("<{wire}>{comma}"));
                }
            }
        }
        if !all.is_empty() {
            self.words(name, all);
        }
        Ok(())
    }

    /// Ids in angle brackets. Strangers' ids that no header could hold are left out of the lists; our own must be sound.
    pub(super) fn ids(&mut self, name: &str, ids: &[String]) -> Result<(), ComposeError> {
        let mut all = Vec::new();
        for id in ids {
            checked(name, id)?;
            let bare = id.trim();
            let bare = bare.strip_prefix('<').and_then(|bare| bare.strip_suffix('>')).unwrap_or(bare);
            let sound = !bare.is_empty()
                && bare.len() <= ID
                && bare.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
            match sound {
                true => all.push(format!("<{bare}>")),
                false if name == "Message-ID" => {
                    let id = id.chars().take(100).collect();
                    return Err(ComposeError::MessageId { field: name.to_owned(), id });
                }
                false => {}
            }
        }
        if !all.is_empty() {
            self.words(name, all);
        }
        Ok(())
    }

    fn words(&mut self, name: &str, words: Vec<String>) {
        self.text.push_str(name);
        self.text.push(':');
        let mut column = name.len() + 1;
        for (place, word) in words.iter().enumerate() {
            // The first word stays on the field's line: a line of white space alone ends the block for some readers.
            if place > 0 && column + 1 + word.len() > COLUMNS {
                self.text.push_str("\r\n");
                column = 0;
            }
            self.text.push(' ');
            self.text.push_str(word);
            column += 1 + word.len();
        }
        self.text.push_str("\r\n");
    }
}
