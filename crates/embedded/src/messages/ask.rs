//! What a message was asked with: its parameters in the forms that messages need, and the rows it speaks of.
//!
//! The doors give references in several forms: a reference, an entity with only its key, a bare id. All are taken.

use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{Change, Fault, Filter, Ids, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::{Message, Parameter, codes, refuse};
use crate::failure::Failure;
use crate::rules::Refusal;
use crate::schema::Table;
use crate::seed;
use crate::session::Session;

/// One message on its way.
pub(super) struct Ask<'a> {
    pub session: &'a Session,
    pub ids: &'a Ids,
    pub message: &'a Message,
}

/// A row given as a parameter, with rows that hang on it (parties, attachments).
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub record: Record,
    pub parts: Vec<Record>,
}

impl Ask<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&Parameter> {
        self.message.get(name)
    }

    pub(super) fn need(&self, name: &str) -> Result<&Parameter, Failure> {
        self.get(name).ok_or_else(|| self.lacks(name))
    }

    fn lacks(&self, name: &str) -> Failure {
        let message = &self.message.name;
        refuse(
            codes::INVALID_ARGUMENT,
            format!("Required field '{name}' of the message {message} is missing."),
        )
    }

    pub(super) fn unfit(&self, name: &str, wanted: &str) -> Failure {
        let message = &self.message.name;
        refuse(
            codes::INVALID_ARGUMENT,
            format!("The parameter '{name}' of the message {message} must be {wanted}."),
        )
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Parameter::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.unfit(name, "text")),
        }
    }

    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Parameter::Int(number)) => Ok(Some(*number)),
            Some(Parameter::Text(text)) => text.parse().map(Some).map_err(|_| self.unfit(name, "a number")),
            Some(_) => Err(self.unfit(name, "a number")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Parameter::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.unfit(name, "true or false")),
        }
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Parameter::Time(time)) => Ok(Some(*time)),
            Some(Parameter::Text(text)) => text.parse().map(Some).map_err(|_| self.unfit(name, "a time")),
            Some(_) => Err(self.unfit(name, "a time")),
        }
    }

    pub(super) fn guid(&self, name: &str) -> Result<Option<Uuid>, Failure> {
        let Some(value) = self.get(name) else { return Ok(None) };
        guid(value).map(Some).ok_or_else(|| self.unfit(name, "a GUID"))
    }

    /// A row of `table`, or of the table that the parameter itself names.
    pub(super) fn reference(&self, name: &str, table: Option<&str>) -> Result<Option<RecordRef>, Failure> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let wanted = "an entity reference";
        let at = reference(value, table).ok_or_else(|| self.unfit(name, wanted))?;
        match table {
            Some(table) if table != at.table => Err(self.unfit(name, &format!("a row of {table}"))),
            _ => Ok(Some(at)),
        }
    }

    pub(super) fn needed(&self, name: &str, table: Option<&str>) -> Result<RecordRef, Failure> {
        self.reference(name, table)?.ok_or_else(|| self.lacks(name))
    }

    /// The row that the message is about: bound in the Web API, a parameter in SOAP.
    pub(super) fn target(&self, name: &str, table: &str) -> Result<RecordRef, Failure> {
        match &self.message.target {
            Some(at) if at.table == table => Ok(at.clone()),
            Some(_) => Err(self.unfit(name, &format!("a row of {table}"))),
            None => self.needed(name, Some(table)),
        }
    }

    /// A row with what hangs on it: an entity, or a list whose first is the row and whose others are its parts.
    pub(super) fn given(&self, name: &str) -> Result<Option<Given>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Parameter::Entity(record)) => Ok(Some(Given { record: record.clone(), parts: Vec::new() })),
            Some(Parameter::Entities(all)) if !all.is_empty() => {
                Ok(Some(Given { record: all[0].clone(), parts: all[1..].to_vec() }))
            }
            Some(_) => Err(self.unfit(name, "an entity")),
        }
    }

    /// References of a list, in any form; bare ids are rows of `table`.
    pub(super) fn references(&self, name: &str, table: Option<&str>) -> Result<Vec<RecordRef>, Failure> {
        let wrong = || self.unfit(name, "a list of entity references");
        match self.need(name)? {
            Parameter::Entities(all) => Ok(all.iter().map(|record| record.at.clone()).collect()),
            Parameter::List(all) => {
                all.iter().map(|value| reference(value, table).ok_or_else(wrong)).collect()
            }
            _ => Err(wrong()),
        }
    }

    /// A row as the caller sees it.
    pub(super) async fn row(&self, at: &RecordRef, columns: &[&str]) -> Result<Record, Failure> {
        let key = table(self.session, &at.table).await?.primary_key.clone();
        let query = Query::of(&at.table).select(columns).filter(Filter::eq(key, at.id));
        let mut rows = self.session.all(query).await?;
        rows.pop().ok_or_else(|| Refusal::NotFound(at.clone()).into())
    }

    /// Rows as the platform itself sees them: settings, people by address.
    pub(super) async fn system(&self, query: Query) -> Result<Vec<Record>, Failure> {
        self.session.system(query).await
    }

    /// The organisation's settings.
    pub(super) async fn organization(&self, columns: &[&str]) -> Result<Record, Failure> {
        let query = Query::of("organization")
            .select(columns)
            .filter(Filter::eq("organizationid", seed::ORGANIZATION));
        let missing = || Fault::bug("the organisation's own row is missing");
        Ok(self.system(query).await?.pop().ok_or_else(missing)?)
    }

    /// Only the columns that the table has and that may be written: what differs between versions is left out.
    pub(super) async fn fitting(&self, record: Record) -> Result<Record, Failure> {
        let table = table(self.session, &record.at.table).await?;
        let writable = |name: &str| table.column(name).is_some_and(|column| !column.read_only);
        let columns = record.columns.into_iter().filter(|(name, _)| writable(name)).collect();
        Ok(Record { at: record.at, columns })
    }
}

/// One table as it is now; one that is not there is the caller's mistake.
pub(super) async fn table(session: &Session, name: &str) -> Result<Arc<Table>, Failure> {
    Ok(session.crm().schema().await?.table(name)?.clone())
}

/// The row's version, to be named with a change: what was decided by a row holds only while it stands.
pub(super) fn unless_changed(row: &Record, change: Record) -> Change {
    match row.int("versionnumber") {
        Some(version) => Change::UpdateIf(change, version),
        None => Change::Update(change),
    }
}

pub(super) fn guid(value: &Parameter) -> Option<Uuid> {
    match value {
        Parameter::Guid(id) => Some(*id),
        Parameter::Text(text) => text.parse().ok(),
        Parameter::Reference(at) => Some(at.id),
        Parameter::Entity(record) => Some(record.at.id),
        _ => None,
    }
}

pub(super) fn reference(value: &Parameter, table: Option<&str>) -> Option<RecordRef> {
    match value {
        Parameter::Reference(at) => Some(at.clone()),
        Parameter::Entity(record) => Some(record.at.clone()),
        Parameter::Entities(all) => all.first().map(|record| record.at.clone()),
        value => Some(RecordRef::new(table?, guid(value)?)),
    }
}

/// A member of an object that has no table, or a column of one that has.
pub(super) fn member(value: &Parameter, name: &str) -> Option<Parameter> {
    match value {
        Parameter::Members(members) => {
            members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        }
        Parameter::Entity(record) => record.get(name).and_then(of_value),
        Parameter::Entities(all) => all.first()?.get(name).and_then(of_value),
        _ => None,
    }
}

/// A column's value as a parameter; bodies have none.
pub(crate) fn of_value(value: &Value) -> Option<Parameter> {
    Some(match value {
        Value::Null => Parameter::Null,
        Value::Bool(value) => Parameter::Bool(*value),
        Value::Int(number) => Parameter::Int(*number),
        Value::Float(number) => Parameter::Float(*number),
        Value::Decimal(text) => Parameter::Decimal(text.clone()),
        Value::Text(text) => Parameter::Text(text.clone()),
        Value::Guid(id) => Parameter::Guid(*id),
        Value::Time(time) => Parameter::Time(*time),
        Value::Lookup(at) => Parameter::Reference(at.clone()),
        Value::Content(_) => return None,
    })
}
