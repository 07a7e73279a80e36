//! What hangs on tables and what stands beside them: forms, views, roles, web resources, site maps and apps.

use postroom_core::metadata::TableInfo;
use uuid::Uuid;

use super::attribute::INTRODUCED;
use super::manifest::{read_root, write_root};
use super::tree::{self, braced, descriptions, flag, guid, is_set, label, leaf, names, needed, new};
use super::{App, AppSiteMap, DEFAULT_ICON, Error, Form, Package, Role, View, WebResource};
use crate::xml::Element;

/// Whether there is anything in a ribbon besides its empty lists.
pub(super) fn says_something(ribbon: &Element) -> bool {
    let lists = ["CustomActions", "CommandDefinitions", "LocLabels"];
    lists.iter().any(|name| ribbon.child(name).is_some_and(|list| !list.children.is_empty()))
        || ribbon
            .child("RuleDefinitions")
            .is_some_and(|rules| rules.children.iter().any(|list| !list.children.is_empty()))
}

/// One list for each kind of form, in the order in which the kinds are met.
pub(super) fn write_forms(forms: &[Form]) -> Element {
    let mut kinds: Vec<&str> = Vec::new();
    for form in forms {
        if !kinds.contains(&form.kind.as_str()) {
            kinds.push(&form.kind);
        }
    }
    let one = |form: &Form| {
        new("systemform")
            .with(leaf("formid", braced(form.id)))
            .with(leaf("IntroducedVersion", INTRODUCED))
            .with(leaf("FormPresentation", "1"))
            .with(flag("FormActivationState", form.active))
            .with(form.body.clone())
            .with(flag("IsCustomizable", true))
            .with(flag("CanBeDeleted", true))
            .with(names(&form.names))
            .with(descriptions(&form.descriptions))
    };
    let list = |kind: &str| {
        new("forms").attribute("type", kind).with_all(forms.iter().filter(|form| form.kind == kind).map(one))
    };
    new("FormXml").with_all(kinds.into_iter().map(list))
}

pub(super) fn read_forms(entity: &Element, table: &str) -> Result<Vec<Form>, Error> {
    let of = format!("a form of {table}");
    let mut all = Vec::new();
    let lists = entity.child("FormXml").into_iter().flat_map(|list| list.each("forms"));
    for list in lists {
        let kind = list.get("type").unwrap_or("main");
        for form in list.each("systemform") {
            let missing = || Error::Missing { component: of.clone(), element: "form" };
            all.push(Form {
                id: guid(needed(form, "formid", &of)?, "formid", &of)?,
                kind: kind.to_owned(),
                names: label(form, "LocalizedNames"),
                descriptions: label(form, "Descriptions"),
                active: form.text_of("FormActivationState") != Some("0"),
                body: form.child("form").ok_or_else(missing)?.clone(),
            });
        }
    }
    Ok(all)
}

pub(super) fn write_views(table: &TableInfo, views: &[View], package: Package) -> Element {
    let code = (package < Package::V9_0 && table.type_code > 0).then(|| table.type_code.to_string());
    let one = |view: &View| {
        let mut layout = view.layout.clone();
        if let (Some(grid), Some(code)) = (&mut layout, &code) {
            *grid = grid.clone().attribute("object", code);
        }
        let mut element = new("savedquery")
            .with(flag("IsCustomizable", true))
            .with(flag("CanBeDeleted", !view.is_default))
            .with(flag("isquickfindquery", view.quick_find))
            .with(flag("isprivate", false))
            .with(flag("isdefault", view.is_default));
        if let Some(code) = &code {
            element = element.with(leaf("returnedtypecode", code));
        }
        element = element.with(leaf("savedqueryid", braced(view.id)));
        if layout.is_some() {
            element = element.with(new("layoutxml").with_all(layout));
        }
        element = element.with(leaf("querytype", view.kind.to_string()));
        if view.fetch.is_some() {
            element = element.with(new("fetchxml").with_all(view.fetch.clone()));
        }
        element
            .with(leaf("IntroducedVersion", INTRODUCED))
            .with(names(&view.names))
            .with(descriptions(&view.descriptions))
    };
    new("SavedQueries").with(new("savedqueries").with_all(views.iter().map(one)))
}

pub(super) fn read_views(entity: &Element, table: &str) -> Result<Vec<View>, Error> {
    let of = format!("a view of {table}");
    let lists = entity.child("SavedQueries").into_iter().flat_map(|list| list.each("savedqueries"));
    let one = |view: &Element| {
        let inner = |list: &str, name: &str| view.child(list).and_then(|list| list.child(name)).cloned();
        let mut layout = inner("layoutxml", "grid");
        if let Some(grid) = &mut layout {
            // A type code of the server that wrote it; each has its own.
            grid.attributes.retain(|attribute| attribute.name.local != "object");
        }
        Ok(View {
            id: guid(needed(view, "savedqueryid", &of)?, "savedqueryid", &of)?,
            names: label(view, "LocalizedNames"),
            descriptions: label(view, "Descriptions"),
            kind: tree::number(view, "querytype", &of)?.unwrap_or(0),
            is_default: is_set(view, "isdefault"),
            quick_find: is_set(view, "isquickfindquery"),
            fetch: inner("fetchxml", "fetch"),
            layout,
        })
    };
    lists.flat_map(|list| list.each("savedquery")).map(one).collect()
}

pub(super) fn write_role(role: &Role) -> Element {
    let given = role
        .privileges
        .iter()
        .map(|(name, level)| new("RolePrivilege").attribute("name", name).attribute("level", level));
    new("Role")
        .attribute("id", braced(role.id))
        .attribute("name", &role.name)
        .with(flag("IsCustomizable", true))
        .with(leaf("IntroducedVersion", INTRODUCED))
        .with(new("RolePrivileges").with_all(given))
}

pub(super) fn read_role(element: &Element) -> Result<Role, Error> {
    let name = element.get("name").unwrap_or_default().to_owned();
    let of = format!("the role {name}");
    let missing = |element| Error::Missing { component: of.clone(), element };
    let given = element.child("RolePrivileges").into_iter().flat_map(|list| &list.children);
    let one = |privilege: &Element| {
        let text = |at: &'static str| privilege.get(at).map(str::to_owned).ok_or_else(|| missing(at));
        Ok((text("name")?, text("level")?))
    };
    Ok(Role {
        id: guid(element.get("id").ok_or_else(|| missing("id"))?, "id", &of)?,
        privileges: given.map(one).collect::<Result<_, _>>()?,
        name,
    })
}

pub(super) fn write_web_resource(resource: &WebResource, file: &str) -> Element {
    new("WebResource")
        .with(leaf("WebResourceId", braced(resource.id)))
        .with(leaf("Name", resource.name.as_str()))
        .with(leaf("DisplayName", resource.display_name.as_str()))
        .with(leaf("Description", resource.description.as_str()))
        .with(leaf("WebResourceType", resource.kind.to_string()))
        .with(leaf("IntroducedVersion", INTRODUCED))
        .with(flag("IsCustomizable", true))
        .with(flag("CanBeDeleted", true))
        .with(flag("IsHidden", false))
        .with(leaf("FileName", format!("/{file}")))
}

/// Without its content, which is an entry of its own.
pub(super) fn read_web_resource(element: &Element) -> Result<WebResource, Error> {
    let name = needed(element, "Name", "a web resource")?.to_owned();
    let of = format!("the web resource {name}");
    let text = |name: &str| element.text_of(name).unwrap_or_default().to_owned();
    Ok(WebResource {
        id: guid(needed(element, "WebResourceId", &of)?, "WebResourceId", &of)?,
        display_name: text("DisplayName"),
        description: text("Description"),
        kind: tree::number(element, "WebResourceType", &of)?.unwrap_or(1),
        content: Vec::new(),
        name,
    })
}

pub(super) fn write_app_site_map(map: &AppSiteMap) -> Element {
    new("AppModuleSiteMap")
        .with(leaf("SiteMapUniqueName", map.unique_name.as_str()))
        .with(map.body.clone())
        .with(names(&map.names))
}

pub(super) fn read_app_site_map(element: &Element) -> Result<AppSiteMap, Error> {
    let unique_name = needed(element, "SiteMapUniqueName", "a site map of an app")?.to_owned();
    let component = format!("the site map {unique_name}");
    let body = element.child("SiteMap").ok_or(Error::Missing { component, element: "SiteMap" })?.clone();
    Ok(AppSiteMap { names: label(element, "LocalizedNames"), unique_name, body })
}

pub(super) fn write_app(app: &App, package: Package) -> Element {
    let component = |component| write_root("AppModuleComponent", component, package);
    let roles = app.roles.iter().map(|id| new("Role").attribute("id", braced(*id)));
    let mut element = new("AppModule")
        .with(leaf("UniqueName", app.unique_name.as_str()))
        .with(leaf("IntroducedVersion", INTRODUCED))
        .with(leaf("WebResourceId", app.icon.to_string()))
        .with(leaf("FormFactor", app.form_factor.to_string()))
        .with(leaf("ClientType", app.client.to_string()))
        .with(new("AppModuleComponents").with_all(app.components.iter().map(component)));
    if !app.roles.is_empty() {
        element = element.with(new("AppModuleRoleMaps").with_all(roles));
    }
    element.with(names(&app.names)).with(descriptions(&app.descriptions))
}

pub(super) fn read_app(element: &Element) -> Result<App, Error> {
    let unique_name = needed(element, "UniqueName", "an app")?.to_owned();
    let of = format!("the app {unique_name}");
    let list = |name: &str| element.child(name).map(|list| list.children.as_slice()).unwrap_or_default();
    let icon = element.text_of("WebResourceId").and_then(|id| Uuid::try_parse(id).ok());
    Ok(App {
        names: label(element, "LocalizedNames"),
        descriptions: label(element, "Descriptions"),
        icon: icon.unwrap_or(DEFAULT_ICON),
        form_factor: tree::number(element, "FormFactor", &of)?.unwrap_or(1),
        client: tree::number(element, "ClientType", &of)?.unwrap_or(4),
        components: list("AppModuleComponents").iter().map(read_root).collect::<Result<_, _>>()?,
        roles: list("AppModuleRoleMaps")
            .iter()
            .map(|role| guid(role.get("id").unwrap_or_default(), "id", &of))
            .collect::<Result<_, _>>()?,
        unique_name,
    })
}
