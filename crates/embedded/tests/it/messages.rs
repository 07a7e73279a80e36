//! Messages as the doors ask for them, without a wire: references in several forms, and what a dead process leaves.

use postroom_core::{Change, Filter, Query, RecordRef, Value};
use postroom_embedded::messages::{self, Message, Parameter};
use postroom_embedded::{Failure, seed};
use uuid::Uuid;

use crate::bench::{Bench, On, on_both};

on_both!(ids_and_references, a_job_is_taken_up, changes_by_version, queue_items_once);

async fn ask(
    bench: &Bench,
    name: &str,
    parameters: Vec<(&str, Parameter)>,
) -> Result<Vec<(String, Parameter)>, Failure> {
    let session = bench.crm.session(seed::ADMINISTRATOR);
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let message = Message { name: name.to_owned(), target: None, parameters };
    let prepared = messages::prepare(&session, &bench.ids, message).await?;
    if !prepared.changes.is_empty() {
        session.write(postroom_core::ChangeSet { changes: prepared.changes }).await?;
    }
    Ok(prepared.results)
}

async fn ids_and_references(on: On) {
    let bench = Bench::new(on).await;
    let list = bench.row("list").with("listname", "L").with("createdfromcode", 2).with("type", false);
    let people = [bench.contact("A"), bench.contact("B")];
    bench.create(&[list.clone(), people[0].clone(), people[1].clone()]).await;
    let ids = people.iter().map(|row| Parameter::Guid(row.at.id)).collect();
    let parameters = vec![("ListId", Parameter::Guid(list.at.id)), ("MemberIds", Parameter::List(ids))];
    ask(&bench, "AddListMembersList", parameters).await.unwrap();
    assert_eq!(bench.all("listmember", Filter::All(vec![])).await.len(), 2);
    let parameters =
        vec![("ListId", Parameter::Guid(list.at.id)), ("EntityId", Parameter::Guid(people[0].at.id))];
    ask(&bench, "RemoveMemberList", parameters).await.unwrap();
    assert_eq!(bench.all("listmember", Filter::All(vec![])).await.len(), 1);
    let target = Parameter::Reference(people[1].at.clone());
    let state = vec![("EntityMoniker", target), ("State", Parameter::Int(1)), ("Status", Parameter::Int(2))];
    ask(&bench, "SetState", state).await.unwrap();
    assert_eq!(bench.found(&people[1].at).await.int("statecode"), Some(1));
    let missing = ask(&bench, "NoSuchMessage", vec![]).await.unwrap_err();
    assert!(matches!(missing, Failure::Platform { .. }), "{missing:?}");
}

async fn a_job_is_taken_up(on: On) {
    let bench = Bench::new(on).await;
    bench.create(&[bench.contact("A"), bench.contact("A"), bench.contact("B")]).await;
    let xml = r#"["<fetch><entity name=\"contact\"><filter><condition attribute=\"firstname\" operator=\"eq\" value=\"A\"/></filter></entity></fetch>"]"#;
    let job = bench
        .row("asyncoperation")
        .with("name", "J")
        .with("operationtype", 13)
        .with("statecode", 2)
        .with("statuscode", 20)
        .with("data", xml);
    let broken = bench
        .row("asyncoperation")
        .with("name", "K")
        .with("operationtype", 13)
        .with("statecode", 2)
        .with("statuscode", 20);
    bench.create(&[job.clone(), broken.clone()]).await;
    assert_eq!(messages::resume(&bench.crm).await.unwrap(), 2);
    assert_eq!(bench.all("contact", Filter::All(vec![])).await.len(), 1);
    let standing = async |at: &RecordRef| {
        let row = bench.found(at).await;
        (row.int("statecode"), row.int("statuscode"))
    };
    assert_eq!(standing(&job.at).await, (Some(3), Some(30)));
    assert_eq!(standing(&broken.at).await, (Some(3), Some(31)));
    assert_eq!(messages::resume(&bench.crm).await.unwrap(), 0);
}

async fn changes_by_version(on: On) {
    let bench = Bench::new(on).await;
    let (kept, gone) = (bench.contact("A"), bench.contact("B"));
    bench.create(&[kept.clone(), gone.clone()]).await;
    let name = || ("EntityName", Parameter::Text("contact".into()));
    let of = |results: Vec<(String, Parameter)>| match results.into_iter().next() {
        Some((_, Parameter::Members(members))) => members,
        other => panic!("{other:?}"),
    };
    let get = |members: &[(String, Parameter)], name: &str| {
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap()
    };
    let first = of(ask(&bench, "RetrieveEntityChanges", vec![name()]).await.unwrap());
    let Parameter::Entities(rows) = get(&first, "NewOrUpdatedItems") else { panic!("{first:?}") };
    assert_eq!(rows.len(), 2);
    bench.must(Change::Delete(gone.at.clone())).await;
    bench.update(&kept.at, "lastname", "Z").await;
    let since = ("DataVersion", get(&first, "DataToken"));
    let second = of(ask(&bench, "RetrieveEntityChanges", vec![name(), since]).await.unwrap());
    assert_eq!(get(&second, "RemovedOrDeletedItems"), Parameter::List(vec![Parameter::Guid(gone.at.id)]));
    let Parameter::Entities(rows) = get(&second, "NewOrUpdatedItems") else { panic!("{second:?}") };
    assert_eq!(rows.iter().map(|row| row.at.id).collect::<Vec<Uuid>>(), [kept.at.id]);
}

/// Two who looked at the same time do not both put a mail into a queue.
async fn queue_items_once(on: On) {
    let bench = Bench::new(on).await;
    let (mail, queue) = (bench.email(), bench.row("queue").with("name", "Q"));
    bench.create(&[mail.clone(), queue.clone()]).await;
    let session = bench.crm.session(seed::ADMINISTRATOR);
    let mut prepared = Vec::new();
    for _ in 0..2 {
        let parameters = vec![
            ("DestinationQueueId".to_owned(), Parameter::Guid(queue.at.id)),
            ("Target".to_owned(), Parameter::Reference(mail.at.clone())),
        ];
        let message = Message { name: "AddToQueue".into(), target: None, parameters };
        prepared.push(messages::prepare(&session, &bench.ids, message).await.unwrap().changes);
    }
    let mut done = Vec::new();
    for changes in prepared {
        done.push(session.write(postroom_core::ChangeSet { changes }).await.is_ok());
    }
    assert_eq!(done, [true, false]);
    let rows = session
        .all(Query::of("queueitem").filter(Filter::eq("objectid", Value::Lookup(mail.at))))
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
}
