//! What a message answers, in JSON.

use http::StatusCode;
use postroom_core::{Record, Value};

use crate::messages::{Definition, Parameter, Shape};
use crate::webapi::call::Call;
use crate::webapi::json::Json;
use crate::webapi::{Problem, Reply};

pub(super) fn reply(
    call: &Call<'_>,
    definition: &Definition,
    mut results: Vec<(String, Parameter)>,
) -> Result<Reply, Problem> {
    about_the_door(call, definition, &mut results);
    let mut json = Json::default();
    json.object(|json| match (definition.results, results.as_slice()) {
        ([(_, Shape::Entities(_))], [(_, Parameter::Entities(rows))]) => {
            let of = "Collection(Microsoft.Dynamics.CRM.crmbaseentity)";
            json.key("@odata.context").value(&call.context(of));
            json.key("value").array(|json| rows.iter().for_each(|row| entity(call, json, row)));
        }
        ([(_, Shape::Entity(_))], [(_, Parameter::Entity(row))]) => {
            let set = call.metadata.table(&row.at.table).map_or("", |table| table.entity_set.as_str());
            json.key("@odata.context").value(&call.context(&format!("{set}/$entity")));
            members(call, json, row);
        }
        (_, results) => {
            let of = format!("Microsoft.Dynamics.CRM.{}Response", definition.name);
            json.key("@odata.context").value(&call.context(&of));
            for (name, result) in results {
                json.key(name);
                value(call, json, result);
            }
        }
    });
    Ok(match definition.results.is_empty() {
        true => Reply::empty(StatusCode::NO_CONTENT),
        false => Reply::json(StatusCode::OK, json.into_bytes()),
    })
}

/// What only the door knows: which server it is, and where it is reached.
fn about_the_door(call: &Call<'_>, definition: &Definition, results: &mut [(String, Parameter)]) {
    let version = || Parameter::Text(call.door.settings.version.server().to_owned());
    match (definition.name, results.first_mut()) {
        ("RetrieveVersion", Some((_, told))) => *told = version(),
        ("RetrieveCurrentOrganization", Some((_, Parameter::Members(detail)))) => {
            let told = detail.iter_mut().filter(|(name, _)| name == "OrganizationVersion");
            told.for_each(|(_, told)| *told = version());
            detail.push(("Endpoints".to_owned(), endpoints(call)));
        }
        _ => {}
    }
}

/// Where this CRM is reached, as the caller reached it.
fn endpoints(call: &Call<'_>) -> Parameter {
    let base = call.root.split("/api/data/").next().unwrap_or(&call.root);
    let all = [
        ("WebApplication", format!("{base}/")),
        ("OrganizationService", format!("{base}/XRMServices/2011/Organization.svc")),
        ("OrganizationDataService", format!("{base}/XRMServices/2011/OrganizationData.svc")),
    ];
    let (keys, values): (Vec<_>, Vec<_>) =
        all.into_iter().map(|(key, url)| (Parameter::Text(key.to_owned()), Parameter::Text(url))).unzip();
    Parameter::Members(vec![
        ("Count".to_owned(), Parameter::Int(keys.len() as i64)),
        ("IsReadOnly".to_owned(), Parameter::Bool(false)),
        ("Keys".to_owned(), Parameter::List(keys)),
        ("Values".to_owned(), Parameter::List(values)),
    ])
}

fn value(call: &Call<'_>, json: &mut Json, parameter: &Parameter) {
    match parameter {
        Parameter::Null => json.null(),
        Parameter::Bool(value) => json.value(value),
        Parameter::Int(number) => json.value(number),
        Parameter::Float(number) => json.value(number),
        Parameter::Decimal(text) => json.number(text),
        Parameter::Text(text) => json.value(text),
        Parameter::Guid(id) => json.plain(id),
        Parameter::Time(time) => json.plain(time.strftime("%Y-%m-%dT%H:%M:%SZ")),
        Parameter::Binary(bytes) => {
            use base64::Engine as _;
            json.plain(base64::engine::general_purpose::STANDARD.encode(bytes));
        }
        Parameter::Reference(at) => entity(call, json, &Record::new(at.clone())),
        Parameter::Entity(row) => entity(call, json, row),
        Parameter::Entities(rows) => json.array(|json| rows.iter().for_each(|row| entity(call, json, row))),
        Parameter::List(items) => json.array(|json| items.iter().for_each(|item| value(call, json, item))),
        Parameter::Members(members) => json.object(|json| {
            for (name, member) in members {
                json.key(name);
                value(call, json, member);
            }
        }),
        // No message answers a query.
        Parameter::Query(_) => json.null(),
    }
}

fn entity(call: &Call<'_>, json: &mut Json, row: &Record) {
    json.object(|json| members(call, json, row));
}

/// Its type, its key and its columns.
fn members(call: &Call<'_>, json: &mut Json, row: &Record) {
    json.key("@odata.type").value(&format!("#Microsoft.Dynamics.CRM.{}", row.at.table));
    let key = call.metadata.table(&row.at.table).map(|table| table.primary_id.as_str());
    if let Some(key) = key.filter(|_| !row.at.id.is_nil()) {
        json.key(key).plain(row.at.id);
    }
    for (name, column) in row.columns.iter().filter(|(name, _)| Some(name.as_str()) != key) {
        match column {
            Value::Lookup(at) => json.key(&format!("_{name}_value")).plain(at.id),
            column => {
                json.key(name);
                let shown = crate::messages::of_value(column).unwrap_or(Parameter::Null);
                value(call, json, &shown);
            }
        }
    }
}
