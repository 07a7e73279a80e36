//! Asking for things: messages, many messages in one, definitions. What the server turned out not to know is remembered.

use std::sync::{Arc, OnceLock};

use futures_util::stream::{self, StreamExt};
use postroom_core::metadata::{ManyToMany, OneToMany, TableInfo};
use postroom_core::{Code, Fault};
use postroom_formats::soap::names::METADATA;
use postroom_formats::soap::operation::{Answer, Operation};
use postroom_formats::soap::reply::{Item, Said};
use postroom_formats::soap::request::{Request, Response, Settings as Several};
use postroom_formats::soap::value::Any;
use postroom_formats::soap::{Error, Generation, metadata};
use postroom_formats::xml::Element;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::ability::{Abilities, Ability, generation};
use super::config::Settings;
use super::refusal::{self, unknown};
use crate::client::Defined;
use crate::client::line::{Line, Trouble};
use crate::promises::no_table;
use crate::refusal::{Refusal, codes};
use crate::sign_in::claims::Signer;

/// Parts of a definition that are asked for.
const PARTS: &str = "Entity Attributes Privileges Relationships";

/// The words of the Organization service.
pub struct Service {
    pub(super) line: Line,
    /// Who signs messages in their headers.
    pub(super) claims: Option<Arc<dyn Signer>>,
    pub(super) settings: Settings,
    /// In whose name messages are sent, when it is not the one who signed in.
    pub(super) caller: Option<Uuid>,
    pub(super) abilities: Abilities,
    /// Asked once.
    version: OnceCell<String>,
    generation: OnceLock<Generation>,
}

impl Service {
    pub(super) fn new(line: Line, settings: Settings) -> Service {
        let (abilities, version) = (Abilities::new(), OnceCell::new());
        let generation = OnceLock::new();
        Service { line, claims: None, settings, caller: None, abilities, version, generation }
    }

    pub(super) fn in_the_name_of(&self, user: Uuid) -> Service {
        let claims = self.claims.clone();
        Service { claims, caller: Some(user), ..Service::new(self.line.beside(), self.settings.clone()) }
    }

    /// How this server is written to; the first question is asked as every server understands it.
    pub(super) fn generation(&self) -> Generation {
        self.generation.get().copied().unwrap_or(Generation::Crm2011)
    }

    /// `9.2.24044.200`, and with it what the server can.
    pub(super) async fn version(&self) -> Result<&str, Fault> {
        let asked = self.version.get_or_try_init(async || {
            let request = Operation::Execute(Request::new("RetrieveVersion"));
            let version = match self.exchange(&request, Generation::Crm2011, true).await {
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
        self.tell(operation, true).await
    }

    pub(super) async fn tell(&self, operation: Operation, repeatable: bool) -> Result<Said, Trouble> {
        self.version().await.map_err(Trouble::Fault)?;
        self.exchange(&operation, self.generation(), repeatable).await
    }

    pub(super) async fn execute(&self, request: Request, repeatable: bool) -> Result<Response, Trouble> {
        let name = request.name.clone();
        match self.tell(Operation::Execute(request), repeatable).await? {
            Said::Answer(Answer::Execute(response)) => Ok(response),
            _ => Err(Trouble::Fault(strange(&name))),
        }
    }

    /// Messages that only read, in one where the server takes that; the answers stand in their order.
    pub(super) async fn several(&self, requests: Vec<Request>) -> Result<Vec<Result<Said, Refusal>>, Fault> {
        if requests.len() > 1 && self.can(Ability::Multiple).await? {
            let settings = Several { continue_on_error: true, return_responses: true };
            match self.multiple(requests.clone(), settings, true).await {
                Err(Trouble::Refused(refusal)) if unknown(&refusal) => self.abilities.lose(Ability::Multiple),
                Err(trouble) => return Err(trouble.into()),
                Ok(items) => return in_order(requests.len(), items),
            }
        }
        let one = |request: Request| async move {
            match self.ask(Operation::Execute(request)).await {
                Ok(said) => Ok(Ok(said)),
                Err(Trouble::Refused(refusal)) => Ok(Err(refusal)),
                Err(trouble) => Err(Fault::from(trouble)),
            }
        };
        let lanes = self.line.lanes.open();
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
        match self.tell(Operation::Execute(request), repeatable).await? {
            Said::Many(items) => Ok(items),
            // Nobody asked for answers, and nothing was refused.
            Said::Answer(Answer::Execute(response)) if response.get("Responses").is_none() => Ok(Vec::new()),
            _ => Err(Trouble::Lost(strange("ExecuteMultiple"))),
        }
    }

    pub(super) async fn definitions(&self, tables: &[String]) -> Result<Vec<Defined>, Fault> {
        let requests = tables.iter().map(|name| definition(name)).collect();
        let answers = self.several(requests).await?;
        let one = |(name, answer): (&String, Result<Said, Refusal>)| {
            let said = answer.map_err(|refusal| match refusal.code {
                codes::NO_ENTITY | codes::NOT_FOUND => no_table(name),
                _ => refusal.fault(),
            })?;
            match &said {
                Said::Answer(Answer::Execute(response)) => match response.get("EntityMetadata") {
                    Some(Any::Raw(element)) => defined(element),
                    _ => Err(strange("RetrieveEntity")),
                },
                _ => Err(strange("RetrieveEntity")),
            }
        };
        tables.iter().zip(answers).map(one).collect()
    }

    pub(super) async fn all_definitions(&self) -> Result<Vec<Defined>, Fault> {
        let request = Request::new("RetrieveAllEntities")
            .with("EntityFilters", Any::enumeration(METADATA, "EntityFilters", PARTS))
            .with("RetrieveAsIfPublished", Any::Boolean(false));
        let response = self.execute(request, true).await?;
        match response.get("EntityMetadata") {
            Some(Any::Raw(list)) => list.children.iter().map(defined).collect(),
            _ => Err(strange("RetrieveAllEntities")),
        }
    }
}

fn definition(name: &str) -> Request {
    Request::new("RetrieveEntity")
        .with("EntityFilters", Any::enumeration(METADATA, "EntityFilters", PARTS))
        .with("LogicalName", Any::String(name.to_owned()))
        .with("MetadataId", Any::Guid(Uuid::nil()))
        .with("RetrieveAsIfPublished", Any::Boolean(false))
}

fn defined(element: &Element) -> Result<Defined, Fault> {
    let read = || -> Result<(TableInfo, Vec<OneToMany>, Vec<ManyToMany>), Error> {
        let (one_to_many, many_to_many) = metadata::relations(element)?;
        Ok((metadata::table(element)?, one_to_many, many_to_many))
    };
    read().map_err(|error| {
        Fault::retry(Code::CRM_AWAY, format!("the CRM's definitions cannot be read: {error}"))
    })
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
