//! The port to a CRM: tables, keys, queries and change sets, in no API's words.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Code, Content, Fault, Query, Record, RecordRef};

/// A person or queue that an address belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressHit {
    /// The address asked for, in normal form.
    pub address: String,
    pub record: RecordRef,
    /// The column it was found in, such as `emailaddress2`.
    pub column: String,
    /// False for inactive rows and disabled users.
    pub active: bool,
    /// The owner, when the table has one.
    pub owner: Option<RecordRef>,
    pub modified_on: Option<Timestamp>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Makes a row with the id it carries; a row that is there already is left as it is, and that is success.
    Create(Record),
    /// Changes the columns named; a missing row is an error.
    Update(Record),
    /// The same, when the row's `versionnumber` is still this one (`If-Match`); else [`Code::CRM_VERSION`].
    UpdateIf(Record, i64),
    /// Creates or changes.
    Upsert(Record),
    Delete(RecordRef),
    /// Makes a row; one that is there already refuses the set with [`Code::CRM_DUPLICATE`].
    CreateNew(Record),
    /// Deletes a row that must be there, and must still have this `versionnumber` when one is named.
    DeleteIf(RecordRef, Option<i64>),
}

/// Writes that happen together or not at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChangeSet {
    pub changes: Vec<Change>,
}

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Updated,
    /// Nothing to do: the row was there already, or already had these values.
    Unchanged,
    Deleted,
}

/// One line of an import file, and what became of it.
#[derive(Debug)]
pub struct Imported {
    /// The row that the line names; `None` when it cannot be read.
    pub record: Option<RecordRef>,
    pub outcome: Result<Outcome, Fault>,
}

/// A CRM. Every method takes a lot at once: one call is one round trip, or as few as the server allows.
///
/// Writes repeat safely: ids are made by the caller, and a repeat answers [`Outcome::Unchanged`].
#[async_trait]
pub trait Crm: Send + Sync {
    /// The rows with these ids in any of `tables`, with the columns `statecode`, `statuscode`, `ownerid`, `merged`,
    /// `masterid` and, for `email`, `regardingobjectid`, where the table has them. Ids that name nothing are left out.
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault>;

    /// Who these addresses belong to, over all address columns of user, queue, contact, lead and account. Addresses are
    /// in normal form; one that nobody has is left out, one that several have comes several times.
    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault>;

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault>;

    /// Applies each set by itself; one that fails leaves its neighbours alone. The answers stand in the same order.
    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>>;

    /// Creates or changes a row for each line `{"table":"contact","id":"GUID","columns":{…}}`, in their order; the answers
    /// stand in the same order. A line that is refused leaves its neighbours alone. With `dry_run` all of it is done and
    /// taken back. A CRM that has its own ways in refuses.
    async fn import(&self, _lines: Vec<String>, _dry_run: bool) -> Result<Vec<Imported>, Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, "this CRM takes no import files here; use its own import"))
    }

    /// The bytes behind a [`Content`] column of a record, such as an attachment's `body`.
    async fn read(&self, content: &Content) -> Result<bytes::Bytes, Fault>;

    /// Proves that the CRM can be reached and signed in to; the text says as what.
    async fn check(&self) -> Result<String, Fault>;
}
