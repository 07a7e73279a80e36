//! `customizations.xml`: the sections in the order of the schema.

use postroom_core::metadata::{ColumnKind, OneToMany};

use super::tree::{leaf, new};
use super::{Entity, Error, Manifest, Package, Solution, attribute, entity, parts, relation};
use crate::xml::Element;

pub(super) fn write(solution: &Solution, package: Package, files: &[String]) -> Result<Element, Error> {
    let too_old =
        |component: &str, why| Err(Error::TooOld { component: format!("the app {component}"), package, why });
    if let Some(app) = solution.apps.first().filter(|_| package < Package::V8_2) {
        return too_old(&app.unique_name, "apps came with 8.2; older servers have one site map");
    }
    let entities: Result<Vec<Element>, Error> =
        solution.entities.iter().map(|of| entity::write(of, package)).collect();
    let mut root = new("ImportExportXml")
        .declare(crate::xml::XSI)
        .with(new("Entities").with_all(entities?))
        .with(new("Roles").with_all(solution.roles.iter().map(parts::write_role)))
        .with_all(["Workflows", "FieldSecurityProfiles", "Templates"].map(new))
        .with_all(solution.ribbon.clone());
    if let Some(map) = &solution.site_map {
        root = root.with(new("SiteMap").with(map.clone()));
    }
    let sets = solution.option_sets.iter().map(|set| attribute::option_set(set, "picklist"));
    root = root
        .with(new("EntityMaps"))
        .with(new("EntityRelationships").with_all(relation::write(solution, package)))
        .with(new("OrganizationSettings"))
        .with(new("optionsets").with_all(sets));
    if !solution.web_resources.is_empty() {
        let one = files.iter().zip(&solution.web_resources);
        root = root
            .with(new("WebResources").with_all(one.map(|(file, of)| parts::write_web_resource(of, file))));
    }
    if !solution.apps.is_empty() || !solution.app_site_maps.is_empty() {
        let maps = solution.app_site_maps.iter().map(parts::write_app_site_map);
        root = root.with(new("AppModuleSiteMaps").with_all(maps));
    }
    if !solution.apps.is_empty() {
        let apps = solution.apps.iter().map(|app| parts::write_app(app, package));
        root = root.with(new("AppModules").with_all(apps));
    }
    let languages = solution.languages.iter().map(|language| leaf("Language", language.to_string()));
    Ok(root.with(new("Languages").with_all(languages)))
}

/// Sections without anything in them, or without anything that matters.
const SILENT: &[&str] = &[
    "Workflows",
    "FieldSecurityProfiles",
    "Templates",
    "EntityMaps",
    "OrganizationSettings",
    "CustomControls",
    "EntityDataProviders",
];

pub(super) fn read(manifest: Manifest, root: &Element) -> Result<Solution, Error> {
    let mut solution = Solution {
        manifest,
        entities: Vec::new(),
        roles: Vec::new(),
        ribbon: None,
        site_map: None,
        one_to_many: Vec::new(),
        many_to_many: Vec::new(),
        option_sets: Vec::new(),
        web_resources: Vec::new(),
        app_site_maps: Vec::new(),
        apps: Vec::new(),
        languages: Vec::new(),
        left_out: Vec::new(),
    };
    for section in &root.children {
        read_section(section, &mut solution)?;
    }
    once(&solution)?;
    for entity in &mut solution.entities {
        name_targets(entity, &solution.one_to_many);
    }
    Ok(solution)
}

fn read_section(section: &Element, solution: &mut Solution) -> Result<(), Error> {
    let items = section.children.iter();
    match section.name.local.as_str() {
        "Entities" => solution.entities = items.map(entity::read).collect::<Result<_, _>>()?,
        "Roles" => solution.roles = items.map(parts::read_role).collect::<Result<_, _>>()?,
        "RibbonDiffXml" => {
            solution.ribbon = Some(section.clone()).filter(parts::says_something);
        }
        "SiteMap" => solution.site_map = section.child("SiteMap").cloned(),
        "EntityRelationships" => {
            for relation in &section.children {
                relation::read(relation, solution)?;
            }
        }
        "optionsets" => {
            let sets = items.map(|set| {
                let set = attribute::read_option_set(set)?;
                Ok(postroom_core::metadata::OptionSet { is_global: true, ..set })
            });
            solution.option_sets = sets.collect::<Result<_, Error>>()?;
        }
        "WebResources" => {
            solution.web_resources = items.map(parts::read_web_resource).collect::<Result<_, _>>()?;
        }
        "AppModuleSiteMaps" => {
            solution.app_site_maps = items.map(parts::read_app_site_map).collect::<Result<_, _>>()?;
        }
        "AppModules" => solution.apps = items.map(parts::read_app).collect::<Result<_, _>>()?,
        "Languages" => {
            solution.languages = items.filter_map(|language| language.text.trim().parse().ok()).collect();
        }
        name if section.children.is_empty() && SILENT.contains(&name) => {}
        name => solution.left_out.push(name.chars().take(80).collect()),
    }
    Ok(())
}

/// A name that stands twice would be made twice.
fn once(solution: &Solution) -> Result<(), Error> {
    let tables = solution.entities.iter().map(|entity| format!("the table {}", entity.table.logical_name));
    let one = solution.one_to_many.iter().map(|relation| &relation.schema_name);
    let relations = one.chain(solution.many_to_many.iter().map(|relation| &relation.schema_name));
    let relations = relations.map(|name| format!("the relationship {}", name.to_ascii_lowercase()));
    let columns = solution.entities.iter().flat_map(|entity| {
        let name = &entity.table.logical_name;
        entity.table.columns.iter().map(move |column| format!("the column {name}.{}", column.logical_name))
    });
    let mut seen = std::collections::HashSet::new();
    match tables.chain(relations).chain(columns).find(|name| !seen.insert(name.clone())) {
        Some(component) => Err(Error::Value { component, element: "Name", value: "a second one".to_owned() }),
        None => Ok(()),
    }
}

/// Lookups learn from the relationships what they may name.
fn name_targets(entity: &mut Entity, relations: &[OneToMany]) {
    let name = entity.table.logical_name.clone();
    for column in &mut entity.table.columns {
        let ColumnKind::Lookup { targets } = &mut column.kind else { continue };
        let of = relations.iter().filter(|relation| {
            relation.referencing_table == name && relation.referencing_column == column.logical_name
        });
        *targets = of.map(|relation| relation.referenced_table.clone()).collect();
    }
}

/// The entries that hold the web resources, in their order.
pub(super) fn web_resource_files(root: &Element) -> Vec<Option<String>> {
    let all = root.child("WebResources").into_iter().flat_map(|list| &list.children);
    let name = |of: &Element| of.text_of("FileName").map(|name| name.trim_start_matches('/').to_owned());
    all.map(name).collect()
}
