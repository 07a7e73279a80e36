//! Signing in to every generation of the CRM, online, on premises and hosted by a partner.
//!
//! * [`connection`]: proxy, private CA, pinned certificates; one HTTP client for all.
//! * [`token`]: the bearer tokens of OAuth 2, kept and renewed; [`oauth`] asks for them with a secret or a certificate
//!   ([`assertion`]), at Microsoft's identity platform or at AD FS, and [`refusal`] explains what these answer.
//! * [`transport`]: a request sent signed in, with a bearer token; [`windows`]: the same with NTLM or Negotiate.
//! * [`claims`]: WS-Trust tokens and the signed headers of SOAP calls; [`policy`] finds the token service.
//! * [`hosted`]: tickets of the 2007 services; [`discovery`]: which organisations there are, and where.
//!
//! Who may do what in the CRM is not known here. No secret is ever in a fault, a log line or a debug output.
//! Sources: dataverse.md D, protocol-annex.md 1, 3 and 6.

pub mod assertion;
mod caution;
pub mod claims;
pub mod connection;
pub mod discovery;
pub mod hosted;
pub mod oauth;
mod pin;
pub mod policy;
pub mod refusal;
mod soap;
pub mod token;
pub mod transport;
pub mod windows;

pub use connection::{Connection, Proxy};
pub use postroom_core::Fingerprint;
pub use token::{Issue, Issued, Kept, Token};
pub use transport::{Bearer, Transport};
pub use windows::Windows;
