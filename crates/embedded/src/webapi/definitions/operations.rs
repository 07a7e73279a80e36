//! Functions and actions about definitions (dataverse.md A16, A18). [`Operation`]s of all kinds are listed in `csdl`.

use http::{Method, StatusCode};
use postroom_formats::odata::options::Literal;
use postroom_formats::odata::path::Segment;
use serde_json::{Value, json};
use uuid::Uuid;

use super::body::{self, Body};
use super::read::reply;
use super::{changes, current, labels, write};
use crate::definitions::Options;
use crate::solutions;
use crate::webapi::call::Call;
use crate::webapi::{Problem, Reply, in_solution};

const FUNCTIONS: &[&str] = &[
    "RetrieveAvailableLanguages",
    "RetrieveEntityKey",
    "RetrieveMetadataChanges",
    "RetrieveProvisionedLanguages",
];
const ACTIONS: &[&str] = &[
    "CreateCustomerRelationships",
    "CreateEntities",
    "CreatePolymorphicLookupAttribute",
    "DeleteOptionValue",
    "InsertOptionValue",
    "InsertStatusValue",
    "OrderOption",
    "PublishAllXml",
    "PublishXml",
    "ReactivateEntityKey",
    "UpdateOptionValue",
];

pub(super) fn is_one(name: &str) -> bool {
    FUNCTIONS.contains(&name) || ACTIONS.contains(&name)
}

pub(super) async fn answer(call: &Call<'_>, name: &str) -> Result<Reply, Problem> {
    if call.path.segments.len() > 1 {
        return Err(Problem::no_resource(name));
    }
    match (FUNCTIONS.contains(&name), &call.method) {
        (true, &Method::GET) => function(call, name).await,
        (false, &Method::POST) => action(call, name).await,
        _ => Err(Problem::method(&call.method)),
    }
}

async fn function(call: &Call<'_>, name: &str) -> Result<Reply, Problem> {
    match name {
        "RetrieveAvailableLanguages" => Ok(response(call, name, json!({"LocaleIds": [labels::BASE]}))),
        "RetrieveProvisionedLanguages" => {
            Ok(response(call, name, json!({"RetrieveProvisionedLanguages": [labels::BASE]})))
        }
        "RetrieveEntityKey" => entity_key(call, name).await,
        _ => {
            for kind in changes::kinds(call)? {
                call.session.check_misc(&format!("prvRead{kind}")).await?;
            }
            Ok(response(call, name, changes::answer(call)?))
        }
    }
}

/// What a function answers: its members and the context of its type.
fn response(call: &Call<'_>, name: &str, mut members: Value) -> Reply {
    members["@odata.context"] = call.context(&format!("Microsoft.Dynamics.CRM.{name}Response")).into();
    reply(StatusCode::OK, &members)
}

/// A parameter of a function, in its parentheses, by an alias, or as a plain option of the query.
pub(super) fn parameter(call: &Call<'_>, name: &str) -> Result<Option<Literal>, Problem> {
    let arguments = call.path.segments.first().and_then(Segment::arguments).unwrap_or_default();
    let given = arguments.iter().find(|argument| argument.name.as_deref() == Some(name));
    match given.map(|argument| &argument.value) {
        Some(Literal::Alias(alias)) => Ok(call.options.alias(alias)?),
        Some(literal) => Ok(Some(literal.clone())),
        None => {
            let other = call.options.others.iter().find(|(known, _)| known == name);
            Ok(other.map(|(_, text)| Literal::Text(text.clone())))
        }
    }
}

async fn entity_key(call: &Call<'_>, name: &str) -> Result<Reply, Problem> {
    call.session.check_misc("prvReadEntity").await?;
    let text = |member: &'static str| -> Result<String, Problem> {
        let value = parameter(call, member)?;
        let text = value.as_ref().and_then(Literal::as_text).map(str::to_owned);
        text.ok_or_else(|| Problem::bad(format!("The parameter '{member}' is missing")))
    };
    let (table, key) = (text("EntityLogicalName")?, text("LogicalName")?);
    let table = call.metadata.table(&table).ok_or_else(|| Problem::no_resource(&table))?;
    let found = table.keys.iter().find(|known| known.logical_name == key);
    let found = found.ok_or_else(|| Problem::no_key(&table.logical_name))?;
    let row = super::node::Node::Key(table, found).row(&call.metadata, None);
    Ok(response(call, name, json!({"EntityKeyMetadata": row})))
}

async fn action(call: &Call<'_>, name: &str) -> Result<Reply, Problem> {
    let body = match call.body.iter().all(u8::is_ascii_whitespace) {
        true => Body::new(),
        false => body::object(&call.body)?,
    };
    let named = call.options.others.iter().find(|(known, _)| known == "SolutionUniqueName");
    let named = body::text(&body, "SolutionUniqueName").or(named.map(|(_, name)| name.as_str()));
    let named = named.or(in_solution::header(call));
    write::solution(call, named).await?;
    match name {
        "CreateEntities" => create_entities(call, &body, named).await,
        "CreateCustomerRelationships" | "CreatePolymorphicLookupAttribute" => {
            lookup_of_several(call, name, &body, named).await
        }
        "PublishXml" | "PublishAllXml" => {
            call.session.check_misc("prvPublishCustomization").await?;
            if name == "PublishXml" && body::text(&body, "ParameterXml").is_none() {
                return Err(Problem::bad("Required field 'ParameterXml' is missing"));
            }
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        "ReactivateEntityKey" => reactivate(call, &body).await,
        _ => {
            let chosen = chosen(call, &body)?;
            let reply = options(call, name, &body).await?;
            solutions::add_changed(&call.session, named, &*current(call).await?, &chosen).await?;
            Ok(reply)
        }
    }
}

async fn create_entities(call: &Call<'_>, body: &Body, solution: Option<&str>) -> Result<Reply, Problem> {
    call.session.check_misc("prvCreateEntity").await?;
    let metadata = current(call).await?;
    let infos: Vec<_> = body::list(body, "Entities")
        .map(|entity| body::table(&metadata, entity))
        .collect::<Result<_, _>>()?;
    if infos.is_empty() {
        return Err(Problem::bad("Required field 'Entities' is missing"));
    }
    let names: Vec<String> = infos.iter().map(|info| info.schema_name.to_ascii_lowercase()).collect();
    call.session.crm().create_tables(infos).await?;
    let now = current(call).await?;
    let ids: Vec<_> = names.iter().filter_map(|name| now.table(name)).map(|table| table.id).collect();
    solutions::add_made(&call.session, solution, &now, &ids).await?;
    Ok(response(call, "CreateEntities", json!({"EntityIds": ids})))
}

/// A lookup that names rows of several tables, with all of its relationships, or none of it. One of customers names accounts and
/// contacts.
async fn lookup_of_several(
    call: &Call<'_>,
    name: &str,
    body: &Body,
    solution: Option<&str>,
) -> Result<Reply, Problem> {
    call.session.check_misc("prvCreateRelationship").await?;
    call.session.check_misc("prvCreateAttribute").await?;
    let relations: Vec<_> =
        body::list(body, "OneToManyRelationships").map(body::one_to_many).collect::<Result<_, _>>()?;
    let customer = name == "CreateCustomerRelationships";
    let leads_to = |name: &str| relations.iter().any(|relation| relation.referenced_table == name);
    if customer && !(relations.len() == 2 && ["account", "contact"].into_iter().all(leads_to)) {
        return Err(Problem::bad(
            "A customer lookup has two relationships: one to account and one to contact",
        ));
    }
    if relations.is_empty() {
        return Err(Problem::bad("Required field 'OneToManyRelationships' is missing"));
    }
    let lookup = body::lookup(&call.metadata, body, customer)?;
    let column = lookup.schema_name.to_ascii_lowercase();
    let names: Vec<String> = relations.iter().map(|relation| relation.schema_name.clone()).collect();
    let table = relations[0].referencing_table.clone();
    call.session.crm().create_relationships(relations, lookup).await?;
    let now = current(call).await?;
    let made = now.one_to_many.iter().filter(|relation| names.contains(&relation.schema_name));
    let ids: Vec<_> = made.map(|relation| relation.id).collect();
    let attribute = now.table(&table).and_then(|table| table.column(&column)).map(|column| column.id);
    let all: Vec<_> = ids.iter().copied().chain(attribute).collect();
    solutions::add_made(&call.session, solution, &now, &all).await?;
    Ok(response(call, name, json!({"RelationshipIds": ids, "AttributeId": attribute})))
}

/// Keys are indexes here and always active.
async fn reactivate(call: &Call<'_>, body: &Body) -> Result<Reply, Problem> {
    call.session.check_misc("prvWriteEntity").await?;
    let table = required(body, "EntityLogicalName")?;
    let key = required(body, "EntityKeyLogicalName")?;
    let known = call
        .metadata
        .table(table)
        .is_some_and(|table| table.keys.iter().any(|known| known.logical_name == key));
    match known {
        true => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        false => Err(Problem::no_key(table)),
    }
}

fn required<'b>(body: &'b Body, member: &str) -> Result<&'b str, Problem> {
    body::text(body, member).ok_or_else(|| Problem::bad(format!("Required field '{member}' is missing")))
}

/// Whose options an action means.
fn of(body: &Body) -> Result<Options, Problem> {
    match body::text(body, "OptionSetName") {
        Some(name) => Ok(Options::Global(name.to_owned())),
        None => Ok(Options::Column {
            table: required(body, "EntityLogicalName")?.to_ascii_lowercase(),
            column: body::text(body, "AttributeLogicalName").unwrap_or("statuscode").to_ascii_lowercase(),
        }),
    }
}

/// The definition that has the options.
fn chosen(call: &Call<'_>, body: &Body) -> Result<Vec<Uuid>, Problem> {
    let found = match of(body)? {
        Options::Global(name) => {
            let sets = &call.metadata.option_sets;
            sets.iter().find(|set| set.name.eq_ignore_ascii_case(&name)).map(|set| set.id)
        }
        Options::Column { table, column } => {
            call.metadata.table(&table).and_then(|table| table.column(&column)).map(|column| column.id)
        }
    };
    Ok(found.into_iter().collect())
}

fn value(body: &Body, member: &str) -> Result<Option<i32>, Problem> {
    let Some(value) = body.get(member).filter(|value| !value.is_null()) else { return Ok(None) };
    let number = body::whole(value).and_then(|number| i32::try_from(number).ok());
    let wrong = || Problem::payload(format!("'{member}' is a whole number of 32 bits"));
    number.map(Some).ok_or_else(wrong)
}

async fn options(call: &Call<'_>, name: &str, body: &Body) -> Result<Reply, Problem> {
    let crm = call.session.crm();
    let of = of(body)?;
    let privilege = match of {
        Options::Global(_) => "prvWriteOptionSet",
        Options::Column { .. } => "prvWriteAttribute",
    };
    call.session.check_misc(privilege).await?;
    let missing = |member: &str| Problem::bad(format!("Required field '{member}' is missing"));
    let label = labels::read(body, "Label");
    let chosen = value(body, "Value")?;
    match name {
        "InsertOptionValue" => {
            let label = label.ok_or_else(|| missing("Label"))?;
            let value = crm.insert_option_value(of, chosen, label).await?;
            return Ok(response(call, name, json!({"NewOptionValue": value})));
        }
        "InsertStatusValue" => {
            let label = label.ok_or_else(|| missing("Label"))?;
            let state = value(body, "StateCode")?.ok_or_else(|| missing("StateCode"))?;
            let table = required(body, "EntityLogicalName")?.to_ascii_lowercase();
            let value = crm.insert_status_value(&table, chosen, label, state).await?;
            return Ok(response(call, name, json!({"NewOptionValue": value})));
        }
        "UpdateOptionValue" => {
            let chosen = chosen.ok_or_else(|| missing("Value"))?;
            let merge = body::flag(body, "MergeLabels").unwrap_or(false);
            let have = of.label(&call.metadata, chosen);
            crm.update_option_value(of, chosen, labels::over(&have, label, merge)).await?;
        }
        "DeleteOptionValue" => crm.delete_option_value(of, chosen.ok_or_else(|| missing("Value"))?).await?,
        _ => {
            let values = body.get("Values").and_then(Value::as_array).ok_or_else(|| missing("Values"))?;
            let values =
                values.iter().map(|value| body::whole(value).and_then(|value| i32::try_from(value).ok()));
            let values: Option<Vec<i32>> = values.collect();
            let values = values.ok_or_else(|| Problem::payload("'Values' is a list of whole numbers"))?;
            crm.order_options(of, values).await?;
        }
    }
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
