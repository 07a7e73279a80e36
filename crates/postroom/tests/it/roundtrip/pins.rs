//! A server whose certificate is not the one that was pinned gets nothing, and people are told.

use std::time::Duration;

use postroom_core::MailState;
use postroom_testkit::peers::PASSWORD;
use postroom_testkit::poll;
use postroom_tracking::watching;

use super::{config, folder, furnished, secret, world};
use crate::house::{House, PATIENCE, wait_for};
use crate::sending::bench::{self, Draft};

#[test]
fn another_certificate_than_the_pinned_one_is_refused_both_ways() {
    let world = world();
    let (folder, _guard) = folder();
    let other = "AB".repeat(32);
    let password = secret(&folder, "password", PASSWORD);
    let url = format!("sqlite://{}", folder.join("postroom.db").display());
    let house = House::on(&url, &config((&world.dovecot, &world.postfix), (&other, &other), &password, ""));
    let (store, crm) = (wait_for(bench::open(&url)), furnished(&url));
    let id = wait_for(bench::put(&crm, Draft::to_anna("Never to be seen")));
    let mut said = (None, None);
    let told = poll::until(PATIENCE, || {
        let entry = wait_for(bench::entry(&store, id));
        let code = entry.filter(|entry| entry.state == MailState::Queued).and_then(|entry| entry.code);
        let all = wait_for(watching::overview(&store)).expect("the database answers");
        let report = all.get("sales").and_then(|sales| sales.report.as_ref()?.code.clone());
        said = (code, report);
        said.0.is_some() && said.1.is_some()
    });
    assert!(told, "nobody says why nothing goes: {said:?}\n{}", house.log());
    assert!(house.stop(), "{}", house.log());
    let seen = poll::until(Duration::ZERO, || {
        let mails = world.dovecot.messages("anna", "INBOX");
        mails.iter().any(|(_, raw)| super::read(raw).subject.contains("Never to be seen"))
    });
    assert!(!seen, "it went to a server that was not the one");
}
