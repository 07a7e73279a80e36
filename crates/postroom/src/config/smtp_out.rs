//! `[smtp_out]`: the mail server that outgoing mail leaves through.

use super::mailbox::{SignIn, Tls, check_tls};
use super::secret::SecretRef;
use super::setting::{Check, Reading, optional, required, section};
use super::units::Span;
use super::values::{Domain, Email, Fingerprint, Host};

section! {
    /// The mail server that outgoing mail leaves through: the CRM's e-mails in Pending Send.
    pub struct SmtpOut {
        /// The mail server.
        pub host: Host = required(), "\"mail.example.org\"";
        /// 587 for STARTTLS, 465 for implicit TLS.
        pub port: u16 = Some(587), "587";
        /// "implicit", "starttls" (required), or "none" (loopback only).
        pub tls: Tls = Some(Tls::Starttls), "\"starttls\"";
        /// The SHA-256 of the only certificate that is believed: for old servers whose own cannot be verified.
        pub tls_pin: Option<Fingerprint> = optional(), "\"03D66DD08835C1CA3F128CCEACD1F31AC94163096B20F445AE84285BC0832D72\"";
        /// The user to sign in as.
        pub username: Option<String> = optional(), "\"postroom\"";
        /// The user's password, or the access token of xoauth2, which is read again for each connection.
        pub password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/smtp\" }";
        /// "auto" (PLAIN, else LOGIN), "plain", "login" or "xoauth2".
        pub sign_in: SignIn = Some(SignIn::Auto), "\"auto\"";
        /// Our name in EHLO; left out, this machine's.
        pub hostname: Option<Host> = optional(), "\"postroom.example.org\"";
        /// Connections to the server at once.
        pub max_connections: u32 = Some(4), "4";
        /// Addresses that may stand in From besides those of the mailboxes.
        pub senders: Vec<Email> = Some(Vec::new()), "[\"newsdesk@example.org\"]";
        /// Domains whose every address may stand in From.
        pub sender_domains: Vec<Domain> = Some(Vec::new()), "[\"example.org\"]";
        /// A mail to more recipients is held until a person releases it.
        pub max_recipients: u32 = Some(100), "100";
        /// Mails to more recipients go without being held.
        pub allow_many_recipients: bool = Some(false), "false";
        /// More mails about one record, or in one thread without a record, within an hour are held as a loop, until a person releases them.
        pub max_per_record: u32 = Some(60), "60";
        /// More mails to one address within an hour are held as a loop, until a person releases them.
        pub max_per_recipient: u32 = Some(120), "120";
        /// How often the CRM is asked for mail to send.
        pub poll: Span = Some(Span::seconds(2)), "\"2s\"";
        /// A mail that the server did not take by then has failed.
        pub give_up: Span = Some(Span::seconds(48 * 3600)), "\"48h\"";
        /// When the answer to a mail was lost, it is sent again with the same Message-ID after this long without evidence.
        pub resend_unknown: bool = Some(true), "true";
        /// How long evidence is waited for first.
        pub resend_after: Span = Some(Span::seconds(15 * 60)), "\"15m\"";
        /// Replies go to a signed address of ours, in `reply.` below the token's domain: its mail must be routed here.
        pub reply_address: bool = Some(false), "false";
        /// Bounces go to a signed address of ours, in the same domain.
        pub bounce_address: bool = Some(false), "false";
        /// A copy is put into the sender's Sent folder, where the mailbox has IMAP.
        pub sent_copy: bool = Some(false), "false";
        /// The domain that mail is signed for (DKIM, RFC 6376); with dkim_selector and dkim_private_key.
        pub dkim_domain: Option<Domain> = optional(), "\"example.org\"";
        /// The selector under which the public key stands in the DNS.
        pub dkim_selector: Option<String> = optional(), "\"postroom\"";
        /// An RSA or Ed25519 key in PEM (PKCS #8).
        pub dkim_private_key: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/dkim.pem\" }";
    }
}

impl Check for SmtpOut {
    fn check(&self, cx: &mut Reading) {
        if self.tls == Tls::None || self.tls_pin.is_none() {
            check_tls("smtp_out.tls", self.tls, &self.host, cx);
        }
        if self.username.is_some() != self.password.is_some() {
            cx.refuse("smtp_out.username", "smtp_out.username and smtp_out.password belong together");
        }
        let dkim =
            [self.dkim_domain.is_some(), self.dkim_selector.is_some(), self.dkim_private_key.is_some()];
        if dkim.contains(&true) && dkim.contains(&false) {
            let text = "smtp_out.dkim_domain, dkim_selector and dkim_private_key belong together";
            cx.refuse("smtp_out.dkim_domain", text);
        }
        for (key, most) in
            [("max_per_record", self.max_per_record), ("max_per_recipient", self.max_per_recipient)]
        {
            if most == 0 {
                let text = format!("smtp_out.{key} = 0 holds every mail: use 1 or more");
                cx.refuse(&format!("smtp_out.{key}"), text);
            }
        }
        if self.max_connections == 0 {
            cx.refuse(
                "smtp_out.max_connections",
                "smtp_out.max_connections = 0 sends nothing: use 1 or more",
            );
        }
    }
}
