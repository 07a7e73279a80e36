//! Sets and lots: all or nothing each, versions that rise, and what a repeat leaves alone.

use jiff::SignedDuration;
use postroom_core::{Change, ChangeSet, Code, Crm, Filter, Outcome, Record, Value};

use crate::bench::{Bench, On, on_both};

on_both!(
    sets_are_atomic,
    a_lot_is_one_story,
    versions_rise,
    a_change_that_changes_nothing_leaves_no_trace,
    a_row_may_go_and_come_again,
    the_older_date_of_creation_is_kept,
);

fn set(changes: Vec<Change>) -> ChangeSet {
    ChangeSet { changes }
}

async fn sets_are_atomic(on: On) {
    let bench = Bench::new(on).await;
    let (known, email) = (bench.contact("Anna"), bench.email());
    bench.create(&[known.clone(), email.clone()]).await;
    let before = bench.found(&known.at).await;
    let new = bench.email().with("regardingobjectid", known.at.clone());
    let fault = bench
        .apply(vec![
            Change::Create(new.clone()),
            Change::Create(bench.attachment(&email, b"x")),
            Change::Update(Record::new(known.at.clone()).with("firstname", "Bert")),
            Change::Delete(email.at.clone()),
            Change::Update(Record::new(new.at.clone()).with("statuscode", 4)),
        ])
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::CRM_STATE);
    assert_eq!(bench.found(&known.at).await, before);
    assert!(bench.read(&new.at).await.is_none());
    assert_eq!(bench.found(&email.at).await.int("attachmentcount"), Some(0));
    let parties = bench.all("activityparty", Filter::eq("activityid", new.at)).await;
    assert_eq!(parties, Vec::new(), "the server's own rows went too");
}

/// A later set sees the earlier ones, and not those that were refused.
async fn a_lot_is_one_story(on: On) {
    let bench = Bench::new(on).await;
    let (first, refused) =
        (bench.row("account").with("name", "A"), bench.row("account").with("name", "x".repeat(500)));
    let of = |account: &Record| bench.contact("Anna").with("parentcustomerid", account.at.clone());
    let (good, orphan) = (of(&first), of(&refused));
    let answers = bench
        .crm
        .apply(vec![
            set(vec![Change::Create(first.clone())]),
            set(vec![Change::Create(refused.clone())]),
            set(vec![Change::Create(good.clone())]),
            set(vec![Change::Create(orphan)]),
            set(vec![Change::Update(Record::new(good.at.clone()).with("jobtitle", "Buyer"))]),
            set(vec![
                Change::Create(good.clone()),
                Change::Upsert(Record::new(good.at.clone()).with("jobtitle", "Buyer")),
            ]),
        ])
        .await;
    let codes: Vec<Option<Code>> =
        answers.iter().map(|answer| answer.as_ref().err().map(|fault| fault.code)).collect();
    assert_eq!(codes, [None, Some(Code::CRM_REFUSED), None, Some(Code::CRM_REFERENCE), None, None]);
    assert_eq!(answers[5].as_ref().unwrap(), &[Outcome::Unchanged, Outcome::Unchanged]);
    assert_eq!(bench.found(&good.at).await.text("jobtitle"), Some("Buyer"));
}

async fn versions_rise(on: On) {
    let bench = Bench::new(on).await;
    let version = async |row: &Record| bench.found(&row.at).await.int("versionnumber").unwrap();
    let rows: Vec<Record> = (0..3).map(|_| bench.contact("Anna")).collect();
    bench.create(&rows).await;
    let (one, two, three) = (version(&rows[0]).await, version(&rows[1]).await, version(&rows[2]).await);
    assert!(one < two && two < three, "{one} {two} {three}");
    bench.update(&rows[0].at, "jobtitle", "Buyer").await;
    let four = version(&rows[0]).await;
    let other = bench.second().await;
    crate::bench::apply(&other, vec![Change::Update(Record::new(rows[1].at.clone()).with("jobtitle", "x"))])
        .await
        .unwrap();
    assert!(three < four && four < version(&rows[1]).await);
}

async fn a_change_that_changes_nothing_leaves_no_trace(on: On) {
    let bench = Bench::new(on).await;
    let account = bench.row("account").with("name", "A").with("revenue", Value::Decimal("10.00".into()));
    let email = bench.email().with("description", "<p>Hi</p>").with("actualend", bench.clock.now());
    let file = bench.attachment(&email, &[7; 10_000]);
    bench.create(&[account.clone(), email.clone(), file.clone()]).await;
    bench.clock.advance(SignedDuration::from_secs(60));
    for row in [&account, &email, &file] {
        let before = bench.found(&row.at).await;
        assert_eq!(bench.must(Change::Update(row.clone())).await, Outcome::Unchanged, "{}", row.at);
        assert_eq!(bench.must(Change::Upsert(row.clone())).await, Outcome::Unchanged);
        assert_eq!(bench.must(Change::Create(row.clone())).await, Outcome::Unchanged);
        assert_eq!(bench.found(&row.at).await, before);
    }
    let changed = bench.update(&account.at, "name", "B").await;
    assert_eq!(changed, Outcome::Updated);
    assert_eq!(bench.found(&account.at).await.get("modifiedon"), Some(&Value::Time(bench.clock.now())));
}

async fn a_row_may_go_and_come_again(on: On) {
    let bench = Bench::new(on).await;
    let email = bench.email();
    let (old, new) = (bench.attachment(&email, b"old"), bench.attachment(&email, b"new"));
    bench.create(&[email.clone(), old.clone()]).await;
    let again = email.clone().with("trackingtoken", "again");
    let outcomes = bench
        .apply(vec![Change::Delete(email.at.clone()), Change::Create(again), Change::Create(new.clone())])
        .await
        .unwrap();
    assert_eq!(outcomes, [Outcome::Deleted, Outcome::Created, Outcome::Created]);
    let row = bench.found(&email.at).await;
    assert_eq!((row.text("trackingtoken"), row.int("attachmentcount")), (Some("again"), Some(1)));
    assert!(bench.read(&old.at).await.is_none() && bench.read(&new.at).await.is_some());
    assert_eq!(bench.must(Change::Delete(email.at.clone())).await, Outcome::Deleted);
    assert_eq!(bench.must(Change::Delete(email.at.clone())).await, Outcome::Unchanged);
}

async fn the_older_date_of_creation_is_kept(on: On) {
    let bench = Bench::new(on).await;
    let old = "2011-03-04T05:06:07Z".parse::<jiff::Timestamp>().unwrap();
    let contact = bench.contact("Anna").with("overriddencreatedon", old);
    bench.create(std::slice::from_ref(&contact)).await;
    assert_eq!(bench.found(&contact.at).await.get("createdon"), Some(&Value::Time(old)));
}
