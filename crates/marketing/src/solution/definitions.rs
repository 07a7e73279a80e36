//! The solution in the words of `core::metadata`: what is asked of a CRM, whatever it speaks.
//!
//! Ids are UUIDv5 of the names, so every organisation and every file has the same. Texts are English (1033). Schema names are
//! the logical names, which makes navigation properties lower case as well.

use postroom_core::metadata::{
    Cascade, CascadeType, ColumnInfo, ColumnKind, DateTimeBehavior, End, KeyInfo, KeyStatus, Label,
    ManyToMany, Metadata, OneToMany, OptionItem, OptionSet, OwnershipType, RequiredLevel, TableInfo,
};
use uuid::Uuid;

use super::options::Set;
use super::{By, Column, Era, Kind, PAIRINGS, Pairing, Table, extended, tables};

/// The name space of every id that the solution gives; it never changes, as organisations hold these ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f5d_2c9a_41b7_5e08_9d13_7a2e_8c64_f0b1);

/// The id of a component, such as `table:esc_form`.
pub fn id(component: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, component.as_bytes())
}

/// Everything that the solution makes in an organisation of this generation. Tables that it extends are there with what they
/// gain, and nothing else: [`TableInfo::is_custom`] is false for them.
pub fn metadata(era: Era) -> Metadata {
    let made: Vec<&Table> = tables::all().filter(|table| table.is_in(era)).collect();
    let gained = extended::all();
    let of_made = made.iter().flat_map(|table| table.columns().map(|column| (table.name, column)));
    let of_gained =
        gained.iter().flat_map(|extension| extension.columns.iter().map(|column| (extension.table, column)));
    let one_to_many = of_made
        .chain(of_gained)
        .filter(|(_, column)| column.is_in(era))
        .filter_map(|(table, column)| relation(table, column))
        .collect();
    Metadata {
        managed: Default::default(),
        version: 0,
        tables: made
            .iter()
            .map(|table| table_info(table, era))
            .chain(gained.iter().map(|extension| extended_info(extension, era)))
            .collect(),
        one_to_many,
        many_to_many: PAIRINGS.iter().map(pairing).collect(),
        option_sets: Set::ALL.iter().filter(|set| is_used(**set, era)).map(|set| option_set(*set)).collect(),
    }
}

/// Whether a column of this generation has the choices: a CRM tells of no others.
fn is_used(set: Set, era: Era) -> bool {
    let of_made = tables::all().filter(|table| table.is_in(era)).flat_map(Table::columns);
    let of_gained = extended::all().iter().flat_map(|extension| extension.columns);
    of_made.chain(of_gained).any(|column| matches!(column.kind, Kind::Choice(used) if used == set))
}

fn table_info(table: &Table, era: Era) -> TableInfo {
    let primary = ColumnInfo {
        is_primary_name: true,
        required: RequiredLevel::ApplicationRequired,
        ..column_info(table.name, &NAME)
    };
    let columns = std::iter::once(primary)
        .chain(
            table.columns().filter(|column| column.is_in(era)).map(|column| column_info(table.name, column)),
        )
        .collect();
    TableInfo {
        label: Label::english(table.label),
        collection_label: Label::english(table.plural),
        description: Label::english(table.about),
        primary_id: table.id(),
        primary_name: Some(NAME.name.to_owned()),
        entity_set: set_name(table.name),
        is_custom: true,
        columns,
        keys: (table.keyed && era.has_keys()).then(|| key(table.name)).into_iter().collect(),
        change_tracking: era.has_keys(),
        ..bare(table.name)
    }
}

/// The entity set, as the platform makes it of the name.
fn set_name(table: &str) -> String {
    match (table.strip_suffix('y'), table.ends_with('s')) {
        (Some(stem), _) => format!("{stem}ies"),
        (None, true) => format!("{table}es"),
        (None, false) => format!("{table}s"),
    }
}

pub(super) const NAME: Column = Column::new("esc_name", "Name", Kind::Text(200)).required();

fn extended_info(extension: &extended::Extension, era: Era) -> TableInfo {
    let columns = extension.columns.iter().filter(|column| column.is_in(era));
    let columns = columns.map(|column| column_info(extension.table, column)).collect();
    TableInfo { columns, ..bare(extension.table) }
}

/// A table of users' rows with nothing in it.
fn bare(name: &str) -> TableInfo {
    TableInfo {
        id: id(&format!("table:{name}")),
        ownership: OwnershipType::UserOwned,
        ..TableInfo::named(name)
    }
}

fn key(table: &str) -> KeyInfo {
    KeyInfo {
        id: id(&format!("key:{table}")),
        logical_name: "esc_externalkey_key".to_owned(),
        schema_name: "esc_externalkey_key".to_owned(),
        label: Label::english("External Key"),
        columns: vec!["esc_externalkey".to_owned()],
        status: KeyStatus::Pending,
    }
}

fn column_info(table: &str, column: &Column) -> ColumnInfo {
    ColumnInfo {
        id: id(&format!("column:{table}.{}", column.name)),
        logical_name: column.name.to_owned(),
        schema_name: column.name.to_owned(),
        label: Label::english(column.label),
        description: Label::default(),
        kind: kind(column.kind),
        required: match column.required && column.by != By::Connector {
            true => RequiredLevel::ApplicationRequired,
            // A form would insist that a user fills in what only the connector knows.
            false => RequiredLevel::None,
        },
        valid_for_create: true,
        valid_for_update: true,
        valid_for_read: true,
        is_primary_id: false,
        is_primary_name: false,
        is_custom: true,
        is_secured: false,
        attribute_of: None,
        number: 0,
    }
}

fn kind(kind: Kind) -> ColumnKind {
    /// The platform's bounds of decimal and double columns.
    const MOST: f64 = 100_000_000_000.0;
    let text = |max_length, format: &str| ColumnKind::String { max_length, format: format.to_owned() };
    match kind {
        Kind::Text(length) => text(length, "Text"),
        Kind::Email => text(320, "Email"),
        Kind::Url(length) => text(length, "Url"),
        Kind::Memo(max_length) => ColumnKind::Memo { max_length },
        Kind::Whole => ColumnKind::Integer { min: i32::MIN, max: i32::MAX, format: "None".to_owned() },
        Kind::Decimal(precision) => ColumnKind::Decimal { min: -MOST, max: MOST, precision },
        Kind::Double => ColumnKind::Double { min: -MOST, max: MOST, precision: 5 },
        Kind::YesNo(default) => {
            ColumnKind::Boolean { yes: Label::english("Yes"), no: Label::english("No"), default }
        }
        Kind::Moment => ColumnKind::DateTime { date_only: false, behavior: DateTimeBehavior::UserLocal },
        Kind::Choice(set) => ColumnKind::Picklist { options: option_set(set), default: None },
        Kind::Lookup(target) => ColumnKind::Lookup { targets: vec![target.to_owned()] },
    }
}

fn option_set(set: Set) -> OptionSet {
    let options = set.options().iter().map(|label| OptionItem {
        value: set.value(label).expect("a label of the set itself"),
        label: Label::english(*label),
        state: None,
        default_status: None,
    });
    OptionSet {
        id: id(&format!("options:{}", set.name())),
        name: set.name().to_owned(),
        is_global: true,
        is_custom: true,
        label: Label::english(set.label()),
        description: Label::default(),
        options: options.collect(),
    }
}

/// The relationship that a lookup column belongs to. What people did outlives person, list and campaign; only an account of
/// the service takes what is its own with it (marketing-entities.md 7).
fn relation(table: &'static str, column: &Column) -> Option<OneToMany> {
    let Kind::Lookup(target) = column.kind else { return None };
    // Short enough for every database that names an index by it (58 letters).
    let bare = |name: &'static str| name.strip_prefix("esc_").unwrap_or(name);
    let name = format!("esc_{}_{}", bare(table), bare(column.name));
    let owned = target == "esc_emailaccount" && table.starts_with("esc_");
    let delete = if owned { CascadeType::Cascade } else { CascadeType::RemoveLink };
    Some(OneToMany {
        id: id(&format!("relation:{name}")),
        schema_name: name.clone(),
        referenced_table: target.to_owned(),
        referenced_column: format!("{target}id"),
        referencing_table: table.to_owned(),
        referencing_column: column.name.to_owned(),
        referencing_navigation: column.name.to_owned(),
        referenced_navigation: name,
        cascade: Cascade { delete, ..Cascade::default() },
        is_custom: true,
    })
}

fn pairing(pairing: &Pairing) -> ManyToMany {
    let end = |table: &str| End {
        table: table.to_owned(),
        column: format!("{table}id"),
        navigation: pairing.name.to_owned(),
    };
    ManyToMany {
        id: id(&format!("relation:{}", pairing.name)),
        schema_name: pairing.name.to_owned(),
        intersect_table: pairing.name.to_owned(),
        first: end(pairing.first),
        second: end(pairing.second),
        is_custom: true,
    }
}
