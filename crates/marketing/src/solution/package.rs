//! The solution as a file: one for each generation of the platform, managed and unmanaged.
//!
//! A managed file is what an organisation gets; it can be taken away again whole. An unmanaged one is for whoever wants to
//! change it in an organisation of his own. Below 9.0 the unmanaged one has no site map: there is one map for the whole
//! organisation, and importing an unmanaged map puts it in the place of the one that is there.
//!
//! Where another solution's tables of the same names fit ([`super::plan::beside`]), [`beside`] has only what they lack.

use postroom_core::metadata::{
    ColumnInfo, ColumnKind, Label, OptionItem, OptionSet, RequiredLevel, TableInfo,
};
use postroom_formats::solution::{
    self as format, Entity, Manifest, Package, Publisher, Root, Solution, component,
};

use super::definition::Definition;
use super::faces::{app, forms, ribbon, views};
use super::roles::Role;
use super::{
    BESIDE_NAME, DISPLAY_NAME, Era, OPTION_PREFIX, PREFIX, UNIQUE_NAME, VERSION, definitions, extended,
    tables,
};

impl Era {
    /// The version of files that servers of this generation take. One of an older generation is taken by newer servers, too.
    pub fn package(self) -> Package {
        match self {
            Era::Crm2011 => Package::V5_0,
            Era::Crm2013 => Package::V6_0,
            Era::Crm2015 => Package::V7_0,
            Era::Crm2016 => Package::V7_1,
            Era::Dynamics365 => Package::V9_0,
        }
    }
}

/// The file's bytes; the same each time.
///
/// # Panics
/// Never: the description has nothing that its generation cannot hold, which a test tries for each.
pub fn file(era: Era, managed: bool) -> Vec<u8> {
    format::write(&solution(era, managed), era.package()).expect("a generation's own description fits it")
}

/// The bytes of the file that adds what tables of another solution lack, and nothing that would change or stand beside what it
/// has: no forms and buttons on its tables, no navigation, and no role of a name that is given.
///
/// # Panics
/// Never, as [`file()`].
pub fn beside(era: Era, steps: &[Definition], roles: &[&str]) -> Vec<u8> {
    let mut solution = solution(era, true);
    let is_wanted = |test: &dyn Fn(&Definition) -> bool| steps.iter().any(test);
    solution.entities = solution.entities.into_iter().filter_map(|entity| lacking(entity, steps)).collect();
    solution.option_sets.retain(|set| {
        is_wanted(&|step| matches!(step, Definition::OptionSet(wanted) if wanted.name == set.name))
    });
    solution.one_to_many.retain(|one| {
        is_wanted(&|step| {
            matches!(step, Definition::Lookup { relation, .. } if relation.schema_name == one.schema_name)
        })
    });
    solution.many_to_many.retain(|many| {
        is_wanted(
            &|step| matches!(step, Definition::ManyToMany(pairs) if pairs.schema_name == many.schema_name),
        )
    });
    solution.roles.retain(|role| !roles.contains(&role.name.as_str()));
    (solution.site_map, solution.web_resources) = (None, Vec::new());
    (solution.app_site_maps, solution.apps) = (Vec::new(), Vec::new());
    let mut manifest = manifest(era, true, &solution.entities, &solution.option_sets);
    manifest.roots.retain(|root| match root.kind {
        component::ENTITY | component::OPTION_SET => true,
        component::ROLE => solution.roles.iter().any(|role| Some(role.id) == root.id),
        _ => false,
    });
    manifest.unique_name = BESIDE_NAME.to_owned();
    manifest.names = Label::english("Email Service Connector (beside another solution)");
    solution.manifest = manifest;
    format::write(&solution, era.package()).expect("a part of a description fits where the whole does")
}

/// What an organisation lacks of a table: all of it, some columns and keys, or nothing.
fn lacking(mut entity: Entity, steps: &[Definition]) -> Option<Entity> {
    let name = entity.table.logical_name.clone();
    if steps.iter().any(|step| matches!(step, Definition::Table(table) if table.logical_name == name)) {
        return Some(Entity { ribbon: None, ..entity });
    }
    let lacks_column = |column: &ColumnInfo| {
        steps.iter().any(|step| match step {
            Definition::Column { table, column: wanted } => {
                *table == name && wanted.logical_name == column.logical_name
            }
            Definition::Lookup { relation, .. } => {
                relation.referencing_table == name && relation.referencing_column == column.logical_name
            }
            _ => false,
        })
    };
    entity.table.columns.retain(lacks_column);
    let lacks_key = steps.iter().any(|step| matches!(step, Definition::Key { table, .. } if *table == name));
    if !lacks_key {
        entity.table.keys.clear();
    }
    if entity.table.columns.is_empty() && entity.table.keys.is_empty() {
        return None;
    }
    // As with the platform's own tables: only what is named is added.
    (entity.table.is_custom, entity.ribbon) = (false, None);
    (entity.forms, entity.views) = (Vec::new(), Vec::new());
    Some(entity)
}

/// `EmailServiceConnector_1_0_0_0_managed.zip`, as the platform names its exports, with the generation.
pub fn file_name(era: Era, managed: bool) -> String {
    let version = VERSION.replace('.', "_");
    let managed = if managed { "_managed" } else { "" };
    format!("{UNIQUE_NAME}_{version}_{era}{managed}.zip")
}

/// What the file holds.
pub fn solution(era: Era, managed: bool) -> Solution {
    let metadata = definitions::metadata(era);
    let entities: Vec<Entity> =
        metadata.tables.into_iter().zip(10_100..).map(|(table, code)| entity(table, code, era)).collect();
    let app = era == Era::Dynamics365;
    Solution {
        manifest: manifest(era, managed, &entities, &metadata.option_sets),
        entities,
        roles: Role::ALL.iter().map(|role| role.in_file(era)).collect(),
        ribbon: None,
        site_map: (!app && managed).then(|| app::site_map(era, true)),
        one_to_many: metadata.one_to_many,
        many_to_many: metadata.many_to_many,
        option_sets: metadata.option_sets,
        web_resources: vec![ribbon::script()],
        app_site_maps: if app { vec![app::app_site_map(era)] } else { Vec::new() },
        apps: if app { vec![app::app(era)] } else { Vec::new() },
        languages: vec![1033],
        left_out: Vec::new(),
    }
}

/// `code` is what old files call a table by; each server gives it a number of its own.
fn entity(mut table: TableInfo, code: i32, era: Era) -> Entity {
    let ribbon = ribbon::of(&table.logical_name);
    if let Some(own) = tables::named(&table.logical_name) {
        complete(&mut table);
        table.type_code = if era < Era::Dynamics365 { code } else { 0 };
        return Entity { table, forms: vec![forms::of(own, era)], views: views::of(own), ribbon };
    }
    table.schema_name = schema_name(&table.logical_name).to_owned();
    let extension = extended::all().iter().find(|extension| extension.table == table.logical_name);
    let table_name = table.logical_name.clone();
    Entity {
        table,
        forms: extension.map(|extension| forms::of_extension(extension, era)).into_iter().collect(),
        views: (table_name == "list").then(views::of_list).into_iter().collect(),
        ribbon,
    }
}

/// The platform's own tables, as it writes them.
fn schema_name(table: &str) -> &'static str {
    match table {
        "contact" => "Contact",
        "lead" => "Lead",
        "account" => "Account",
        "campaign" => "Campaign",
        _ => "List",
    }
}

/// The columns that the platform makes by itself and that exports name all the same.
fn complete(table: &mut TableInfo) {
    let column = |name: &str, kind, required| ColumnInfo {
        id: definitions::id(&format!("column:{}.{name}", table.logical_name)),
        logical_name: name.to_owned(),
        schema_name: name.to_owned(),
        label: Label::english(match name {
            "statecode" => "Status",
            "statuscode" => "Status Reason",
            _ => table.label.text().unwrap_or_default(),
        }),
        description: Label::default(),
        kind,
        required,
        valid_for_create: true,
        valid_for_update: name != table.primary_id,
        valid_for_read: true,
        is_primary_id: name == table.primary_id,
        is_primary_name: false,
        is_custom: false,
        is_secured: false,
        attribute_of: None,
        number: 0,
    };
    let key = column(&table.primary_id, ColumnKind::Uniqueidentifier, RequiredLevel::SystemRequired);
    let state = ColumnKind::State { options: states(table, "statecode", |value| (None, Some(value + 1))) };
    let state = column("statecode", state, RequiredLevel::SystemRequired);
    let status = ColumnKind::Status { options: states(table, "statuscode", |value| (Some(value), None)) };
    let status = column("statuscode", status, RequiredLevel::None);
    table.columns.insert(0, key);
    table.columns.extend([state, status]);
    for (column, number) in table.columns.iter_mut().zip(1..) {
        column.number = number;
    }
}

/// Active and inactive; `of` says the state of a status, and the usual status of a state.
fn states(table: &TableInfo, column: &str, of: fn(i32) -> (Option<i32>, Option<i32>)) -> OptionSet {
    let first = i32::from(column == "statuscode");
    let option = |(place, label): (i32, &str)| {
        let (state, default_status) = of(place);
        OptionItem { value: place + first, label: Label::english(label), state, default_status }
    };
    let name = format!("{}_{column}", table.logical_name);
    OptionSet {
        id: definitions::id(&format!("options:{name}")),
        name,
        is_global: false,
        is_custom: false,
        label: Label::english(if column == "statecode" { "Status" } else { "Status Reason" }),
        description: Label::default(),
        options: [(0, "Active"), (1, "Inactive")].map(option).into(),
    }
}

fn manifest(era: Era, managed: bool, entities: &[Entity], sets: &[OptionSet]) -> Manifest {
    let root =
        |kind, name: &str, behavior| Root { kind, schema_name: Some(name.to_owned()), id: None, behavior };
    // From 2016 on a standard table is named without what belongs to it: only what is in the file is meant.
    let mut roots: Vec<Root> = entities
        .iter()
        .map(|entity| {
            root(
                component::ENTITY,
                &entity.table.logical_name,
                u8::from(!entity.table.is_custom && era.package() >= Package::V8_0),
            )
        })
        .collect();
    roots.extend(sets.iter().map(|set| root(component::OPTION_SET, &set.name, 0)));
    let roles = Role::ALL.iter().map(|role| Root {
        kind: component::ROLE,
        schema_name: None,
        id: Some(role.id()),
        behavior: 0,
    });
    roots.extend(roles);
    roots.push(root(component::WEB_RESOURCE, &ribbon::script().name, 0));
    match era {
        Era::Dynamics365 => roots.extend(app::roots()),
        _ if managed => {
            roots.push(Root { kind: component::SITE_MAP, schema_name: None, id: None, behavior: 0 })
        }
        _ => {}
    }
    Manifest {
        unique_name: UNIQUE_NAME.to_owned(),
        names: Label::english(DISPLAY_NAME),
        descriptions: Label::english(
            "Keeps contacts, leads, accounts, lists and campaigns in step with an e-mail marketing service.",
        ),
        version: VERSION.to_owned(),
        managed,
        package: era.package(),
        publisher: Publisher {
            unique_name: "EmailServiceConnectorPublisher".to_owned(),
            names: Label::english(DISPLAY_NAME),
            descriptions: Label::default(),
            email: None,
            website: None,
            prefix: PREFIX.to_owned(),
            option_prefix: OPTION_PREFIX.unsigned_abs(),
        },
        roots,
        missing: Vec::new(),
    }
}
