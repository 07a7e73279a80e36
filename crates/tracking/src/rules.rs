//! What an administrator set: mailboxes, trust, and which tables a GUID may name. Values only; reading the file is the
//! binary's business.

use postroom_core::{RecordRef, address};
use uuid::Uuid;

/// The version of the decision rules, stored with every decision. Raise it when a rule changes what is decided.
pub const VERSION: u32 = 1;

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
    pub mailboxes: Vec<Mailbox>,
    /// What holds for recipients that no mailbox names.
    pub fallback: Mailbox,
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
    pub on_unmatched: OnUnmatched,
    /// A record that an administrator tied to this mailbox: all its mail belongs there.
    pub record: Option<RecordRef>,
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
