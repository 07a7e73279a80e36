//! `application/ms-tnef` (winmail.dat): the message that Outlook and Exchange send beside or in place of MIME parts.
//!
//! [`decode`] gives its attachments, subject and bodies. A damaged file gives what stands before the damage, and says so;
//! keep the file itself as an attachment then. Not here: calendar properties, and embedded messages, which come out as
//! attachments of type `application/ms-tnef` to be decoded by another call (so that nesting is the caller's to bound).
//!
//! Sources: MS-OXTNEF (the stream), MS-OXCDATA (property types), MS-OXRTFCP (compressed RTF), MS-OXRTFEX (HTML in RTF).

mod codepage;
mod lzfu;
mod props;
mod rtf;
mod stream;

use codepage::Codepage;
use props::Props;
use stream::{Attribute, Level, Reader};

/// What a decoded file may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all attachments and bodies together.
    pub decoded_bytes: usize,
    pub attachments: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { decoded_bytes: 128 * 1024 * 1024, attachments: 500 }
    }
}

/// Why nothing could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("this is no TNEF file: keep the part as an ordinary attachment")]
    NotTnef,
}

/// Why the rest could not be read. What came before it is in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("the TNEF file ends in the middle of an attribute: keep the file beside what was read of it")]
    Truncated,
    #[error(
        "the TNEF file holds something else than attributes at byte {0}: keep the file beside what was read of it"
    )]
    Garbled(usize),
    #[error("a property list in the TNEF file is broken: keep the file beside what was read of it")]
    Properties,
    #[error("the compressed body in the TNEF file is broken: keep the file beside what was read of it")]
    CompressedBody,
    #[error("the TNEF file decodes to more than {0} bytes: keep the file beside what was read of it")]
    TooManyBytes(usize),
    #[error("the TNEF file has more than {0} attachments: keep the file beside what was read of it")]
    TooManyAttachments(usize),
}

/// A decoded message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `IPM.Note`, `IPM.Microsoft Mail.Note`, `IPM.Schedule.Meeting.Request`, …
    pub class: Option<String>,
    pub subject: Option<String>,
    /// Internet Message-ID as stored, brackets included.
    pub message_id: Option<String>,
    /// The body as plain text.
    pub text: Option<String>,
    /// The body as HTML, not cleaned.
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    /// The first thing that went wrong, if anything did.
    pub damage: Option<Damage>,
    /// Attributes whose checksum is wrong; some senders never write right ones, so the data is used all the same.
    pub wrong_checksums: usize,
}

/// A file or message in a decoded message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachment {
    /// As in the file (the long name if there is one), not made safe; `None` when it has none.
    pub name: Option<String>,
    /// `PR_ATTACH_MIME_TAG`; `application/ms-tnef` for an embedded message.
    pub content_type: Option<String>,
    /// Without angle brackets.
    pub content_id: Option<String>,
    pub data: Vec<u8>,
    /// The data is a TNEF file of its own.
    pub embedded_message: bool,
}

/// Whether the bytes begin as a TNEF file does.
pub fn is_tnef(bytes: &[u8]) -> bool {
    bytes.starts_with(&stream::SIGNATURE)
}

/// Decodes a TNEF file. Never panics; memory stays within the limits and a small multiple of the input.
///
/// # Errors
///
/// [`Error::NotTnef`] when the signature is missing. Everything else is in [`Message::damage`].
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Message, Error> {
    let reader = Reader::new(bytes).ok_or(Error::NotTnef)?;
    let mut decoder = Decoder::new(*limits);
    for item in reader {
        let step = match item {
            Ok(attribute) => decoder.take(&attribute),
            Err(damage) => Err(damage),
        };
        if let Err(damage) = step {
            decoder.message.damage.get_or_insert(damage);
            if !matches!(damage, Damage::Properties | Damage::CompressedBody) {
                break;
            }
        }
    }
    Ok(decoder.finish())
}

struct Decoder {
    limits: Limits,
    left: usize,
    codepage: Codepage,
    message: Message,
    /// The attachment that attributes are being read for.
    current: Option<Attachment>,
}

impl Decoder {
    fn new(limits: Limits) -> Self {
        let message = Message::default();
        Decoder { limits, left: limits.decoded_bytes, codepage: Codepage::default(), message, current: None }
    }

    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), Damage> {
        self.message.wrong_checksums += usize::from(!attribute.checksum_ok);
        match attribute.level {
            Level::Message => self.message_attribute(attribute),
            Level::Attachment => self.attachment_attribute(attribute),
        }
    }

    fn message_attribute(&mut self, attribute: &Attribute<'_>) -> Result<(), Damage> {
        let data = attribute.data;
        match attribute.id {
            stream::OEM_CODEPAGE => self.codepage = Codepage::of_bytes(data),
            stream::MESSAGE_CLASS => self.message.class = self.string(data),
            stream::SUBJECT => self.message.subject = self.string(data),
            stream::BODY => {
                self.spend(data.len())?;
                self.message.text = self.string(data);
            }
            stream::MESSAGE_PROPS => return self.message_props(data),
            _ => {}
        }
        Ok(())
    }

    fn message_props(&mut self, data: &[u8]) -> Result<(), Damage> {
        let (props, whole) = Props::read(data);
        let codepage = props.number(props::INTERNET_CODEPAGE).map_or(self.codepage, Codepage::of);
        let text_of = |id| props.string(id, self.codepage).filter(|text| !text.is_empty());
        let message = &mut self.message;
        message.subject = text_of(props::SUBJECT).or(message.subject.take());
        message.class = text_of(props::MESSAGE_CLASS).or(message.class.take());
        message.message_id = text_of(props::INTERNET_MESSAGE_ID).or(message.message_id.take());
        let text = text_of(props::BODY);
        let html = props.string(props::BODY_HTML, codepage).filter(|html| !html.is_empty());
        self.spend(text.as_ref().map_or(0, String::len) + html.as_ref().map_or(0, String::len))?;
        self.message.text = text.or(self.message.text.take());
        self.message.html = html.or(self.message.html.take());
        if let Some(compressed) = props.bytes(props::RTF_COMPRESSED) {
            self.rtf(compressed)?;
        }
        if whole { Ok(()) } else { Err(Damage::Properties) }
    }

    fn rtf(&mut self, compressed: &[u8]) -> Result<(), Damage> {
        let rtf = lzfu::decompress(compressed, self.left).map_err(|error| match error {
            lzfu::Error::TooLarge => Damage::TooManyBytes(self.limits.decoded_bytes),
            lzfu::Error::Broken => Damage::CompressedBody,
        })?;
        self.spend(rtf.len())?;
        match rtf::convert(&rtf, self.codepage) {
            rtf::Converted::Html(html) if self.message.html.is_none() => self.message.html = Some(html),
            rtf::Converted::Text(text) if self.message.text.is_none() => self.message.text = Some(text),
            _ => {}
        }
        Ok(())
    }

    fn attachment_attribute(&mut self, attribute: &Attribute<'_>) -> Result<(), Damage> {
        let data = attribute.data;
        if attribute.id == stream::ATTACH_REND_DATA {
            return self.open_attachment();
        }
        if self.current.is_none() {
            // A file that leaves out the opening attribute: the first one of any kind opens.
            self.open_attachment()?;
        }
        match attribute.id {
            stream::ATTACH_TITLE => {
                let name = self.string(data);
                self.with_current(|current| current.name = current.name.take().or(name));
            }
            stream::ATTACH_DATA => {
                self.spend(data.len())?;
                self.with_current(|current| {
                    if current.data.is_empty() {
                        current.data = data.to_vec();
                    }
                });
            }
            stream::ATTACH_PROPS => return self.attachment_props(data),
            _ => {}
        }
        Ok(())
    }

    fn attachment_props(&mut self, data: &[u8]) -> Result<(), Damage> {
        let (props, whole) = Props::read(data);
        let codepage = self.codepage;
        let first = |ids: &[u16]| {
            ids.iter().find_map(|id| props.string(*id, codepage).filter(|text| !text.trim().is_empty()))
        };
        let long_name = first(&[props::ATTACH_LONG_FILENAME]);
        let short_name = first(&[props::ATTACH_FILENAME, props::DISPLAY_NAME]);
        let content_type = first(&[props::ATTACH_MIME_TAG]);
        let content_id = first(&[props::ATTACH_CONTENT_ID]);
        let object = props.bytes(props::ATTACH_DATA_OBJECT).unwrap_or_default();
        let (object, is_message) = props::object(object);
        self.spend(object.len())?;
        self.with_current(|current| {
            current.name = long_name.or(current.name.take()).or(short_name);
            current.content_type = content_type.or(current.content_type.take());
            let bare = content_id.map(|id| id.trim().trim_matches(['<', '>']).to_owned());
            current.content_id = bare.or(current.content_id.take());
            if !object.is_empty() && (current.data.is_empty() || is_message) {
                current.data = object.to_vec();
                current.embedded_message = is_message && is_tnef(object);
            }
        });
        if whole { Ok(()) } else { Err(Damage::Properties) }
    }

    fn open_attachment(&mut self) -> Result<(), Damage> {
        self.close_attachment();
        if self.message.attachments.len() >= self.limits.attachments {
            return Err(Damage::TooManyAttachments(self.limits.attachments));
        }
        self.current = Some(Attachment::default());
        Ok(())
    }

    fn close_attachment(&mut self) {
        let Some(mut attachment) = self.current.take() else { return };
        if attachment.embedded_message {
            attachment.content_type = Some("application/ms-tnef".to_owned());
        }
        self.message.attachments.push(attachment);
    }

    fn with_current(&mut self, change: impl FnOnce(&mut Attachment)) {
        if let Some(current) = &mut self.current {
            change(current);
        }
    }

    fn string(&self, data: &[u8]) -> Option<String> {
        Some(self.codepage.decode(props::until_nul(data))).filter(|text| !text.is_empty())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Damage> {
        self.left = self.left.checked_sub(bytes).ok_or(Damage::TooManyBytes(self.limits.decoded_bytes))?;
        Ok(())
    }

    fn finish(mut self) -> Message {
        self.close_attachment();
        self.message
    }
}
