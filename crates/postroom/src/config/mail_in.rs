//! `[smtp_in]` and `[lmtp_in]`: the listeners that mail servers hand mail to.

use std::path::PathBuf;

use super::http::tls_pair;
use super::setting::{Check, Reading, optional, section};
use super::units::{Size, Span};
use super::values::{Domain, Host, Listen, Network};

/// RFC 5321 section 4.5.3.1.8: a server must take at least 100 recipients.
const LEAST_RECIPIENTS: u32 = 100;

section! {
    /// The SMTP listener. It takes mail for its own domains and mailboxes only, and never relays.
    pub struct SmtpIn {
        /// Whether to listen at all.
        pub enabled: bool = Some(false), "false";
        /// Where to listen.
        pub listen: Listen = Some(Listen::loopback(2525)), "\"127.0.0.1:2525\"";
        /// The name in the greeting; left out, the machine's own name.
        pub hostname: Option<Host> = optional(), "\"postroom.example.org\"";
        /// Every address of these domains is taken, besides the addresses of the mailboxes.
        pub accept_domains: Vec<Domain> = Some(Vec::new()), "[\"crm.example.org\"]";
        /// The largest mail that is taken; larger ones are refused (552).
        pub max_message: Size = Some(Size::mib(35)), "\"35MiB\"";
        /// The most recipients of one mail; more are told to come in a second transaction (452). At least 100.
        pub max_recipients: u32 = Some(1000), "1000";
        /// The most connections at once; more are told to come back (421).
        pub max_connections: u32 = Some(200), "200";
        /// The most connections at once from one address. Too low throttles a mail server that hands us everything.
        pub max_connections_per_peer: u32 = Some(100), "100";
        /// Memory for mail in flight, over all connections of SMTP and LMTP together. Too low and large mails are told
        /// to come back while others are read.
        pub max_in_flight: Size = Some(Size::mib(64)), "\"64MiB\"";
        /// Whether senders are checked (SPF, DKIM, DMARC, ARC) as mail comes in. Asks the DNS.
        pub check_senders: bool = Some(true), "true";
        /// Servers of your own that hand mail in: their mail is not checked. This machine is one of them always.
        pub trusted_networks: Vec<Network> = Some(Vec::new()), "[\"10.0.0.0/8\"]";
        /// Mailing lists and forwarders whose seal (ARC) is believed: what DMARC says of a mail that they changed is not
        /// held against it.
        pub trusted_sealers: Vec<Domain> = Some(Vec::new()), "[\"lists.example.org\"]";
        /// A client that says nothing for so long is closed (RFC 5321 asks for five minutes).
        pub timeout: Span = Some(Span::seconds(300)), "\"5m\"";
        /// The certificate chain for STARTTLS, PEM; without it STARTTLS is not offered.
        pub tls_cert: Option<PathBuf> = optional(), "\"/etc/postroom/tls/cert.pem\"";
        /// The certificate's private key, PEM.
        pub tls_key: Option<PathBuf> = optional(), "\"/etc/postroom/tls/key.pem\"";
    }
}

section! {
    /// The LMTP listener (RFC 2033), for a mail server on the same machine or net.
    pub struct LmtpIn {
        /// Whether to listen at all.
        pub enabled: bool = Some(false), "false";
        /// Where to listen.
        pub listen: Listen = Some(Listen::loopback(2424)), "\"127.0.0.1:2424\"";
        /// The name in the greeting; left out, that of smtp_in.
        pub hostname: Option<Host> = optional(), "\"postroom.example.org\"";
        /// Every address of these domains is taken; left out, those of smtp_in.
        pub accept_domains: Option<Vec<Domain>> = optional(), "[\"crm.example.org\"]";
        /// The largest mail that is taken; larger ones are refused (552).
        pub max_message: Size = Some(Size::mib(35)), "\"35MiB\"";
        /// The most recipients of one mail. At least 100.
        pub max_recipients: u32 = Some(1000), "1000";
        /// The most connections at once; more are told to come back (421).
        pub max_connections: u32 = Some(200), "200";
        /// The most connections at once from one address. Too low throttles a mail server that hands us everything.
        pub max_connections_per_peer: u32 = Some(100), "100";
        /// A client that says nothing for so long is closed.
        pub timeout: Span = Some(Span::seconds(300)), "\"5m\"";
        /// The certificate chain for STARTTLS, PEM; without it STARTTLS is not offered.
        pub tls_cert: Option<PathBuf> = optional(), "\"/etc/postroom/tls/cert.pem\"";
        /// The certificate's private key, PEM.
        pub tls_key: Option<PathBuf> = optional(), "\"/etc/postroom/tls/key.pem\"";
    }
}

impl Check for SmtpIn {
    fn check(&self, cx: &mut Reading) {
        tls_pair("smtp_in", &self.tls_cert, &self.tls_key, cx);
        check_recipients("smtp_in", self.max_recipients, cx);
        not_nothing("smtp_in.max_connections", u64::from(self.max_connections), cx);
        not_nothing("smtp_in.max_connections_per_peer", u64::from(self.max_connections_per_peer), cx);
        not_nothing("smtp_in.max_message", self.max_message.0, cx);
    }
}

impl Check for LmtpIn {
    fn check(&self, cx: &mut Reading) {
        tls_pair("lmtp_in", &self.tls_cert, &self.tls_key, cx);
        check_recipients("lmtp_in", self.max_recipients, cx);
        not_nothing("lmtp_in.max_connections", u64::from(self.max_connections), cx);
        not_nothing("lmtp_in.max_connections_per_peer", u64::from(self.max_connections_per_peer), cx);
        not_nothing("lmtp_in.max_message", self.max_message.0, cx);
    }
}

impl LmtpIn {
    /// The domains that LMTP takes mail for.
    pub fn domains<'c>(&'c self, smtp_in: &'c SmtpIn) -> &'c [Domain] {
        self.accept_domains.as_deref().unwrap_or(&smtp_in.accept_domains)
    }
}

fn check_recipients(section: &str, max_recipients: u32, cx: &mut Reading) {
    if max_recipients < LEAST_RECIPIENTS {
        let text = format!("{section}.max_recipients must be 100 or more (RFC 5321 section 4.5.3.1.8)");
        cx.refuse(&format!("{section}.max_recipients"), text);
    }
}

fn not_nothing(key: &str, limit: u64, cx: &mut Reading) {
    if limit == 0 {
        cx.refuse(key, format!("{key} = 0 would refuse everything: set enabled = false to take no mail"));
    }
}
