//! Bytes to values and back, with no IO: everything that reads what strangers send is here, so that fuzzing, property
//! tests and fixtures need no runtime.
//!
//! # Design
//!
//! * **Never fail on mail.** A mail is evidence; [`mime::Mail::parse`] always gives one. What cannot be understood is kept
//!   as text or as bytes, and what a limit cut off is said in `truncated`. Formats that are ours to refuse (a solution
//!   zip, a CSV) have error types instead.
//! * **Views, not copies.** A [`mime::Mail`] borrows from the raw bytes; only transfer encodings and charsets make new
//!   ones. The raw mail is the record, every view of it can be built again.
//! * **Flat.** No recursion on the depth of the input, no work that grows faster than the input, and [`mime::Limits`] on
//!   what is counted (nesting, parts, header bytes). Memory stays within a small multiple of the raw size.
//! * **Repair where the world is broken, and name the world.** Each tolerance has a comment that says who sends such a
//!   thing and a one-line test with it.
//! * **No panic on any input**: property tests feed each parser arbitrary bytes and mutated real mail.
//!
//! How a mail is read ([`mime`]): the header block is cut into fields ([`mime::Header`], raw); one pass over the body finds
//! the boundaries of all open multiparts at once and lists the parts; each leaf's transfer encoding is undone; charsets
//! are left to [`mime::Mail::part_text`], because the first text part's charset also explains raw 8-bit headers. What is
//! body and what is attachment follows RFC 8621 section 4.1.4.
//!
//! Why the structure is not left to mail-parser (whose base64 and rare charsets we use): release 0.11.9 drops nested
//! messages recursively, so a 3 MB mail of `message/rfc822` headers overflows the stack and takes the process down; it
//! scans to the end of the mail for each unmatched boundary (quadratic); and it takes boundaries in the middle of a line.
//!
//! [`mbox`] reads mailbox files message by message from any `BufRead`. [`compose`] goes the other way and writes mail;
//! [`auth_results`] and [`journal`] read what a trusted server adds to it, [`notes_name`] the names of Domino's users;
//! [`restamp`] gives a finished mail another subject. [`odata`] is the Web API's language, read and written.
//! [`ntlm`] is how Windows proves a password over HTTP, [`gzip`] how an answer is packed there; [`x509`] reads the end of a certificate, [`autoconfig`] what a provider says of its servers; [`solution`] reads and writes
//! solution files.

pub mod auth_results;
pub mod autoconfig;
pub mod compose;
pub mod csv;
pub mod dsn;
pub mod fetchxml;
pub mod gzip;
pub mod html;
pub mod journal;
pub mod mbox;
pub mod mime;
pub mod notes_name;
pub mod ntlm;
pub mod odata;
pub mod restamp;
pub mod soap;
pub mod solution;
pub mod tnef;
pub mod x509;
pub mod xml;
