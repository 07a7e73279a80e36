//! The CRM behind the Organization service, as the port asks for it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::metadata::Metadata;
use postroom_core::{
    AddressHit, Capabilities, ChangeSet, ChangesAsk, Clock, Code, Content, Crm, CrmChanges, CrmPage,
    Delivery, Fault, Ids, IncomingMail, Outcome, Query, Record, RecordRef,
};
use postroom_formats::soap::operation::{Association, Operation};
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::{Any, Relationship};
use postroom_formats::xml::Element;
use uuid::Uuid;

use super::ability::Ability;
use super::body;
use super::client::Client;
use super::config::Settings;
use super::refusal::unknown;
use super::wire::{Trouble, Wire};
use crate::outside::{Held, Outside, Seen, Who};
use crate::promises::{deliver, look, write};
use crate::sign_in::Transport;
use crate::sign_in::claims::Signer;
use crate::webapi::Bodies;

/// A Dynamics organisation, spoken to over SOAP.
pub struct Soap {
    pub(super) client: Client,
    pub(super) bodies: Arc<dyn Bodies>,
    clock: Clock,
}

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
        let wire = Wire::new(transport, settings.clone(), ids);
        Soap { client: Client::new(wire, settings), bodies, clock }
    }

    /// The same with a signed header in each message (IFD): SOAP 1.2 at the service's own address,
    /// [`Settings::service`], for which the claims must be made.
    pub fn signed(mut self, claims: Arc<dyn Signer>) -> Soap {
        self.client.wire.sign(claims);
        self
    }

    async fn tie(&self, name: &str, at: &RecordRef, others: &[RecordRef], tie: bool) -> Result<(), Fault> {
        if others.is_empty() {
            return Ok(());
        }
        let metadata = self.client.metadata(&[&at.table]).await?;
        let text = || format!("{} has no many-to-many relationship {name}", at.table);
        let relation = metadata.many_to_many_of(&at.table).find(|one| one.schema_name == name);
        let relation = relation.ok_or_else(|| Fault::reject(Code::CRM_UNKNOWN_COLUMN, text()))?;
        // Between rows of one table the role says which end this is.
        let role = (relation.first.table == relation.second.table).then(|| "Referencing".to_owned());
        let operation = |others: &[RecordRef]| {
            let association = Association {
                table: at.table.clone(),
                id: at.id,
                relationship: Relationship { schema_name: name.to_owned(), role: role.clone() },
                related: others.iter().map(body::reference).collect(),
            };
            if tie { Operation::Associate(association) } else { Operation::Disassociate(association) }
        };
        let done = |answer: Result<_, Trouble>| match answer {
            Ok(_) => Ok(true),
            // Tied already, or not any more.
            Err(Trouble::Refused(refusal, _)) if tie && refusal.duplicate() => Ok(false),
            Err(Trouble::Refused(refusal, _)) if !tie && refusal.missing() => Ok(false),
            Err(trouble) => Err(Fault::from(trouble)),
        };
        // A pair that stands already refuses them all: then each by itself.
        if !done(self.client.send(operation(others), true).await)? && others.len() > 1 {
            for other in others {
                done(self.client.send(operation(std::slice::from_ref(other)), true).await)?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Crm for Soap {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        look::find(&self.client, tables, ids).await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        look::find_addresses(&self.client, addresses).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        self.client.all(query).await
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        self.client.page(query, size, after).await
    }

    async fn changes(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        self.client.changes(ask, &self.clock).await
    }

    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        if tables.is_empty() {
            return self.client.whole_metadata().await;
        }
        let mut found = Metadata::clone(&*self.client.metadata(tables).await?);
        let named = |name: &String| tables.contains(&name.as_str());
        found.one_to_many.retain(|one| named(&one.referenced_table) || named(&one.referencing_table));
        found.many_to_many.retain(|many| named(&many.first.table) || named(&many.second.table));
        found.tables.retain(|table| named(&table.logical_name));
        Ok(found)
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        let version = self.client.version().await?.to_owned();
        let can = |ability| self.client.abilities.has(ability);
        Ok(Capabilities {
            version,
            alternate_keys: can(Ability::Keys),
            upsert: can(Ability::Upsert),
            change_tracking: self.client.abilities.tracks_all(),
            multiple: false,
            batch: can(Ability::Multiple),
            transaction: can(Ability::Transaction),
            update_state: can(Ability::State),
            deliver_incoming: true,
            concurrency: can(Ability::Conditions),
            max_batch: self.client.batch_size(),
            max_page: self.client.settings.page,
        })
    }

    async fn associate(&self, relationship: &str, at: &RecordRef, others: &[RecordRef]) -> Result<(), Fault> {
        self.tie(relationship, at, others, true).await
    }

    async fn disassociate(
        &self,
        relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        self.tie(relationship, at, others, false).await
    }

    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        write::write(self, sets).await
    }

    async fn deliver(&self, mails: Vec<IncomingMail>, dry_run: bool) -> Vec<Result<Delivery, Fault>> {
        deliver::deliver(self, mails, dry_run).await
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        match content {
            Content::Bytes(bytes) => Ok(bytes.clone()),
            content => self.bodies.read(content).await,
        }
    }

    async fn check(&self) -> Result<String, Fault> {
        let version = self.client.version().await?;
        let who = self.who().await?;
        Ok(format!("{} version {version} as systemuser/{}", self.client.settings.org_url(), who.user))
    }
}

#[async_trait]
impl Outside for Soap {
    async fn who(&self) -> Result<Who, Fault> {
        let who = self.client.execute(Request::new("WhoAmI"), true).await?;
        let id = |name: &str| who.get(name).and_then(Any::as_guid);
        match (id("UserId"), id("OrganizationId")) {
            (Some(user), Some(organization)) => Ok(Who { user, organization }),
            _ => Err(Fault::retry(Code::CRM_AWAY, "the CRM's answer to WhoAmI names no user")),
        }
    }

    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault> {
        let request = Request::new("RetrieveUserPrivileges").with("UserId", Any::Guid(user));
        let found = match self.client.execute(request, true).await {
            Ok(found) => found,
            Err(Trouble::Refused(refusal, _)) if unknown(&refusal) => return Ok(None),
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

    fn seen(&self) -> Seen {
        self.client.wire.seen()
    }
}
