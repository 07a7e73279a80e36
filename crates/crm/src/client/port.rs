//! The CRM outside as the port asks for it, whatever is spoken.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::metadata::{ColumnInfo, Metadata, TableInfo};
use postroom_core::{
    AddressHit, Capabilities, ChangeSet, ChangesAsk, Code, Content, Crm, CrmChanges, CrmPage, Delivery,
    Fault, IncomingMail, Outcome, Query, Record, RecordRef, Value, Verdict,
};
use uuid::Uuid;

use super::line::Trouble;
use super::{Client, Organization, Words};
use crate::outside::{Held, Outside, Seen, Who};
use crate::promises::limits::Limits;
use crate::promises::lot::Step;
use crate::promises::write::{self, Parcel, Sent};
use crate::promises::{Manner, Reads, Writes, deliver, look};
use crate::webapi::Bodies;

impl<W: Words> Client<W> {
    /// The client, once it is known which server this is.
    async fn ready(&self) -> Result<&Self, Fault> {
        self.words.connect().await?;
        Ok(self)
    }

    async fn tie(&self, name: &str, at: &RecordRef, others: &[RecordRef], tie: bool) -> Result<(), Fault> {
        if others.is_empty() {
            return Ok(());
        }
        let tables: Vec<&str> = others.iter().chain([at]).map(|row| row.table.as_str()).collect();
        let metadata = self.metadata(&tables).await?;
        let relation = metadata.many_to_many_of(&at.table).find(|one| one.schema_name == name);
        let text = || format!("{} has no many-to-many relationship {name}", at.table);
        let relation = relation.ok_or_else(|| Fault::reject(Code::CRM_UNKNOWN_COLUMN, text()))?;
        self.words.tie(&metadata, relation, at, others, tie).await
    }
}

#[async_trait]
impl<W: Words> Crm for Organization<W> {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        look::find(self.client.ready().await?, tables, ids).await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        look::find_addresses(self.client.ready().await?, addresses).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        self.client.ready().await?.all(query).await
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        self.client.ready().await?.page(query, size, after).await
    }

    async fn changes(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        self.client.ready().await?.changes(ask, &self.clock).await
    }

    async fn metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        self.client.ready().await?.described(tables).await
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        let version = self.client.words.connect().await?.to_owned();
        Ok(Capabilities {
            version,
            change_tracking: self.client.tracks_all(),
            max_batch: self.client.words.line().batch_size(),
            max_page: self.client.words.page_size(),
            ..self.client.words.can()
        })
    }

    async fn import_solution(&self, file: Bytes, job: Uuid) -> Result<(), Fault> {
        let client = self.client.ready().await?;
        let done = client.words.import_solution(file, job).await;
        // Whatever came of it: tables may be others now.
        client.forget_definitions();
        done.map_err(|trouble| match trouble {
            Trouble::Lost(fault) => Fault { verdict: Verdict::Unknown, ..fault },
            trouble => trouble.into(),
        })
    }

    /// `prvActOnBehalfOfAnotherUser` lets a caller do so; the server answers with what both may see.
    fn acting_for(&self, user: Uuid) -> Option<Arc<dyn Crm>> {
        let words = self.client.words.acting_for(user);
        Some(Arc::new(Organization::of(words, Arc::clone(&self.bodies), self.clock.clone())))
    }

    async fn associate(&self, relationship: &str, at: &RecordRef, others: &[RecordRef]) -> Result<(), Fault> {
        self.client.ready().await?.tie(relationship, at, others, true).await
    }

    async fn disassociate(
        &self,
        relationship: &str,
        at: &RecordRef,
        others: &[RecordRef],
    ) -> Result<(), Fault> {
        self.client.ready().await?.tie(relationship, at, others, false).await
    }

    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        match self.client.ready().await {
            Ok(_) => write::write(self, sets).await,
            Err(fault) => sets.iter().map(|_| Err(write::copy(&fault))).collect(),
        }
    }

    async fn deliver(&self, mails: Vec<IncomingMail>, dry_run: bool) -> Vec<Result<Delivery, Fault>> {
        match self.client.ready().await {
            Ok(client) => deliver::deliver(self, &client.words, mails, dry_run).await,
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
        let words = &self.client.words;
        let version = words.connect().await?;
        let who = words.who().await?;
        Ok(format!("{} version {version} as systemuser/{}", words.org_url(), who.user))
    }
}

#[async_trait]
impl<W: Words> Outside for Organization<W> {
    async fn who(&self) -> Result<Who, Fault> {
        self.client.ready().await?.words.who().await
    }

    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault> {
        self.client.ready().await?.words.privileges(user).await
    }

    fn seen(&self) -> Seen {
        self.client.words.line().seen()
    }
}

#[async_trait]
impl<W: Words> Writes for Organization<W> {
    type Op = W::Op;
    type Reads = Client<W>;

    fn reads(&self) -> &Client<W> {
        &self.client
    }

    fn manner(&self) -> Manner {
        self.client.words.manner()
    }

    fn bodies(&self) -> &dyn Bodies {
        &*self.bodies
    }

    async fn limits(&self) -> Result<Arc<Limits>, Fault> {
        self.client.limits().await
    }

    fn forget_limits(&self) {
        self.client.forget_limits();
    }

    fn forget_definitions(&self) {
        self.client.forget_definitions();
    }

    fn fits(&self, table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<(), Fault> {
        self.client.words.fits(table, column, value)
    }

    fn say(&self, metadata: &Metadata, steps: Vec<Step>) -> Result<Vec<W::Op>, Fault> {
        self.client.words.say(metadata, steps)
    }

    async fn send(&self, sets: &[ChangeSet], parcels: &[Parcel<W::Op>]) -> Vec<Sent> {
        self.client.words.send(sets, parcels).await
    }
}
