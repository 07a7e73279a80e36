//! Records as JSON bodies: properties by the definitions, lookups as `@odata.bind`, values in their columns' forms.
//!
//! What cannot fit is refused here, by the name of its column, before anything is sent.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use postroom_core::metadata::{ColumnInfo, ColumnKind, DateTimeBehavior, Metadata, TableInfo};
use postroom_core::{Code, Content, Fault, Record, RecordRef, Value};

use crate::promises::{column, is_file, is_lookup, table, unfit};

/// A JSON object that grows member by member.
#[derive(Debug, Default, Clone)]
pub(crate) struct Body(String);

impl Body {
    /// The name of a member, and its value as JSON.
    pub(crate) fn put(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        let _ = write!(self.0, "{}:{json}", quoted(name));
    }

    pub(crate) fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The row's URL below the root: `contacts(6f1e…)`.
pub(crate) fn row_url(metadata: &Metadata, at: &RecordRef) -> Result<String, Fault> {
    Ok(format!("{}({})", table(metadata, &at.table)?.entity_set, at.id))
}

/// What a record's columns say.
pub(crate) fn columns(metadata: &Metadata, record: &Record, new: bool) -> Result<Body, Fault> {
    let table = table(metadata, &record.at.table)?;
    let mut body = Body::default();
    if new {
        body.put(&table.primary_id, &quoted(&record.at.id.to_string()));
    }
    for (name, value) in &record.columns {
        let column = column(table, name)?;
        match is_lookup(column) {
            true => bind(metadata, table, column, value, &mut body)?,
            false => body.put(name, &json(table, column, value)?),
        }
    }
    Ok(body)
}

fn bind(
    metadata: &Metadata,
    table: &TableInfo,
    column: &ColumnInfo,
    value: &Value,
    body: &mut Body,
) -> Result<(), Fault> {
    let name = &column.logical_name;
    let to = match value {
        Value::Null => None,
        Value::Lookup(to) => Some(to),
        _ => return Err(unfit(table, column, "the row of a table")),
    };
    let targets = metadata.many_to_one_of(&table.logical_name).filter(|one| one.referencing_column == *name);
    let owner = matches!(column.kind, ColumnKind::Owner { .. });
    match to {
        // Every property of the lookup leads to the same column: one of them empties it.
        None => {
            let first = targets.map(|one| one.referencing_navigation.as_str()).next();
            let navigation = if owner { Some(name.as_str()) } else { first };
            navigation.into_iter().for_each(|navigation| body.put(navigation, "null"));
        }
        Some(to) => {
            let mut fits = targets.filter(|one| one.referenced_table == to.table);
            let found = fits.next().map(|one| one.referencing_navigation.as_str());
            let navigation = if owner { Some(name.as_str()) } else { found };
            let navigation = navigation.ok_or_else(|| {
                let text = format!("{}.{name} cannot name a row of {}", table.logical_name, to.table);
                Fault::reject(Code::CRM_REFUSED, text)
            })?;
            let url = format!("/{}", row_url(metadata, to)?);
            body.put(&format!("{navigation}@odata.bind"), &quoted(&url));
        }
    }
    Ok(())
}

/// A value in the form of its column.
pub(crate) fn json(table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<String, Fault> {
    use ColumnKind as Kind;
    let no = |wanted: &str| unfit(table, column, wanted);
    let number = |low: i64, high: i64, wanted: &str| match value {
        Value::Int(number) if (low..=high).contains(number) => Ok(number.to_string()),
        Value::Float(number) if number.fract() == 0.0 && (low as f64..=high as f64).contains(number) => {
            Ok(format!("{number:.0}"))
        }
        _ => Err(no(wanted)),
    };
    if *value == Value::Null {
        return Ok("null".to_owned());
    }
    if is_file(table, &column.logical_name) {
        return match value {
            Value::Content(Content::Bytes(bytes)) => Ok(quoted(&BASE64.encode(bytes))),
            Value::Text(text) => Ok(quoted(text)),
            _ => Err(no("a file")),
        };
    }
    match &column.kind {
        Kind::Boolean { .. } => value.as_bool().map(|value| value.to_string()).ok_or_else(|| no("yes or no")),
        Kind::Integer { .. } => number(i32::MIN.into(), i32::MAX.into(), "a whole number"),
        Kind::Picklist { .. } | Kind::State { .. } | Kind::Status { .. } => {
            number(i32::MIN.into(), i32::MAX.into(), "the number of a choice")
        }
        Kind::BigInt => number(i64::MIN, i64::MAX, "a whole number"),
        Kind::Decimal { .. } | Kind::Money { .. } | Kind::Double { .. } => {
            amount(value).ok_or_else(|| no("a number"))
        }
        Kind::DateTime { date_only, behavior } => match value {
            Value::Time(time) => Ok(moment(*time, *date_only, *behavior)),
            Value::Text(text) => {
                text.parse().map(|time| moment(time, *date_only, *behavior)).map_err(|_| no("a time"))
            }
            _ => Err(no("a time")),
        },
        Kind::Uniqueidentifier => match value {
            Value::Guid(id) => Ok(quoted(&id.to_string())),
            Value::Lookup(to) => Ok(quoted(&to.id.to_string())),
            _ => Err(no("a GUID")),
        },
        Kind::Image { .. } | Kind::File { .. } => match value {
            Value::Content(Content::Bytes(bytes)) => Ok(quoted(&BASE64.encode(bytes))),
            _ => Err(no("a file")),
        },
        _ => match value {
            Value::Text(text) => Ok(quoted(text)),
            Value::Content(Content::Bytes(bytes)) => Ok(quoted(&String::from_utf8_lossy(bytes))),
            _ => Err(no("text")),
        },
    }
}

fn amount(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => number.is_finite().then(|| number.to_string()),
        Value::Decimal(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
            let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let sign = if digits.len() < text.len() { "-" } else { "" };
            let whole = whole.trim_start_matches('0');
            let whole_json = if whole.is_empty() { "0" } else { whole };
            (plain(rest) && whole.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty())
                .then(|| format!("{sign}{whole_json}.{rest}"))
        }
        _ => None,
    }
}

fn moment(time: Timestamp, date_only: bool, behavior: DateTimeBehavior) -> String {
    let date = date_only && behavior != DateTimeBehavior::UserLocal || behavior == DateTimeBehavior::DateOnly;
    let form = if date { "\"%Y-%m-%d\"" } else { "\"%Y-%m-%dT%H:%M:%SZ\"" };
    time.strftime(form).to_string()
}
