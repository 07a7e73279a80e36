//! Asking for things: messages, many messages in one, definitions. What the server turned out not to know is remembered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use postroom_core::metadata::Metadata;
use postroom_core::{Code, CrmPage, Fault, Query, Record};
use postroom_formats::soap::Generation;
use postroom_formats::soap::metadata;
use postroom_formats::soap::names::METADATA;
use postroom_formats::soap::operation::{Answer, Operation};
use postroom_formats::soap::reply::{Item, Said};
use postroom_formats::soap::request::{Request, Response, Settings as Several};
use postroom_formats::soap::value::Any;
use postroom_formats::xml::Element;
use tokio::sync::{Mutex as Turn, OnceCell};
use uuid::Uuid;

use super::ability::{Abilities, Ability, generation};
use super::config::Settings;
use super::refusal::{self, unknown};
use super::wire::{Trouble, Wire};
use crate::promises::limits::{Limits, ask};
use crate::promises::{Listed, Reads, no_table};
use crate::refusal::{Refusal, codes};

/// The platform takes no more messages in one.
const MOST: usize = 1000;
/// Parts of a definition that are asked for.
const PARTS: &str = "Entity Attributes Privileges Relationships";

pub(crate) struct Client {
    pub(super) wire: Wire,
    pub(super) settings: Settings,
    pub(super) abilities: Abilities,
    /// Messages in one: shrinks when the server needs too long.
    batch: AtomicUsize,
    known: Mutex<Arc<Metadata>>,
    /// Definitions are read by one task at a time.
    turn: Turn<()>,
    /// Asked once.
    version: OnceCell<String>,
    generation: OnceLock<Generation>,
    limits: OnceCell<Limits>,
}

impl Client {
    pub(super) fn new(wire: Wire, settings: Settings) -> Client {
        Client {
            wire,
            abilities: Abilities::new(),
            batch: AtomicUsize::new(settings.batch.clamp(1, MOST)),
            known: Mutex::default(),
            turn: Turn::default(),
            version: OnceCell::new(),
            generation: OnceLock::new(),
            limits: OnceCell::new(),
            settings,
        }
    }

    pub(super) fn batch_size(&self) -> usize {
        self.batch.load(Ordering::Relaxed)
    }

    /// The server needed too long for so many messages.
    pub(super) fn shrink(&self, size: usize) {
        self.batch.fetch_min((size / 2).max(1), Ordering::Relaxed);
    }

    /// How this server is written to; the first question is asked as every server understands it.
    pub(super) fn generation(&self) -> Generation {
        self.generation.get().copied().unwrap_or(Generation::Crm2011)
    }

    /// `9.2.24044.200`, and with it what the server can.
    pub(super) async fn version(&self) -> Result<&str, Fault> {
        let asked = self.version.get_or_try_init(async || {
            let request = Operation::Execute(Request::new("RetrieveVersion"));
            let version = match self.wire.send(&request, Generation::Crm2011, true).await {
                Ok(Said::Answer(Answer::Execute(response))) => text(&response, "Version"),
                Ok(_) => return Err(strange("RetrieveVersion")),
                Err(trouble) => return Err(trouble.into()),
            };
            self.abilities.learn(&version);
            self.generation.get_or_init(|| generation(&version));
            Ok(version)
        });
        asked.await.map(String::as_str)
    }

    pub(super) async fn can(&self, ability: Ability) -> Result<bool, Fault> {
        self.version().await?;
        Ok(self.abilities.has(ability))
    }

    /// Something that only reads.
    pub(super) async fn ask(&self, operation: Operation) -> Result<Said, Trouble> {
        self.send(operation, true).await
    }

    pub(super) async fn send(&self, operation: Operation, repeatable: bool) -> Result<Said, Trouble> {
        self.version().await.map_err(Trouble::Fault)?;
        self.wire.send(&operation, self.generation(), repeatable).await
    }

    pub(super) async fn execute(&self, request: Request, repeatable: bool) -> Result<Response, Trouble> {
        let name = request.name.clone();
        match self.send(Operation::Execute(request), repeatable).await? {
            Said::Answer(Answer::Execute(response)) => Ok(response),
            _ => Err(Trouble::Fault(strange(&name))),
        }
    }

    /// Messages that only read, in one where the server takes that; the answers stand in their order.
    pub(super) async fn several(
        &self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Said, Refusal>>, Fault> {
        if requests.len() > 1 && self.can(Ability::Multiple).await? {
            let settings = Several { continue_on_error: true, return_responses: true };
            match self.multiple(requests.clone(), settings, true).await {
                Err(Trouble::Refused(refusal, _)) if unknown(&refusal) => {
                    self.abilities.lose(Ability::Multiple)
                }
                Err(trouble) => return Err(trouble.into()),
                Ok(items) => return in_order(requests.len(), items),
            }
        }
        let one = |request: Request| async move {
            match self.ask(Operation::Execute(request)).await {
                Ok(said) => Ok(Ok(said)),
                Err(Trouble::Refused(refusal, _)) => Ok(Err(refusal)),
                Err(trouble) => Err(Fault::from(trouble)),
            }
        };
        let lanes = self.wire.lanes.open();
        let answers: Vec<_> = stream::iter(requests.into_iter().map(one)).buffered(lanes).collect().await;
        answers.into_iter().collect()
    }

    /// `ExecuteMultiple`.
    pub(super) async fn multiple(
        &self,
        requests: Vec<Request>,
        settings: Several,
        repeatable: bool,
    ) -> Result<Vec<Item>, Trouble> {
        let request = Request::new("ExecuteMultiple")
            .with("Requests", Any::Requests(requests))
            .with("Settings", Any::Settings(settings));
        match self.send(Operation::Execute(request), repeatable).await? {
            Said::Many(items) => Ok(items),
            // Nobody asked for answers, and nothing was refused.
            Said::Answer(Answer::Execute(response)) if response.get("Responses").is_none() => Ok(Vec::new()),
            _ => Err(Trouble::Lost(strange("ExecuteMultiple"))),
        }
    }

    /// The definitions of these tables, read when they are not known yet.
    pub(super) async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
        let missing = |known: &Metadata| {
            let mut missing: Vec<String> = tables
                .iter()
                .filter(|name| known.table(name).is_none())
                .map(|name| (*name).to_owned())
                .collect();
            missing.sort();
            missing.dedup();
            missing
        };
        let known = self.known();
        if missing(&known).is_empty() {
            return Ok(known);
        }
        let _turn = self.turn.lock().await;
        let known = self.known();
        let wanted = missing(&known);
        let mut more = Metadata::clone(&known);
        let requests = wanted.iter().map(|name| definition(name)).collect();
        for (name, answer) in wanted.iter().zip(self.several(requests).await?) {
            let response = answer.map_err(|refusal| match refusal.code {
                codes::NO_ENTITY | codes::NOT_FOUND => no_table(name),
                _ => refusal.fault(),
            })?;
            match response {
                Said::Answer(Answer::Execute(response)) => match response.get("EntityMetadata") {
                    Some(Any::Raw(element)) => add(&mut more, element)?,
                    _ => return Err(strange("RetrieveEntity")),
                },
                _ => return Err(strange("RetrieveEntity")),
            }
        }
        let more = Arc::new(more);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&more);
        Ok(more)
    }

    /// The definitions of every table.
    pub(super) async fn whole_metadata(&self) -> Result<Metadata, Fault> {
        let request = Request::new("RetrieveAllEntities")
            .with("EntityFilters", Any::enumeration(METADATA, "EntityFilters", PARTS))
            .with("RetrieveAsIfPublished", Any::Boolean(false));
        let response = self.execute(request, true).await?;
        let Some(Any::Raw(list)) = response.get("EntityMetadata") else {
            return Err(strange("RetrieveAllEntities"));
        };
        let mut all = Metadata::default();
        list.children.iter().try_for_each(|element| add(&mut all, element))?;
        Ok(all)
    }

    fn known(&self) -> Arc<Metadata> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Definitions have changed, it seems: they are read again when they are needed.
    pub(super) fn forget_definitions(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    pub(super) async fn limits(&self) -> Result<&Limits, Fault> {
        self.limits.get_or_try_init(|| ask(self)).await
    }
}

#[async_trait]
impl Reads for Client {
    async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
        Client::metadata(self, tables).await
    }

    async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        Client::all(self, query).await
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        Client::page(self, query, size, after).await
    }

    async fn many(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        Client::many(self, queries).await
    }

    /// A message may be long, but the database behind it takes some 2000 values.
    fn listed(&self) -> Listed {
        Listed { ids: 500, addresses: 200 }
    }
}

fn definition(name: &str) -> Request {
    Request::new("RetrieveEntity")
        .with("EntityFilters", Any::enumeration(METADATA, "EntityFilters", PARTS))
        .with("LogicalName", Any::String(name.to_owned()))
        .with("MetadataId", Any::Guid(Uuid::nil()))
        .with("RetrieveAsIfPublished", Any::Boolean(false))
}

/// Adds a table to what is known; one that is known already is replaced.
fn add(known: &mut Metadata, element: &Element) -> Result<(), Fault> {
    let wrong = |error: postroom_formats::soap::Error| {
        Fault::retry(Code::CRM_AWAY, format!("the CRM's definitions cannot be read: {error}"))
    };
    let table = metadata::table(element).map_err(wrong)?;
    let (one_to_many, many_to_many) = metadata::relations(element).map_err(wrong)?;
    known.tables.retain(|other| other.logical_name != table.logical_name);
    known.tables.push(table);
    for one in one_to_many {
        let same = |known: &&postroom_core::metadata::OneToMany| {
            known.schema_name == one.schema_name && known.referencing_table == one.referencing_table
        };
        if known.one_to_many.iter().find(same).is_none() {
            known.one_to_many.push(one);
        }
    }
    for many in many_to_many {
        if !known.many_to_many.iter().any(|known| known.schema_name == many.schema_name) {
            known.many_to_many.push(many);
        }
    }
    Ok(())
}

/// The answers of `ExecuteMultiple` to so many messages.
fn in_order(count: usize, items: Vec<Item>) -> Result<Vec<Result<Said, Refusal>>, Fault> {
    let mut answers: Vec<Option<Result<Said, Refusal>>> = (0..count).map(|_| None).collect();
    for item in items {
        let place = usize::try_from(item.index).ok().and_then(|index| answers.get_mut(index));
        let Some(place) = place else { continue };
        *place = match (item.fault, item.said) {
            (Some(fault), _) => Some(Err(refusal::of(&fault, http::StatusCode::INTERNAL_SERVER_ERROR))),
            (None, said) => said.map(Ok),
        };
    }
    let cut = || Fault::retry(Code::CRM_AWAY, "the CRM left out answers of many messages in one");
    answers.into_iter().map(|answer| answer.ok_or_else(cut)).collect()
}

pub(super) fn text(response: &Response, name: &str) -> String {
    response.get(name).and_then(Any::as_str).unwrap_or_default().to_owned()
}

/// An answer to something else.
pub(super) fn strange(name: &str) -> Fault {
    Fault::retry(Code::CRM_AWAY, format!("the CRM's answer to {name} is none"))
}
