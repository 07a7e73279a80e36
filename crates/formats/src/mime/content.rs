//! The content of a part: decoded when somebody reads it. Most attachments are only counted when a mail is filed.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use super::encoding::Transfer;

/// The bytes of a part with its transfer encoding undone. Used as a slice.
#[derive(Clone)]
pub struct Body<'x> {
    raw: Cow<'x, [u8]>,
    transfer: Transfer,
    decoded: OnceLock<Vec<u8>>,
}

impl<'x> Body<'x> {
    pub(super) fn plain(raw: &'x [u8]) -> Body<'x> {
        Body::encoded(raw, Transfer::Identity)
    }

    pub(super) fn encoded(raw: &'x [u8], transfer: Transfer) -> Body<'x> {
        Body { raw: Cow::Borrowed(raw), transfer: transfer.seen(raw), decoded: OnceLock::new() }
    }

    /// The bytes in the mail itself, when they stand there unencoded.
    pub fn as_written(&self) -> Option<&'x [u8]> {
        match (&self.raw, self.transfer) {
            (Cow::Borrowed(raw), Transfer::Identity) => Some(raw),
            _ => None,
        }
    }

    /// How many bytes it has, without decoding it where that can be told.
    pub fn size(&self) -> usize {
        self.transfer.decoded_len(&self.raw).unwrap_or_else(|| self.len())
    }

    pub(super) fn into_owned(self) -> Body<'static> {
        Body { raw: Cow::Owned(self.raw.into_owned()), transfer: self.transfer, decoded: self.decoded }
    }
}

impl Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.transfer {
            Transfer::Identity => &self.raw,
            transfer => self.decoded.get_or_init(|| transfer.decode(&self.raw).into_owned()),
        }
    }
}

impl AsRef<[u8]> for Body<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Body<'_> {
    fn eq(&self, other: &Body<'_>) -> bool {
        **self == **other
    }
}

impl Eq for Body<'_> {}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
