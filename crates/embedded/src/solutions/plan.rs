//! What a solution makes of the definitions: worked out on paper, nothing is written here.
//!
//! Order: option sets, new tables, columns, options, relationships with their lookups, tables of pairs, keys, texts of
//! tables. Each step names the component that it is about, for the error.

use postroom_core::metadata::{ColumnInfo, ColumnKind, KeyInfo, ManyToMany, OneToMany, OptionSet, TableInfo};
use postroom_formats::solution::{Package, Solution};

use super::codes;
use crate::definitions::draft::Draft;
use crate::definitions::{self, Options, Problem};
use crate::failure::Failure;
use crate::messages::refuse;
use crate::rules::Refusal;
use crate::schema::Schema;
use crate::schema::registry::Revision;

/// Why a solution cannot be put down, with the component that stands in the way.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) component: String,
    pub(super) refusal: Box<Refusal>,
}

impl Stop {
    fn of(component: impl Into<String>) -> impl FnOnce(Refusal) -> Stop {
        let component = component.into();
        move |refusal| Stop { component, refusal: Box::new(refusal) }
    }

    /// In the platform's words.
    pub(super) fn failure(self, solution: &str) -> Failure {
        let missing = matches!(
            &*self.refusal,
            Refusal::UnknownTable { .. }
                | Refusal::UnknownColumn { .. }
                | Refusal::Definition(Problem::Missing { .. })
        );
        let text = format!("{}: {}", self.component, self.refusal);
        match missing {
            true => refuse(
                codes::MISSING_DEPENDENCIES,
                format!(
                    "The following solution cannot be imported: {solution}. Some dependencies are missing. {text}"
                ),
            ),
            false => refuse(codes::IMPORT, format!("The import of the solution {solution} failed. {text}")),
        }
    }
}

pub(super) fn plan(have: &Schema, solution: &Solution) -> Result<Revision, Stop> {
    let mut plan = Plan { draft: Draft::new(have), solution };
    for set in &solution.option_sets {
        plan.option_set(set).map_err(Stop::of(format!("the option set {}", set.name)))?;
    }
    plan.tables()?;
    plan.columns()?;
    plan.relationships()?;
    for relation in &solution.many_to_many {
        let name = format!("the relationship {}", relation.schema_name);
        plan.pairs(relation).map_err(Stop::of(name))?;
    }
    for entity in &solution.entities {
        for key in &entity.table.keys {
            let name = format!("the key {}.{}", entity.table.logical_name, key.logical_name);
            plan.key(&entity.table, key).map_err(Stop::of(name))?;
        }
    }
    Ok(plan.draft.finish())
}

/// Whether a column comes with the solution and not with every table.
pub(super) fn own(table: &TableInfo, column: &ColumnInfo) -> bool {
    let name = column.is_primary_name && table.is_custom && !table.is_activity;
    let made = matches!(
        column.kind,
        ColumnKind::State { .. }
            | ColumnKind::Status { .. }
            | ColumnKind::Owner { .. }
            | ColumnKind::PartyList { .. }
            | ColumnKind::Virtual
    );
    (column.is_custom || name) && !column.is_primary_id && !made && column.attribute_of.is_none()
}

fn is_lookup(column: &ColumnInfo) -> bool {
    matches!(column.kind, ColumnKind::Lookup { .. } | ColumnKind::Customer { .. })
}

struct Plan<'s> {
    draft: Draft<'s>,
    solution: &'s Solution,
}

impl Plan<'_> {
    /// One table as it is by now. Not by way of [`definitions::metadata`]: each step makes a schema of its own, and
    /// describing the whole of it for one table takes most of the time.
    fn known(&self, table: &str) -> Option<TableInfo> {
        definitions::table(self.draft.schema(), table)
    }

    fn option_set(&mut self, set: &OptionSet) -> Result<(), Refusal> {
        let have = definitions::option_set(self.draft.schema(), &set.name);
        let Some(have) = have else { return self.draft.create_option_set(set) };
        self.draft.update_option_set(&OptionSet { name: have.name.clone(), ..set.clone() })?;
        self.options(&Options::Global(have.name.clone()), &have, set)
    }

    /// Options are added and renamed; those that only the organisation has stay.
    fn options(&mut self, of: &Options, have: &OptionSet, wanted: &OptionSet) -> Result<(), Refusal> {
        for option in &wanted.options {
            match have.options.iter().find(|known| known.value == option.value) {
                None => self.draft.insert_option(of, option.value, &option.label, option.state)?,
                Some(known) if known.label != option.label && !option.label.0.is_empty() => {
                    self.draft.relabel_option(of, option.value, &option.label)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Tables that are not there yet, with all but their lookups; texts of those that are.
    fn tables(&mut self) -> Result<(), Stop> {
        let mut new = Vec::new();
        for entity in &self.solution.entities {
            let table = &entity.table;
            let stop = || Stop::of(format!("the table {}", table.logical_name));
            let there = self.draft.schema().find(&table.logical_name).is_some();
            match (there, table.is_custom) {
                (false, true) => new.push(self.fresh(table)),
                (false, false) => {
                    return Err(stop()(self.draft.schema().unknown_table(&table.logical_name)));
                }
                (true, true) => self.texts(table).map_err(stop())?,
                (true, false) => {}
            }
        }
        // One by one, so that an error names its table.
        for info in new {
            self.draft
                .create_tables(std::slice::from_ref(&info))
                .map_err(Stop::of(format!("the table {}", info.logical_name)))?;
        }
        Ok(())
    }

    fn fresh(&self, table: &TableInfo) -> TableInfo {
        let columns = table.columns.iter().filter(|column| own(table, column) && !is_lookup(column));
        TableInfo {
            columns: columns.cloned().collect(),
            keys: Vec::new(),
            change_tracking: table.change_tracking || self.solution.manifest.package < Package::V7_1,
            ..table.clone()
        }
    }

    fn texts(&mut self, table: &TableInfo) -> Result<(), Refusal> {
        let have = self.known(&table.logical_name).expect("found in the same schema");
        // Packages before 7.1 say nothing of change tracking.
        let silent = self.solution.manifest.package < Package::V7_1;
        let change_tracking = if silent { have.change_tracking } else { table.change_tracking };
        self.draft.update_table(&TableInfo { change_tracking, ..table.clone() })
    }

    fn columns(&mut self) -> Result<(), Stop> {
        for entity in &self.solution.entities {
            let table = &entity.table;
            // A step says nothing of other columns than its own.
            let known = self.known(&table.logical_name);
            for column in &table.columns {
                let name = format!("the column {}.{}", table.logical_name, column.logical_name);
                let have = known.as_ref().and_then(|known| known.column(&column.logical_name));
                self.column(table, column, have).map_err(Stop::of(name))?;
            }
        }
        Ok(())
    }

    fn column(
        &mut self,
        table: &TableInfo,
        column: &ColumnInfo,
        there: Option<&ColumnInfo>,
    ) -> Result<(), Refusal> {
        let of = Options::Column { table: table.logical_name.clone(), column: column.logical_name.clone() };
        let Some(have) = there else {
            return match own(table, column) && !is_lookup(column) {
                true => self.draft.add_column(&table.logical_name, column),
                false => Ok(()),
            };
        };
        if own(table, column) {
            self.draft.update_column(&table.logical_name, column)?;
        }
        let local = |kind: &'_ ColumnKind| -> Option<OptionSet> {
            match kind {
                ColumnKind::Picklist { options, .. }
                | ColumnKind::MultiSelect { options }
                | ColumnKind::Status { options } => Some(options.clone()).filter(|set| !set.is_global),
                _ => None,
            }
        };
        // Only statuses of one's own tables are the solution's to name.
        let settled = matches!(column.kind, ColumnKind::Status { .. }) && !table.is_custom;
        match (local(&have.kind), local(&column.kind)) {
            (Some(have), Some(wanted)) if !settled => self.options(&of, &have, &wanted),
            _ => Ok(()),
        }
    }

    /// Lookups come with their relationships; several for one that may name several tables.
    fn relationships(&mut self) -> Result<(), Stop> {
        let mut known = definitions::one_to_many(self.draft.schema());
        let mut done: Vec<(&str, &str)> = Vec::new();
        for relation in &self.solution.one_to_many {
            let at = (relation.referencing_table.as_str(), relation.referencing_column.as_str());
            if done.contains(&at) {
                continue;
            }
            done.push(at);
            let group: Vec<OneToMany> = self
                .solution
                .one_to_many
                .iter()
                .filter(|other| (other.referencing_table.as_str(), other.referencing_column.as_str()) == at)
                .cloned()
                .collect();
            let name = format!("the relationship {}", relation.schema_name);
            self.lookup(at, &group, &known).map_err(Stop::of(name))?;
            // A lookup made now says so to the next one of this name.
            known.extend(group);
        }
        self.orphans()
    }

    fn lookup(
        &mut self,
        (table, column): (&str, &str),
        group: &[OneToMany],
        relations: &[OneToMany],
    ) -> Result<(), Refusal> {
        let known = self.known(table);
        let entity = self.solution.entities.iter().find(|entity| entity.table.logical_name == table);
        let given =
            entity.and_then(|entity| entity.table.column(column).filter(|column| own(&entity.table, column)));
        let have = known.as_ref().and_then(|have| have.column(column));
        // Owners, creators and their like come with the table; so do what jobs, notes and mails have to do with it. Names of
        // columns made at run time have a prefix.
        if given.is_none() && have.map_or(!column.contains('_'), |have| !have.is_custom) {
            return Ok(());
        }
        let info = given
            .or(have)
            .ok_or_else(|| Problem::Missing { what: "column", name: format!("{table}.{column}") })?;
        let there = |relation: &OneToMany| {
            relations.iter().find(|have| have.schema_name.eq_ignore_ascii_case(&relation.schema_name))
        };
        let mut new = Vec::new();
        for relation in group {
            match there(relation) {
                None => new.push(relation.clone()),
                Some(have) if have.referencing_table != table => {
                    let name = relation.schema_name.clone();
                    return Err(Problem::Taken { what: "relationship", name }.into());
                }
                Some(have) => {
                    // Files do not say what a merge does.
                    let cascade =
                        postroom_core::metadata::Cascade { merge: have.cascade.merge, ..relation.cascade };
                    if cascade != have.cascade {
                        self.draft.update_relationship(&OneToMany { cascade, ..have.clone() })?;
                    }
                }
            }
        }
        match new.is_empty() {
            true => Ok(()),
            false => self.draft.create_lookup(&new, info),
        }
    }

    /// A lookup that no relationship of the file makes.
    fn orphans(&self) -> Result<(), Stop> {
        for entity in &self.solution.entities {
            let table = self.draft.schema().table(&entity.table.logical_name);
            let lookups =
                entity.table.columns.iter().filter(|column| own(&entity.table, column) && is_lookup(column));
            for column in lookups {
                if table.as_ref().is_ok_and(|table| table.column(&column.logical_name).is_none()) {
                    let component =
                        format!("the column {}.{}", entity.table.logical_name, column.logical_name);
                    let missing =
                        Problem::Missing { what: "relationship", name: "for the lookup".to_owned() };
                    return Err(Stop::of(component)(missing.into()));
                }
            }
        }
        Ok(())
    }

    fn pairs(&mut self, relation: &ManyToMany) -> Result<(), Refusal> {
        let known = definitions::many_to_many(self.draft.schema());
        let same = |have: &&ManyToMany| have.schema_name.eq_ignore_ascii_case(&relation.schema_name);
        match known.iter().find(same) {
            None => self.draft.create_pairs(relation),
            Some(have) => {
                let ends = |of: &ManyToMany| [of.first.table.clone(), of.second.table.clone()];
                match ends(have) == ends(relation) {
                    true => Ok(()),
                    false => {
                        let name = relation.schema_name.clone();
                        Err(Problem::Taken { what: "relationship", name }.into())
                    }
                }
            }
        }
    }

    fn key(&mut self, table: &TableInfo, key: &KeyInfo) -> Result<(), Refusal> {
        let name = table.logical_name.as_str();
        let known = self.known(name);
        let have = known
            .as_ref()
            .and_then(|have| have.keys.iter().find(|known| known.logical_name == key.logical_name));
        match have {
            Some(have) if have.columns == key.columns => Ok(()),
            Some(_) => {
                self.draft.delete_key(name, &key.logical_name)?;
                self.draft.create_key(name, key)
            }
            None => self.draft.create_key(name, key),
        }
    }
}
