//! What a CRM must have for the solution, one definition at a time: the steps of a [`super::plan`].

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, KeyInfo, ManyToMany, Metadata, OneToMany, OptionItem, OptionSet, TableInfo,
};

/// One definition.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// A global option set.
    OptionSet(OptionSet),
    /// One more option of a global option set.
    Option {
        set: String,
        option: OptionItem,
    },
    /// A table with its columns; lookups are definitions of their own, as the table they name may come later. One of the
    /// columns is the primary name.
    Table(Box<TableInfo>),
    /// One more column of a table, no lookup.
    Column {
        table: String,
        column: ColumnInfo,
    },
    /// A longer text, where the column holds text already.
    Widen {
        table: String,
        column: ColumnInfo,
    },
    /// A lookup column and the relationship that it belongs to.
    Lookup {
        relation: OneToMany,
        column: ColumnInfo,
    },
    ManyToMany(ManyToMany),
    /// An alternate key. Rows with the same values refuse it.
    Key {
        table: String,
        key: KeyInfo,
    },
}

impl Definition {
    /// Whether a CRM that says this of itself has it. Only names count, and lengths of a text that is to grow: what is there
    /// by the name and of another kind is for the caller to find out.
    pub fn is_in(&self, metadata: &Metadata) -> bool {
        let column = |table: &str, name: &str| metadata.table(table).and_then(|table| table.column(name));
        let options = |name: &str| metadata.option_sets.iter().find(|set| set.name == name);
        match self {
            Definition::OptionSet(set) => options(&set.name).is_some(),
            Definition::Option { set, option } => {
                options(set).is_some_and(|set| set.options.iter().any(|known| known.value == option.value))
            }
            Definition::Table(table) => metadata.table(&table.logical_name).is_some(),
            Definition::Column { table, column: wanted } => column(table, &wanted.logical_name).is_some(),
            Definition::Widen { table, column: wanted } => {
                let known = column(table, &wanted.logical_name).and_then(|known| length(&known.kind));
                known.is_some_and(|known| Some(known) >= length(&wanted.kind))
            }
            Definition::Lookup { relation, .. } => {
                metadata.one_to_many.iter().any(|known| known.schema_name == relation.schema_name)
            }
            Definition::ManyToMany(pairs) => {
                metadata.many_to_many.iter().any(|known| known.schema_name == pairs.schema_name)
            }
            Definition::Key { table, key } => metadata
                .table(table)
                .is_some_and(|table| table.keys.iter().any(|known| known.logical_name == key.logical_name)),
        }
    }

    /// Whether it changes what is there; else it adds something.
    pub fn changes(&self) -> bool {
        matches!(self, Definition::Widen { .. } | Definition::Option { .. })
    }

    /// What it is about, for people: `table esc_form`.
    pub fn name(&self) -> String {
        match self {
            Definition::OptionSet(set) => format!("choices {}", set.name),
            Definition::Option { set, option } => {
                format!("choice {} of {set}", option.label.text().unwrap_or_default())
            }
            Definition::Table(table) => format!("table {}", table.logical_name),
            Definition::Column { table, column } | Definition::Widen { table, column } => {
                format!("column {table}.{}", column.logical_name)
            }
            Definition::Lookup { relation, .. } => {
                format!("lookup {}.{}", relation.referencing_table, relation.referencing_column)
            }
            Definition::ManyToMany(pairs) => format!("relationship {}", pairs.schema_name),
            Definition::Key { table, key } => format!("key {} of {table}", key.logical_name),
        }
    }
}

/// How much text a column takes.
fn length(kind: &ColumnKind) -> Option<u32> {
    match kind {
        ColumnKind::String { max_length, .. } | ColumnKind::Memo { max_length } => Some(*max_length),
        _ => None,
    }
}
