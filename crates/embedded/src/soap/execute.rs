//! Whose a message is. The operations are the messages of the same names with their parameters in other places.

use postroom_formats::soap::operation::{Answer, Association, Operation};
use postroom_formats::soap::query::ColumnSet;
use postroom_formats::soap::request::{Request, Response};
use postroom_formats::soap::value::{Any, EntityReference};
use uuid::Uuid;

use super::call::Call;
use super::stop::Stop;
use super::{changes, define, definitions, metadata_query, organization, read, related, several, write};

/// One operation of the service.
pub(super) async fn operation(call: &Call<'_>, operation: Operation) -> Result<Answer, Stop> {
    Ok(match operation {
        Operation::Create(entity) => {
            let request = Request::new("Create").with("Target", Any::Entity(Box::new(entity)));
            let made = write::run(call, &request).await?;
            Answer::Create(made.get("id").and_then(Any::as_guid).unwrap_or_default())
        }
        Operation::Retrieve { table, id, columns } => {
            Answer::Retrieve(read::one(call, &EntityReference::new(table, id), columns).await?)
        }
        Operation::Update(entity) => {
            write::run(call, &Request::new("Update").with("Target", Any::Entity(Box::new(entity)))).await?;
            Answer::Update
        }
        Operation::Delete { table, id } => {
            write::run(call, &Request::new("Delete").with("Target", named(table, id))).await?;
            Answer::Delete
        }
        Operation::RetrieveMultiple(query) => {
            Answer::RetrieveMultiple(read::rows(call, query.into_fetch()).await?)
        }
        Operation::Associate(tie) => {
            write::run(call, &tying("Associate", tie)).await?;
            Answer::Associate
        }
        Operation::Disassociate(tie) => {
            write::run(call, &tying("Disassociate", tie)).await?;
            Answer::Disassociate
        }
        Operation::Execute(request) => Answer::Execute(message(call, request).await?),
    })
}

fn named(table: String, id: Uuid) -> Any {
    Any::EntityReference(EntityReference::new(table, id))
}

fn tying(name: &str, tie: Association) -> Request {
    Request::new(name)
        .with("Target", named(tie.table, tie.id))
        .with("Relationship", Any::Relationship(tie.relationship))
        .with("RelatedEntities", Any::References(tie.related))
}

/// One message of `Execute`.
async fn message(call: &Call<'_>, request: Request) -> Result<Response, Stop> {
    if !call.door.settings.knows(&request.name) {
        return Err(Stop::no_message(&request.name));
    }
    let response = match request.name.as_str() {
        "ExecuteMultiple" => several::multiple(call, &request).await?,
        "ExecuteTransaction" => several::transaction(call, &request).await?,
        _ => single(call, &request).await?,
    };
    Ok(if request.bare { response.stripped() } else { response })
}

/// One message that holds no others.
pub(super) async fn single(call: &Call<'_>, request: &Request) -> Result<Response, Stop> {
    if !call.door.settings.knows(&request.name) {
        return Err(Stop::no_message(&request.name));
    }
    let results = match request.name.as_str() {
        "Retrieve" => retrieve(call, request).await?,
        "RetrieveMultiple" => {
            let Some(Any::Query(query)) = request.get("Query") else {
                return Err(Stop::parameter(&request.name, "Query", "QueryBase"));
            };
            let rows = read::rows(call, query.get().clone()).await?;
            vec![("EntityCollection".to_owned(), Any::EntityCollection(rows))]
        }
        "WhoAmI" => organization::who_am_i(call).await?,
        "RetrieveVersion" => {
            vec![("Version".to_owned(), Any::String(call.generation().version().to_owned()))]
        }
        "RetrieveCurrentOrganization" => organization::current(call).await?,
        "RetrieveEntityChanges" => changes::answer(call, request).await?,
        "RetrieveMetadataChanges" => {
            definitions::allowed(call, &metadata_query::kinds(request)).await?;
            metadata_query::answer(call, request)?
        }
        name if definitions::reads(name) => {
            definitions::allowed(call, &definitions::kinds(request)).await?;
            definitions::answer(call, request)?
        }
        name if define::changes(name) => define::answer(call, request).await?,
        _ => return write::run(call, request).await,
    };
    Ok(Response { results, ..Response::new(request.name.clone()) })
}

async fn retrieve(call: &Call<'_>, request: &Request) -> Result<Vec<(String, Any)>, Stop> {
    let target = write::reference(request, "Target")?;
    let columns = match request.get("ColumnSet") {
        Some(Any::ColumnSet(columns)) => columns.clone(),
        None | Some(Any::Null) => ColumnSet::default(),
        Some(_) => return Err(Stop::parameter(&request.name, "ColumnSet", "ColumnSet")),
    };
    let mut entity = read::one(call, target, columns).await?;
    if let Some(asked) = request.get("RelatedEntitiesQuery").filter(|asked| **asked != Any::Null) {
        related::attach(call, &mut entity, asked).await?;
    }
    Ok(vec![("Entity".to_owned(), Any::Entity(Box::new(entity)))])
}
