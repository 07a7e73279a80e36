//! What a table is: columns with their kinds, lengths, choices and targets. No values and no rules here.

use std::collections::HashMap;

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
        }
    }
}

/// One value of a choice column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub value: i64,
    pub label: String,
    /// For a status: the state it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<i64>,
}

/// Which tables a lookup may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    Named(Vec<String>),
    /// Every table with [`Table::has_activities`], those made at run time too.
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
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
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
        let choice =
            |(value, label): &(i64, &str)| Choice { value: *value, label: (*label).to_owned(), state: None };
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

/// Who owns a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// A user or team: `ownerid` is always filled.
    User,
    /// The organisation, or the row's parent: no owner of its own.
    None,
}

/// One table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// Logical name: singular, lower case.
    pub name: String,
    pub primary_key: String,
    /// The column that shows what a row is, such as `subject` or `fullname`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_name: Option<String>,
    pub ownership: Ownership,
    /// Its rows are activities: they have parties and a regarding record.
    #[serde(default, skip_serializing_if = "is_default")]
    pub activity: bool,
    /// Activities may regard its rows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_activities: bool,
    pub columns: Vec<Column>,
    #[serde(skip)]
    places: HashMap<String, usize>,
    #[serde(skip)]
    required: Vec<usize>,
    #[serde(skip)]
    presets: Vec<usize>,
    #[serde(skip)]
    has_money: bool,
}

impl Table {
    /// A table with these columns and nothing else; [`Table::custom`] adds what every table of users has.
    pub fn new(name: impl Into<String>, primary_key: impl Into<String>, columns: Vec<Column>) -> Self {
        let mut table = Table {
            name: name.into(),
            primary_key: primary_key.into(),
            primary_name: None,
            ownership: Ownership::None,
            activity: false,
            has_activities: false,
            columns,
            places: HashMap::new(),
            required: Vec::new(),
            presets: Vec::new(),
            has_money: false,
        };
        table.index();
        table
    }

    /// A user-owned table made at run time: key `<name>id`, owner, state, audit columns and version besides `columns`.
    /// The first text column is its name. Activities may regard its rows.
    pub fn custom(name: &str, columns: Vec<Column>) -> Self {
        let own_name =
            columns.iter().find(|column| column.kind == Kind::Text).map(|column| column.name.clone());
        let key = format!("{name}id");
        let mut all = vec![Column::new(key.clone(), Kind::Id).required()];
        all.extend(columns);
        all.extend(standard_columns());
        let mut table = Table::new(name, key, all);
        table.primary_name = own_name;
        table.ownership = Ownership::User;
        table.has_activities = true;
        table
    }

    /// Notes where columns stand; call it after `columns` changed.
    pub(crate) fn index(&mut self) {
        self.places =
            self.columns.iter().enumerate().map(|(place, column)| (column.name.clone(), place)).collect();
        let places = |wanted: fn(&Column) -> bool| {
            self.columns
                .iter()
                .enumerate()
                .filter(|(_, column)| wanted(column))
                .map(|(place, _)| place)
                .collect()
        };
        self.required =
            places(|column| column.required && column.kind != Kind::Id && column.kind != Kind::PartyList);
        self.presets = places(|column| column.preset.is_some());
        self.has_money = self.columns.iter().any(|column| column.kind == Kind::Money);
    }

    /// The columns that a row must have, without the key.
    pub(crate) fn required(&self) -> &[usize] {
        &self.required
    }

    /// The columns that the server fills.
    pub(crate) fn presets(&self) -> &[usize] {
        &self.presets
    }

    /// Amounts of money need a currency.
    pub(crate) fn has_money(&self) -> bool {
        self.has_money
    }

    /// A column's place in `columns`.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.places.get(column).copied()
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.place(name).map(|place| &self.columns[place])
    }

    /// The table's name in the database.
    pub(crate) fn storage(&self) -> String {
        format!("crm_{}", self.name)
    }
}

fn standard_columns() -> Vec<Column> {
    let status = |value, label: &str, state| Choice { value, label: label.into(), state };
    let mut state = Column::new("statecode", Kind::State).required();
    state.choices = vec![status(0, "Active", None), status(1, "Inactive", None)];
    let mut reason = Column::new("statuscode", Kind::Status);
    reason.choices = vec![status(1, "Active", Some(0)), status(2, "Inactive", Some(1))];
    vec![
        state,
        reason,
        Column::lookup("ownerid", &["systemuser", "team"]).required(),
        Column::lookup("owningbusinessunit", &["businessunit"]).read_only(),
        Column::lookup("owninguser", &["systemuser"]).read_only(),
        Column::lookup("owningteam", &["team"]).read_only(),
        Column::lookup("createdby", &["systemuser"]).read_only(),
        Column::new("createdon", Kind::Time).read_only(),
        Column::lookup("modifiedby", &["systemuser"]).read_only(),
        Column::new("modifiedon", Kind::Time).read_only(),
        Column::new("overriddencreatedon", Kind::Time),
        Column::new("versionnumber", Kind::BigInteger).read_only().indexed(),
    ]
}
