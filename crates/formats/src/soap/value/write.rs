//! Typed values to elements, members in the order of the data contracts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Aliased, Any, Entity, EntityCollection, EntityReference, Relationship};
use crate::soap::Generation;
use crate::soap::names::{ARRAYS, GENERIC, SERIALIZATION, XRM, XRM_71, XRM_90, XRM_2012, XSD};
use crate::xml::Element;

/// Members of a class in [`XRM`], under whatever name the value gets.
type Members = Vec<Element>;

impl Any {
    /// The value as an element of that name, with its type.
    pub fn write(&self, ns: &'static str, name: &str, generation: Generation) -> Element {
        let at = Element::new(ns, name);
        let scalar = |kind: &'static str, text: String| {
            let mut leaf = Element::leaf(ns, name, text);
            leaf = leaf.kind(XSD, kind);
            leaf
        };
        match self {
            Any::Null => Element::null(ns, name),
            Any::String(text) => scalar("string", text.clone()),
            Any::Int(number) => scalar("int", number.to_string()),
            Any::Long(number) => scalar("long", number.to_string()),
            Any::Decimal(text) => scalar("decimal", text.clone()),
            Any::Double(number) => scalar("double", double(*number)),
            Any::Boolean(value) => scalar("boolean", value.to_string()),
            Any::DateTime(time) => scalar("dateTime", time.to_string()),
            Any::Binary(bytes) => scalar("base64Binary", STANDARD.encode(bytes)),
            Any::Guid(id) => Element::leaf(ns, name, id.to_string()).kind(SERIALIZATION, "guid"),
            Any::Raw(element) => element.clone().renamed(ns, name),
            class => class.class(at, generation),
        }
    }

    fn class(&self, at: Element, generation: Generation) -> Element {
        let item = |name: &'static str| move |text: String| Element::leaf(ARRAYS, name, text);
        match self {
            Any::EntityReference(to) => at.kind(XRM, "EntityReference").with_all(to.members(generation)),
            Any::OptionSetValue(value) => at.kind(XRM, "OptionSetValue").with(number(*value)),
            Any::Money(amount) => at.kind(XRM, "Money").with(Element::leaf(XRM, "Value", amount.as_str())),
            Any::OptionSetCollection(choices) => {
                let option = |value: &i32| Element::new(XRM, "OptionSetValue").with(number(*value));
                at.kind(XRM_90, "OptionSetValueCollection").with_all(choices.iter().map(option))
            }
            Any::Aliased(value) => at.kind(XRM, "AliasedValue").with_all(value.members(generation)),
            Any::Entity(entity) => at.kind(XRM, "Entity").with_all(entity.members(generation)),
            Any::EntityCollection(rows) => {
                at.kind(XRM, "EntityCollection").with_all(rows.members(generation))
            }
            Any::Entities(rows) => {
                at.kind(XRM, "ArrayOfEntity").with_all(rows.iter().map(|row| row.write(generation)))
            }
            Any::References(to) => {
                let to = to.iter().map(|to| to.write(XRM, "EntityReference", generation));
                at.kind(XRM, "EntityReferenceCollection").with_all(to)
            }
            Any::Relationship(relationship) => at.kind(XRM, "Relationship").with_all(relationship.members()),
            Any::Strings(texts) => {
                at.kind(ARRAYS, "ArrayOfstring").with_all(texts.iter().cloned().map(item("string")))
            }
            Any::Guids(ids) => {
                at.kind(ARRAYS, "ArrayOfguid").with_all(ids.iter().map(ToString::to_string).map(item("guid")))
            }
            Any::Ints(numbers) => at
                .kind(ARRAYS, "ArrayOfint")
                .with_all(numbers.iter().map(ToString::to_string).map(item("int"))),
            Any::Values(values) => {
                let values = values.iter().map(|value| value.write(ARRAYS, "anyType", generation));
                at.kind(ARRAYS, "ArrayOfanyType").with_all(values)
            }
            other => other.message(at, generation),
        }
    }

    /// What belongs to queries and requests.
    fn message(&self, at: Element, generation: Generation) -> Element {
        match self {
            Any::ColumnSet(columns) => at.kind(XRM, "ColumnSet").with_all(columns.members()),
            Any::Query(query) => query.fill(at),
            Any::Request(request) => request.fill(at, generation),
            Any::Requests(requests) => {
                let one = |request: &crate::soap::request::Request| {
                    request.fill(Element::new(XRM_2012, "OrganizationRequest"), generation)
                };
                at.kind(XRM_2012, "OrganizationRequestCollection").with_all(requests.iter().map(one))
            }
            Any::Responses(responses) => {
                // Of ExecuteTransaction, which came with 7.1.
                let one = |response: &crate::soap::request::Response| {
                    response.fill(Element::new(XRM_71, "OrganizationResponse"), generation)
                };
                at.kind(XRM_71, "OrganizationResponseCollection").with_all(responses.iter().map(one))
            }
            Any::ResponseItems(items) => {
                let items = items.iter().map(|item| item.write(generation));
                // The name in the published contracts; the SDK's class has another.
                at.kind(XRM_2012, "OrganizationResponseCollection").with_all(items)
            }
            Any::Settings(settings) => {
                at.kind(XRM_2012, "ExecuteMultipleSettings").with_all(settings.members())
            }
            _ => at,
        }
    }
}

fn number(value: i32) -> Element {
    Element::leaf(XRM, "Value", value.to_string())
}

fn double(number: f64) -> String {
    match number {
        f64::INFINITY => "INF".to_owned(),
        f64::NEG_INFINITY => "-INF".to_owned(),
        number => number.to_string(),
    }
}

/// A collection of typed pairs; their elements are in `ns`, key and value always in [`GENERIC`].
pub(crate) fn pairs(
    at: Element,
    ns: &'static str,
    pairs: &[(String, Any)],
    generation: Generation,
) -> Element {
    let pair = |(key, value): &(String, Any)| {
        Element::new(ns, "KeyValuePairOfstringanyType")
            .with(Element::leaf(GENERIC, "key", key.as_str()))
            .with(value.write(GENERIC, "value", generation))
    };
    at.declare(GENERIC).with_all(pairs.iter().map(pair))
}

/// A collection of pairs of texts.
fn texts(at: Element, pairs: &[(String, String)]) -> Element {
    let pair = |(key, value): &(String, String)| {
        Element::new(XRM, "KeyValuePairOfstringstring")
            .with(Element::leaf(GENERIC, "key", key.as_str()))
            .with(Element::leaf(GENERIC, "value", value.as_str()))
    };
    at.declare(GENERIC).with_all(pairs.iter().map(pair))
}

fn keys(keys: &[(String, Any)], generation: Generation) -> Option<Element> {
    let newer = generation >= Generation::Crm2016;
    newer.then(|| pairs(Element::new(XRM, "KeyAttributes").declare(XRM_71), XRM_71, keys, generation))
}

fn version(version: Option<&str>, generation: Generation) -> Option<Element> {
    (generation >= Generation::Crm2016).then(|| Element::maybe(XRM, "RowVersion", version))
}

impl EntityReference {
    /// As an element of that name, without a type.
    pub fn write(&self, ns: &'static str, name: &str, generation: Generation) -> Element {
        Element::new(ns, name).with_all(self.members(generation))
    }

    fn members(&self, generation: Generation) -> Members {
        let mut members = vec![Element::leaf(XRM, "Id", self.id.to_string())];
        members.extend(keys(&self.keys, generation));
        members.push(Element::leaf(XRM, "LogicalName", self.table.as_str()));
        members.push(Element::maybe(XRM, "Name", self.name.as_deref()));
        members.extend(version(self.row_version.as_deref(), generation));
        members
    }
}

impl Relationship {
    pub(crate) fn members(&self) -> Members {
        vec![
            Element::maybe(XRM, "PrimaryEntityRole", self.role.as_deref()),
            Element::leaf(XRM, "SchemaName", self.schema_name.as_str()),
        ]
    }
}

impl Aliased {
    fn members(&self, generation: Generation) -> Members {
        vec![
            Element::leaf(XRM, "AttributeLogicalName", self.column.as_str()),
            Element::leaf(XRM, "EntityLogicalName", self.table.as_str()),
            self.value.write(XRM, "Value", generation),
        ]
    }
}

impl Entity {
    /// As a `b:Entity`, the item of a collection.
    pub fn write(&self, generation: Generation) -> Element {
        Element::new(XRM, "Entity").with_all(self.members(generation))
    }

    pub(crate) fn members(&self, generation: Generation) -> Members {
        let mut members = vec![
            pairs(Element::new(XRM, "Attributes"), XRM, &self.attributes, generation),
            Element::maybe(XRM, "EntityState", self.state.as_deref()),
            texts(Element::new(XRM, "FormattedValues"), &self.formatted),
            Element::leaf(XRM, "Id", self.id.to_string()),
        ];
        members.extend(keys(&self.keys, generation));
        members.push(Element::leaf(XRM, "LogicalName", self.logical_name.as_str()));
        members.push(self.related(generation));
        members.extend(version(self.row_version.as_deref(), generation));
        members
    }

    fn related(&self, generation: Generation) -> Element {
        let pair = |(relationship, rows): &(String, EntityCollection)| {
            let relationship = Relationship { schema_name: relationship.clone(), role: None };
            Element::new(XRM, "KeyValuePairOfRelationshipEntityCollectionX_PsK4FkN")
                .with(Element::new(GENERIC, "key").with_all(relationship.members()))
                .with(Element::new(GENERIC, "value").with_all(rows.members(generation)))
        };
        Element::new(XRM, "RelatedEntities").declare(GENERIC).with_all(self.related.iter().map(pair))
    }
}

impl EntityCollection {
    pub(crate) fn members(&self, generation: Generation) -> Members {
        let rows = self.entities.iter().map(|row| row.write(generation));
        vec![
            Element::new(XRM, "Entities").with_all(rows),
            Element::maybe(XRM, "EntityName", self.table.as_deref()),
            Element::maybe(XRM, "MinActiveRowVersion", self.min_row_version.as_deref()),
            Element::leaf(XRM, "MoreRecords", self.more.to_string()),
            Element::maybe(XRM, "PagingCookie", self.cookie.as_deref()),
            Element::leaf(XRM, "TotalRecordCount", self.total.to_string()),
            Element::leaf(XRM, "TotalRecordCountLimitExceeded", self.total_exceeded.to_string()),
        ]
    }
}
