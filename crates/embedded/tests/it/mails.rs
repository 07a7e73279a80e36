//! Mails as rows: their parties, attachments and queue items.

use postroom_core::{Change, Code, Filter, Outcome, Record, RecordRef, Value};
use postroom_embedded::seed;

use crate::bench::{Bench, On, on_both};

on_both!(
    the_server_keeps_two_parties,
    attachments_are_counted,
    a_mail_is_filed_without_what_the_organisation_does_not_take,
    a_completed_mail_takes_no_attachment,
    a_mail_takes_its_parts_along,
    a_party_gets_the_address_of_its_record,
    any_activity_is_an_activitypointer,
    queue_items_say_what_they_are,
);

/// Mask and party of every party row of a mail, the server's own included.
async fn parties(bench: &Bench, email: &Record) -> Vec<(i64, Option<String>)> {
    let rows = bench.all("activityparty", Filter::eq("activityid", email.at.clone())).await;
    let mut parties: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.int("participationtypemask").unwrap(), row.lookup("partyid").map(ToString::to_string))
        })
        .collect();
    parties.sort();
    parties
}

async fn the_server_keeps_two_parties(on: On) {
    let bench = Bench::new(on).await;
    let (contact, lead) = (bench.contact("Anna"), bench.row("lead").with("lastname", "L"));
    let email = bench.email().with("regardingobjectid", contact.at.clone());
    let party = bench.party(&email, 2, "a@b.example");
    bench.create(&[contact.clone(), lead.clone(), email.clone(), party]).await;
    let (owner, shown) = (Some(bench.crm.acting().to_string()), |row: &Record| Some(row.at.to_string()));
    assert_eq!(parties(&bench, &email).await, [(2, None), (8, shown(&contact)), (9, owner.clone())]);
    bench.update(&email.at, "regardingobjectid", lead.at.clone()).await;
    assert_eq!(parties(&bench, &email).await, [(2, None), (8, shown(&lead)), (9, owner.clone())]);
    bench.update(&email.at, "regardingobjectid", Value::Null).await;
    assert_eq!(parties(&bench, &email).await, [(2, None), (9, owner)]);
}

async fn attachments_are_counted(on: On) {
    let bench = Bench::new(on).await;
    let email = bench.email();
    let files: Vec<Record> = (0..3).map(|_| bench.attachment(&email, b"abc")).collect();
    bench.create(&[email.clone(), files[0].clone(), files[1].clone()]).await;
    let count = async || bench.found(&email.at).await.int("attachmentcount");
    assert_eq!(count().await, Some(2));
    bench.create(&files[2..]).await;
    assert_eq!(count().await, Some(3));
    bench.must(Change::Delete(files[0].at.clone())).await;
    assert_eq!(count().await, Some(2));
    let file = bench.found(&files[1].at).await;
    assert_eq!((file.int("filesize"), file.text("objecttypecode")), (Some(3), Some("email")));
    assert_eq!(file.lookup("activityid"), Some(&email.at));
}

async fn a_mail_is_filed_without_what_the_organisation_does_not_take(on: On) {
    let bench = Bench::new(on).await;
    let organization = RecordRef::new("organization", seed::ORGANIZATION);
    bench.update(&organization, "blockedattachments", "exe").await;
    bench.update(&organization, "maxuploadfilesize", 8).await;
    let files = |email: &Record| {
        let program = bench.attachment(email, b"x").with("filename", "b.exe");
        vec![bench.attachment(email, b"12345678"), bench.attachment(email, b"123456789"), program]
    };
    let put = |email: &Record, files: &[Record]| {
        let rows = std::iter::once(email).chain(files).cloned();
        bench.apply(rows.map(Change::Create).collect())
    };
    let filed = bench.email().with("statecode", 1).with("statuscode", 4);
    let parts = files(&filed);
    let (new, left) = (Outcome::Created, Outcome::Unchanged);
    assert_eq!(put(&filed, &parts).await.unwrap(), [new, new, left, left]);
    // A worker that died writes the same again.
    assert_eq!(put(&filed, &parts).await.unwrap(), [left; 4]);
    let row = bench.found(&filed.at).await;
    assert_eq!((row.int("attachmentcount"), row.int("notifications")), (Some(1), Some(1)));
    let whole = bench.email().with("statecode", 1).with("statuscode", 4);
    assert_eq!(put(&whole, &files(&whole)[..1]).await.unwrap(), [new; 2]);
    assert_ne!(bench.found(&whole.at).await.int("notifications"), Some(1));
    // One that is still to be sent goes as it was written.
    let written = bench.email().with("directioncode", true).with("statecode", 1).with("statuscode", 6);
    assert_eq!(put(&written, &files(&written)).await.unwrap(), [new; 4]);
}

async fn a_completed_mail_takes_no_attachment(on: On) {
    let bench = Bench::new(on).await;
    let email = bench.email().with("statecode", 1).with("statuscode", 4);
    let (early, late) = (bench.attachment(&email, b"a"), bench.attachment(&email, b"b"));
    // Within its own set, in any order, and when the set is repeated.
    for expected in [Outcome::Created, Outcome::Unchanged] {
        let set = vec![Change::Create(email.clone()), Change::Create(early.clone())];
        assert_eq!(bench.apply(set).await.unwrap(), [expected, expected]);
    }
    let named = ["activitymimeattachment.objectid", "completed"];
    bench.refused(Change::Create(late), Code::CRM_REFUSED, &named).await;
    assert_eq!(bench.found(&email.at).await.int("attachmentcount"), Some(1));
    bench.update(&email.at, "trackingtoken", "CRM:1").await;
}

async fn a_mail_takes_its_parts_along(on: On) {
    let bench = Bench::new(on).await;
    let queue = bench.row("queue").with("name", "Q");
    let (email, other) = (bench.email(), bench.email());
    let item = |email: &Record| {
        bench.row("queueitem").with("queueid", queue.at.clone()).with("objectid", email.at.clone())
    };
    let mut rows = vec![queue.clone()];
    for mail in [&email, &other] {
        rows.extend([
            mail.clone(),
            bench.party(mail, 1, "a@b.example"),
            bench.attachment(mail, b"x"),
            item(mail),
        ]);
    }
    bench.create(&rows).await;
    bench.must(Change::Delete(email.at.clone())).await;
    for (table, column) in
        [("activityparty", "activityid"), ("activitymimeattachment", "objectid"), ("queueitem", "objectid")]
    {
        assert_eq!(bench.all(table, Filter::eq(column, email.at.clone())).await.len(), 0, "{table}");
        assert_ne!(bench.all(table, Filter::eq(column, other.at.clone())).await.len(), 0, "{table}");
    }
}

async fn a_party_gets_the_address_of_its_record(on: On) {
    let bench = Bench::new(on).await;
    let known = bench.contact("Anna").with("emailaddress1", "anna@customer.example");
    bench.create(std::slice::from_ref(&known)).await;
    let new = bench.row("lead").with("emailaddress1", "lea@customer.example");
    let email = bench.email();
    let party = |at: &Record| {
        bench
            .row("activityparty")
            .with("activityid", email.at.clone())
            .with("participationtypemask", 2)
            .with("partyid", at.at.clone())
    };
    let (one, two) = (party(&known), party(&new));
    bench.create(&[new, email.clone(), one.clone(), two.clone()]).await;
    assert_eq!(bench.found(&one.at).await.text("addressused"), Some("anna@customer.example"));
    assert_eq!(bench.found(&two.at).await.text("addressused"), Some("lea@customer.example"));
}

async fn any_activity_is_an_activitypointer(on: On) {
    let bench = Bench::new(on).await;
    let account = bench.row("account").with("name", "A");
    let email = bench.email().with("regardingobjectid", account.at.clone());
    let task = bench.row("task").with("subject", "Call back").with("regardingobjectid", account.at.clone());
    bench.create(&[account.clone(), email.clone(), task.clone()]).await;
    let mut rows = bench.all("activitypointer", Filter::eq("regardingobjectid", account.at)).await;
    rows.sort_by_key(|row| row.at.id);
    let shown: Vec<_> =
        rows.iter().map(|row| (row.at.id, row.text("subject"), row.text("activitytypecode"))).collect();
    assert_eq!(
        shown,
        [(email.at.id, Some("Offer"), Some("email")), (task.at.id, Some("Call back"), Some("task"))]
    );
    // A general lookup is settled to the table that has the row.
    let pointer = postroom_core::RecordRef::new("activitypointer", email.at.id);
    let party = bench
        .row("activityparty")
        .with("activityid", pointer)
        .with("participationtypemask", 2)
        .with("addressused", "a@b");
    bench.create(std::slice::from_ref(&party)).await;
    assert_eq!(bench.found(&party.at).await.lookup("activityid"), Some(&email.at));
}

async fn queue_items_say_what_they_are(on: On) {
    let bench = Bench::new(on).await;
    let queue = bench.row("queue").with("name", "Q");
    let case = bench.row("incident").with("title", "Leak");
    let item = bench.row("queueitem").with("queueid", queue.at.clone()).with("objectid", case.at.clone());
    bench.create(&[queue, case, item.clone()]).await;
    let row = bench.found(&item.at).await;
    assert_eq!(
        (row.text("title"), row.int("objecttypecode"), row.int("statecode")),
        (Some("Leak"), Some(112), Some(0))
    );
    assert_eq!(row.get("enteredon"), Some(&Value::Time(bench.clock.now())));
}
