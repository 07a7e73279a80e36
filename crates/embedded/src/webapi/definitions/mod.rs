//! Definitions over the Web API: `EntityDefinitions`, `RelationshipDefinitions`, `GlobalOptionSetDefinitions`,
//! `ManagedPropertyDefinitions`, `$metadata`, and the functions and actions about definitions (dataverse.md A16 to A18).
//!
//! # Design
//!
//! * [`types`] lists the types of definitions once: rows are made by it and `$metadata` declares it.
//! * A [`node`] is one definition seen as a row; [`place`] follows a path to nodes, [`evaluate`] filters and shapes them.
//! * [`body`] reads definitions as clients send them, [`write`] puts them down, [`operations`] are the functions and actions.

mod body;
mod changes;
mod columns;
pub(crate) mod enums;
mod evaluate;
mod labels;
mod managed;
mod node;
mod operations;
mod place;
mod read;
mod relations;
mod sets;
mod tables;
pub(crate) mod types;
mod write;

use std::sync::Arc;

use http::Method;
use postroom_core::metadata::Metadata;
use postroom_formats::odata::path::Segment;

use super::call::Call;
use super::{Problem, Reply, csdl};
use crate::definitions;

/// Answers what is about definitions; `None` when the path is about something else.
pub(crate) async fn answer(call: &Call<'_>) -> Option<Result<Reply, Problem>> {
    match call.path.segments.first()? {
        Segment::Metadata => Some(csdl::answer(call)),
        Segment::Name { name, .. } if place::ROOTS.iter().any(|(root, _)| root == name) => {
            Some(match call.method {
                Method::GET => read::answer(call).await,
                _ => write::answer(call).await,
            })
        }
        Segment::Name { name, .. } | Segment::Qualified { name, .. }
            if operations::is_one(name) && call.door.settings.knows(name) =>
        {
            Some(operations::answer(call, name).await)
        }
        _ => None,
    }
}

/// The definitions after a change.
async fn current(call: &Call<'_>) -> Result<Arc<Metadata>, Problem> {
    let schema = call.session.crm().schema().await?;
    Ok(definitions::metadata(&schema))
}
