//! What hangs on the rows of a table: the lookups that may name them, and the parts that have no life of their own. Made of
//! the definitions once for each version of the schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use postroom_core::Value;
use postroom_core::metadata::{Cascade, CascadeType, OneToMany};

use crate::definitions;
use crate::definitions::cascades::PARTS;
use crate::row::Fields;
use crate::schema::{Kind, Ownership, Schema, Table};

/// A lookup that may name a row.
#[derive(Debug, Clone)]
pub(crate) struct Tie {
    /// The relationship's schema name.
    pub name: String,
    /// The place of the table with the lookup.
    pub child: usize,
    /// The lookup's place in it.
    pub column: usize,
    pub cascade: Cascade,
}

/// Everything that hangs on rows, by the place of their table.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    ties: Vec<Vec<Tie>>,
    /// Table and column of the parts, which go with the row and are nobody's parent.
    parts: Vec<Vec<(usize, usize)>>,
    /// The columns of each table by which its rows hang on others.
    hanging: Vec<Vec<usize>>,
    /// These, and the ones that only lose their link.
    linked: Vec<Vec<usize>>,
    /// By the place of the child: the ties by which its rows inherit rights, each with the parent's place.
    inheriting: Vec<Vec<(usize, Tie)>>,
}

impl Kin {
    pub(crate) fn of(schema: &Schema) -> Arc<Kin> {
        schema.kin.get_or_init(|| Arc::new(Kin::build(schema))).clone()
    }

    fn build(schema: &Schema) -> Kin {
        let count = schema.tables().count();
        let mut kin = Kin { ties: vec![Vec::new(); count], parts: vec![Vec::new(); count], ..Kin::default() };
        let metadata = definitions::metadata(schema);
        // Lookups that name activities in general mean every table of them, unless one has a relationship of its own.
        let (general, own): (Vec<_>, Vec<_>) =
            metadata.one_to_many.iter().partition(|relation| relation.referenced_table == "activitypointer");
        for relation in own.into_iter().chain(general) {
            let Some(tie) = tie(schema, relation) else { continue };
            for parent in parents(schema, &relation.referenced_table) {
                kin.add(schema, parent, tie.clone());
            }
        }
        for relation in &metadata.many_to_many {
            for end in [&relation.first, &relation.second] {
                let pairs = schema.find(&relation.intersect_table);
                let column = pairs.and_then(|pairs| schema.at(pairs).place(&end.column));
                if let (Some(pairs), Some(column), Some(parent)) = (pairs, column, schema.find(&end.table)) {
                    kin.add_part(parent, (pairs, column));
                }
            }
        }
        kin.shares(schema);
        kin.inheriting = vec![Vec::new(); count];
        for (parent, ties) in kin.ties.iter().enumerate() {
            for tie in ties.iter().filter(|tie| tie.cascade.reparent != CascadeType::NoCascade) {
                if schema.at(tie.child).ownership == Ownership::User {
                    kin.inheriting[tie.child].push((parent, tie.clone()));
                }
            }
        }
        let hang = kin.ties.iter().flatten().filter(|tie| tie.moves());
        kin.hanging = columns(count, hang.map(|tie| (tie.child, tie.column)));
        let link =
            kin.ties.iter().flatten().filter(|tie| tie.moves() || tie.lets_go() || is_party(schema, tie));
        let link = link.map(|tie| (tie.child, tie.column));
        kin.linked = columns(count, link.chain(kin.parts.iter().flatten().copied()));
        kin
    }

    fn add(&mut self, schema: &Schema, parent: usize, tie: Tie) {
        let child = schema.at(tie.child);
        if PARTS.contains(&(child.name.as_str(), child.columns[tie.column].name.as_str())) {
            self.add_part(parent, (tie.child, tie.column));
        } else if !self.ties[parent].iter().any(|have| (have.child, have.column) == (tie.child, tie.column)) {
            self.ties[parent].push(tie);
        }
    }

    fn add_part(&mut self, parent: usize, part: (usize, usize)) {
        if !self.parts[parent].contains(&part) {
            self.parts[parent].push(part);
        }
    }

    /// What was shared of a row, and with a user or team.
    fn shares(&mut self, schema: &Schema) {
        let Some(shares) = schema.find("principalobjectaccess") else { return };
        let place = |column: &str| schema.at(shares).place(column);
        for (parent, table) in schema.tables().enumerate() {
            let holder = ["systemuser", "team"].contains(&table.name.as_str());
            let columns = [Some("objectid"), holder.then_some("principalid")];
            for column in columns.into_iter().flatten().filter_map(place) {
                self.add_part(parent, (shares, column));
            }
        }
    }

    /// The lookups that may name rows of this table.
    pub(crate) fn ties(&self, parent: usize) -> &[Tie] {
        &self.ties[parent]
    }

    pub(crate) fn parts(&self, parent: usize) -> &[(usize, usize)] {
        &self.parts[parent]
    }

    /// The ties by which rows of this table inherit rights, each with the place of the table above.
    pub(crate) fn inherits_by(&self, child: usize) -> &[(usize, Tie)] {
        &self.inheriting[child]
    }

    /// Whether rows inherit rights by this tie.
    pub(crate) fn inherits(&self, tie: &Tie) -> bool {
        self.inheriting[tie.child].iter().any(|(_, known)| known.column == tie.column)
            && tie.cascade.reparent != CascadeType::NoCascade
    }

    /// The columns in which rows of this table name others that matter to them.
    pub(crate) fn links_by(&self, child: usize) -> &[usize] {
        &self.linked[child]
    }

    /// The columns by which rows of this table follow others.
    pub(crate) fn hangs_by(&self, child: usize) -> &[usize] {
        &self.hanging[child]
    }
}

impl Tie {
    /// Whether anything but the link itself depends on it.
    fn moves(&self) -> bool {
        let Cascade { assign, delete, share, unshare, .. } = self.cascade;
        [assign, share, unshare].iter().any(|kind| *kind != CascadeType::NoCascade)
            || matches!(delete, CascadeType::Cascade | CascadeType::Restrict)
    }

    /// Whether a deletion takes the link away.
    pub(crate) fn lets_go(&self) -> bool {
        self.cascade.delete == CascadeType::RemoveLink
    }

    /// Whether this child follows its parent, of which `owner` was the owner.
    pub(crate) fn takes(&self, kind: CascadeType, table: &Table, fields: &Fields, owner: &Value) -> bool {
        match kind {
            CascadeType::Cascade => true,
            CascadeType::Active => fields.int(table, "statecode").unwrap_or(0) == 0,
            CascadeType::UserOwned => fields.named(table, "ownerid") == Some(owner),
            CascadeType::NoCascade | CascadeType::RemoveLink | CascadeType::Restrict => false,
        }
    }
}

fn tie(schema: &Schema, relation: &OneToMany) -> Option<Tie> {
    let child = schema.find(&relation.referencing_table)?;
    let table = schema.at(child);
    let column = table.place(&relation.referencing_column)?;
    // A pointer shows an activity and has no rows; that an activity is one besides is no lookup.
    let real = table.name != "activitypointer" && table.columns[column].kind == Kind::Lookup;
    real.then(|| Tie { name: relation.schema_name.clone(), child, column, cascade: relation.cascade })
}

/// Whether the row is a party of an activity there: such a party is marked.
pub(crate) fn is_party(schema: &Schema, tie: &Tie) -> bool {
    let child = schema.at(tie.child);
    child.name == "activityparty" && child.columns[tie.column].name == "partyid"
}

fn columns(count: usize, named: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<usize>> {
    let mut columns: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); count];
    for (child, column) in named {
        columns[child].insert(column);
    }
    columns.into_iter().map(|columns| columns.into_iter().collect()).collect()
}

fn parents(schema: &Schema, name: &str) -> Vec<usize> {
    match name {
        "activitypointer" => schema.activities().map(|(place, _)| place).collect(),
        // Users and teams: they keep what they own.
        "owner" => Vec::new(),
        name => schema.find(name).into_iter().collect(),
    }
}
