//! The tables of the CRM: descriptions, not data.
//!
//! The standard tables come from a file of facts (`data`) put right in code (`overlay`); tables made at run time stand
//! beside them. What a database has is written in its own `crm_table` (`registry`), so every process sees the same.

mod column;
mod corrections;
mod data;
pub(crate) mod indexes;
pub(crate) mod names;
pub(crate) mod overlay;
pub(crate) mod registry;
pub(crate) mod shape;
mod table;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use postroom_core::metadata::Metadata;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use column::{Behavior, Choice, Column, Format, Kind, Link, Preset, Targets, Texts, Wanted};
pub(crate) use table::standard_columns;
pub use table::{Intersect, Key, Ownership, Side, Table};

use crate::lot::Kin;
use crate::rules::Refusal;

/// All tables of a database at one moment.
#[derive(Debug, Default)]
pub struct Schema {
    /// Rises with every change to any definition.
    pub(crate) version: i64,
    /// The global ones.
    pub(crate) option_sets: Vec<GlobalSet>,
    /// The `MetadataId`s of what came with a managed solution.
    pub(crate) managed: HashSet<Uuid>,
    /// What is said of all this, once somebody asked.
    pub(crate) metadata: OnceLock<Arc<Metadata>>,
    /// What hangs on the rows of each table, once a row was deleted or assigned.
    pub(crate) kin: OnceLock<Arc<Kin>>,
    /// The definitions as a CSDL document, without and with annotations.
    pub(crate) csdl: [OnceLock<Bytes>; 2],
    tables: Vec<Arc<Table>>,
    names: HashMap<String, usize>,
}

/// A set of choices that columns of several tables share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GlobalSet {
    pub name: String,
    #[serde(default)]
    pub labels: Texts,
    #[serde(default)]
    pub description: Texts,
    #[serde(default)]
    pub choices: Vec<Choice>,
}

/// A table as this version of postroom brings it along.
pub(crate) fn standard_table(name: &str) -> Option<&'static Arc<Table>> {
    static STANDARD: LazyLock<Schema> = LazyLock::new(|| Schema::new(0, Schema::standard()));
    STANDARD.find(name).map(|place| STANDARD.at(place))
}

impl Schema {
    pub(crate) fn new(version: i64, tables: Vec<Table>) -> Self {
        let names = tables.iter().enumerate().map(|(place, table)| (table.name.clone(), place)).collect();
        let tables = tables.into_iter().map(Arc::new).collect();
        Schema { version, tables, names, ..Schema::default() }
    }

    pub(crate) fn with_option_sets(self, option_sets: Vec<GlobalSet>) -> Self {
        Schema { option_sets, ..self }
    }

    pub(crate) fn with_managed(self, managed: HashSet<Uuid>) -> Self {
        Schema { managed, ..self }
    }

    /// The same with these tables and option sets besides, or instead of those of their names, and without those that went.
    pub(crate) fn revised(&self, revision: &registry::Revision) -> Self {
        let replaced = |name: &str| revision.tables.iter().any(|table| table.name == name);
        let stays = |name: &String| !replaced(name) && !revision.gone.contains(name);
        let mut tables: Vec<Arc<Table>> =
            self.tables.iter().filter(|table| stays(&table.name)).cloned().collect();
        tables.extend(revision.tables.iter().cloned().map(Arc::new));
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        let names = tables.iter().enumerate().map(|(place, table)| (table.name.clone(), place)).collect();
        let known = |set: &GlobalSet| {
            revision.option_sets.iter().any(|new| new.name == set.name)
                || revision.option_sets_gone.contains(&set.name)
        };
        let mut option_sets: Vec<GlobalSet> =
            self.option_sets.iter().filter(|set| !known(set)).cloned().collect();
        option_sets.extend(revision.option_sets.iter().cloned());
        Schema { version: self.version, tables, names, option_sets, ..Schema::default() }
    }

    /// The tables that this version of postroom brings along.
    pub(crate) fn standard() -> Vec<Table> {
        let mut tables = data::tables();
        overlay::apply(&mut tables);
        tables.extend(crate::definitions::messages::tables());
        tables.extend(crate::solutions::tables());
        tables
    }

    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.iter()
    }

    /// A table by its logical name; the error names the nearest.
    pub fn table(&self, name: &str) -> Result<&Arc<Table>, Refusal> {
        self.find(name).map(|place| self.at(place)).ok_or_else(|| self.unknown_table(name))
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub(crate) fn at(&self, place: usize) -> &Arc<Table> {
        &self.tables[place]
    }

    pub(crate) fn unknown_table(&self, name: &str) -> Refusal {
        let nearest = nearest(name, self.tables.iter().map(|table| table.name.as_str()));
        Refusal::UnknownTable { table: name.to_owned(), nearest }
    }

    /// The tables whose rows are activities.
    pub(crate) fn activities(&self) -> impl Iterator<Item = (usize, &Arc<Table>)> {
        self.tables.iter().enumerate().filter(|(_, table)| table.activity)
    }

    /// Whether a lookup with these targets may name a row of `table`.
    pub(crate) fn allows(&self, targets: &Targets, table: &Table) -> bool {
        match targets {
            Targets::Named(names) => {
                let named = |wanted: &str| names.iter().any(|name| name == wanted);
                named(&table.name) || table.activity && named("activitypointer")
            }
            Targets::AnyWithActivities => table.has_activities,
        }
    }
}

impl Table {
    /// A column's place; the error names the nearest column.
    pub(crate) fn known_place(&self, column: &str) -> Result<usize, Refusal> {
        self.place(column).ok_or_else(|| Refusal::UnknownColumn {
            table: self.name.clone(),
            column: column.to_owned(),
            nearest: nearest(column, self.columns.iter().map(|column| column.name.as_str())),
        })
    }
}

/// The name most like `wanted`, when one is near enough to be meant.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = wanted.to_lowercase();
    let scored = names.map(|name| (strsim::jaro_winkler(&wanted, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard() -> Schema {
        Schema::new(1, Schema::standard())
    }

    #[test]
    fn every_table_is_whole() {
        for table in standard().tables() {
            let key = table.column(&table.primary_key).expect("a key");
            assert_eq!(key.kind, Kind::Id, "{}", table.name);
            assert_eq!(
                table.columns.iter().filter(|column| column.kind == Kind::Id).count(),
                1,
                "{}",
                table.name
            );
            if let Some(name) = &table.primary_name {
                assert!(table.column(name).is_some(), "{}.{name}", table.name);
            }
            for column in table.columns.iter().filter(|column| column.kind == Kind::Lookup) {
                assert_ne!(column.targets, Targets::default(), "{}.{}", table.name, column.name);
            }
            let statuses = table.columns.iter().filter(|column| column.kind == Kind::Status);
            for choice in statuses.flat_map(|column| &column.choices) {
                assert!(choice.state.is_some(), "{}: {choice:?}", table.name);
            }
        }
    }

    #[test]
    fn the_words_of_the_reference_win_over_the_file() {
        let schema = standard();
        let email = schema.table("email").unwrap();
        for column in
            ["inreplyto", "conversationindex", "correlationmethod", "senton", "versionnumber", "createdon"]
        {
            assert!(email.column(column).unwrap().read_only, "{column}");
        }
        assert_eq!(email.column("trackingtoken").unwrap().max_length, Some(50));
        let party = schema.table("activityparty").unwrap();
        assert!(schema.allows(&party.column("partyid").unwrap().targets, schema.table("lead").unwrap()));
        let item = schema.table("queueitem").unwrap();
        assert!(schema.allows(&item.column("objectid").unwrap().targets, schema.table("incident").unwrap()));
    }

    #[test]
    fn errors_name_the_nearest() {
        let error = standard().table("contcat").unwrap_err().to_string();
        assert!(error.contains("contact"), "{error}");
        let schema = standard();
        let error = schema.table("contact").unwrap().known_place("emailadress1").unwrap_err().to_string();
        assert!(error.contains("emailaddress1"), "{error}");
    }
}
