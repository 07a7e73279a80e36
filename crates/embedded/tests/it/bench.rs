//! A CRM of a test's own, and the few calls that tests are made of.

use std::sync::Arc;

use postroom_core::{
    Change, ChangeSet, Clock, Code, Content, Crm, Fault, Filter, Ids, Outcome, Query, Record, RecordRef,
    Value, Verdict,
};
use postroom_embedded::{Embedded, MIGRATIONS, schema::Kind};
use postroom_store::{Options, Store};
use tempfile::TempDir;

use crate::installed;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

pub struct Bench {
    pub crm: Embedded,
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub url: String,
    _folder: Arc<TempDir>,
}

impl Bench {
    pub async fn new(on: On) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let (url, clock) = (installed::copy(on, folder.path()), installed::clock());
        let store = open(&url).await;
        let crm = Embedded::open(store.clone(), clock.clone()).await.unwrap();
        Bench { crm, store, clock, ids: Ids::counted(), url, _folder: Arc::new(folder) }
    }

    /// The same CRM once more, for somebody else.
    pub async fn again(&self) -> Bench {
        Bench {
            crm: self.crm.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            url: self.url.clone(),
            _folder: self._folder.clone(),
        }
    }

    /// Another process on the same database.
    pub async fn second(&self) -> Embedded {
        Embedded::open(open(&self.url).await, self.clock.clone()).await.unwrap()
    }

    pub fn row(&self, table: &str) -> Record {
        Record::new(RecordRef::new(table, self.ids.next()))
    }

    pub fn contact(&self, first: &str) -> Record {
        self.row("contact").with("firstname", first).with("lastname", "Adler")
    }

    pub fn email(&self) -> Record {
        self.row("email").with("subject", "Offer").with("directioncode", false)
    }

    pub fn party(&self, email: &Record, mask: i64, address: &str) -> Record {
        let party = self.row("activityparty").with("activityid", email.at.clone());
        party.with("participationtypemask", mask).with("addressused", address)
    }

    pub fn attachment(&self, email: &Record, bytes: &[u8]) -> Record {
        let body = Content::Bytes(bytes.to_vec().into());
        self.row("activitymimeattachment")
            .with("objectid", email.at.clone())
            .with("filename", "a.bin")
            .with("body", body)
    }

    /// One set.
    pub async fn apply(&self, changes: Vec<Change>) -> Result<Vec<Outcome>, Fault> {
        apply(&self.crm, changes).await
    }

    pub async fn must(&self, change: Change) -> Outcome {
        self.apply(vec![change]).await.unwrap()[0]
    }

    pub async fn create(&self, records: &[Record]) {
        let outcomes = self.apply(records.iter().cloned().map(Change::Create).collect()).await.unwrap();
        assert_eq!(outcomes, vec![Outcome::Created; records.len()]);
    }

    pub async fn update(&self, at: &RecordRef, column: &str, value: impl Into<Value>) -> Outcome {
        self.must(Change::Update(Record::new(at.clone()).with(column, value))).await
    }

    pub async fn read(&self, at: &RecordRef) -> Option<Record> {
        read(&self.crm, at).await
    }

    pub async fn found(&self, at: &RecordRef) -> Record {
        self.read(at).await.unwrap_or_else(|| panic!("{at} is not there"))
    }

    pub async fn all(&self, table: &str, filter: Filter) -> Vec<Record> {
        self.crm.query(&Query::of(table).filter(filter)).await.unwrap()
    }

    /// Asserts that a write is refused for good, with a code, in a text that names all of `named`.
    pub async fn refused(&self, change: Change, code: Code, named: &[&str]) {
        let shown = format!("{change:?}");
        let fault = self.apply(vec![change]).await.expect_err(&shown);
        assert_eq!((fault.code, fault.verdict), (code, Verdict::Reject), "{shown}: {fault}");
        for name in named {
            assert!(fault.message.contains(name), "{name} is not named: {fault}");
        }
    }
}

pub async fn open(url: &str) -> Store {
    Store::open(url, &Options::default(), &[MIGRATIONS]).await.unwrap()
}

pub async fn apply(crm: &Embedded, changes: Vec<Change>) -> Result<Vec<Outcome>, Fault> {
    crm.apply(vec![ChangeSet { changes }]).await.remove(0)
}

pub async fn read(crm: &Embedded, at: &RecordRef) -> Option<Record> {
    let table = crm.table(&at.table).await.unwrap();
    let key = table.columns.iter().find(|column| column.kind == Kind::Id).unwrap();
    let mut rows =
        crm.query(&Query::of(&at.table).filter(Filter::eq(key.name.as_str(), at.id))).await.unwrap();
    assert!(rows.len() <= 1, "{at} is there {} times", rows.len());
    rows.pop()
}

/// Each test twice: on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::bench::On::Sqlite).await }) + }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::bench::On::Postgres).await }) + }
    };
}
pub(crate) use on_both;
