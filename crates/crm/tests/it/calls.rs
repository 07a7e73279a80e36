//! How many calls things take, and what goes in which.

use std::sync::{Arc, Mutex};

use postroom_core::query::{Aggregate, Function, Group, Join, Link};
use postroom_core::{
    Change, ChangeSet, ChangesAsk, Code, Crm, Filter, Ids, Outcome, Query, Record, RecordRef, Verdict,
};
use postroom_embedded::webapi::ApiVersion;

use crate::server::{Mood, On, Server, on_both};

on_both!(
    new_rows_go_together,
    bad_rows_are_found_by_halving,
    what_odata_cannot_say,
    a_quiet_run_costs_one_call,
);

pub fn contacts(ids: &Ids, count: usize) -> Vec<Record> {
    let one =
        |number| Record::new(RecordRef::new("contact", ids.next())).with("lastname", format!("C{number:03}"));
    (0..count).map(one).collect()
}

pub fn alone(rows: &[Record]) -> Vec<ChangeSet> {
    rows.iter().map(|row| ChangeSet { changes: vec![Change::Create(row.clone())] }).collect()
}

async fn new_rows_go_together(on: On) {
    let server = Server::new(on).await;
    let (client, rows) = (server.client(), contacts(&Ids::random(), 150));
    for expected in [Outcome::Created, Outcome::Unchanged] {
        let answers = client.apply(alone(&rows)).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == [expected]), "{expected:?}");
    }
    let multiple = server.seen("POST contacts");
    assert!((1..40).contains(&multiple), "150 rows twice took {multiple} messages");
}

async fn bad_rows_are_found_by_halving(on: On) {
    let server = Server::new(on).await;
    let (client, mut rows) = (server.client(), contacts(&Ids::random(), 64));
    let bad = [3, 40];
    for at in bad {
        rows[at] = rows[at].clone().with("gendercode", 99);
    }
    let answers = client.apply(alone(&rows)).await;
    for (at, answer) in answers.into_iter().enumerate() {
        match bad.contains(&at) {
            true => assert_eq!(answer.unwrap_err().code, Code::CRM_REFUSED),
            false => assert_eq!(answer.unwrap(), [Outcome::Created], "row {at}"),
        }
    }
    assert_eq!(server.embedded.query(&Query::of("contact").select(&[])).await.unwrap().len(), 62);
}

/// The size follows what the server keeps up with: lost answers shrink nothing, those that come too late do, and only large
/// messages are at fault.
#[tokio::test(flavor = "multi_thread")]
async fn batches_follow_the_server() {
    let server = Server::new(On::Sqlite).await;
    let client = server.client_with(|settings| settings.batch = 80);
    let most = async || client.capabilities().await.unwrap().max_batch;
    let write = async |mood: fn(usize) -> Mood, count: usize| {
        client.metadata(&["contact"]).await.unwrap();
        server.mood(mood(server.calls() + 1));
        let answers = client.apply(alone(&contacts(&Ids::random(), count))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == [Outcome::Created]));
    };
    write(Mood::LostOnce, 80).await;
    assert_eq!(most().await, 80);
    write(Mood::Late, 2).await;
    assert_eq!(most().await, 80);
    write(Mood::Late, 80).await;
    assert_eq!(most().await, 40);
    write(|_| Mood::Well, 40 * 20).await;
    assert_eq!(most().await, 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn find_takes_one_batch() {
    let server = Server::new(On::Sqlite).await;
    let (client, rows) = (server.client(), contacts(&Ids::random(), 3));
    client.apply(alone(&rows)).await;
    let (tables, ids) =
        (["contact", "account", "lead"], rows.iter().map(|row| row.at.id).collect::<Vec<_>>());
    client.metadata(&tables).await.unwrap();
    let before = (server.calls(), server.seen("POST $batch"));
    assert_eq!(client.find(&tables, &ids).await.unwrap().len(), 3);
    assert_eq!((server.calls(), server.seen("POST $batch")), (before.0 + 1, before.1 + 1));
}

/// The server keeps account of changes for some days; whoever comes later gets every row, and is told that it is every row.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_after_a_long_rest_begins_again() {
    let server = Server::new(On::Sqlite).await;
    for client in [Arc::new(server.client()) as Arc<dyn Crm>, Arc::new(server.soap())] {
        let rows = contacts(&Ids::random(), 2);
        client.apply(alone(&rows)).await;
        let ask = |since| ChangesAsk { table: "contact".into(), columns: None, since, size: 100 };
        let first = client.changes(&ask(None)).await.unwrap();
        server.clock.advance(jiff::SignedDuration::from_hours(24 * 8));
        client.apply(alone(&contacts(&Ids::random(), 1))).await;
        let second = client.changes(&ask(Some(first.token))).await.unwrap();
        assert_eq!((second.full, second.records.len()), (true, first.records.len() + 1));
    }
}

/// No proxy answers from its cache.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_says_that_no_copy_will_do() {
    let server = Server::new(On::Sqlite).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    server.gate(Arc::new(move |parts, _| {
        kept.lock().unwrap().push(parts.headers.get("if-none-match").cloned());
        None
    }));
    let client = server.client();
    client.apply(alone(&contacts(&Ids::random(), 1))).await.remove(0).unwrap();
    client.query(&Query::of("contact")).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(
        seen.len() > 2 && seen.iter().all(|one| one.as_ref().is_some_and(|one| one == "null")),
        "{seen:?}"
    );
}

/// The version in URLs is found out, once; a server without any says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn the_version_of_the_web_api_is_found() {
    let server = Server::new(On::Sqlite).await;
    for (newest, expected) in [(ApiVersion::V92, 1), (ApiVersion::V82, 4)] {
        server.mood(Mood::Version(newest));
        let (client, before) = (server.client(), server.calls());
        client.capabilities().await.unwrap();
        assert_eq!(server.calls() - before, expected, "{newest:?}");
        client.query(&Query::of("contact").top(1)).await.unwrap();
        assert!(client.check().await.unwrap().contains("version"));
    }
    let fixed = server.client_with(|settings| settings.version = Some("9.1".into()));
    let fault = fixed.check().await.unwrap_err();
    assert!(fault.message.contains("has no Web API v9.1"), "{fault}");
    server.mood(Mood::NoWebApi);
    let fault = server.client().check().await.unwrap_err();
    assert_eq!(fault.verdict, Verdict::Hold);
    assert!(fault.message.contains("kind = \"soap\""), "{fault}");
}

/// Joins that answer columns, parts of dates and the like are said in FetchXML, page by page.
async fn what_odata_cannot_say(on: On) {
    let server = Server::new(on).await;
    let (client, ids) = (server.client(), Ids::random());
    let account = Record::new(RecordRef::new("account", ids.next())).with("name", "Litware");
    let rows: Vec<Record> =
        contacts(&ids, 25).into_iter().map(|row| row.with("parentcustomerid", account.at.clone())).collect();
    let all = std::iter::once(account.clone()).chain(rows.clone()).map(Change::Create).collect();
    server.embedded.apply(vec![ChangeSet { changes: all }]).await.remove(0).unwrap();
    let link = Link::new("account", "accountid", "parentcustomerid", "acc").join(Join::Inner);
    let link = link.select(&["name", "ownerid"]).filter(Filter::eq("name", "Litware"));
    let query = Query::of("contact").select(&["lastname"]).order_by("lastname", true).link(link);
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = client.page(&query, 10, next.as_deref()).await.unwrap();
        assert!(page.records.len() <= 10);
        found.extend(page.records);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 25);
    assert_eq!((found[0].text("lastname"), found[0].text("acc.name")), (Some("C024"), Some("Litware")));
    assert_eq!(found[0].lookup("acc.ownerid").map(|to| to.table.as_str()), Some("systemuser"));

    let mut counted = Query::of("contact");
    counted.groups = vec![Group { column: "statecode".into(), alias: "state".into(), part: None }];
    counted.aggregates = vec![Aggregate {
        column: "contactid".into(),
        function: Function::CountColumn,
        alias: "number".into(),
    }];
    let rows = client.query(&counted).await.unwrap();
    assert_eq!((rows[0].int("state"), rows[0].int("number")), (Some(0), Some(25)));
}

async fn a_quiet_run_costs_one_call(on: On) {
    let server = Server::new(on).await;
    let (client, rows) = (server.client(), contacts(&Ids::random(), 300));
    client.apply(alone(&rows)).await;
    let ask = |since| ChangesAsk { table: "contact".into(), columns: None, since, size: 100 };
    let (mut since, mut brought) = (None, 0);
    loop {
        let part = client.changes(&ask(since)).await.unwrap();
        brought += part.records.len();
        since = Some(part.token);
        if !part.more {
            break;
        }
    }
    assert_eq!(brought, 300);
    let before = server.calls();
    let part = client.changes(&ask(since)).await.unwrap();
    assert_eq!((part.records.len(), part.more, part.full), (0, false, false));
    assert_eq!(server.calls() - before, 1);
}
