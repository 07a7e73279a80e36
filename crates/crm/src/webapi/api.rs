//! Asking for things: rows, batches, definitions. What the server turned out not to know is remembered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Method, StatusCode};
use postroom_core::metadata::Metadata;
use postroom_core::{Code, Fault, Verdict};
use postroom_formats::odata::batch::{self, BatchAnswer, BatchItem, Request, Response};
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::config::Settings;
use super::metadata;
use super::refusal::Refusal;
use super::wire::{Ask, Reply, header};
use crate::client::Defined;
use crate::client::line::{Line, Trouble};
use crate::promises::no_table;

/// Requests of a batch of reads at most, and the bytes of any batch.
const READS: usize = 100;
/// The versions in URLs that there are, newest first. A server answers its own and older ones, but 8.x none of 9.x.
const VERSIONS: [&str; 6] = ["9.2", "9.1", "9.0", "8.2", "8.1", "8.0"];

/// What this server can do, as far as is known; a refusal takes it away.
#[derive(Debug)]
pub(crate) struct Can {
    pub batch: AtomicBool,
    pub multiple: AtomicBool,
    /// Tables whose versions the server does not compare (`IsOptimisticConcurrencyEnabled` is off).
    unversioned: Mutex<BTreeSet<String>>,
}

impl Can {
    fn everything() -> Can {
        let yes = || AtomicBool::new(true);
        Can { batch: yes(), multiple: yes(), unversioned: Mutex::default() }
    }

    /// The same for another caller, who learns on by himself.
    fn beside(&self) -> Can {
        let has = |ability: &AtomicBool| AtomicBool::new(ability.load(Ordering::Relaxed));
        let unversioned = Mutex::new(self.unversioned().clone());
        Can { batch: has(&self.batch), multiple: has(&self.multiple), unversioned }
    }

    fn unversioned(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unversioned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a server once it has answered.
#[derive(Debug, Clone)]
pub(crate) struct Connected {
    root: String,
    pub version: String,
}

/// The words of the Web API.
pub struct Api {
    pub(super) line: Line,
    pub(super) settings: Settings,
    pub(super) can: Can,
    /// In whose name requests are made, when it is not the one who signed in.
    pub(super) caller: Option<Uuid>,
    /// The root of all URLs and the server's own version (`9.2.24044.200`).
    connected: OnceCell<Connected>,
}

impl Api {
    pub(super) fn new(line: Line, settings: Settings) -> Api {
        Api { line, settings, can: Can::everything(), caller: None, connected: OnceCell::new() }
    }

    pub(super) fn in_the_name_of(&self, user: Uuid) -> Api {
        let (line, settings, connected) = (self.line.beside(), self.settings.clone(), self.connected.clone());
        Api { line, settings, can: self.can.beside(), caller: Some(user), connected }
    }

    /// Finds out which version of the Web API there is, once.
    pub(crate) async fn connected(&self) -> Result<&Connected, Fault> {
        self.connected.get_or_try_init(|| self.find_root()).await
    }

    async fn find_root(&self) -> Result<Connected, Fault> {
        let wanted = self.settings.version.as_deref();
        for version in VERSIONS.into_iter().filter(|known| wanted.is_none_or(|wanted| wanted == *known)) {
            let root = self.settings.root(version);
            match self.exchange(&Ask::get(format!("{root}/RetrieveVersion()"))).await {
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

    /// The server's own version, once it is known.
    pub(super) fn version(&self) -> &str {
        self.connected.get().map_or("", |connected| &connected.version)
    }

    /// A URL below the root.
    pub(crate) fn url(&self, path: &str) -> String {
        let connected = self.connected.get().expect("every call of the port connects first");
        format!("{}/{path}", connected.root)
    }

    pub(crate) fn batches(&self) -> bool {
        self.can.batch.load(Ordering::Relaxed)
    }

    pub(crate) async fn get(&self, path: &str, prefer: &str) -> Result<Reply, Trouble> {
        let mut ask = Ask::get(self.url(path));
        if !prefer.is_empty() {
            ask = ask.header("prefer", prefer);
        }
        self.exchange(&ask).await
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
            stream::iter(paths.iter().map(one)).buffered(self.line.lanes.open()).collect().await;
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

    /// Whether the server compares the versions of this table's rows with `If-Match`, as far as is known.
    pub(crate) fn compares(&self, table: &str) -> bool {
        !self.can.unversioned().contains(table)
    }

    /// Whether it does so for every table.
    pub(crate) fn compares_all(&self) -> bool {
        self.can.unversioned().is_empty()
    }

    /// A condition on this table's rows was refused: they are read and compared here before they are written.
    pub(crate) fn no_conditions(&self, table: &str) {
        tracing::warn!(
            event = "crm.no_concurrency",
            table,
            "This CRM compares no versions of {table}: its rows are read before they are written"
        );
        self.can.unversioned().insert(table.to_owned());
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
        headers.extend(self.caller.map(|user| (super::wire::CALLER.to_owned(), user.to_string())));
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
        let count = |item: &BatchItem| match item {
            BatchItem::One(_) => 1,
            BatchItem::ChangeSet(requests) => requests.len(),
        };
        let writes = if repeatable { 0 } else { items.iter().map(count).sum() };
        let message = batch::write_requests(self.line.ids.next(), items);
        let ask = Ask {
            method: Method::POST,
            url: self.url("$batch"),
            headers: vec![
                ("content-type", message.content_type),
                ("prefer", "odata.continue-on-error".to_owned()),
            ],
            body: message.body.into(),
            repeatable,
            writes,
        };
        let reply = self.exchange(&ask).await?;
        let kind = header(&reply.headers, "content-type").unwrap_or_default();
        // An answer that was cut off says nothing about what was done.
        batch::read_responses(kind, &reply.body).map_err(|error| {
            let text = format!("the answer to a batch cannot be read: {error}");
            Trouble::Lost(Fault::retry(Code::CRM_AWAY, text))
        })
    }

    pub(super) async fn definitions(&self, tables: &[String]) -> Result<Vec<Defined>, Fault> {
        let definition = |name: &String| {
            let name = name.replace('\'', "''");
            format!("EntityDefinitions(LogicalName='{name}')?$expand={}", metadata::EXPAND)
        };
        let paths: Vec<String> = tables.iter().map(definition).collect();
        let mut found = Vec::with_capacity(tables.len());
        for (name, answer) in tables.iter().zip(self.get_many(&paths, "").await?) {
            let body = answer.map_err(|refusal| match refusal.status {
                404 => no_table(name),
                _ => refusal.fault(),
            })?;
            found.push(metadata::defined(&serde_json::from_slice(&body).map_err(unreadable)?));
        }
        Ok(found)
    }

    /// The definitions of every table: their names first, as all of them at once are too much for one answer.
    pub(super) async fn all_definitions(&self) -> Result<Vec<Defined>, Fault> {
        let list = self.json("EntityDefinitions?$select=LogicalName").await?;
        let names = list["value"].as_array().into_iter().flatten();
        let names: Vec<String> =
            names.filter_map(|table| table["LogicalName"].as_str()).map(str::to_owned).collect();
        self.definitions(&names).await
    }

    /// The options of choices, read anew.
    pub(super) async fn choices(&self, found: &mut Metadata, tables: &[String]) -> Result<(), Fault> {
        let casts = tables.iter().flat_map(|table| metadata::CHOICES.iter().map(move |kind| (table, *kind)));
        let paths: Vec<(&String, String)> = casts
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
                metadata::add_choices(found, table, &serde_json::from_slice(&body).map_err(unreadable)?);
            }
        }
        Ok(())
    }
}

/// Something else answers at this address; an answer that only ends too soon is asked for again.
fn not_here(error: serde_json::Error) -> Fault {
    if error.is_eof() {
        return unreadable(error);
    }
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
