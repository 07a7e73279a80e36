//! What an administrator set: mailboxes, trust, and which tables a GUID may name. Values only; reading the file is the
//! binary's business.

use postroom_core::{RecordRef, address};
use uuid::Uuid;

/// The version of the decision rules, stored with every decision. Raise it when a rule changes what is decided.
pub const VERSION: u32 = 2;

/// The tables a GUID may name by default, in order (design.md 4.4).
pub const TABLES: [&str; 9] =
    ["account", "contact", "lead", "opportunity", "incident", "quote", "salesorder", "invoice", "campaign"];

/// Everything the rules of the mail half depend on.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Names this installation in ids of CRM rows and in loop marks. Never changes.
    pub installation: Uuid,
    /// Tables a GUID may name; `email` is always asked too.
    pub tables: Vec<String>,
    pub trust: Trust,
    /// A header that may carry a GUID, when one is configured.
    pub header: Option<String>,
    /// Where mail for a qualified lead goes.
    pub qualified_lead: QualifiedLead,
    /// Microsoft's own tokens: the prefix, `CRM:` unless the organisation changed it.
    pub microsoft_prefix: String,
    /// The names under which our own servers write Authentication-Results (RFC 8601); others count for nothing.
    pub authserv_ids: Vec<String>,
    /// Mail that is nobody's business here.
    pub never: Never,
    pub delivery: DeliveryBy,
    /// Who owns what neither a mailbox nor a record gives an owner: a user or team. Without one the CRM puts our own user.
    pub owner: Option<RecordRef>,
    pub mailboxes: Vec<Mailbox>,
    /// What holds for recipients that no mailbox names.
    pub fallback: Mailbox,
}

/// How received mail gets into the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliveryBy {
    /// As rows of ours, under ids of ours.
    #[default]
    Rows,
    /// By the server's own `DeliverIncomingEmail`.
    Server,
}

/// What an unsigned token may do (design.md 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Attach when the GUID names a record; mark a sender the CRM does not know.
    #[default]
    Seed,
    /// Attach only when the CRM knows the sender.
    KnownSender,
    /// An unsigned token only proposes.
    Signed,
}

/// Mail that is never tracked, whatever it names. Only its headers are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Never {
    /// In normal form.
    pub addresses: Vec<String>,
    /// With their subdomains.
    pub domains: Vec<String>,
    /// Domains of our own: mail whose every party is in one of them is internal. Empty: internal mail is tracked.
    pub internal: Vec<String>,
    /// `Sensitivity: Private`, `Personal` or `Company-Confidential` (RFC 2156 5.3.4).
    pub sensitive: bool,
}

impl Never {
    /// Whether an address in normal form is in a domain of our own.
    pub fn is_internal(&self, address: &str) -> bool {
        self.internal.iter().any(|domain| within(address, domain))
    }

    /// Why a mail with these parties and this Sensitivity is never tracked. A mail that any outsider sees is not internal.
    pub fn reason(&self, parties: &[String], sensitivity: Option<&str>) -> Option<String> {
        if let Some(address) = parties.iter().find(|party| self.addresses.contains(party)) {
            return Some(format!("{address} is on the list of addresses that are never tracked."));
        }
        let listed = |domains: &[String], party: &str| domains.iter().any(|domain| within(party, domain));
        if let Some(address) = parties.iter().find(|party| listed(&self.domains, party)) {
            return Some(format!(
                "The domain of {address} is on the list of domains that are never tracked."
            ));
        }
        if !parties.is_empty() && parties.iter().all(|party| self.is_internal(party)) {
            return Some("It is internal mail: every party is in a domain of our own.".into());
        }
        let word = sensitivity.map(str::trim).filter(|word| {
            ["private", "personal", "company-confidential", "confidential"]
                .iter()
                .any(|known| word.eq_ignore_ascii_case(known))
        });
        word.filter(|_| self.sensitive).map(|word| format!("Its sender marked it as {word}."))
    }
}

/// Whether an address is in a domain or below it.
fn within(address: &str, domain: &str) -> bool {
    let Some(own) = address::domain(address) else { return false };
    own == domain || own.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Where mail for a qualified lead goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QualifiedLead {
    #[default]
    Lead,
    Account,
    Contact,
    Opportunity,
}

/// Which mail of a mailbox is tracked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Track {
    #[default]
    All,
    /// Only what names a record.
    Replies,
    /// What names a record, or comes from somebody the CRM knows.
    Known,
    None,
}

/// What becomes of tracked mail that names no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnmatched {
    #[default]
    Review,
    /// An activity that regards nothing.
    Activity,
    CreateLead,
    CreateContact,
    Skip,
}

/// One tracked address, or the fallback for all others.
#[derive(Debug, Clone, Default)]
pub struct Mailbox {
    pub name: String,
    /// In normal form.
    pub addresses: Vec<String>,
    pub track: Track,
    /// The CRM's own setting for the user or queue of this mailbox holds, where it has one.
    pub track_by_crm: bool,
    pub on_unmatched: OnUnmatched,
    /// A record that an administrator tied to this mailbox: all its mail belongs there.
    pub record: Option<RecordRef>,
    /// Holds copies of everybody's mail.
    pub journal: bool,
    /// Folders that an administrator tied to a record: what is moved into one belongs there.
    pub folders: Vec<(String, RecordRef)>,
    /// The name under which its own user signs in to the pages: may open what is in it.
    pub owner: Option<String>,
    /// The roles that may open what is in it; `None` leaves that to what a role may do everywhere.
    pub readers: Option<Vec<String>>,
}

impl Mailbox {
    /// Every record that the mailbox or a folder of it is tied to.
    pub fn tied(&self) -> impl Iterator<Item = &RecordRef> {
        self.record.iter().chain(self.folders.iter().map(|(_, record)| record))
    }

    /// The record that a folder of this mailbox is tied to. Only the Inbox's name is without case (RFC 3501 5.1).
    pub fn record_of(&self, folder: &str) -> Option<&RecordRef> {
        let same = |known: &str| {
            known == folder || known.eq_ignore_ascii_case("INBOX") && folder.eq_ignore_ascii_case("INBOX")
        };
        self.folders.iter().find(|(known, _)| same(known)).map(|(_, record)| record)
    }
}

impl Rules {
    /// Rules for a new installation: track everything, review what names nothing.
    pub fn new(installation: Uuid) -> Self {
        Rules {
            installation,
            tables: TABLES.iter().map(|table| (*table).to_owned()).collect(),
            trust: Trust::default(),
            header: None,
            qualified_lead: QualifiedLead::default(),
            microsoft_prefix: "CRM:".into(),
            authserv_ids: Vec::new(),
            never: Never::default(),
            delivery: DeliveryBy::default(),
            owner: None,
            mailboxes: Vec::new(),
            fallback: Mailbox { name: "default".into(), ..Mailbox::default() },
        }
    }

    /// The mailbox of that name.
    pub fn mailbox_named(&self, name: &str) -> Option<&Mailbox> {
        self.mailboxes.iter().find(|mailbox| mailbox.name == name)
    }

    /// The mailbox that one of these addresses belongs to; the first in the order of the addresses wins.
    pub fn mailbox_of<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> Option<&Mailbox> {
        addresses.into_iter().find_map(|wanted| {
            let wanted = address::normal(wanted);
            self.mailboxes.iter().find(|mailbox| mailbox.addresses.contains(&wanted))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parties: &[&str], sensitivity: Option<&str>, wanted: Option<&str>) {
        let never = Never {
            addresses: vec!["lawyer@firm.example".into()],
            domains: vec!["clinic.example".into()],
            internal: vec!["demo.example".into()],
            sensitive: true,
        };
        let parties: Vec<String> = parties.iter().map(|party| (*party).to_owned()).collect();
        let reason = never.reason(&parties, sensitivity);
        assert_eq!(reason.is_some(), wanted.is_some(), "{reason:?}");
        assert!(reason.unwrap_or_default().contains(wanted.unwrap_or_default()));
    }

    #[test]
    fn what_is_never_tracked() {
        check(&["a@customer.example", "ines@demo.example"], None, None);
        check(&["lawyer@firm.example", "ines@demo.example"], None, Some("addresses"));
        check(&["other@firm.example", "ines@demo.example"], None, None);
        check(&["dr@a.clinic.example"], None, Some("domains"));
        check(&["dr@notclinic.example"], None, None);
        check(&["tom@demo.example", "ines@it.demo.example"], None, Some("internal"));
        check(&["tom@demo.example", "a@customer.example"], Some("Private"), Some("Private"));
        check(&["tom@demo.example", "a@customer.example"], Some("Normal"), None);
        check(&[], None, None);
    }
}
