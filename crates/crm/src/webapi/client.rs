//! Asking for things: rows, batches, definitions. What the server turned out not to know is remembered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Method, StatusCode};
use postroom_core::metadata::Metadata;
use postroom_core::{Code, Fault, Verdict};
use postroom_formats::odata::batch::{self, BatchAnswer, BatchItem, Request, Response};
use serde_json::Value as Json;
use tokio::sync::{Mutex as Turn, OnceCell};

use super::config::Settings;
use super::limits::Limits;
use super::metadata;
use super::refusal::Refusal;
use super::wire::{Ask, Reply, Trouble, Wire, header};

/// Requests of a batch of reads at most, and the bytes of any batch.
const READS: usize = 100;
/// The versions in URLs that there are, newest first. A server answers its own and older ones, but 8.x none of 9.x.
const VERSIONS: [&str; 6] = ["9.2", "9.1", "9.0", "8.2", "8.1", "8.0"];

/// What this server can do, as far as is known; a refusal takes it away.
#[derive(Debug)]
pub(crate) struct Can {
    pub batch: AtomicBool,
    pub multiple: AtomicBool,
    /// Tables whose changes are not tracked.
    pub untracked: Mutex<Vec<String>>,
}

/// What is known of a server once it has answered.
#[derive(Debug)]
pub(crate) struct Connected {
    root: String,
    pub version: String,
}

pub(crate) struct Client {
    pub wire: Wire,
    pub settings: Settings,
    pub can: Can,
    /// The root of all URLs and the server's own version (`9.2.24044.200`).
    connected: OnceCell<Connected>,
    /// Requests of one batch of writes: shrinks when the server needs too long.
    batch: AtomicUsize,
    known: Mutex<Arc<Metadata>>,
    /// Definitions are read by one task at a time.
    turn: Turn<()>,
    pub(super) limits: OnceCell<Limits>,
}

impl Client {
    pub(crate) fn new(wire: Wire, settings: Settings) -> Client {
        let batch = AtomicUsize::new(settings.batch.clamp(1, batch::MAX_OPERATIONS));
        Client {
            wire,
            connected: OnceCell::new(),
            batch,
            can: Can {
                batch: AtomicBool::new(true),
                multiple: AtomicBool::new(true),
                untracked: Mutex::default(),
            },
            known: Mutex::default(),
            turn: Turn::default(),
            limits: OnceCell::new(),
            settings,
        }
    }

    /// Finds out which version of the Web API there is, once. Every call of the port begins with it.
    pub(crate) async fn connect(&self) -> Result<&Connected, Fault> {
        self.connected.get_or_try_init(|| self.find_root()).await
    }

    async fn find_root(&self) -> Result<Connected, Fault> {
        let wanted = self.settings.version.as_deref();
        for version in VERSIONS.into_iter().filter(|known| wanted.is_none_or(|wanted| wanted == *known)) {
            let root = self.settings.root(version);
            match self.wire.send(&Ask::get(format!("{root}/RetrieveVersion()"))).await {
                Ok(reply) => {
                    let json: Json = serde_json::from_slice(&reply.body).map_err(not_here)?;
                    let server = json["Version"].as_str().unwrap_or(version).to_owned();
                    return Ok(Connected { root, version: server });
                }
                Err(Trouble::Refused(refusal)) if matches!(refusal.status, 400 | 404 | 405 | 501) => {}
                Err(trouble) => return Err(trouble.into()),
            }
        }
        let which = wanted.map_or("no Web API".to_owned(), |version| format!("no Web API v{version}"));
        let text = format!(
            "{} has {which}: check org_url; a Dynamics older than 2016 is spoken to with crm.kind = \"soap\"",
            self.settings.org_url()
        );
        Err(Fault::new(Verdict::Hold, Code::CRM_REFUSED, text))
    }

    /// A URL below the root.
    pub(crate) fn url(&self, path: &str) -> String {
        let connected = self.connected.get().expect("every call of the port connects first");
        format!("{}/{path}", connected.root)
    }

    pub(crate) fn batches(&self) -> bool {
        self.can.batch.load(Ordering::Relaxed)
    }

    pub(crate) fn batch_size(&self) -> usize {
        self.batch.load(Ordering::Relaxed)
    }

    /// The server needed too long for a batch of this size.
    pub(crate) fn shrink(&self, size: usize) {
        self.batch.fetch_min((size / 2).max(1), Ordering::Relaxed);
    }

    pub(crate) async fn get(&self, path: &str, prefer: &str) -> Result<Reply, Trouble> {
        let mut ask = Ask::get(self.url(path));
        if !prefer.is_empty() {
            ask = ask.header("prefer", prefer);
        }
        self.wire.send(&ask).await
    }

    /// JSON of a small answer.
    pub(crate) async fn json(&self, path: &str) -> Result<Json, Trouble> {
        let reply = self.get(path, "").await?;
        serde_json::from_slice(&reply.body).map_err(|error| Trouble::Fault(unreadable(error)))
    }

    /// Many reads in as few calls as the server allows; the answers stand in their order.
    pub(crate) async fn get_many(
        &self,
        paths: &[String],
        prefer: &str,
    ) -> Result<Vec<Result<Bytes, Refusal>>, Fault> {
        if paths.len() > 1 && self.batches() {
            match self.get_batches(paths, prefer).await {
                Err(Trouble::Refused(refusal)) if refusal.unknown_here() => self.no_batches(),
                answers => return answers.map_err(Fault::from),
            }
        }
        let one = |path: &String| {
            let path = path.clone();
            async move {
                match self.get(&path, prefer).await {
                    Ok(reply) => Ok(Ok(reply.body)),
                    Err(Trouble::Refused(refusal)) => Ok(Err(refusal)),
                    Err(trouble) => Err(Fault::from(trouble)),
                }
            }
        };
        let answers: Vec<Result<_, Fault>> =
            stream::iter(paths.iter().map(one)).buffered(self.wire.lanes.open()).collect().await;
        answers.into_iter().collect()
    }

    async fn get_batches(
        &self,
        paths: &[String],
        prefer: &str,
    ) -> Result<Vec<Result<Bytes, Refusal>>, Trouble> {
        let mut found = Vec::with_capacity(paths.len());
        for chunk in paths.chunks(READS) {
            let items: Vec<BatchItem> =
                chunk.iter().map(|path| BatchItem::One(self.part("GET", path, prefer, Vec::new()))).collect();
            let answers = self.batch(&items, true).await?;
            if answers.len() != chunk.len() {
                return Err(Trouble::Fault(Fault::retry(
                    Code::CRM_AWAY,
                    "the answer to a batch of reads was cut off",
                )));
            }
            for answer in answers {
                let BatchAnswer::One(response) = answer else {
                    return Err(Trouble::Fault(Fault::bug("the CRM answered a read with a change set")));
                };
                found.push(read_part(response));
            }
        }
        Ok(found)
    }

    pub(crate) fn no_batches(&self) {
        tracing::warn!(event = "crm.no_batches", "This CRM takes no batches: requests go one by one");
        self.can.batch.store(false, Ordering::Relaxed);
    }

    /// One request of a batch.
    pub(crate) fn part(&self, method: &str, path: &str, prefer: &str, body: Vec<u8>) -> Request {
        let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        if !prefer.is_empty() {
            headers.push(("Prefer".to_owned(), prefer.to_owned()));
        }
        if !body.is_empty() {
            headers.push(("Content-Type".to_owned(), "application/json; type=entry".to_owned()));
        }
        Request { method: method.to_owned(), url: self.url(path), headers, body, content_id: None }
    }

    /// Sends a batch; each item answers for itself.
    pub(crate) async fn batch(
        &self,
        items: &[BatchItem],
        repeatable: bool,
    ) -> Result<Vec<BatchAnswer>, Trouble> {
        let message = batch::write_requests(self.wire.ids().next(), items);
        let ask = Ask {
            method: Method::POST,
            url: self.url("$batch"),
            headers: vec![
                ("content-type", message.content_type),
                ("prefer", "odata.continue-on-error".to_owned()),
            ],
            body: message.body.into(),
            repeatable,
        };
        let reply = self.wire.send(&ask).await?;
        let kind = header(&reply.headers, "content-type").unwrap_or_default();
        // An answer that was cut off says nothing about what was done.
        batch::read_responses(kind, &reply.body).map_err(|error| {
            let text = format!("the answer to a batch cannot be read: {error}");
            Trouble::Lost(Fault::retry(Code::CRM_AWAY, text))
        })
    }

    /// The definitions of these tables, read when they are not known yet.
    pub(crate) async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
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
        let definition = |name: &String| {
            format!(
                "EntityDefinitions(LogicalName='{}')?$expand={}",
                name.replace('\'', "''"),
                metadata::EXPAND
            )
        };
        let paths: Vec<String> = wanted.iter().map(definition).collect();
        for (name, answer) in wanted.iter().zip(self.get_many(&paths, "").await?) {
            let body = answer.map_err(|refusal| match refusal.status {
                404 => Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("this CRM has no table {name}")),
                _ => refusal.fault(),
            })?;
            metadata::add(&mut more, &serde_json::from_slice(&body).map_err(unreadable)?);
        }
        let more = Arc::new(more);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&more);
        Ok(more)
    }

    /// The same with the options of choices, read anew.
    pub(crate) async fn whole_metadata(&self, tables: &[&str]) -> Result<Metadata, Fault> {
        let mut found = Metadata::clone(&*self.metadata(tables).await?);
        let casts = tables.iter().flat_map(|table| metadata::CHOICES.iter().map(move |kind| (*table, *kind)));
        let paths: Vec<(&str, String)> = casts
            .map(|(table, kind)| {
                let sets = if kind == "Boolean" { "OptionSet" } else { "OptionSet,GlobalOptionSet" };
                let sets = if matches!(kind, "State" | "Status") { "OptionSet" } else { sets };
                let path = format!(
                    "EntityDefinitions(LogicalName='{table}')/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata?$select=LogicalName&$expand={sets}"
                );
                (table, path)
            })
            .collect();
        let urls: Vec<String> = paths.iter().map(|(_, path)| path.clone()).collect();
        for ((table, _), answer) in paths.iter().zip(self.get_many(&urls, "").await?) {
            // A server that does not know a kind has no columns of it.
            if let Ok(body) = answer {
                metadata::add_choices(&mut found, table, &serde_json::from_slice(&body).map_err(unreadable)?);
            }
        }
        Ok(found)
    }

    fn known(&self) -> Arc<Metadata> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Definitions have changed, it seems: they are read again when they are needed.
    pub(crate) fn forget_definitions(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }
}

/// Something else answers at this address.
fn not_here(error: serde_json::Error) -> Fault {
    let text = "what answers at org_url is no Web API: check the address, and what stands between";
    Fault::new(Verdict::Hold, Code::CRM_REFUSED, text).with_source(error)
}

fn read_part(response: Response) -> Result<Bytes, Refusal> {
    match StatusCode::from_u16(response.status) {
        Ok(status) if !status.is_success() => Err(Refusal::read(status, &response.body)),
        _ => Ok(response.body.into()),
    }
}

pub(crate) fn unreadable(error: serde_json::Error) -> Fault {
    Fault::retry(Code::CRM_AWAY, "the CRM's answer cannot be read as JSON").with_source(error)
}
