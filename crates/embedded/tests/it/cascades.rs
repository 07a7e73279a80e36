//! Relationships: what a deletion takes along, lets go of and is stopped by; what an assignment carries along.

use std::sync::Arc;

use postroom_core::metadata::{Cascade, CascadeType, OneToMany, PrivilegeKind};
use postroom_core::query::Comparison;
use postroom_core::{Change, ChangesAsk, Code, Crm, Filter, Outcome, Record, RecordRef, Value};
use postroom_embedded::access::Level;
use postroom_embedded::definitions;
use postroom_embedded::schema::{Column, Table};
use postroom_embedded::session::Session;

use crate::access::town::Town;
use crate::bench::{Bench, On, on_both};

on_both!(
    an_account_takes_what_hangs_on_it_along,
    a_document_keeps_its_customer,
    links_are_let_go,
    a_refused_set_takes_nothing_along,
    rows_of_one_lot_follow_each_other,
    a_circle_ends,
    a_long_family_goes_whole,
    pairs_and_shares_go,
    relations_made_at_run_time,
    the_rows_below_need_the_privilege_too,
    owners_go_down,
    only_some_follow_an_owner,
    deletions_are_told,
);

async fn is_there(bench: &Bench, at: &RecordRef) -> bool {
    bench.read(at).await.is_some()
}

async fn count(bench: &Bench, table: &str) -> usize {
    bench.all(table, Filter::All(Vec::new())).await.len()
}

fn account(bench: &Bench, name: &str) -> Record {
    bench.row("account").with("name", name)
}

async fn an_account_takes_what_hangs_on_it_along(on: On) {
    let bench = Bench::new(on).await;
    let (firm, other) = (account(&bench, "Firm"), account(&bench, "Other"));
    let person = bench.contact("Anna").with("parentcustomerid", firm.at.clone());
    let stranger = bench.contact("Bert").with("parentcustomerid", other.at.clone());
    let mail = bench.email().with("regardingobjectid", person.at.clone());
    let task = bench.row("task").with("subject", "Call").with("regardingobjectid", firm.at.clone());
    let note = bench.row("annotation").with("subject", "N").with("objectid", mail.at.clone());
    let queue = bench.row("queue").with("name", "Q");
    let item = bench.row("queueitem").with("queueid", queue.at.clone()).with("objectid", mail.at.clone());
    let party = bench.party(&mail, 2, "a@b.example").with("partyid", person.at.clone());
    let elsewhere = bench.email();
    let guest = bench.party(&elsewhere, 3, "a@b.example").with("partyid", person.at.clone());
    let file = bench.attachment(&mail, b"x");
    bench.create(&[firm.clone(), other, person.clone(), stranger.clone(), mail.clone(), task.clone()]).await;
    bench.create(&[note.clone(), queue.clone(), item.clone(), party.clone(), file.clone()]).await;
    bench.create(&[elsewhere.clone(), guest.clone()]).await;

    assert_eq!(bench.must(Change::Delete(firm.at.clone())).await, Outcome::Deleted);

    for at in [&firm.at, &person.at, &mail.at, &task.at, &note.at, &item.at, &party.at, &file.at] {
        assert!(!is_there(&bench, at).await, "{at} is left");
    }
    for at in [&stranger.at, &queue.at, &elsewhere.at] {
        assert!(is_there(&bench, at).await, "{at} is gone");
    }
    let guest = bench.found(&guest.at).await;
    assert_eq!(guest.get("ispartydeleted"), Some(&Value::Bool(true)), "the mail still says who got it");
    assert_eq!(guest.text("addressused"), Some("a@b.example"));
}

async fn a_document_keeps_its_customer(on: On) {
    let bench = Bench::new(on).await;
    let firm = account(&bench, "Firm");
    let person = bench.contact("Anna").with("parentcustomerid", firm.at.clone());
    let bill = bench.row("invoice").with("name", "I").with("customerid", person.at.clone());
    bench.create(&[firm.clone(), person.clone(), bill.clone()]).await;
    // Two steps below: the whole stays.
    let delete = Change::Delete(firm.at.clone());
    bench
        .refused(delete.clone(), Code::CRM_REFUSED, &["contact", "invoice", "invoice_customer_contacts"])
        .await;
    assert!(is_there(&bench, &firm.at).await && is_there(&bench, &person.at).await);
    // What goes in the same set keeps nobody.
    bench.apply(vec![Change::Delete(bill.at), delete]).await.unwrap();
    assert!(!is_there(&bench, &person.at).await);
}

async fn links_are_let_go(on: On) {
    let bench = Bench::new(on).await;
    let (parent, person) = (account(&bench, "Parent"), bench.contact("Anna"));
    let child = account(&bench, "Child")
        .with("parentaccountid", parent.at.clone())
        .with("primarycontactid", person.at.clone());
    bench.create(&[parent.clone(), person.clone(), child.clone()]).await;
    let before = bench.found(&child.at).await;
    bench.clock.advance(jiff::SignedDuration::from_secs(60));
    bench.apply(vec![Change::Delete(parent.at), Change::Delete(person.at)]).await.unwrap();
    let after = bench.found(&child.at).await;
    assert_eq!((after.lookup("parentaccountid"), after.lookup("primarycontactid")), (None, None));
    assert!(after.int("versionnumber") > before.int("versionnumber"), "who follows changes sees it");
    assert_ne!(after.get("modifiedon"), before.get("modifiedon"));
}

async fn a_refused_set_takes_nothing_along(on: On) {
    let bench = Bench::new(on).await;
    let firm = account(&bench, "Firm");
    let person = bench.contact("Anna").with("parentcustomerid", firm.at.clone());
    bench.create(&[firm.clone(), person.clone()]).await;
    let wrong = Change::Update(Record::new(person.at.clone()).with("statuscode", 77));
    bench.apply(vec![Change::Delete(firm.at.clone()), wrong]).await.unwrap_err();
    assert!(is_there(&bench, &firm.at).await && is_there(&bench, &person.at).await);
}

/// What a lot makes and moves counts as if it were stored.
async fn rows_of_one_lot_follow_each_other(on: On) {
    let bench = Bench::new(on).await;
    let (first, second) = (account(&bench, "A"), account(&bench, "B"));
    let moved = bench.contact("Anna").with("parentcustomerid", first.at.clone());
    let came = bench.contact("Bert").with("parentcustomerid", second.at.clone());
    let mail = bench.email().with("regardingobjectid", came.at.clone());
    bench.create(&[first.clone(), second.clone(), moved.clone(), came.clone(), mail.clone()]).await;
    let fresh = bench.contact("Carl").with("parentcustomerid", first.at.clone());
    let to = |row: &Record, account: &Record| {
        Change::Update(Record::new(row.at.clone()).with("parentcustomerid", account.at.clone()))
    };
    let delete = Change::Delete(first.at.clone());
    let changes = vec![to(&moved, &second), to(&came, &first), Change::Create(fresh.clone()), delete];
    bench.apply(changes).await.unwrap();
    assert!(is_there(&bench, &moved.at).await, "it was moved away before");
    for at in [&came.at, &mail.at, &fresh.at] {
        assert!(!is_there(&bench, at).await, "{at} is left");
    }
}

async fn a_circle_ends(on: On) {
    let bench = Bench::new(on).await;
    let (first, second) = (bench.contact("Anna"), bench.contact("Bert"));
    bench.create(&[first.clone(), second.clone().with("parentcustomerid", first.at.clone())]).await;
    bench.update(&first.at, "parentcustomerid", second.at.clone()).await;
    bench.must(Change::Delete(first.at)).await;
    assert!(!is_there(&bench, &second.at).await);
}

/// More levels than a stack has, more rows than a statement has parameters.
async fn a_long_family_goes_whole(on: On) {
    let bench = Bench::new(on).await;
    let root = bench.contact("Root");
    let mut above = root.at.clone();
    let mut rows = vec![root.clone()];
    for place in 0..300 {
        let row = bench.contact(&format!("C{place}")).with("parentcustomerid", above);
        above = row.at.clone();
        rows.push(row);
    }
    rows.extend((0..1200).map(|_| bench.email().with("regardingobjectid", above.clone())));
    bench.create(&rows).await;
    bench.must(Change::Delete(root.at)).await;
    assert_eq!((count(&bench, "contact").await, count(&bench, "email").await), (0, 0));
    assert_eq!(count(&bench, "activityparty").await, 0);
}

async fn pairs_and_shares_go(on: On) {
    let bench = Bench::new(on).await;
    let (list, person) =
        (bench.row("list").with("listname", "L").with("createdfromcode", 2), bench.contact("Anna"));
    let member = bench.row("listmember").with("listid", list.at.clone()).with("entityid", person.at.clone());
    let user = bench.row("systemuser").with("firstname", "U").with("lastname", "U").with("domainname", "u");
    let share = bench
        .row("principalobjectaccess")
        .with("objectid", person.at.id)
        .with("objecttypecode", "contact")
        .with("principalid", user.at.id)
        .with("principaltypecode", "systemuser")
        .with("accessrightsmask", 1);
    bench.create(&[list.clone(), person.clone(), member, user, share]).await;
    bench.must(Change::Delete(person.at)).await;
    assert!(is_there(&bench, &list.at).await);
    assert_eq!((count(&bench, "listmember").await, count(&bench, "principalobjectaccess").await), (0, 0));
}

/// A table with a lookup to contacts whose relationship says this.
async fn with_relation(bench: &Bench, cascade: Cascade) {
    bench.crm.create_table(Table::custom("new_thing", vec![Column::text("new_name", 100)])).await.unwrap();
    let relation = OneToMany {
        id: uuid::Uuid::nil(),
        schema_name: "new_contact_thing".into(),
        referenced_table: "contact".into(),
        referenced_column: String::new(),
        referencing_table: "new_thing".into(),
        referencing_column: String::new(),
        referencing_navigation: String::new(),
        referenced_navigation: String::new(),
        cascade,
        is_custom: true,
    };
    let lookup = crate::definitions::lookup("new_ContactId");
    bench.crm.create_relationship(relation, lookup).await.unwrap();
}

async fn relations_made_at_run_time(on: On) {
    let bench = Bench::new(on).await;
    with_relation(&bench, Cascade { delete: CascadeType::Cascade, ..Cascade::default() }).await;
    let person = bench.contact("Anna");
    let thing = bench.row("new_thing").with("new_name", "T").with("new_contactid", person.at.clone());
    bench.create(&[person.clone(), thing.clone()]).await;
    bench.must(Change::Delete(person.at)).await;
    assert!(!is_there(&bench, &thing.at).await);
    // The same relationship, changed: it is asked anew.
    let all = definitions::metadata(&bench.crm.schema().await.unwrap());
    let relation = all.one_to_many.iter().find(|one| one.schema_name == "new_contact_thing").unwrap().clone();
    let restrict = Cascade { delete: CascadeType::Restrict, ..Cascade::default() };
    bench.crm.update_relationship(OneToMany { cascade: restrict, ..relation }).await.unwrap();
    let person = bench.contact("Bert");
    let thing = bench.row("new_thing").with("new_name", "T").with("new_contactid", person.at.clone());
    bench.create(&[person.clone(), thing.clone()]).await;
    bench.refused(Change::Delete(person.at.clone()), Code::CRM_REFUSED, &["new_contact_thing"]).await;
    bench.update(&thing.at, "new_contactid", Value::Null).await;
    bench.must(Change::Delete(person.at)).await;
}

async fn denied(session: &Session, change: Change) -> String {
    let set = postroom_core::ChangeSet { changes: vec![change] };
    postroom_core::Fault::from(session.write(set).await.unwrap_err()).message
}

/// A plain deletion of the row below would be refused: so is the one from above.
async fn the_rows_below_need_the_privilege_too(on: On) {
    use PrivilegeKind::{Assign, Delete, Read, Write};
    let town = Town::new(on).await;
    let bench = &town.bench;
    let firm = account(bench, "Firm").with("ownerid", town.me.clone());
    let mail = bench.email().with("ownerid", town.other.clone()).with("regardingobjectid", firm.at.clone());
    bench.create(&[firm.clone(), mail.clone()]).await;
    // What the owner of the account inherits is not the question here.
    let inherited = bench.all("principalobjectaccess", Filter::eq("objectid", Value::Guid(mail.at.id))).await;
    bench.apply(inherited.into_iter().map(|share| Change::Delete(share.at)).collect()).await.unwrap();
    let mut given = vec![(Read, "account", Level::Basic), (Delete, "account", Level::Basic)];
    given.extend([(Write, "account", Level::Basic), (Assign, "account", Level::Basic)]);
    let role = town.role(&given).await;
    town.give(role, &town.me).await;
    let session = bench.crm.session(town.me.id);
    let delete = Change::Delete(firm.at.clone());
    let assign = Change::Update(Record::new(firm.at.clone()).with("ownerid", town.colleague.clone()));
    let text = denied(&session, delete.clone()).await;
    assert!(text.contains("prvDeleteActivity"), "{text}");
    let text = denied(&session, assign.clone()).await;
    assert!(text.contains("prvAssignActivity"), "{text}");
    assert!(is_there(bench, &mail.at).await && is_there(bench, &firm.at).await);
    // Deep enough for the rows of the own unit, not for this one.
    let near = town.role(&[(Delete, "email", Level::Local), (Assign, "email", Level::Local)]).await;
    town.give(near, &town.me).await;
    let text = denied(&session, delete.clone()).await;
    assert!(text.contains("AccessCheckEx"), "{text}");
    let far = town.role(&[(Delete, "email", Level::Global), (Assign, "email", Level::Global)]).await;
    town.give(far, &town.me).await;
    session.write(postroom_core::ChangeSet { changes: vec![assign] }).await.unwrap();
    assert_eq!(bench.found(&mail.at).await.lookup("ownerid"), Some(&town.colleague));
    bench.update(&firm.at, "ownerid", town.me.clone()).await;
    session.write(postroom_core::ChangeSet { changes: vec![delete] }).await.unwrap();
    assert!(!is_there(bench, &mail.at).await);
}

async fn owners_go_down(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    let (firm, child) = (account(bench, "Firm"), account(bench, "Child"));
    let child = child.with("parentaccountid", firm.at.clone());
    let mail = bench.email().with("regardingobjectid", child.at.clone());
    let alone = bench.email();
    bench.create(&[firm.clone(), child.clone(), mail.clone(), alone.clone()]).await;
    bench.update(&firm.at, "ownerid", town.team.clone()).await;
    for at in [&firm.at, &child.at, &mail.at] {
        let row = bench.found(at).await;
        assert_eq!(row.lookup("ownerid"), Some(&town.team), "{at}");
        assert_eq!(row.lookup("owningbusinessunit").map(|unit| unit.id), Some(town.unit), "{at}");
        assert_eq!(row.lookup("owningteam"), Some(&town.team), "{at}");
    }
    let owners = Filter::All(vec![
        Filter::eq("activityid", mail.at.clone()),
        Filter::Compare("participationtypemask".into(), Comparison::Eq, Value::Int(9)),
    ]);
    let owners = bench.all("activityparty", owners).await;
    assert_eq!(owners.iter().map(|row| row.lookup("partyid")).collect::<Vec<_>>(), [Some(&town.team)]);
    assert_ne!(bench.found(&alone.at).await.lookup("ownerid"), Some(&town.team));
}

async fn only_some_follow_an_owner(on: On) {
    let town = Town::new(on).await;
    let bench = &town.bench;
    with_relation(bench, Cascade { assign: CascadeType::UserOwned, ..Cascade::default() }).await;
    let person = bench.contact("Anna").with("ownerid", town.me.clone());
    let thing = |owner: &RecordRef| {
        let row = bench.row("new_thing").with("new_name", "T").with("ownerid", owner.clone());
        row.with("new_contactid", person.at.clone())
    };
    let (mine, others) = (thing(&town.me), thing(&town.other));
    bench.create(&[person.clone(), mine.clone(), others.clone()]).await;
    bench.update(&person.at, "ownerid", town.colleague.clone()).await;
    assert_eq!(bench.found(&mine.at).await.lookup("ownerid"), Some(&town.colleague));
    assert_eq!(bench.found(&others.at).await.lookup("ownerid"), Some(&town.other));
}

/// Who follows changes hears of the rows that went along.
async fn deletions_are_told(on: On) {
    let bench = Bench::new(on).await;
    let firm = account(&bench, "Firm");
    let person = bench.contact("Anna").with("parentcustomerid", firm.at.clone());
    bench.create(&[firm.clone(), person.clone()]).await;
    let crm: Arc<dyn Crm> = Arc::new(bench.crm.clone());
    let ask = |since| ChangesAsk { table: "contact".into(), columns: None, since, size: 100 };
    let first = crm.changes(&ask(None)).await.unwrap();
    bench.must(Change::Delete(firm.at)).await;
    let then = crm.changes(&ask(Some(first.token))).await.unwrap();
    assert_eq!(then.gone, [person.at.id]);
}
