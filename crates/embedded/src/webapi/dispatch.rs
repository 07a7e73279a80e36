//! Whose request it is, by the first segments of its path.

use http::Method;
use postroom_core::RecordRef;
use postroom_core::metadata::TableInfo;
use postroom_formats::odata::path::Segment;
use postroom_formats::odata::resolve::{self, Row};
use uuid::Uuid;

use super::call::Call;
use super::{Problem, Reply, actions, batch, definitions, delta, files, level, read, sql, write};

/// What a path means.
pub(crate) struct Place<'p> {
    pub table: &'p TableInfo,
    /// The row, when the path has a key.
    pub row: Option<Row>,
    /// What stands behind set and key.
    pub tail: &'p [Segment],
}

pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    // On the heap: what can come of a request is too large to be handed from stack frame to stack frame.
    let answered = Box::pin(whose(call)).await;
    answered.map(|reply| level::apply(call, reply))
}

async fn whose(call: &Call<'_>) -> Result<Reply, Problem> {
    if let Some(answer) = definitions::answer(call).await {
        return answer;
    }
    match call.path.segments.as_slice() {
        [] => read::service_document(call),
        [Segment::Batch] if call.method == Method::POST => batch::answer(call).await,
        _ => {
            if call.method == Method::GET
                && let Some(asked) = actions::find(call).await?
            {
                return actions::answer(call, &asked).await;
            }
            if write::writes(&call.method) {
                return write::answer(call).await;
            }
            let place = place(call)?;
            match call.method {
                // Boxed: what reads is large, and every answer would carry it on its stack.
                Method::GET => match (files::column(&place), &call.options.sql) {
                    (Some(column), _) => Box::pin(files::answer(call, &place, column)).await,
                    (None, Some(text)) => Box::pin(sql::answer(call, &place, text)).await,
                    (None, None) => match Box::pin(delta::answer(call, &place)).await {
                        Some(answer) => answer,
                        None => Box::pin(read::answer(call, &place)).await,
                    },
                },
                _ => Err(Problem::method(&call.method)),
            }
        }
    }
}

/// The set, row and rest of a path that begins with an entity set or with the row of an earlier request (`$1`).
pub(crate) fn place<'p>(call: &'p Call<'_>) -> Result<Place<'p>, Problem> {
    let (first, tail) = call.path.segments.split_first().ok_or_else(|| Problem::no_resource(""))?;
    match first {
        Segment::Content(id) => {
            let at = made(call, id)?;
            Ok(Place { table: call.table(&at.table)?, row: Some(Row::Id(at.id)), tail })
        }
        Segment::Name { name, .. } => {
            let table = call.metadata.by_entity_set(name).ok_or_else(|| Problem::no_resource(name))?;
            let key = first.key()?;
            let row = key.map(|key| resolve::row(&call.metadata, &table.logical_name, &key)).transpose()?;
            Ok(Place { table, row, tail })
        }
        _ => Err(Problem::no_resource(&format!("{first:?}"))),
    }
}

fn made<'c>(call: &'c Call<'_>, id: &str) -> Result<&'c RecordRef, Problem> {
    let missing = || postroom_formats::odata::Error::no_reference(id).into();
    call.made.get(id).ok_or_else(missing)
}

impl Place<'_> {
    /// The row's id, asked for when the path names it by an alternate key; `None` when there is no such row.
    pub(crate) async fn id(&self, call: &Call<'_>) -> Result<Option<Uuid>, Problem> {
        match &self.row {
            Some(Row::Id(id)) => Ok(Some(*id)),
            Some(row @ Row::Alternate(_)) => {
                let query = postroom_core::Query::of(&self.table.logical_name)
                    .select(&[])
                    .filter(row.filter(self.table))
                    .top(1);
                Ok(call.session.all(query).await?.first().map(|row| row.at.id))
            }
            None => Ok(None),
        }
    }

    /// The error for a row that is not there.
    pub(crate) fn missing(&self) -> Problem {
        match &self.row {
            Some(Row::Id(id)) => Problem::no_row(&self.table.logical_name, *id),
            _ => Problem::no_key(&self.table.logical_name),
        }
    }
}
