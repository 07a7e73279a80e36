//! People in step: labels and mappings, fields both ways, addresses, opt-in types, who comes back, who leaves.

mod dry_runs;

use jiff::SignedDuration;
use postroom_core::marketing::{
    Consent, ContactRow, DataField, FieldType, FieldValue, Merge, Names, OptIn, Visibility,
};
use postroom_core::{Record, RecordRef, Value};
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::fields::Field;
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::{Run, RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Arrangement, Fault, Person, Switch};
use uuid::Uuid;

use crate::bench::{On, on_all, on_old};
use crate::lab::{ACCOUNT, Lab, PASSWORD, service_with};

/// An address that is awkward in paths, queries and tables.
const ODD: &str = "o'brien+x@example.com";

on_all!(
    a_first_sync_maps_and_sends,
    nothing_changed_is_a_few_calls,
    a_changed_address_is_a_change,
    a_changed_address_without_identifiers,
    an_address_that_somebody_has_already,
    who_takes_an_address_over_takes_the_person,
    fields_go_both_ways,
    changes_there_run_after_run_are_kept,
    what_is_cleared_is_cleared,
    who_opted_out_is_not_sent_and_not_deleted,
    one_record_speaks_for_an_address,
    who_is_gone_leaves,
    a_qualified_lead_stays_one_person,
    opt_in_types_only_rise,
    who_subscribed_again_needs_newer_consent,
    lost_answers_double_nobody,
    a_run_that_is_cut_goes_on,
    a_changed_mapping_sends_everybody,
    labels_go_both_ways,
    a_mapping_that_cannot_be_used_says_why,
    unknown_people_become_records_when_asked,
    scores_come_in,
    members_of_lists_only,
    a_record_shows_what_would_be_sent,
);

on_old!(
    a_first_sync_maps_and_sends,
    fields_go_both_ways,
    one_record_speaks_for_an_address,
    who_is_gone_leaves,
    a_qualified_lead_stays_one_person,
    who_subscribed_again_needs_newer_consent,
    labels_go_both_ways,
    unknown_people_become_records_when_asked,
    scores_come_in,
);

async fn lab(on: On) -> Lab {
    Lab::with(on, Settings { scope: Scope::Everybody, ..Settings::default() }).await
}

#[track_caller]
fn done(run: &Run) {
    assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
}

fn option(set: Set, label: &str) -> Value {
    Value::from(set.value(label).unwrap())
}

impl Lab {
    /// Labels and contacts, as on a first day.
    pub async fn first(&self) -> Run {
        done(&self.run(SyncType::Labels).await);
        self.contacts_done().await
    }

    pub async fn contacts_done(&self) -> Run {
        let run = self.run(SyncType::Contacts).await;
        done(&run);
        run
    }

    pub fn person_there(&self, address: &str) -> Person {
        self.world.person(1, address).unwrap_or_else(|| panic!("{address} is not there"))
    }

    pub async fn patch(&self, address: &str, change: impl FnOnce(&mut ContactRow)) {
        let names = Names { email: Some(address.to_owned()), ..Names::default() };
        let mut row = ContactRow { names, ..ContactRow::default() };
        change(&mut row);
        self.account().service.patch_contact(&row, Merge::Overwrite).await.unwrap();
    }

    async fn mapping(&self, table: &str, label: &str) -> Record {
        let rows = self.rows("esc_emaildatamapping").await;
        let name = format!("{label}: {table}.");
        rows.into_iter().find(|row| row.text("esc_name").unwrap().starts_with(&name)).unwrap()
    }

    pub async fn direct(&self, table: &str, label: &str, direction: &str) {
        let at = self.mapping(table, label).await.at;
        self.write(Record::new(at).with("esc_direction", option(Set::MapDirection, direction))).await;
    }

    async fn lead(&self, number: u128, address: &str) -> RecordRef {
        let at = RecordRef::new("lead", Uuid::from_u128(0x1ead_0000 + number));
        let row =
            Record::new(at.clone()).with("subject", "x").with("firstname", "Lea").with("lastname", "Lead");
        self.write(row.with("emailaddress1", address)).await;
        at
    }

    fn called(&self, part: &str) -> u64 {
        self.world.calls().iter().filter(|(name, _)| name.contains(part)).map(|(_, number)| number).sum()
    }
}

async fn a_first_sync_maps_and_sends(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.contact(2, "Bert@x.example").await;
    let run = lab.first().await;
    assert_eq!((run.counts.to_service.sent, run.counts.to_service.new), (2, 2), "{run:?}");
    let there = lab.person_there(ODD);
    assert_eq!(there.fields["FIRSTNAME"], "First1");
    assert_eq!(there.fields["FULLNAME"], "First1 Last1");
    assert_eq!(there.custom["CRM_ID"], anna.to_string());
    assert!(lab.rows("esc_crmfield").await.len() > 100);
    let paths: Vec<_> = lab
        .rows("esc_crmfield")
        .await
        .iter()
        .filter_map(|row| row.text("esc_logicalname").map(str::to_owned))
        .collect();
    assert!(paths.iter().any(|path| path == "ownerid/fullname"));
}

async fn nothing_changed_is_a_few_calls(on: On) {
    let lab = lab(on).await;
    for number in 0..5 {
        lab.contact(number, &format!("p{number}@x.example")).await;
    }
    lab.first().await;
    for _ in 0..2 {
        lab.advance(SignedDuration::from_mins(30));
        lab.world.forget_calls();
        let run = lab.contacts_done().await;
        assert_eq!((run.counts.to_service.sent, run.counts.to_crm.sent), (0, 0), "{run:?}");
        let calls: u64 = lab.world.calls().values().sum();
        assert!(calls <= 2, "{:?}", lab.world.calls());
    }
    lab.world.forget_calls();
    let run = lab.run(SyncType::Labels).await;
    done(&run);
    assert_eq!((run.counts.to_service.sent, run.counts.to_crm.sent), (0, 0), "{run:?}");
    assert_eq!(lab.world.calls().values().sum::<u64>(), 1);
}

async fn a_changed_address_is_a_change(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "old@x.example").await;
    lab.first().await;
    let id = lab.person_there("old@x.example").id;
    lab.write(Record::new(anna).with("emailaddress1", ODD)).await;
    lab.contacts_done().await;
    assert_eq!((lab.person_there(ODD).id, lab.world.contacts(1)), (id, 1));
}

async fn a_changed_address_without_identifiers(on: On) {
    let lab = lab(on).await.by_v2();
    let anna = lab.contact(1, "old@x.example").await;
    lab.first().await;
    let id = lab.person_there("old@x.example").id;
    // The service names its people when they are read.
    lab.contacts_done().await;
    lab.write(Record::new(anna).with("emailaddress1", ODD)).await;
    lab.contacts_done().await;
    assert_eq!((lab.person_there(ODD).id, lab.world.contacts(1)), (id, 1));
}

async fn an_address_that_somebody_has_already(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "old@x.example").await;
    for number in 2..5 {
        lab.contact(number, &format!("p{number}@x.example")).await;
    }
    lab.first().await;
    lab.patch(ODD, |_| {}).await;
    let id = lab.person_there(ODD).id;
    lab.write(Record::new(anna).with("emailaddress1", ODD)).await;
    lab.contacts_done().await;
    assert_eq!(lab.person_there(ODD).fields["FIRSTNAME"], "First1");
    assert_eq!(lab.person_there(ODD).id, id);
    done(&lab.run(SyncType::Deletions).await);
    assert!(lab.world.person(1, "old@x.example").is_none(), "nobody speaks for it");
}

/// Each row is an import of its own here: the record's identifier leaves the person before another person gets it.
async fn who_takes_an_address_over_takes_the_person(on: On) {
    let mut lab = lab(on).await;
    let anna = lab.contact(1, "old@x.example").await;
    lab.first().await;
    let id = lab.person_there("old@x.example").id;
    lab.serve(service_with(&lab.world, &lab.clock, PASSWORD, |settings| settings.import_bytes = 1));
    lab.contact(2, "old@x.example").await;
    lab.write(Record::new(anna).with("emailaddress1", ODD)).await;
    lab.contacts_done().await;
    // The person stays with the address, as what is known of mail to it does.
    assert_eq!((lab.person_there("old@x.example").id, lab.world.contacts(1)), (id, 2));
    assert_eq!(lab.person_there("old@x.example").fields["FIRSTNAME"], "First2");
    assert_eq!(lab.person_there(ODD).fields["FIRSTNAME"], "First1");
}

async fn fields_go_both_ways(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.first().await;
    lab.direct("contact", "LASTNAME", "Two-way").await;
    lab.contacts_done().await;

    lab.advance(SignedDuration::from_mins(30));
    lab.patch(ODD, |row| drop(row.fields.insert("LASTNAME".into(), "There".into()))).await;
    let run = lab.contacts_done().await;
    assert_eq!((run.counts.to_crm.changed, run.counts.conflicts), (1, 0), "{run:?}");
    assert_eq!(lab.record(&anna).await.unwrap().text("lastname"), Some("There"));
    // Its own write comes back, and says nothing new but the name that is made of it.
    lab.contacts_done().await;
    assert_eq!(lab.person_there(ODD).fields["FULLNAME"], "First1 There");

    // Both changed: the CRM wins, and the conflict is counted.
    lab.advance(SignedDuration::from_mins(30));
    lab.patch(ODD, |row| drop(row.fields.insert("LASTNAME".into(), "Theirs".into()))).await;
    lab.write(Record::new(anna.clone()).with("lastname", "Ours")).await;
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.conflicts, 1, "{run:?}");
    assert_eq!(lab.person_there(ODD).fields["LASTNAME"], "Ours");
    assert_eq!(lab.record(&anna).await.unwrap().text("lastname"), Some("Ours"));

    // One that goes out only is put back.
    lab.advance(SignedDuration::from_mins(30));
    lab.patch(ODD, |row| drop(row.fields.insert("FIRSTNAME".into(), "Other".into()))).await;
    lab.contacts_done().await;
    assert_eq!(lab.person_there(ODD).fields["FIRSTNAME"], "First1");
}

/// The copy of the CRM's people was as old as the run's beginning when the run sent what it had just written there: the service
/// got the value before the last one, and its next change met a conflict that nobody had made.
async fn changes_there_run_after_run_are_kept(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.first().await;
    lab.direct("contact", "LASTNAME", "Two-way").await;
    lab.contacts_done().await;
    for name in ["There", "Then", "Last", "Very last"] {
        lab.advance(SignedDuration::from_mins(30));
        lab.patch(ODD, |row| drop(row.fields.insert("LASTNAME".into(), name.into()))).await;
        let run = lab.contacts_done().await;
        assert_eq!((run.counts.to_crm.changed, run.counts.conflicts), (1, 0), "{name}: {run:?}");
        assert_eq!(lab.record(&anna).await.unwrap().text("lastname"), Some(name));
        assert_eq!(lab.person_there(ODD).fields["LASTNAME"], name);
    }
}

async fn what_is_cleared_is_cleared(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.write(Record::new(anna.clone()).with("address1_postalcode", "12345")).await;
    lab.first().await;
    assert_eq!(lab.person_there(ODD).fields["POSTCODE"], "12345");
    lab.write(Record::new(anna.clone()).with("address1_postalcode", Value::Null)).await;
    lab.contacts_done().await;
    assert!(!lab.person_there(ODD).fields.contains_key("POSTCODE"), "{:?}", lab.person_there(ODD));
    lab.direct("contact", "POSTCODE", "Two-way").await;
    lab.write(Record::new(anna.clone()).with("address1_postalcode", "54321")).await;
    lab.contacts_done().await;
    lab.advance(SignedDuration::from_mins(30));
    lab.patch(ODD, |row| drop(row.fields.insert("POSTCODE".into(), FieldValue::Clear))).await;
    lab.contacts_done().await;
    assert_eq!(lab.record(&anna).await.unwrap().text("address1_postalcode"), None);
}

async fn who_opted_out_is_not_sent_and_not_deleted(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.contact(2, "b@x.example").await;
    lab.first().await;
    lab.write(Record::new(anna).with("firstname", "Changed").with("donotbulkemail", true)).await;
    let never = lab.contact(3, "never@x.example").await;
    lab.write(Record::new(never).with("donotemail", true)).await;
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.skipped.get("gets no mail"), Some(&2), "{run:?}");
    assert_eq!(lab.person_there(ODD).fields["FIRSTNAME"], "First1");
    assert!(lab.world.person(1, "never@x.example").is_none());
    done(&lab.run(SyncType::Deletions).await);
    assert_eq!(lab.world.contacts(1), 2);
}

async fn one_record_speaks_for_an_address(on: On) {
    let lab = lab(on).await;
    lab.lead(1, ODD).await;
    let anna = lab.contact(1, ODD).await;
    lab.first().await;
    assert_eq!(
        (lab.world.contacts(1), lab.person_there(ODD).fields["FIRSTNAME"].clone()),
        (1, "First1".into())
    );
    // The other record takes over; the person stays the same one.
    let id = lab.person_there(ODD).id;
    lab.delete(&anna).await;
    done(&lab.run(SyncType::Deletions).await);
    lab.contacts_done().await;
    assert_eq!(
        (lab.person_there(ODD).id, lab.person_there(ODD).fields["FIRSTNAME"].clone()),
        (id, "Lea".into())
    );
    // One of two goes to another address: the other one keeps the person.
    let bert = lab.contact(2, ODD).await;
    lab.contacts_done().await;
    lab.write(Record::new(bert).with("emailaddress1", "bert@x.example")).await;
    lab.contacts_done().await;
    assert_eq!(
        (lab.person_there(ODD).id, lab.person_there(ODD).fields["FIRSTNAME"].clone()),
        (id, "Lea".into())
    );
    assert_ne!(lab.person_there("bert@x.example").id, id);
}

async fn who_is_gone_leaves(on: On) {
    let lab = lab(on).await;
    let people: Vec<_> = [ODD, "b@x.example", "c@x.example", "d@x.example"].into();
    let mut records = Vec::new();
    for (number, address) in (1..).zip(&people) {
        records.push(lab.contact(number, address).await);
    }
    lab.first().await;
    lab.delete(&records[0]).await;
    lab.world.fault(Switch::once(Fault::LoseAnswer, "POST", "/delete"));
    let run = lab.run(SyncType::Deletions).await;
    done(&run);
    assert_eq!((run.counts.removed, lab.world.contacts(1)), (1, 3), "{run:?}");
    assert!(lab.world.person(1, ODD).is_none());
    lab.world.forget_calls();
    assert_eq!(lab.run(SyncType::Deletions).await.counts.removed, 0);
    assert!(lab.world.calls().is_empty(), "{:?}", lab.world.calls());
    // All others at once: somebody is asked.
    for record in &records[1..] {
        lab.delete(record).await;
    }
    let held = lab.run(SyncType::Deletions).await;
    assert_eq!((held.state, lab.world.contacts(1)), (RunState::Held, 3), "{held:?}");
}

async fn a_qualified_lead_stays_one_person(on: On) {
    let lab = lab(on).await;
    let lead = lab.lead(1, ODD).await;
    lab.first().await;
    let id = lab.person_there(ODD).id;
    let contact = lab.contact(9, "new@x.example").await;
    lab.write(Record::new(contact.clone()).with("originatingleadid", lead.clone())).await;
    lab.write(Record::new(lead).with("statecode", 1).with("statuscode", 3)).await;
    lab.contacts_done().await;
    let there = lab.person_there("new@x.example");
    assert_eq!((there.id, lab.world.contacts(1)), (id, 1));
    assert_eq!(there.custom["CRM_ID"], contact.to_string());
}

async fn opt_in_types_only_rise(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    let lead = lab.lead(1, ODD).await;
    lab.first().await;
    for (said, expected) in [(OptIn::Double, "Double"), (OptIn::Single, "Double")] {
        lab.advance(SignedDuration::from_mins(30));
        lab.patch(ODD, |row| row.opt_in = Some(said)).await;
        lab.contacts_done().await;
        for at in [&anna, &lead] {
            let row = lab.record(at).await.unwrap();
            assert_eq!(row.get("esc_optintype"), Some(&option(Set::OptIn, expected)), "{at}");
        }
    }
}

async fn who_subscribed_again_needs_newer_consent(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.first().await;
    lab.world.act(1, ODD, None, Act::Unsubscribe).unwrap();
    done(&lab.run(SyncType::Suppressions).await);
    let flagged = |row: Record| row.get("donotbulkemail").and_then(Value::as_bool) == Some(true);
    assert!(flagged(lab.record(&anna).await.unwrap()));

    lab.advance(SignedDuration::from_hours(1));
    lab.world.act(1, ODD, None, Act::SignUp).unwrap();
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.skipped.get("subscribed again without newer consent"), Some(&1), "{run:?}");
    done(&lab.run(SyncType::Suppressions).await);
    assert!(flagged(lab.record(&anna).await.unwrap()));

    lab.advance(SignedDuration::from_hours(1));
    let consent = Consent {
        text: "Send me news".into(),
        at: lab.clock.now(),
        url: "https://x.example/form".into(),
        ip: "192.0.2.1".into(),
        user_agent: "A browser".into(),
    };
    lab.patch(ODD, |row| row.consents.push(consent)).await;
    lab.contacts_done().await;
    done(&lab.run(SyncType::Suppressions).await);
    let row = lab.record(&anna).await.unwrap();
    assert_eq!(row.get("esc_suppressedon").cloned().unwrap_or(Value::Null), Value::Null);
    assert!(!flagged(row));
    let rows = lab.rows("esc_emailsupression").await;
    assert_eq!(rows[0].get("esc_isactive").and_then(Value::as_bool), Some(false));
    // And mail goes out to the person again.
    lab.write(Record::new(anna).with("firstname", "Back")).await;
    lab.contacts_done().await;
    assert_eq!(lab.person_there(ODD).fields["FIRSTNAME"], "Back");
}

async fn lost_answers_double_nobody(on: On) {
    let lab = lab(on).await;
    for number in 0..3 {
        lab.contact(number, &format!("p{number}@x.example")).await;
    }
    lab.contact(9, ODD).await;
    for (method, path) in [("POST", "customIdentifiers"), ("PUT", "/import"), ("POST", "data-fields")] {
        lab.world.fault(Switch::once(Fault::LoseAnswer, method, path));
    }
    let label = Record::new(RecordRef::new("esc_emailcampaigncustomfields", Uuid::from_u128(77)))
        .with("esc_labelname", "SHOE_SIZE")
        .with("esc_datatype", option(Set::DataType, "Numeric"))
        .with("esc_isprivate", true);
    lab.engine.connect(lab.account()).await.unwrap();
    let account = lab.rows("esc_emailaccount").await.remove(0).at;
    lab.write(label.with("esc_emailaccountid", account)).await;
    lab.first().await;
    assert_eq!(lab.world.contacts(1), 4);
    let fields = lab.account().service.fields().await.unwrap();
    assert_eq!(fields.iter().filter(|field| field.name == "SHOE_SIZE").count(), 1);
}

async fn a_run_that_is_cut_goes_on(on: On) {
    let lab = lab(on).await;
    lab.contact(1, ODD).await;
    done(&lab.run(SyncType::Labels).await);
    let refuse = Fault::Refuse { status: 400, code: "ERROR_PARAMETER_INVALID".into() };
    lab.world.fault(Switch { method: "GET".into(), path: "/import/".into(), ..Switch::always(refuse) });
    let run = lab.run(SyncType::Contacts).await;
    assert_eq!(run.state, RunState::Failed, "{run:?}");
    lab.world.clear_faults();
    lab.world.forget_calls();
    let run = lab.contacts_done().await;
    assert_eq!((run.counts.to_service.new, lab.called("PUT")), (1, 0), "settled, not sent again: {run:?}");
}

async fn a_changed_mapping_sends_everybody(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.write(Record::new(anna).with("jobtitle", "Painter")).await;
    lab.first().await;
    let at = lab.mapping("contact", "POSTCODE").await.at;
    lab.write(Record::new(at).with("esc_fieldpath", "jobtitle")).await;
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.to_service.changed, 1, "{run:?}");
    assert_eq!(lab.person_there(ODD).fields["POSTCODE"], "Painter");
}

async fn labels_go_both_ways(on: On) {
    let lab = lab(on).await;
    done(&lab.run(SyncType::Labels).await);
    let field = |name: &str| DataField {
        name: name.into(),
        kind: FieldType::Date,
        visibility: Visibility::Public,
        default: None,
    };
    lab.account().service.create_field(&field("BIRTHDAY")).await.unwrap();
    lab.world.fault(Switch {
        method: "GET".into(),
        path: "data-fields".into(),
        times: Some(1),
        ..Switch::always(Fault::UnknownValues)
    });
    done(&lab.run(SyncType::Labels).await);
    done(&lab.run(SyncType::Labels).await);
    let label = async |name: &str| {
        let rows = lab.rows("esc_emailcampaigncustomfields").await;
        rows.into_iter().find(|row| row.text("esc_labelname") == Some(name)).unwrap()
    };
    let birthday = label("BIRTHDAY").await;
    assert_eq!(birthday.get("esc_datatype"), Some(&option(Set::DataType, "Date")));
    assert_eq!(birthday.get("esc_isprivate").and_then(Value::as_bool), Some(false));
    // One with a name that cannot be stays here, with the reason.
    let account = lab.rows("esc_emailaccount").await.remove(0).at;
    let bad = Record::new(RecordRef::new("esc_emailcampaigncustomfields", Uuid::from_u128(78)))
        .with("esc_labelname", "TWO WORDS")
        .with("esc_datatype", option(Set::DataType, "String"))
        .with("esc_isprivate", true)
        .with("esc_emailaccountid", account);
    lab.write(bad).await;
    assert_eq!(lab.run(SyncType::Labels).await.state, RunState::Partly);
    assert!(label("TWO WORDS").await.text("esc_syncerror").unwrap().contains("20 letters"));
    lab.account().service.remove_field("BIRTHDAY").await.unwrap();
    done(&lab.run(SyncType::Labels).await);
    assert!(label("BIRTHDAY").await.text("esc_syncerror").unwrap().contains("no longer"));
}

async fn a_mapping_that_cannot_be_used_says_why(on: On) {
    let lab = lab(on).await;
    lab.contact(1, ODD).await;
    lab.first().await;
    let at = lab.mapping("contact", "LASTNAME").await.at;
    lab.write(Record::new(at.clone()).with("esc_fieldpath", "nothing_like_it")).await;
    let wrong = lab.mapping("contact", "FULLNAME").await.at;
    lab.write(
        Record::new(wrong.clone())
            .with("esc_fieldpath", "firstname,lastname")
            .with("esc_direction", option(Set::MapDirection, "Two-way")),
    )
    .await;
    done(&lab.run(SyncType::Labels).await);
    for (at, text) in [(&at, "no column nothing_like_it"), (&wrong, "only one column")] {
        let row = lab.record(at).await.unwrap();
        assert_eq!(row.get("esc_isvalid").and_then(Value::as_bool), Some(false));
        assert!(row.text("esc_validationmessage").unwrap().contains(text), "{row:?}");
    }
    lab.write(Record::new(at.clone()).with("esc_fieldpath", "lastname")).await;
    done(&lab.run(SyncType::Labels).await);
    assert_eq!(lab.record(&at).await.unwrap().text("esc_validationmessage"), None);
}

async fn unknown_people_become_records_when_asked(on: On) {
    let lab = lab(on).await;
    lab.first().await;
    lab.direct("lead", "FIRSTNAME", "Two-way").await;
    lab.patch(ODD, |row| drop(row.fields.insert("FIRSTNAME".into(), "Otto".into()))).await;
    let run = lab.contacts_done().await;
    assert_eq!(run.counts.skipped.get("not in the CRM"), Some(&1), "{run:?}");
    let account = lab.rows("esc_emailaccount").await.remove(0).at;
    lab.write(Record::new(account).with("esc_createunknownas", option(Set::RecordType, "Lead"))).await;
    for _ in 0..2 {
        lab.contacts_done().await;
        let leads = lab.rows("lead").await;
        assert_eq!(leads.len(), 1);
        assert_eq!((leads[0].text("emailaddress1"), leads[0].text("firstname")), (Some(ODD), Some("Otto")));
    }
}

async fn scores_come_in(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    lab.first().await;
    let score = Arrangement::Score { email: ODD.into(), score: 81, engagement: 70, suitability: 60 };
    lab.world.arrange(1, score).unwrap();
    done(&lab.run(SyncType::Scores).await);
    let row = lab.record(&anna).await.unwrap();
    assert_eq!((row.int("esc_score"), row.int("esc_engagement")), (Some(81), Some(70)));
}

async fn members_of_lists_only(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let run = lab.first().await;
    assert_eq!((run.counts.to_service.sent, lab.world.contacts(1)), (0, 0), "{run:?}");
}

async fn a_record_shows_what_would_be_sent(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, ODD).await;
    done(&lab.run(SyncType::Labels).await);
    let at = lab.mapping("contact", "LASTNAME").await.at;
    lab.write(Record::new(at).with("esc_fieldpath", "nothing_like_it")).await;
    let samples = lab.engine.sample(ACCOUNT, &anna).await.unwrap().samples;
    assert_eq!(samples.len(), 4);
    let first = samples.iter().find(|sample| sample.label == "FIRSTNAME").unwrap();
    assert_eq!(first.result, Ok(Field::Text("First1".into())));
    assert_eq!(first.values, [Value::text("First1")]);
    assert!(
        samples.iter().any(|sample| sample.result.as_ref().is_err_and(|why| why.contains("nothing_like_it")))
    );
}
