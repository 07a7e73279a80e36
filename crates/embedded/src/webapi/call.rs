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
use super::{ApiVersion, Door, Problem, Request, preferences};
use crate::definitions;
use crate::schema::Schema;
use crate::session::Session;

/// One request with all that is needed to answer it.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    pub door: &'a Door,
    pub session: Session,
    pub schema: Arc<Schema>,
    pub metadata: Arc<Metadata>,
    /// Everything of the URL up to the version: `https://crm.example/api/data/v9.2`.
    pub root: String,
    /// The version in the URL.
    pub version: ApiVersion,
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
        let newest = door.settings.version;
        let version = resource.version.map_or(Some(newest), ApiVersion::of);
        let version = version
            .filter(|version| *version <= newest)
            .ok_or_else(|| Problem::no_resource(&format!("v{}", resource.version.unwrap_or_default())))?;
        // An organisation's name may stand before `/api/data`.
        let before = request.url.find("/api/data/").map_or("", |end| &request.url[..end]);
        let before = before.find("://").map_or(before, |_| "");
        let root = format!("{}{before}/api/data/v{}", request.origin, version.in_url());
        Call::of(door, session.clone(), schema, (root, version), request)
    }

    /// A request of a batch: same caller, same definitions.
    pub(crate) fn inner(&self, request: Request) -> Result<Call<'a>, Problem> {
        let place = (self.root.clone(), self.version);
        Call::of(self.door, self.session.clone(), self.schema.clone(), place, request)
    }

    /// The definitions as they are now.
    pub(crate) async fn refresh(&mut self) -> Result<(), Problem> {
        self.schema = self.session.crm().schema().await?;
        self.metadata = self.door.settings.described(definitions::metadata(&self.schema));
        Ok(())
    }

    fn of(
        door: &'a Door,
        session: Session,
        schema: Arc<Schema>,
        (root, version): (String, ApiVersion),
        request: Request,
    ) -> Result<Call<'a>, Problem> {
        let resource = path::resource(&request.url);
        let (settings, mut headers) = (&door.settings, request.headers);
        let path = Path::parse(resource.path)?;
        if let Some(name) = settings.lacks(&path) {
            return Err(Problem::no_resource(name));
        }
        let mut options = Options::parse(resource.query)?;
        let said = preferences::read(&headers);
        let mut prefer = preferences::followed(said, &request.method, &path.segments, &options);
        settings.pass_over(&request.method, &mut headers, &mut prefer, &mut options);
        Ok(Call {
            door,
            session,
            metadata: settings.described(definitions::metadata(&schema)),
            schema,
            root,
            version,
            path,
            options,
            query: resource.query.to_owned(),
            prefer,
            method: request.method,
            headers,
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
