//! One client for every make: what is done in the same way whatever wire is spoken, written once.
//!
//! # Design
//!
//! * A make says what differs, in [`Words`]: how definitions are asked for, one page, one part of a run through changes, how
//!   sets of changes are sent. It has no say in the rest.
//! * [`line`] sends one request with the rules of repeating; [`known`] keeps definitions; [`read`] pages, [`changes`] runs
//!   through changes; [`port`] is the CRM. How writes keep their promises stands in [`crate::promises`].
//!
//! Every call of the port finds out first which server this is ([`Words::connect`]), once.

mod batch;
pub(crate) mod changes;
mod known;
pub(crate) mod line;
mod port;
mod read;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::Value;
use postroom_core::metadata::{ColumnInfo, ManyToMany, Metadata, OneToMany, TableInfo};
use postroom_core::{
    Capabilities, ChangeSet, ChangesAsk, Clock, CrmChanges, Fault, Query, Record, RecordRef,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::outside::{Held, Who};
use crate::promises::deliver::Delivers;
use crate::promises::limits::Limits;
use crate::promises::lot::Step;
use crate::promises::write::{Parcel, Sent};
use crate::promises::{Listed, Manner};
use crate::refusal::Refusal;
use crate::webapi::Bodies;
use known::Known;
use line::{Line, Trouble};

/// A Dynamics organisation, spoken to in a make's words.
pub struct Organization<W> {
    pub(crate) client: Client<W>,
    pub(crate) bodies: Arc<dyn Bodies>,
    clock: Clock,
}

/// Asking for things.
pub(crate) struct Client<W> {
    pub words: W,
    known: Known,
    limits: Mutex<Option<Arc<Limits>>>,
    untracked: Mutex<Untracked>,
}

/// Tables whose changes are not tracked.
#[derive(Default)]
struct Untracked {
    /// The server refused to tell, whatever the definition says.
    refused: BTreeSet<String>,
    /// As the definition said when it was last asked; tracking can be switched on.
    defined: BTreeSet<String>,
}

/// A table, and the relationships that it has a part in.
pub(crate) type Defined = (TableInfo, Vec<OneToMany>, Vec<ManyToMany>);

/// A part of an answer.
pub(crate) struct Part<P> {
    pub records: Vec<Record>,
    /// Where it goes on.
    pub next: Option<P>,
}

/// What a make has to say.
#[async_trait]
pub(crate) trait Words: Delivers + 'static {
    /// One write.
    type Op: Send + Sync;
    /// Where a page begins.
    type Place: Serialize + DeserializeOwned + Send;
    /// Where a run through tracked changes stands.
    type Run: Serialize + DeserializeOwned + Send;

    fn line(&self) -> &Line;

    /// The same server in the name of another user: each request says so.
    fn acting_for(&self, user: Uuid) -> Self
    where
        Self: Sized;

    /// The organisation's address.
    fn org_url(&self) -> &str;

    /// Rows in a page at most.
    fn page_size(&self) -> u32;

    fn listed(&self) -> Listed;

    /// Finds out which server this is, once: its version.
    async fn connect(&self) -> Result<&str, Fault>;

    /// What this server can, without its version, its sizes and what is known of single tables.
    fn can(&self) -> Capabilities;

    /// The definitions of these tables, in their order.
    ///
    /// # Errors
    /// [`crate::promises::no_table`] names one that is not there.
    async fn define(&self, tables: &[String]) -> Result<Vec<Defined>, Fault>;

    /// The definitions of every table.
    async fn define_all(&self) -> Result<Vec<Defined>, Fault>;

    /// What changes with every definition of the server (`RetrieveTimestamp`); `None` when it does not say.
    async fn stamp(&self) -> Result<Option<String>, Fault>;

    /// Adds what definitions have that the client itself does not need: options of choices.
    async fn complete(&self, _found: &mut Metadata, _tables: &[String]) -> Result<(), Fault> {
        Ok(())
    }

    /// One page of a query without a limit, from its beginning or from `at` on, with so many rows at most.
    async fn page(
        &self,
        metadata: &Metadata,
        query: &Query,
        size: u32,
        at: Option<Self::Place>,
    ) -> Result<Part<Self::Place>, Fault>;

    /// The first parts of the answers to these queries, in as few calls as the server allows.
    async fn firsts(&self, metadata: &Metadata, queries: &[Query]) -> Result<Vec<Part<Self::Place>>, Fault>;

    /// A refusal that says that the server keeps no account of changes, of this table or of any.
    fn no_account(&self, refusal: &Refusal) -> bool;

    /// One part of a run through changes that the server keeps account of, without its token.
    async fn tracked(
        &self,
        metadata: &Metadata,
        ask: &ChangesAsk,
        run: Option<Self::Run>,
    ) -> Result<(CrmChanges, Self::Run), Trouble>;

    /// Ties rows by a relationship, or unties them; what is so already is a success.
    async fn tie(
        &self,
        metadata: &Metadata,
        relation: &ManyToMany,
        at: &RecordRef,
        others: &[RecordRef],
        tie: bool,
    ) -> Result<(), Fault>;

    /// Takes in a solution file (`ImportSolution`).
    async fn import_solution(&self, file: Bytes, job: Uuid) -> Result<(), Trouble>;

    /// [`crate::promises::Writes::manner`].
    fn manner(&self) -> Manner;

    /// [`crate::promises::Writes::fits`].
    fn fits(&self, table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<(), Fault>;

    /// [`crate::promises::Writes::say`].
    fn say(&self, metadata: &Metadata, steps: Vec<Step>) -> Result<Vec<Self::Op>, Fault>;

    /// [`crate::promises::Writes::send`].
    async fn send(&self, sets: &[ChangeSet], parcels: &[Parcel<Self::Op>]) -> Vec<Sent>;

    /// [`crate::outside::Outside::who`].
    async fn who(&self) -> Result<Who, Fault>;

    /// [`crate::outside::Outside::privileges`].
    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault>;
}

impl<W> Organization<W> {
    /// Nothing is asked yet: the first call connects.
    pub(crate) fn of(words: W, bodies: Arc<dyn Bodies>, clock: Clock) -> Self {
        let client =
            Client { words, known: Known::default(), limits: Mutex::default(), untracked: Mutex::default() };
        Organization { client, bodies, clock }
    }
}
