//! `[mailboxes.NAME]`: the tracked addresses and their rules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::secret::SecretRef;
use super::setting::{Check, Reading, Setting, optional, required, section};
use super::tree::{Node, Value};
use super::units::Span;
use super::values::{Email, Fingerprint, FolderRecord, Host, HttpUrl, RecordName, quoted};
use super::words::words;

words!(/// Which mail of a mailbox is tracked.
    Track { All = "all", Replies = "replies", Known = "known", None = "none" });

words!(/// What becomes of a mail that names no record.
OnUnmatched {
    Review = "review",
    Activity = "activity",
    CreateLead = "create_lead",
    CreateContact = "create_contact",
    Skip = "skip",
});

words!(/// How a connection to a mail server is protected.
Tls {
    /// TLS from the first byte.
    Implicit = "implicit",
    /// STARTTLS, and nothing without it.
    Starttls = "starttls",
    /// None: loopback only.
    None = "none",
});

words!(/// How one signs in to a mail server.
SignIn {
    /// PLAIN, else LOGIN.
    Auto = "auto",
    Plain = "plain",
    Login = "login",
    /// An OAuth 2 access token in place of the password.
    Xoauth2 = "xoauth2",
});

words!(/// What is done to a mail in its mailbox once it is stored.
    Touch { Nothing = "nothing", MarkSeen = "mark_seen", Move = "move" });

words!(/// Which roles open the bodies of a mailbox's mail.
    Reader { Owner = "owner", Operator = "operator", Viewer = "viewer" });

section! {
    /// A tracked mailbox: its addresses, and what becomes of its mail. The name is free.
    pub struct Mailbox {
        /// The mailbox's address; mail to it is taken by the listeners.
        pub address: Email = required(), "\"support@example.org\"";
        /// Further addresses of the same mailbox.
        pub addresses: Vec<Email> = Some(Vec::new()), "[\"help@example.org\"]";
        /// Which mail is tracked: "all", "replies" (to tracked mail), "known" (senders that the CRM knows), "none". Left
        /// out, what the CRM says of the mailbox's user or queue (filtering method and approval), else all.
        pub track: Option<Track> = optional(), "\"all\"";
        /// What becomes of a mail that names no record: "review" (a person decides), "activity" (without a record),
        /// "create_lead", "create_contact", "skip".
        pub on_unmatched: OnUnmatched = Some(OnUnmatched::Review), "\"review\"";
        /// A record that all mail of this mailbox belongs to, whatever else stands in it.
        pub record: Option<RecordName> = optional(), "\"campaign/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"";
        /// Whose mailbox it is: the name under which this person signs in to the pages, and may open its mail there.
        pub owner: Option<String> = optional(), "\"anna\"";
        /// The roles that may open the bodies of its mail: "owner", "operator", "viewer". Each opening is audited.
        pub readers: Vec<Reader> = Some(vec![Reader::Owner, Reader::Operator]), "[\"owner\"]";
        /// Everybody's mail is copied into this mailbox (a journal), by IMAP, SMTP or LMTP: each copy is unwrapped.
        pub journal: bool = Some(false), "false";
        /// The IMAP folders to watch.
        pub imap: Option<Imap> = optional(), "";
        /// What is done to a mail in its mailbox once it is stored: "nothing", "mark_seen", "move".
        pub touch: Touch = Some(Touch::Nothing), "\"nothing\"";
        /// From when on mail is read: "now" (when the mailbox is first seen) or a date; never the whole history by accident.
        pub start_at: StartAt = Some(StartAt::Now), "\"now\"";
    }
}

section! {
    /// The mailbox on its IMAP server.
    pub struct Imap {
        /// The mail server.
        pub host: Host = required(), "\"domino.example.org\"";
        /// 993 for implicit TLS, 143 for STARTTLS.
        pub port: u16 = Some(993), "993";
        /// "implicit", "starttls" (required), or "none" (loopback only).
        pub tls: Tls = Some(Tls::Implicit), "\"implicit\"";
        /// The user to sign in as.
        pub username: Option<String> = optional(), "\"support\"";
        /// The user's password, or the access token of xoauth2, which is read again for each connection.
        pub password: Option<SecretRef> = optional(), "{ file = \"/etc/postroom/secrets/imap-support\" }";
        /// Where access tokens for xoauth2 come from, in place of password.
        pub oauth: Option<OAuth> = optional(), "";
        /// "auto", or "xoauth2".
        pub sign_in: SignIn = Some(SignIn::Auto), "\"auto\"";
        /// The SHA-256 of the only certificate that is believed: for old servers whose own cannot be verified.
        pub tls_pin: Option<Fingerprint> = optional(), "\"03D66DD08835C1CA3F128CCEACD1F31AC94163096B20F445AE84285BC0832D72\"";
        /// A PEM file with issuers that are believed besides the system's.
        pub ca_file: Option<PathBuf> = optional(), "\"/etc/postroom/tls/mail-ca.pem\"";
        /// Dovecot's master user: signs in as username*master with the master's password.
        pub master: Option<String> = optional(), "\"postroom\"";
        /// The namespace of another user's mailbox that this login may read, as the server lists it.
        pub below: Option<String> = optional(), "\"Other\\\\anna\"";
        /// The same as the mailbox's own `journal`, which is where it belongs.
        pub journal: bool = Some(false), "false";
        /// Folders that are tied to a record: what is moved into one belongs there. They are watched too; one that turns
        /// up after the mailbox is read from its first mail on.
        pub records: Vec<FolderRecord> = Some(Vec::new()), "[\"CRM/Acme = account/6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"]";
        /// Where "touch" moves stored mail to.
        pub move_to: Option<String> = optional(), "\"Tracked\"";
        /// How often news are asked for, where the server does not tell by itself.
        pub poll: Span = Some(Span::seconds(60)), "\"60s\"";
        /// The folders to watch.
        pub folders: Vec<String> = Some(vec!["INBOX".to_owned(), "Sent".to_owned()]), "[\"INBOX\", \"Sent\"]";
    }
}

section! {
    /// A server that issues access tokens for credentials of our own (OAuth 2, RFC 6749 section 4.4). Mailboxes that name
    /// the same share its tokens.
    pub struct OAuth {
        /// Where tokens are asked for; http is for this machine only.
        pub token_url: HttpUrl = required(), "\"https://login.example.org/oauth2/v2.0/token\"";
        /// Who we are there.
        pub client_id: String = required(), "\"6f1ed002-ab5e-4a2c-8d0c-1f0e6e2a9b11\"";
        /// How we prove it.
        pub client_secret: SecretRef = required(), "{ file = \"/etc/postroom/secrets/oauth\" }";
        /// What the token is for.
        pub scope: Option<String> = optional(), "\"https://outlook.example.org/.default\"";
    }
}

/// From when on mail is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// From the moment the mailbox is first seen.
    Now,
    At(Timestamp),
}

impl StartAt {
    fn parse(text: &str) -> Option<Self> {
        if text == "now" {
            return Some(StartAt::Now);
        }
        let moment = text.parse::<Timestamp>().ok();
        let midnight =
            || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        moment.or_else(midnight).map(StartAt::At)
    }
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartAt::Now => f.write_str("now"),
            StartAt::At(moment) => moment.fmt(f),
        }
    }
}

impl Setting for StartAt {
    fn expects() -> String {
        "\"now\", a date such as 2026-01-31, or a time with its zone".to_owned()
    }

    fn read(node: &Node, key: &str, cx: &mut Reading) -> Option<Self> {
        let parsed = match &node.value {
            Value::Text(text) | Value::Moment(text) => StartAt::parse(text),
            _ => None,
        };
        if parsed.is_none() {
            cx.mismatch(node, key, &Self::expects());
        }
        parsed
    }

    fn literal(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// An unprotected connection may not leave the machine.
pub(super) fn check_tls(key: &str, tls: Tls, host: &Host, cx: &mut Reading) {
    if tls == Tls::None && !host.is_loopback() {
        let text = format!(
            "{key} = \"none\" is for loopback only and {host} is not: use \"implicit\" or \"starttls\""
        );
        cx.refuse(key, text);
    }
}

/// All mailboxes; no address belongs to two.
impl Check for BTreeMap<String, Mailbox> {
    fn check(&self, cx: &mut Reading) {
        let mut owners: BTreeMap<&Email, &str> = BTreeMap::new();
        for (name, mailbox) in self {
            mailbox.check(name, cx);
            for (key, address) in mailbox.keyed_addresses() {
                let Some(first) = owners.insert(address, name) else { continue };
                let text = match first == name {
                    true => format!("mailboxes.{name} names {address} twice: keep one"),
                    false => {
                        format!("{address} belongs to mailboxes.{first} already: one address, one mailbox")
                    }
                };
                cx.refuse(&format!("mailboxes.{name}.{key}"), text);
            }
        }
    }
}

impl Mailbox {
    /// Every address of the mailbox, the first one being its own.
    pub fn all_addresses(&self) -> impl Iterator<Item = &Email> {
        self.keyed_addresses().map(|(_, address)| address)
    }

    /// Whether it holds copies of everybody's mail.
    pub fn is_journal(&self) -> bool {
        self.journal || self.imap.as_ref().is_some_and(|imap| imap.journal)
    }

    fn keyed_addresses(&self) -> impl Iterator<Item = (&'static str, &Email)> {
        std::iter::once(("address", &self.address)).chain(self.addresses.iter().map(|one| ("addresses", one)))
    }

    fn check(&self, name: &str, cx: &mut Reading) {
        let Some(imap) = &self.imap else { return };
        let key = format!("mailboxes.{name}.imap");
        if imap.tls == Tls::None || imap.tls_pin.is_none() {
            check_tls(&format!("{key}.tls"), imap.tls, &imap.host, cx);
        }
        if imap.folders.is_empty() {
            cx.refuse(
                &format!("{key}.folders"),
                format!("{key}.folders is empty: name a folder, or leave it out"),
            );
        }
        if imap.username.is_none() || imap.password.is_none() == imap.oauth.is_none() {
            let text =
                format!("{key}.username and {key}.password are needed to sign in; or username and oauth");
            cx.refuse(&key, text);
        }
        if imap.oauth.is_some() && imap.sign_in != SignIn::Xoauth2 {
            let text = format!("{key}.oauth gives tokens for sign_in = \"xoauth2\": set that too");
            cx.refuse(&format!("{key}.sign_in"), text);
        }
        if self.touch == Touch::Move && imap.move_to.is_none() {
            cx.refuse(
                &format!("{key}.move_to"),
                format!("{key}.move_to is missing: touch = \"move\" needs a folder"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_dates() {
        assert_eq!(StartAt::parse("now"), Some(StartAt::Now));
        let day = StartAt::parse("2026-01-31").map(|start| start.to_string());
        assert_eq!(day.as_deref(), Some("2026-01-31T00:00:00Z"));
        assert_eq!(StartAt::parse("2026-01-31T02:00:00+02:00"), StartAt::parse("2026-01-31"));
        assert_eq!(StartAt::parse("yesterday"), None);
    }
}
