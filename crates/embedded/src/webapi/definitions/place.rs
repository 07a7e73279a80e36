//! What a path of definitions leads to: a list, one definition, or a value within one.

use postroom_core::metadata::Metadata;
use postroom_formats::odata;
use postroom_formats::odata::options::{Literal, Options};
use postroom_formats::odata::path::{Key, Segment};
use serde_json::Value;

use super::node::{Node, Related};
use super::types::{self, Type};
use super::{evaluate, managed};
use crate::webapi::Problem;
use crate::webapi::problem::codes;

/// The roots, and the type of each.
pub(super) const ROOTS: &[(&str, &str)] = &[
    ("EntityDefinitions", "EntityMetadata"),
    ("RelationshipDefinitions", "RelationshipMetadataBase"),
    ("GlobalOptionSetDefinitions", "OptionSetMetadataBase"),
    ("ManagedPropertyDefinitions", "ManagedPropertyMetadata"),
];

/// Where a path ends.
pub(super) struct Place<'m> {
    pub at: At<'m>,
    /// The type that the path promises: definitions may be of one made of it.
    pub kind: &'static Type,
    /// As it stands in `@odata.context`.
    pub context: String,
    /// The definition before the last step, of which this is a part.
    pub parent: Option<Node<'m>>,
    /// Types that were passed: each has its own privilege.
    pub passed: Vec<&'static Type>,
}

pub(super) enum At<'m> {
    List(Vec<Node<'m>>),
    One(Node<'m>),
    Value(Value),
    /// `…/$value`
    Raw(Value),
    /// `…/$count`
    Count(usize),
}

pub(super) fn find<'m>(
    metadata: &'m Metadata,
    segments: &[Segment],
    options: &Options,
) -> Result<Place<'m>, Problem> {
    let (first, rest) = segments.split_first().ok_or_else(|| Problem::no_resource(""))?;
    let Segment::Name { name, .. } = first else { return Err(Problem::no_resource("definitions")) };
    let (root, kind) =
        ROOTS.iter().find(|(root, _)| root == name).ok_or_else(|| Problem::no_resource(name))?;
    let nodes = match *root {
        "EntityDefinitions" => metadata.tables.iter().map(Node::Table).collect(),
        "RelationshipDefinitions" => {
            let one = metadata.one_to_many.iter().map(Node::OneToMany);
            one.chain(metadata.many_to_many.iter().map(Node::ManyToMany)).collect()
        }
        "GlobalOptionSetDefinitions" => {
            metadata.option_sets.iter().map(|set| Node::Options(set, "Picklist")).collect()
        }
        _ => managed::all(),
    };
    let kind = types::known(kind);
    let mut place =
        Place { at: At::List(nodes), kind, context: (*root).to_owned(), parent: None, passed: vec![kind] };
    place.key(first, options)?;
    for segment in rest {
        place.step(metadata, segment, options)?;
    }
    Ok(place)
}

impl<'m> Place<'m> {
    fn step(&mut self, metadata: &'m Metadata, segment: &Segment, options: &Options) -> Result<(), Problem> {
        let wrong = || Problem::no_resource(&crate::webapi::read::shown(segment));
        match (&self.at, segment) {
            (At::List(nodes), Segment::Count) => {
                self.at =
                    At::Count(evaluate::list(metadata, nodes.clone(), self.kind, &options.wanted)?.count);
            }
            (At::List(_) | At::One(_), Segment::Qualified { name, .. }) => {
                self.cast(name)?;
                self.key(segment, options)?;
            }
            (At::One(node), Segment::Name { name, .. }) => {
                let node = *node;
                match node.related(metadata, name) {
                    Some(related) => {
                        self.context = format!("{}('{}')/{name}", self.context, node.id());
                        self.kind = evaluate::target(self.kind, name)?;
                        self.passed.push(self.kind);
                        self.parent = Some(node);
                        self.at = match related {
                            Related::Many(nodes) => At::List(nodes),
                            Related::One(Some(node)) => At::One(node),
                            Related::One(None) => At::Value(Value::Null),
                        };
                        self.key(segment, options)?;
                    }
                    None => {
                        self.context = format!("{}('{}')/{name}", self.context, node.id());
                        self.at = At::Value(node.value(metadata, name).ok_or_else(wrong)?);
                    }
                }
            }
            (At::Value(value), Segment::Name { name, .. }) => {
                self.context = format!("{}/{name}", self.context);
                self.at = At::Value(value.get(name).cloned().ok_or_else(wrong)?);
            }
            (At::Value(value), Segment::Value) => self.at = At::Raw(value.clone()),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn cast(&mut self, name: &str) -> Result<(), Problem> {
        let kind = types::find(name).filter(|kind| kind.is_a(self.kind.name) || self.kind.is_a(kind.name));
        let kind = kind.ok_or_else(|| Problem::no_resource(&format!("{}.{name}", odata::NAMESPACE)))?;
        match &mut self.at {
            At::List(nodes) => nodes.retain(|node| node.kind().is_a(name)),
            At::One(node) if !node.kind().is_a(name) => return Err(missing(self.kind, "that type")),
            _ => {}
        }
        self.kind = kind;
        self.context = format!("{}/{}.{name}", self.context, odata::NAMESPACE);
        Ok(())
    }

    /// Chooses one of a list by the key of the segment, when it has one.
    fn key(&mut self, segment: &Segment, options: &Options) -> Result<(), Problem> {
        let Some(key) = segment.key()? else { return Ok(()) };
        let At::List(nodes) = &self.at else {
            return Err(Problem::no_resource(&crate::webapi::read::shown(segment)));
        };
        let node = match &key {
            Key::Id(id) => nodes.iter().find(|node| node.id() == *id),
            Key::Named(named) => {
                let [(name, value)] = named.as_slice() else {
                    return Err(Problem::bad(
                        "A definition has one key: MetadataId, LogicalName, SchemaName or Name",
                    ));
                };
                by_name(nodes, name, value, options)?
            }
        };
        let node = *node.ok_or_else(|| missing(self.kind, &key.to_url()))?;
        self.at = At::One(node);
        Ok(())
    }
}

fn by_name<'n, 'm>(
    nodes: &'n [Node<'m>],
    name: &str,
    value: &Literal,
    options: &Options,
) -> Result<Option<&'n Node<'m>>, Problem> {
    let aliased = match value {
        Literal::Alias(alias) => options.alias(alias)?,
        value => Some(value.clone()),
    };
    let value = aliased.ok_or_else(|| Problem::bad("A parameter alias of the key has no value"))?;
    match (name, value.as_guid(), value.as_text()) {
        ("MetadataId", Some(id), _) => Ok(nodes.iter().find(|node| node.id() == id)),
        ("LogicalName" | "SchemaName" | "Name", _, Some(text)) => {
            Ok(nodes.iter().find(|node| node.called(text)))
        }
        _ => Err(Problem::bad("A definition has one key: MetadataId, LogicalName, SchemaName or Name")),
    }
}

/// 404 in the words of the platform.
fn missing(kind: &Type, key: &str) -> Problem {
    let what = match kind.name {
        "EntityMetadata" => "entity",
        "EntityKeyMetadata" => "entity key",
        name if name.contains("Attribute") => "attribute",
        name if name.contains("OptionSet") => "option set",
        name if name.contains("Relationship") => "relationship",
        _ => "definition",
    };
    let text = format!("The {what} {key} was not found in the MetadataCache.");
    Problem::new(http::StatusCode::NOT_FOUND, codes::NOT_FOUND, text)
}

impl<'m> Place<'m> {
    /// The one definition that the path leads to.
    pub(super) fn node(&self) -> Result<Node<'m>, Problem> {
        match &self.at {
            At::One(node) => Ok(*node),
            _ => Err(Problem::bad("The path must lead to one definition")),
        }
    }
}
