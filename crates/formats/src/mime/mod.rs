//! Internet mail to a value: RFC 5322 and 2045 to 2049, RFC 2047 and 2231 text, and what senders make of them.
//!
//! Not here: delivery reports (`dsn`), TNEF (`tnef`), cleaning HTML (`html`), and what a mail *means* (the tracking rules).

mod address;
mod body;
mod charset;
mod content;
mod date;
mod encoding;
mod filename;
mod header;
mod id;
mod mail;
mod params;
mod part;
mod structure;
mod words;

pub use address::parse as parse_addresses;
pub use body::Attachment;
pub use charset::decode as decode_charset;
pub use content::Body;
pub use date::parse as parse_date;
pub use filename::safe_file_name;
pub use header::Header;
pub use id::{message_ids, normal_message_id};
pub use mail::{Fields, Mail, header_block, scan_headers};
pub use part::{Part, PartKind};
pub use words::decode as decode_words;

/// What a mail may cost. Reading stops at a limit and says so in [`Mail::truncated`]; the raw mail is never touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Multiparts and messages inside each other. Deeper ones are kept as a leaf.
    pub depth: usize,
    /// Parts listed, containers included.
    pub parts: usize,
    /// Bytes of one header block (the mail's own or a part's). Later fields are skipped, the body is still found.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth: 50, parts: 1000, header_bytes: 256 * 1024 }
    }
}

/// Which of the [`Limits`] stopped the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Depth,
    Parts,
    HeaderBytes,
}
