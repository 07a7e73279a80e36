//! A request, read: which version, which path, which options, and the definitions that give them meaning.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use postroom_core::RecordRef;
use postroom_core::metadata::{Metadata, TableInfo};
use postroom_formats::odata::options::Options;
use postroom_formats::odata::path::{self, Path};
use postroom_formats::odata::prefer::Preferences;

use super::row::{Annotations, FORMATTED, LOOKUP, NAVIGATION};
use super::{Door, Problem, Request};
use crate::definitions;
use crate::schema::Schema;
use crate::session::Session;

/// The versions that answer.
const VERSIONS: &[&str] = &["8.0", "8.1", "8.2", "9.0", "9.1", "9.2"];

/// One request with all that is needed to answer it.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub door: &'a Door,
    pub session: Session,
    pub schema: Arc<Schema>,
    pub metadata: Arc<Metadata>,
    /// Everything of the URL up to the version: `https://crm.example/api/data/v9.2`.
    pub root: String,
    /// `9.2`
    pub version: String,
    pub method: Method,
    pub path: Path,
    pub options: Options,
    /// The query string as it came.
    pub query: String,
    pub prefer: Preferences,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// In a change set: the rows made so far by their Content-IDs.
    pub made: HashMap<String, RecordRef>,
}

impl<'a> Call<'a> {
    pub(crate) async fn read(
        door: &'a Door,
        session: &Session,
        request: Request,
    ) -> Result<Call<'a>, Problem> {
        let schema = session.crm().schema().await?;
        let resource = path::resource(&request.url);
        let version = resource.version.unwrap_or("9.2").to_owned();
        if !VERSIONS.contains(&version.as_str()) {
            return Err(Problem::no_resource(&format!("v{version}")));
        }
        // An organisation's name may stand before `/api/data`.
        let before = request.url.find("/api/data/").map_or("", |end| &request.url[..end]);
        let before = before.find("://").map_or(before, |_| "");
        let root = format!("{}{before}/api/data/v{version}", request.origin);
        Call::of(door, session.clone(), schema, (root, version), request)
    }

    /// A request of a batch: same caller, same definitions.
    pub(crate) fn inner(&self, request: Request) -> Result<Call<'a>, Problem> {
        let place = (self.root.clone(), self.version.clone());
        Call::of(self.door, self.session.clone(), self.schema.clone(), place, request)
    }

    /// The definitions as they are now.
    pub(crate) async fn refresh(&mut self) -> Result<(), Problem> {
        self.schema = self.session.crm().schema().await?;
        self.metadata = definitions::metadata(&self.schema);
        Ok(())
    }

    fn of(
        door: &'a Door,
        session: Session,
        schema: Arc<Schema>,
        (root, version): (String, String),
        request: Request,
    ) -> Result<Call<'a>, Problem> {
        let resource = path::resource(&request.url);
        Ok(Call {
            door,
            session,
            metadata: definitions::metadata(&schema),
            schema,
            root,
            version,
            path: Path::parse(resource.path)?,
            options: Options::parse(resource.query)?,
            query: resource.query.to_owned(),
            prefer: preferences(&request.headers),
            method: request.method,
            headers: request.headers,
            body: request.body,
            made: HashMap::new(),
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn table(&self, name: &str) -> Result<&TableInfo, Problem> {
        self.metadata.table(name).ok_or_else(|| Problem::no_resource(name))
    }

    /// The URL of a row.
    pub(crate) fn url_of(&self, at: &RecordRef) -> String {
        let set = self.metadata.table(&at.table).map_or(at.table.as_str(), |table| table.entity_set.as_str());
        format!("{}/{set}({})", self.root, at.id)
    }

    /// What to say beside values.
    pub(crate) fn annotations(&self) -> Annotations {
        let wants = |annotation: &str| self.prefer.includes(annotation);
        Annotations { formatted: wants(FORMATTED), lookup: wants(LOOKUP), navigation: wants(NAVIGATION) }
    }

    /// `{root}/$metadata#` and what follows.
    pub(crate) fn context(&self, fragment: &str) -> String {
        format!("{}/$metadata#{fragment}", self.root)
    }
}

fn preferences(headers: &HeaderMap) -> Preferences {
    Preferences::parse(headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()))
}
