//! What goes wrong on the way: nothing is lost, and nothing doubled.

use std::sync::Arc;
use std::time::Duration;

use postroom_core::{
    Change, ChangeSet, Content, Crm, Fault, Filter, Ids, Outcome, Query, Record, RecordRef, Value, Verdict,
};

use crate::server::{Mood, On, Server, on_both};

on_both!(limits_are_obeyed, away_and_back, lost_answers_are_looked_for, cut_answers_are_looked_for);

/// Sets of every kind: new rows alone, in sets, changes of what is there, mails with parties.
fn story(ids: &Ids, known: &[Record]) -> Vec<ChangeSet> {
    let contact = |name: &str| {
        Record::new(RecordRef::new("contact", ids.next())).with("firstname", name).with("lastname", "Story")
    };
    let alone = (0..15).map(|number| vec![Change::Create(contact(&format!("Alone {number}")))]);
    let pairs = (0..4).map(|number| {
        let (one, two) = (contact(&format!("One {number}")), contact(&format!("Two {number}")));
        vec![Change::Create(one), Change::CreateNew(two)]
    });
    let changed =
        known.iter().map(|row| vec![Change::Update(Record::new(row.at.clone()).with("jobtitle", "Changed"))]);
    let mails = (0..2).map(|number| mail(ids, number)).collect::<Vec<_>>();
    let answer = answer(&mails[1], mail(ids, 2));
    alone
        .chain(pairs)
        .chain(changed)
        .chain(mails)
        .chain([answer])
        .map(|changes| ChangeSet { changes })
        .collect()
}

/// The second mail as an answer to the first.
fn answer(first: &[Change], mut second: Vec<Change>) -> Vec<Change> {
    if let [Change::Create(parent), ..] = first
        && let [Change::Create(email), ..] = second.as_mut_slice()
    {
        email.columns.push(("parentactivityid".into(), Value::Lookup(parent.at.clone())));
    }
    second
}

fn mail(ids: &Ids, number: u32) -> Vec<Change> {
    let email = Record::new(RecordRef::new("email", ids.next())).with("subject", format!("Mail {number}"));
    let party = Record::new(RecordRef::new("activityparty", ids.next()));
    let party = party.with("activityid", email.at.clone()).with("participationtypemask", 1);
    let party = party.with("addressused", "anna@customer.example");
    let attachment = Record::new(RecordRef::new("activitymimeattachment", ids.next()));
    let attachment = attachment.with("objectid", email.at.clone()).with("objecttypecode", "email");
    let attachment = attachment.with("filename", "a.txt").with("body", Content::Bytes("hello".into()));
    let email = email.with("directioncode", false).with("statecode", 1).with("statuscode", 4);
    [email, party, attachment].map(Change::Create).into()
}

/// Contacts that are there before the story begins.
async fn known(server: &Server, ids: &Ids) -> Vec<Record> {
    let known: Vec<Record> = (0..3)
        .map(|_| Record::new(RecordRef::new("contact", ids.next())).with("lastname", "Known"))
        .collect();
    let changes = known.iter().cloned().map(Change::Create).collect();
    server.embedded.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
    known
}

/// Reads the definitions while all is well: only writes are told with trouble.
async fn introduce(client: &dyn Crm) {
    client.metadata(&["contact", "email", "activityparty", "activitymimeattachment"]).await.unwrap();
}

/// Tells these sets while something goes wrong, again and again until all are told.
async fn tell(server: &Server, client: &dyn Crm, mood: Mood, sets: &[ChangeSet]) {
    server.mood(mood);
    let mut left = sets.to_vec();
    for _ in 0..12 {
        let answers = client.apply(left.clone()).await;
        let still = |(set, answer): (ChangeSet, Result<Vec<Outcome>, Fault>)| {
            // What may be said again later is said again; a reject would put it on a shelf.
            let fault = answer.err()?;
            assert!(matches!(fault.verdict, Verdict::Retry { .. }), "{mood:?}: {fault}");
            Some(set)
        };
        left = left.into_iter().zip(answers).filter_map(still).collect();
        if left.is_empty() {
            break;
        }
    }
    server.mood(Mood::Well);
    assert!(left.is_empty(), "{mood:?}: {} sets were never told", left.len());
}

/// Tells the story while every nth call goes wrong, until it is told, and looks at the CRM from behind.
pub async fn check(
    server: impl AsyncFn() -> Server,
    client: impl Fn(&Server) -> Arc<dyn Crm>,
    mood: impl Fn(usize) -> Mood,
    nths: &[usize],
) {
    let ids = Ids::random();
    for nth in nths {
        let server = server().await;
        let sets = story(&ids, &known(&server, &ids).await);
        let told = client(&server);
        introduce(&*told).await;
        tell(&server, &*told, mood(*nth), &sets).await;
        everything_is_there_once(&server, &*client(&server), &sets).await;
    }
}

async fn over_the_web_api(on: On, mood: impl Fn(usize) -> Mood) {
    let client =
        |server: &Server| Arc::new(server.client_with(|settings| settings.batch = 12)) as Arc<dyn Crm>;
    check(async || Server::new(on).await, client, mood, &[2, 3, 4, 5]).await;
}

async fn everything_is_there_once(server: &Server, client: &dyn Crm, sets: &[ChangeSet]) {
    let count = async |table: &str, filter: Filter| {
        server.embedded.query(&Query::of(table).select(&[]).filter(filter)).await.unwrap().len()
    };
    assert_eq!(count("contact", Filter::eq("lastname", "Story")).await, 23);
    assert_eq!(count("contact", Filter::eq("jobtitle", "Changed")).await, 3);
    assert_eq!(count("email", Filter::All(vec![])).await, 3);
    assert_eq!(count("email", Filter::eq("statuscode", 4)).await, 3);
    assert_eq!(count("activityparty", Filter::eq("participationtypemask", 1)).await, 3);
    assert_eq!(count("activitymimeattachment", Filter::All(vec![])).await, 3);
    let again = client.apply(sets.to_vec()).await;
    let creates = |set: &ChangeSet| set.changes.iter().all(|change| matches!(change, Change::Create(_)));
    for (set, answer) in sets.iter().zip(again).filter(|(set, _)| creates(set)) {
        assert_eq!(answer.unwrap(), vec![Outcome::Unchanged; set.changes.len()]);
    }
}

async fn limits_are_obeyed(on: On) {
    over_the_web_api(on, Mood::Limits).await;
}

async fn away_and_back(on: On) {
    over_the_web_api(on, Mood::Away).await;
}

async fn lost_answers_are_looked_for(on: On) {
    over_the_web_api(on, Mood::Lost).await;
}

async fn cut_answers_are_looked_for(on: On) {
    over_the_web_api(on, Mood::Cut).await;
}

/// A server that takes the request and says nothing: the wait has an end, and what was done is found.
#[tokio::test(flavor = "multi_thread")]
async fn silence_has_an_end() {
    let server = Server::new(On::Sqlite).await;
    let client = server.client_with(|settings| settings.timeout = Duration::from_millis(400));
    client.metadata(&["contact"]).await.unwrap();
    let row = Record::new(RecordRef::new("contact", Ids::random().next())).with("lastname", "Silent");
    server.mood(Mood::Silent(server.calls() + 1));
    let set = ChangeSet { changes: vec![Change::Create(row)] };
    let answer = client.apply(vec![set]).await.remove(0);
    assert_eq!(answer.unwrap(), [Outcome::Created]);
    let ours = Query::of("contact").filter(Filter::eq("lastname", "Silent"));
    assert_eq!(server.embedded.query(&ours).await.unwrap().len(), 1);
}
