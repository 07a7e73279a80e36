//! MAPI property lists inside TNEF attributes (MS-OXTNEF 2.1.3.4, types of MS-OXCDATA 2.11.1).

use super::codepage::Codepage;
use super::stream::number;

pub(super) const MESSAGE_CLASS: u16 = 0x001a;
pub(super) const SUBJECT: u16 = 0x0037;
pub(super) const BODY: u16 = 0x1000;
pub(super) const RTF_COMPRESSED: u16 = 0x1009;
pub(super) const BODY_HTML: u16 = 0x1013;
pub(super) const INTERNET_MESSAGE_ID: u16 = 0x1035;
pub(super) const DISPLAY_NAME: u16 = 0x3001;
pub(super) const ATTACH_DATA_OBJECT: u16 = 0x3701;
pub(super) const ATTACH_FILENAME: u16 = 0x3704;
pub(super) const ATTACH_LONG_FILENAME: u16 = 0x3707;
pub(super) const ATTACH_MIME_TAG: u16 = 0x370e;
pub(super) const ATTACH_CONTENT_ID: u16 = 0x3712;
pub(super) const INTERNET_CODEPAGE: u16 = 0x3fde;

const TYPE_STRING8: u16 = 0x001e;
const TYPE_UNICODE: u16 = 0x001f;
const MULTI_VALUED: u16 = 0x1000;
/// Properties from here on carry a name.
const FIRST_NAMED: u16 = 0x8000;
/// IID_IMessage in a `PT_OBJECT`: an embedded message follows.
const MESSAGE_OBJECT: [u8; 16] = [0x07, 0x03, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// The first value of each property read.
#[derive(Debug, Default)]
pub(super) struct Props<'b> {
    found: Vec<(u16, u16, &'b [u8])>,
}

impl<'b> Props<'b> {
    /// Reads a list; `false` when it breaks off, with the properties before that.
    pub(super) fn read(data: &'b [u8]) -> (Self, bool) {
        let mut props = Props::default();
        let mut cursor = Cursor { data };
        let whole = props.read_all(&mut cursor).is_some();
        (props, whole)
    }

    fn read_all(&mut self, cursor: &mut Cursor<'b>) -> Option<()> {
        let count = cursor.number()?;
        for _ in 0..count {
            let head = cursor.number()?;
            let (kind, id) = ((head & 0xffff) as u16, (head >> 16) as u16);
            if id >= FIRST_NAMED {
                cursor.skip_name()?;
            }
            let value = cursor.values(kind)?;
            // Named properties share no fixed ids, and no one needs them here.
            if id < FIRST_NAMED {
                self.found.push((id, kind & !MULTI_VALUED, value));
            }
        }
        Some(())
    }

    pub(super) fn bytes(&self, id: u16) -> Option<&'b [u8]> {
        self.find(id).map(|(_, value)| value)
    }

    pub(super) fn number(&self, id: u16) -> Option<u32> {
        self.find(id).filter(|(_, value)| value.len() == 4).map(|(_, value)| number(value))
    }

    /// A string of either kind, or bytes that are text (HTML bodies come so).
    pub(super) fn string(&self, id: u16, codepage: Codepage) -> Option<String> {
        let (kind, value) = self.find(id)?;
        Some(match kind {
            TYPE_UNICODE => utf16(value),
            TYPE_STRING8 => codepage.decode(until_nul(value)),
            _ => codepage.decode(value),
        })
    }

    fn find(&self, id: u16) -> Option<(u16, &'b [u8])> {
        let found = self.found.iter().find(|(known, ..)| *known == id);
        found.map(|(_, kind, value)| (*kind, *value))
    }
}

/// The data of a `PT_OBJECT` or `PT_BINARY` attachment, and whether it is an embedded message.
pub(super) fn object(value: &[u8]) -> (&[u8], bool) {
    match value.split_first_chunk::<16>() {
        Some((head, rest)) if *head == MESSAGE_OBJECT => (rest, true),
        // Other interfaces (IStorage: an OLE object) keep their head: it is part of no known file format.
        _ => (value, false),
    }
}

pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

struct Cursor<'b> {
    data: &'b [u8],
}

impl<'b> Cursor<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.data.split_at_checked(length)?;
        self.data = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4).map(number)
    }

    /// Length, bytes, padding to four; padding may be missing at the end of the list.
    fn sized(&mut self) -> Option<&'b [u8]> {
        let length = self.number()? as usize;
        let value = self.take(length)?;
        let padding = length.wrapping_neg() % 4;
        self.data = self.data.get(padding..).unwrap_or_default();
        Some(value)
    }

    fn skip_name(&mut self) -> Option<()> {
        self.take(16)?;
        match self.number()? {
            0 => self.number().map(|_| ()),
            _ => self.sized().map(|_| ()),
        }
    }

    /// Reads the value or values of a type; gives the first.
    fn values(&mut self, kind: u16) -> Option<&'b [u8]> {
        let single = kind & !MULTI_VALUED;
        let fixed = match single {
            0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
            0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
            0x0048 => Some(16),
            0x0000 | 0x0001 => Some(0),
            0x000d | 0x001e | 0x001f | 0x0102 => None,
            _ => return None,
        };
        let counted = fixed.is_none() || kind & MULTI_VALUED != 0;
        let count = if counted { self.number()? } else { 1 };
        let mut first = None;
        for _ in 0..count {
            // A value of no bytes would make the count a loop without an end of input.
            let value = match fixed {
                Some(0) => return None,
                Some(size) => self.take(size)?,
                None => self.sized()?,
            };
            first.get_or_insert(value);
        }
        Some(first.unwrap_or_default())
    }
}
