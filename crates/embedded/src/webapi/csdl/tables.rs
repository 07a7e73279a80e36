//! Tables as entity types and entity sets.

use std::collections::{HashMap, HashSet};

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, DateTimeBehavior, ManyToMany, Metadata, OneToMany, TableInfo,
};

use super::{Xml, collection, qualified};
use crate::webapi::row::property;

/// The base of all tables.
const BASE: &str = "crmbaseentity";

/// Relationships by table, so that no table looks through all of them.
struct Links<'m> {
    to_one: HashMap<&'m str, Vec<&'m OneToMany>>,
    to_many: HashMap<&'m str, Vec<&'m OneToMany>>,
    pairs: HashMap<&'m str, Vec<&'m ManyToMany>>,
}

impl<'m> Links<'m> {
    fn of(metadata: &'m Metadata) -> Self {
        let mut links = Links { to_one: HashMap::new(), to_many: HashMap::new(), pairs: HashMap::new() };
        for relation in &metadata.one_to_many {
            links.to_one.entry(&relation.referencing_table).or_default().push(relation);
            links.to_many.entry(&relation.referenced_table).or_default().push(relation);
        }
        for pair in &metadata.many_to_many {
            links.pairs.entry(&pair.first.table).or_default().push(pair);
            if pair.second.table != pair.first.table {
                links.pairs.entry(&pair.second.table).or_default().push(pair);
            }
        }
        links
    }
}

/// A navigation property.
struct Navigation<'m> {
    name: &'m str,
    target: &'m str,
    many: bool,
    partner: &'m str,
    /// Of a lookup: its column, and the key of the other table.
    constraint: Option<(String, &'m str)>,
}

/// The navigation properties of a table, each name once.
fn navigations<'m>(links: &Links<'m>, table: &'m TableInfo) -> Vec<Navigation<'m>> {
    let name = table.logical_name.as_str();
    let mut seen = HashSet::new();
    let to_one = links.to_one.get(name).into_iter().flatten().map(|relation| Navigation {
        name: &relation.referencing_navigation,
        target: &relation.referenced_table,
        many: false,
        partner: &relation.referenced_navigation,
        constraint: table
            .column(&relation.referencing_column)
            .map(|column| (property(column), relation.referenced_column.as_str())),
    });
    let to_many = links.to_many.get(name).into_iter().flatten().map(|relation| Navigation {
        name: &relation.referenced_navigation,
        target: &relation.referencing_table,
        many: true,
        partner: &relation.referencing_navigation,
        constraint: None,
    });
    let pairs = links.pairs.get(name).into_iter().flatten().flat_map(|pair| {
        let ends = [(&pair.first, &pair.second), (&pair.second, &pair.first)];
        ends.into_iter().filter(|(own, _)| own.table == table.logical_name).map(|(own, other)| Navigation {
            name: &own.navigation,
            target: &other.table,
            many: true,
            partner: &other.navigation,
            constraint: None,
        })
    });
    to_one.chain(to_many).chain(pairs).filter(|one| seen.insert(one.name)).collect()
}

pub(super) fn types(xml: &mut Xml, metadata: &Metadata, annotated: bool) {
    xml.empty("EntityType", &[("Name", BASE), ("Abstract", "true")]);
    let links = Links::of(metadata);
    let base = qualified(BASE);
    for table in &metadata.tables {
        xml.within("EntityType", &[("Name", &table.logical_name), ("BaseType", &base)], |xml| {
            xml.within("Key", &[], |xml| xml.empty("PropertyRef", &[("Name", &table.primary_id)]));
            for column in table.columns.iter().filter(|column| column.valid_for_read) {
                self::column(xml, column, column.logical_name == table.primary_id, annotated);
            }
            for navigation in navigations(&links, table) {
                navigation.write(xml);
            }
            if annotated {
                xml.described(table.label.text());
            }
        });
    }
}

/// The type of a column's property; `None` for what is no property.
pub(crate) fn edm(column: &ColumnInfo) -> Option<&'static str> {
    Some(match &column.kind {
        ColumnKind::Boolean { .. } => "Edm.Boolean",
        ColumnKind::Integer { .. }
        | ColumnKind::Picklist { .. }
        | ColumnKind::State { .. }
        | ColumnKind::Status { .. } => "Edm.Int32",
        ColumnKind::BigInt => "Edm.Int64",
        ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => "Edm.Decimal",
        ColumnKind::Double { .. } => "Edm.Double",
        ColumnKind::String { .. }
        | ColumnKind::Memo { .. }
        | ColumnKind::MultiSelect { .. }
        | ColumnKind::EntityName => "Edm.String",
        // As `row` writes it.
        ColumnKind::DateTime { date_only, behavior } => {
            let date = *date_only && *behavior != DateTimeBehavior::UserLocal
                || *behavior == DateTimeBehavior::DateOnly;
            if date { "Edm.Date" } else { "Edm.DateTimeOffset" }
        }
        ColumnKind::Lookup { .. }
        | ColumnKind::Customer { .. }
        | ColumnKind::Owner { .. }
        | ColumnKind::Uniqueidentifier
        | ColumnKind::File { .. } => "Edm.Guid",
        ColumnKind::Image { .. } => "Edm.Binary",
        ColumnKind::PartyList { .. } | ColumnKind::Virtual => return None,
    })
}

fn column(xml: &mut Xml, column: &ColumnInfo, key: bool, annotated: bool) {
    let Some(kind) = edm(column) else { return };
    let name = property(column);
    let mut attributes = vec![("Name", name.as_str()), ("Type", kind)];
    match kind {
        _ if key => attributes.push(("Nullable", "false")),
        "Edm.String" => attributes.push(("Unicode", "false")),
        "Edm.Decimal" => attributes.push(("Scale", "Variable")),
        _ => {}
    }
    if !annotated {
        return xml.empty("Property", &attributes);
    }
    xml.within("Property", &attributes, |xml| {
        xml.described(column.label.text());
        if !column.valid_for_create && !column.valid_for_update {
            xml.empty("Annotation", &[("Term", "Org.OData.Core.V1.Computed"), ("Bool", "true")]);
        }
    });
}

impl Navigation<'_> {
    fn write(&self, xml: &mut Xml) {
        let target = qualified(self.target);
        let kind = if self.many { collection(&target) } else { target };
        let attributes = [("Name", self.name), ("Type", &kind), ("Partner", self.partner)];
        match &self.constraint {
            Some((column, key)) => xml.within("NavigationProperty", &attributes, |xml| {
                let attributes = [("Property", column.as_str()), ("ReferencedProperty", key)];
                xml.empty("ReferentialConstraint", &attributes);
            }),
            None => xml.empty("NavigationProperty", &attributes),
        }
    }
}

pub(super) fn sets(xml: &mut Xml, metadata: &Metadata) {
    let links = Links::of(metadata);
    let named: HashMap<&str, &str> = metadata
        .tables
        .iter()
        .map(|table| (table.logical_name.as_str(), table.entity_set.as_str()))
        .collect();
    for table in &metadata.tables {
        let kind = format!("{}.{}", postroom_formats::odata::NAMESPACE, table.logical_name);
        xml.within("EntitySet", &[("Name", &table.entity_set), ("EntityType", &kind)], |xml| {
            for navigation in navigations(&links, table) {
                if let Some(target) = named.get(navigation.target) {
                    let attributes = [("Path", navigation.name), ("Target", *target)];
                    xml.empty("NavigationPropertyBinding", &attributes);
                }
            }
        });
    }
}
