//! The Web API as a make of the port.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::Method;
use postroom_core::metadata::{ColumnInfo, ManyToMany, Metadata, TableInfo};
use postroom_core::{
    Capabilities, ChangeSet, ChangesAsk, Clock, Code, Content, CrmChanges, Fault, Ids, Query, RecordRef,
    Value,
};
use postroom_formats::odata::batch::MAX_OPERATIONS;
use uuid::Uuid;

use super::api::Api;
use super::body;
use super::changes::Run;
use super::config::Settings;
use super::op::{self, Op};
use super::read::Place;
use super::refusal::{Refusal, codes};
use super::wire::Ask;
use crate::client::line::{Line, Rules, Trouble};
use crate::client::{Defined, Organization, Part, Words};
use crate::outside::{Held, Who};
use crate::promises::lot::Step;
use crate::promises::write::{Parcel, Sent};
use crate::promises::{Listed, Manner};
use crate::sign_in::Transport;

/// A URL inside a batch has 64 KB, one outside far less.
const IN_BATCH: Listed = Listed { ids: 300, addresses: 100 };
const PLAIN: Listed = Listed { ids: 25, addresses: 8 };

/// Where bodies are kept that rows refer to: postroom's own store.
#[async_trait]
pub trait Bodies: Send + Sync {
    /// The bytes behind a handle.
    async fn read(&self, content: &Content) -> Result<Bytes, Fault>;
}

/// A Dynamics organisation, spoken to over its Web API.
pub type WebApi = Organization<Api>;

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
        let rules = Rules {
            timeout: settings.timeout,
            patience: settings.patience,
            tries: settings.tries,
            share: settings.share,
            batch: settings.batch.clamp(1, MAX_OPERATIONS),
        };
        Organization::of(Api::new(Line::new(transport, rules, ids), settings), bodies, clock)
    }
}

#[async_trait]
impl Words for Api {
    type Op = Op;
    type Place = Place;
    type Run = Run;

    fn line(&self) -> &Line {
        &self.line
    }

    fn acting_for(&self, user: Uuid) -> Api {
        self.in_the_name_of(user)
    }

    fn org_url(&self) -> &str {
        self.settings.org_url()
    }

    fn page_size(&self) -> u32 {
        self.settings.page
    }

    fn listed(&self) -> Listed {
        if self.batches() { IN_BATCH } else { PLAIN }
    }

    async fn connect(&self) -> Result<&str, Fault> {
        self.connected().await.map(|connected| connected.version.as_str())
    }

    fn can(&self) -> Capabilities {
        Capabilities {
            alternate_keys: true,
            upsert: true,
            change_tracking: true,
            multiple: self.can.multiple.load(Ordering::Relaxed) && !self.version().starts_with('8'),
            batch: self.batches(),
            transaction: self.batches(),
            update_state: true,
            deliver_incoming: true,
            concurrency: self.compares_all(),
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
        match self.json("RetrieveTimestamp()").await {
            Ok(told) => Ok(told["Timestamp"].as_str().map(str::to_owned)),
            Err(Trouble::Refused(refusal)) if refusal.unknown_here() => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }

    async fn complete(&self, found: &mut Metadata, tables: &[String]) -> Result<(), Fault> {
        self.choices(found, tables).await
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
        [codes::NOT_TRACKED, codes::TRACKED_ELSEWHERE].contains(&refusal.code) || refusal.unknown_here()
    }

    async fn tracked(
        &self,
        metadata: &Metadata,
        ask: &ChangesAsk,
        run: Option<Run>,
    ) -> Result<(CrmChanges, Run), Trouble> {
        self.changes(metadata, ask, run).await
    }

    async fn tie(
        &self,
        metadata: &Metadata,
        relation: &ManyToMany,
        at: &RecordRef,
        others: &[RecordRef],
        tie: bool,
    ) -> Result<(), Fault> {
        let near = if relation.first.table == at.table { &relation.first } else { &relation.second };
        let row = body::row_url(metadata, at)?;
        let list = self.url(&format!("{row}/{}", near.navigation));
        for other in others {
            let far = body::row_url(metadata, other)?;
            let (method, url, json) = match tie {
                true => {
                    let target = body::quoted(&self.url(&far));
                    (Method::POST, format!("{list}/$ref"), format!("{{\"@odata.id\":{target}}}"))
                }
                false => (Method::DELETE, format!("{list}({})/$ref", other.id), String::new()),
            };
            let headers =
                if tie { vec![("content-type", "application/json".to_owned())] } else { Vec::new() };
            let ask = Ask { method, url, headers, body: json.into(), repeatable: true, writes: 1 };
            match self.exchange(&ask).await {
                Ok(_) => {}
                // Tied already, or not any more.
                Err(Trouble::Refused(refusal)) if tie && refusal.duplicate() => {}
                Err(Trouble::Refused(refusal)) if !tie && refusal.missing() => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
    }

    async fn import_solution(&self, file: Bytes, job: Uuid) -> Result<(), Trouble> {
        let body = serde_json::json!({
            "OverwriteUnmanagedCustomizations": true, "PublishWorkflows": false, "ImportJobId": job,
            "CustomizationFile": BASE64.encode(&file),
        });
        let ask = Ask {
            method: Method::POST,
            url: self.url("ImportSolution"),
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string().into(),
            repeatable: false,
            writes: 1,
        };
        self.exchange(&ask).await.map(drop)
    }

    fn manner(&self) -> Manner {
        Manner { conditions: self.compares_all(), atomic: self.batches() }
    }

    fn fits(&self, table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<(), Fault> {
        body::json(table, column, value).map(drop)
    }

    fn say(&self, metadata: &Metadata, steps: Vec<Step>) -> Result<Vec<Op>, Fault> {
        steps.into_iter().map(|step| op::of(metadata, step, |table| self.compares(table))).collect()
    }

    async fn send(&self, sets: &[ChangeSet], parcels: &[Parcel<Op>]) -> Vec<Sent> {
        self.sets(sets, parcels).await
    }

    async fn who(&self) -> Result<Who, Fault> {
        let who = self.json("WhoAmI").await?;
        let id = |name: &str| who[name].as_str().and_then(|text| text.parse::<Uuid>().ok());
        match (id("UserId"), id("OrganizationId")) {
            (Some(user), Some(organization)) => Ok(Who { user, organization }),
            _ => Err(Fault::retry(Code::CRM_AWAY, "the CRM's answer to WhoAmI names no user")),
        }
    }

    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault> {
        let path = format!("systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()");
        let found = match self.json(&path).await {
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
}
