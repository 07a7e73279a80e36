//! Typed values to elements, members in the order of the data contracts.
//!
//! Each is said to a [`Sink`], so that an answer's rows become text without a tree of elements.

use std::fmt::{Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::{Aliased, Any, Entity, EntityCollection, EntityReference, Relationship};
use crate::soap::Generation;
use crate::soap::names::{ARRAYS, GENERIC, SERIALIZATION, XRM, XRM_71, XRM_90, XRM_2012, XSD};
use crate::xml::Element;
use crate::xml::sink::{self, Sink, Start};

impl Any {
    /// The value as an element of that name, with its type.
    pub fn write(&self, ns: &'static str, name: &str, generation: Generation) -> Element {
        sink::element(|to| self.say(to, Start::new(ns, name), generation))
    }

    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        match self {
            Any::Null => to.maybe(at, None),
            Any::String(text) => to.leaf(at.kind(XSD, "string"), text),
            Any::Int(number) => shown(to, at.kind(XSD, "int"), number),
            Any::Long(number) => shown(to, at.kind(XSD, "long"), number),
            Any::Decimal(text) => to.leaf(at.kind(XSD, "decimal"), text),
            Any::Double(number) => to.leaf(at.kind(XSD, "double"), &double(*number)),
            Any::Boolean(value) => to.leaf(at.kind(XSD, "boolean"), truth(*value)),
            Any::DateTime(time) => shown(to, at.kind(XSD, "dateTime"), time),
            Any::Binary(bytes) => to.leaf(at.kind(XSD, "base64Binary"), &STANDARD.encode(bytes)),
            Any::Guid(id) => guid(to, at.kind(SERIALIZATION, "guid"), *id),
            Any::Raw(element) => to.tree(&at.ns.into(), at.local, element),
            class => class.class(to, at, generation),
        }
    }

    fn class(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        match self {
            Any::EntityReference(row) => row.say(to, at.kind(XRM, "EntityReference"), generation),
            Any::OptionSetValue(value) => number(to, at.kind(XRM, "OptionSetValue"), *value),
            Any::Money(amount) => to.within(at.kind(XRM, "Money"), |to| to.leaf(xrm("Value"), amount)),
            Any::OptionSetCollection(choices) => {
                let option = |to: &mut _, value: &i32| number(to, xrm("OptionSetValue"), *value);
                each(to, at.kind(XRM_90, "OptionSetValueCollection"), choices, option);
            }
            Any::Aliased(value) => value.say(to, at.kind(XRM, "AliasedValue"), generation),
            Any::Entity(entity) => entity.say(to, at.kind(XRM, "Entity"), generation),
            Any::EntityCollection(rows) => rows.say(to, at.kind(XRM, "EntityCollection"), generation),
            Any::Entities(rows) => each(to, at.kind(XRM, "ArrayOfEntity"), rows, |to, row| {
                row.say(to, xrm("Entity"), generation);
            }),
            Any::References(rows) => {
                each(to, at.kind(XRM, "EntityReferenceCollection"), rows, |to, row| {
                    row.say(to, xrm("EntityReference"), generation);
                });
            }
            Any::Relationship(relationship) => relationship.say(to, at.kind(XRM, "Relationship")),
            Any::Strings(texts) => each(to, at.kind(ARRAYS, "ArrayOfstring"), texts, |to, text| {
                to.leaf(Start::new(ARRAYS, "string"), text);
            }),
            Any::Guids(ids) => each(to, at.kind(ARRAYS, "ArrayOfguid"), ids, |to, id| {
                guid(to, Start::new(ARRAYS, "guid"), *id);
            }),
            Any::Ints(numbers) => each(to, at.kind(ARRAYS, "ArrayOfint"), numbers, |to, number| {
                shown(to, Start::new(ARRAYS, "int"), number);
            }),
            Any::Values(values) => each(to, at.kind(ARRAYS, "ArrayOfanyType"), values, |to, value| {
                value.say(to, Start::new(ARRAYS, "anyType"), generation);
            }),
            other => other.message(to, at, generation),
        }
    }

    /// What belongs to queries and requests.
    fn message(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        match self {
            Any::ColumnSet(columns) => members(to, at.kind(XRM, "ColumnSet"), &columns.members()),
            Any::Query(query) => to.element(&query.fill(at.element())),
            Any::Request(request) => request.say(to, at, generation),
            Any::Requests(requests) => {
                each(to, at.kind(XRM_2012, "OrganizationRequestCollection"), requests, |to, one| {
                    one.say(to, Start::new(XRM_2012, "OrganizationRequest"), generation);
                });
            }
            Any::Responses(responses) => {
                // Of ExecuteTransaction, which came with 7.1.
                each(to, at.kind(XRM_71, "OrganizationResponseCollection"), responses, |to, one| {
                    one.say(to, Start::new(XRM_71, "OrganizationResponse"), generation);
                });
            }
            Any::ResponseItems(items) => {
                // The name in the published contracts; the SDK's class has another.
                each(to, at.kind(XRM_2012, "OrganizationResponseCollection"), items, |to, one| {
                    one.say(to, generation);
                });
            }
            Any::Settings(settings) => {
                members(to, at.kind(XRM_2012, "ExecuteMultipleSettings"), &settings.members());
            }
            _ => to.leaf(at, ""),
        }
    }
}

fn xrm(name: &str) -> Start<'_> {
    Start::new(XRM, name)
}

/// An element with one thing in it for each of these.
fn each<S: Sink, T>(to: &mut S, at: Start<'_>, all: &[T], mut say: impl FnMut(&mut S, &T)) {
    to.within(at, |to| all.iter().for_each(|one| say(to, one)));
}

/// An element with these in it.
pub(crate) fn members(to: &mut impl Sink, at: Start<'_>, members: &[Element]) {
    each(to, at, members, |to, member| to.element(member));
}

/// A leaf with a short value.
fn shown(to: &mut impl Sink, at: Start<'_>, value: impl Display) {
    let mut text = compact_str::CompactString::default();
    // Nothing that is shown here fails to be.
    let _ = write!(text, "{value}");
    to.leaf(at, &text);
}

pub(crate) fn guid(to: &mut impl Sink, at: Start<'_>, id: Uuid) {
    to.leaf(at, id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
}

fn number(to: &mut impl Sink, at: Start<'_>, value: i32) {
    to.within(at, |to| shown(to, xrm("Value"), value));
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn double(number: f64) -> String {
    match number {
        f64::INFINITY => "INF".to_owned(),
        f64::NEG_INFINITY => "-INF".to_owned(),
        number => number.to_string(),
    }
}

/// A collection of typed pairs; their elements are in `ns`, key and value always in [`GENERIC`].
pub(crate) fn pairs<K: AsRef<str>>(
    to: &mut impl Sink,
    at: Start<'_>,
    ns: &'static str,
    pairs: &[(K, Any)],
    generation: Generation,
) {
    each(to, at, pairs, |to, (key, value)| {
        to.within(Start::new(ns, "KeyValuePairOfstringanyType"), |to| {
            to.leaf(Start::new(GENERIC, "key"), key.as_ref());
            value.say(to, Start::new(GENERIC, "value"), generation);
        });
    });
}

/// A collection of pairs of texts.
fn texts(to: &mut impl Sink, at: Start<'_>, pairs: &[(String, String)]) {
    each(to, at.declares(&[GENERIC]), pairs, |to, (key, value)| {
        to.within(xrm("KeyValuePairOfstringstring"), |to| {
            to.leaf(Start::new(GENERIC, "key"), key);
            to.leaf(Start::new(GENERIC, "value"), value);
        });
    });
}

fn keys(to: &mut impl Sink, keys: &[(String, Any)], generation: Generation) {
    if generation >= Generation::Crm2016 {
        pairs(to, xrm("KeyAttributes").declares(&[XRM_71, GENERIC]), XRM_71, keys, generation);
    }
}

fn version(to: &mut impl Sink, version: Option<&str>, generation: Generation) {
    if generation >= Generation::Crm2016 {
        to.maybe(xrm("RowVersion"), version);
    }
}

impl EntityReference {
    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        to.within(at, |to| {
            guid(to, xrm("Id"), self.id);
            keys(to, &self.keys, generation);
            to.leaf(xrm("LogicalName"), &self.table);
            to.maybe(xrm("Name"), self.name.as_deref());
            version(to, self.row_version.as_deref(), generation);
        });
    }
}

impl Relationship {
    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>) {
        to.within(at, |to| {
            to.maybe(xrm("PrimaryEntityRole"), self.role.as_deref());
            to.leaf(xrm("SchemaName"), &self.schema_name);
        });
    }
}

impl Aliased {
    fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        to.within(at, |to| {
            to.leaf(xrm("AttributeLogicalName"), &self.column);
            to.leaf(xrm("EntityLogicalName"), &self.table);
            self.value.say(to, xrm("Value"), generation);
        });
    }
}

impl Entity {
    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        to.within(at, |to| {
            pairs(to, xrm("Attributes").declares(&[GENERIC]), XRM, &self.attributes, generation);
            to.maybe(xrm("EntityState"), self.state.as_deref());
            texts(to, xrm("FormattedValues"), &self.formatted);
            guid(to, xrm("Id"), self.id);
            keys(to, &self.keys, generation);
            to.leaf(xrm("LogicalName"), &self.logical_name);
            self.say_related(to, generation);
            version(to, self.row_version.as_deref(), generation);
        });
    }

    fn say_related(&self, to: &mut impl Sink, generation: Generation) {
        let at = xrm("RelatedEntities").declares(&[GENERIC]);
        each(to, at, &self.related, |to, (relationship, rows)| {
            let relationship = Relationship { schema_name: relationship.clone(), role: None };
            to.within(xrm("KeyValuePairOfRelationshipEntityCollectionX_PsK4FkN"), |to| {
                relationship.say(to, Start::new(GENERIC, "key"));
                rows.say(to, Start::new(GENERIC, "value"), generation);
            });
        });
    }
}

impl EntityCollection {
    pub(crate) fn say(&self, to: &mut impl Sink, at: Start<'_>, generation: Generation) {
        to.within(at, |to| {
            each(to, xrm("Entities"), &self.entities, |to, row| row.say(to, xrm("Entity"), generation));
            to.maybe(xrm("EntityName"), self.table.as_deref());
            to.maybe(xrm("MinActiveRowVersion"), self.min_row_version.as_deref());
            to.leaf(xrm("MoreRecords"), truth(self.more));
            to.maybe(xrm("PagingCookie"), self.cookie.as_deref());
            shown(to, xrm("TotalRecordCount"), self.total);
            to.leaf(xrm("TotalRecordCountLimitExceeded"), truth(self.total_exceeded));
        });
    }
}
