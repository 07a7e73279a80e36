//! The port to a CRM: tables, keys, queries and change sets, in no API's words.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::metadata::Metadata;
use crate::{Code, Content, Delivery, Fault, IncomingMail, Query, Record, RecordRef};

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

/// A part of the answer to a query.
#[derive(Debug, Default)]
pub struct CrmPage {
    pub records: Vec<Record>,
    /// Where the next page begins; `None` when this is the last one. Opaque, and good for the same query only.
    pub next: Option<String>,
}

/// A part of what changed in a table.
#[derive(Debug, Default)]
pub struct CrmChanges {
    /// Rows made or changed, as they are now. A row may come more than once.
    pub records: Vec<Record>,
    /// Rows that went; they come with the last part.
    pub gone: Vec<Uuid>,
    /// What to ask with for the next part, or, when there is no more, for what changes later. Opaque.
    pub token: String,
    /// There are more parts: ask again at once.
    pub more: bool,
    /// Every row there is, not only what changed: there was no token, or the CRM no longer knows what happened since. Rows
    /// that no part of the run brings are gone.
    pub full: bool,
}

/// Which changes of a table are asked for.
#[derive(Debug, Clone)]
pub struct ChangesAsk {
    pub table: String,
    /// The columns wanted; `None` is all of them.
    pub columns: Option<Vec<String>>,
    /// The token of the part or run before; `None` asks for every row.
    pub since: Option<String>,
    /// Rows in a part at most.
    pub size: u32,
}

/// What a CRM can do, as it said when it was connected. What it cannot, its make does in another way that keeps the promises
/// of [`Crm`]; the numbers of calls differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Such as `9.2.24044.200` or `embedded`.
    pub version: String,
    pub alternate_keys: bool,
    pub upsert: bool,
    /// Changes come with deletions, without reading the table again.
    pub change_tracking: bool,
    /// Many rows in one message: `CreateMultiple` and its like.
    pub multiple: bool,
    /// Many requests in one.
    pub batch: bool,
    /// Several writes together or not at all.
    pub transaction: bool,
    /// State and status change by an update, without a message of their own.
    pub update_state: bool,
    /// The server files mail itself when asked (`DeliverIncomingEmail`).
    pub deliver_incoming: bool,
    /// Writes may be conditional on the row's version.
    pub concurrency: bool,
    /// Rows or requests in one call at most.
    pub max_batch: usize,
    /// Rows in a page at most.
    pub max_page: u32,
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

    /// A part of the answer, at most `size` rows; `after` is the `next` of the page before. Rows that are written meanwhile
    /// make no gap among the others. A CRM without pages answers everything at once.
    async fn page(&self, query: &Query, _size: u32, _after: Option<&str>) -> Result<CrmPage, Fault> {
        Ok(CrmPage { records: self.query(query).await?, next: None })
    }

    /// What changed in a table since a token. A row that is committed while a run goes on comes in this run or the next one.
    /// A CRM that keeps no account of changes answers every row, each time.
    async fn changes(&self, ask: &ChangesAsk) -> Result<CrmChanges, Fault> {
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let page =
            self.page(&query, ask.size, ask.since.as_deref().filter(|since| !since.is_empty())).await?;
        let more = page.next.is_some();
        let token = page.next.unwrap_or_default();
        Ok(CrmChanges { records: page.records, gone: Vec::new(), token, more, full: true })
    }

    /// The definitions of these tables and of the relationships between them and others; of all tables when none is named.
    async fn metadata(&self, _tables: &[&str]) -> Result<Metadata, Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, "this CRM does not describe its tables"))
    }

    async fn capabilities(&self) -> Result<Capabilities, Fault> {
        Ok(Capabilities::default())
    }

    /// Takes in a solution file by the CRM's own import, which makes what is missing and keeps the data. `job` is the id of the
    /// row `importjob` in which the CRM tells how far it is. The same file again changes nothing, so a run that was cut is
    /// made again.
    ///
    /// # Errors
    /// [`Verdict::Unknown`](crate::Verdict::Unknown) when no answer came: the import may be going on, and the job tells.
    async fn import_solution(&self, _file: Bytes, _job: Uuid) -> Result<(), Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, "this CRM takes no solution files"))
    }

    /// The same CRM in the name of this user: it finds what that user may see, conditions on *the current user* mean that one,
    /// and what it writes that one wrote. Nothing is asked yet: whether the user is there and enabled, and whether the caller
    /// may stand in for others, is the first call's to say.
    ///
    /// `None` when this CRM cannot; then nothing may be asked in another one's place.
    fn acting_for(&self, _user: Uuid) -> Option<Arc<dyn Crm>> {
        None
    }

    /// Ties a row to others by a many-to-many relationship (its schema name). Pairs that are tied already stay so.
    async fn associate(
        &self,
        relationship: &str,
        _at: &RecordRef,
        _others: &[RecordRef],
    ) -> Result<(), Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, format!("this CRM cannot tie rows by {relationship}")))
    }

    /// Unties them. Pairs that are not tied stay so.
    async fn disassociate(
        &self,
        relationship: &str,
        _at: &RecordRef,
        _others: &[RecordRef],
    ) -> Result<(), Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, format!("this CRM cannot untie rows of {relationship}")))
    }

    /// Applies each set by itself; one that fails leaves its neighbours alone. The answers stand in the same order.
    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>>;

    /// Hands received mails to the server's own `DeliverIncomingEmail`, one after the other in this order; the answers stand in
    /// the same order. The server asks the recipients' rules, finds the people, correlates, and chooses the activity's id.
    ///
    /// It repeats safely all the same: a mail that is there by its Message-ID, sender, subject and recipients is not sent
    /// again, and after a lost answer the caller is told to try later, when it is looked for again.
    ///
    /// With `dry_run` the server is only asked whether it would take them, by `CheckIncomingEmail`. A CRM without
    /// [`Capabilities::deliver_incoming`] refuses each.
    async fn deliver(&self, mails: Vec<IncomingMail>, _dry_run: bool) -> Vec<Result<Delivery, Fault>> {
        let text = "this CRM does not deliver mail itself: set crm.delivery = \"rows\"";
        mails.iter().map(|_| Err(Fault::reject(Code::CRM_REFUSED, text))).collect()
    }

    /// Creates or changes a row for each line `{"table":"contact","id":"GUID","columns":{…}}`, in their order; the answers
    /// stand in the same order. A line that is refused leaves its neighbours alone. With `dry_run` all of it is done and
    /// taken back. A CRM that has its own ways in refuses.
    async fn import(&self, _lines: Vec<String>, _dry_run: bool) -> Result<Vec<Imported>, Fault> {
        Err(Fault::reject(Code::CRM_REFUSED, "this CRM takes no import files here; use its own import"))
    }

    /// The bytes behind a [`Content`] column of a record, such as an attachment's `body`.
    async fn read(&self, content: &Content) -> Result<Bytes, Fault>;

    /// Proves that the CRM can be reached and signed in to; the text says as what.
    async fn check(&self) -> Result<String, Fault>;
}
