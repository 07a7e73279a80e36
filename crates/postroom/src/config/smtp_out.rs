//! `[smtp_out]`: the mail server that outgoing mail leaves through. Read and checked; nothing sends yet.

use super::mailbox::{Tls, check_tls};
use super::secret::SecretRef;
use super::setting::{Check, Reading, optional, required, section};
use super::values::Host;

section! {
    /// The mail server that outgoing mail leaves through.
    pub struct SmtpOut {
        /// The mail server.
        pub host: Host = required(), "\"mail.example.org\"";
        /// 587 for STARTTLS, 465 for implicit TLS.
        pub port: u16 = Some(587), "587";
        /// "implicit", "starttls" (required), or "none" (loopback only).
        pub tls: Tls = Some(Tls::Starttls), "\"starttls\"";
        /// The user to sign in as.
        pub username: Option<String> = optional(), "\"postroom\"";
        /// The user's password.
        pub password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/smtp\" }";
    }
}

impl Check for SmtpOut {
    fn check(&self, cx: &mut Reading) {
        check_tls("smtp_out.tls", self.tls, &self.host, cx);
        cx.warn("smtp_out", "smtp_out is not used: this version sends no mail");
    }
}
