//! What the makes share: how the port's promises are kept, whatever wire is spoken.
//!
//! * [`Reads`] and [`Writes`] are what a make can do; everything here is in terms of them.
//! * [`look`] finds rows and addresses; [`poll`] runs through changes where the server keeps no account of them.
//! * [`lot`] makes steps of a set of changes, from what is there; [`write`] sends them and looks again where it must.
//! * [`deliver`] hands mails to the server's own delivery.
//! * [`place`] says where a page goes on; [`limits`] what an organisation takes no attachments of.
//!
//! Not here: a request in any API's words. Those are the makes' own.

pub(crate) mod deliver;
pub(crate) mod limits;
pub(crate) mod look;
pub(crate) mod lot;
pub(crate) mod place;
pub(crate) mod poll;
pub(crate) mod write;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::metadata::{ColumnInfo, ColumnKind, Metadata, TableInfo};
use postroom_core::{ChangeSet, Code, CrmPage, Fault, Query, Record, Value};

use crate::webapi::Bodies;
use limits::Limits;
use lot::Step;
use write::{Parcel, Sent};

/// How many values go in one list of a condition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    pub ids: usize,
    pub addresses: usize,
}

/// What a make can be asked for.
#[async_trait]
pub(crate) trait Reads: Send + Sync {
    /// The definitions of these tables, with more perhaps.
    async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault>;

    async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault>;

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault>;

    /// The rows of many queries, in as few calls as the server allows.
    async fn many(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault>;

    fn listed(&self) -> Listed;

    /// The server's clock in its last answer.
    fn clock(&self) -> Option<Timestamp>;
}

/// How a server writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// It checks versions itself. Else rows are looked at first and compared here: what is written between the look and
    /// the write is overwritten.
    pub conditions: bool,
    /// The steps of a set happen together or not at all.
    pub atomic: bool,
}

/// What a make can be told to do.
#[async_trait]
pub(crate) trait Writes: Send + Sync {
    /// One step in the API's words.
    type Op: Send + Sync;
    type Reads: Reads;

    fn reads(&self) -> &Self::Reads;

    fn manner(&self) -> Manner;

    fn bodies(&self) -> &dyn Bodies;

    /// What the organisation takes no attachments of.
    async fn limits(&self) -> Result<Arc<Limits>, Fault>;

    /// They have changed, it seems.
    fn forget_limits(&self);

    /// Definitions have changed, it seems.
    fn forget_definitions(&self);

    /// Whether a value fits its column.
    ///
    /// # Errors
    /// In the words of [`unfit`].
    fn fits(&self, table: &TableInfo, column: &ColumnInfo, value: &Value) -> Result<(), Fault>;

    /// Steps in the API's words.
    ///
    /// # Errors
    /// What this CRM cannot take, by the name of its column.
    fn say(&self, metadata: &Metadata, steps: Vec<Step>) -> Result<Vec<Self::Op>, Fault>;

    /// Sends sets; the answers stand in their order.
    async fn send(&self, sets: &[ChangeSet], parcels: &[Parcel<Self::Op>]) -> Vec<Sent>;
}

pub(crate) fn table<'m>(metadata: &'m Metadata, name: &str) -> Result<&'m TableInfo, Fault> {
    metadata.table(name).ok_or_else(|| no_table(name))
}

pub(crate) fn no_table(name: &str) -> Fault {
    Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("this CRM has no table {name}"))
}

/// The column of a table that a record or query names.
pub(crate) fn column<'t>(table: &'t TableInfo, name: &str) -> Result<&'t ColumnInfo, Fault> {
    let unknown = || format!("{} has no column {name}", table.logical_name);
    table.column(name).ok_or_else(|| Fault::reject(Code::CRM_UNKNOWN_COLUMN, unknown()))
}

/// A value that does not fit its column.
pub(crate) fn unfit(table: &TableInfo, column: &ColumnInfo, wanted: &str) -> Fault {
    let text = format!("{}.{} takes {wanted}", table.logical_name, column.logical_name);
    Fault::reject(Code::CRM_REFUSED, text)
}

pub(crate) fn is_lookup(column: &ColumnInfo) -> bool {
    matches!(column.kind, ColumnKind::Lookup { .. } | ColumnKind::Customer { .. } | ColumnKind::Owner { .. })
}

/// Columns that hold files: their text is base64.
pub(crate) fn is_file(table: &TableInfo, column: &str) -> bool {
    matches!(
        (table.logical_name.as_str(), column),
        ("activitymimeattachment" | "attachment", "body") | ("annotation", "documentbody")
    )
}
