//! Relationships: every lookup with each table it may name, and the tables of pairs.

use std::collections::HashSet;

use postroom_core::metadata::{Cascade, CascadeType, End, ManyToMany, OneToMany};

use super::{cascades, columns, id, tables};
use crate::schema::{Column, Kind, Link, Schema, Side, Table, Targets, names};

/// What users and teams have in common.
const OWNERS: &str = "owner";

/// Name, intersect table, then table and column of each side.
type Pair = (&'static str, &'static str, [(&'static str, &'static str); 2]);

const PAIRS: &[Pair] = &[
    ("listcontact_association", "listmember", [("list", "listid"), ("contact", "entityid")]),
    ("listaccount_association", "listmember", [("list", "listid"), ("account", "entityid")]),
    ("listlead_association", "listmember", [("list", "listid"), ("lead", "entityid")]),
    ("campaignlist_association", "campaignitem", [("campaign", "campaignid"), ("list", "entityid")]),
    ("systemuserroles_association", "systemuserroles", [("systemuser", "systemuserid"), ("role", "roleid")]),
    ("teamroles_association", "teamroles", [("team", "teamid"), ("role", "roleid")]),
    ("teammembership_association", "teammembership", [("team", "teamid"), ("systemuser", "systemuserid")]),
    (
        "systemuserprofiles_association",
        "systemuserprofiles",
        [("systemuser", "systemuserid"), ("fieldsecurityprofile", "fieldsecurityprofileid")],
    ),
    (
        "teamprofiles_association",
        "teamprofiles",
        [("team", "teamid"), ("fieldsecurityprofile", "fieldsecurityprofileid")],
    ),
    ("roleprivileges_association", "roleprivileges", [("role", "roleid"), ("privilege", "privilegeid")]),
];

/// The tables that a lookup may name and that are here.
pub(super) fn targets(schema: &Schema, column: &Column) -> Vec<String> {
    match &column.targets {
        Targets::Named(names) => names.iter().filter(|name| schema.find(name).is_some()).cloned().collect(),
        Targets::AnyWithActivities => {
            schema.tables().filter(|table| table.has_activities).map(|table| table.name.clone()).collect()
        }
    }
}

/// Whether this column of an intersect table names one of its two sides.
pub(super) fn is_end(table: &Table, column: &Column) -> bool {
    let of_own =
        |sides: &crate::schema::Intersect| [&sides.first, &sides.second].map(|side| side.column.clone());
    match &table.intersect {
        Some(sides) => of_own(sides).contains(&column.name),
        // Members of lists may be asked for by a lookup, too.
        None => {
            table.name != "listmember"
                && PAIRS.iter().any(|(_, intersect, sides)| {
                    *intersect == table.name && sides.iter().any(|(_, end)| *end == column.name)
                })
        }
    }
}

pub(crate) fn one_to_many(schema: &Schema) -> Vec<OneToMany> {
    let mut all = Vec::new();
    let mut taken = HashSet::new();
    for table in schema.tables() {
        for column in table.columns.iter().filter(|column| column.kind == Kind::Lookup) {
            if !(tables::is_intersect(table) && is_end(table, column)) {
                lookup(schema, table, column, &mut all, &mut taken);
            }
        }
        if table.activity && table.name != "activitypointer" {
            all.extend(pointer(schema, table));
        }
    }
    all
}

fn lookup(
    schema: &Schema,
    table: &Table,
    column: &Column,
    all: &mut Vec<OneToMany>,
    taken: &mut HashSet<String>,
) {
    // An owner is a user or a team; the platform has one relationship for both, with their common table.
    let owner = column.name == "ownerid" && schema.find(OWNERS).is_some();
    let named = if owner { vec![OWNERS.to_owned()] } else { targets(schema, column) };
    let several = column.targets.several() && !owner;
    for target in &named {
        let Ok(referenced) = schema.table(target) else { continue };
        let link = column.links.iter().find(|link| link.target == *target);
        let mut name =
            link.map_or_else(|| relationship(table, column, referenced), |link| link.schema_name.clone());
        if !taken.insert(name.clone()) {
            name = format!("{target}_{}_{}", table.name, column.name);
            taken.insert(name.clone());
        }
        all.push(OneToMany {
            id: id("relationship", &name),
            referenced_table: target.clone(),
            referenced_column: referenced.primary_key.clone(),
            referencing_table: table.name.clone(),
            referencing_column: column.name.clone(),
            referencing_navigation: link
                .map_or_else(|| navigation(table, column, target, several), |link| link.navigation.clone()),
            referenced_navigation: link.map_or_else(|| name.clone(), |link| link.collection.clone()),
            cascade: link.map_or_else(|| cascades::usual(table, column, referenced), cascade),
            is_custom: tables::is_custom_column(table, column) || tables::is_custom(referenced),
            schema_name: name,
        });
    }
}

/// The published name, else one by the platform's pattern.
fn relationship(table: &Table, column: &Column, target: &Table) -> String {
    if let Some(name) = names::of(&table.name).and_then(|names| names.link(&column.name, &target.name)) {
        return name.to_owned();
    }
    let of = |pattern: &str| format!("{pattern}_{}", table.name);
    match column.name.as_str() {
        "ownerid" => format!("owner_{}", tables::entity_set(table)),
        "createdby" | "modifiedby" | "createdonbehalfby" | "modifiedonbehalfby" => {
            format!("lk_{}_{}", table.name, column.name)
        }
        "owninguser" => of("user"),
        "owningteam" => of("team"),
        "owningbusinessunit" => of("business_unit"),
        "transactioncurrencyid" => of("TransactionCurrency"),
        "regardingobjectid" if table.activity => {
            format!("{}_{}", target.name, names::plural(&tables::schema_name(table)))
        }
        "objectid" => format!("{}_{}", target.name, tables::schema_name(table)),
        _ => format!("{}_{}_{}", target.name, table.name, column.name),
    }
}

/// `primarycontactid`, `parentcustomerid_account`, `regardingobjectid_account_email`, `new_CustomerId`.
fn navigation(table: &Table, column: &Column, target: &str, several: bool) -> String {
    let name = match tables::is_custom_column(table, column) {
        true => columns::schema_name(table, column),
        false => column.name.clone(),
    };
    let of_activity = table.activity && table.name != "activitypointer" && column.name == "regardingobjectid";
    match (several, of_activity) {
        (_, true) => format!("{name}_{target}_{}", table.name),
        (true, false) => format!("{name}_{target}"),
        (false, false) => name,
    }
}

/// What every activity is besides: a row of `activitypointer`.
fn pointer(schema: &Schema, table: &Table) -> Option<OneToMany> {
    let pointer = schema.table("activitypointer").ok()?;
    let published = names::of(&table.name).and_then(|names| names.link("activityid", "activitypointer"));
    let name = published.map_or_else(|| format!("activity_pointer_{}", table.name), str::to_owned);
    let all = CascadeType::Cascade;
    Some(OneToMany {
        id: id("relationship", &name),
        referenced_table: pointer.name.clone(),
        referenced_column: pointer.primary_key.clone(),
        referencing_table: table.name.clone(),
        referencing_column: table.primary_key.clone(),
        referencing_navigation: format!("{}_activitypointer", table.primary_key),
        referenced_navigation: name.clone(),
        cascade: Cascade { delete: all, ..Cascade::default() },
        is_custom: tables::is_custom(table),
        schema_name: name,
    })
}

/// The words of a link as they stand in its description.
fn cascade(link: &Link) -> Cascade {
    let word = |place: usize, otherwise| {
        link.cascade.get(place).and_then(|word| CascadeType::from_name(word)).unwrap_or(otherwise)
    };
    let usual = Cascade::default();
    Cascade {
        assign: word(0, usual.assign),
        delete: word(1, usual.delete),
        merge: word(2, usual.merge),
        reparent: word(3, usual.reparent),
        share: word(4, usual.share),
        unshare: word(5, usual.unshare),
    }
}

/// The words that [`cascade`] reads.
pub(super) fn cascade_words(cascade: Cascade) -> Vec<String> {
    let kinds =
        [cascade.assign, cascade.delete, cascade.merge, cascade.reparent, cascade.share, cascade.unshare];
    kinds.map(|kind| kind.name().to_owned()).into()
}

pub(crate) fn many_to_many(schema: &Schema) -> Vec<ManyToMany> {
    let standard = PAIRS.iter().filter(|(_, intersect, _)| schema.find(intersect).is_some());
    let own = schema.tables().filter_map(|table| table.intersect.as_ref().map(|sides| (table, sides)));
    standard
        .map(standard_pair)
        .chain(own.map(|(table, sides)| ManyToMany {
            id: id("relationship", &sides.schema_name),
            schema_name: sides.schema_name.clone(),
            intersect_table: table.name.clone(),
            first: end(&sides.first),
            second: end(&sides.second),
            is_custom: true,
        }))
        .collect()
}

fn standard_pair((name, intersect, [first, second]): &Pair) -> ManyToMany {
    let end = |(table, column): &(&str, &str)| End {
        table: (*table).to_owned(),
        column: (*column).to_owned(),
        navigation: (*name).to_owned(),
    };
    ManyToMany {
        id: id("relationship", name),
        schema_name: (*name).to_owned(),
        intersect_table: (*intersect).to_owned(),
        first: end(first),
        second: end(second),
        is_custom: false,
    }
}

fn end(side: &Side) -> End {
    End { table: side.table.clone(), column: side.column.clone(), navigation: side.navigation.clone() }
}
