//! What names a record inside a mail: the seed's subject token, Microsoft's short token, and ids that we sign.
//!
//! * [`grammar`] finds tokens in a decoded subject, however mail programs mangled them.
//! * [`seed`] writes the seed's form and reads a GUID from a header.
//! * [`signed`] makes and checks signed Message-IDs and reply addresses.
//!
//! Nothing here asks whether a record exists: a token is a claim until the CRM confirms it.

mod base32;
mod glyph;
pub mod grammar;
#[cfg(test)]
mod grammar_tests;
pub mod seed;
pub mod signed;

pub use grammar::{Flaw, FoundToken, NearMiss, find_microsoft_tokens, find_tokens, near_misses};
pub use seed::{make, parse_guid, stamp, stamp_over, without_tokens};
pub use signed::{Key, Kind, Signer, Verification};

pub(crate) use glyph::{plain, visible};
