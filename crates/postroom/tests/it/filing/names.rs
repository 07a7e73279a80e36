//! Notes names: whoever a directory knows is a party by its address, whichever way a mail is looked at.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postroom_core::{Crm, Directory, Fault, MailState, Query, RecordRef, StampAsk, Stamper};
use postroom_testkit::on_both;
use postroom_tracking::filing::place::Placement;
use postroom_tracking::stamping::Stamping;

use crate::privacy::bench::{ANNA, Bench, CASE, SECRET, letter};

on_both!(crate::privacy::bench::Bench:
    mail_that_a_person_attaches_has_its_parties_by_address,
    a_mail_to_a_notes_name_is_stamped,
    who_is_named_by_a_notes_name_only_is_erased,
);

const NOTES: &str = "CN=Anna Adler/O=Customer";

/// Knows Anna.
struct People;

#[async_trait]
impl Directory for People {
    async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault> {
        let hers = names.iter().filter(|name| name.starts_with("CN=Anna Adler"));
        Ok(hers.map(|name| (name.clone(), ANNA.to_owned())).collect())
    }
}

fn with_directory(mut bench: Bench) -> Bench {
    bench.filing.directory = Some(Arc::new(People));
    bench
}

fn notes_letter(name: &str) -> String {
    letter(name, ANNA, "", "Hello", SECRET)
        .replace(&format!("From: Somebody <{ANNA}>"), &format!("From: {NOTES}"))
}

async fn mail_that_a_person_attaches_has_its_parties_by_address(bench: Bench) {
    let bench = with_directory(bench);
    let mail = bench.mail("desk", &notes_letter("attach")).await;
    assert_eq!(bench.state(mail).await, MailState::Review);
    bench.filing.place(mail, Placement::Attach(RecordRef::new("incident", CASE)), "ines").await.unwrap();
    let parties = bench.crm.query(&Query::of("activityparty")).await.unwrap();
    assert!(parties.iter().any(|row| row.text("addressused") == Some(ANNA)), "{parties:?}");
}

async fn a_mail_to_a_notes_name_is_stamped(bench: Bench) {
    let bench = with_directory(bench);
    let stamping = Stamping { filing: bench.filing.clone(), patience: Duration::from_secs(60) };
    let ask = StampAsk {
        subject: "Offer".into(),
        from: "ines@ours.example".into(),
        to: vec![NOTES.into()],
        ..StampAsk::default()
    };
    let stamp = stamping.stamp(ask).await;
    assert_eq!(stamp.record, Some(RecordRef::new("incident", CASE)), "{}", stamp.reason);
}

async fn who_is_named_by_a_notes_name_only_is_erased(bench: Bench) {
    let bench = with_directory(bench);
    let mail = bench.mail("desk", &notes_letter("erase")).await;
    let receipt = bench.erasing().erase(ANNA, false).await.unwrap();
    assert_eq!(receipt.counts.messages, 1, "{receipt:?}");
    assert!(bench.detail(mail).await.message.erased_at.is_some());
    assert_eq!(bench.bodies_with(SECRET).await, 0);
    bench.balances().await;
}
