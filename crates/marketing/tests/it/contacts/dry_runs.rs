//! What a run of the people would do, shown before it does it.

use postroom_core::Record;
use postroom_marketing::sync::{Act, Cell, SyncType, To, Trial};

use super::{ODD, done, lab};
use crate::bench::{On, on_all};
use crate::lab::ACCOUNT;

on_all!(a_dry_run_writes_nothing, a_dry_run_shows_what_would_change);

async fn a_dry_run_writes_nothing(on: On) {
    let lab = lab(on).await;
    lab.contact(1, ODD).await;
    done(&lab.run(SyncType::Labels).await);
    lab.world.forget_calls();
    let trial = lab.engine.dry_run(ACCOUNT, SyncType::Contacts).await.unwrap();
    assert_eq!((trial.counts.to_service.new, trial.question), (1, None), "{:?}", trial.counts);
    let [sample] = &trial.samples[..] else { panic!("{:?}", trial.samples) };
    assert!(
        sample.subject.ends_with(ODD) && (sample.to, sample.act) == (To::Service, Act::Create),
        "{sample:?}"
    );
    assert!(sample.fields.iter().any(|field| field.name == "LASTNAME"), "{sample:?}");
    assert_eq!((lab.world.contacts(1), lab.called("PUT") + lab.called("POST")), (0, 0));
    lab.world.forget_calls();
    lab.contacts_done().await;
    assert_eq!(lab.world.contacts(1), 1);
    let made = lab.world.calls().values().sum::<u64>();
    assert!(trial.calls.abs_diff(made) <= 2, "{} foretold, {made} made", trial.calls);
    let Trial { counts, .. } = lab.engine.dry_run(ACCOUNT, SyncType::Labels).await.unwrap();
    assert_eq!(counts.to_crm.sent, 0, "{counts:?}");
}

async fn a_dry_run_shows_what_would_change(on: On) {
    let lab = lab(on).await;
    let odd = lab.contact(1, ODD).await;
    lab.first().await;
    lab.write(Record::new(odd.clone()).with("lastname", "New")).await;
    let trial = lab.engine.dry_run(ACCOUNT, SyncType::Contacts).await.unwrap();
    let [sample] = &trial.samples[..] else { panic!("{:?}", trial.samples) };
    assert_eq!(sample.act, Act::Change);
    let [name, full] = &sample.fields[..] else { panic!("{sample:?}") };
    assert_eq!((name.name.as_str(), full.name.as_str()), ("FULLNAME", "LASTNAME"));
    let label = |text: &str| Some(Cell::Label(text.into()));
    assert_eq!((&full.after, full.before.is_some()), (&label("New"), true), "{sample:?}");
    lab.patch(ODD, |row| drop(row.fields.insert("FIRSTNAME".into(), "There".into()))).await;
    lab.direct("contact", "FIRSTNAME", "Two-way").await;
    let trial = lab.engine.dry_run(ACCOUNT, SyncType::Contacts).await.unwrap();
    let to_crm = trial.samples.iter().find(|sample| sample.to == To::Crm);
    assert_eq!(to_crm.map(|sample| sample.subject.clone()), Some(odd.to_string()), "{:?}", trial.samples);
}
