//! How many calls things take, and what is in which.

use std::time::Duration;

use postroom_core::query::{Aggregate, Function, Group, Join, Link};
use postroom_core::{
    Change, ChangeSet, ChangesAsk, Code, Content, Crm, Filter, Ids, Outcome, Query, Record, RecordRef,
};
use postroom_embedded::soap::{Generation, Settings};

use crate::calls::{alone, contacts};
use crate::server::{Mood, On, Server, on_both};

on_both!(
    new_rows_go_together,
    a_refused_step_takes_back_the_others,
    a_set_that_was_cut_in_two_is_finished,
    a_person_who_opened_a_row_again_is_left_alone,
    what_query_expressions_cannot_say,
    a_quiet_run_costs_one_call,
    attachments_that_are_not_taken_stay_here,
);

async fn of(on: On, generation: Generation) -> Server {
    let server = Server::new(on).await;
    server.be(Settings { generation, ..Settings::default() });
    server
}

async fn new_rows_go_together(on: On) {
    let server = Server::new(on).await;
    let (client, rows) = (server.soap(), contacts(&Ids::random(), 150));
    for expected in [Outcome::Created, Outcome::Unchanged] {
        let answers = client.apply(alone(&rows)).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == [expected]), "{expected:?}");
    }
    let multiple = server.seen("ExecuteMultiple");
    assert!((2..8).contains(&multiple), "150 rows twice took {multiple} messages");
    let mut rows = contacts(&Ids::random(), 20);
    rows[3] = rows[3].clone().with("gendercode", 99);
    for (at, answer) in client.apply(alone(&rows)).await.into_iter().enumerate() {
        match at {
            3 => assert_eq!(answer.unwrap_err().code, Code::CRM_REFUSED),
            _ => assert_eq!(answer.unwrap(), [Outcome::Created], "row {at}"),
        }
    }
}

/// A server without transactions: what was made before the step that is refused goes again.
async fn a_refused_step_takes_back_the_others(on: On) {
    for generation in [Generation::Crm2011, Generation::Crm2011Ur12, Generation::Dataverse] {
        let server = of(on, generation).await;
        let (client, mut rows) = (server.soap(), contacts(&Ids::random(), 3));
        rows[2] = rows[2].clone().with("gendercode", 99);
        let set = ChangeSet { changes: rows.into_iter().map(Change::Create).collect() };
        let fault = client.apply(vec![set]).await.remove(0).unwrap_err();
        assert!(fault.code == Code::CRM_REFUSED && fault.message.contains("gendercode"), "{fault}");
        let left = server.embedded.query(&Query::of("contact").select(&[])).await.unwrap();
        assert_eq!(left.len(), 0, "{generation:?}");
    }
}

fn received(ids: &Ids) -> (Record, Record) {
    let email = Record::new(RecordRef::new("email", ids.next())).with("subject", "Cut");
    let email = email.with("directioncode", false).with("statecode", 1).with("statuscode", 4);
    let file = Record::new(RecordRef::new("activitymimeattachment", ids.next())).with("filename", "a.txt");
    let file = file.with("objectid", email.at.clone()).with("objecttypecode", "email");
    (email, file.with("body", Content::Bytes("hello".into())))
}

/// A process that died between two steps: the next one finds the row in its first state, and goes on.
async fn a_set_that_was_cut_in_two_is_finished(on: On) {
    let server = of(on, Generation::Crm2011).await;
    let (client, ids) = (server.soap(), Ids::random());
    let (email, file) = received(&ids);
    let mut begun = email.clone();
    begun.columns.retain(|(name, _)| !["statecode", "statuscode"].contains(&name.as_str()));
    server.embedded.apply(vec![ChangeSet { changes: vec![Change::Create(begun)] }]).await.remove(0).unwrap();
    let set = ChangeSet { changes: vec![Change::Create(email.clone()), Change::Create(file)] };
    let outcomes = client.apply(vec![set]).await.remove(0).unwrap();
    assert_eq!(outcomes, [Outcome::Unchanged, Outcome::Created]);
    let rows = server.embedded.query(&Query::of("email").select(&["statuscode"])).await.unwrap();
    assert_eq!(rows[0].int("statuscode"), Some(4));
    let files = server.embedded.query(&Query::of("activitymimeattachment").select(&[])).await.unwrap();
    assert_eq!(files.len(), 1);
}

/// A repeated create leaves a row as it is, also when it stands in its first state again.
async fn a_person_who_opened_a_row_again_is_left_alone(on: On) {
    let server = of(on, Generation::Crm2011).await;
    let (client, ids) = (server.soap(), Ids::random());
    let row = contacts(&ids, 1).remove(0).with("statecode", 1).with("statuscode", 2);
    let set = || vec![ChangeSet { changes: vec![Change::Create(row.clone())] }];
    assert_eq!(client.apply(set()).await.remove(0).unwrap(), [Outcome::Created]);
    server.clock.advance(jiff::SignedDuration::from_hours(1));
    let open = Record::new(row.at.clone()).with("statecode", 0);
    server.embedded.apply(vec![ChangeSet { changes: vec![Change::Update(open)] }]).await.remove(0).unwrap();
    assert_eq!(client.apply(set()).await.remove(0).unwrap(), [Outcome::Unchanged]);
    let rows = server.embedded.query(&Query::of("contact").select(&["statecode"])).await.unwrap();
    assert_eq!(rows[0].int("statecode"), Some(0));
}

/// Aggregates and numbers of 64 bits are said in FetchXML, joins in either.
async fn what_query_expressions_cannot_say(on: On) {
    let server = Server::new(on).await;
    let (client, ids) = (server.soap(), Ids::random());
    let account = Record::new(RecordRef::new("account", ids.next())).with("name", "Litware");
    let rows: Vec<Record> =
        contacts(&ids, 25).into_iter().map(|row| row.with("parentcustomerid", account.at.clone())).collect();
    let all = std::iter::once(account.clone()).chain(rows.clone()).map(Change::Create).collect();
    server.embedded.apply(vec![ChangeSet { changes: all }]).await.remove(0).unwrap();
    let link = Link::new("account", "accountid", "parentcustomerid", "acc").join(Join::Inner);
    let link = link.select(&["name", "ownerid"]).filter(Filter::eq("name", "Litware"));
    let joined = Query::of("contact").select(&["lastname"]).order_by("lastname", true).link(link);
    let wide = Filter::Not(Box::new(Filter::eq("versionnumber", 1)));
    for query in [joined.clone(), joined.filter(wide)] {
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
    }
    let mut counted = Query::of("contact");
    counted.groups = vec![Group { column: "parentcustomerid".into(), alias: "of".into(), part: None }];
    counted.aggregates = vec![Aggregate {
        column: "contactid".into(),
        function: Function::CountColumn,
        alias: "number".into(),
    }];
    let rows = client.query(&counted).await.unwrap();
    assert_eq!((rows[0].lookup("of"), rows[0].int("number")), (Some(&account.at), Some(25)));
}

async fn a_quiet_run_costs_one_call(on: On) {
    let server = Server::new(on).await;
    let (client, rows) = (server.soap(), contacts(&Ids::random(), 300));
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

#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_described_at_once() {
    let server = of(On::Sqlite, Generation::Crm2013).await;
    let all = server.soap().metadata(&[]).await.unwrap();
    let names: Vec<&str> = ["contact", "email", "systemuser", "list", "organization"]
        .into_iter()
        .filter(|name| all.table(name).is_none())
        .collect();
    assert!(names.is_empty(), "{names:?} are not described");
    assert_eq!(server.calls(), 2, "the version, and every table");
}

/// One too large and one of a blocked kind stay; the mail is filed with the third, and says so.
async fn attachments_that_are_not_taken_stay_here(on: On) {
    let server = of(on, Generation::Crm2011).await;
    let (client, ids) = (server.soap(), Ids::random());
    let organization =
        server.embedded.query(&Query::of("organization").select(&[])).await.unwrap()[0].at.clone();
    let limits =
        Record::new(organization).with("maxuploadfilesize", 100).with("blockedattachments", "exe;js");
    server.embedded.apply(vec![ChangeSet { changes: vec![Change::Update(limits)] }]).await.remove(0).unwrap();
    let (email, file) = received(&ids);
    let mut large = file.clone().with("subject", "Too large");
    large.at.id = ids.next();
    for (name, value) in &mut large.columns {
        if name == "body" {
            *value = Content::Bytes(vec![b'x'; 101].into()).into();
        }
    }
    let set = ChangeSet { changes: [email, file, large].map(Change::Create).into() };
    let outcomes = client.apply(vec![set]).await.remove(0).unwrap();
    assert_eq!(outcomes, [Outcome::Created, Outcome::Created, Outcome::Unchanged]);
    let files =
        client.query(&Query::of("activitymimeattachment").select(&["filename", "body"])).await.unwrap();
    assert_eq!(files.iter().filter_map(|row| row.text("filename")).collect::<Vec<_>>(), ["a.txt"]);
    let Some(postroom_core::Value::Content(content)) = files[0].get("body") else { panic!("{files:?}") };
    assert_eq!(client.read(content).await.unwrap(), "hello");
    let mails = server.embedded.query(&Query::of("email").select(&["notifications"])).await.unwrap();
    assert_eq!(mails[0].int("notifications"), Some(1));
}

/// A server that takes the request and says nothing: the wait has an end, and what was done is found.
#[tokio::test(flavor = "multi_thread")]
async fn silence_has_an_end() {
    let server = Server::new(On::Sqlite).await;
    let client = server.soap_with(|settings| settings.timeout = Duration::from_secs(3));
    client.metadata(&["contact"]).await.unwrap();
    let row = Record::new(RecordRef::new("contact", Ids::random().next())).with("lastname", "Silent");
    server.mood(Mood::Silent(server.calls() + 1));
    let set = ChangeSet { changes: vec![Change::Create(row)] };
    assert_eq!(client.apply(vec![set]).await.remove(0).unwrap(), [Outcome::Created]);
    let ours = Query::of("contact").filter(Filter::eq("lastname", "Silent"));
    assert_eq!(server.embedded.query(&ours).await.unwrap().len(), 1);
}
