//! The Email Service Connector: the one description of what the marketing half keeps in the CRM.
//!
//! # Design
//!
//! A [`Table`] is constant data: [`tables::all`] has the tables that are made, [`extended::all`] the columns that standard
//! tables gain, [`options`] the choices, [`roles`] the four security roles and their privileges. Nothing else in postroom
//! spells these names. From here come
//!
//! * [`definitions`]: the same in the words of `core::metadata`, which the port and the solution file speak;
//! * [`faces`]: views, forms, buttons, navigation and the app;
//! * [`package`]: all of it as a solution file, for each generation, managed and unmanaged;
//! * [`install`]: that file put into a CRM by the CRM's own import, and [`plan`]: what that would change;
//! * what a generation of the platform cannot have or no longer has ([`Era`]): the message queue ends before 9.0,
//!   marketing preferences begin after 2011.
//!
//! Every table has a primary name `esc_name`; the shared columns (marketing-entities.md 1.1) are added by [`Table::columns`],
//! so that the lists name only what is a table's own. Where that section has a general `esc_serviceid`, each table has the id
//! under a name that says whose it is.
//!
//! The set of tables and their names are those of seed 004; columns are those of marketing-entities.md, whose names are
//! proposals. Publisher: prefix `esc`, choices are numbered from [`OPTION_PREFIX`] × 10,000.

pub mod definition;
pub mod definitions;
pub mod extended;
pub mod faces;
pub mod install;
pub mod look;
pub mod mark;
pub mod options;
pub mod package;
pub mod plan;
pub mod roles;
pub mod tables;

use options::Set;

/// The unique name of the solution.
pub const UNIQUE_NAME: &str = "EmailServiceConnector";
/// The unique name of what is added to tables of the same names that somebody else made: of another name, so that it is known
/// whose the tables are, and goes without them.
pub const BESIDE_NAME: &str = "EmailServiceConnectorBeside";
pub const DISPLAY_NAME: &str = "Email Service Connector";
/// The publisher's customization prefix.
pub const PREFIX: &str = "esc";
/// The publisher's option value prefix (10,000 to 99,999).
pub const OPTION_PREFIX: i32 = 27_203;
/// Major, minor, build, revision.
pub const VERSION: &str = "1.0.0.2";

/// The generations of the platform that differ in what the solution holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Era {
    /// 5.0
    Crm2011,
    /// 6.0 and 6.1
    Crm2013,
    /// 7.0, without alternate keys
    Crm2015,
    /// 7.1 and 8
    Crm2016,
    /// 9 and online
    Dynamics365,
}

/// Who fills a column: what forms show read-only, and what the connector leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    User,
    Connector,
    Both,
}

/// What a column holds. Lengths are UTF-16 units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Text(u32),
    Email,
    Url(u32),
    Memo(u32),
    Whole,
    /// With this many digits after the point.
    Decimal(u8),
    Double,
    /// Two options, Yes and No; the default.
    YesNo(bool),
    /// A moment, kept in UTC.
    Moment,
    Choice(Set),
    /// The logical name of the one table it names.
    Lookup(&'static str),
}

/// A column, in the order of forms and views.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: Kind,
    /// Business required: a form insists, the server does not.
    pub required: bool,
    pub by: By,
}

/// Whose behaviour a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// The row is not about a person.
    No,
    /// About a contact, lead or account.
    Record,
}

/// A table that the solution makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    pub name: &'static str,
    pub label: &'static str,
    pub plural: &'static str,
    pub about: &'static str,
    /// Where the table belongs to one account of the service, as nearly all do.
    pub of_account: bool,
    pub person: Person,
    /// False for rows whose own id is the key of their request.
    pub keyed: bool,
    /// The first and last generation that has it.
    pub since: Era,
    pub until: Era,
    /// Its own columns; [`Table::columns`] adds the shared ones.
    pub own: &'static [Column],
}

/// A many-to-many relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairing {
    pub name: &'static str,
    pub first: &'static str,
    pub second: &'static str,
}

/// The lists that a send goes to (marketing-entities.md 3.2), and all records of a suppressed address (4.4).
pub const PAIRINGS: &[Pairing] = &[
    Pairing { name: "esc_emailsend_list", first: "esc_emailsend", second: "list" },
    Pairing { name: "esc_emailsupression_contact", first: "esc_emailsupression", second: "contact" },
    Pairing { name: "esc_emailsupression_lead", first: "esc_emailsupression", second: "lead" },
    Pairing { name: "esc_emailsupression_account", first: "esc_emailsupression", second: "account" },
];

impl Era {
    pub const ALL: [Era; 5] = [Era::Crm2011, Era::Crm2013, Era::Crm2015, Era::Crm2016, Era::Dynamics365];

    /// The generation of a server that says of itself that it has this version, such as `8.1.0.359`. What has no number is
    /// ours, and of the newest.
    pub fn of_version(version: &str) -> Era {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(..=5), _) => Era::Crm2011,
            (Some(6), _) => Era::Crm2013,
            (Some(7), None | Some(0)) => Era::Crm2015,
            (Some(7 | 8), _) => Era::Crm2016,
            _ => Era::Dynamics365,
        }
    }

    /// From 2015 Update 1 on.
    pub fn has_keys(self) -> bool {
        self >= Era::Crm2016
    }
}

/// As the command line names generations: the year of a server, or `365`.
impl std::fmt::Display for Era {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Era::Crm2011 => "2011",
            Era::Crm2013 => "2013",
            Era::Crm2015 => "2015",
            Era::Crm2016 => "2016",
            Era::Dynamics365 => "365",
        })
    }
}

impl std::str::FromStr for Era {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Era::ALL.into_iter().find(|era| era.to_string() == text);
        known.ok_or_else(|| format!("{text:?} is no generation; use 2011, 2013, 2015, 2016 or 365"))
    }
}

impl Column {
    /// Filled by the connector, and not required.
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Column { name, label, kind, required: false, by: By::Connector }
    }

    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    #[must_use]
    pub const fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }
}

impl Column {
    /// Whether a generation has it: one that names a row of the solution's goes with that table.
    pub fn is_in(&self, era: Era) -> bool {
        match self.kind {
            Kind::Lookup(table) => tables::named(table).is_none_or(|table| table.is_in(era)),
            _ => true,
        }
    }
}

impl Table {
    /// Belongs to an account, is keyed, tells of nobody, and is in every generation.
    pub const fn new(
        name: &'static str,
        label: &'static str,
        plural: &'static str,
        about: &'static str,
        own: &'static [Column],
    ) -> Self {
        Table {
            name,
            label,
            plural,
            about,
            of_account: true,
            person: Person::No,
            keyed: true,
            since: Era::Crm2011,
            until: Era::Dynamics365,
            own,
        }
    }

    pub fn is_in(&self, era: Era) -> bool {
        (self.since..=self.until).contains(&era)
    }

    /// The name of its primary key.
    pub fn id(&self) -> String {
        format!("{}id", self.name)
    }

    /// Every column but the platform's own and `esc_name`, shared ones first.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> + '_ {
        let shared = [
            (self.of_account, tables::ACCOUNT),
            (self.keyed, tables::KEY),
            (self.person == Person::Record, tables::RECORD),
            (true, tables::SYNCED),
        ];
        shared.into_iter().filter(|(has, _)| *has).flat_map(|(_, columns)| columns).chain(self.own)
    }
}
