//! Every call of a story goes wrong once, in every way: nothing is lost and nothing doubled, counted at the door. And a run
//! that is stopped at any point goes on where it was.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use postroom_core::query::Comparison;
use postroom_core::{
    Change, ChangeSet, ChangesAsk, Content, Crm, Fault, Filter, Ids, Outcome, Query, Record, RecordRef,
    Value, Verdict,
};
use postroom_embedded::soap::Generation;
use uuid::Uuid;

use crate::road::{Road, Wire, Wrong};
use crate::server::{Mood, On, Server};

/// Calls that a story has at most.
const CALLS: usize = 120;
/// Calls that go wrong side by side.
const LANES: usize = 6;
/// How often work that was put back is tried again.
const ROUNDS: usize = 12;

/// Sets of every kind, known by a mark: new rows alone, two rows that go together, a row that is changed, one that goes, a
/// mail with a party and an attachment, and one that answers it.
fn story(ids: &Ids, mark: &str, known: &[Record]) -> Vec<ChangeSet> {
    let contact = |name: &str| {
        Record::new(RecordRef::new("contact", ids.next())).with("firstname", name).with("lastname", mark)
    };
    let first = mail(ids, mark);
    let mut answer = mail(ids, mark);
    answer[0].columns.push(("parentactivityid".into(), Value::Lookup(first[0].at.clone())));
    let mut sets: Vec<Vec<Change>> =
        (0..7).map(|number| vec![Change::Create(contact(&format!("Alone {number}")))]).collect();
    sets.push(vec![Change::Create(contact("One")), Change::CreateNew(contact("Two"))]);
    sets.push(vec![Change::Update(Record::new(known[0].at.clone()).with("jobtitle", mark))]);
    sets.push(vec![Change::Upsert(contact("Upsert"))]);
    sets.push(vec![Change::Delete(known[1].at.clone())]);
    sets.extend([first, answer].map(|rows| rows.map(Change::Create).into()));
    sets.into_iter().map(|changes| ChangeSet { changes }).collect()
}

/// A received mail with its sender and an attachment.
fn mail(ids: &Ids, mark: &str) -> [Record; 3] {
    let email = Record::new(RecordRef::new("email", ids.next())).with("subject", mark);
    let email = email.with("directioncode", false).with("statecode", 1).with("statuscode", 4);
    let party = Record::new(RecordRef::new("activityparty", ids.next()));
    let party = party.with("activityid", email.at.clone()).with("participationtypemask", 1);
    let party = party.with("addressused", format!("{mark}@customer.example"));
    let file = Record::new(RecordRef::new("activitymimeattachment", ids.next()));
    let file = file.with("objectid", email.at.clone()).with("objecttypecode", "email");
    let file = file.with("filename", mark).with("body", Content::Bytes("hello".into()));
    [email, party, file]
}

async fn known(server: &Server, ids: &Ids) -> Vec<Record> {
    let row = |name| Record::new(RecordRef::new("contact", ids.next())).with("lastname", name);
    let rows = vec![row("Known"), row("Going")];
    let changes = rows.iter().cloned().map(Change::Create).collect();
    server.embedded.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
    rows
}

/// Tells the story while its first, second, … call goes wrong, until it has no more calls.
async fn told_once(on: On, wire: Wire, wrong: Wrong) {
    let (server, ids) = (Server::new(on).await, Ids::random());
    let road = async || Road::to(&server, wire).await;
    side_by_side("story", 5, road, async |road, nth| told(&server, road, &ids, nth, wrong).await).await;
}

/// Whether the story has an nth call.
async fn told(server: &Server, road: &Road, ids: &Ids, nth: usize, wrong: Wrong) -> bool {
    let mark = format!("m{nth:03}");
    let known = known(server, ids).await;
    road.trap(nth, wrong);
    let mut left = story(ids, &mark, &known);
    for _ in 0..ROUNDS {
        // Whoever tries again is a new process.
        let answers = road.client(server).apply(left.clone()).await;
        let tried = left.into_iter().zip(answers);
        left = tried.filter_map(|(set, answer)| answer.err().map(|fault| put_back(set, &fault))).collect();
        if left.is_empty() {
            break;
        }
    }
    assert!(left.is_empty(), "call {nth}: never told {left:?}");
    everything_is_there_once(server, nth, &mark, &known).await;
    road.sprung()
}

/// Tries the first, the second, … call, [`LANES`] of them at a time, each lane with an `own` of its own, until one says that
/// there is none: some ways to go wrong are waited for, and the waits need not stand in a row.
async fn side_by_side<T>(
    what: &str,
    least: usize,
    make: impl AsyncFn() -> T,
    run: impl AsyncFn(&T, usize) -> bool,
) {
    let lanes: Vec<T> = join_all((0..LANES).map(|_| make())).await;
    for first in (1..=CALLS).step_by(LANES) {
        let tried = lanes.iter().enumerate().map(|(lane, own)| run(own, first + lane));
        let tried = join_all(tried).await;
        if let Some(last) = tried.iter().position(|sprung| !sprung) {
            assert!(first + last > least, "the {what} took {} calls only", first + last);
            return;
        }
    }
    panic!("the {what} has more than {CALLS} calls");
}

/// Trouble on the road is never a refusal.
fn put_back(set: ChangeSet, fault: &Fault) -> ChangeSet {
    assert!(matches!(fault.verdict, Verdict::Retry { .. } | Verdict::Unknown), "{set:?}: {fault:?}");
    set
}

async fn everything_is_there_once(server: &Server, nth: usize, mark: &str, known: &[Record]) {
    let rows = async |table: &str, filter: Filter| {
        server.embedded.query(&Query::of(table).filter(filter)).await.unwrap()
    };
    let names: Vec<String> = rows("contact", Filter::eq("lastname", mark))
        .await
        .iter()
        .map(|row| row.text("firstname").unwrap().to_owned())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let expected: Vec<String> =
        (0..7).map(|n| format!("Alone {n}")).chain(["One", "Two", "Upsert"].map(Into::into)).collect();
    assert_eq!(names, expected, "call {nth}");
    let count = async |table: &str, filter: Filter| rows(table, filter).await.len();
    assert_eq!(count("contact", Filter::eq("lastname", mark)).await, 10, "call {nth}");
    assert_eq!(count("contact", Filter::eq("jobtitle", mark)).await, 1, "call {nth}");
    assert_eq!(count("contact", Filter::eq("contactid", known[1].at.id)).await, 0, "call {nth}");
    let mails = Filter::All(vec![Filter::eq("subject", mark), Filter::eq("statuscode", 4)]);
    assert_eq!(count("email", mails).await, 2, "call {nth}");
    let of_mark = Filter::Compare("addressused".into(), Comparison::StartsWith, mark.into());
    assert_eq!(count("activityparty", of_mark).await, 2, "call {nth}");
    assert_eq!(count("activitymimeattachment", Filter::eq("filename", mark)).await, 2, "call {nth}");
}

/// A run in parts; a part that failed is asked for again by a new process, with the same token. `stops` is a run whose process
/// ends after each part.
struct Runner<'a> {
    server: &'a Server,
    road: &'a Road,
    client: Arc<dyn Crm>,
    stops: bool,
    brought: BTreeMap<Uuid, usize>,
    gone: Vec<Uuid>,
}

impl Runner<'_> {
    fn new<'r>(server: &'r Server, road: &'r Road, stops: bool) -> Runner<'r> {
        let client = road.client(server);
        Runner { server, road, client, stops, brought: BTreeMap::new(), gone: Vec::new() }
    }

    async fn again<T>(&mut self, mut ask: impl AsyncFnMut(&dyn Crm) -> Result<T, Fault>) -> T {
        for _ in 0..ROUNDS {
            let answer = ask(&*self.client).await;
            if answer.is_err() || self.stops {
                self.client = self.road.client(self.server);
            }
            match answer {
                Ok(part) => return part,
                Err(fault) => assert!(matches!(fault.verdict, Verdict::Retry { .. }), "{fault:?}"),
            }
        }
        panic!("the run never went on");
    }

    fn bring(&mut self, records: &[Record]) {
        for row in records {
            *self.brought.entry(row.at.id).or_default() += 1;
        }
    }

    async fn pages(&mut self) {
        let query = Query::of("contact").select(&["lastname"]).order_by("lastname", true);
        let mut after: Option<String> = None;
        loop {
            let page = self.again(async |crm| crm.page(&query, 5, after.as_deref()).await).await;
            self.bring(&page.records);
            after = page.next;
            if after.is_none() {
                return;
            }
        }
    }

    async fn changes(&mut self, mut since: Option<String>) -> String {
        loop {
            let part = self
                .again(async |crm| {
                    let (table, columns) = ("contact".to_owned(), Some(vec!["lastname".to_owned()]));
                    crm.changes(&ChangesAsk { table, columns, since: since.clone(), size: 5 }).await
                })
                .await;
            self.bring(&part.records);
            self.gone.extend(part.gone);
            if !part.more {
                return part.token;
            }
            since = Some(part.token);
        }
    }
}

async fn written(server: &Server, changes: Vec<Change>) -> Vec<Outcome> {
    server.embedded.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap()
}

/// Pages and changes, with and without change tracking, while the nth call goes wrong. The first time the process ends after
/// each part besides.
async fn goes_on(on: On, wire: Wire, mood: Mood, wrong: Wrong) {
    let lane = async || Lane::new(on, wire, mood).await;
    side_by_side("runs", 8, lane, async |lane, nth| lane.run(nth, wrong).await).await;
}

/// A server with rows of which the runs bring all.
struct Lane {
    server: Server,
    road: Road,
    ids: Ids,
    /// The server keeps account of changes, and tells what went.
    tracks: bool,
    rows: Mutex<Vec<Record>>,
}

impl Lane {
    async fn new(on: On, wire: Wire, mood: Mood) -> Lane {
        let (server, ids) = (Server::new(on).await, Ids::random());
        server.mood(mood);
        let road = Road::to(&server, wire).await;
        let tracks = wire.tracks() && mood != Mood::NoTracking;
        let lane = Lane { server, road, ids, tracks, rows: Mutex::default() };
        let rows: Vec<Record> = (0..23).map(|number| lane.row(number)).collect();
        written(&lane.server, rows.iter().cloned().map(Change::Create).collect()).await;
        *lane.rows.lock().unwrap() = rows;
        lane
    }

    fn row(&self, number: usize) -> Record {
        let at = RecordRef::new("contact", self.ids.next());
        Record::new(at).with("lastname", format!("P{:02}", number % 7))
    }

    /// Whether the runs have an nth call.
    async fn run(&self, nth: usize, wrong: Wrong) -> bool {
        let (server, road) = (&self.server, &self.road);
        let mut rows = self.rows.lock().unwrap().clone();
        let runner = || Runner::new(server, road, nth == 1);
        road.trap(nth, wrong);
        let mut run = runner();
        run.pages().await;
        assert_eq!(run.brought.len(), rows.len(), "call {nth} of the pages: rows were missed");
        assert!(run.brought.values().all(|times| *times == 1), "call {nth} of the pages: rows came twice");
        let mut first = runner();
        let token = first.changes(None).await;
        assert_eq!(first.brought.len(), rows.len(), "call {nth} of a full run");
        let new: Vec<Record> = (0..8).map(|number| self.row(number)).collect();
        let (gone, kept) = (rows.remove(0), rows[3].at.clone());
        let mut changes: Vec<Change> = new.iter().cloned().map(Change::Create).collect();
        changes.push(Change::Delete(gone.at.clone()));
        changes.push(Change::Update(Record::new(kept.clone()).with("lastname", format!("Changed {nth}"))));
        written(server, changes).await;
        let mut second = runner();
        second.changes(Some(token)).await;
        let missed: Vec<&Record> =
            new.iter().filter(|row| !second.brought.contains_key(&row.at.id)).collect();
        assert!(
            missed.is_empty() && second.brought.contains_key(&kept.id),
            "call {nth} of a second run: {missed:?}"
        );
        assert!(!self.tracks || second.gone == [gone.at.id], "call {nth}: {:?} went", second.gone);
        let more = self.row(nth);
        let mut changes: Vec<Change> = new.into_iter().map(|row| Change::Delete(row.at)).collect();
        changes.push(Change::Create(more.clone()));
        written(server, changes).await;
        rows.push(more);
        *self.rows.lock().unwrap() = rows;
        road.sprung()
    }
}

async fn run_once(on: On, wire: Wire, wrong: Wrong) {
    goes_on(on, wire, Mood::Well, wrong).await;
}

/// One test for each way in which a call goes wrong, over each wire.
macro_rules! each {
    ($($what:ident by $tell:ident { $($wire:ident: $spoken:expr),+ $(,)? })+ => $ways:tt) => {
        $(mod $what {
            use super::*;
            $(mod $wire {
                use super::*;
                each!(@tests $tell, $spoken, $ways);
            })+
        })+
        each!(@tried $ways);
    };
    (@tests $tell:ident, $spoken:expr, { $($name:ident => $wrong:expr),+ $(,)? }) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $name() { $tell(On::Sqlite, $spoken, $wrong).await })+
    };
    (@tried { $($name:ident => $wrong:expr),+ $(,)? }) => {
        const TRIED: &[Wrong] = &[$($wrong),+];
    };
}
each! {
    story by told_once {
        web_api: Wire::WebApi,
        crm_2011: Wire::Soap(Generation::Crm2011),
        dataverse: Wire::Soap(Generation::Dataverse),
    }
    // Later servers are read over SOAP as the first are.
    run by run_once {
        web_api: Wire::WebApi,
        crm_2011: Wire::Soap(Generation::Crm2011),
    }
    => {
        limited_and_told_when => Wrong::Limited(Some("0")),
        limited => Wrong::Limited(None),
        away_and_told_when => Wrong::Away(Some("0")),
        away => Wrong::Away(None),
        late_after_the_commit => Wrong::Late,
        lost_answers => Wrong::Lost,
        broken_answers => Wrong::Broken,
        cut_answers => Wrong::Cut,
        deaf => Wrong::Deaf,
        mute => Wrong::Mute,
    }
}

#[test]
fn every_way_is_tried() {
    assert_eq!(TRIED, Wrong::ALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_on_postgres() {
    told_once(On::Postgres, Wire::WebApi, Wrong::Lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_answers_on_postgres() {
    told_once(On::Postgres, Wire::WebApi, Wrong::Cut).await;
    goes_on(On::Postgres, Wire::WebApi, Mood::Well, Wrong::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_without_tracking() {
    goes_on(On::Sqlite, Wire::WebApi, Mood::NoTracking, Wrong::Broken).await;
    goes_on(On::Sqlite, Wire::WebApi, Mood::NoTracking, Wrong::Cut).await;
}
