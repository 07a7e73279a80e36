//! What a row inherits from the rows above it, and large families.

use postroom_core::metadata::PrivilegeKind::{Delete, Read, Write};
use postroom_core::{Change, ChangeSet, Filter, Record, RecordRef, Value};
use postroom_embedded::access::{AccessRights, Level};
use postroom_embedded::messages::{self, Message, Parameter};
use postroom_store::{Error, Insert};
use uuid::Uuid;

use crate::access::town::{Town, load};
use crate::bench::{Bench, On, on_both};

on_both!(
    the_owner_above_has_the_row,
    what_is_shared_above_is_shared_below,
    a_refused_set_gives_nothing,
    only_what_changes_goes_down,
    rows_in_a_circle,
    whole_branches_move,
);

/// What the owner of the row above has, as the platform writes it.
const INHERITED: i64 = 135_069_719;

async fn masks(bench: &Bench, of: &RecordRef) -> Vec<(Uuid, i64, i64)> {
    let rows = bench.all("principalobjectaccess", Filter::eq("objectid", Value::Guid(of.id))).await;
    let mut masks: Vec<_> = rows
        .iter()
        .map(|row| {
            let Some(Value::Guid(holder)) = row.get("principalid") else { panic!("{row:?}") };
            let mask = |name: &str| row.int(name).unwrap_or(0);
            (*holder, mask("accessrightsmask"), mask("inheritedaccessrightsmask"))
        })
        .collect();
    masks.sort_unstable();
    masks
}

fn owned(bench: &Bench, table: &str, owner: &RecordRef) -> Record {
    let name = if table == "account" { "name" } else { "lastname" };
    bench.row(table).with(name, "X").with("ownerid", owner.clone())
}

async fn sees(town: &Town, user: &RecordRef, at: &RecordRef) -> bool {
    let key = if at.table == "email" { "activityid".to_owned() } else { format!("{}id", at.table) };
    let query = postroom_core::Query::of(&at.table).filter(Filter::eq(key, at.id));
    !town.bench.crm.session(user.id).all(query).await.unwrap().is_empty()
}

async fn the_owner_above_has_the_row(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let own: Vec<_> = ["account", "contact", "email"].map(|table| (Read, table, Level::Basic)).into();
    let role = town.role(&[&own[..], &[(Write, "contact", Level::Basic)]].concat()).await;
    for user in [&town.me, &town.colleague] {
        town.give(role, user).await;
    }
    let (mine, his) = (owned(bench, "account", &town.me), owned(bench, "account", &town.colleague));
    let person = owned(bench, "contact", &town.other).with("parentcustomerid", mine.at.clone());
    let mail = bench.email().with("regardingobjectid", person.at.clone()).with("ownerid", town.other.clone());
    bench.create(&[mine.clone(), his.clone(), person.clone(), mail.clone()]).await;
    assert_eq!(masks(bench, &person.at).await, [(town.me.id, 0, INHERITED)]);
    assert_eq!(masks(bench, &mail.at).await, [(town.me.id, 0, INHERITED)]);
    assert!(masks(bench, &mine.at).await.is_empty());
    for at in [&person.at, &mail.at] {
        assert!(sees(&town, &town.me, at).await && !sees(&town, &town.colleague, at).await, "{at}");
    }
    let me = load(bench, town.me.id, None).await.unwrap();
    let (table, facts) = (bench.crm.table("contact").await.unwrap(), town.facts(&me, &person.at).await);
    assert!(me.check(Write, &table, &facts).is_ok() && me.check(Delete, &table, &facts).is_err());
    // Somewhere else: the one loses it and the other has it, all the way down; what was shared stays.
    let share = bench
        .row("principalobjectaccess")
        .with("objectid", person.at.id)
        .with("objecttypecode", "contact")
        .with("principalid", town.me.id)
        .with("principaltypecode", "systemuser")
        .with("accessrightsmask", 1);
    bench
        .must(Change::Delete(RecordRef::new("principalobjectaccess", one_share(bench, &person.at).await)))
        .await;
    bench.create(&[share]).await;
    bench.update(&person.at, "parentcustomerid", his.at.clone()).await;
    let mut expected = [(town.me.id, 1, 0), (town.colleague.id, 0, INHERITED)];
    expected.sort_unstable();
    assert_eq!(masks(bench, &person.at).await, expected);
    assert!(sees(&town, &town.me, &person.at).await, "it was shared with him");
    for at in [&person.at, &mail.at] {
        assert!(sees(&town, &town.colleague, at).await, "{at}");
    }
    // Nowhere: nothing is left but the share, which goes down with the mail's own record.
    bench.update(&person.at, "parentcustomerid", Value::Null).await;
    assert_eq!(masks(bench, &person.at).await, [(town.me.id, 1, 0)]);
    assert!(!sees(&town, &town.colleague, &mail.at).await);
}

async fn one_share(bench: &Bench, of: &RecordRef) -> Uuid {
    let rows = bench.all("principalobjectaccess", Filter::eq("objectid", Value::Guid(of.id))).await;
    assert_eq!(rows.len(), 1);
    rows[0].at.id
}

async fn what_is_shared_above_is_shared_below(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let role = town.role(&[(Read, "account", Level::Basic), (Read, "contact", Level::Basic)]).await;
    town.give(role, &town.colleague).await;
    let firm = owned(bench, "account", &town.me);
    bench.create(std::slice::from_ref(&firm)).await;
    let session = bench.crm.session(bench.crm.acting().id);
    let ask = async |name: &str, mut parameters: Vec<(&str, Parameter)>| {
        parameters.push(("Target", Parameter::Reference(firm.at.clone())));
        let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let message = Message { name: name.into(), target: None, parameters };
        let prepared = messages::prepare(&session, &bench.ids, message).await.unwrap();
        let shares = prepared.share.into_iter().map(|share| (0, share)).collect();
        session.write_shared(ChangeSet { changes: prepared.changes }, shares).await.unwrap();
    };
    let access = Parameter::Members(vec![
        ("Principal".into(), Parameter::Reference(town.colleague.clone())),
        ("AccessMask".into(), Parameter::Text("ReadAccess".into())),
    ]);
    ask("GrantAccess", vec![("PrincipalAccess", access)]).await;
    // Made after the share: nobody shared the contact itself.
    let person = owned(bench, "contact", &town.me).with("parentcustomerid", firm.at.clone());
    bench.create(std::slice::from_ref(&person)).await;
    assert_eq!(masks(bench, &person.at).await, [(town.colleague.id, 0, 0x0800_0001)]);
    assert!(sees(&town, &town.colleague, &person.at).await);
    // Revoking takes the shares of both; what came from above goes when the row does.
    ask("RevokeAccess", vec![("Revokee", Parameter::Reference(town.colleague.clone()))]).await;
    assert!(!sees(&town, &town.colleague, &firm.at).await);
    bench.update(&person.at, "parentcustomerid", Value::Null).await;
    assert!(masks(bench, &person.at).await.is_empty());
    assert!(!sees(&town, &town.colleague, &person.at).await);
}

async fn a_refused_set_gives_nothing(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let firm = owned(bench, "account", &town.me);
    let person = owned(bench, "contact", &town.other);
    bench.create(&[firm.clone(), person.clone()]).await;
    let moved = Record::new(person.at.clone()).with("parentcustomerid", firm.at.clone());
    let wrong = Record::new(person.at.clone()).with("lastname", "x".repeat(80));
    let (good, sets) = (Change::Update(moved), [ChangeSet { changes: vec![Change::Update(wrong)] }]);
    let both = ChangeSet { changes: [vec![good.clone()], sets[0].changes.clone()].concat() };
    let answers = postroom_core::Crm::apply(&bench.crm, vec![both]).await;
    assert!(answers[0].is_err());
    assert!(masks(bench, &person.at).await.is_empty());
    bench.apply(vec![good]).await.unwrap();
    assert_eq!(masks(bench, &person.at).await, [(town.me.id, 0, INHERITED)]);
}

/// Rows whose owner is the one above are not written for it, and a second one of the same kind raises no counter.
async fn only_what_changes_goes_down(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let before = town.there("principalobjectaccess").await;
    let firm = owned(bench, "account", &town.me);
    let own = owned(bench, "contact", &town.me).with("parentcustomerid", firm.at.clone());
    bench.create(&[firm.clone(), own]).await;
    assert_eq!(town.there("principalobjectaccess").await, before);
    let counter = async || {
        let read: Result<i64, Error> =
            bench.store.read(|tx| Box::pin(async move { tx.last_number("crm_access").await })).await;
        read.unwrap()
    };
    let foreign = || owned(bench, "contact", &town.other).with("parentcustomerid", firm.at.clone());
    let first = counter().await;
    bench.create(&[foreign()]).await;
    let second = counter().await;
    bench.create(&[foreign(), foreign()]).await;
    assert_eq!((second - first, counter().await - second), (1, 0));
    assert_eq!(town.there("principalobjectaccess").await, before + 3);
}

async fn rows_in_a_circle(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let (one, two) = (owned(bench, "account", &town.me), owned(bench, "account", &town.colleague));
    bench.create(&[one.clone(), two.clone().with("parentaccountid", one.at.clone())]).await;
    bench.update(&one.at, "parentaccountid", two.at.clone()).await;
    assert_eq!(masks(bench, &one.at).await, [(town.colleague.id, 0, INHERITED)]);
    assert_eq!(masks(bench, &two.at).await, [(town.me.id, 0, INHERITED)]);
}

/// More rows below than one select takes, and a level more.
async fn whole_branches_move(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let (top, firm) = (owned(bench, "account", &town.me), owned(bench, "account", &town.other));
    let people: Vec<Record> = (0..1200)
        .map(|_| owned(bench, "contact", &town.other).with("parentcustomerid", firm.at.clone()))
        .collect();
    let mail = bench.email().with("regardingobjectid", people[1100].at.clone());
    let mail = mail.with("ownerid", town.colleague.clone());
    bench.create(&[top.clone(), firm.clone()]).await;
    bench.create(&people).await;
    bench.create(std::slice::from_ref(&mail)).await;
    let before = town.there("principalobjectaccess").await;
    bench.update(&firm.at, "parentaccountid", top.at.clone()).await;
    assert_eq!(town.there("principalobjectaccess").await, before + 1 + 1200 + 1);
    for at in [&people[0].at, &people[1199].at] {
        assert_eq!(masks(bench, at).await, [(town.me.id, 0, INHERITED)]);
    }
    let mut both = [(town.me.id, 0, INHERITED), (town.other.id, 0, INHERITED)];
    both.sort_unstable();
    assert_eq!(masks(bench, &mail.at).await, both);
    assert!(AccessRights(INHERITED).has(AccessRights::of(Write)));
    bench.update(&firm.at, "parentaccountid", Value::Null).await;
    assert_eq!(town.there("principalobjectaccess").await, before);
}

/// More rows hang on an account than one unit takes along. A hundred thousand rows are enough on one of the databases.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_family_is_deleted_in_bulk() {
    const NOTES: usize = 100_001;
    let bench = Bench::new(On::Sqlite).await;
    let (large, small) =
        (bench.row("account").with("name", "Large"), bench.row("account").with("name", "Small"));
    bench.create(&[large.clone(), small.clone()]).await;
    let (firm, ids) = (large.at.id, bench.ids.clone());
    let put: Result<(), Error> = bench
        .store
        .write("test.notes", move |tx| {
            let mut notes = Insert::into("crm_annotation", &["annotationid", "objectid", "objectid_type"]);
            for _ in 0..NOTES {
                notes.row([ids.next().into(), firm.into(), "account".into()]);
            }
            Box::pin(async move { tx.insert(&notes).await.map(drop) })
        })
        .await;
    put.unwrap();
    let refused = bench.apply(vec![Change::Delete(large.at.clone())]).await.unwrap_err();
    assert!(refused.message.contains("100000"), "{refused}");
    let session = bench.crm.session(bench.crm.acting().id);
    let query = postroom_core::Query::of("account");
    let parameters = vec![
        ("JobName".to_owned(), Parameter::Text("All".into())),
        ("QuerySet".to_owned(), Parameter::List(vec![Parameter::Query(Box::new(query))])),
    ];
    let message = Message { name: "BulkDelete".into(), target: None, parameters };
    messages::prepare(&session, &bench.ids, message).await.unwrap();
    let jobs = bench.all("asyncoperation", Filter::All(vec![])).await;
    assert_eq!(jobs[0].int("statuscode"), Some(30), "{jobs:?}");
    assert_eq!(jobs[0].text("message"), Some("2 rows deleted."));
    assert!(bench.all("account", Filter::All(vec![])).await.is_empty());
    let left = postroom_core::Query::of("annotation").top(1);
    assert!(postroom_core::Crm::query(&bench.crm, &left).await.unwrap().is_empty());
}
