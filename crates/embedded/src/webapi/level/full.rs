//! Answers that say everything: types, addresses and links of rows, expanded ones too, of single properties and of what
//! messages answer.

use std::collections::HashMap;

use postroom_core::metadata::{Metadata, TableInfo};
use postroom_formats::odata::options::Wanted;
use postroom_formats::odata::{NAMESPACE, resolve};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Members;
use crate::messages::{self, Shape};
use crate::webapi::call::Call;
use crate::webapi::csdl::property_type;
use crate::webapi::json::Json;
use crate::webapi::row::property;

/// What is said of the rows of one table.
struct Described<'m> {
    table: &'m TableInfo,
    /// By property: its type, where JSON does not tell it.
    types: HashMap<String, String>,
    /// Navigation properties that are shown with their addresses.
    links: Vec<&'m str>,
    /// By navigation property: the rows at its other end.
    expanded: HashMap<&'m str, Described<'m>>,
}

impl<'m> Described<'m> {
    fn of(metadata: &'m Metadata, table: &'m TableInfo, wanted: &'m Wanted) -> Self {
        let column = |column| Some((property(column), shown(property_type(column)?)?));
        let mut expanded = HashMap::new();
        for expand in &wanted.expand {
            let relation = resolve::navigation(metadata, &table.logical_name, &expand.navigation);
            let target = relation.and_then(|relation| metadata.table(relation.target()));
            if let Some(target) = target.filter(|_| !expand.reference) {
                expanded.insert(expand.navigation.as_str(), Described::of(metadata, target, &expand.wanted));
            }
        }
        let chosen = |name: &str| {
            let select = wanted.select.as_ref();
            let expand = || wanted.expand.iter().any(|expand| expand.navigation == name);
            select.is_none_or(|select| select.iter().any(|known| known == name)) || expand()
        };
        let mut links: Vec<&str> =
            navigations(metadata, &table.logical_name).filter(|name| chosen(name)).collect();
        links.sort_unstable();
        links.dedup();
        Described { table, types: table.columns.iter().filter_map(column).collect(), links, expanded }
    }

    fn row(&self, json: &mut Json, root: &str, row: &Members) {
        let id = row.text(&self.table.primary_id);
        let own = id.map(|id| format!("{}({id})", self.table.entity_set));
        json.object(|json| {
            if let Some(context) = row.get("@odata.context") {
                json.key("@odata.context").number(context.get());
            }
            // What was computed is no row of the table.
            if let Some(own) = &own {
                json.key("@odata.type").plain(format_args!("#{NAMESPACE}.{}", self.table.logical_name));
                json.key("@odata.id").value(&format!("{root}/{own}"));
            }
            if let Some(tag) = row.get("@odata.etag") {
                json.key("@odata.etag").number(tag.get());
            }
            if let Some(own) = &own {
                json.key("@odata.editLink").value(own);
            }
            for (name, raw) in &row.0 {
                self.member(json, root, own.as_deref(), name, raw);
            }
            for name in self.links.iter().filter(|name| row.get(name).is_none()) {
                links(json, root, own.as_deref(), name);
            }
        });
    }

    fn member(&self, json: &mut Json, root: &str, own: Option<&str>, name: &str, raw: &RawValue) {
        if ["@odata.context", "@odata.etag"].contains(&name) {
            return;
        }
        if let Some(below) = self.expanded.get(name) {
            links(json, root, own, name);
            json.key(name);
            return below.value(json, root, raw);
        }
        if let Some(kind) = self.types.get(name).filter(|_| raw.get() != "null") {
            json.key_of(name, "@odata.type").plain(kind);
        }
        json.key(name).number(raw.get());
    }

    /// A row, or a list of rows; rows that say themselves what they are (those that went) stay as they are.
    fn value(&self, json: &mut Json, root: &str, raw: &RawValue) {
        if let Ok(row) = serde_json::from_str::<Members>(raw.get()) {
            return match row.get("@odata.context") {
                Some(_) => json.number(raw.get()),
                None => self.row(json, root, &row),
            };
        }
        match serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) {
            Ok(rows) => json.array(|json| rows.iter().for_each(|row| self.value(json, root, row))),
            Err(_) => json.number(raw.get()),
        }
    }
}

fn navigations<'m>(metadata: &'m Metadata, table: &'m str) -> impl Iterator<Item = &'m str> {
    let up = metadata.many_to_one_of(table).map(|relation| relation.referencing_navigation.as_str());
    let down = metadata.one_to_many_of(table).map(|relation| relation.referenced_navigation.as_str());
    let pairs = metadata.many_to_many_of(table).flat_map(move |pair| {
        let ends = [&pair.first, &pair.second].into_iter();
        ends.filter(move |end| end.table == table).map(|end| end.navigation.as_str())
    });
    up.chain(down).chain(pairs).filter(|name| !name.is_empty())
}

fn links(json: &mut Json, root: &str, own: Option<&str>, name: &str) {
    let Some(own) = own else { return };
    json.key_of(name, "@odata.associationLink").value(&format!("{root}/{own}/{name}/$ref"));
    json.key_of(name, "@odata.navigationLink").value(&format!("{root}/{own}/{name}"));
}

/// `Edm.Guid` is `#Guid`; `None` for what JSON tells by itself.
fn shown(kind: &str) -> Option<String> {
    match kind {
        "Edm.Boolean" | "Edm.Double" | "Edm.Int32" | "Edm.String" => None,
        kind => Some(format!("#{}", kind.strip_prefix("Edm.").unwrap_or(kind))),
    }
}

/// Writes an answer with all that can be said of it.
pub(super) fn write(call: &Call<'_>, json: &mut Json, body: &Members) {
    let context = body.text("@odata.context").unwrap_or_default();
    let fragment = context.split_once("/$metadata#").map_or("", |(_, fragment)| fragment);
    let set = fragment.split(['(', '/']).next().unwrap_or_default();
    let name = fragment.strip_prefix(NAMESPACE).and_then(|rest| rest.strip_prefix('.'));
    match (call.metadata.by_entity_set(set), name.and_then(|name| name.strip_suffix("Response"))) {
        (Some(table), _) => match single(fragment, &table.entity_set) {
            Some(name) => of_property(json, table, name, body),
            None => of_rows(call, json, table, fragment, body),
        },
        (None, Some(message)) => of_message(json, message, body),
        (None, None) => as_is(json, body),
    }
}

/// The property in `contacts(<id>)/fullname`.
fn single<'f>(fragment: &'f str, set: &str) -> Option<&'f str> {
    let (id, name) = fragment.strip_prefix(set)?.strip_prefix('(')?.split_once(")/")?;
    id.parse::<Uuid>().is_ok().then_some(name)
}

fn of_property(json: &mut Json, table: &TableInfo, name: &str, body: &Members) {
    let column = table.columns.iter().find(|column| property(column) == name).or_else(|| table.column(name));
    let kind = column.and_then(property_type).and_then(shown);
    typed(json, body, kind.as_deref(), |_| None);
}

fn of_rows(call: &Call<'_>, json: &mut Json, table: &TableInfo, fragment: &str, body: &Members) {
    let described = Described::of(&call.metadata, table, &call.options.wanted);
    if fragment.ends_with("/$entity") {
        return described.row(json, &call.root, body);
    }
    json.object(|json| {
        for (name, raw) in &body.0 {
            json.key(name);
            match name.as_str() {
                "value" => described.value(json, &call.root, raw),
                _ => json.number(raw.get()),
            }
        }
    });
}

fn of_message(json: &mut Json, message: &str, body: &Members) {
    let results = messages::find(message).map_or(&[][..], |known| known.results);
    let of_result = |name: &str| {
        let known = results.iter().find(|(known, _)| *known == name).and_then(|(_, shape)| of_shape(*shape));
        // The ids of CreateMultiple, which is no message of its own here.
        known.or_else(|| (name == "Ids").then(|| "#Collection(Guid)".to_owned()))
    };
    let own = format!("#{NAMESPACE}.{message}Response");
    typed(json, body, Some(&own), of_result);
}

fn of_shape(shape: Shape) -> Option<String> {
    Some(match shape {
        Shape::Bool | Shape::Int | Shape::Text | Shape::Entity(_) | Shape::Query => return None,
        Shape::Guid => "#Guid".into(),
        Shape::Time => "#DateTimeOffset".into(),
        Shape::Binary => "#Binary".into(),
        Shape::Texts => "#Collection(String)".into(),
        Shape::Guids => "#Collection(Guid)".into(),
        Shape::Bools => "#Collection(Boolean)".into(),
        Shape::Entities(table) => format!("#Collection({NAMESPACE}.{})", table.unwrap_or("crmbaseentity")),
        Shape::Queries => format!("#Collection({NAMESPACE}.QueryBase)"),
        Shape::Complex(name) | Shape::Enum(name) => format!("#{NAMESPACE}.{name}"),
        Shape::ComplexList(name) => format!("#Collection({NAMESPACE}.{name})"),
    })
}

/// An answer that is no row: its own type behind the context, and those of its members.
fn typed(json: &mut Json, body: &Members, own: Option<&str>, of: impl Fn(&str) -> Option<String>) {
    json.object(|json| {
        for (name, raw) in &body.0 {
            if let Some(kind) = of(name).filter(|_| raw.get() != "null") {
                json.key_of(name, "@odata.type").value(&kind);
            }
            json.key(name).number(raw.get());
            if let Some(own) = own.filter(|_| name == "@odata.context") {
                json.key("@odata.type").value(own);
            }
        }
    });
}

fn as_is(json: &mut Json, body: &Members) {
    typed(json, body, None, |_| None);
}
