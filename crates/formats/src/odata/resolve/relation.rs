//! Navigation properties: the relation behind a name, and which side of it we stand on.

use postroom_core::metadata::{End, ManyToMany, Metadata, OneToMany};

/// A relation, seen from the table that has the navigation property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// This table has the lookup.
    ManyToOne(OneToMany),
    /// The other table has the lookup.
    OneToMany(OneToMany),
    /// Through an intersect table; `near` is this table's side of it.
    ManyToMany { relation: ManyToMany, near: End, far: End },
}

impl Relation {
    /// Whether at most one row is at the other end.
    pub fn single(&self) -> bool {
        matches!(self, Relation::ManyToOne(_))
    }

    /// The table at the other end.
    pub fn target(&self) -> &str {
        match self {
            Relation::ManyToOne(relation) => &relation.referenced_table,
            Relation::OneToMany(relation) => &relation.referencing_table,
            Relation::ManyToMany { far, .. } => &far.table,
        }
    }
}

/// The relation that `name` follows from `table`. Names keep their case. Where one lookup may name several tables under one
/// name (`ownerid`), the first of them.
pub fn navigation(metadata: &Metadata, table: &str, name: &str) -> Option<Relation> {
    let up = metadata.many_to_one_of(table).find(|relation| relation.referencing_navigation == name);
    if let Some(relation) = up {
        return Some(Relation::ManyToOne(relation.clone()));
    }
    let down = metadata.one_to_many_of(table).find(|relation| relation.referenced_navigation == name);
    if let Some(relation) = down {
        return Some(Relation::OneToMany(relation.clone()));
    }
    metadata.many_to_many_of(table).find_map(|relation| {
        let ends = [(&relation.first, &relation.second), (&relation.second, &relation.first)];
        let (near, far) =
            ends.into_iter().find(|(near, _)| near.table == table && near.navigation == name)?;
        Some(Relation::ManyToMany { relation: relation.clone(), near: near.clone(), far: far.clone() })
    })
}
