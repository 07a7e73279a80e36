//! What every message needs to be answered: the caller, the definitions, and who the door says it is.

use std::sync::Arc;

use postroom_core::metadata::{Metadata, TableInfo};
use postroom_core::{Crm, Filter, Query, RecordRef, Value};
use postroom_formats::soap::Generation as Wire;
use postroom_formats::soap::envelope::Headers;
use postroom_formats::soap::value::{Any, EntityReference};
use uuid::Uuid;

use super::place::Place;
use super::stop::Stop;
use super::{Ability, Door, Generation, input};
use crate::definitions;
use crate::schema::{Schema, Table};
use crate::session::Session;
use crate::webapi::Problem;

/// `EntityKeyNotDefined`.
const NO_KEY: u32 = 0x8006_0890;

/// One request.
pub(super) struct Call<'a> {
    pub door: &'a Door,
    pub session: &'a Session,
    pub place: &'a Place,
    /// Scheme and authority as the caller wrote them.
    pub origin: &'a str,
    pub schema: Arc<Schema>,
    pub metadata: Arc<Metadata>,
}

/// The caller that the headers name instead of the one who signed in.
pub(super) async fn caller(session: &Session, headers: &Headers) -> Result<Session, Stop> {
    if let Some(user) = headers.caller {
        return Ok(session.crm().session_as(session.user(), user));
    }
    let Some(object) = headers.caller_object else { return Ok(session.clone()) };
    let query =
        Query::of("systemuser").select(&[]).filter(Filter::eq("azureactivedirectoryobjectid", object)).top(1);
    // Not by the caller's rights: who he is must be known first, and what he may do is checked then.
    match session.crm().query(&query).await?.first() {
        Some(user) => Ok(session.crm().session_as(session.user(), user.at.id)),
        None => Err(Problem::no_row("systemuser", object).into()),
    }
}

impl<'a> Call<'a> {
    pub(super) async fn new(
        door: &'a Door,
        session: &'a Session,
        place: &'a Place,
        origin: &'a str,
    ) -> Result<Self, Stop> {
        let schema = session.crm().schema().await?;
        let metadata = definitions::metadata(&schema);
        Ok(Call { door, session, place, origin, schema, metadata })
    }

    /// The same for another session.
    pub(super) fn with<'b>(&'b self, session: &'b Session) -> Call<'b> {
        let (schema, metadata) = (self.schema.clone(), self.metadata.clone());
        Call { session, schema, metadata, ..*self }
    }

    /// The same with the definitions as they are now.
    pub(super) async fn fresh(&self) -> Result<Call<'a>, Stop> {
        Call::new(self.door, self.session, self.place, self.origin).await
    }

    pub(super) fn generation(&self) -> Generation {
        self.door.settings.generation
    }

    pub(super) fn has(&self, ability: Ability) -> bool {
        self.door.settings.has(ability)
    }

    pub(super) fn wire(&self) -> Wire {
        self.generation().wire()
    }

    pub(super) fn table(&self, name: &str) -> Result<&TableInfo, Stop> {
        self.metadata.table(name).ok_or_else(|| Stop::no_table(name))
    }

    pub(super) fn stored(&self, name: &str) -> Result<&Arc<Table>, Stop> {
        self.schema.table(name).map_err(Stop::from)
    }

    /// A fresh id.
    pub(super) fn id(&self) -> Uuid {
        self.door.ids.next()
    }

    /// The row that a reference names, by its id or by an alternate key.
    pub(super) async fn row(&self, reference: &EntityReference) -> Result<RecordRef, Stop> {
        let id = match reference.id.is_nil() && self.names_keys(&reference.keys) {
            true => self.keyed(&reference.table, &reference.keys).await?,
            false => Some(reference.id),
        };
        let id = id.ok_or_else(|| Problem::no_key(&reference.table))?;
        Ok(RecordRef::new(&reference.table, id))
    }

    /// Whether there are key values, on a server that has keys.
    pub(super) fn names_keys(&self, keys: &[(String, Any)]) -> bool {
        !keys.is_empty() && self.has(Ability::AlternateKeys)
    }

    /// The row with these values of a key; `None` when there is none.
    pub(super) async fn keyed(&self, table: &str, keys: &[(String, Any)]) -> Result<Option<Uuid>, Stop> {
        let (info, stored) = (self.table(table)?, self.stored(table)?);
        let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        if definitions::key_of(stored, &names).is_none() {
            let text = format!("The specified key attributes are not a defined key for the {table} entity");
            return Err(Stop::coded(NO_KEY, text));
        }
        let mut all = Vec::with_capacity(keys.len());
        for (name, any) in keys {
            all.push(match Box::pin(input::value(self, info, name, any)).await? {
                Value::Null => return Ok(None),
                value => Filter::eq(name.as_str(), value),
            });
        }
        let query = Query::of(table).select(&[]).filter(Filter::All(all)).top(1);
        Ok(self.session.all(query).await?.first().map(|row| row.at.id))
    }

    /// Refused unless the row is there.
    pub(super) async fn there(&self, at: &RecordRef) -> Result<(), Stop> {
        let key = self.table(&at.table)?.primary_id.as_str();
        let query = Query::of(&at.table).select(&[]).filter(Filter::eq(key, at.id)).top(1);
        match self.session.all(query).await?.is_empty() {
            true => Err(Problem::no_row(&at.table, at.id).into()),
            false => Ok(()),
        }
    }
}
