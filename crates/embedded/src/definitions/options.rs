//! Option sets and their values. A global set's choices stand in every column that follows it, so a change goes to all.

use postroom_core::metadata::{ColumnKind, Label, Metadata, OptionSet};

use super::{Problem, accept, naming};
use crate::rules::Refusal;
use crate::schema::registry::Revision;
use crate::schema::{Choice, Column, GlobalSet, Kind, Preset, Schema, Table};

/// Whose options are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    Global(String),
    Column { table: String, column: String },
}

impl Options {
    /// The label that an option has now.
    pub(crate) fn label(&self, metadata: &Metadata, value: i32) -> Label {
        let options = match self {
            Options::Global(name) => {
                metadata.option_sets.iter().find(|set| set.name.eq_ignore_ascii_case(name))
            }
            Options::Column { table, column } => {
                let column = metadata.table(table).and_then(|table| table.column(column));
                column.and_then(|column| chosen_from(&column.kind))
            }
        };
        let option = options.and_then(|set| set.options.iter().find(|option| option.value == value));
        option.map(|option| option.label.clone()).unwrap_or_default()
    }
}

fn chosen_from(kind: &ColumnKind) -> Option<&OptionSet> {
    match kind {
        ColumnKind::Picklist { options, .. }
        | ColumnKind::MultiSelect { options }
        | ColumnKind::State { options }
        | ColumnKind::Status { options } => Some(options),
        _ => None,
    }
}

/// A publisher's option values without a publisher of their own begin here (prefix 10000).
const FIRST_VALUE: i64 = 100_000_000;

pub(super) fn create(schema: &Schema, set: &OptionSet) -> Result<Revision, Refusal> {
    let name = naming::logical(&set.name)?;
    if find(schema, &name).is_some() {
        return Err(Problem::Taken { what: "global option set", name }.into());
    }
    let set = GlobalSet {
        labels: accept::texts(&set.label),
        description: accept::texts(&set.description),
        choices: accept::choices(&name, &set.options)?,
        name,
    };
    Ok(Revision { option_sets: vec![set], ..Revision::default() })
}

/// Label and description; the values have their own calls.
pub(super) fn update(schema: &Schema, set: &OptionSet) -> Result<Revision, Refusal> {
    let mut known = known(schema, &set.name)?.clone();
    if !set.label.0.is_empty() {
        known.labels = accept::texts(&set.label);
    }
    if !set.description.0.is_empty() {
        known.description = accept::texts(&set.description);
    }
    Ok(Revision { option_sets: vec![known], ..Revision::default() })
}

pub(super) fn delete(schema: &Schema, name: &str) -> Result<Revision, Refusal> {
    let name = known(schema, name)?.name.clone();
    let user = schema.tables().find_map(|table| {
        let column = table.columns.iter().find(|column| column.option_set.as_ref() == Some(&name))?;
        Some(format!("{}.{}", table.name, column.name))
    });
    match user {
        Some(by) => Err(Problem::InUse { what: "global option set", name, by }.into()),
        None => Ok(Revision { option_sets_gone: vec![name], ..Revision::default() }),
    }
}

/// One more option; answers its value.
pub(super) fn insert(
    schema: &Schema,
    of: &Options,
    value: Option<i32>,
    label: &Label,
    state: Option<i32>,
) -> Result<(Revision, i32), Refusal> {
    let mut chosen = 0;
    let revision = edit(schema, of, |name, kind, choices| {
        let status = kind == Some(Kind::Status);
        if status != state.is_some() {
            return Err(Problem::unfit("option set", name, "a status, and nothing else, belongs to a state"));
        }
        let state_known = |state: i32| choices.iter().any(|choice| choice.state == Some(i64::from(state)));
        if state.is_some_and(|state| !state_known(state)) {
            return Err(Problem::unfit("option set", name, "the table has no such state"));
        }
        let highest = choices.iter().map(|choice| choice.value + 1).max().unwrap_or(0).max(FIRST_VALUE);
        let fits =
            || i32::try_from(highest).map_err(|_| Problem::unfit("option set", name, "no value is left"));
        let value = value.map_or_else(fits, Ok)?;
        if choices.iter().any(|choice| choice.value == i64::from(value)) {
            return Err(Problem::Taken { what: "option", name: format!("{value} of {name}") });
        }
        chosen = value;
        choices.push(accept::choice(value, label, "", state));
        Ok(())
    })?;
    Ok((revision, chosen))
}

pub(super) fn relabel(schema: &Schema, of: &Options, value: i32, label: &Label) -> Result<Revision, Refusal> {
    edit(schema, of, |name, _, choices| {
        let choice = choices.iter_mut().find(|choice| choice.value == i64::from(value));
        let choice = choice.ok_or_else(|| Problem::missing("option", &format!("{value} of {name}")))?;
        *choice = accept::choice(
            value,
            label,
            &choice.label,
            choice.state.and_then(|state| i32::try_from(state).ok()),
        );
        Ok(())
    })
}

/// Rows that have the value keep it, as on the platform; a state keeps at least one status.
pub(super) fn remove(schema: &Schema, of: &Options, value: i32) -> Result<Revision, Refusal> {
    edit(schema, of, |name, kind, choices| {
        let place = choices.iter().position(|choice| choice.value == i64::from(value));
        let place = place.ok_or_else(|| Problem::missing("option", &format!("{value} of {name}")))?;
        let state = choices[place].state;
        let alone = choices.iter().filter(|choice| choice.state == state).count() == 1;
        if kind == Some(Kind::State) || kind == Some(Kind::Status) && alone {
            return Err(Problem::unfit("option set", name, "a table keeps its states, each with a status"));
        }
        choices.remove(place);
        Ok(())
    })
}

/// Options in this order; those that are not named come after them as they stood.
pub(super) fn order(schema: &Schema, of: &Options, values: &[i32]) -> Result<Revision, Refusal> {
    edit(schema, of, |name, _, choices| {
        let place = |value: i64| values.iter().position(|known| i64::from(*known) == value);
        let known = |value: &i32| choices.iter().any(|choice| choice.value == i64::from(*value));
        if let Some(value) = values.iter().find(|value| !known(value)) {
            return Err(Problem::missing("option", &format!("{value} of {name}")));
        }
        choices.sort_by_key(|choice| place(choice.value).unwrap_or(usize::MAX));
        Ok(())
    })
}

fn edit<F>(schema: &Schema, of: &Options, change: F) -> Result<Revision, Refusal>
where
    F: FnOnce(&str, Option<Kind>, &mut Vec<Choice>) -> Result<(), Problem>,
{
    match of {
        Options::Global(name) => {
            let mut set = known(schema, name)?.clone();
            change(&set.name, None, &mut set.choices)?;
            let tables = schema.tables().filter_map(|table| followed(table, &set)).collect();
            Ok(Revision { tables, option_sets: vec![set], ..Revision::default() })
        }
        Options::Column { table, column } => {
            let mut table = Table::clone(schema.table(table)?);
            let place = table.known_place(column)?;
            let column = &mut table.columns[place];
            if let Some(set) = column.option_set.clone() {
                return edit(schema, &Options::Global(set), change);
            }
            if !matches!(column.kind, Kind::Choice | Kind::MultiChoice | Kind::State | Kind::Status) {
                return Err(Problem::unfit("column", &column.name, "it has no options").into());
            }
            change(&column.name.clone(), Some(column.kind), &mut column.choices)?;
            settled(column);
            Ok(Revision { tables: vec![table], ..Revision::default() })
        }
    }
}

/// The table with the choices of a global set, when any of its columns follows that.
fn followed(table: &Table, set: &GlobalSet) -> Option<Table> {
    let follows = |column: &Column| column.option_set.as_ref() == Some(&set.name);
    if !table.columns.iter().any(follows) {
        return None;
    }
    let mut table = table.clone();
    for column in table.columns.iter_mut().filter(|column| follows(column)) {
        column.choices.clone_from(&set.choices);
        settled(column);
    }
    Some(table)
}

/// A default that is no option any more is none.
fn settled(column: &mut Column) {
    column.changed = true;
    if let Some(Preset::Number(number)) = column.preset
        && column.choices.iter().all(|choice| choice.value != number)
    {
        column.preset = None;
    }
}

fn find<'s>(schema: &'s Schema, name: &str) -> Option<&'s GlobalSet> {
    schema.option_sets.iter().find(|set| set.name.eq_ignore_ascii_case(name))
}

fn known<'s>(schema: &'s Schema, name: &str) -> Result<&'s GlobalSet, Problem> {
    find(schema, name).ok_or_else(|| Problem::missing("global option set", name))
}
