//! Contact data fields: their definitions, and typed values in little room. Source: dotdigital.md A9.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest text of a value (dotdigital.md A7: the current figure).
const LONGEST_TEXT: usize = 1000;
/// Fields of one account.
const MOST_FIELDS: usize = 400;
/// Names that are not to be had (dotdigital.md A7).
const RESERVED: &[&str] = &[
    "ACCOUNT",
    "CAMPAIGN",
    "CAMPAIGNID",
    "CONTACT",
    "CONTACT_API_ID",
    "CONTACTID",
    "EMAIL",
    "HCONTACTID",
    "HEMAIL",
    "HEMAIL256",
    "ID",
    "MESSAGECONTENT",
    "MOBILENUMBERID",
    "NOTES",
    "UNSUBSCRIBED",
    "UNIQUECONTACTID",
];
const STANDARD: &[(&str, Kind)] = &[
    ("FIRSTNAME", Kind::String),
    ("LASTNAME", Kind::String),
    ("FULLNAME", Kind::String),
    ("GENDER", Kind::String),
    ("POSTCODE", Kind::String),
    ("LASTSUBSCRIBED", Kind::Date),
];

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    String,
    Numeric,
    Date,
    Boolean,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::String => "String",
            Kind::Numeric => "Numeric",
            Kind::Date => "Date",
            Kind::Boolean => "Boolean",
        }
    }

    pub fn of(word: &str) -> Option<Kind> {
        [Kind::String, Kind::Numeric, Kind::Date, Kind::Boolean].into_iter().find(|kind| kind.word() == word)
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    Text(Box<str>),
    Number(f64),
    Flag(bool),
    Date(Timestamp),
}

impl Cell {
    pub fn json(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(*number as i64),
            Cell::Number(number) => json!(number),
            Cell::Flag(flag) => json!(flag),
            Cell::Date(date) => json!(date.to_string()),
        }
    }
}

/// A contact's values, by field number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cells(Vec<(u16, Cell)>);

impl Cells {
    pub fn get(&self, field: u16) -> Option<&Cell> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, cell)| cell)
    }

    pub fn set(&mut self, field: u16, cell: Option<Cell>) {
        self.0.retain(|(known, _)| *known != field);
        if let Some(cell) = cell {
            self.0.push((field, cell));
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Why a value or a definition is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldFault {
    NotFound,
    Invalid,
    Overflow,
    Duplicate,
    TooMany,
}

/// What a field is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub private: bool,
    pub default: Value,
    /// What holds it back from deletion: a type of dotdigital.md A9 and an id.
    pub used_by: Vec<(String, i32)>,
}

/// All fields of an account; a deleted one keeps its number.
#[derive(Debug, Serialize, Deserialize)]
pub struct Fields(Vec<Option<Field>>);

impl Default for Fields {
    fn default() -> Self {
        let standard = STANDARD.iter().map(|(name, kind)| {
            let name = (*name).to_owned();
            Some(Field { name, kind: *kind, private: false, default: Value::Null, used_by: Vec::new() })
        });
        Fields(standard.collect())
    }
}

impl Fields {
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Field)> {
        self.0.iter().enumerate().filter_map(|(number, field)| Some((number as u16, field.as_ref()?)))
    }

    pub fn number(&self, name: &str) -> Option<u16> {
        self.iter().find(|(_, field)| field.name.eq_ignore_ascii_case(name)).map(|(number, _)| number)
    }

    pub fn get_mut(&mut self, number: u16) -> Option<&mut Field> {
        self.0.get_mut(usize::from(number))?.as_mut()
    }

    pub fn add(&mut self, mut field: Field) -> Result<(), FieldFault> {
        field.name = field.name.to_uppercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !field.name.chars().all(plain) || field.name.len() > 20 || RESERVED.contains(&field.name.as_str())
        {
            return Err(FieldFault::Invalid);
        }
        if self.number(&field.name).is_some() {
            return Err(FieldFault::Duplicate);
        }
        if self.iter().count() >= MOST_FIELDS {
            return Err(FieldFault::TooMany);
        }
        self.0.push(Some(field));
        Ok(())
    }

    pub fn remove(&mut self, number: u16) {
        if let Some(field) = self.0.get_mut(usize::from(number)) {
            *field = None;
        }
    }

    /// A value of this field from JSON, or from text of v2; empty is none.
    pub fn cell(&self, field: u16, value: &Value) -> Result<Option<Cell>, FieldFault> {
        let field = self.0.get(usize::from(field)).and_then(Option::as_ref).ok_or(FieldFault::NotFound)?;
        match value {
            Value::Null => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::Array(_) | Value::Object(_) => return Err(FieldFault::Invalid),
            _ => {}
        }
        let cell = match field.kind {
            Kind::String => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if text.chars().count() > LONGEST_TEXT {
                    return Err(FieldFault::Overflow);
                }
                Cell::Text(text.into())
            }
            Kind::Numeric => Cell::Number(number(value).ok_or(FieldFault::Invalid)?),
            Kind::Boolean => Cell::Flag(flag(value).ok_or(FieldFault::Invalid)?),
            Kind::Date => Cell::Date(value.as_str().and_then(date).ok_or(FieldFault::Invalid)?),
        };
        Ok(Some(cell))
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    // 18 digits before the point.
    (number.abs() < 1e18).then_some(number)
}

fn flag(value: &Value) -> Option<bool> {
    if let Some(flag) = value.as_bool() {
        return Some(flag);
    }
    match value.as_str()?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A moment in one of the spellings of dotdigital.md A5; without a zone it is UTC.
pub fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    }
    let day = text.parse::<jiff::civil::Date>().ok()?;
    day.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, value: Value, expected: Result<Option<Value>, FieldFault>) {
        let mut fields = Fields::default();
        let field =
            Field { name: "X".into(), kind, private: true, default: Value::Null, used_by: Vec::new() };
        fields.add(field).unwrap();
        let number = fields.number("x").unwrap();
        let found = fields.cell(number, &value).map(|cell| cell.map(|cell| cell.json()));
        assert_eq!(found, expected, "{kind:?} from {value}");
    }

    #[test]
    fn values_are_typed() {
        check(Kind::Numeric, json!("12.50"), Ok(Some(json!(12.5))));
        check(Kind::Numeric, json!(3), Ok(Some(json!(3))));
        check(Kind::Numeric, json!("three"), Err(FieldFault::Invalid));
        check(Kind::Numeric, json!(1e19), Err(FieldFault::Invalid));
        check(Kind::Boolean, json!("Yes"), Ok(Some(json!(true))));
        check(Kind::Boolean, json!(false), Ok(Some(json!(false))));
        check(Kind::Boolean, json!("maybe"), Err(FieldFault::Invalid));
        check(Kind::Date, json!("2024-05-01T12:00:00"), Ok(Some(json!("2024-05-01T12:00:00Z"))));
        check(Kind::Date, json!("2024-05-01"), Ok(Some(json!("2024-05-01T00:00:00Z"))));
        check(Kind::Date, json!("soon"), Err(FieldFault::Invalid));
        check(Kind::String, json!(7), Ok(Some(json!("7"))));
        check(Kind::String, json!("x".repeat(1001)), Err(FieldFault::Overflow));
        check(Kind::String, json!(""), Ok(None));
        check(Kind::String, json!(null), Ok(None));
        check(Kind::String, json!({"a": 1}), Err(FieldFault::Invalid));
    }

    #[test]
    fn names_are_guarded() {
        let add = |name: &str| {
            let field = Field {
                name: name.into(),
                kind: Kind::String,
                private: true,
                default: Value::Null,
                used_by: vec![],
            };
            Fields::default().add(field)
        };
        assert_eq!(add("CRM_ID"), Ok(()));
        assert_eq!(add("firstname"), Err(FieldFault::Duplicate));
        assert_eq!(add("email"), Err(FieldFault::Invalid));
        assert_eq!(add("two words"), Err(FieldFault::Invalid));
        assert_eq!(add("ABCDEFGHIJKLMNOPQRSTU"), Err(FieldFault::Invalid));
    }
}
