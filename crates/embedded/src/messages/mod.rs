//! The platform's messages beyond create, retrieve, update and delete: `SendEmail`, `AddToQueue`, `QualifyLead`, …
//!
//! Both doors ask for them by name with [`Parameter`]s, in their own wire forms. A message is *prepared* where it can be: it
//! answers the changes that it stands for and what to answer once they are made, so that it can be part of a change set or
//! of an ExecuteTransaction. What only reads, or is a job of its own, is done at once.

use jiff::Timestamp;
use postroom_core::{Change, Query, Record, RecordRef};
use uuid::Uuid;

/// A value of a message's request or response, in no wire form.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A decimal in plain notation.
    Decimal(String),
    Text(String),
    Guid(Uuid),
    Time(Timestamp),
    Binary(bytes::Bytes),
    Reference(RecordRef),
    Entity(Record),
    Entities(Vec<Record>),
    List(Vec<Parameter>),
    /// Named members, such as `RolePrivilege {Depth, PrivilegeId}`.
    Members(Vec<(String, Parameter)>),
    Query(Box<Query>),
}

/// A message asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// `SendEmail`
    pub name: String,
    /// The row that it is bound to, in the Web API.
    pub target: Option<RecordRef>,
    pub parameters: Vec<(String, Parameter)>,
}

/// A message ready to be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prepared {
    /// Done in one set; nothing when the message was done already or only reads.
    pub changes: Vec<Change>,
    /// What to answer then: names and values of the response.
    pub results: Vec<(String, Parameter)>,
}

impl Message {
    /// A parameter by name, without case.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| **value != Parameter::Null)
    }
}
