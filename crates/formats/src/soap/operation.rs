//! The eight operations of the service, as a client sends them and as a server answers (dataverse.md E4).

use uuid::Uuid;

use super::names::{SERVICES, XRM};
use super::query::{AnyQuery, ColumnSet};
use super::request::{Request, Response};
use super::value::{Entity, EntityCollection, EntityReference, Relationship, guid};
use super::{Error, Generation, missing};
use crate::xml::Element;

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

fn leaf(name: &'static str, text: impl Into<String>) -> Element {
    Element::leaf(SERVICES, name, text)
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
        let at = Element::new(SERVICES, self.name()).plain();
        match self {
            Operation::Create(entity) | Operation::Update(entity) => {
                at.with(Element::new(SERVICES, "entity").declare(XRM).with_all(entity.members(generation)))
            }
            Operation::Retrieve { table, id, columns } => at
                .with(leaf("entityName", table.as_str()))
                .with(leaf("id", id.to_string()))
                .with(Element::new(SERVICES, "columnSet").declare(XRM).with_all(columns.members())),
            Operation::Delete { table, id } => {
                at.with(leaf("entityName", table.as_str())).with(leaf("id", id.to_string()))
            }
            Operation::RetrieveMultiple(query) => {
                at.with(query.fill(Element::new(SERVICES, "query").declare(XRM)))
            }
            Operation::Associate(tie) | Operation::Disassociate(tie) => at.with_all(tie.members(generation)),
            Operation::Execute(request) => {
                at.with(request.fill(Element::new(SERVICES, "request"), generation))
            }
        }
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

    fn members(&self, generation: Generation) -> Vec<Element> {
        let related = self.related.iter().map(|row| row.write(XRM, "EntityReference", generation));
        vec![
            leaf("entityName", self.table.as_str()),
            leaf("entityId", self.id.to_string()),
            Element::new(SERVICES, "relationship").declare(XRM).with_all(self.relationship.members()),
            Element::new(SERVICES, "relatedEntities").declare(XRM).with_all(related),
        ]
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
        let at = Element::new(SERVICES, self.name()).plain();
        match self {
            Answer::Create(id) => at.with(leaf("CreateResult", id.to_string())),
            Answer::Retrieve(entity) => at.with(
                Element::new(SERVICES, "RetrieveResult").declare(XRM).with_all(entity.members(generation)),
            ),
            Answer::RetrieveMultiple(rows) => {
                let result = Element::new(SERVICES, "RetrieveMultipleResult").declare(XRM);
                at.with(result.with_all(rows.members(generation)))
            }
            Answer::Execute(response) => {
                at.with(response.fill(Element::new(SERVICES, "ExecuteResult"), generation))
            }
            Answer::Update | Answer::Delete | Answer::Associate | Answer::Disassociate => at,
        }
    }
}
