//! Marketing lists and their members, both ways.

mod dynamic;

use std::collections::BTreeSet;

use jiff::SignedDuration;
use postroom_core::marketing::{ContactId, ContactRow, Include, List, ListId, MembersAsk, Names, Visibility};
use postroom_core::{Change, ChangeSet, Crm, Filter, Query, Record, RecordRef, Value};
use postroom_marketing::engine::Settings;
use postroom_marketing::lists::reconcile::Guard;
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{RunState, SyncType, Trial};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use uuid::Uuid;

use crate::bench::{On, on_all, on_old};
use crate::lab::{ACCOUNT, Lab, PASSWORD, service_with};
use crate::sweep::{Wrong, sweep};

/// An address that is awkward in paths, queries and tables.
pub const ODD: &str = "o'brien+x@example.com";

on_all!(
    a_list_is_made_and_filled,
    members_travel_both_ways,
    a_list_is_renamed_by_its_id,
    a_list_that_is_gone_there_is_not_rebuilt_unasked,
    reserved_names_are_said,
    a_list_of_the_same_name_is_linked_when_somebody_says_so,
    a_list_that_is_gone_here_takes_its_own_along,
    who_gets_no_mail_is_left_out,
    one_address_of_two_members_leaves_with_the_last,
    strangers_are_left_removed_taken_or_made,
    a_person_whom_the_service_suppressed_stays_a_member,
    very_many_are_asked_about,
    manual_lists_wait_until_they_are_asked_for,
    nothing_new_makes_few_calls,
    a_dry_run_says_who_would_go_where,
    an_address_that_changed_moves,
);

on_old!(
    a_list_is_made_and_filled,
    members_travel_both_ways,
    a_list_is_renamed_by_its_id,
    a_list_that_is_gone_here_takes_its_own_along,
    strangers_are_left_removed_taken_or_made,
    an_address_that_changed_moves,
);

pub fn option(set: Set, label: &str) -> Value {
    set.value(label).unwrap().into()
}

impl Lab {
    /// A static list of contacts, activated for e-mail.
    pub async fn news(&self, number: u128, name: &str) -> RecordRef {
        let account = self.engine.connect(self.account()).await.unwrap();
        let at = RecordRef::new("list", Uuid::from_u128(0x1157_0000 + number));
        let row = Record::new(at.clone())
            .with("listname", name)
            .with("createdfromcode", 2)
            .with("type", false)
            .with("esc_activatedforemail", true)
            .with("esc_emailaccountid", account.row());
        self.write(row).await;
        at
    }

    pub async fn set(&self, at: &RecordRef, column: &'static str, value: impl Into<Value>) {
        self.write(Record::new(at.clone()).with(column, value)).await;
    }

    pub async fn members(&self, list: &RecordRef, people: &[RecordRef]) {
        self.crm.associate("listcontact_association", list, people).await.unwrap();
    }

    /// Contacts `p0@x.example` and so on, all on the list.
    pub async fn some_people(&self, list: &RecordRef, count: u128) -> Vec<RecordRef> {
        let mut people = Vec::new();
        for number in 0..count {
            people.push(self.contact(number, &format!("p{number}@x.example")).await);
        }
        self.members(list, &people).await;
        people
    }

    pub async fn here(&self, list: &RecordRef) -> BTreeSet<RecordRef> {
        let query = Query::of("listmember").filter(Filter::eq("listid", list.clone()));
        let rows = self.crm.query(&query).await.unwrap();
        rows.iter().filter_map(|row| row.lookup("entityid").cloned()).collect()
    }

    pub async fn list_there(&self, name: &str) -> Option<List> {
        self.account().service.find_list(name).await.unwrap()
    }

    /// Who is on the service's list of this name.
    pub async fn there(&self, name: &str) -> BTreeSet<String> {
        let list = self.list_there(name).await.unwrap_or_else(|| panic!("there is no list {name}"));
        let ask = MembersAsk { list: list.id, modified_since: None, include: Include::default() };
        let page = self.account().service.members(&ask, &Default::default()).await.unwrap();
        page.rows.into_iter().filter_map(|person| person.names.email).collect()
    }

    /// Somebody at the service is put on a list there.
    pub async fn put_there(&self, list: &ListId, address: &str) {
        let names = Names { email: Some(address.to_owned()), ..Names::default() };
        let row = ContactRow { names, lists: vec![list.clone()], ..ContactRow::default() };
        self.account().service.patch_contact(&row, Default::default()).await.unwrap();
    }

    pub async fn take_there(&self, list: &ListId, address: &str) {
        let id = self.world.person(1, address).unwrap().id;
        let service = &self.account().service;
        let job = service.remove_members(list, &[ContactId(id.into())]).await.unwrap().unwrap();
        while !service.deletion(&job).await.unwrap().done {}
    }

    pub async fn says(&self, list: &RecordRef, column: &str, set: Set, label: &str) {
        let row = self.record(list).await.unwrap();
        let found = row.int(column).and_then(|value| set.option(i32::try_from(value).unwrap()));
        assert_eq!(found, Some(label), "{:?}", row.text("esc_lastsyncmessage"));
    }

    async fn all_well(&self) {
        let run = self.run(SyncType::Lists).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }
}

fn set_of(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

async fn a_list_is_made_and_filled(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    let people = [lab.contact(1, "Anna@x.example").await, lab.contact(2, ODD).await];
    lab.members(&list, &people).await;
    let run = lab.run(SyncType::Lists).await;
    assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    assert_eq!(run.counts.to_service.sent, 2, "{run:?}");
    assert_eq!(lab.there("News").await, set_of(&["anna@x.example", ODD]));
    lab.says(&list, "esc_syncstatus", Set::ListSyncStatus, "Synced To Email Service").await;
    lab.says(&list, "esc_membersyncstatus", Set::MemberSyncStatus, "Sync Complete").await;
    let row = lab.record(&list).await.unwrap();
    let id = lab.list_there("News").await.unwrap().id.0;
    assert_eq!(row.int("esc_serviceaddressbookid"), Some(id));
    let counts = ["esc_crmmembercount", "esc_sentcount", "esc_servicecontactcount", "esc_rejectedcount"];
    assert_eq!(counts.map(|column| row.int(column)), [Some(2), Some(2), Some(2), Some(0)]);
}

async fn members_travel_both_ways(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.set(
        &list,
        "esc_membershipaction",
        option(Set::MembershipAction, "Allow only known records to be added"),
    )
    .await;
    let people = lab.some_people(&list, 4).await;
    lab.all_well().await;
    let id = lab.list_there("News").await.unwrap().id;
    let known = lab.contact(9, "known@x.example").await;

    lab.advance(SignedDuration::from_mins(5));
    lab.take_there(&id, "p1@x.example").await;
    lab.put_there(&id, "known@x.example").await;
    lab.crm.disassociate("listcontact_association", &list, &people[2..3]).await.unwrap();
    lab.all_well().await;
    let expected = set_of(&["p0@x.example", "p3@x.example", "known@x.example"]);
    assert_eq!(lab.there("News").await, expected);
    let members = [people[0].clone(), people[3].clone(), known];
    assert_eq!(lab.here(&list).await, members.into());
    // Both agree: nobody comes back.
    lab.advance(SignedDuration::from_mins(5));
    lab.all_well().await;
    assert_eq!(lab.there("News").await, expected);
}

async fn a_list_is_renamed_by_its_id(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 2).await;
    lab.all_well().await;
    let id = lab.list_there("News").await.unwrap().id;
    lab.set(&list, "listname", "Letters").await;
    lab.all_well().await;
    assert_eq!(lab.list_there("Letters").await.unwrap().id, id);
    assert_eq!(lab.list_there("News").await, None);
    // Renamed at the service: the CRM's name stays, and so does the tie.
    lab.account().service.change_list(&id, "Tidings", &Visibility::Private).await.unwrap();
    lab.all_well().await;
    assert_eq!(lab.list_there("Tidings").await.unwrap().id, id);
    assert_eq!(lab.list_there("Letters").await, None);
}

async fn a_list_that_is_gone_there_is_not_rebuilt_unasked(on: On) {
    let lab = Lab::new(on).await;
    let (list, other) = (lab.news(1, "News").await, lab.news(2, "Other").await);
    lab.some_people(&list, 2).await;
    lab.all_well().await;
    let id = lab.list_there("News").await.unwrap().id;
    lab.account().service.delete_list(&id).await.unwrap();
    let at = lab.contact(7, "q@x.example").await;
    lab.members(&other, &[at]).await;
    let held = lab.run(SyncType::Lists).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    assert_eq!(lab.list_there("News").await, None);
    lab.says(&list, "esc_syncstatus", Set::ListSyncStatus, "Error - Not Found in Email Service").await;
    assert_eq!(lab.there("Other").await, set_of(&["q@x.example"]), "other lists go on");
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    assert_eq!(lab.last(SyncType::Lists).await.state, RunState::Done);
    assert_eq!(lab.there("News").await.len(), 2);
    lab.says(&list, "esc_syncstatus", Set::ListSyncStatus, "Synced To Email Service").await;
}

async fn reserved_names_are_said(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "ALL contacts").await;
    lab.all_well().await;
    lab.says(&list, "esc_syncstatus", Set::ListSyncStatus, "Error - name reserved").await;
}

async fn a_list_of_the_same_name_is_linked_when_somebody_says_so(on: On) {
    let lab = Lab::new(on).await;
    let made = lab.account().service.create_list("news", &Visibility::Private).await.unwrap();
    lab.put_there(&made.id, "theirs@x.example").await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 2).await;
    let held = lab.run(SyncType::Lists).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    assert!(held.reason.unwrap().contains("on which 1 people are"));
    assert_eq!(lab.there("news").await, set_of(&["theirs@x.example"]));
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    lab.says(&list, "esc_syncstatus", Set::ListSyncStatus, "Linked with Email Service").await;
    // Whom nobody decided about is left alone.
    assert_eq!(lab.there("news").await.len(), 3);
    // A second list of the name cannot have it, too.
    let second = lab.news(2, "NEWS").await;
    lab.run(SyncType::Lists).await;
    lab.says(&second, "esc_syncstatus", Set::ListSyncStatus, "Sync Error").await;
}

async fn a_list_that_is_gone_here_takes_its_own_along(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 2).await;
    lab.all_well().await;
    let changes = vec![Change::Delete(list)];
    lab.crm.apply(vec![ChangeSet { changes }]).await.remove(0).unwrap();
    let held = lab.run(SyncType::Lists).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    assert!(lab.list_there("News").await.is_some());
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    assert_eq!(lab.list_there("News").await, None);
    lab.all_well().await;
}

async fn who_gets_no_mail_is_left_out(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    let people = lab.some_people(&list, 6).await;
    lab.set(&people[0], "donotbulkemail", true).await;
    lab.set(&people[1], "donotsendmm", true).await;
    lab.set(&people[2], "statecode", 1).await;
    lab.all_well().await;
    assert_eq!(lab.there("News").await, set_of(&["p3@x.example", "p4@x.example", "p5@x.example"]));
    // Later, and by another record with the address.
    let other = lab.contact(20, "p3@x.example").await;
    lab.set(&other, "donotemail", true).await;
    lab.set(&people[4], "statecode", 1).await;
    lab.all_well().await;
    assert_eq!(lab.there("News").await, set_of(&["p5@x.example"]));
    assert_eq!(lab.here(&list).await.len(), 6, "nobody leaves the CRM's list by that");
    let row = lab.record(&list).await.unwrap();
    assert_eq!(row.int("esc_skippedcount"), Some(5));
}

async fn one_address_of_two_members_leaves_with_the_last(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 2).await;
    let twins = [lab.contact(31, ODD).await, lab.contact(32, "O'Brien+X@example.com").await];
    lab.members(&list, &twins).await;
    lab.all_well().await;
    assert_eq!(lab.world.contacts(1), 3);
    lab.crm.disassociate("listcontact_association", &list, &twins[..1]).await.unwrap();
    lab.all_well().await;
    assert!(lab.there("News").await.contains(ODD));
    lab.crm.disassociate("listcontact_association", &list, &twins[1..]).await.unwrap();
    lab.all_well().await;
    assert!(!lab.there("News").await.contains(ODD));
}

async fn strangers_are_left_removed_taken_or_made(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 3).await;
    lab.all_well().await;
    let id = lab.list_there("News").await.unwrap().id;
    lab.contact(40, "known@x.example").await;
    lab.put_there(&id, "known@x.example").await;
    lab.put_there(&id, ODD).await;
    let check = async |action: &str, here: usize, there: usize| {
        lab.set(&list, "esc_membershipaction", option(Set::MembershipAction, action)).await;
        lab.all_well().await;
        assert_eq!((lab.here(&list).await.len(), lab.there("News").await.len()), (here, there), "{action}");
    };
    check("Ignore service members not in this list", 3, 5).await;
    check("Allow only known records to be added", 4, 5).await;
    check("Create unknown as new record", 5, 5).await;
    let made = lab.crm.find_addresses(&[ODD.to_owned()]).await.unwrap();
    assert_eq!((made.len(), made[0].record.table.as_str()), (1, "contact"));
    lab.put_there(&id, "third@x.example").await;
    check("Remove service members not in this list", 5, 5).await;
    assert!(!lab.there("News").await.contains("third@x.example"));
}

async fn a_person_whom_the_service_suppressed_stays_a_member(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 3).await;
    lab.all_well().await;
    lab.world.act(1, "p1@x.example", None, Act::Unsubscribe).unwrap();
    lab.all_well().await;
    assert_eq!(lab.here(&list).await.len(), 3);
    lab.run(SyncType::Suppressions).await;
    lab.all_well().await;
    assert_eq!((lab.here(&list).await.len(), lab.there("News").await.len()), (3, 2));
}

async fn very_many_are_asked_about(on: On) {
    let mut lab = Lab::with(on, Settings::default()).await;
    lab.rule(|rules| rules.guard = Guard { share: 10, number: 2, ..Guard::default() });
    let (list, other) = (lab.news(1, "News").await, lab.news(2, "Other").await);
    let people = lab.some_people(&list, 6).await;
    lab.members(&other, &people).await;
    lab.all_well().await;
    lab.crm.disassociate("listcontact_association", &list, &people[..3]).await.unwrap();
    lab.crm.disassociate("listcontact_association", &other, &people[..2]).await.unwrap();
    let held = lab.run(SyncType::Lists).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    assert!(held.reason.unwrap().contains("3 of 6 would be taken off the service's list"));
    assert_eq!((lab.there("News").await.len(), lab.there("Other").await.len()), (6, 4));
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    assert_eq!(lab.there("News").await.len(), 3);
}

async fn manual_lists_wait_until_they_are_asked_for(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 2).await;
    lab.set(&list, "esc_manualsynconly", true).await;
    lab.all_well().await;
    assert_eq!(lab.list_there("News").await, None);
    lab.set(&list, "esc_syncrequested", true).await;
    lab.all_well().await;
    assert_eq!(lab.there("News").await.len(), 2);
    let row = lab.record(&list).await.unwrap();
    assert_eq!(row.get("esc_syncrequested").and_then(Value::as_bool), Some(false));
}

async fn nothing_new_makes_few_calls(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 30).await;
    lab.all_well().await;
    // What was sent comes back as changed people, once.
    lab.advance(SignedDuration::from_mins(15));
    lab.all_well().await;
    for _ in 0..2 {
        lab.advance(SignedDuration::from_mins(15));
        lab.world.forget_calls();
        let run = lab.run(SyncType::Lists).await;
        assert_eq!((run.counts.to_crm.sent, run.counts.to_service.sent), (0, 0), "{run:?}");
        let calls: u64 = lab.world.calls().values().sum();
        assert!(calls <= 2, "{:?}", lab.world.calls());
    }
    // And once a day the list is looked at whole.
    lab.advance(SignedDuration::from_hours(25));
    lab.all_well().await;
    assert_eq!(lab.there("News").await.len(), 30);
}

async fn a_dry_run_says_who_would_go_where(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 3).await;
    let Trial { counts, question, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Lists).await.unwrap();
    assert_eq!((counts.to_service.sent, question), (3, None));
    assert_eq!((lab.list_there("News").await, lab.world.contacts(1)), (None, 0));
    assert_eq!(lab.record(&list).await.unwrap().int("esc_syncstatus"), None);
    lab.all_well().await;
    let people = lab.here(&list).await.into_iter().collect::<Vec<_>>();
    lab.crm.disassociate("listcontact_association", &list, &people[..1]).await.unwrap();
    for _ in 0..2 {
        let Trial { counts, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Lists).await.unwrap();
        assert_eq!((counts.removed, counts.to_service.sent), (1, 0), "{counts:?}");
        assert_eq!(lab.there("News").await.len(), 3);
    }
}

async fn an_address_that_changed_moves(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    let people = lab.some_people(&list, 3).await;
    lab.all_well().await;
    let id = lab.world.person(1, "p1@x.example").unwrap().id;
    lab.set(&people[1], "emailaddress1", ODD).await;
    lab.all_well().await;
    assert_eq!(lab.there("News").await, set_of(&["p0@x.example", "p2@x.example", ODD]));
    assert_eq!(lab.world.person(1, ODD).unwrap().id, id, "the same person");
    assert!(lab.world.person(1, "p1@x.example").is_none(), "and no second one");
    lab.set(&people[1], "emailaddress1", Value::Null).await;
    lab.all_well().await;
    assert_eq!(lab.there("News").await, set_of(&["p0@x.example", "p2@x.example"]));
}

/// A list with everything to do: one joins and one leaves on each side.
async fn some_members(lab: &Lab) {
    let list = lab.news(1, "News").await;
    lab.set(&list, "esc_membershipaction", option(Set::MembershipAction, "Create unknown as new record"))
        .await;
    let people = lab.some_people(&list, 5).await;
    lab.all_well().await;
    lab.advance(SignedDuration::from_mins(5));
    let id = lab.list_there("News").await.unwrap().id;
    lab.take_there(&id, "p1@x.example").await;
    lab.put_there(&id, ODD).await;
    lab.crm.disassociate("listcontact_association", &list, &people[2..3]).await.unwrap();
    let fresh = lab.contact(50, "fresh@x.example").await;
    lab.members(&list, &[fresh]).await;
    lab.news(2, "Second").await;
}

async fn both_agree(lab: &Lab, named: &str) {
    let expected = set_of(&["p0@x.example", "p3@x.example", "p4@x.example", ODD, "fresh@x.example"]);
    assert_eq!(lab.there("News").await, expected, "{named}");
    let list = RecordRef::new("list", Uuid::from_u128(0x1157_0001));
    let mut here = BTreeSet::new();
    for member in lab.here(&list).await {
        here.insert(lab.record(&member).await.unwrap().text("emailaddress1").unwrap().to_owned());
    }
    assert_eq!(here, expected, "{named}");
    let found = lab.crm.find_addresses(&[ODD.to_owned()]).await.unwrap();
    assert_eq!(found.len(), 1, "{named}: made once");
    assert!(lab.list_there("Second").await.is_some(), "{named}");
    lab.says(
        &RecordRef::new("list", Uuid::from_u128(0x1157_0002)),
        "esc_syncstatus",
        Set::ListSyncStatus,
        "Synced To Email Service",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_survive_every_lost_answer() {
    sweep(On::Sqlite, Wrong::LostAnswer, some_members, SyncType::Lists, both_agree).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_survive_death_at_every_call() {
    sweep(On::Sqlite, Wrong::Death, some_members, SyncType::Lists, both_agree).await;
}

/// A list whose making was lost is ours: it is not asked about, although there is one of its name now.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_made_in_a_run_that_was_cut_is_known() {
    let lab = Lab::new(On::Sqlite).await;
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 2).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/v2/address-books"));
    lab.all_well().await;
    assert_eq!(lab.there("News").await.len(), 2);
    lab.says(&list, "esc_syncstatus", Set::ListSyncStatus, "Synced To Email Service").await;
}

/// Two lists of one name in one run: the first has the service's, the second says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_lists_of_one_name_do_not_share_one() {
    let lab = Lab::new(On::Sqlite).await;
    let (first, second) = (lab.news(1, "News").await, lab.news(2, "news").await);
    lab.all_well().await;
    let mut ids = Vec::new();
    for list in [&first, &second] {
        ids.push(lab.record(list).await.unwrap().int("esc_serviceaddressbookid"));
    }
    assert_eq!(ids.iter().flatten().count(), 1, "{ids:?}");
}

/// Everybody on a list was written at one moment: they are read back once, not at each look until the next day.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_import_of_everybody_is_read_back_once() {
    let mut lab = Lab::new(On::Sqlite).await;
    lab.serve(service_with(&lab.world, &lab.clock, PASSWORD, |settings| settings.contacts_page = 10));
    let list = lab.news(1, "News").await;
    lab.some_people(&list, 30).await;
    lab.all_well().await;
    let mut reads = Vec::new();
    for _ in 0..3 {
        lab.advance(SignedDuration::from_mins(45));
        lab.world.forget_calls();
        lab.all_well().await;
        let calls = lab.world.calls();
        reads.push(
            calls
                .iter()
                .filter(|(name, _)| name.contains("/contacts/v3"))
                .map(|(_, calls)| calls)
                .sum::<u64>(),
        );
    }
    assert!(reads[0] >= 3 && reads[1..] == [1, 1], "{reads:?}");
}
