//! The tables of the model: as much of Dataverse's as the suite touches.

use postroom_core::Value;

/// What a column takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Id,
    Text(usize),
    Body,
    Int,
    Bool,
    Choice(&'static [i64]),
    /// States, each with its statuses; the first of each is what a state alone means.
    State(&'static [(i64, &'static [i64])]),
    Status,
    Decimal,
    Time,
    Lookup(&'static [&'static str]),
}

pub type Columns = &'static [(&'static str, Kind)];

pub struct Table {
    pub name: &'static str,
    pub columns: Columns,
    pub required: &'static [&'static str],
}

const OWNER: (&str, Kind) = ("ownerid", Kind::Lookup(&["systemuser"]));
const ACTIVE: (&str, Kind) = ("statecode", Kind::State(&[(0, &[1]), (1, &[2])]));
const STATUS: (&str, Kind) = ("statuscode", Kind::Status);
const CHANGED: (&str, Kind) = ("modifiedon", Kind::Time);
const VERSION: (&str, Kind) = ("versionnumber", Kind::Int);
const RECORDS: &[&str] = &["contact", "account", "lead"];

const CONTACT: Columns = &[
    ("contactid", Kind::Id),
    ("firstname", Kind::Text(50)),
    ("lastname", Kind::Text(50)),
    ("jobtitle", Kind::Text(100)),
    ("description", Kind::Text(2000)),
    ("emailaddress1", Kind::Text(100)),
    ("emailaddress2", Kind::Text(100)),
    ("emailaddress3", Kind::Text(100)),
    ("gendercode", Kind::Choice(&[1, 2])),
    ("numberofchildren", Kind::Int),
    ("annualincome", Kind::Decimal),
    ("donotemail", Kind::Bool),
    ("lastusedincampaign", Kind::Time),
    ("parentcustomerid", Kind::Lookup(&["account", "contact"])),
    ("merged", Kind::Bool),
    ("masterid", Kind::Lookup(&["contact"])),
    OWNER,
    ACTIVE,
    STATUS,
    CHANGED,
    VERSION,
];

const ACCOUNT: Columns = &[
    ("accountid", Kind::Id),
    ("name", Kind::Text(160)),
    ("emailaddress1", Kind::Text(100)),
    ("emailaddress2", Kind::Text(100)),
    ("emailaddress3", Kind::Text(100)),
    ("revenue", Kind::Decimal),
    OWNER,
    ACTIVE,
    STATUS,
    CHANGED,
];

const LEAD: Columns = &[
    ("leadid", Kind::Id),
    ("subject", Kind::Text(300)),
    ("lastname", Kind::Text(50)),
    ("emailaddress1", Kind::Text(100)),
    ("emailaddress2", Kind::Text(100)),
    ("emailaddress3", Kind::Text(100)),
    OWNER,
    ("statecode", Kind::State(&[(0, &[1, 2]), (1, &[3]), (2, &[4, 5, 6, 7])])),
    STATUS,
    CHANGED,
];

const EMAIL: Columns = &[
    ("activityid", Kind::Id),
    ("subject", Kind::Text(800)),
    ("description", Kind::Body),
    ("directioncode", Kind::Bool),
    ("messageid", Kind::Text(320)),
    ("actualend", Kind::Time),
    ("regardingobjectid", Kind::Lookup(RECORDS)),
    OWNER,
    ("statecode", Kind::State(&[(0, &[1, 8]), (1, &[2, 3, 4, 6, 7]), (2, &[5])])),
    STATUS,
    CHANGED,
];

pub const TABLES: &[Table] = &[
    Table { name: "contact", columns: CONTACT, required: &[] },
    Table { name: "account", columns: ACCOUNT, required: &[] },
    Table { name: "lead", columns: LEAD, required: &[] },
    Table { name: "email", columns: EMAIL, required: &[] },
    Table {
        name: "queue",
        columns: &[
            ("queueid", Kind::Id),
            ("name", Kind::Text(200)),
            ("emailaddress", Kind::Text(100)),
            OWNER,
            ACTIVE,
            STATUS,
            CHANGED,
        ],
        required: &[],
    },
    Table {
        name: "list",
        columns: &[
            ("listid", Kind::Id),
            ("listname", Kind::Text(128)),
            ("createdfromcode", Kind::Choice(&[1, 2, 4])),
        ],
        required: &[],
    },
    Table {
        name: "listmember",
        columns: &[
            ("listmemberid", Kind::Id),
            ("listid", Kind::Lookup(&["list"])),
            ("entityid", Kind::Lookup(RECORDS)),
        ],
        required: &[],
    },
    Table {
        name: "systemuser",
        columns: &[
            ("systemuserid", Kind::Id),
            ("firstname", Kind::Text(50)),
            ("lastname", Kind::Text(64)),
            ("domainname", Kind::Text(1024)),
            ("internalemailaddress", Kind::Text(100)),
            ("personalemailaddress", Kind::Text(100)),
            ("isdisabled", Kind::Bool),
            ("businessunitid", Kind::Lookup(&["businessunit"])),
            CHANGED,
        ],
        required: &["businessunitid"],
    },
    Table {
        name: "businessunit",
        columns: &[("businessunitid", Kind::Id), ("name", Kind::Text(160))],
        required: &["name"],
    },
    Table {
        name: "activityparty",
        columns: &[
            ("activitypartyid", Kind::Id),
            ("activityid", Kind::Lookup(&["email"])),
            ("participationtypemask", Kind::Choice(&[1, 2, 3, 4])),
            ("partyid", Kind::Lookup(&["contact", "account", "lead", "queue", "systemuser"])),
            ("addressused", Kind::Text(200)),
        ],
        required: &["activityid"],
    },
    Table {
        name: "activitymimeattachment",
        columns: &[
            ("activitymimeattachmentid", Kind::Id),
            ("objectid", Kind::Lookup(&["email"])),
            ("objecttypecode", Kind::Text(64)),
            ("filename", Kind::Text(255)),
            ("mimetype", Kind::Text(256)),
            ("body", Kind::Body),
        ],
        required: &[],
    },
];

impl Table {
    pub fn of(name: &str) -> Option<&'static Table> {
        TABLES.iter().find(|table| table.name == name)
    }

    pub fn kind(&self, column: &str) -> Option<Kind> {
        self.columns.iter().find(|(name, _)| *name == column).map(|(_, kind)| *kind)
    }

    pub fn states(&self) -> &'static [(i64, &'static [i64])] {
        match self.kind("statecode") {
            Some(Kind::State(states)) => states,
            _ => &[],
        }
    }
}

impl Kind {
    /// Whether a value is of this kind; lengths and references are looked at elsewhere.
    pub fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null)
            | (Kind::Text(_) | Kind::Body, Value::Text(_))
            | (Kind::Body, Value::Content(_))
            | (Kind::Int | Kind::Status, Value::Int(_))
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Decimal, Value::Decimal(_))
            | (Kind::Time, Value::Time(_)) => true,
            (Kind::Choice(options), Value::Int(number)) => options.contains(number),
            (Kind::State(states), Value::Int(number)) => states.iter().any(|(state, _)| state == number),
            (Kind::Lookup(tables), Value::Lookup(at)) => tables.contains(&at.table.as_str()),
            _ => false,
        }
    }
}
