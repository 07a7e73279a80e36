//! A table of the schema as `TableInfo`.

use postroom_core::metadata::{KeyInfo, KeyStatus, OwnershipType, TableInfo};

use super::{columns, id, labels};
use crate::access::privilege;
use crate::schema::{Column, Key, Kind, Ownership, Schema, Table, names, standard_columns, standard_table};

/// The first code of tables made at run time.
const FIRST_CUSTOM: i32 = 10_000;
const BUSINESS_OWNED: &[&str] = &["businessunit", "role", "systemuser", "team", "usersettings"];
const ORGANIZATION_OWNED: &[&str] = &[
    "appmodule",
    "appmodulecomponent",
    "fieldsecurityprofile",
    "importjob",
    "privilege",
    "publisher",
    "queueitem",
    "ribbondiff",
    "savedquery",
    "sitemap",
    "solution",
    "solutioncomponent",
    "systemform",
    "transactioncurrency",
    "webresource",
];
/// Tables of pairs among the standard ones.
const INTERSECTS: &[&str] = &[
    "appmoduleroles",
    "campaignitem",
    "listmember",
    "roleprivileges",
    "systemuserprofiles",
    "systemuserroles",
    "teammembership",
    "teamprofiles",
    "teamroles",
];

pub(super) fn describe(schema: &Schema, table: &Table) -> TableInfo {
    let schema_name = schema_name(table);
    let (label, collection_label) = labels::of_table(table, &schema_name);
    let describe = |(place, column)| columns::describe(schema, table, column, place);
    TableInfo {
        id: id("table", &table.name),
        is_managed: schema.managed.contains(&id("table", &table.name)),
        entity_set: entity_set(table),
        type_code: type_code(table),
        label,
        collection_label,
        description: labels::label(&table.description),
        primary_id: table.primary_key.clone(),
        primary_name: table.primary_name.clone(),
        ownership: ownership(table),
        is_activity: table.activity,
        is_activity_party: is_party(schema, table),
        has_activities: table.has_activities,
        has_notes: table.has_notes,
        is_custom: is_custom(table),
        is_intersect: is_intersect(table),
        change_tracking: !table.untracked,
        columns: table.columns.iter().enumerate().map(describe).collect(),
        keys: table.keys.iter().map(|key| key_info(table, key)).collect(),
        privileges: privilege::of_table(table),
        logical_name: table.name.clone(),
        schema_name,
    }
}

pub(crate) fn schema_name(table: &Table) -> String {
    let published = || names::of(&table.name).map(|names| names.schema_name.to_owned());
    table.schema_name.clone().or_else(published).unwrap_or_else(|| table.name.clone())
}

pub(super) fn entity_set(table: &Table) -> String {
    table.entity_set.clone().unwrap_or_else(|| names::entity_set(&table.name))
}

/// Tables made before codes were given out have one made of their name, far from the others.
fn type_code(table: &Table) -> i32 {
    let made = || {
        let digest = id("type", &table.name).as_u128() as u32;
        FIRST_CUSTOM + 1_000_000 + i32::try_from(digest % 1_000_000).expect("below a million")
    };
    let published = || names::of(&table.name).map(|names| names.type_code);
    table.type_code.or_else(published).unwrap_or_else(made)
}

pub(crate) fn is_custom(table: &Table) -> bool {
    standard_table(&table.name).is_none()
}

pub(crate) fn is_intersect(table: &Table) -> bool {
    table.intersect.is_some() || INTERSECTS.contains(&table.name.as_str())
}

/// A column that came with no version of postroom and is none that every table has.
pub(super) fn is_custom_column(table: &Table, column: &Column) -> bool {
    match standard_table(&table.name) {
        Some(standard) => standard.column(&column.name).is_none(),
        None => standard_columns().iter().all(|standard| standard.name != column.name),
    }
}

fn ownership(table: &Table) -> OwnershipType {
    let name = table.name.as_str();
    match table.ownership {
        Ownership::User => OwnershipType::UserOwned,
        Ownership::Organization => OwnershipType::OrganizationOwned,
        Ownership::None if BUSINESS_OWNED.contains(&name) => OwnershipType::BusinessOwned,
        Ownership::None if ORGANIZATION_OWNED.contains(&name) => OwnershipType::OrganizationOwned,
        Ownership::None if table.activity => OwnershipType::UserOwned,
        Ownership::None => OwnershipType::None,
    }
}

/// Rows of it may be parties of an activity.
fn is_party(schema: &Schema, table: &Table) -> bool {
    let party = schema.table("activityparty").ok().and_then(|parties| parties.column("partyid"));
    party.is_some_and(|party| party.kind == Kind::Lookup && schema.allows(&party.targets, table))
}

fn key_info(table: &Table, key: &Key) -> KeyInfo {
    KeyInfo {
        id: id("key", &format!("{}.{}", table.name, key.name)),
        logical_name: key.name.clone(),
        schema_name: key.schema_name.clone(),
        label: labels::label(&key.labels),
        columns: key.columns.clone(),
        status: KeyStatus::Active,
    }
}
