//! The TNEF stream (MS-OXTNEF 2.1.3): a signature, then attributes with level, id, length, data and checksum.

use super::Damage;

pub(super) const SIGNATURE: [u8; 4] = [0x78, 0x9f, 0x3e, 0x22];

pub(super) const SUBJECT: u32 = 0x0001_8004;
pub(super) const BODY: u32 = 0x0002_800c;
pub(super) const MESSAGE_CLASS: u32 = 0x0007_8008;
pub(super) const MESSAGE_PROPS: u32 = 0x0006_9003;
pub(super) const OEM_CODEPAGE: u32 = 0x0006_9007;
pub(super) const ATTACH_REND_DATA: u32 = 0x0006_9002;
pub(super) const ATTACH_TITLE: u32 = 0x0001_8010;
pub(super) const ATTACH_DATA: u32 = 0x0006_800f;
pub(super) const ATTACH_PROPS: u32 = 0x0006_9005;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Message,
    Attachment,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attribute<'b> {
    pub level: Level,
    pub id: u32,
    pub data: &'b [u8],
    pub checksum_ok: bool,
}

/// Reads attribute after attribute; stops behind the first damage.
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    /// `None` without the signature. The key behind it means nothing to us.
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        bytes.starts_with(&SIGNATURE).then_some(Reader { bytes, at: 6 })
    }

    fn attribute(&mut self) -> Result<Attribute<'b>, Damage> {
        let start = self.at;
        let level = match self.take(1)?[0] {
            1 => Level::Message,
            2 => Level::Attachment,
            _ => return Err(Damage::Garbled(start)),
        };
        let id = number(self.take(4)?);
        let length = number(self.take(4)?) as usize;
        let data = self.take(length)?;
        let stated = self.take(2)?;
        let stated = u16::from_le_bytes([stated[0], stated[1]]);
        let sum = data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        Ok(Attribute { level, id, data, checksum_ok: sum == stated })
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Damage> {
        let end = self.at.checked_add(length).ok_or(Damage::Truncated)?;
        let bytes = self.bytes.get(self.at..end).ok_or(Damage::Truncated)?;
        self.at = end;
        Ok(bytes)
    }
}

impl<'b> Iterator for Reader<'b> {
    type Item = Result<Attribute<'b>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        // Zero bytes at the end are padding that some gateways add.
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.iter().all(|byte| *byte == 0) {
            return None;
        }
        let item = self.attribute();
        if item.is_err() {
            self.at = self.bytes.len();
        }
        Some(item)
    }
}

/// A little-endian number of up to four bytes.
pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
