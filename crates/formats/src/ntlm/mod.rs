//! NTLM version 2, as bytes: the three messages, what proves a password in them, and SPNEGO around them.
//!
//! * [`key`]: the hashes and keys; [`message`]: Negotiate, Challenge, Authenticate; [`spnego`]: the wrapping of `Negotiate`.
//!
//! Version 1 and LM are neither sent nor taken. Signing and sealing of messages are not here, because HTTP has TLS for
//! that; only the one signature of SPNEGO's list of mechanisms is. Not here: sockets, HTTP headers, random numbers.
//! Source: MS-NLMP (sections by number below), MS-SPNG and RFC 4178; protocol-annex.md 6.

pub mod key;
pub mod message;
pub mod spnego;

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the message is no NTLM message; the other side speaks something else, such as Kerberos")]
    Signature,
    #[error("the NTLM message is of kind {0}, and another was expected")]
    Kind(u32),
    #[error("the NTLM message ends before its {0}")]
    Short(&'static str),
    #[error("the NTLM message holds text that is no UTF-16")]
    Text,
    #[error("the other side asks for NTLM without Unicode or extended security; allow NTLMv2 on it")]
    Old,
    #[error("the SPNEGO token cannot be read: {0}")]
    Spnego(&'static str),
    #[error("the server refused NTLM inside Negotiate; allow NTLM for it, or sign in by another way")]
    Refused,
}

/// UTF-16, little end first.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
