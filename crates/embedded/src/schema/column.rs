//! What a column is: its kind, length, choices, targets and names. No values and no rules here.

use serde::{Deserialize, Serialize};

/// What a column holds. The words of `postroom_core::Value` that fit are named with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The primary key: `Guid`.
    Id,
    Guid,
    /// `Text`, at most `max_length` UTF-16 units, as SQL Server's `nvarchar` counts.
    Text,
    Integer,
    BigInteger,
    Boolean,
    /// `Int`, one of `choices` unless that list is empty.
    Choice,
    /// The `statecode` column.
    State,
    /// The `statuscode` column: each choice belongs to a state.
    Status,
    Double,
    Decimal,
    Money,
    Time,
    Lookup,
    /// `from`, `to` and their like: kept as rows of `activityparty`, never as a column.
    PartyList,
    /// A body: `Text` or `Content`, HTML or plain text.
    Body,
    /// A file's bytes: `Content`, or `Text` in base64.
    File,
    /// Several of `choices`: `Text` such as `1,3`, in rising order without repeats.
    MultiChoice,
}

impl Kind {
    /// What a value of this kind is called in an error.
    pub fn wanted(self) -> &'static str {
        match self {
            Kind::Id | Kind::Guid => "a GUID",
            Kind::Text => "text",
            Kind::Integer | Kind::BigInteger => "a whole number",
            Kind::Boolean => "true or false",
            Kind::Choice | Kind::State | Kind::Status => "the number of a choice",
            Kind::Double => "a number",
            Kind::Decimal | Kind::Money => "a decimal number",
            Kind::Time => "a time",
            Kind::Lookup => "a record (TABLE/GUID)",
            Kind::PartyList => "a party list, which is written as activityparty rows",
            Kind::Body => "text or a body",
            Kind::File => "bytes (base64 text)",
            Kind::MultiChoice => "the numbers of choices, with commas between them",
        }
    }
}

/// Texts by language (LCID), for those that are not English alone.
pub type Texts = Vec<(u32, String)>;

/// What the platform says of a column beyond its kind: how a text is meant, what a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    // texts
    Email,
    Url,
    Phone,
    TextArea,
    TickerSymbol,
    PhoneticGuide,
    /// Several lines: `MemoAttributeMetadata` instead of `StringAttributeMetadata`.
    Memo,
    /// The logical name of a table.
    EntityName,
    // whole numbers
    Duration,
    TimeZone,
    Language,
    Locale,
    /// A time of which only the date counts.
    DateOnly,
    /// A lookup that names an account or a contact.
    Customer,
    /// A file that is a picture.
    Image,
}

/// How a time is to be read by people in several time zones: `DateTimeBehavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behavior {
    #[default]
    UserLocal,
    DateOnly,
    TimeZoneIndependent,
}

/// How much a client is asked to fill a column that the server does not insist on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    #[default]
    Optional,
    Recommended,
    /// Forms insist on it, the server does not.
    Application,
}

/// A relationship: a lookup made at run time and one of the tables that it may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub target: String,
    /// `new_contact_new_bankaccount`.
    pub schema_name: String,
    /// The navigation property of the table with the lookup.
    pub navigation: String,
    /// The collection-valued one of the other table.
    pub collection: String,
    /// `CascadeConfiguration`: assign, delete, merge, reparent, share, unshare, in the platform's words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascade: Vec<String>,
}

/// One value of a choice column. Of a Boolean: the labels of 1 and 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Choice {
    pub value: i64,
    pub label: String,
    /// For a status: the state it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<i64>,
    /// The label in other languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Texts,
}

/// Which tables a lookup may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    Named(Vec<String>),
    /// Every table with `has_activities`, those made at run time too.
    AnyWithActivities,
}

impl Default for Targets {
    fn default() -> Self {
        Targets::Named(Vec::new())
    }
}

impl Targets {
    pub fn named(tables: &[&str]) -> Self {
        Targets::Named(tables.iter().map(|table| (*table).to_owned()).collect())
    }

    /// True when a value must say which table it means.
    pub fn several(&self) -> bool {
        !matches!(self, Targets::Named(tables) if tables.len() == 1)
    }

    /// The one table, when there is only one.
    pub fn only(&self) -> Option<&str> {
        match self {
            Targets::Named(tables) if tables.len() == 1 => Some(&tables[0]),
            _ => None,
        }
    }
}

/// What the server puts into a column that a new row leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    Boolean(bool),
    Number(i64),
    Text(String),
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// In UTF-16 units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub targets: Targets,
    /// A row without it is refused, after the server's own defaults.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
    /// Kept by the server: a write from outside is refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Has an index of its own; text is indexed in lower case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub indexed: bool,
    /// The name with its case; without it the published one of a standard column, else the logical name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_name: Option<String>,
    /// The label by language, when it is not `label` in English alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Texts,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub description: Texts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub behavior: Behavior,
    /// Digits after the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u8>,
    /// Of an amount: 0 the column's own precision, 1 the organisation's, 2 the currency's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_source: Option<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub wanted: Wanted,
    /// The global option set that `choices` follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option_set: Option<String>,
    /// The relationships of a lookup made at run time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Only field security profiles open it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secured: bool,
    /// Changed at run time: what comes with a newer postroom does not replace it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changed: bool,
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Column {
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Column {
            name: name.into(),
            kind,
            label: None,
            max_length: None,
            min: None,
            max: None,
            choices: Vec::new(),
            targets: Targets::default(),
            required: false,
            read_only: false,
            preset: None,
            indexed: false,
            schema_name: None,
            labels: Vec::new(),
            description: Vec::new(),
            format: None,
            behavior: Behavior::UserLocal,
            precision: None,
            precision_source: None,
            wanted: Wanted::Optional,
            option_set: None,
            links: Vec::new(),
            secured: false,
            changed: false,
        }
    }

    /// A text column of at most `max_length` UTF-16 units.
    pub fn text(name: impl Into<String>, max_length: u32) -> Self {
        Column { max_length: Some(max_length), ..Column::new(name, Kind::Text) }
    }

    pub fn lookup(name: impl Into<String>, targets: &[&str]) -> Self {
        Column { targets: Targets::named(targets), ..Column::new(name, Kind::Lookup) }
    }

    pub fn choice(name: impl Into<String>, choices: &[(i64, &str)]) -> Self {
        let choice = |(value, label): &(i64, &str)| Choice {
            value: *value,
            label: (*label).to_owned(),
            ..Choice::default()
        };
        Column { choices: choices.iter().map(choice).collect(), ..Column::new(name, Kind::Choice) }
    }

    pub fn required(self) -> Self {
        Column { required: true, ..self }
    }

    pub fn read_only(self) -> Self {
        Column { read_only: true, ..self }
    }

    pub fn indexed(self) -> Self {
        Column { indexed: true, ..self }
    }

    pub fn preset(self, preset: Preset) -> Self {
        Column { preset: Some(preset), ..self }
    }
}
