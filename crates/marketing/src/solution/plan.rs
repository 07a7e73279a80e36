//! What must be defined in a CRM to have the solution: the difference between [`definitions`] and what the CRM says of
//! itself. A pure function; the CRM's own import carries it out ([`super::install`]).
//!
//! What is there by our names and of another kind belongs to somebody else, most likely to the vendor's own solution: that is
//! a [`Clash`], and nothing at all is done while there is one. Tables of somebody else that fit are used as they are
//! ([`beside`]): what they lack is added to them, and what would have to change in them is a clash, too.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, ManyToMany, Metadata, OptionSet, OwnershipType, TableInfo,
};
use serde::Serialize;

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
    /// What is there is somebody else's.
    beside: bool,
}

/// Something of ours that is there as something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{what} is there already as {found}, and the connector needs {wanted}; {advice}")]
pub struct Clash {
    /// `column esc_form.esc_url`.
    pub what: String,
    pub found: String,
    pub wanted: String,
    pub advice: &'static str,
}

impl Clash {
    fn new(what: impl Into<String>, found: impl Into<String>, wanted: impl Into<String>) -> Self {
        Clash { what: what.into(), found: found.into(), wanted: wanted.into(), advice: ADVICE }
    }

    /// Whether something of the platform is missing; else something of somebody else is in the way.
    pub fn is_missing(&self) -> bool {
        self.advice == GRANT
    }
}

const ADVICE: &str = "if another connector made it, remove that one first or use another organisation: two connectors never work on one";
const GRANT: &str = "give the connector's user the right to read it, or use an organisation that has it";

/// The steps from what a CRM has to what the solution of this generation needs.
pub fn plan(era: Era, have: &Metadata) -> Plan {
    steps(era, have, false)
}

/// The same where tables of these names are somebody else's: nothing of theirs is changed, so that they fit as they are or
/// clash.
pub fn beside(era: Era, have: &Metadata) -> Plan {
    let mut plan = steps(era, have, true);
    let want = definitions::metadata(era);
    for wanted in want.tables.iter().filter(|table| table.is_custom) {
        if let Some(known) = have.table(&wanted.logical_name) {
            plan.whole(known, wanted);
        }
    }
    for wanted in &want.many_to_many {
        plan.pairs(wanted, have);
    }
    for clash in plan.steps.iter().flat_map(|step| wrong_choices(step, have)) {
        if !plan.clashes.contains(&clash) {
            plan.clashes.push(clash);
        }
    }
    let (grows, steps) = std::mem::take(&mut plan.steps).into_iter().partition(Definition::changes);
    plan.steps = steps;
    plan.clashes.extend(grows.into_iter().map(|step: Definition| grown(&step, have)));
    plan
}

fn steps(era: Era, have: &Metadata, beside: bool) -> Plan {
    let want = definitions::metadata(era);
    let mut plan = Plan { beside, ..Plan::default() };
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
        advice: GRANT,
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
        if self.beside {
            // Values count where columns use them, which are looked at one by one.
            return;
        }
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
            Some(known)
                if self.beside && choices(&known.kind).is_some() && choices(&column.kind).is_some() =>
            {
                let sets = choices(&known.kind).zip(choices(&column.kind));
                match sets.and_then(|(known, wanted)| other_choices(known, wanted)) {
                    Some((found, wanted)) => {
                        self.clashes.push(Clash::new(
                            format!("column {table}.{}", column.logical_name),
                            found,
                            wanted,
                        ));
                    }
                    None => self.present += 1,
                }
            }
            Some(known) if !same_kind(&known.kind, &column.kind) => self.clashes.push(Clash::new(
                format!("column {table}.{}", column.logical_name),
                named_kind(&known.kind),
                named_kind(&column.kind),
            )),
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
                Some(known) if !names(&known.kind, &relation.referenced_table) => {
                    self.clashes.push(Clash::new(
                        lookup.name(),
                        named_kind(&known.kind),
                        format!("a lookup of {}", relation.referenced_table),
                    ))
                }
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

impl Plan {
    /// What a whole table of somebody else must be like.
    fn whole(&mut self, known: &TableInfo, wanted: &TableInfo) {
        let table = &wanted.logical_name;
        if known.primary_name != wanted.primary_name {
            let name = |table: &TableInfo| table.primary_name.clone().unwrap_or_else(|| "none".to_owned());
            self.clashes.push(Clash::new(format!("primary name of {table}"), name(known), name(wanted)));
        }
        if known.ownership != wanted.ownership {
            let (found, wanted) = (ownership(known.ownership), ownership(wanted.ownership));
            self.clashes.push(Clash::new(format!("ownership of {table}"), found, wanted));
        }
        for key in &wanted.keys {
            let same = known.keys.iter().find(|known| known.logical_name == key.logical_name);
            if let Some(same) = same.filter(|same| same.columns != key.columns) {
                let over = |columns: &[String]| format!("a key over {}", columns.join(", "));
                let what = format!("key {} of {table}", key.logical_name);
                self.clashes.push(Clash::new(what, over(&same.columns), over(&key.columns)));
            }
        }
    }

    /// A relationship of this name must tie the same tables.
    fn pairs(&mut self, wanted: &ManyToMany, have: &Metadata) {
        let known = have.many_to_many.iter().find(|known| known.schema_name == wanted.schema_name);
        let ends = |pairs: &ManyToMany| {
            let mut ends = [pairs.first.table.clone(), pairs.second.table.clone()];
            ends.sort();
            ends.join(" and ")
        };
        if let Some(known) = known.filter(|known| ends(known) != ends(wanted)) {
            let what = format!("relationship {}", wanted.schema_name);
            self.clashes.push(Clash::new(what, ends(known), ends(wanted)));
        }
    }
}

fn ownership(of: OwnershipType) -> &'static str {
    match of {
        OwnershipType::UserOwned => "owned by users or teams",
        OwnershipType::OrganizationOwned => "owned by the organisation",
        _ => "owned by nobody",
    }
}

/// A step that would change what is there, as the reason why it does not fit.
fn grown(step: &Definition, have: &Metadata) -> Clash {
    let found = match step {
        Definition::Widen { table, column } => have
            .table(table)
            .and_then(|known| known.column(&column.logical_name))
            .map_or_else(String::new, |known| named_kind(&known.kind)),
        _ => String::new(),
    };
    let wanted = match step {
        Definition::Widen { column, .. } => named_kind(&column.kind),
        other => other.name(),
    };
    Clash::new(step.name(), found, wanted)
}

/// Choices of somebody else that a new column would have, and that do not fit it.
fn wrong_choices(step: &Definition, have: &Metadata) -> Vec<Clash> {
    let columns = match step {
        Definition::Table(table) => table.columns.as_slice(),
        Definition::Column { column, .. } => std::slice::from_ref(column),
        _ => &[],
    };
    let differ = columns.iter().filter_map(|column| {
        let set = choices(&column.kind)?;
        let known = have.option_sets.iter().find(|known| known.name == set.name)?;
        let (found, wanted) = other_choices(known, set)?;
        Some(Clash::new(format!("choices {}", set.name), found, wanted))
    });
    differ.collect()
}

fn choices(kind: &ColumnKind) -> Option<&OptionSet> {
    match kind {
        ColumnKind::Picklist { options, .. } => Some(options),
        _ => None,
    }
}

/// Values that somebody else's choices lack, or call otherwise: what is found, and what is wanted.
fn other_choices(known: &OptionSet, wanted: &OptionSet) -> Option<(String, String)> {
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    for option in &wanted.options {
        let label = option.label.text().unwrap_or_default();
        let there = known.options.iter().find(|there| there.value == option.value);
        let called = there.map(|there| there.label.text().unwrap_or_default());
        if called.is_some_and(|called| called.eq_ignore_ascii_case(label)) {
            continue;
        }
        found.extend(called.map(|called| format!("{} {called}", option.value)));
        missed.push(format!("{} {label}", option.value));
    }
    if missed.is_empty() {
        return None;
    }
    let others = if found.is_empty() {
        "without these values".to_owned()
    } else {
        format!("with {}", found.join(", "))
    };
    Some((format!("the choices {} {others}", known.name), format!("choices with {}", missed.join(", "))))
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

/// A kind as makers know it, with what else counts.
fn named_kind(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::String { max_length, .. } | ColumnKind::Memo { max_length } => {
            format!("{} of {max_length}", kind_name(kind))
        }
        ColumnKind::Picklist { options, .. } => format!("Choice of {}", options.name),
        ColumnKind::Lookup { targets } | ColumnKind::Customer { targets } => {
            format!("Lookup of {}", targets.join(" or "))
        }
        _ => kind_name(kind).to_owned(),
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
