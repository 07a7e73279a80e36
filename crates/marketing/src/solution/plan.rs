//! What must be defined in a CRM to have the solution: the difference between [`definitions`] and what the CRM says of
//! itself. A pure function; the CRM's own import carries it out ([`super::install`]).
//!
//! What is there by our names and of another kind belongs to somebody else, most likely to the vendor's own solution: that is
//! a [`Clash`], and nothing at all is done while there is one.

use postroom_core::metadata::{ColumnInfo, ColumnKind, Metadata, OptionSet};

use super::definition::Definition;
use super::{Era, definitions};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// In an order in which each finds what it needs.
    pub steps: Vec<Definition>,
    pub clashes: Vec<Clash>,
    /// Definitions of the solution that are there already.
    pub present: usize,
}

/// Something of ours that is there as something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is there already as {found}, and the connector needs {wanted}; {advice}")]
pub struct Clash {
    /// `column esc_form.esc_url`.
    pub what: String,
    pub found: String,
    pub wanted: String,
    pub advice: &'static str,
}

const ADVICE: &str = "if another connector made it, remove that one first or use another organisation: two connectors never work on one";

/// The steps from what a CRM has to what the solution of this generation needs.
pub fn plan(era: Era, have: &Metadata) -> Plan {
    let want = definitions::metadata(era);
    let mut plan = Plan::default();
    for set in &want.option_sets {
        plan.option_set(set, have);
    }
    for table in &want.tables {
        let is_lookup = |column: &&ColumnInfo| matches!(column.kind, ColumnKind::Lookup { .. });
        let plain = || table.columns.iter().filter(|column| !is_lookup(column));
        match have.table(&table.logical_name) {
            Some(known) => plain().for_each(|column| plan.column(&known.logical_name, column, have)),
            None if table.is_custom => {
                let bare = |columns| postroom_core::metadata::TableInfo {
                    columns,
                    keys: Vec::new(),
                    ..table.clone()
                };
                plan.steps.push(Definition::Table(Box::new(bare(plain().cloned().collect()))));
            }
            None => plan.clashes.push(missing(&table.logical_name)),
        }
    }
    plan.relations(&want, have);
    for table in &want.tables {
        for key in &table.keys {
            plan.add(Definition::Key { table: table.logical_name.clone(), key: key.clone() }, have);
        }
    }
    plan
}

/// A standard table that the CRM does not have, or does not show to this user.
fn missing(table: &str) -> Clash {
    Clash {
        what: format!("table {table}"),
        found: "nothing that this user can see".to_owned(),
        wanted: "a standard table".to_owned(),
        advice: "give the connector's user the right to read it, or use an organisation that has it",
    }
}

impl Plan {
    fn add(&mut self, definition: Definition, have: &Metadata) {
        match definition.is_in(have) {
            true => self.present += 1,
            false => self.steps.push(definition),
        }
    }

    fn option_set(&mut self, set: &OptionSet, have: &Metadata) {
        let Some(known) = have.option_sets.iter().find(|known| known.name == set.name) else {
            self.steps.push(Definition::OptionSet(set.clone()));
            return;
        };
        self.present += 1;
        for option in &set.options {
            match known.options.iter().find(|known| known.value == option.value) {
                // A label may have been translated or changed by hand: values are what counts.
                Some(_) => {}
                None => {
                    self.steps.push(Definition::Option { set: set.name.clone(), option: option.clone() });
                }
            }
        }
    }

    fn column(&mut self, table: &str, column: &ColumnInfo, have: &Metadata) {
        let known = have.table(table).and_then(|table| table.column(&column.logical_name));
        let (table, column) = (table.to_owned(), column.clone());
        match known {
            None => self.steps.push(Definition::Column { table, column }),
            Some(known) if !same_kind(&known.kind, &column.kind) => self.clashes.push(Clash {
                what: format!("column {table}.{}", column.logical_name),
                found: kind_name(&known.kind).to_owned(),
                wanted: kind_name(&column.kind).to_owned(),
                advice: ADVICE,
            }),
            Some(_) => {
                let widen = Definition::Widen { table, column };
                let texts = matches!(&widen, Definition::Widen { column, .. }
                    if matches!(column.kind, ColumnKind::String { .. } | ColumnKind::Memo { .. }));
                match texts && !widen.is_in(have) {
                    true => self.steps.push(widen),
                    false => self.present += 1,
                }
            }
        }
    }

    fn relations(&mut self, want: &Metadata, have: &Metadata) {
        for relation in &want.one_to_many {
            let column = |metadata: &Metadata| -> Option<ColumnInfo> {
                metadata.table(&relation.referencing_table)?.column(&relation.referencing_column).cloned()
            };
            let Some(wanted) = column(want) else { continue };
            let lookup = Definition::Lookup { relation: relation.clone(), column: wanted };
            match column(have) {
                Some(known) if !names(&known.kind, &relation.referenced_table) => self.clashes.push(Clash {
                    what: lookup.name(),
                    found: kind_name(&known.kind).to_owned(),
                    wanted: format!("a lookup of {}", relation.referenced_table),
                    advice: ADVICE,
                }),
                // Under another name of the relationship it serves as well.
                Some(_) => self.present += 1,
                None => self.steps.push(lookup),
            }
        }
        for pairs in &want.many_to_many {
            self.add(Definition::ManyToMany(pairs.clone()), have);
        }
    }
}

fn names(kind: &ColumnKind, table: &str) -> bool {
    matches!(kind, ColumnKind::Lookup { targets } | ColumnKind::Customer { targets }
        if targets.iter().any(|target| target == table))
}

/// Whether a column of one kind can serve as one of the other.
fn same_kind(known: &ColumnKind, wanted: &ColumnKind) -> bool {
    match (known, wanted) {
        (ColumnKind::Picklist { options: known, .. }, ColumnKind::Picklist { options: wanted, .. }) => {
            !known.is_global || known.name == wanted.name
        }
        (known, wanted) => std::mem::discriminant(known) == std::mem::discriminant(wanted),
    }
}

/// `AttributeType`, as makers know it.
fn kind_name(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Boolean { .. } => "Yes/No",
        ColumnKind::Integer { .. } => "Whole Number",
        ColumnKind::BigInt => "Big Integer",
        ColumnKind::Decimal { .. } => "Decimal",
        ColumnKind::Double { .. } => "Floating Point Number",
        ColumnKind::Money { .. } => "Currency",
        ColumnKind::String { .. } => "Single Line of Text",
        ColumnKind::Memo { .. } => "Multiple Lines of Text",
        ColumnKind::DateTime { .. } => "Date and Time",
        ColumnKind::Picklist { .. } => "Choice",
        ColumnKind::MultiSelect { .. } => "Choices",
        ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } | ColumnKind::Owner { .. } => "Lookup",
        _ => "a column of another type",
    }
}
