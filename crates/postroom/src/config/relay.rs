//! `[relay]`: users' outgoing mail gets its token on the way.

use std::path::PathBuf;

use super::http::tls_pair;
use super::mailbox::{Tls, check_tls};
use super::secret::SecretRef;
use super::setting::{Check, Reading, optional, section};
use super::units::{Size, Span};
use super::values::{Fingerprint, Host, Listen, Network};

section! {
    /// The stamping relay: takes users' outgoing mail from the mail server, stamps the subject, and hands it on.
    pub struct Relay {
        /// Whether it listens.
        pub enabled: bool = Some(false), "false";
        /// Where it listens.
        pub listen: Listen = Some(Listen::loopback(2530)), "\"127.0.0.1:2530\"";
        /// Who may hand mail in; everybody else is refused.
        pub clients: Vec<Network> = Some(vec![Network("127.0.0.1".into())]), "[\"127.0.0.1\"]";
        /// Where the mail goes on: the mail server's port behind its content filter, or the next server.
        pub next_host: Option<Host> = optional(), "\"127.0.0.1\"";
        /// The port there.
        pub next_port: u16 = Some(2531), "2531";
        /// "implicit", "starttls" (required), or "none" (loopback only).
        pub next_tls: Tls = Some(Tls::None), "\"none\"";
        /// The SHA-256 of the only certificate that is believed there.
        pub next_tls_pin: Option<Fingerprint> = optional(), "\"03D66DD08835C1CA3F128CCEACD1F31AC94163096B20F445AE84285BC0832D72\"";
        /// The user to sign in as there.
        pub next_username: Option<String> = optional(), "\"postroom\"";
        /// The user's password.
        pub next_password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/next\" }";
        /// The certificate chain for STARTTLS, PEM; without it STARTTLS is not offered to those who hand mail in.
        pub tls_cert: Option<PathBuf> = optional(), "\"/etc/postroom/tls/cert.pem\"";
        /// The certificate's private key, PEM.
        pub tls_key: Option<PathBuf> = optional(), "\"/etc/postroom/tls/key.pem\"";
        /// How long a mail may wait for its stamp; then it goes on as it is.
        pub patience: Span = Some(Span::millis(1500)), "\"1500ms\"";
        /// The largest mail taken.
        pub max_message: Size = Some(Size::mib(35)), "\"35MiB\"";
    }
}

impl Check for Relay {
    fn check(&self, cx: &mut Reading) {
        tls_pair("relay", &self.tls_cert, &self.tls_key, cx);
        if self.next_username.is_some() != self.next_password.is_some() {
            cx.refuse("relay.next_username", "relay.next_username and relay.next_password belong together");
        }
        let Some(host) = &self.next_host else {
            if self.enabled {
                cx.refuse("relay.next_host", "relay.next_host is missing: where should the mail go on?");
            }
            return;
        };
        if self.next_tls == Tls::None || self.next_tls_pin.is_none() {
            check_tls("relay.next_tls", self.next_tls, host, cx);
        }
    }
}
