//! What a run wrote on the CRM's records is taken back.

use jiff::SignedDuration;
use postroom_core::marketing::{ContactRow, OptIn};
use postroom_core::{Code, Record, RecordRef, RunId};
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{Run, RunState, SyncType};
use postroom_marketing::undo::{self, written};
use postroom_sandbox::dotdigital::{Fault, Switch};

use crate::bench::{On, on_all};
use crate::lab::Lab;
use crate::lists::option;

/// An address that is awkward in paths, queries and tables.
const ODD: &str = "o'brien+x@example.com";

on_all!(
    values_go_back_on_all_sides,
    what_changed_since_is_left_and_said,
    a_field_that_only_comes_from_there_goes_back_there,
    an_undo_is_undone,
    opt_in_types_stay,
    memberships_go_back,
    who_opted_out_joins_nothing_again,
    a_record_that_the_run_made_stays,
    a_dry_run_takes_nothing_back,
    an_undo_that_is_cut_goes_on,
    an_undo_waits_for_the_run_of_its_kind,
    what_is_too_old_or_too_much_is_forgotten,
    a_run_with_nothing_to_take_back_says_why,
    who_is_erased_is_not_kept_for_it,
);

async fn lab(on: On) -> Lab {
    Lab::with(on, Settings { scope: Scope::Everybody, ..Settings::default() }).await
}

fn named(last: &str) -> impl FnOnce(&mut ContactRow) {
    move |row| drop(row.fields.insert("LASTNAME".into(), last.into()))
}

impl Lab {
    /// A run that writes the service's last names into the CRM.
    async fn renamed(&self, direction: &str, people: &[(&str, &str)]) -> Run {
        self.first().await;
        self.direct("contact", "LASTNAME", direction).await;
        self.contacts_done().await;
        self.advance(SignedDuration::from_mins(30));
        for (address, last) in people {
            self.patch(address, named(last)).await;
        }
        let run = self.contacts_done().await;
        assert_eq!(run.counts.to_crm.changed, people.len() as u64, "{run:?}");
        run
    }

    async fn undo(&self, run: &Run) -> Run {
        self.engine.undo(run.id, "anna").await.unwrap();
        self.work().await;
        let undo = self.last(run.sync_type).await;
        assert_eq!((undo.undoes, undo.asked.as_str()), (Some(run.id), "anna"));
        undo
    }

    async fn last_name(&self, at: &RecordRef) -> String {
        self.record(at).await.unwrap().text("lastname").unwrap_or_default().to_owned()
    }

    async fn stays(&self, run: RunId) -> Vec<String> {
        let read = self
            .engine
            .store
            .read(move |tx| Box::pin(async move { written::left(tx, run, 100).await }))
            .await;
        read.unwrap().into_iter().filter_map(|row| row.why).collect()
    }

    #[track_caller]
    fn says_there(&self, address: &str, last: &str) {
        assert_eq!(self.person_there(address).fields["LASTNAME"], last);
    }
}

async fn values_go_back_on_all_sides(on: On) {
    let lab = lab(on).await;
    let (anna, bert) = (lab.contact(1, ODD).await, lab.contact(2, "b@x.example").await);
    let run = lab.renamed("Two-way", &[(ODD, "There"), ("b@x.example", "Elsewhere")]).await;
    let undo = lab.undo(&run).await;
    assert_eq!((undo.state, undo.counts.to_crm.changed), (RunState::Done, 2), "{undo:?}");
    assert!(undo.counts.balances(), "{undo:?}");
    assert_eq!((lab.last_name(&anna).await, lab.last_name(&bert).await), ("Last1".into(), "Last2".into()));
    lab.says_there(ODD, "Last1");
    // Both sides agree: the next runs have nothing to say.
    for _ in 0..2 {
        lab.advance(SignedDuration::from_mins(30));
        let next = lab.contacts_done().await;
        assert_eq!((next.counts.to_crm.sent, next.counts.conflicts), (0, 0), "{next:?}");
    }
    assert_eq!(lab.last_name(&anna).await, "Last1");
    // A second time there is nothing left to do.
    let again = lab.undo(&run).await;
    assert_eq!((again.counts.read, again.counts.to_crm.sent), (0, 0), "{again:?}");
}

async fn what_changed_since_is_left_and_said(on: On) {
    let lab = lab(on).await;
    let (anna, bert) = (lab.contact(1, ODD).await, lab.contact(2, "b@x.example").await);
    let run = lab.renamed("Two-way", &[(ODD, "There"), ("b@x.example", "Elsewhere")]).await;
    lab.write(Record::new(anna.clone()).with("lastname", "Married")).await;
    let undo = lab.undo(&run).await;
    assert_eq!((undo.counts.to_crm.changed, undo.counts.skipped.get("changed since")), (1, Some(&1)));
    assert_eq!((lab.last_name(&anna).await, lab.last_name(&bert).await), ("Married".into(), "Last2".into()));
    assert_eq!(lab.stays(run.id).await, ["lastname: changed since"]);
}

async fn a_field_that_only_comes_from_there_goes_back_there(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    let run = lab.renamed("To CRM", &[(ODD, "There")]).await;
    lab.undo(&run).await;
    lab.says_there(ODD, "Last1");
    lab.advance(SignedDuration::from_mins(30));
    // Somebody changes another field there: the one that was taken back does not come again.
    lab.patch(ODD, |row| drop(row.fields.insert("POSTCODE".into(), "9".into()))).await;
    lab.contacts_done().await;
    assert_eq!(lab.last_name(&anna).await, "Last1");
}

async fn an_undo_is_undone(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    let run = lab.renamed("Two-way", &[(ODD, "There")]).await;
    let undo = lab.undo(&run).await;
    lab.undo(&undo).await;
    assert_eq!(lab.last_name(&anna).await, "There");
    lab.says_there(ODD, "There");
}

async fn opt_in_types_stay(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.first().await;
    lab.advance(SignedDuration::from_mins(30));
    lab.patch(ODD, |row| row.opt_in = Some(OptIn::Double)).await;
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.to_crm.changed, 1, "{run:?}");
    let undo = lab.undo(&run).await;
    assert_eq!(undo.counts.to_crm.sent, 0, "{undo:?}");
    let kept = lab.record(&anna).await.unwrap().int("esc_optintype");
    assert_eq!(kept, Set::OptIn.value("Double").map(i64::from));
    assert_eq!(lab.stays(run.id).await, ["esc_optintype: what was said about consent is never taken back"]);
}

/// A list on both sides with `p0` to `p3`; `p3` leaves it there, and `p4` joins it there. Answers it and the run.
async fn moved(lab: &Lab) -> (RecordRef, Vec<RecordRef>, Run) {
    let news = lab.news(1, "News").await;
    lab.set(
        &news,
        "esc_membershipaction",
        option(Set::MembershipAction, "Allow only known records to be added"),
    )
    .await;
    let mut people = lab.some_people(&news, 4).await;
    people.push(lab.contact(4, "p4@x.example").await);
    lab.run(SyncType::Contacts).await;
    lab.run(SyncType::Lists).await;
    let list = lab.list_there("News").await.unwrap().id;
    lab.put_there(&list, "p4@x.example").await;
    lab.take_there(&list, "p3@x.example").await;
    lab.advance(SignedDuration::from_mins(30));
    let run = lab.run(SyncType::Lists).await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    let here = lab.here(&news).await;
    assert!(here.contains(&people[4]) && !here.contains(&people[3]), "{run:?}");
    (news, people, run)
}

async fn memberships_go_back(on: On) {
    let lab = lab(on).await;
    let (news, people, run) = moved(&lab).await;
    let undo = lab.undo(&run).await;
    assert_eq!((undo.state, undo.counts.removed, undo.counts.to_crm.new), (RunState::Done, 1, 1), "{undo:?}");
    assert_eq!(lab.here(&news).await, people[..4].iter().cloned().collect());
    lab.advance(SignedDuration::from_mins(30));
    lab.run(SyncType::Lists).await;
    let there = lab.there("News").await;
    assert!(there.contains("p3@x.example") && !there.contains("p4@x.example"), "{there:?}");
}

async fn who_opted_out_joins_nothing_again(on: On) {
    let lab = lab(on).await;
    let (news, people, run) = moved(&lab).await;
    lab.write(Record::new(people[3].clone()).with("donotbulkemail", true)).await;
    let undo = lab.undo(&run).await;
    assert_eq!(undo.counts.to_crm.new, 0, "{undo:?}");
    assert!(!lab.here(&news).await.contains(&people[3]));
    assert_eq!(lab.stays(run.id).await, ["the person gets no mail of this list any more"]);
}

async fn a_record_that_the_run_made_stays(on: On) {
    let lab = lab(on).await;
    lab.first().await;
    let account = lab.account_row().await;
    lab.write(Record::new(account).with("esc_createunknownas", option(Set::RecordType, "Contact"))).await;
    lab.patch("new@x.example", named("New")).await;
    lab.advance(SignedDuration::from_mins(30));
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.to_crm.new, 1, "{run:?}");
    let undo = lab.undo(&run).await;
    assert_eq!(undo.counts.skipped.get("made by the run"), Some(&1), "{undo:?}");
    assert_eq!(lab.rows("contact").await.len(), 1);
}

async fn a_dry_run_takes_nothing_back(on: On) {
    let lab = lab(on).await;
    let (anna, bert) = (lab.contact(1, ODD).await, lab.contact(2, "b@x.example").await);
    let run = lab.renamed("Two-way", &[(ODD, "There"), ("b@x.example", "Elsewhere")]).await;
    lab.write(Record::new(bert.clone()).with("lastname", "Married")).await;
    let would = lab.engine.would_undo(run.id).await.unwrap();
    assert_eq!(would.counts.to_crm.changed, 1, "{would:?}");
    let left: Vec<(&RecordRef, &str)> =
        would.left.iter().map(|one| (&one.record, one.why.as_str())).collect();
    assert_eq!(left, [(&bert, "lastname: changed since")]);
    assert_eq!(lab.last_name(&anna).await, "There");
    lab.says_there(ODD, "There");
    assert!(lab.stays(run.id).await.is_empty());
}

async fn an_undo_that_is_cut_goes_on(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    let run = lab.renamed("To CRM", &[(ODD, "There")]).await;
    // The CRM has it back, and the service cannot be told.
    let refuse = Fault::Refuse { status: 400, code: "ERROR_PARAMETER_INVALID".into() };
    lab.world.fault(Switch { method: "PUT".into(), path: "/import".into(), ..Switch::always(refuse) });
    assert_eq!(lab.undo(&run).await.state, RunState::Failed);
    assert_eq!(lab.last_name(&anna).await, "Last1");
    lab.says_there(ODD, "There");
    lab.world.clear_faults();
    assert_eq!(lab.undo(&run).await.state, RunState::Done);
    lab.says_there(ODD, "Last1");
}

async fn an_undo_waits_for_the_run_of_its_kind(on: On) {
    let lab = lab(on).await;
    lab.contact(1, ODD).await;
    let run = lab.renamed("Two-way", &[(ODD, "There")]).await;
    lab.begin(SyncType::Contacts).await;
    let refused = lab.engine.undo(run.id, "anna").await.unwrap_err();
    assert_eq!(refused.code, Code::MARKETING_STATE, "{refused}");
    lab.work().await;
    lab.undo(&run).await;
}

async fn what_is_too_old_or_too_much_is_forgotten(on: On) {
    let mut lab = lab(on).await;
    for number in 1..=6 {
        lab.contact(number, &format!("p{number}@x.example")).await;
    }
    lab.rule(|rules| rules.undo_rows = 2);
    let first = lab.renamed("Two-way", &[("p1@x.example", "One"), ("p2@x.example", "Two")]).await;
    assert_eq!(kept(&lab, first.id).await, Some(written::Kept { rows: 2, whole: true }));
    // One more run, and there is no room for both.
    let second = changed(&lab, &["p3@x.example"]).await;
    assert_eq!((kept(&lab, first.id).await, kept(&lab, second).await.map(|kept| kept.rows)), (None, Some(1)));
    let refused = lab.engine.undo(first.id, "anna").await.unwrap_err();
    assert!(refused.message.contains("undo_rows"), "{refused}");
    // And one so late that nothing of before is kept.
    lab.rule(|rules| rules.undo_age = SignedDuration::from_mins(20));
    let third = changed(&lab, &["p4@x.example"]).await;
    assert_eq!((kept(&lab, second).await, kept(&lab, third).await.is_some()), (None, true));
    // One that writes more than may be kept is kept in part.
    lab.rule(|rules| rules.undo_rows = 1);
    let fourth = changed(&lab, &["p5@x.example", "p6@x.example"]).await;
    assert_eq!(kept(&lab, fourth).await, Some(written::Kept { rows: 1, whole: false }));
}

/// Half an hour later the service says another last name of these people.
async fn changed(lab: &Lab, people: &[&str]) -> RunId {
    lab.advance(SignedDuration::from_mins(30));
    for address in people {
        lab.patch(address, named("Other")).await;
    }
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.to_crm.changed, people.len() as u64, "{run:?}");
    run.id
}

async fn kept(lab: &Lab, run: RunId) -> Option<undo::Kept> {
    let read = lab.engine.store.read(move |tx| Box::pin(async move { written::kept(tx, run).await })).await;
    read.unwrap()
}

async fn who_is_erased_is_not_kept_for_it(on: On) {
    let lab = lab(on).await;
    lab.contact(1, ODD).await;
    let run = lab.renamed("Two-way", &[(ODD, "There")]).await;
    assert_eq!(lab.engine.would_undo(run.id).await.unwrap().counts.read, 1);
    lab.engine.erase_person(ODD, "anna").await.unwrap();
    assert_eq!(lab.engine.would_undo(run.id).await.unwrap().counts.read, 0);
}

async fn a_run_with_nothing_to_take_back_says_why(on: On) {
    let lab = lab(on).await;
    let check = async |sync_type: SyncType, why: &str| {
        let run = lab.run(sync_type).await;
        let refused = lab.engine.would_undo(run.id).await.unwrap_err();
        assert!(refused.message.contains(why), "{refused}");
    };
    check(SyncType::Suppressions, "only ever added to").await;
    check(SyncType::Contacts, "it changed no record").await;
    check(SyncType::Campaigns, "connector's own rows").await;
    let missing = lab.engine.would_undo(RunId(uuid::Uuid::nil())).await.unwrap_err();
    assert_eq!(missing.code, Code::API_NOT_FOUND);
}
