//! Definitions made, changed and deleted (dataverse.md E5). What a client leaves empty in a change stays as it is.

use postroom_core::metadata::{ColumnInfo, Label, TableInfo};
use postroom_formats::soap::metadata::{self, Parts};
use postroom_formats::soap::names::METADATA;
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;
use uuid::Uuid;

use super::call::Call;
use super::definitions::{needed, text};
use super::stop::Stop;
use crate::definitions::{Options, labels};
use crate::solutions;

type Results = Vec<(String, Any)>;

/// Messages, and the privilege that each needs.
const MESSAGES: &[(&str, &str)] = &[
    ("CreateEntity", "prvCreateEntity"),
    ("UpdateEntity", "prvWriteEntity"),
    ("DeleteEntity", "prvDeleteEntity"),
    ("CreateAttribute", "prvCreateAttribute"),
    ("UpdateAttribute", "prvWriteAttribute"),
    ("DeleteAttribute", "prvDeleteAttribute"),
    ("CreateOneToMany", "prvCreateRelationship"),
    ("CreateManyToMany", "prvCreateRelationship"),
    ("DeleteRelationship", "prvDeleteRelationship"),
    ("CreateEntityKey", "prvWriteEntity"),
    ("DeleteEntityKey", "prvWriteEntity"),
    ("CreateOptionSet", "prvCreateOptionSet"),
    ("UpdateOptionSet", "prvWriteOptionSet"),
    ("DeleteOptionSet", "prvDeleteOptionSet"),
    ("InsertOptionValue", "prvWriteOptionSet"),
    ("InsertStatusValue", "prvWriteAttribute"),
    ("UpdateOptionValue", "prvWriteOptionSet"),
    ("DeleteOptionValue", "prvWriteOptionSet"),
    ("PublishXml", "prvPublishCustomization"),
    ("PublishAllXml", "prvPublishCustomization"),
];

/// Whether a message changes definitions.
pub(super) fn changes(name: &str) -> bool {
    MESSAGES.iter().any(|(known, _)| *known == name)
}

pub(super) async fn answer(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    if let Some((_, privilege)) = MESSAGES.iter().find(|(known, _)| *known == request.name) {
        call.session.check_misc(privilege).await?;
    }
    let results = defined(call, request).await?;
    let made: Vec<Uuid> = results.iter().filter_map(|(_, any)| any.as_guid()).collect();
    if !made.is_empty() {
        let solution = text(request, "SolutionUniqueName");
        let now = call.fresh().await?;
        solutions::add_made(call.session, solution, &now.metadata, &made).await?;
    }
    Ok(results)
}

async fn defined(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    if let Some(name) = text(request, "SolutionUniqueName") {
        solutions::named(call.session, name).await?;
    }
    match request.name.as_str() {
        "CreateEntity" | "UpdateEntity" | "DeleteEntity" => of_table(call, request).await,
        "CreateAttribute" | "UpdateAttribute" | "DeleteAttribute" => of_column(call, request).await,
        "CreateOneToMany" | "CreateManyToMany" | "DeleteRelationship" => of_relationship(call, request).await,
        "CreateEntityKey" | "DeleteEntityKey" => of_key(call, request).await,
        "CreateOptionSet" | "UpdateOptionSet" | "DeleteOptionSet" => of_set(call, request).await,
        // Everything is published here when it is made.
        "PublishXml" | "PublishAllXml" => Ok(Vec::new()),
        _ => of_option(call, request).await,
    }
}

fn element<'r>(request: &'r Request, name: &str, class: &str) -> Result<&'r Element, Stop> {
    match request.get(name) {
        Some(Any::Raw(element)) => Ok(element),
        _ => Err(Stop::parameter(&request.name, name, class)),
    }
}

/// With a logical name, which clients leave to the server.
fn named(element: &Element) -> Element {
    let mut element = element.clone();
    let filled = element.text_of("LogicalName").is_some_and(|name| !name.is_empty());
    if !filled {
        let name = element.text_of("SchemaName").unwrap_or_default().to_ascii_lowercase();
        element.children.retain(|child| child.name.local != "LogicalName");
        element.children.push(Element::leaf(METADATA, "LogicalName", name));
    }
    element
}

/// What there is, with the members that a client fills. With `merge` languages that a label does not name stay.
fn overlaid(have: Element, given: &Element, merge: bool) -> Element {
    let mut merged = have;
    merged.kind = given.kind.clone().or(merged.kind);
    for child in given.children.iter().filter(|child| !child.nil) {
        match merged.children.iter_mut().find(|known| known.name.local == child.name.local) {
            Some(known) => match child.name.local.as_str() {
                // The options of a yes or no.
                "OptionSet" | "TrueOption" | "FalseOption" if !known.nil => {
                    *known = overlaid(known.clone(), child, merge);
                }
                _ => *known = relabelled(known, child, merge),
            },
            None => merged.children.push(child.clone()),
        }
    }
    merged
}

/// A label over the one that is there; one that says nothing leaves it. Other members are what they are.
fn relabelled(have: &Element, given: &Element, merge: bool) -> Element {
    let Some(texts) = given.child("LocalizedLabels") else { return given.clone() };
    if texts.children.is_empty() {
        return have.clone();
    }
    let mut label = given.clone();
    if !merge {
        return label;
    }
    let language = |text: &Element| text.text_of("LanguageCode").map(|code| code.trim().to_owned());
    let named: Vec<_> = texts.children.iter().map(language).collect();
    let others = have.child("LocalizedLabels").into_iter().flat_map(|texts| &texts.children);
    let others: Vec<Element> = others.filter(|text| !named.contains(&language(text))).cloned().collect();
    if let Some(texts) = label.children.iter_mut().find(|child| child.name.local == "LocalizedLabels") {
        texts.children.extend(others);
    }
    label
}

/// `MergeLabels`.
fn merges(request: &Request) -> bool {
    request.get("MergeLabels").and_then(Any::as_bool).unwrap_or_default()
}

fn guid(name: &str, id: Uuid) -> (String, Any) {
    (name.to_owned(), Any::Guid(id))
}

async fn of_table(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let crm = call.session.crm();
    if request.name == "DeleteEntity" {
        crm.delete_table(&call.table(needed(request, "LogicalName")?)?.logical_name).await?;
        return Ok(Vec::new());
    }
    let given = named(element(request, "Entity", "EntityMetadata")?);
    let flag = |name: &str| request.get(name).and_then(Any::as_bool).unwrap_or_default();
    if request.name == "UpdateEntity" {
        let mut table = updated_table(call, &given, merges(request))?;
        table.has_notes |= flag("HasNotes");
        table.has_activities |= flag("HasActivities");
        crm.update_table(table).await?;
        return Ok(Vec::new());
    }
    let mut table = metadata::table(&given)?;
    table.has_notes |= flag("HasNotes");
    table.has_activities |= flag("HasActivities");
    let primary = named(element(request, "PrimaryAttribute", "StringAttributeMetadata")?);
    let primary = ColumnInfo { is_primary_name: true, ..metadata::column(&primary)? };
    let names = (table.logical_name.clone(), primary.logical_name.clone());
    table.columns = vec![primary];
    crm.create_tables(vec![table]).await?;
    let now = call.fresh().await?;
    let made = now.table(&names.0)?;
    let column = made.column(&names.1).map_or(Uuid::nil(), |column| column.id);
    Ok(vec![guid("EntityId", made.id), guid("AttributeId", column)])
}

fn updated_table(call: &Call<'_>, given: &Element, merge: bool) -> Result<TableInfo, Stop> {
    let table = call.table(given.text_of("LogicalName").unwrap_or_default())?;
    let have = metadata::write_table(table, &call.metadata, Parts::default(), call.wire());
    Ok(metadata::table(&overlaid(have, given, merge))?)
}

async fn of_column(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let crm = call.session.crm();
    if request.name == "DeleteAttribute" {
        let table = call.table(needed(request, "EntityLogicalName")?)?;
        crm.delete_column(&table.logical_name, needed(request, "LogicalName")?).await?;
        return Ok(Vec::new());
    }
    let table = call.table(needed(request, "EntityName")?)?.logical_name.clone();
    let given = named(element(request, "Attribute", "AttributeMetadata")?);
    let name = given.text_of("LogicalName").unwrap_or_default().to_owned();
    if request.name == "UpdateAttribute" {
        let have = call.table(&table)?.column(&name).ok_or_else(|| Stop::no_column(&table, &name))?;
        let have = metadata::write_column(have, &table, call.wire());
        crm.update_column(&table, metadata::column(&overlaid(have, &given, merges(request)))?).await?;
        return Ok(Vec::new());
    }
    crm.add_column(&table, metadata::column(&given)?).await?;
    let now = call.fresh().await?;
    let id = now.table(&table)?.column(&name).map_or(Uuid::nil(), |column| column.id);
    Ok(vec![guid("AttributeId", id)])
}

async fn of_relationship(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let crm = call.session.crm();
    match request.name.as_str() {
        "DeleteRelationship" => {
            crm.delete_relationship(needed(request, "Name")?).await?;
            Ok(Vec::new())
        }
        "CreateOneToMany" => {
            let given = element(request, "OneToManyRelationship", "OneToManyRelationshipMetadata")?;
            let lookup = named(element(request, "Lookup", "LookupAttributeMetadata")?);
            let lookup = metadata::column(&lookup)?;
            let mut relation = metadata::one_to_many(given)?;
            if relation.referencing_column.is_empty() {
                relation.referencing_column.clone_from(&lookup.logical_name);
            }
            let (table, column) = (relation.referencing_table.clone(), lookup.logical_name.clone());
            let name = relation.schema_name.clone();
            crm.create_relationship(relation, lookup).await?;
            let now = call.fresh().await?;
            let column = now.table(&table)?.column(&column).map_or(Uuid::nil(), |column| column.id);
            Ok(vec![guid("RelationshipId", relationship_id(&now, &name)), guid("AttributeId", column)])
        }
        _ => {
            let given = element(request, "ManyToManyRelationship", "ManyToManyRelationshipMetadata")?;
            let mut relation = metadata::many_to_many(given)?;
            if let Some(name) = text(request, "IntersectEntitySchemaName") {
                relation.intersect_table = name.to_ascii_lowercase();
            }
            let name = relation.schema_name.clone();
            crm.create_many_to_many(relation).await?;
            let now = call.fresh().await?;
            Ok(vec![guid("ManyToManyRelationshipId", relationship_id(&now, &name))])
        }
    }
}

fn relationship_id(call: &Call<'_>, name: &str) -> Uuid {
    let definitions = &call.metadata;
    let one = definitions.one_to_many.iter().map(|one| (&one.schema_name, one.id));
    let many = definitions.many_to_many.iter().map(|one| (&one.schema_name, one.id));
    one.chain(many).find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(Uuid::nil(), |(_, id)| id)
}

async fn of_key(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let crm = call.session.crm();
    if request.name == "DeleteEntityKey" {
        let table = call.table(needed(request, "EntityLogicalName")?)?;
        crm.delete_key(&table.logical_name, needed(request, "Name")?).await?;
        return Ok(Vec::new());
    }
    let table = call.table(needed(request, "EntityName")?)?.logical_name.clone();
    let given = named(element(request, "EntityKey", "EntityKeyMetadata")?);
    let name = given.text_of("LogicalName").unwrap_or_default().to_owned();
    // A key is read as part of its table.
    let of_table = Element::new(METADATA, "EntityMetadata")
        .with(Element::leaf(METADATA, "LogicalName", table.as_str()))
        .with(Element::new(METADATA, "Keys").with(given));
    let key = metadata::table(&of_table)?.keys.into_iter().next();
    let key = key.ok_or_else(|| Stop::parameter(&request.name, "EntityKey", "EntityKeyMetadata"))?;
    crm.create_key(&table, key).await?;
    let now = call.fresh().await?;
    let made = now.table(&table)?.keys.iter().find(|key| key.logical_name == name);
    Ok(vec![guid("EntityKeyId", made.map_or(Uuid::nil(), |key| key.id))])
}

async fn of_set(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let crm = call.session.crm();
    if request.name == "DeleteOptionSet" {
        crm.delete_option_set(needed(request, "Name")?).await?;
        return Ok(Vec::new());
    }
    let given = element(request, "OptionSet", "OptionSetMetadata")?;
    let set = metadata::option_set(given)?;
    if request.name == "UpdateOptionSet" {
        let have = call.metadata.option_sets.iter().find(|have| have.name.eq_ignore_ascii_case(&set.name));
        let set = match have {
            Some(have) => {
                let have = metadata::write_option_set(have, call.wire());
                metadata::option_set(&overlaid(have, given, merges(request)))?
            }
            // The definitions refuse it in their own words.
            None => set,
        };
        crm.update_option_set(set).await?;
        return Ok(Vec::new());
    }
    let name = set.name.clone();
    crm.create_option_set(set).await?;
    let now = call.fresh().await?;
    let made = now.metadata.option_sets.iter().find(|set| set.name.eq_ignore_ascii_case(&name));
    Ok(vec![guid("OptionSetId", made.map_or(Uuid::nil(), |set| set.id))])
}

async fn of_option(call: &Call<'_>, request: &Request) -> Result<Results, Stop> {
    let crm = call.session.crm();
    let of = || match text(request, "OptionSetName") {
        Some(name) => Ok(Options::Global(name.to_owned())),
        None => Ok::<_, Stop>(Options::Column {
            table: needed(request, "EntityLogicalName")?.to_owned(),
            column: needed(request, "AttributeLogicalName")?.to_owned(),
        }),
    };
    let number = |name: &str| match request.get(name) {
        Some(Any::Int(number) | Any::OptionSetValue(number)) => Some(*number),
        _ => None,
    };
    let value = || number("Value").ok_or_else(|| Stop::parameter(&request.name, "Value", "Int32"));
    match request.name.as_str() {
        "InsertOptionValue" => {
            let made = crm.insert_option_value(of()?, number("Value"), label(request)?).await?;
            Ok(vec![("NewOptionValue".to_owned(), Any::Int(made))])
        }
        "InsertStatusValue" => {
            let state = number("StateCode");
            let state = state.ok_or_else(|| Stop::parameter(&request.name, "StateCode", "Int32"))?;
            let table = needed(request, "EntityLogicalName")?;
            let made = crm.insert_status_value(table, number("Value"), label(request)?, state).await?;
            Ok(vec![("NewOptionValue".to_owned(), Any::Int(made))])
        }
        "UpdateOptionValue" => {
            let (of, value) = (of()?, value()?);
            let given = Some(label(request)?).filter(|label| !label.0.is_empty());
            let label = labels::over(&of.label(&call.metadata, value), given, merges(request));
            crm.update_option_value(of, value, label).await?;
            Ok(Vec::new())
        }
        _ => {
            crm.delete_option_value(of()?, value()?).await?;
            Ok(Vec::new())
        }
    }
}

/// A label is read as that of an option set.
fn label(request: &Request) -> Result<Label, Stop> {
    let label = element(request, "Label", "Label")?.clone().renamed(METADATA, "DisplayName");
    Ok(metadata::option_set(&Element::new(METADATA, "OptionSet").with(label))?.label)
}
