//! What a solution file holds as components and rows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::metadata::{Label, Metadata};
use postroom_core::{Record, RecordRef};
use postroom_formats::solution::{App, Entity, Form, Root, Solution, View, component};
use postroom_formats::xml::{self, Element};
use uuid::Uuid;

use super::held::Component;
use super::{plan, tables};
use crate::definitions;

/// A table's behaviour as a root: whole, or only the parts that are named.
pub(super) const WHOLE: i64 = 0;
pub(super) const NAMED: i64 = 1;

pub(super) fn text(label: &Label) -> &str {
    label.text().unwrap_or_default()
}

/// The id of a site map with this unique name; the empty one is the organisation's.
pub(super) fn site_map_id(unique_name: &str) -> Uuid {
    definitions::id("sitemap", unique_name)
}

pub(super) fn app_id(unique_name: &str) -> Uuid {
    definitions::id("appmodule", unique_name)
}

/// Each solution has its own ribbon of a table; the empty name is the application's.
fn ribbon_id(solution: Uuid, table: &str) -> Uuid {
    Uuid::new_v5(&solution, format!("ribbon:{table}").as_bytes())
}

/// Everything that the solution holds, once its definitions are there.
pub(super) fn components(solution: &Solution, metadata: &Metadata, at: Uuid) -> Vec<Component> {
    let mut all = Vec::new();
    for entity in &solution.entities {
        of_entity(solution, entity, metadata, at, &mut all);
    }
    for relation in &solution.one_to_many {
        let known = metadata.one_to_many.iter().find(|known| known.schema_name == relation.schema_name);
        all.extend(
            known
                .filter(|known| known.is_custom)
                .map(|known| Component::part(component::RELATIONSHIP, known.id, &known.schema_name, None)),
        );
    }
    for relation in &solution.many_to_many {
        let known = metadata.many_to_many.iter().find(|known| known.schema_name == relation.schema_name);
        all.extend(
            known.map(|known| Component::part(component::RELATIONSHIP, known.id, &known.schema_name, None)),
        );
    }
    for set in &solution.option_sets {
        let known = metadata.option_sets.iter().find(|known| known.name.eq_ignore_ascii_case(&set.name));
        all.extend(known.map(|known| Component::part(component::OPTION_SET, known.id, &known.name, None)));
    }
    let part = |kind, id, name: &str| Component::part(kind, id, name, None);
    all.extend(solution.roles.iter().map(|role| part(component::ROLE, role.id, &role.name)));
    all.extend(solution.ribbon.iter().map(|_| part(component::RIBBON, ribbon_id(at, ""), "ribbon")));
    all.extend(solution.web_resources.iter().map(|of| part(component::WEB_RESOURCE, of.id, &of.name)));
    all.extend(solution.site_map.iter().map(|_| part(component::SITE_MAP, site_map_id(""), "SiteMap")));
    all.extend(
        solution
            .app_site_maps
            .iter()
            .map(|map| part(component::SITE_MAP, site_map_id(&map.unique_name), &map.unique_name)),
    );
    all.extend(
        solution
            .apps
            .iter()
            .map(|app| part(component::APP_MODULE, app_id(&app.unique_name), &app.unique_name)),
    );
    all
}

fn of_entity(solution: &Solution, entity: &Entity, metadata: &Metadata, at: Uuid, all: &mut Vec<Component>) {
    let name = entity.table.logical_name.as_str();
    let Some(table) = metadata.table(name) else { return };
    let root = solution.manifest.roots.iter().find(|root| {
        let named = root.schema_name.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name));
        root.kind == component::ENTITY && named
    });
    let behavior = match root {
        Some(root) if table.is_custom => i64::from(root.behavior),
        None if table.is_custom => WHOLE,
        _ => NAMED,
    };
    let part = |kind, id, name: String| Component::part(kind, id, name, Some(table.id));
    let whole = Component::part(component::ENTITY, table.id, name, None);
    all.push(Component { behavior: Some(behavior), ..whole });
    for column in entity.table.columns.iter().filter(|column| plan::own(&entity.table, column)) {
        let known = table.column(&column.logical_name);
        let shown = format!("{name}.{}", column.logical_name);
        all.extend(known.map(|known| part(component::ATTRIBUTE, known.id, shown)));
    }
    for key in &entity.table.keys {
        let known = table.keys.iter().find(|known| known.logical_name == key.logical_name);
        let shown = format!("{name}.{}", key.logical_name);
        all.extend(known.map(|known| part(component::ENTITY_KEY, known.id, shown)));
    }
    let forms = entity.forms.iter().map(|form| (component::SYSTEM_FORM, form.id, &form.names));
    let views = entity.views.iter().map(|view| (component::SAVED_QUERY, view.id, &view.names));
    all.extend(forms.chain(views).map(|(kind, id, names)| part(kind, id, text(names).to_owned())));
    let ribbon = entity.ribbon.iter();
    all.extend(ribbon.map(|_| part(component::RIBBON, ribbon_id(at, name), name.to_owned())));
}

/// The rows of everything that is one.
pub(super) fn rows(solution: &Solution, metadata: &Metadata, at: Uuid) -> Vec<Record> {
    let managed = solution.manifest.managed;
    let mut all = Vec::new();
    for entity in &solution.entities {
        let table = entity.table.logical_name.as_str();
        all.extend(entity.forms.iter().map(|one| form(table, one)));
        all.extend(entity.views.iter().map(|one| view(table, one)));
        all.extend(entity.ribbon.iter().map(|xml| ribbon(at, table, xml)));
    }
    all.extend(solution.ribbon.iter().map(|xml| ribbon(at, "", xml)));
    let of = |table: &str, id| Record::new(RecordRef::new(table, id));
    all.extend(solution.roles.iter().map(|role| {
        let unit = RecordRef::new("businessunit", crate::seed::BUSINESS_UNIT);
        of("role", role.id).with("name", role.name.as_str()).with("businessunitid", unit)
    }));
    all.extend(solution.web_resources.iter().map(|resource| {
        of("webresource", resource.id)
            .with("name", resource.name.as_str())
            .with("displayname", resource.display_name.as_str())
            .with("description", resource.description.as_str())
            .with("webresourcetype", resource.kind)
            .with("content", BASE64.encode(&resource.content))
    }));
    if let Some(map) = &solution.site_map {
        all.push(
            of("sitemap", site_map_id("")).with("sitemapname", "SiteMap").with("sitemapxml", xml::write(map)),
        );
    }
    all.extend(solution.app_site_maps.iter().map(|map| {
        of("sitemap", site_map_id(&map.unique_name))
            .with("sitemapname", text(&map.names))
            .with("sitemapnameunique", map.unique_name.as_str())
            .with("isappaware", true)
            .with("sitemapxml", xml::write(&map.body))
    }));
    for row in &mut all {
        row.columns.push(("ismanaged".into(), managed.into()));
    }
    for app in &solution.apps {
        all.extend(app_rows(app, metadata, managed));
    }
    all
}

fn form(table: &str, form: &Form) -> Record {
    let kind = tables::FORM_KINDS.iter().find(|(_, word)| *word == form.kind);
    Record::new(RecordRef::new("systemform", form.id))
        .with("name", text(&form.names))
        .with("description", text(&form.descriptions))
        .with("objecttypecode", table)
        .with("type", kind.map_or(2, |(kind, _)| *kind))
        .with("formactivationstate", i64::from(form.active))
        .with("formxml", xml::write(&form.body))
}

fn view(table: &str, view: &View) -> Record {
    let xml = |tree: &Option<Element>| tree.as_ref().map(xml::write);
    Record::new(RecordRef::new("savedquery", view.id))
        .with("name", text(&view.names))
        .with("description", text(&view.descriptions))
        .with("returnedtypecode", table)
        .with("querytype", view.kind)
        .with("isdefault", view.is_default)
        .with("isquickfindquery", view.quick_find)
        .with("fetchxml", xml(&view.fetch))
        .with("layoutxml", xml(&view.layout))
}

fn ribbon(solution: Uuid, table: &str, tree: &Element) -> Record {
    let row = Record::new(RecordRef::new("ribbondiff", ribbon_id(solution, table)));
    let row = row.with("rdx", xml::write(tree));
    if table.is_empty() { row } else { row.with("entity", table) }
}

fn app_rows(app: &App, metadata: &Metadata, managed: bool) -> Vec<Record> {
    let id = app_id(&app.unique_name);
    let at = RecordRef::new("appmodule", id);
    let mut all = vec![
        Record::new(at.clone())
            .with("name", text(&app.names))
            .with("uniquename", app.unique_name.as_str())
            .with("description", text(&app.descriptions))
            .with("clienttype", app.client)
            .with("formfactor", app.form_factor)
            .with("webresourceid", app.icon)
            .with("ismanaged", managed),
    ];
    for root in &app.components {
        let Some(object) = app_object(root, metadata) else { continue };
        let row = RecordRef::new("appmodulecomponent", Uuid::new_v5(&id, object.as_bytes()));
        all.push(
            Record::new(row)
                .with("appmoduleidunique", at.clone())
                .with("componenttype", root.kind)
                .with("objectid", object),
        );
    }
    for role in &app.roles {
        let row = RecordRef::new("appmoduleroles", Uuid::new_v5(&id, role.as_bytes()));
        let role = RecordRef::new("role", *role);
        all.push(Record::new(row).with("appmoduleid", at.clone()).with("roleid", role));
    }
    all
}

/// What an app is made of, by its id here; names of what is not here are left out.
fn app_object(root: &Root, metadata: &Metadata) -> Option<Uuid> {
    match (root.kind, root.id, &root.schema_name) {
        (component::ENTITY, None, Some(name)) => {
            metadata.table(&name.to_ascii_lowercase()).map(|table| table.id)
        }
        (component::SITE_MAP, None, Some(name)) => Some(site_map_id(name)),
        (_, id, _) => id,
    }
}
