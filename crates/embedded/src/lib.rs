//! The embedded CRM: real tables in postroom's own database, with the rules of the Dataverse platform that mail and
//! marketing rest on.
//!
//! # Design
//!
//! * **Descriptions** ([`schema`]): 67 standard tables from files of public facts, put right in code; tables made at run
//!   time beside them. What a database has stands in its `crm_table`; every process notices a change at its next unit.
//! * **Definitions** ([`definitions`]): the same descriptions in Dataverse's words for the doors, and how they are changed.
//! * **Rows** are rows: `crm_contact` with real columns, on SQLite and PostgreSQL. Bodies are handles on the stored mail.
//! * **Rules** are pure and name the column in every refusal. The server's own columns are not for others to write.
//! * **Writes** come in lots ([`Embedded::apply`](postroom_core::Crm::apply)): one unit of the store for many change sets,
//!   each all or nothing.
//! * **Queries** are `postroom_core::Query` made into SQL; text compares without case.
//!
//! * **Rights** ([`access`]): who may do what with which rows. The port itself asks nobody; the doors do.
//!
//! * **Solutions** ([`solutions`]): imported and exported as the platform does it, and taken away again.
//!
//! * **Doors** ([`webapi`], [`soap`]): requests to answers, in the wire forms of Dynamics.
//!
//! Not here: sockets and signing in.

pub mod access;
mod acting;
mod address;
mod bodies;
mod changes;
mod content;
mod crm;
pub mod definitions;
mod deliver;
pub mod demo;
mod failure;
mod import;
pub mod json;
mod lot;
pub mod messages;
mod pairs;
mod query;
mod reads;
mod row;
mod rules;
pub mod schema;
pub mod seed;
pub mod session;
pub mod soap;
pub mod solutions;
pub mod webapi;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{Clock, Fault, RecordRef};
use postroom_store::{Error, Store, Tx};
use uuid::Uuid;

use access::Callers;
pub use content::read as read_content;
pub use failure::Failure;
use messages::blocks::Uploads;
pub use rules::Refusal;
pub use schema::registry::MIGRATIONS;
use schema::registry::{self, Cache};
use schema::{Column, Schema, Table, indexes};
use session::Session;

/// A handle on the embedded CRM. Cheap to clone.
#[derive(Clone)]
pub struct Embedded {
    store: Store,
    clock: Clock,
    cache: Cache,
    callers: Callers,
    uploads: Uploads,
    /// The user in whose name rows are written.
    acting: Uuid,
}

impl Embedded {
    /// Makes what is missing: the standard tables and the organisation's first rows. The store must have run
    /// [`MIGRATIONS`]. Rows are written in the administrator's name; see [`Embedded::acting_as`].
    pub async fn open(store: Store, clock: Clock) -> Result<Self, Fault> {
        let crm = Embedded {
            store,
            clock,
            cache: Cache::default(),
            callers: Callers::default(),
            uploads: Uploads::default(),
            acting: seed::ADMINISTRATOR,
        };
        if registry::lacks(&*crm.schema().await?, &Schema::standard()) {
            crm.install().await?;
        }
        indexes::bring_up(&crm.store, &*crm.schema().await?).await?;
        seed::organisation(&crm).await?;
        if crm.lacks_roles().await? {
            crm.install().await?;
        }
        Ok(crm)
    }

    /// The same CRM, written to in the name of this user. Owners that a change names are kept.
    pub fn acting_as(&self, user: Uuid) -> Self {
        Embedded { acting: user, ..self.clone() }
    }

    /// The tables as they are now.
    pub async fn schema(&self) -> Result<Arc<Schema>, Fault> {
        let cache = self.cache.clone();
        let read = self.store.read(move |tx| async move { cache.current(tx).await }.boxed());
        let schema: Result<Arc<Schema>, Error> = read.await;
        let schema = schema?;
        self.cache.keep(&schema);
        Ok(schema)
    }

    /// One table as it is now.
    pub async fn table(&self, name: &str) -> Result<Arc<Table>, Fault> {
        Ok(self.schema().await?.table(name)?.clone())
    }

    /// Makes a table, or adds to one that is there the columns it lacks. Every process knows it at once.
    pub async fn create_table(&self, table: Table) -> Result<(), Fault> {
        registry::check(&*self.schema().await?, &table)?;
        let made: Result<(), Error> = self.shape(move |tx| registry::ensure(tx, vec![table]).boxed()).await;
        Ok(made?)
    }

    /// The unit of every change to rows.
    pub(crate) async fn change<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.store.write("crm.apply", work).await
    }

    /// The unit of every change to definitions. New tables have their privileges when it ends.
    pub(crate) async fn shape<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let cache = self.cache.clone();
        let unit = self.store.write("crm.shape", move |tx| {
            async move {
                let done = work(tx).await?;
                let schema = cache.current(tx).await?;
                access::seed::ensure(tx, &schema).await?;
                definitions::messages::ensure(tx, &schema).await?;
                Ok(done)
            }
            .boxed()
        });
        unit.await
    }

    async fn install(&self) -> Result<(), Error> {
        let cache = self.cache.clone();
        let unit = self.store.write("crm.install", move |tx| {
            async move {
                let empty = registry::version(tx).await? == 0;
                registry::ensure(tx, Schema::standard()).await?;
                if empty {
                    indexes::record(tx).await?;
                }
                let schema = cache.current(tx).await?;
                access::seed::ensure(tx, &schema).await?;
                definitions::messages::ensure(tx, &schema).await
            }
            .boxed()
        });
        unit.await
    }

    /// Whether an older version did not have all of today's privileges and roles. It only reads: a start on a database that is
    /// in use waits for nobody.
    async fn lacks_roles(&self) -> Result<bool, Fault> {
        let schema = self.schema().await?;
        let look = self.store.read(move |tx| async move { access::seed::lacks(tx, &schema).await }.boxed());
        let lacks: Result<bool, Error> = look.await;
        Ok(lacks?)
    }

    /// Adds columns to a table; those that are there already are left as they are.
    pub async fn add_columns(&self, table: &str, columns: Vec<Column>) -> Result<(), Fault> {
        let mut wanted = Table::clone(&*self.table(table).await?);
        wanted.columns.extend(
            columns.into_iter().filter(|column| wanted.place(&column.name).is_none()).collect::<Vec<_>>(),
        );
        wanted.index();
        self.create_table(wanted).await
    }

    /// The CRM as this user sees and changes it.
    pub fn session(&self, user: Uuid) -> Session {
        Session::new(self.clone(), user, None)
    }

    /// The CRM as `user` sees and changes it in another one's name.
    pub fn session_as(&self, user: Uuid, impersonated: Uuid) -> Session {
        Session::new(self.clone(), user, Some(impersonated))
    }

    /// The user in whose name this handle writes.
    pub fn acting(&self) -> RecordRef {
        RecordRef::new("systemuser", self.acting)
    }
}
