//! Data fields: what is kept of each person, and values of it.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use super::word::words;
use crate::Fault;

words! {
    /// What a field holds.
    FieldType { Text = "String", Number = "Numeric", Date = "Date", Bool = "Boolean" }
}

words! {
    /// Whether people see a field in the service's forms.
    Visibility { Private = "Private", Public = "Public" }
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// Empties the field. Never sent unless that is meant.
    Clear,
    Text(String),
    /// A decimal in plain notation: `-12.50`.
    Number(String),
    Bool(bool),
    Moment(Timestamp),
    /// A day without a time. It is sent as noon UTC: accounts west of Greenwich once moved midnight to the day before.
    Day(Date),
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        FieldValue::Text(text.to_owned())
    }
}

/// A field of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct DataField {
    /// Without spaces; the service writes it in capitals and compares without case.
    pub name: String,
    pub kind: FieldType,
    pub visibility: Visibility,
    /// What people have who have nothing.
    pub default: Option<FieldValue>,
}

/// What became of making a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldMade {
    Created,
    /// It was there, with this type.
    Existed,
}

/// What became of removing a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldRemoved {
    Removed,
    /// It stays: these use it, such as `Campaign 5`.
    InUse(Vec<String>),
    /// There was none.
    Missing,
}

/// The account's fields.
#[async_trait]
pub trait Fields: Send + Sync {
    /// All of them; the service has no pages here.
    async fn fields(&self) -> Result<Vec<DataField>, Fault>;

    /// Makes a field. Repeating does no harm: one of this name and type is [`FieldMade::Existed`].
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_DUPLICATE`] when there is one of another type; [`crate::Code::MARKETING_QUOTA`].
    async fn create_field(&self, field: &DataField) -> Result<FieldMade, Fault>;

    /// Removes a field with everybody's values. Repeating does no harm.
    async fn remove_field(&self, name: &str) -> Result<FieldRemoved, Fault>;
}
