//! The eight operations of the service, as a client sends them and as a server answers (dataverse.md E4).

use uuid::Uuid;

use super::names::{SERVICES, XRM};
use super::query::{AnyQuery, ColumnSet};
use super::request::{Request, Response};
use super::value::{Entity, EntityCollection, EntityReference, Relationship, guid, members, say_guid};
use super::{Error, Generation, missing};
use crate::xml::sink::{self, Sink, Start};
use crate::xml::{Element, XSI};

/// The end of every action, in front of the operation's name.
const ACTION: &str = "http://schemas.microsoft.com/xrm/2011/Contracts/Services/IOrganizationService/";

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    Create(Entity),
    Retrieve { table: String, id: Uuid, columns: ColumnSet },
    Update(Entity),
    Delete { table: String, id: Uuid },
    RetrieveMultiple(AnyQuery),
    Associate(Association),
    Disassociate(Association),
    Execute(Request),
}

/// Rows that a relationship ties to one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    pub table: String,
    pub id: Uuid,
    pub relationship: Relationship,
    pub related: Vec<EntityReference>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Create(Uuid),
    Retrieve(Entity),
    Update,
    Delete,
    RetrieveMultiple(EntityCollection),
    Associate,
    Disassociate,
    Execute(Response),
}

fn part<'e>(at: &'e Element, name: &str) -> Result<&'e Element, Error> {
    at.child(name).ok_or_else(|| missing(name))
}

fn text(at: &Element, name: &str) -> Result<String, Error> {
    at.text_of(name).map(str::to_owned).ok_or_else(|| missing(name))
}

fn at(name: &str) -> Start<'_> {
    Start::new(SERVICES, name)
}

impl Operation {
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Create(_) => "Create",
            Operation::Retrieve { .. } => "Retrieve",
            Operation::Update(_) => "Update",
            Operation::Delete { .. } => "Delete",
            Operation::RetrieveMultiple(_) => "RetrieveMultiple",
            Operation::Associate(_) => "Associate",
            Operation::Disassociate(_) => "Disassociate",
            Operation::Execute(_) => "Execute",
        }
    }

    /// `SOAPAction`, or `a:Action` in SOAP 1.2.
    pub fn action(&self) -> String {
        format!("{ACTION}{}", self.name())
    }

    /// The action of a fault in answer to it.
    pub fn fault_action(&self) -> String {
        format!("{ACTION}{}OrganizationServiceFaultFault", self.name())
    }

    /// Reads the element of a body.
    pub fn read(at: &Element) -> Result<Self, Error> {
        let id = |name: &str| part(at, name).and_then(|id| guid(&id.text));
        Ok(match at.name.local.as_str() {
            _ if at.name.ns != *SERVICES => {
                return Err(Error::Operation(at.name.local.chars().take(80).collect()));
            }
            "Create" => Operation::Create(Entity::read(part(at, "entity")?)?),
            "Retrieve" => Operation::Retrieve {
                table: text(at, "entityName")?,
                id: id("id")?,
                columns: at.child("columnSet").map_or(Ok(ColumnSet::default()), ColumnSet::read)?,
            },
            "Update" => Operation::Update(Entity::read(part(at, "entity")?)?),
            "Delete" => Operation::Delete { table: text(at, "entityName")?, id: id("id")? },
            "RetrieveMultiple" => Operation::RetrieveMultiple(AnyQuery::read(part(at, "query")?)?),
            "Associate" => Operation::Associate(Association::read(at)?),
            "Disassociate" => Operation::Disassociate(Association::read(at)?),
            "Execute" => Operation::Execute(Request::read(part(at, "request")?)?),
            other => return Err(Error::Operation(other.chars().take(80).collect())),
        })
    }

    /// The element of a body.
    pub fn write(&self, generation: Generation) -> Element {
        sink::element(|to| self.say(to, generation))
    }

    pub(crate) fn say(&self, to: &mut impl Sink, generation: Generation) {
        to.within(at(self.name()).plain(), |to| match self {
            Operation::Create(entity) | Operation::Update(entity) => {
                entity.say(to, at("entity").declares(&[XRM]), generation);
            }
            Operation::Retrieve { table, id, columns } => {
                to.leaf(at("entityName"), table);
                say_guid(to, at("id"), *id);
                members(to, at("columnSet").declares(&[XRM]), &columns.members());
            }
            Operation::Delete { table, id } => {
                to.leaf(at("entityName"), table);
                say_guid(to, at("id"), *id);
            }
            Operation::RetrieveMultiple(query) => {
                to.element(&query.fill(at("query").declares(&[XRM]).element()));
            }
            Operation::Associate(tie) | Operation::Disassociate(tie) => tie.say(to, generation),
            Operation::Execute(request) => request.say(to, at("request"), generation),
        });
    }
}

impl Association {
    fn read(at: &Element) -> Result<Self, Error> {
        let related: Result<Vec<_>, Error> =
            part(at, "relatedEntities")?.children.iter().map(EntityReference::read).collect();
        Ok(Association {
            table: text(at, "entityName")?,
            id: guid(&part(at, "entityId")?.text)?,
            relationship: Relationship::read(part(at, "relationship")?)?,
            related: related?,
        })
    }

    fn say(&self, to: &mut impl Sink, generation: Generation) {
        to.leaf(at("entityName"), &self.table);
        say_guid(to, at("entityId"), self.id);
        self.relationship.say(to, at("relationship").declares(&[XRM]));
        to.within(at("relatedEntities").declares(&[XRM]), |to| {
            for row in &self.related {
                row.say(to, Start::new(XRM, "EntityReference"), generation);
            }
        });
    }
}

impl Answer {
    pub fn name(&self) -> &'static str {
        match self {
            Answer::Create(_) => "CreateResponse",
            Answer::Retrieve(_) => "RetrieveResponse",
            Answer::Update => "UpdateResponse",
            Answer::Delete => "DeleteResponse",
            Answer::RetrieveMultiple(_) => "RetrieveMultipleResponse",
            Answer::Associate => "AssociateResponse",
            Answer::Disassociate => "DisassociateResponse",
            Answer::Execute(_) => "ExecuteResponse",
        }
    }

    pub fn action(&self) -> String {
        format!("{ACTION}{}", self.name())
    }

    /// Reads the element of a body that is no fault.
    pub fn read(at: &Element) -> Result<Self, Error> {
        Ok(match at.name.local.as_str() {
            _ if at.name.ns != *SERVICES => {
                return Err(Error::Operation(at.name.local.chars().take(80).collect()));
            }
            "CreateResponse" => Answer::Create(guid(&part(at, "CreateResult")?.text)?),
            "RetrieveResponse" => Answer::Retrieve(Entity::read(part(at, "RetrieveResult")?)?),
            "UpdateResponse" => Answer::Update,
            "DeleteResponse" => Answer::Delete,
            "RetrieveMultipleResponse" => {
                Answer::RetrieveMultiple(EntityCollection::read(part(at, "RetrieveMultipleResult")?)?)
            }
            "AssociateResponse" => Answer::Associate,
            "DisassociateResponse" => Answer::Disassociate,
            "ExecuteResponse" => Answer::Execute(Response::read(part(at, "ExecuteResult")?)?),
            other => return Err(Error::Operation(other.chars().take(80).collect())),
        })
    }

    /// The element of a body.
    pub fn write(&self, generation: Generation) -> Element {
        sink::element(|to| self.say(to, generation))
    }

    pub(crate) fn say(&self, to: &mut impl Sink, generation: Generation) {
        to.within(at(self.name()).plain(), |to| match self {
            Answer::Create(id) => say_guid(to, at("CreateResult"), *id),
            // XSI here and not at each value, as in the captures: a fifth of a page of rows.
            Answer::Retrieve(entity) => {
                entity.say(to, at("RetrieveResult").declares(&[XRM, XSI]), generation);
            }
            Answer::RetrieveMultiple(rows) => {
                rows.say(to, at("RetrieveMultipleResult").declares(&[XRM, XSI]), generation);
            }
            Answer::Execute(response) => response.say(to, at("ExecuteResult"), generation),
            Answer::Update | Answer::Delete | Answer::Associate | Answer::Disassociate => {}
        });
    }
}
