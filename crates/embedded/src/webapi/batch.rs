//! `$batch`: many requests in one (dataverse.md A12). They are done in their order; those of a change set are prepared one
//! after the other and then written as one set.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use postroom_core::{ChangeSet, RecordRef};
use postroom_formats::odata::Error;
use postroom_formats::odata::batch::{self, BatchAnswer, BatchItem, Request as Part, Response};
use postroom_formats::odata::path::Segment;

use super::call::Call;
use super::write::{self, Prepared};
use super::{Problem, Reply, Request, dispatch, read};

/// Answers a batch: 200, or 400 when it stopped at a request that failed.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let content_type = call.header("content-type").unwrap_or_default();
    let items = batch::read_requests(content_type, &call.body)?;
    let go_on = call.prefer.continue_on_error;
    let mut status = StatusCode::OK;
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let answer = match item {
            BatchItem::One(part) => {
                let id = part.content_id.clone();
                let reply = one(call, part).await.unwrap_or_else(Reply::from);
                BatchAnswer::One(response(call, reply, id))
            }
            BatchItem::ChangeSet(parts) => match change_set(call, parts).await {
                Ok(responses) => BatchAnswer::ChangeSet(responses),
                // One answer for all of them: none was done.
                Err(problem) => BatchAnswer::One(response(call, problem.into(), None)),
            },
        };
        let failed = matches!(&answer, BatchAnswer::One(response) if response.status >= 400);
        answers.push(answer);
        if failed && !go_on {
            status = StatusCode::BAD_REQUEST;
            break;
        }
    }
    let message = batch::write_responses(call.door.ids.next(), &answers);
    let reply = Reply { body: message.body.into(), ..Reply::empty(status) };
    Ok(read::applied(call, reply.header("content-type", &message.content_type)))
}

async fn one(call: &Call<'_>, part: Part) -> Result<Reply, Problem> {
    let inner = inner(call, part, HashMap::new())?;
    // A request within a request: its future has to stand somewhere of its own.
    Box::pin(dispatch::answer(&inner)).await
}

/// All requests of a change set, or none.
async fn change_set(call: &Call<'_>, parts: Vec<Part>) -> Result<Vec<Response>, Problem> {
    let mut made: HashMap<String, RecordRef> = HashMap::new();
    let mut prepared: Vec<(Option<String>, Call<'_>, Prepared)> = Vec::with_capacity(parts.len());
    for part in parts {
        let id = part.content_id.clone();
        let mut inner = inner(call, part, std::mem::take(&mut made))?;
        let one = Box::pin(write::prepare(&inner)).await?;
        made = std::mem::take(&mut inner.made);
        if let (Some(id), Some(at)) = (&id, &one.made) {
            made.insert(id.clone(), at.clone());
        }
        prepared.push((id, inner, one));
    }
    let counts: Vec<usize> = prepared.iter().map(|(_, _, one)| one.changes.len()).collect();
    let changes = prepared.iter_mut().flat_map(|(_, _, one)| std::mem::take(&mut one.changes)).collect();
    let mut outcomes = match counts.iter().all(|count| *count == 0) {
        true => Vec::new(),
        false => {
            let written = call.session.write(ChangeSet { changes }).await;
            written.map_err(|failure| {
                prepared.iter().fold(failure.into(), |problem, (_, inner, _)| write::refused(inner, problem))
            })?
        }
    };
    let mut responses = Vec::with_capacity(prepared.len());
    for ((id, inner, one), count) in prepared.into_iter().zip(counts) {
        let rest = outcomes.split_off(count);
        let reply = write::finish(&inner, one.then, &outcomes).await?;
        outcomes = rest;
        responses.push(response(call, reply, id));
    }
    Ok(responses)
}

/// A request of the batch as one of its own.
fn inner<'a>(call: &Call<'a>, part: Part, made: HashMap<String, RecordRef>) -> Result<Call<'a>, Problem> {
    let url = match batch::reference(&part.url) {
        Some((id, rest)) => {
            let at = made.get(id).ok_or_else(|| Error::no_reference(id))?;
            let between = if rest.is_empty() || rest.starts_with('?') { "" } else { "/" };
            format!("{}{between}{rest}", call.url_of(at))
        }
        None => part.url,
    };
    let method = part.method.parse().map_err(|_| Problem::bad("A request of the batch has no method."))?;
    let origin = String::new();
    let mut inner =
        call.inner(Request { method, url, origin, headers: headers(&part.headers), body: part.body.into() })?;
    if inner.path.segments == [Segment::Batch] {
        return Err(Problem::bad("A batch cannot contain another batch."));
    }
    inner.made = made;
    Ok(inner)
}

fn headers(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    fields.iter().filter_map(field).collect()
}

/// Clients look for these as the platform writes them.
const SPELLED: &[(&str, &str)] = &[
    ("content-type", "Content-Type"),
    ("etag", "ETag"),
    ("location", "Location"),
    ("odata-entityid", "OData-EntityId"),
    ("preference-applied", "Preference-Applied"),
    ("retry-after", "Retry-After"),
];

fn response(call: &Call<'_>, reply: Reply, content_id: Option<String>) -> Response {
    let mut fields = vec![("OData-Version".to_owned(), "4.0".to_owned())];
    for (name, value) in &reply.headers {
        let spelled =
            SPELLED.iter().find(|(known, _)| name == known).map_or(name.as_str(), |(_, spelled)| spelled);
        if let Ok(value) = value.to_str() {
            fields.push((spelled.to_owned(), value.to_owned()));
        }
    }
    if reply.status.as_u16() >= 400 {
        fields.push(("REQ_ID".to_owned(), call.door.ids.next().to_string()));
    }
    Response { status: reply.status.as_u16(), headers: fields, body: reply.body.to_vec(), content_id }
}
