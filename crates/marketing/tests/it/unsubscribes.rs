//! Who left one list, both ways.

use jiff::SignedDuration;
use postroom_core::marketing::{ListId, Suppression};
use postroom_core::{Record, RecordRef};
use postroom_marketing::consent::history::Scope;
use postroom_marketing::consent::ledger;
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{RunState, SyncType, Trial};
use postroom_sandbox::dotdigital::Act;
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab};
use crate::lists::{ODD, option};
use crate::sweep::{Wrong, sweep};

on_all!(
    they_go_both_ways,
    the_first_run_takes_all_history,
    nobody_comes_back_by_the_lists_flow,
    nothing_new_changes_nothing,
    a_dry_run_writes_nothing,
    said_before_the_list_was_linked,
    who_left_a_list_has_left_the_one_made_anew,
);

impl Lab {
    /// A linked list with three people and [`ODD`].
    async fn linked(&self) -> (RecordRef, ListId, Vec<RecordRef>) {
        let list = self.news(1, "News").await;
        let mut people = self.some_people(&list, 3).await;
        people.push(self.contact(60, ODD).await);
        self.members(&list, &people[3..]).await;
        let run = self.run(SyncType::Lists).await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
        (list, self.list_there("News").await.unwrap().id, people)
    }

    pub async fn left(&self, list: &ListId) -> Vec<Suppression> {
        let since = jiff::Timestamp::UNIX_EPOCH;
        self.account().service.list_unsubscribes(list, since, &Default::default()).await.unwrap().rows
    }

    fn leaves(&self, list: &ListId, address: &str) {
        let list = i32::try_from(list.0).unwrap();
        self.world.act(1, address, None, Act::LeaveList { list }).unwrap();
    }

    /// A row that a user made.
    async fn says_left(&self, number: u128, list: &RecordRef, person: &RecordRef, address: Option<&str>) {
        let row = Record::new(RecordRef::new("esc_listunsubscriber", Uuid::from_u128(number)))
            .with("esc_name", "by hand")
            .with("esc_listid", list.clone())
            .with("esc_contactid", person.clone())
            .with("esc_emailaddress", address.map(str::to_owned))
            .with("esc_reason", option(Set::ContactStatus, "Unsubscribed"))
            .with("esc_isactive", true);
        self.write(row).await;
    }

    async fn unsubscribes(&self) {
        let run = self.run(SyncType::Unsubscribes).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }
}

async fn they_go_both_ways(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.linked().await;
    let twin = lab.contact(61, "O'Brien+X@Example.com").await;
    lab.members(&list, &[twin]).await;
    lab.leaves(&id, ODD);
    lab.says_left(1, &list, &people[0], Some("P0@x.example")).await;
    lab.says_left(2, &list, &people[1], None).await;
    lab.unsubscribes().await;
    // Every record with the address left the CRM's list, and those who left there left the service's.
    assert_eq!(lab.here(&list).await, [people[2].clone()].into());
    assert_eq!(lab.left(&id).await.len(), 3);
    let rows = lab.rows("esc_listunsubscriber").await;
    let row = rows.iter().find(|row| row.text("esc_emailaddress") == Some(ODD)).unwrap();
    assert_eq!((row.lookup("esc_listid"), row.int("esc_serviceaddressbookid")), (Some(&list), Some(id.0)));
    assert!(row.lookup("esc_contactid").is_some());
    let read = lab.engine.store.read(|tx| Box::pin(async move { ledger::of(tx, ODD).await }));
    let entries: Result<_, postroom_store::Error> = read.await;
    let entries: Vec<ledger::Noted> = entries.unwrap();
    assert_eq!((entries.len(), &entries[0].entry.scope), (1, &Scope::List(id.0)));
    // The account's mail still goes to them.
    assert!(lab.rows("esc_emailsupression").await.is_empty());
}

async fn the_first_run_takes_all_history(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, _) = lab.linked().await;
    lab.leaves(&id, ODD);
    lab.advance(SignedDuration::from_hours(24 * 400));
    lab.unsubscribes().await;
    assert_eq!(lab.here(&list).await.len(), 3);
}

async fn nobody_comes_back_by_the_lists_flow(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.linked().await;
    lab.leaves(&id, ODD);
    lab.unsubscribes().await;
    // Somebody adds the person again: being a member is no consent.
    lab.members(&list, &people).await;
    lab.advance(SignedDuration::from_mins(15));
    for sync_type in [SyncType::Lists, SyncType::Unsubscribes, SyncType::Lists] {
        assert_eq!(lab.run(sync_type).await.state, RunState::Done);
        assert!(!lab.there("News").await.contains(ODD));
    }
}

async fn nothing_new_changes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.linked().await;
    lab.leaves(&id, ODD);
    lab.says_left(1, &list, &people[0], Some("p0@x.example")).await;
    lab.unsubscribes().await;
    for _ in 0..2 {
        lab.advance(SignedDuration::from_hours(1));
        lab.world.forget_calls();
        let run = lab.run(SyncType::Unsubscribes).await;
        assert_eq!((run.counts.to_crm.sent, run.counts.to_service.sent), (0, 0), "{run:?}");
        let calls: u64 = lab.world.calls().values().sum();
        assert!(calls <= 2, "{:?}", lab.world.calls());
    }
}

async fn said_before_the_list_was_linked(on: On) {
    let lab = Lab::new(on).await;
    let list = lab.news(1, "News").await;
    let people = lab.some_people(&list, 3).await;
    lab.says_left(1, &list, &people[0], Some("P0@x.example")).await;
    lab.unsubscribes().await;
    lab.says_left(2, &list, &people[1], None).await;
    lab.unsubscribes().await;
    assert_eq!(lab.run(SyncType::Lists).await.state, RunState::Done);
    assert_eq!(lab.there("News").await, ["p2@x.example".to_owned()].into());
    lab.unsubscribes().await;
    assert_eq!(lab.here(&list).await, [people[2].clone()].into());
}

async fn who_left_a_list_has_left_the_one_made_anew(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.linked().await;
    lab.leaves(&id, ODD);
    lab.says_left(1, &list, &people[0], Some("p0@x.example")).await;
    lab.unsubscribes().await;
    lab.account().service.delete_list(&id).await.unwrap();
    let held = lab.run(SyncType::Lists).await;
    assert_eq!(held.state, RunState::Held, "{held:?}");
    lab.engine.confirm(held.id, "anna").await.unwrap().unwrap();
    lab.work().await;
    let anew = lab.list_there("News").await.unwrap().id;
    assert_ne!(anew, id);
    // Somebody adds them again: being a member is no consent.
    lab.members(&list, &people).await;
    lab.advance(SignedDuration::from_mins(15));
    for sync_type in [SyncType::Lists, SyncType::Unsubscribes] {
        assert_eq!(lab.run(sync_type).await.state, RunState::Done);
    }
    assert_eq!(lab.there("News").await, ["p1@x.example".to_owned(), "p2@x.example".to_owned()].into());
    assert_eq!((lab.here(&list).await.len(), lab.left(&anew).await.len()), (2, 2));
}

async fn a_dry_run_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.linked().await;
    lab.leaves(&id, ODD);
    lab.says_left(1, &list, &people[0], Some("p0@x.example")).await;
    let Trial { counts, question, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Unsubscribes).await.unwrap();
    assert_eq!((counts.read, question), (2, None));
    assert_eq!((lab.here(&list).await.len(), lab.left(&id).await.len()), (4, 1));
    let rows = lab.rows("esc_listunsubscriber").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text("esc_name"), Some("by hand"));
}

async fn some_leave(lab: &Lab) {
    let (list, id, people) = lab.linked().await;
    lab.leaves(&id, ODD);
    lab.says_left(1, &list, &people[0], Some("p0@x.example")).await;
    lab.says_left(2, &list, &people[1], Some("p1@x.example")).await;
}

async fn all_left(lab: &Lab, named: &str) {
    let id = lab.list_there("News").await.unwrap().id;
    assert_eq!(lab.left(&id).await.len(), 3, "{named}");
    let list = RecordRef::new("list", Uuid::from_u128(0x1157_0001));
    assert_eq!(lab.here(&list).await.len(), 1, "{named}");
    // Two rows of users, and one of ours for each address.
    assert_eq!(lab.rows("esc_listunsubscriber").await.len(), 5, "{named}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_survive_every_lost_answer() {
    sweep(On::Sqlite, Wrong::LostAnswer, some_leave, SyncType::Unsubscribes, all_left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_survive_death_at_every_call() {
    sweep(On::Sqlite, Wrong::Death, some_leave, SyncType::Unsubscribes, all_left).await;
}
