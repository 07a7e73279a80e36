//! Several changes of definitions worked out one on top of the other and put down as one [`Revision`]: a solution imported
//! or taken away. What changes nothing leaves no trace.

use std::collections::BTreeMap;

use postroom_core::metadata::{ColumnInfo, KeyInfo, Label, ManyToMany, OneToMany, OptionSet, TableInfo};

use super::{Options, change, links, options};
use crate::rules::Refusal;
use crate::schema::registry::Revision;
use crate::schema::{GlobalSet, Schema, Table};

/// The definitions as they will be.
pub(crate) struct Draft<'s> {
    have: &'s Schema,
    now: Schema,
    tables: BTreeMap<String, Table>,
    sets: BTreeMap<String, GlobalSet>,
    gone: Revision,
}

impl<'s> Draft<'s> {
    pub(crate) fn new(have: &'s Schema) -> Self {
        Draft {
            have,
            now: have.revised(&Revision::default()),
            tables: BTreeMap::new(),
            sets: BTreeMap::new(),
            gone: Revision::default(),
        }
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.now
    }

    pub(crate) fn create_tables(&mut self, infos: &[TableInfo]) -> Result<(), Refusal> {
        self.take(change::create_tables(&self.now, infos)?)
    }

    pub(crate) fn update_table(&mut self, info: &TableInfo) -> Result<(), Refusal> {
        self.take(change::update_table(&self.now, info)?)
    }

    pub(crate) fn delete_table(&mut self, name: &str) -> Result<(), Refusal> {
        self.take(change::delete_table(&self.now, name)?)
    }

    pub(crate) fn add_column(&mut self, table: &str, info: &ColumnInfo) -> Result<(), Refusal> {
        self.take(change::add_column(&self.now, table, info)?)
    }

    pub(crate) fn update_column(&mut self, table: &str, info: &ColumnInfo) -> Result<(), Refusal> {
        self.take(change::update_column(&self.now, table, info)?)
    }

    pub(crate) fn delete_column(&mut self, table: &str, name: &str) -> Result<(), Refusal> {
        self.take(change::delete_column(&self.now, table, name)?)
    }

    pub(crate) fn create_key(&mut self, table: &str, info: &KeyInfo) -> Result<(), Refusal> {
        self.take(change::create_key(&self.now, table, info)?)
    }

    pub(crate) fn delete_key(&mut self, table: &str, name: &str) -> Result<(), Refusal> {
        self.take(change::delete_key(&self.now, table, name)?)
    }

    pub(crate) fn create_lookup(
        &mut self,
        relations: &[OneToMany],
        lookup: &ColumnInfo,
    ) -> Result<(), Refusal> {
        self.take(links::create(&self.now, relations, lookup)?)
    }

    pub(crate) fn update_relationship(&mut self, relation: &OneToMany) -> Result<(), Refusal> {
        self.take(links::update(&self.now, relation)?)
    }

    pub(crate) fn create_pairs(&mut self, relation: &ManyToMany) -> Result<(), Refusal> {
        self.take(links::create_pairs(&self.now, relation)?)
    }

    pub(crate) fn delete_relationship(&mut self, name: &str) -> Result<(), Refusal> {
        self.take(links::delete(&self.now, name)?)
    }

    pub(crate) fn create_option_set(&mut self, set: &OptionSet) -> Result<(), Refusal> {
        self.take(options::create(&self.now, set)?)
    }

    pub(crate) fn update_option_set(&mut self, set: &OptionSet) -> Result<(), Refusal> {
        self.take(options::update(&self.now, set)?)
    }

    pub(crate) fn delete_option_set(&mut self, name: &str) -> Result<(), Refusal> {
        self.take(options::delete(&self.now, name)?)
    }

    pub(crate) fn insert_option(
        &mut self,
        of: &Options,
        value: i32,
        label: &Label,
        state: Option<i32>,
    ) -> Result<(), Refusal> {
        self.take(options::insert(&self.now, of, Some(value), label, state)?.0)
    }

    pub(crate) fn relabel_option(&mut self, of: &Options, value: i32, label: &Label) -> Result<(), Refusal> {
        self.take(options::relabel(&self.now, of, value, label)?)
    }

    fn take(&mut self, mut revision: Revision) -> Result<(), Refusal> {
        revision
            .tables
            .retain(|table| self.now.find(&table.name).is_none_or(|at| !same(self.now.at(at), table)));
        revision.option_sets.retain(|set| !self.now.option_sets.contains(set));
        if revision.is_empty() {
            // What was described of the definitions so far still holds.
            return Ok(());
        }
        revision.tables.iter_mut().for_each(Table::index);
        self.now = self.now.revised(&revision);
        for name in &revision.gone {
            self.tables.remove(name);
        }
        for name in &revision.option_sets_gone {
            self.sets.remove(name);
        }
        self.tables.extend(revision.tables.into_iter().map(|table| (table.name.clone(), table)));
        self.sets.extend(revision.option_sets.into_iter().map(|set| (set.name.clone(), set)));
        self.gone.gone.extend(revision.gone);
        self.gone.option_sets_gone.extend(revision.option_sets_gone);
        self.gone.rows.extend(revision.rows);
        Ok(())
    }

    /// All of it at once.
    pub(crate) fn finish(self) -> Revision {
        let have = self.have;
        let changed = |table: &Table| have.find(&table.name).is_none_or(|at| !same(have.at(at), table));
        Revision {
            tables: self.tables.into_values().filter(changed).collect(),
            option_sets: self.sets.into_values().filter(|set| !have.option_sets.contains(set)).collect(),
            ..self.gone
        }
    }
}

/// Whether two descriptions say the same. Which of them was changed at run time does not count.
fn same(one: &Table, other: &Table) -> bool {
    let text = |table: &Table| {
        let mut table = table.clone();
        table.changed = false;
        table.columns.iter_mut().for_each(|column| column.changed = false);
        serde_json::to_string(&table).expect("a description is plain data")
    };
    text(one) == text(other)
}
