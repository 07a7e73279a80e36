//! The CRM behind a Web API, as the port asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use postroom_core::metadata::{ManyToMany, Metadata};
use postroom_core::{
    AddressHit, Capabilities, ChangeSet, ChangesAsk, Clock, Code, Content, Crm, CrmChanges, CrmPage,
    Delivery, Fault, Ids, IncomingMail, Outcome, Query, Record, RecordRef,
};
use uuid::Uuid;

use super::body;
use super::client::Client;
use super::config::Settings;
use super::wire::{Ask, Trouble, Wire};
use crate::outside::{Held, Outside, Seen, Who};
use crate::promises::{deliver, look, write};
use crate::sign_in::Transport;

/// Where bodies are kept that rows refer to: postroom's own store.
#[async_trait]
pub trait Bodies: Send + Sync {
    /// The bytes behind a handle.
    async fn read(&self, content: &Content) -> Result<Bytes, Fault>;
}

/// A Dynamics organisation, spoken to over its Web API.
pub struct WebApi {
    pub(super) client: Client,
    pub(super) bodies: Arc<dyn Bodies>,
    clock: Clock,
}

impl WebApi {
    /// Nothing is asked yet: the first call connects. `transport` signs in, and brings TLS, proxies and private CAs; it must
    /// not follow redirects to other hosts and needs no cookies.
    pub fn new(
        settings: Settings,
        transport: Arc<dyn Transport>,
        bodies: Arc<dyn Bodies>,
        clock: Clock,
        ids: Ids,
    ) -> WebApi {
        let wire = Wire::new(transport, settings.clone(), ids);
        WebApi { client: Client::new(wire, settings), bodies, clock }
    }

    /// The other side's navigation property and table, seen from `at`.
    async fn relationship(&self, name: &str, at: &RecordRef) -> Result<(Arc<Metadata>, ManyToMany), Fault> {
        let metadata = self.client.metadata(&[&at.table]).await?;
        let found = metadata.many_to_many_of(&at.table).find(|one| one.schema_name == name).cloned();
        let text = || format!("{} has no many-to-many relationship {name}", at.table);
        let found = found.ok_or_else(|| Fault::reject(Code::CRM_UNKNOWN_COLUMN, text()))?;
        Ok((metadata, found))
    }

    async fn tie(&self, name: &str, at: &RecordRef, others: &[RecordRef], tie: bool) -> Result<(), Fault> {
        self.client.connect().await?;
        let (_, relation) = self.relationship(name, at).await?;
        let near = if relation.first.table == at.table { &relation.first } else { &relation.second };
        for other in others {
            let metadata = self.client.metadata(&[&at.table, &other.table]).await?;
            let (row, far) = (body::row_url(&metadata, at)?, body::row_url(&metadata, other)?);
            let list = self.client.url(&format!("{row}/{}", near.navigation));
            let (method, url, json) = match tie {
                true => {
                    let target = body::quoted(&self.client.url(&far));
                    (Method::POST, format!("{list}/$ref"), format!("{{\"@odata.id\":{target}}}"))
                }
                false => (Method::DELETE, format!("{list}({})/$ref", other.id), String::new()),
            };
            let headers =
                if tie { vec![("content-type", "application/json".to_owned())] } else { Vec::new() };
            let ask = Ask { method, url, headers, body: json.into(), repeatable: true };
            match self.client.wire.send(&ask).await {
                Ok(_) => {}
                // Tied already, or not any more.
                Err(Trouble::Refused(refusal)) if tie && refusal.duplicate() => {}
                Err(Trouble::Refused(refusal)) if !tie && refusal.missing() => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Crm for WebApi {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        self.client.connect().await?;
        look::find(&self.client, tables, ids).await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        self.client.connect().await?;
        look::find_addresses(&self.client, addresses).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        self.client.connect().await?;
        self.client.all(query).await
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        self.client.connect().await?;
        self.client.page(query, size, after).await
    }

    async fn changes(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        self.client.connect().await?;
        self.client.changes(ask, &self.clock).await
    }

    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        self.client.connect().await?;
        let mut found = self.client.whole_metadata(tables).await?;
        let named = |name: &String| tables.is_empty() || tables.contains(&name.as_str());
        found.one_to_many.retain(|one| named(&one.referenced_table) || named(&one.referencing_table));
        found.many_to_many.retain(|many| named(&many.first.table) || named(&many.second.table));
        found.tables.retain(|table| named(&table.logical_name));
        Ok(found)
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        let version = self.client.connect().await?.version.clone();
        let untracked =
            self.client.can.untracked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len();
        let can = |flag: &std::sync::atomic::AtomicBool| flag.load(Ordering::Relaxed);
        Ok(Capabilities {
            alternate_keys: true,
            upsert: true,
            change_tracking: untracked == 0,
            multiple: can(&self.client.can.multiple) && !version.starts_with('8'),
            batch: can(&self.client.can.batch),
            transaction: can(&self.client.can.batch),
            update_state: true,
            deliver_incoming: true,
            concurrency: true,
            max_batch: self.client.batch_size(),
            max_page: self.client.settings.page,
            version,
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
        match self.client.connect().await {
            Ok(_) => write::write(self, sets).await,
            Err(fault) => sets.iter().map(|_| Err(write::copy(&fault))).collect(),
        }
    }

    async fn deliver(&self, mails: Vec<IncomingMail>, dry_run: bool) -> Vec<Result<Delivery, Fault>> {
        match self.client.connect().await {
            Ok(_) => deliver::deliver(self, mails, dry_run).await,
            Err(fault) => mails.iter().map(|_| Err(write::copy(&fault))).collect(),
        }
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        match content {
            Content::Bytes(bytes) => Ok(bytes.clone()),
            content => self.bodies.read(content).await,
        }
    }

    async fn check(&self) -> Result<String, Fault> {
        let version = &self.client.connect().await?.version;
        let who = self.who().await?;
        Ok(format!("{} version {version} as systemuser/{}", self.client.settings.org_url(), who.user))
    }
}

#[async_trait]
impl Outside for WebApi {
    async fn who(&self) -> Result<Who, Fault> {
        self.client.connect().await?;
        let who = self.client.json("WhoAmI").await?;
        let id = |name: &str| who[name].as_str().and_then(|text| text.parse::<Uuid>().ok());
        match (id("UserId"), id("OrganizationId")) {
            (Some(user), Some(organization)) => Ok(Who { user, organization }),
            _ => Err(Fault::retry(Code::CRM_AWAY, "the CRM's answer to WhoAmI names no user")),
        }
    }

    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault> {
        self.client.connect().await?;
        let path = format!("systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        let found = match self.client.json(&path).await {
            Ok(found) => found,
            Err(Trouble::Refused(refusal)) if refusal.unknown_here() => return Ok(None),
            Err(trouble) => return Err(trouble.into()),
        };
        let held = |row: &serde_json::Value| {
            let privilege = row["PrivilegeId"].as_str()?.parse().ok()?;
            // The enumeration by name, or by its number.
            let whole = row["Depth"] == "Global" || row["Depth"] == 3;
            Some(Held { privilege, whole })
        };
        Ok(Some(found["RolePrivileges"].as_array().into_iter().flatten().filter_map(held).collect()))
    }

    fn seen(&self) -> Seen {
        self.client.wire.seen()
    }
}
