//! What a table is: its columns, its keys and its names. No values and no rules here.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::column::{Choice, Column, Kind, Texts, is_default};

/// Who owns a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// A user or team: `ownerid` is always filled.
    User,
    /// The organisation, or the row's parent: no owner of its own.
    None,
    /// The organisation, in a table made at run time.
    Organization,
}

/// An alternate key: no two rows have the same values in these columns. A row that lacks one of them is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Logical name.
    pub name: String,
    pub schema_name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Texts,
    pub columns: Vec<String>,
}

/// What makes a table the rows of a many-to-many relationship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intersect {
    pub schema_name: String,
    pub first: Side,
    pub second: Side,
}

/// One side of a many-to-many relationship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    pub table: String,
    /// The column of the intersect table with the ids of this side.
    pub column: String,
    pub navigation: String,
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
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_notes: bool,
    pub columns: Vec<Column>,
    /// The name with its case; without it the published one of a standard table, else the logical name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_name: Option<String>,
    /// The name in URLs of a table made at run time; it never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_set: Option<String>,
    /// The object type code of a table made at run time; it never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Texts,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plural: Texts,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub description: Texts,
    /// Nobody may ask what changed in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub untracked: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intersect: Option<Intersect>,
    /// Its own definition was changed at run time: what comes with a newer postroom does not replace it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changed: bool,
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
            has_notes: false,
            columns,
            schema_name: None,
            entity_set: None,
            type_code: None,
            labels: Vec::new(),
            plural: Vec::new(),
            description: Vec::new(),
            untracked: false,
            keys: Vec::new(),
            intersect: None,
            changed: false,
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

pub(crate) fn standard_columns() -> Vec<Column> {
    let status = |value, label: &str, state| Choice { value, label: label.into(), state, labels: Vec::new() };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a database made by the first version has in its `crm_table`.
    #[test]
    fn old_descriptions_read() {
        let old = r#"{"name":"esc_send","primary_key":"esc_sendid","primary_name":"esc_name","ownership":"user",
            "has_activities":true,"columns":[{"name":"esc_sendid","kind":"id","required":true},
            {"name":"esc_result","kind":"choice","choices":[{"value":1,"label":"Sent"}]},
            {"name":"esc_contactid","kind":"lookup","targets":{"named":["contact"]},"indexed":true}]}"#;
        let mut table: Table = serde_json::from_str(old).expect("it is read as it was written");
        table.index();
        assert_eq!((table.entity_set.clone(), table.type_code, table.untracked), (None, None, false));
        assert_eq!(table.column("esc_result").map(|column| column.choices[0].labels.len()), Some(0));
        let text = serde_json::to_string(&table).expect("plain data");
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parsed(&text), parsed(old), "nothing is added to what did not change");
    }
}
