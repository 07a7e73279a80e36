//! `[directory]`: the internet addresses of people whom Notes names otherwise.

use super::mailbox::{Tls, check_tls};
use super::secret::SecretRef;
use super::setting::{Check, Reading, optional, section};
use super::values::{Fingerprint, Host, NotesAlias};

section! {
    /// The internet addresses of people whom Notes names otherwise: a table, an LDAP server, or both.
    pub struct Directory {
        /// Names and their addresses; they come before the LDAP server's.
        pub names: Vec<NotesAlias> = Some(Vec::new()), "[\"CN=John Doe/O=Acme = john.doe@acme.example\"]";
        /// An LDAP server that knows more: Domino's, or any other.
        pub ldap_host: Option<Host> = optional(), "\"domino.example.org\"";
        /// 636 for implicit TLS, 389 for STARTTLS.
        pub ldap_port: u16 = Some(636), "636";
        /// "implicit", "starttls" (required), or "none" (loopback only).
        pub ldap_tls: Tls = Some(Tls::Implicit), "\"implicit\"";
        /// The SHA-256 of the only certificate that is believed.
        pub ldap_tls_pin: Option<Fingerprint> = optional(), "\"03D66DD08835C1CA3F128CCEACD1F31AC94163096B20F445AE84285BC0832D72\"";
        /// Where people are below.
        pub ldap_base: String = Some(String::new()), "\"o=Acme\"";
        /// Who asks; left out, nobody in particular.
        pub ldap_bind_dn: Option<String> = optional(), "\"cn=postroom,o=Acme\"";
        /// The password of ldap_bind_dn.
        pub ldap_password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/ldap\" }";
    }
}

impl Check for Directory {
    fn check(&self, cx: &mut Reading) {
        if let Some(host) = &self.ldap_host
            && (self.ldap_tls == Tls::None || self.ldap_tls_pin.is_none())
        {
            check_tls("directory.ldap_tls", self.ldap_tls, host, cx);
        }
        if self.ldap_bind_dn.is_some() != self.ldap_password.is_some() {
            let text = "directory.ldap_bind_dn and directory.ldap_password belong together";
            cx.refuse("directory.ldap_bind_dn", text);
        }
    }
}
