//! Many mails at once: one call to the CRM for each step of a lot, and one mail's trouble stays its own. Two installations with
//! stores of their own on one CRM.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{
    AddressHit, Change, ChangeSet, Code, Content, Crm, Fault, MailState, Outcome, Query, Record, RecordRef,
};
use postroom_embedded::Embedded;
use postroom_tracking::sending::{Options, Sending};
use tokio::sync::Barrier;
use uuid::Uuid;

use super::bench::{self, Bench, Draft, On, SHY};
use super::server::Server;

/// The embedded CRM with somebody in front who counts, and who lets writers in together.
struct Door {
    crm: Embedded,
    calls: AtomicUsize,
    sets: AtomicUsize,
    together: Option<Arc<Barrier>>,
    /// Done once, right before the first write.
    first: Option<Change>,
    /// A column that it does not have.
    without: Option<&'static str>,
}

impl Door {
    fn of(crm: &Embedded) -> Door {
        let (calls, sets) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Door { crm: crm.clone(), calls, sets, together: None, first: None, without: None }
    }
}

#[async_trait]
impl Crm for Door {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        self.crm.find(tables, ids).await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        self.crm.find_addresses(addresses).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        if let Some(column) = self.without
            && format!("{:?}", query.filter).contains(column)
        {
            return Err(Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("email has no column {column}")));
        }
        self.crm.query(query).await
    }

    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        self.sets.fetch_add(sets.len(), Ordering::SeqCst);
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            if let Some(first) = &self.first {
                self.crm.apply(vec![ChangeSet { changes: vec![first.clone()] }]).await.remove(0).unwrap();
            }
            if let Some(together) = &self.together {
                together.wait().await; // both have read by now
            }
        }
        self.crm.apply(sets).await
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.crm.read(content).await
    }

    async fn check(&self) -> Result<String, Fault> {
        self.crm.check().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_tells_the_crm_twice() {
    for on in [On::Sqlite, On::Postgres] {
        let bench = Bench::on(on, Options::default()).await;
        let door = Arc::new(Door::of(&bench.crm));
        let sending = Sending { crm: door.clone(), ..bench.sending.clone() };
        let mut ids = Vec::new();
        for number in 0..20 {
            ids.push(bench::put(&bench.crm, Draft::to_anna(&format!("Order {number}"))).await);
        }
        bench::turn(&sending).await;
        assert_eq!(bench.server.book().len(), 20, "{on:?}");
        for id in ids {
            assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Sent, (1, 3)));
        }
        let (calls, sets) = (door.calls.load(Ordering::SeqCst), door.sets.load(Ordering::SeqCst));
        assert_eq!((calls, sets), (2, 40), "{on:?}: taken together, told together");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_leaves_its_neighbours_alone() {
    let bench = Bench::new().await;
    let good = bench::put(&bench.crm, Draft::to_anna("Good")).await;
    let refused = bench::put(&bench.crm, Draft::to_anna("Refused").to(2, SHY)).await;
    let forged = bench::put(&bench.crm, Draft::to_anna("Held").addressed(3, "x@y.example\r\nBcc: z")).await;
    let last = bench::put(&bench.crm, Draft::to_anna("Last")).await;
    // The last one is changed between the look at it and the taking: it is read again, and then leaves.
    let changed = Record::new(RecordRef::new("email", last)).with("subject", "Changed");
    let door = Door { first: Some(Change::Update(changed)), ..Door::of(&bench.crm) };
    let sending = Sending { crm: Arc::new(door), ..bench.sending.clone() };
    bench::turn(&sending).await;
    let states = [good, refused, forged, last].map(|id| bench.state(id));
    let states = futures_util::future::join_all(states).await;
    assert_eq!(states, [MailState::Sent, MailState::Failed, MailState::Held, MailState::Sent]);
    let book = bench.server.book();
    assert_eq!(book.len(), 2);
    assert!(bench.entry(last).await.subject.starts_with("Changed"), "what was read last is what leaves");
}

/// Dynamics CRM 2011 to 2015 cannot send later.
#[tokio::test(flavor = "multi_thread")]
async fn a_crm_that_cannot_send_later_sends_at_once() {
    let bench = Bench::new().await;
    let id = bench::put(&bench.crm, Draft::to_anna("Order 12")).await;
    let door = Door { without: Some("delayedemailsendtime"), ..Door::of(&bench.crm) };
    bench::turn(&Sending { crm: Arc::new(door), ..bench.sending.clone() }).await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Sent, (1, 3)));
}

/// Without the condition both take it, and both send.
#[tokio::test(flavor = "multi_thread")]
async fn two_installations_on_one_crm_send_a_mail_once() {
    let here = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let other = bench::open(&format!("sqlite://{}", folder.path().join("other.db").display())).await;
    let server = Server::default();
    let together = Some(Arc::new(Barrier::new(2)));
    let door = || Arc::new(Door { together: together.clone(), ..Door::of(&here.crm) });
    let mut there = bench::connector(
        &other,
        Arc::new(here.crm.clone()),
        &here.clock,
        Arc::new(server.clone()),
        Options::default(),
    );
    there.crm = door();
    let own = Sending { crm: door(), ..here.sending.clone() };
    let id = bench::put(&here.crm, Draft::to_anna("Order 12")).await;
    tokio::join!(bench::turn(&own), bench::turn(&there));
    let sent = here.server.book().len() + server.book().len();
    assert_eq!((sent, here.status(id).await), (1, (1, 3)));
    let theirs = bench::entry(&other, id).await.unwrap();
    let mut states = [here.state(id).await, theirs.state].map(MailState::as_str);
    states.sort_unstable();
    assert_eq!(states, ["sent", "suppressed"], "{}", theirs.reason);
}
