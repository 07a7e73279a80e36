//! The Organization service as a make of the port.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::metadata::{ColumnInfo, ManyToMany, Metadata, TableInfo};
use postroom_core::{
    Capabilities, ChangeSet, ChangesAsk, Clock, Code, CrmChanges, Fault, Ids, Query, RecordRef, Value,
};
use postroom_formats::soap::operation::{Association, Operation};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::{Any, Relationship};
use postroom_formats::xml::Element;
use uuid::Uuid;

use super::ability::Ability;
use super::body;
use super::changes::Run;
use super::config::Settings;
use super::op::{self, Op};
use super::read::Place;
use super::refusal::unknown;
use super::service::Service;
use crate::client::line::{Line, Rules, Trouble};
use crate::client::{Defined, Organization, Part, Words};
use crate::outside::{Held, Who};
use crate::promises::lot::Step;
use crate::promises::write::{Parcel, Sent};
use crate::promises::{Listed, Manner};
use crate::refusal::{Refusal, codes};
use crate::sign_in::Transport;
use crate::sign_in::claims::Signer;
use crate::webapi::Bodies;

/// The platform takes no more messages in one.
const MOST: usize = 1000;

/// A Dynamics organisation, spoken to over SOAP.
pub type Soap = Organization<Service>;

impl Soap {
    /// Nothing is asked yet: the first call connects. `transport` signs requests in, by a bearer token or by Windows' ways;
    /// for claims it is [`crate::sign_in::transport::Anonymous`].
    pub fn new(
        settings: Settings,
        transport: Arc<dyn Transport>,
        bodies: Arc<dyn Bodies>,
        clock: Clock,
        ids: Ids,
    ) -> Soap {
        let rules = Rules {
            timeout: settings.timeout,
            patience: settings.patience,
            tries: settings.tries,
            share: settings.share,
            batch: settings.batch.clamp(1, MOST),
        };
        Organization::of(Service::new(Line::new(transport, rules, ids), settings), bodies, clock)
    }

    /// The same with a signed header in each message (IFD): SOAP 1.2 at the service's own address,
    /// [`Settings::service`], for which the claims must be made.
    pub fn signed(mut self, claims: Arc<dyn Signer>) -> Soap {
        self.client.words.claims = Some(claims);
        self
    }
}

#[async_trait]
impl Words for Service {
    type Op = Op;
    type Place = Place;
    type Run = Run;

    fn line(&self) -> &Line {
        &self.line
    }

    fn acting_for(&self, user: Uuid) -> Service {
        self.in_the_name_of(user)
    }

    fn org_url(&self) -> &str {
        self.settings.org_url()
    }

    fn page_size(&self) -> u32 {
        self.settings.page
    }

    /// A message may be long, but the database behind it takes some 2000 values.
    fn listed(&self) -> Listed {
        Listed { ids: 500, addresses: 200 }
    }

    async fn connect(&self) -> Result<&str, Fault> {
        self.version().await
    }

    fn can(&self) -> Capabilities {
        let can = |ability| self.abilities.has(ability);
        Capabilities {
            alternate_keys: can(Ability::Keys),
            upsert: can(Ability::Upsert),
            change_tracking: can(Ability::Tracking),
            multiple: false,
            batch: can(Ability::Multiple),
            transaction: can(Ability::Transaction),
            update_state: can(Ability::State),
            deliver_incoming: true,
            concurrency: can(Ability::Conditions),
            ..Capabilities::default()
        }
    }

    async fn define(&self, tables: &[String]) -> Result<Vec<Defined>, Fault> {
        self.definitions(tables).await
    }

    async fn define_all(&self) -> Result<Vec<Defined>, Fault> {
        self.all_definitions().await
    }

    async fn stamp(&self) -> Result<Option<String>, Fault> {
        match self.execute(Request::new("RetrieveTimestamp"), true).await {
            Ok(told) => Ok(told.get("Timestamp").and_then(Any::as_str).map(str::to_owned)),
            Err(Trouble::Refused(refusal)) if unknown(&refusal) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn page(
        &self,
        metadata: &Metadata,
        query: &Query,
        size: u32,
        at: Option<Place>,
    ) -> Result<Part<Place>, Fault> {
        self.rows(metadata, query, size, at).await
    }

    async fn firsts(&self, metadata: &Metadata, queries: &[Query]) -> Result<Vec<Part<Place>>, Fault> {
        self.first_rows(metadata, queries).await
    }

    fn no_account(&self, refusal: &Refusal) -> bool {
        if unknown(refusal) {
            self.abilities.lose(Ability::Tracking);
        }
        unknown(refusal) || [codes::NOT_TRACKED, codes::TRACKED_ELSEWHERE].contains(&refusal.code)
    }

    async fn tracked(
        &self,
        metadata: &Metadata,
        ask: &ChangesAsk,
        run: Option<Run>,
    ) -> Result<(CrmChanges, Run), Trouble> {
        self.changes(metadata, ask, run.unwrap_or_default()).await
    }

    async fn tie(
        &self,
        _metadata: &Metadata,
        relation: &ManyToMany,
        at: &RecordRef,
        others: &[RecordRef],
        tie: bool,
    ) -> Result<(), Fault> {
        // Between rows of one table the role says which end this is.
        let role = (relation.first.table == relation.second.table).then(|| "Referencing".to_owned());
        let operation = |others: &[RecordRef]| {
            let association = Association {
                table: at.table.clone(),
                id: at.id,
                relationship: Relationship { schema_name: relation.schema_name.clone(), role: role.clone() },
                related: others.iter().map(body::reference).collect(),
            };
            if tie { Operation::Associate(association) } else { Operation::Disassociate(association) }
        };
        let done = |answer: Result<_, Trouble>| match answer {
            Ok(_) => Ok(true),
            // Tied already, or not any more.
            Err(Trouble::Refused(refusal)) if tie && refusal.duplicate() => Ok(false),
            Err(Trouble::Refused(refusal)) if !tie && refusal.missing() => Ok(false),
            Err(trouble) => Err(Fault::from(trouble)),
        };
        // A pair that stands already refuses them all: then each by itself.
        if !done(self.tell(operation(others), true).await)? && others.len() > 1 {
            for other in others {
                done(self.tell(operation(std::slice::from_ref(other)), true).await)?;
            }
        }
        Ok(())
    }

    async fn import_solution(&self, file: Bytes, job: Uuid) -> Result<(), Trouble> {
        let request = Request::new("ImportSolution")
            .with("OverwriteUnmanagedCustomizations", Any::Boolean(true))
            .with("PublishWorkflows", Any::Boolean(false))
            .with("CustomizationFile", Any::Binary(file.to_vec()))
            .with("ImportJobId", Any::Guid(job));
        self.execute(request, false).await.map(drop)
    }

    fn manner(&self) -> Manner {
        let can = |ability| self.abilities.has(ability);
        // A state that takes a message of its own has no version to go with it.
        let conditions = can(Ability::Conditions) && can(Ability::State);
        Manner { conditions, atomic: can(Ability::Transaction) }
    }

    fn fits(&self, table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<(), Fault> {
        body::any(table, column, value).map(drop)
    }

    fn say(&self, metadata: &Metadata, steps: Vec<Step>) -> Result<Vec<Op>, Fault> {
        let mut ops = Vec::with_capacity(steps.len());
        for step in steps {
            ops.extend(op::of(metadata, &self.abilities, step)?);
        }
        Ok(ops)
    }

    async fn send(&self, _sets: &[ChangeSet], parcels: &[Parcel<Op>]) -> Vec<Sent> {
        self.sets(parcels).await
    }

    async fn who(&self) -> Result<Who, Fault> {
        let who = self.execute(Request::new("WhoAmI"), true).await?;
        let id = |name: &str| who.get(name).and_then(Any::as_guid);
        match (id("UserId"), id("OrganizationId")) {
            (Some(user), Some(organization)) => Ok(Who { user, organization }),
            _ => Err(Fault::retry(Code::CRM_AWAY, "the CRM's answer to WhoAmI names no user")),
        }
    }

    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault> {
        let request = Request::new("RetrieveUserPrivileges").with("UserId", Any::Guid(user));
        let found = match self.execute(request, true).await {
            Ok(found) => found,
            Err(Trouble::Refused(refusal)) if unknown(&refusal) => return Ok(None),
            Err(trouble) => return Err(trouble.into()),
        };
        let held = |row: &Element| {
            let privilege = row.text_of("PrivilegeId")?.trim().parse().ok()?;
            Some(Held { privilege, whole: row.text_of("Depth") == Some("Global") })
        };
        Ok(match found.get("RolePrivileges") {
            Some(Any::Raw(list)) => Some(list.children.iter().filter_map(held).collect()),
            _ => None,
        })
    }
}
