//! Whether a mapping can be used, and what it would lose (marketing-sync.md 5, type rules). A mapping that cannot is marked with
//! the reason when it is read, not when the first value fails.

use postroom_core::marketing::FieldType;
use postroom_core::metadata::{ColumnInfo, ColumnKind, Metadata, TableInfo};

use super::path::{Part, Path};
use crate::fields::merge::Direction;

/// Names of labels that are no data fields.
const NOT_FIELDS: [&str; 2] = ["EMAIL", "MOBILENUMBERID"];

/// Why a mapping cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("{0} is not a data field; the address is kept in step by itself")]
    Reserved(String),
    #[error("{table} has no column {column} that can be read; choose another field")]
    NoColumn { table: String, column: String },
    #[error("{0} is not a lookup; write the column alone, without what stands behind the slash")]
    NoLookup(String),
    #[error("none of the tables that {lookup} names has a column {column}")]
    NothingBehind { lookup: String, column: String },
    #[error("several columns make a text; map them to a label of the type String")]
    Several,
    #[error("a {kind} cannot fill a label of the type {label}; choose a label of another type")]
    Types { kind: &'static str, label: String },
    #[error("the label's type {0} is not known to this version; update postroom before mapping it")]
    Label(String),
    #[error("only one column of the record itself can be written; map {0} from the CRM only")]
    OneWay(String),
    #[error("{0} cannot be written; map it from the CRM only")]
    ReadOnly(String),
}

/// Checks one mapping against the CRM's definitions and the label's type.
///
/// # Errors
/// The first thing that stands in its way.
pub fn check(
    metadata: &Metadata,
    table: &TableInfo,
    path: &Path,
    (label, kind): (&str, &FieldType),
    direction: Direction,
) -> Result<(), Invalid> {
    if NOT_FIELDS.iter().any(|reserved| reserved.eq_ignore_ascii_case(label)) {
        return Err(Invalid::Reserved(label.to_owned()));
    }
    if let FieldType::Other(word) = kind {
        return Err(Invalid::Label(word.clone()));
    }
    if path.parts().len() > 1 && *kind != FieldType::Text {
        return Err(Invalid::Several);
    }
    for part in path.parts() {
        let column = shown(metadata, table, part)?;
        if !fits(&column.kind, kind) {
            let text = Invalid::Types { kind: type_name(&column.kind), label: kind.to_string() };
            return Err(text);
        }
    }
    match direction {
        Direction::FromCrm => Ok(()),
        Direction::ToCrm | Direction::TwoWay => writable(table, path),
    }
}

/// The column whose value a part shows.
pub(super) fn shown<'m>(
    metadata: &'m Metadata,
    table: &'m TableInfo,
    part: &Part,
) -> Result<&'m ColumnInfo, Invalid> {
    let column = table.column(&part.column).filter(|column| column.valid_for_read);
    let column = column.ok_or_else(|| Invalid::NoColumn {
        table: table.logical_name.clone(),
        column: part.column.clone(),
    })?;
    let Some(behind) = &part.behind else { return Ok(column) };
    let targets = targets(&column.kind).ok_or_else(|| Invalid::NoLookup(part.column.clone()))?;
    let found = targets.iter().find_map(|target| metadata.table(target)?.column(behind));
    found.ok_or_else(|| Invalid::NothingBehind { lookup: part.column.clone(), column: behind.clone() })
}

/// The tables that a lookup may name.
pub(super) fn targets(kind: &ColumnKind) -> Option<&[String]> {
    match kind {
        ColumnKind::Lookup { targets } | ColumnKind::Customer { targets } | ColumnKind::Owner { targets } => {
            Some(targets)
        }
        _ => None,
    }
}

fn writable(table: &TableInfo, path: &Path) -> Result<(), Invalid> {
    let own = path.own_column().ok_or_else(|| Invalid::OneWay(path.to_string()))?;
    let column = table.column(own).filter(|column| column.valid_for_update && takes(&column.kind));
    column.map(drop).ok_or_else(|| Invalid::ReadOnly(own.to_owned()))
}

/// Columns that a data field's value can be written to.
fn takes(kind: &ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::String { .. }
            | ColumnKind::Memo { .. }
            | ColumnKind::Picklist { .. }
            | ColumnKind::Boolean { .. }
            | ColumnKind::Integer { .. }
            | ColumnKind::BigInt
            | ColumnKind::Decimal { .. }
            | ColumnKind::Money { .. }
            | ColumnKind::Double { .. }
            | ColumnKind::DateTime { .. }
    )
}

fn fits(column: &ColumnKind, label: &FieldType) -> bool {
    use ColumnKind as Kind;
    match label {
        FieldType::Text => !matches!(
            column,
            Kind::PartyList { .. }
                | Kind::File { .. }
                | Kind::Image { .. }
                | Kind::Virtual
                | Kind::EntityName
        ),
        FieldType::Number => matches!(
            column,
            Kind::Integer { .. }
                | Kind::BigInt
                | Kind::Decimal { .. }
                | Kind::Double { .. }
                | Kind::Money { .. }
        ),
        FieldType::Date => matches!(column, Kind::DateTime { .. }),
        FieldType::Bool => matches!(column, Kind::Boolean { .. }),
        FieldType::Other(_) => false,
    }
}

/// What a column holds, in the platform's words.
pub fn type_name(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Boolean { .. } => "Boolean",
        ColumnKind::Integer { .. } => "Integer",
        ColumnKind::BigInt => "BigInt",
        ColumnKind::Decimal { .. } => "Decimal",
        ColumnKind::Double { .. } => "Double",
        ColumnKind::Money { .. } => "Money",
        ColumnKind::String { .. } => "String",
        ColumnKind::Memo { .. } => "Memo",
        ColumnKind::DateTime { .. } => "DateTime",
        ColumnKind::Picklist { .. } => "Picklist",
        ColumnKind::MultiSelect { .. } => "MultiSelectPicklist",
        ColumnKind::State { .. } => "State",
        ColumnKind::Status { .. } => "Status",
        ColumnKind::Lookup { .. } => "Lookup",
        ColumnKind::Customer { .. } => "Customer",
        ColumnKind::Owner { .. } => "Owner",
        ColumnKind::PartyList { .. } => "PartyList",
        ColumnKind::Uniqueidentifier => "Uniqueidentifier",
        ColumnKind::EntityName => "EntityName",
        ColumnKind::File { .. } => "File",
        ColumnKind::Image { .. } => "Image",
        ColumnKind::Virtual => "Virtual",
    }
}

/// What a mapping that is valid may lose on the way; none when every value comes back as it went.
pub fn lossy(column: &ColumnKind, path: &Path, label: &FieldType) -> Option<&'static str> {
    match (column, label) {
        _ if path.own_column().is_none() => Some("the text cannot be taken apart again"),
        (ColumnKind::Memo { .. }, FieldType::Text) => {
            Some("the service refuses texts of more than 1000 characters")
        }
        (ColumnKind::MultiSelect { .. }, _) => Some("several choices become one text"),
        (
            ColumnKind::Picklist { .. } | ColumnKind::State { .. } | ColumnKind::Status { .. },
            FieldType::Text,
        ) => Some("a choice goes by its label; renaming the label changes what is sent"),
        (ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } | ColumnKind::Owner { .. }, _) => {
            Some("only the name of the row is sent")
        }
        (ColumnKind::DateTime { .. } | ColumnKind::Boolean { .. }, FieldType::Text) => {
            Some("the value becomes a text; a label of its own type keeps it")
        }
        _ => None,
    }
}
