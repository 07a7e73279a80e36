//! Rows of the organisation as parts of a solution file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use postroom_core::metadata::{Label, Metadata};
use postroom_core::{Content, Crm, Filter, Query, Record, Value};
use postroom_formats::solution::{
    App, AppSiteMap, DEFAULT_ICON, Form, Role, Root, View, WebResource, component,
};
use postroom_formats::xml::{self, Element};
use uuid::Uuid;

use super::held::{self, Definition};
use super::tables;
use crate::Embedded;
use crate::access::privilege::{self, Level};
use crate::failure::Failure;

fn english(row: &Record, column: &str) -> Label {
    row.text(column).filter(|text| !text.is_empty()).map_or_else(Label::default, Label::english)
}

fn flag(row: &Record, column: &str) -> bool {
    row.get(column) == Some(&Value::Bool(true))
}

fn number(row: &Record, column: &str, otherwise: i32) -> i32 {
    row.int(column).and_then(|number| i32::try_from(number).ok()).unwrap_or(otherwise)
}

fn guid(row: &Record, column: &str) -> Option<Uuid> {
    match row.get(column) {
        Some(Value::Guid(id)) => Some(*id),
        Some(Value::Lookup(at)) => Some(at.id),
        _ => None,
    }
}

/// A tree that a column holds; one that cannot be read is none.
fn tree(row: &Record, column: &str) -> Option<Element> {
    xml::read(row.text(column)?, &xml::Limits::default()).ok()
}

/// Rows with these ids, in the order of their ids.
pub(super) async fn rows(crm: &Embedded, table: &str, ids: &[Uuid]) -> Result<Vec<Record>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let key = crm.table(table).await?.primary_key.clone();
    let ids = ids.iter().map(|id| Value::Guid(*id)).collect();
    let query = Query::of(table).filter(Filter::In(key.clone(), ids)).order_by(key, false);
    Ok(Crm::query(crm, &query).await?)
}

/// Rows that name this in a column, in the order of their ids.
pub(super) async fn rows_of(
    crm: &Embedded,
    table: &str,
    column: &str,
    value: impl Into<Value>,
) -> Result<Vec<Record>, Failure> {
    let key = crm.table(table).await?.primary_key.clone();
    let query = Query::of(table).filter(Filter::eq(column, value)).order_by(key, false);
    Ok(Crm::query(crm, &query).await?)
}

pub(super) fn form(row: &Record) -> Option<Form> {
    let kind = row.int("type").unwrap_or(2);
    let word = tables::FORM_KINDS.iter().find(|(known, _)| *known == kind);
    Some(Form {
        id: row.at.id,
        kind: word.map_or("main", |(_, word)| word).to_owned(),
        names: english(row, "name"),
        descriptions: english(row, "description"),
        active: row.int("formactivationstate") != Some(0),
        body: tree(row, "formxml")?,
    })
}

pub(super) fn view(row: &Record) -> View {
    View {
        id: row.at.id,
        names: english(row, "name"),
        descriptions: english(row, "description"),
        kind: number(row, "querytype", 0),
        is_default: flag(row, "isdefault"),
        quick_find: flag(row, "isquickfindquery"),
        fetch: tree(row, "fetchxml"),
        layout: tree(row, "layoutxml"),
    }
}

/// The table (none for the application) and the changes.
pub(super) fn ribbon(row: &Record) -> Option<(Option<String>, Element)> {
    Some((row.text("entity").map(str::to_owned), tree(row, "rdx")?))
}

pub(super) async fn role(crm: &Embedded, row: &Record) -> Result<Role, Failure> {
    let schema = crm.schema().await?;
    let known = privilege::all(&schema);
    let mut privileges: Vec<(String, String)> = rows_of(crm, "roleprivileges", "roleid", row.at.id)
        .await?
        .iter()
        .filter_map(|given| {
            let id = guid(given, "privilegeid")?;
            let privilege = known.iter().find(|known| known.id == id)?;
            let level = Level::of_mask(given.int("privilegedepthmask").unwrap_or(0));
            (level != Level::None).then(|| (privilege.name.clone(), level.name().to_owned()))
        })
        .collect();
    privileges.sort();
    Ok(Role { id: row.at.id, name: row.text("name").unwrap_or_default().to_owned(), privileges })
}

pub(super) async fn web_resource(crm: &Embedded, row: &Record) -> Result<WebResource, Failure> {
    let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
    let encoded = match row.get("content") {
        Some(Value::Text(text)) => text.clone().into_bytes(),
        Some(Value::Content(Content::Bytes(bytes))) => bytes.to_vec(),
        Some(Value::Content(content)) => Crm::read(crm, content).await?.to_vec(),
        _ => Vec::new(),
    };
    Ok(WebResource {
        id: row.at.id,
        name: text("name"),
        display_name: text("displayname"),
        description: text("description"),
        kind: number(row, "webresourcetype", 1),
        // Bytes kept as a file are themselves; a text column holds base64.
        content: BASE64.decode(&encoded).unwrap_or(encoded),
    })
}

pub(super) fn site_map(row: &Record) -> Option<AppSiteMap> {
    Some(AppSiteMap {
        unique_name: row.text("sitemapnameunique").unwrap_or_default().to_owned(),
        names: english(row, "sitemapname"),
        body: tree(row, "sitemapxml")?,
    })
}

pub(super) async fn app(crm: &Embedded, row: &Record, metadata: &Metadata) -> Result<App, Failure> {
    let index = held::index(metadata);
    let mut components = Vec::new();
    for part in rows_of(crm, "appmodulecomponent", "appmoduleidunique", row.at.id).await? {
        let kind = number(&part, "componenttype", component::ENTITY);
        let Some(id) = guid(&part, "objectid") else { continue };
        let named = |name: String| Root { kind, schema_name: Some(name), id: None, behavior: 0 };
        components.push(match (kind, index.get(&id)) {
            (component::ENTITY, Some(Definition::Table(table))) => named(table.logical_name.clone()),
            (component::SITE_MAP, _) => {
                let map = rows(crm, "sitemap", &[id]).await?;
                let name = map.first().and_then(|map| map.text("sitemapnameunique")).unwrap_or_default();
                named(name.to_owned())
            }
            _ => Root { kind, schema_name: None, id: Some(id), behavior: 0 },
        });
    }
    components.sort_by(|one, other| {
        (one.kind, &one.schema_name, one.id).cmp(&(other.kind, &other.schema_name, other.id))
    });
    let roles = rows_of(crm, "appmoduleroles", "appmoduleid", row.at.id).await?;
    let mut roles: Vec<Uuid> = roles.iter().filter_map(|role| guid(role, "roleid")).collect();
    roles.sort();
    Ok(App {
        unique_name: row.text("uniquename").unwrap_or_default().to_owned(),
        names: english(row, "name"),
        descriptions: english(row, "description"),
        icon: guid(row, "webresourceid").unwrap_or(DEFAULT_ICON),
        form_factor: number(row, "formfactor", 1),
        client: number(row, "clienttype", 4),
        components,
        roles,
    })
}
