//! Definitions asked for: tables, columns, relationships, keys and option sets (dataverse.md E5).

use postroom_core::metadata::{ColumnInfo, TableInfo};
use postroom_formats::soap::metadata::{self, Parts};
use postroom_formats::soap::names::{GENERIC, METADATA};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;

use super::call::Call;
use super::stop::Stop;
use crate::webapi::codes;

type Results = Vec<(String, Any)>;

/// Whether a message asks for definitions.
pub(super) fn reads(name: &str) -> bool {
    matches!(
        name,
        "RetrieveEntity"
            | "RetrieveAllEntities"
            | "RetrieveAttribute"
            | "RetrieveRelationship"
            | "RetrieveEntityKey"
            | "RetrieveOptionSet"
            | "RetrieveAllOptionSets"
            | "RetrieveTimestamp"
    )
}

/// Reading a kind of definition is a privilege, here as at the Web API; almost everybody has it.
pub(super) async fn allowed(call: &Call<'_>, kinds: &[&str]) -> Result<(), Stop> {
    for kind in kinds {
        call.session.check_misc(&format!("prvRead{kind}")).await?;
    }
    Ok(())
}

/// The kinds of definitions that a message shows.
pub(super) fn kinds(request: &Request) -> Vec<&'static str> {
    match request.name.as_str() {
        "RetrieveEntity" | "RetrieveAllEntities" => {
            let parts = parts(request);
            let own = [("Attribute", parts.attributes), ("Relationship", parts.relationships)];
            std::iter::once("Entity")
                .chain(own.into_iter().filter(|(_, shown)| *shown).map(|(kind, _)| kind))
                .collect()
        }
        "RetrieveEntityKey" => vec!["Entity"],
        "RetrieveAttribute" => vec!["Attribute"],
        "RetrieveRelationship" => vec!["Relationship"],
        "RetrieveOptionSet" | "RetrieveAllOptionSets" => vec!["OptionSet"],
        _ => Vec::new(),
    }
}

pub(super) fn answer(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let one = |name: &str, any: Any| vec![(name.to_owned(), any)];
    Ok(match request.name.as_str() {
        "RetrieveEntity" => {
            let table = table(call, request)?;
            let element = metadata::write_table(table, &call.metadata, parts(request), call.wire());
            one("EntityMetadata", Any::Raw(element))
        }
        "RetrieveAllEntities" => {
            let element = metadata::write_tables(&call.metadata, parts(request), call.wire());
            let mut results = one("EntityMetadata", Any::Raw(element));
            results.push(("Timestamp".to_owned(), Any::String(stamp(call))));
            results
        }
        "RetrieveAttribute" => {
            let (table, column) = column(call, request)?;
            let element = metadata::write_column(column, &table.logical_name, call.wire());
            one("AttributeMetadata", Any::Raw(element.renamed(GENERIC, "value")))
        }
        "RetrieveRelationship" => one("RelationshipMetadata", Any::Raw(relationship(call, request)?)),
        "RetrieveEntityKey" => one("EntityKeyMetadata", Any::Raw(key(call, request)?)),
        "RetrieveOptionSet" => one("OptionSetMetadata", Any::Raw(option_set(call, request)?)),
        "RetrieveAllOptionSets" => {
            let sets = call.metadata.option_sets.iter().map(|set| {
                metadata::write_option_set(set, call.wire()).renamed(METADATA, "OptionSetMetadataBase")
            });
            let list = Element::new(GENERIC, "value").kind(METADATA, "ArrayOfOptionSetMetadataBase");
            one("OptionSetMetadata", Any::Raw(list.with_all(sets)))
        }
        _ => one("Timestamp", Any::String(stamp(call))),
    })
}

/// What changes with every definition.
pub(super) fn stamp(call: &Call<'_>) -> String {
    call.metadata.version.to_string()
}

fn parts(request: &Request) -> Parts {
    Parts::parse(request.get("EntityFilters").and_then(Any::as_str).unwrap_or_default())
}

pub(super) fn text<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.get(name).and_then(Any::as_str).filter(|text| !text.is_empty())
}

pub(super) fn needed<'r>(request: &'r Request, name: &str) -> Result<&'r str, Stop> {
    text(request, name).ok_or_else(|| Stop::parameter(&request.name, name, "String"))
}

/// By the definition's id, when no name is given.
fn by_id(request: &Request) -> Option<uuid::Uuid> {
    request.get("MetadataId").and_then(Any::as_guid).filter(|id| !id.is_nil())
}

fn table<'c>(call: &'c Call<'_>, request: &Request) -> Result<&'c TableInfo, Stop> {
    match (text(request, "LogicalName"), by_id(request)) {
        (Some(name), _) => call.table(name),
        (None, Some(id)) => {
            let found = call.metadata.tables.iter().find(|table| table.id == id);
            found.ok_or_else(|| Stop::no_table(&id.to_string()))
        }
        (None, None) => Err(Stop::parameter(&request.name, "LogicalName", "String")),
    }
}

fn column<'c>(call: &'c Call<'_>, request: &Request) -> Result<(&'c TableInfo, &'c ColumnInfo), Stop> {
    if let (None, Some(id)) = (text(request, "LogicalName"), by_id(request)) {
        let all =
            call.metadata.tables.iter().flat_map(|table| table.columns.iter().map(move |one| (table, one)));
        let found = { all }.find(|(_, column)| column.id == id);
        return found.ok_or_else(|| missing("attribute", &id.to_string()));
    }
    let table = call.table(needed(request, "EntityLogicalName")?)?;
    let name = needed(request, "LogicalName")?;
    let column = table.column(name).ok_or_else(|| Stop::no_column(&table.logical_name, name))?;
    Ok((table, column))
}

fn missing(what: &str, name: &str) -> Stop {
    Stop::coded(codes::NOT_FOUND, format!("Could not find the {what} '{name}'"))
}

fn relationship(call: &Call<'_>, request: &Request) -> Result<Element, Stop> {
    let (name, id) = (text(request, "Name"), by_id(request));
    let is = |schema_name: &str, own: uuid::Uuid| match name {
        Some(name) => schema_name.eq_ignore_ascii_case(name),
        None => id == Some(own),
    };
    let definitions = &call.metadata;
    if let Some(one) = definitions.one_to_many.iter().find(|one| is(&one.schema_name, one.id)) {
        return Ok(metadata::write_one_to_many(one, call.wire()).renamed(GENERIC, "value"));
    }
    let many = definitions.many_to_many.iter().find(|one| is(&one.schema_name, one.id));
    let many = many.ok_or_else(|| missing("relationship", name.unwrap_or_default()))?;
    Ok(metadata::write_many_to_many(many, call.wire()).renamed(GENERIC, "value"))
}

fn key(call: &Call<'_>, request: &Request) -> Result<Element, Stop> {
    let table = call.table(needed(request, "EntityLogicalName")?)?;
    let name = needed(request, "LogicalName")?;
    let element = metadata::write_table(table, &call.metadata, Parts::default(), call.wire());
    let keys = element.child("Keys").map(|keys| &*keys.children).unwrap_or_default();
    let found = keys.iter().find(|key| key.text_of("LogicalName") == Some(name));
    let found = found.ok_or_else(|| missing("key", name))?;
    Ok(found
        .clone()
        .renamed(GENERIC, "value")
        .kind(postroom_formats::soap::names::METADATA_71, "EntityKeyMetadata"))
}

fn option_set(call: &Call<'_>, request: &Request) -> Result<Element, Stop> {
    let (name, id) = (text(request, "Name"), by_id(request));
    let found = call.metadata.option_sets.iter().find(|set| match name {
        Some(name) => set.name.eq_ignore_ascii_case(name),
        None => id == Some(set.id),
    });
    let found = found.ok_or_else(|| missing("option set", name.unwrap_or_default()))?;
    Ok(metadata::write_option_set(found, call.wire()).renamed(GENERIC, "value"))
}
