//! One definition, seen as a row: its type, its members, and where its navigation properties lead.
//!
//! A node looks up what is asked for and no more, so a list of every table with two members of each is cheap.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, KeyInfo, ManyToMany, Metadata, OneToMany, OptionSet, TableInfo,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::types::{self, Member, Type};
use super::{columns, managed, relations, sets, tables};

/// One definition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'m> {
    Table(&'m TableInfo),
    Column(&'m TableInfo, &'m ColumnInfo),
    Key(&'m TableInfo, &'m KeyInfo),
    OneToMany(&'m OneToMany),
    ManyToMany(&'m ManyToMany),
    /// The options and which kind of set they are: Picklist, State, Status.
    Options(&'m OptionSet, &'static str),
    /// The two options of a Boolean.
    YesNo(&'m TableInfo, &'m ColumnInfo),
    Managed(&'static managed::Property),
}

/// What a navigation property leads to.
pub(crate) enum Related<'m> {
    One(Option<Node<'m>>),
    Many(Vec<Node<'m>>),
}

impl<'m> Node<'m> {
    pub(crate) fn kind(self) -> &'static Type {
        types::known(match self {
            Node::Table(_) => "EntityMetadata",
            Node::Column(_, column) => columns::class(&column.kind),
            Node::Key(..) => "EntityKeyMetadata",
            Node::OneToMany(_) => "OneToManyRelationshipMetadata",
            Node::ManyToMany(_) => "ManyToManyRelationshipMetadata",
            Node::Options(..) => "OptionSetMetadata",
            Node::YesNo(..) => "BooleanOptionSetMetadata",
            Node::Managed(_) => "ManagedPropertyMetadata",
        })
    }

    pub(crate) fn id(self) -> Uuid {
        match self {
            Node::Table(table) => table.id,
            Node::Column(_, column) => column.id,
            Node::Key(_, key) => key.id,
            Node::OneToMany(relation) => relation.id,
            Node::ManyToMany(relation) => relation.id,
            Node::Options(set, _) => set.id,
            Node::YesNo(table, column) => sets::yes_no_id(table, column),
            Node::Managed(property) => property.id(),
        }
    }

    /// A member's value; `None` when the type has none of this name.
    pub(crate) fn value(self, metadata: &Metadata, name: &str) -> Option<Value> {
        self.kind().property(name).map(|member| self.of(metadata, member))
    }

    fn of(self, metadata: &Metadata, member: &Member) -> Value {
        let managed = || metadata.managed.contains(&self.id());
        let given = match (self, member.name) {
            (_, "MetadataId") => Some(self.id().to_string().into()),
            (_, "IsManaged") => Some(managed().into()),
            // Nothing is locked here, but what came with a managed solution is its maker's to lock.
            (_, "IsCustomizable") if managed() => {
                let mut value = member.managed(true);
                value["CanBeChanged"] = false.into();
                Some(value)
            }
            (Node::Table(table), _) => tables::member(table, member),
            (Node::Column(table, column), _) => columns::member(table, column, member),
            (Node::Key(table, key), _) => tables::key_member(table, key, member),
            (Node::OneToMany(relation), _) => relations::one_member(relation, member),
            (Node::ManyToMany(relation), _) => relations::many_member(relation, member),
            (Node::Options(set, kind), _) => sets::member(set, kind, member),
            (Node::YesNo(table, column), _) => sets::yes_no_member(table, column, member),
            (Node::Managed(property), _) => property.member(member),
        };
        given.unwrap_or_else(|| member.usual())
    }

    /// The members that are wanted (all without a list), and the id. Rows of lists of several types say their own.
    pub(crate) fn row(self, metadata: &Metadata, wanted: Option<&[String]>) -> Map<String, Value> {
        let mut row = Map::new();
        if !matches!(self, Node::Table(_) | Node::Key(..)) {
            row.insert("@odata.type".into(), format!("#Microsoft.Dynamics.CRM.{}", self.kind().name).into());
        }
        for member in self.kind().properties() {
            let chosen = |wanted: &[String]| wanted.iter().any(|name| name == member.name);
            if member.name == "MetadataId" || wanted.is_none_or(chosen) {
                row.insert(member.name.into(), self.of(metadata, member));
            }
        }
        row
    }

    /// Where a navigation property leads; `None` when the type has none of this name.
    pub(crate) fn related(self, metadata: &'m Metadata, name: &str) -> Option<Related<'m>> {
        self.kind().navigation(name)?;
        Some(match self {
            Node::Table(table) => Related::Many(tables::related(metadata, table, name)),
            Node::Column(table, column) => Related::One(set(table, column, name == "GlobalOptionSet")),
            _ => Related::One(None),
        })
    }

    /// Whether it is called so: logical name, schema name or name, without case.
    pub(crate) fn called(self, name: &str) -> bool {
        let any = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        match self {
            Node::Table(table) => any(&[&table.logical_name, &table.schema_name]),
            Node::Column(_, column) => any(&[&column.logical_name, &column.schema_name]),
            Node::Key(_, key) => any(&[&key.logical_name, &key.schema_name]),
            Node::OneToMany(relation) => any(&[&relation.schema_name]),
            Node::ManyToMany(relation) => any(&[&relation.schema_name]),
            Node::Options(set, _) => any(&[&set.name]),
            Node::YesNo(table, column) => any(&[&sets::yes_no_name(table, column)]),
            Node::Managed(property) => any(&[property.name]),
        }
    }
}

/// The option set of a column. The global one alone stands in `GlobalOptionSet`; `OptionSet` has either.
fn set<'m>(table: &'m TableInfo, column: &'m ColumnInfo, global: bool) -> Option<Node<'m>> {
    let (options, kind) = match &column.kind {
        ColumnKind::Boolean { .. } if !global => return Some(Node::YesNo(table, column)),
        ColumnKind::Picklist { options, .. } | ColumnKind::MultiSelect { options } => (options, "Picklist"),
        ColumnKind::State { options } => (options, "State"),
        ColumnKind::Status { options } => (options, "Status"),
        _ => return None,
    };
    (!global || options.is_global).then_some(Node::Options(options, kind))
}
