//! Marketing preferences and subscription groups.

use jiff::SignedDuration;
use postroom_core::marketing::{ListId, Person, Preference, PreferenceId, Visibility};
use postroom_core::{Record, RecordRef, Value};
use postroom_marketing::consent::gate::{self, Asked};
use postroom_marketing::preferences::choices::SaidChoice;
use postroom_marketing::preferences::scoped;
use postroom_marketing::sync::{RunState, SyncType, Trial};
use postroom_sandbox::dotdigital::Act;
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab};
use crate::lists::ODD;
use crate::sweep::{Wrong, sweep};

on_all!(
    the_tree_is_in_the_crm,
    choices_go_both_ways,
    the_newest_word_counts,
    people_of_no_list_are_left_out,
    who_declined_gets_no_mail_by_what_is_tied,
    who_declined_before_joining_is_not_added,
    groups_leave_and_join_lists,
    a_touched_row_of_a_group_is_no_consent,
    whom_the_service_keeps_out_stays_out,
    nothing_new_changes_nothing,
    a_dry_run_writes_nothing,
);

const TABLE: &str = "esc_marketingpreferencesubscription";

impl Lab {
    pub async fn preference(
        &self,
        name: &str,
        parent: Option<&PreferenceId>,
        category: bool,
    ) -> PreferenceId {
        let preference = Preference {
            id: PreferenceId(0),
            public_name: name.to_owned(),
            private_name: name.to_owned(),
            category,
            public: true,
            parent: parent.cloned(),
            order: String::new(),
            created: None,
            modified: None,
        };
        self.account().service.create_preference(&preference).await.unwrap()
    }

    pub async fn chooses(&self, address: &str, preference: &PreferenceId, yes: bool) {
        let who = Person::Email(address.to_owned());
        self.account().service.set_preferences(&who, &[(preference.clone(), yes)]).await.unwrap();
    }

    fn chosen(&self, address: &str, preference: &PreferenceId) -> Option<bool> {
        let id = i32::try_from(preference.0).unwrap();
        self.world.person(1, address)?.preferences.get(&id).copied()
    }

    /// What the CRM says a person chose: the rows of a person for a preference.
    async fn chosen_here(&self, person: &RecordRef, preference: &PreferenceId) -> Vec<bool> {
        let row = self.preference_row(preference).await;
        let rows = self.rows(TABLE).await;
        let own = rows.iter().filter(|found| {
            found.lookup("esc_contactid") == Some(person)
                && found.lookup("esc_marketingpreferenceid") == Some(&row)
        });
        own.map(|row| row.get("esc_isoptedin").and_then(Value::as_bool) == Some(true)).collect()
    }

    pub async fn preference_row(&self, preference: &PreferenceId) -> RecordRef {
        let rows = self.rows("esc_marketingpreference").await;
        let found = rows.into_iter().find(|row| row.int("esc_servicepreferenceid") == Some(preference.0));
        found.unwrap().at
    }

    /// What a user writes.
    pub async fn writes_choice(
        &self,
        number: u128,
        person: &RecordRef,
        preference: &PreferenceId,
        yes: bool,
    ) {
        let row = Record::new(RecordRef::new(TABLE, Uuid::from_u128(number)))
            .with("esc_name", "by hand")
            .with("esc_marketingpreferenceid", self.preference_row(preference).await)
            .with("esc_contactid", person.clone())
            .with("esc_isoptedin", yes);
        self.write(row).await;
    }

    async fn preferences(&self) {
        let run = self.run(SyncType::Preferences).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }

    /// Whether the gate knows of a no that stands against mail by a list.
    async fn declined(&self, address: &str, list: Option<&RecordRef>) -> bool {
        let asked = vec![Asked { address: address.to_owned(), member: None }];
        let list = list.map(|list| list.id);
        let read = self
            .engine
            .store
            .read(move |tx| Box::pin(async move { gate::known(tx, ACCOUNT, &asked, list).await }));
        let known: Result<Vec<_>, postroom_store::Error> = read.await;
        known.unwrap().remove(0).declined.is_some()
    }

    /// A list whose members the service knows.
    async fn listed(&self) -> (RecordRef, ListId, Vec<RecordRef>) {
        let list = self.news(1, "News").await;
        let mut people = self.some_people(&list, 2).await;
        people.push(self.contact(60, ODD).await);
        self.members(&list, &people[2..]).await;
        assert_eq!(self.run(SyncType::Lists).await.state, RunState::Done);
        (list, self.list_there("News").await.unwrap().id, people)
    }
}

async fn the_tree_is_in_the_crm(on: On) {
    let lab = Lab::new(on).await;
    let sport = lab.preference("Sport", None, true).await;
    let golf = lab.preference("Golf", Some(&sport), false).await;
    lab.preferences().await;
    let (above, below) = (lab.preference_row(&sport).await, lab.preference_row(&golf).await);
    let row = lab.record(&below).await.unwrap();
    assert_eq!((row.text("esc_publicname"), row.lookup("esc_parentid")), (Some("Golf"), Some(&above)));
    assert_eq!(row.get("esc_iscategory").and_then(Value::as_bool), Some(false));
}

async fn choices_go_both_ways(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    let (_, _, people) = lab.listed().await;
    lab.preferences().await;
    lab.chooses(ODD, &golf, true).await;
    lab.writes_choice(1, &people[0], &golf, true).await;
    lab.preferences().await;
    assert_eq!(lab.chosen_here(&people[2], &golf).await, [true]);
    assert_eq!(lab.chosen("p0@x.example", &golf), Some(true));
    // Changed on either side.
    lab.advance(SignedDuration::from_hours(1));
    lab.chooses("p0@x.example", &golf, false).await;
    let rows = lab.rows(TABLE).await;
    let own = rows.iter().find(|row| row.lookup("esc_contactid") == Some(&people[2])).unwrap();
    lab.set(&own.at, "esc_isoptedin", false).await;
    lab.preferences().await;
    assert_eq!(lab.chosen_here(&people[0], &golf).await, [false], "the user's own row");
    assert_eq!(lab.chosen(ODD, &golf), Some(false));
}

async fn the_newest_word_counts(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    let (_, _, people) = lab.listed().await;
    lab.preferences().await;
    // No here first, yes there later: yes. Yes there first, no here later: no. Both at once: no.
    lab.writes_choice(1, &people[0], &golf, false).await;
    lab.chooses("p1@x.example", &golf, true).await;
    lab.advance(SignedDuration::from_mins(1));
    lab.chooses("p0@x.example", &golf, true).await;
    lab.writes_choice(2, &people[1], &golf, false).await;
    lab.chooses(ODD, &golf, true).await;
    lab.writes_choice(3, &people[2], &golf, false).await;
    lab.preferences().await;
    let expected = [("p0@x.example", true), ("p1@x.example", false), (ODD, false)];
    for ((address, yes), person) in expected.into_iter().zip(&people) {
        assert_eq!(lab.chosen(address, &golf), Some(yes), "{address}");
        assert_eq!(lab.chosen_here(person, &golf).await, [yes], "{address}");
    }
}

async fn people_of_no_list_are_left_out(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    lab.listed().await;
    let stranger = lab.contact(70, "stranger@x.example").await;
    lab.preferences().await;
    lab.writes_choice(1, &stranger, &golf, true).await;
    lab.preferences().await;
    assert_eq!(lab.chosen("stranger@x.example", &golf), None);
}

async fn who_declined_gets_no_mail_by_what_is_tied(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    let (list, ..) = lab.listed().await;
    lab.chooses(ODD, &golf, true).await;
    lab.advance(SignedDuration::from_mins(1));
    lab.chooses(ODD, &golf, false).await;
    lab.preferences().await;
    lab.set(&list, "esc_marketingpreferenceid", lab.preference_row(&golf).await).await;
    lab.run(SyncType::Lists).await;
    assert!(!lab.there("News").await.contains(ODD));
    assert!(lab.declined(ODD, Some(&list)).await);
    let other = lab.news(2, "Other").await;
    assert!(!lab.declined(ODD, Some(&other)).await && !lab.declined(ODD, None).await);
    // Untied, it says nothing about the list.
    lab.set(&list, "esc_marketingpreferenceid", Value::Null).await;
    lab.run(SyncType::Lists).await;
    assert!(!lab.declined(ODD, Some(&list)).await);
}

/// A no of somebody on no list is kept for the day on which the person joins one; nobody is told of it before.
async fn who_declined_before_joining_is_not_added(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    let (list, id, _) = lab.listed().await;
    let strangers = [lab.contact(70, "here@x.example").await, lab.contact(71, "there@x.example").await];
    lab.preferences().await;
    lab.set(&list, "esc_marketingpreferenceid", lab.preference_row(&golf).await).await;
    lab.put_there(
        &lab.account().service.create_list("Else", &Visibility::Private).await.unwrap().id,
        "there@x.example",
    )
    .await;
    lab.chooses("there@x.example", &golf, false).await;
    lab.writes_choice(1, &strangers[0], &golf, false).await;
    lab.preferences().await;
    assert!(lab.chosen_here(&strangers[1], &golf).await.is_empty());
    assert_eq!(lab.chosen("here@x.example", &golf), None);
    lab.members(&list, &strangers).await;
    for sync_type in [SyncType::Lists, SyncType::Preferences] {
        assert_eq!(lab.run(sync_type).await.state, RunState::Done);
    }
    let there = lab.there("News").await;
    assert!(!there.contains("here@x.example") && !there.contains("there@x.example"), "{there:?}");
    assert_eq!(lab.chosen_here(&strangers[1], &golf).await, [false]);
    // What the service knows of one list only counts for that list.
    let (preference, said) = (
        golf.0,
        SaidChoice {
            address: "p0@x.example".to_owned(),
            chosen: false,
            at: lab.clock.now(),
            source: "test".to_owned(),
            actor: String::new(),
        },
    );
    let (now, other) = (lab.clock.now(), lab.news(2, "Other").await);
    lab.set(&other, "esc_marketingpreferenceid", lab.preference_row(&golf).await).await;
    lab.run(SyncType::Lists).await;
    let unit = lab.engine.store.write("test.scoped", move |tx| {
        Box::pin(async move { scoped::take(tx, now, (ACCOUNT, preference), &id, &[said]).await })
    });
    let taken: Result<_, postroom_store::Error> = unit.await;
    assert_eq!(taken.unwrap().new, 1);
    assert!(lab.declined("p0@x.example", Some(&list)).await);
    assert!(!lab.declined("p0@x.example", Some(&other)).await);
}

impl Lab {
    /// An item of a group that offers a list.
    async fn offered(&self, list: &RecordRef) -> RecordRef {
        let group = RecordRef::new("esc_emailsubscriptiongroup", Uuid::from_u128(0x900));
        self.write(Record::new(group.clone()).with("esc_name", "Group").with("esc_publicname", "Group"))
            .await;
        let item = RecordRef::new("esc_emailsubscriptiongroupitem", Uuid::from_u128(0x901));
        let row = Record::new(item.clone()).with("esc_name", "News").with("esc_displayname", "News");
        self.write(row.with("esc_groupid", group).with("esc_listid", list.clone())).await;
        item
    }

    /// The row of a person's choice of an item, dated or not.
    async fn picks(&self, item: &RecordRef, person: &RecordRef, yes: bool, at: impl Into<Value>) {
        let row = Record::new(RecordRef::new("esc_emailpreference", Uuid::from_u128(0x902)))
            .with("esc_name", "Bert")
            .with("esc_groupitemid", item.clone())
            .with("esc_contactid", person.clone())
            .with("esc_isoptedin", yes)
            .with("esc_changedon", at);
        self.write(row).await;
    }

    async fn all_of_lists(&self) {
        for sync_type in [SyncType::Preferences, SyncType::Unsubscribes, SyncType::Lists] {
            let run = self.run(sync_type).await;
            assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
        }
    }
}

async fn groups_leave_and_join_lists(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.listed().await;
    let item = lab.offered(&list).await;
    let choose = async |yes: bool| {
        lab.picks(&item, &people[2], yes, lab.clock.now()).await;
        lab.all_of_lists().await;
        (lab.here(&list).await.contains(&people[2]), lab.there("News").await.contains(ODD))
    };
    assert_eq!(choose(false).await, (false, false));
    lab.advance(SignedDuration::from_mins(5));
    assert_eq!(choose(true).await, (true, true));
    assert!(lab.left(&id).await.is_empty(), "the service lets the person in again");
    // Never over a suppression of the account.
    lab.advance(SignedDuration::from_mins(5));
    assert_eq!(choose(false).await, (false, false));
    lab.world.act(1, ODD, None, Act::Unsubscribe).unwrap();
    lab.run(SyncType::Suppressions).await;
    lab.advance(SignedDuration::from_mins(5));
    assert_eq!(choose(true).await, (false, false));
}

async fn a_touched_row_of_a_group_is_no_consent(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.listed().await;
    let item = lab.offered(&list).await;
    let is_on = async || lab.here(&list).await.contains(&people[2]);
    let later = |minutes| {
        lab.advance(SignedDuration::from_mins(minutes));
        lab.clock.now()
    };
    let leave = Act::LeaveList { list: i32::try_from(id.0).unwrap() };
    lab.world.act(1, ODD, None, leave.clone()).unwrap();
    lab.all_of_lists().await;
    // An old yes that is touched afterwards.
    later(5);
    lab.picks(&item, &people[2], true, Value::Null).await;
    lab.all_of_lists().await;
    assert!(!is_on().await, "a yes without a date");
    // Left once more, said in the CRM; a yes of in between does not outdo it.
    let between = later(5);
    later(5);
    let row = Record::new(RecordRef::new("esc_listunsubscriber", Uuid::from_u128(0x903)))
        .with("esc_name", "by hand")
        .with("esc_listid", list.clone())
        .with("esc_emailaddress", ODD)
        .with("esc_isactive", true);
    lab.write(row).await;
    lab.all_of_lists().await;
    lab.picks(&item, &people[2], true, between).await;
    lab.all_of_lists().await;
    assert!(!is_on().await, "a yes of before the last no");
    let yes = later(5);
    lab.picks(&item, &people[2], true, yes).await;
    lab.all_of_lists().await;
    assert!(is_on().await, "a yes that is dated and newer");
    // The user who unticks it does not think of the date.
    later(5);
    lab.picks(&item, &people[2], false, yes).await;
    lab.all_of_lists().await;
    assert!(!is_on().await && !lab.there("News").await.contains(ODD), "a no on a row with an old date");
}

async fn whom_the_service_keeps_out_stays_out(on: On) {
    let lab = Lab::new(on).await;
    let (list, id, people) = lab.listed().await;
    let item = lab.offered(&list).await;
    lab.picks(&item, &people[2], false, lab.clock.now()).await;
    lab.all_of_lists().await;
    // The CRM has yet to hear of it.
    lab.world.act(1, ODD, None, Act::HardBounce).unwrap();
    lab.advance(SignedDuration::from_mins(5));
    lab.picks(&item, &people[2], true, lab.clock.now()).await;
    lab.preferences().await;
    let run = lab.run(SyncType::Unsubscribes).await;
    assert_eq!((run.state, run.counts.to_service.rejected), (RunState::Partly, 1), "{run:?}");
    assert_eq!(lab.run(SyncType::Unsubscribes).await.state, RunState::Done);
    let rows = lab.rows("esc_listunsubscriber").await;
    let row = rows.iter().find(|row| row.int("esc_serviceaddressbookid") == Some(id.0)).unwrap();
    assert_eq!(row.get("esc_isactive").and_then(Value::as_bool), Some(true));
    assert!(!lab.here(&list).await.contains(&people[2]));
}

async fn nothing_new_changes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    let (_, _, people) = lab.listed().await;
    lab.chooses(ODD, &golf, true).await;
    lab.preferences().await;
    lab.writes_choice(1, &people[0], &golf, true).await;
    lab.preferences().await;
    for _ in 0..2 {
        lab.advance(SignedDuration::from_hours(1));
        lab.world.forget_calls();
        let run = lab.run(SyncType::Preferences).await;
        assert_eq!((run.counts.to_crm.sent, run.counts.to_service.sent), (0, 0), "{run:?}");
        let calls: u64 = lab.world.calls().values().sum();
        assert!(calls <= 4, "{:?}", lab.world.calls());
    }
}

async fn a_dry_run_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    let golf = lab.preference("Golf", None, false).await;
    let (_, _, people) = lab.listed().await;
    lab.preferences().await;
    lab.chooses(ODD, &golf, true).await;
    lab.writes_choice(1, &people[0], &golf, true).await;
    let Trial { counts, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Preferences).await.unwrap();
    assert!(counts.read > 2, "{counts:?}");
    assert_eq!(lab.chosen("p0@x.example", &golf), None);
    assert_eq!(lab.rows(TABLE).await.len(), 1);
    lab.preferences().await;
    assert_eq!(lab.chosen("p0@x.example", &golf), Some(true));
}

async fn some_choices(lab: &Lab) {
    let golf = lab.preference("Golf", None, false).await;
    let (_, _, people) = lab.listed().await;
    lab.preferences().await;
    lab.chooses(ODD, &golf, true).await;
    lab.writes_choice(1, &people[0], &golf, true).await;
    lab.writes_choice(2, &people[1], &golf, true).await;
    lab.preference("Tennis", None, false).await;
}

async fn both_say_so(lab: &Lab, named: &str) {
    let rows = lab.rows("esc_marketingpreference").await;
    assert_eq!(rows.len(), 2, "{named}");
    let golf = rows.iter().find(|row| row.text("esc_publicname") == Some("Golf")).unwrap();
    let golf = PreferenceId(golf.int("esc_servicepreferenceid").unwrap());
    for address in [ODD, "p0@x.example", "p1@x.example"] {
        assert_eq!(lab.chosen(address, &golf), Some(true), "{named} {address}");
    }
    assert_eq!(lab.rows(TABLE).await.len(), 3, "{named}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_survive_every_lost_answer() {
    sweep(On::Sqlite, Wrong::LostAnswer, some_choices, SyncType::Preferences, both_say_so).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_survive_death_at_every_call() {
    sweep(On::Sqlite, Wrong::Death, some_choices, SyncType::Preferences, both_say_so).await;
}
