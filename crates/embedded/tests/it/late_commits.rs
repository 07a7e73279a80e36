//! A row that commits late is still delivered: by the port's `changes`, and by the change tracking of both doors.
//!
//! On PostgreSQL transactions overlap. The counter of versions stays locked until the unit that took a version ends, so none
//! with a higher version can be read before it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use postroom_core::{Change, ChangesAsk, Crm, Record, RecordRef};
use postroom_embedded::Embedded;
use postroom_embedded::soap::{Door as SoapDoor, Settings};
use postroom_formats::soap::value::{Any, Entity};
use postroom_store::sql::{Expr, ExprTrait, Func, Query};
use postroom_store::{Error, Insert, Store};
use postroom_testkit::poll;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::bench::{On, apply, on_both, open};
use crate::door::DoorBench;
use crate::soapdoor::{SoapBench, column_set, pair, text};

const LONG: Duration = Duration::from_secs(60);

/// The three ways to ask what changed, each with its own token.
struct Readers {
    web: DoorBench,
    soap: SoapBench,
    port: Option<String>,
    link: Option<String>,
    data: Option<String>,
}

/// What one way told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Told {
    there: BTreeSet<Uuid>,
    gone: BTreeSet<Uuid>,
}

impl Told {
    fn add(&mut self, more: Told) {
        self.there.extend(more.there);
        self.gone.extend(more.gone);
    }
}

impl Readers {
    async fn new(on: On) -> Readers {
        let web = DoorBench::new(on).await;
        let bench = web.bench.again().await;
        let door = SoapDoor::new(bench.ids.clone(), Settings::default());
        let soap = SoapBench { session: web.session.clone(), door, bench };
        let mut readers = Readers { web, soap, port: None, link: None, data: None };
        readers.read().await;
        readers
    }

    fn crm(&self) -> &Embedded {
        &self.web.bench.crm
    }

    /// What changed since the last time, by the port, the Web API and SOAP.
    async fn read(&mut self) -> [Told; 3] {
        [self.by_port().await, self.by_link().await, self.by_data().await]
    }

    async fn by_port(&mut self) -> Told {
        let mut told = Told::default();
        loop {
            let (table, since) = ("contact".to_owned(), self.port.take());
            let part =
                self.crm().changes(&ChangesAsk { table, columns: None, since, size: 7 }).await.unwrap();
            told.there.extend(part.records.iter().map(|row| row.at.id));
            told.gone.extend(part.gone);
            self.port = Some(part.token);
            if !part.more {
                return told;
            }
        }
    }

    async fn by_link(&mut self) -> Told {
        let mut told = Told::default();
        let mut url = self.link.take().unwrap_or_else(|| "contacts?$select=lastname".to_owned());
        loop {
            let prefer = [("prefer", "odata.track-changes,odata.maxpagesize=7")];
            let page = self.web.ask("GET", &url, &prefer, "").await;
            let id = |value: &serde_json::Value| value.as_str().and_then(|id| id.parse::<Uuid>().ok());
            for row in page.json["value"].as_array().unwrap_or_else(|| panic!("{}", page.text)) {
                told.there.extend(id(&row["contactid"]));
                told.gone.extend(id(&row["id"]));
            }
            if let Some(next) = page.json["@odata.nextLink"].as_str() {
                url = next.to_owned();
                continue;
            }
            self.link = page.json["@odata.deltaLink"].as_str().map(str::to_owned);
            assert!(self.link.is_some(), "{}", page.text);
            return told;
        }
    }

    async fn by_data(&mut self) -> Told {
        let since = self.data.take().map_or_else(String::new, |token| text("DataVersion", &token));
        let columns = pair("Columns", "b:ColumnSet", &column_set(&["lastname"]));
        let ask = [text("EntityName", "contact"), columns, since].concat();
        let response = self.soap.execute("RetrieveEntityChanges", &ask).await;
        let Some(Any::Raw(changes)) = response.get("EntityChanges") else { panic!("{response:?}") };
        let mut told = Told::default();
        for item in &changes.child("Changes").unwrap().children {
            match (item.child("NewOrUpdatedEntity"), item.child("RemovedItem")) {
                (Some(row), _) => told.there.insert(Entity::read(row).unwrap().id),
                (_, Some(gone)) => told.gone.insert(gone.text_of("Id").unwrap().parse().unwrap()),
                _ => panic!("{item:?}"),
            };
        }
        self.data = changes.text_of("DataToken").map(str::to_owned);
        told
    }
}

fn row(id: Uuid, name: &str) -> Record {
    Record::new(RecordRef::new("contact", id)).with("lastname", name)
}

/// How many of this database's transactions wait for a lock.
async fn waiting(store: &Store) -> i64 {
    let select = Query::select()
        .expr(Func::count(Expr::col("pid")))
        .from("pg_stat_activity")
        .and_where(Expr::col("datname").eq(Func::cust("current_database")))
        .and_where(Expr::col("wait_event_type").eq("Lock"))
        .to_owned();
    let read = store.read(move |tx| async move { tx.query_one(&select).await?.unwrap().at(0) }.boxed());
    let waiting: Result<i64, Error> = read.await;
    waiting.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_commits_late_is_not_passed() {
    let mut readers = Readers::new(On::Postgres).await;
    let url = readers.web.bench.url.clone();
    let (late, later) = (Uuid::from_u128(0x1a7e), Uuid::from_u128(0x1a7e2));

    // Somebody holds the id of the late row, so that its unit stops after it took a version and before it commits.
    let (held, holds) = oneshot::channel::<()>();
    let (release, released) = oneshot::channel::<()>();
    let other = open(&url).await;
    let holder = tokio::spawn(async move {
        let unit = other.write("test.hold", move |tx| {
            async move {
                let mut insert = Insert::into("crm_contact", &["contactid"]);
                insert.row([late.into()]);
                tx.insert(&insert).await?;
                held.send(()).unwrap();
                released.await.unwrap();
                Err::<(), Error>(Error::Stopped)
            }
            .boxed()
        });
        unit.await.unwrap_err()
    });
    holds.await.unwrap();

    let (crm, second) = (readers.crm().clone(), readers.web.bench.second().await);
    let first = tokio::spawn(async move { apply(&crm, vec![Change::Create(row(late, "Late"))]).await });
    let store = readers.web.bench.store.clone();
    let stopped = async |count: i64| poll::until_async(LONG, async || waiting(&store).await == count).await;
    assert!(stopped(1).await, "the first unit does not wait");
    let then = tokio::spawn(async move { apply(&second, vec![Change::Create(row(later, "Later"))]).await });
    assert!(stopped(2).await, "the second unit does not wait for the first");

    assert_eq!(readers.read().await, [const { Told { there: BTreeSet::new(), gone: BTreeSet::new() } }; 3]);
    assert!(!first.is_finished() && !then.is_finished(), "a higher version is durable before a lower one");
    release.send(()).unwrap();
    holder.await.unwrap();
    first.await.unwrap().unwrap();
    then.await.unwrap().unwrap();
    let both = Told { there: [late, later].into(), gone: BTreeSet::new() };
    assert_eq!(readers.read().await, [both.clone(), both.clone(), both]);
}

on_both!(many_writers_and_a_reader);

/// Writers in two processes, and a reader that never waits for them: in the end it knows every row.
async fn many_writers_and_a_reader(on: On) {
    let mut readers = Readers::new(on).await;
    let second = readers.web.bench.second().await;
    let mut writers = Vec::new();
    for writer in 0..6_u128 {
        let crm = if writer % 2 == 0 { readers.crm().clone() } else { second.clone() };
        writers.push(tokio::spawn(async move {
            for number in 0..12_u128 {
                let id = |which: u128| Uuid::from_u128(0x5708_0000 + writer * 1000 + number * 10 + which);
                let two = vec![Change::Create(row(id(0), "Stays")), Change::Create(row(id(1), "Goes"))];
                apply(&crm, two).await.unwrap();
                let gone = Change::Delete(RecordRef::new("contact", id(1)));
                apply(&crm, vec![gone, Change::Update(row(id(0), "Stayed"))]).await.unwrap();
            }
        }));
    }
    let mut all = [const { Told { there: BTreeSet::new(), gone: BTreeSet::new() } }; 3];
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        for (told, more) in all.iter_mut().zip(readers.read().await) {
            told.add(more);
        }
        if done {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let ids = |which: u128| {
        let each = (0..6).flat_map(|writer| (0..12).map(move |number| writer * 1000 + number * 10 + which));
        each.map(|number| Uuid::from_u128(0x5708_0000 + number)).collect::<BTreeSet<Uuid>>()
    };
    for (told, way) in all.iter().zip(["the port", "the Web API", "SOAP"]) {
        assert!(ids(0).is_subset(&told.there), "{way} missed {:?}", ids(0).difference(&told.there));
        assert!(ids(1).is_subset(&told.gone), "{way} missed {:?} that went", ids(1).difference(&told.gone));
    }
}
