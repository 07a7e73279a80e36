//! Mail of senders that are not ours: it stays as it is for whoever serves them.

use std::sync::Arc;

use postroom_core::{Change, Code, MailState, Record, RecordRef};
use postroom_tracking::sending::{Hold, Options, Sending, verbs};
use uuid::Uuid;

use super::bench::{self, Bench, Draft, EVA, SHY};

fn of_eva() -> Draft {
    Draft::to_anna("Hello").from("systemuser", EVA)
}

/// Nothing of the e-mail was touched, and it is seen with its reason.
async fn check_left(bench: &Bench, id: Uuid) {
    let email = bench.row("email", "activityid", id).await;
    assert_eq!((bench.status(id).await, email.text("trackingtoken")), ((1, 6), None));
    let entry = bench.entry(id).await;
    assert_eq!(
        (entry.state, entry.hold, entry.code),
        (MailState::Held, Some(Hold::Foreign), Some(Code::OUT_FROM.0)),
        "{}",
        entry.reason
    );
    assert!(bench.server.book().is_empty() && bench.notes(id).await.is_empty());
}

/// The same connector after a restart with other senders.
fn with_senders(bench: &Bench, senders: &[&str]) -> Sending {
    let senders = senders.iter().map(|&sender| sender.to_owned()).collect();
    Sending { options: Arc::new(Options { senders, ..Options::default() }), ..bench.sending.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_sender_stays_pending() {
    let bench = Bench::new().await;
    let id = bench.send(of_eva()).await;
    check_left(&bench, id).await;
    bench.turn().await;
    check_left(&bench, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_foreign_mail_is_not_ours_to_say() {
    let bench = Bench::new().await;
    for draft in [
        of_eva().to(4, SHY),
        of_eva().addressed(2, "nobody at all"),
        Draft::new("To nobody").from("systemuser", EVA),
        of_eva().with("subject", "Hi\r\nBcc: thief@x.example"),
    ] {
        let id = bench.send(draft).await;
        check_left(&bench, id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_sender_is_ours() {
    for allowed in ["eva@crm.example", "crm.example", "@crm.example"] {
        let bench = Bench::with(Options { senders: vec![allowed.into()], ..Options::default() }).await;
        let id = bench.send(of_eva()).await;
        assert_eq!(bench.state(id).await, MailState::Sent, "{allowed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_senders_are_reason_to_look_again() {
    let bench = Bench::new().await;
    let id = bench.send(of_eva()).await;
    bench::turn(&with_senders(&bench, &["else@crm.example"])).await;
    check_left(&bench, id).await;
    bench::turn(&with_senders(&bench, &["eva@crm.example"])).await;
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Sent, (1, 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_has_sent_is_forgotten() {
    let bench = Bench::new().await;
    let (sent, waits) = (bench.send(of_eva()).await, bench.send(of_eva()).await);
    let done = Record::new(RecordRef::new("email", sent)).with("statecode", 1).with("statuscode", 3);
    bench.apply(vec![Change::Update(done)]).await;
    bench.turn().await;
    assert_eq!(bench::entry(&bench.store, sent).await, None);
    check_left(&bench, waits).await;
}

/// A person may have it looked at again; it is no mail of ours for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_takes_nothing_from_others() {
    let bench = Bench::new().await;
    let id = bench.send(of_eva()).await;
    let mail = bench.entry(id).await.id;
    verbs::release(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    check_left(&bench, id).await;
}

/// Taken while its sender was ours, it is left to nobody else any more: a person decides.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_held_when_its_sender_is_struck_off() {
    let bench = Bench::new().await;
    let ours = with_senders(&bench, &["eva@crm.example"]);
    let draft = of_eva().to(4, SHY).with("subject", "Hi\r\nBcc: thief@x.example");
    let id = bench::put(&bench.crm, draft).await;
    bench::turn(&ours).await;
    assert_eq!((bench.entry(id).await.code, bench.status(id).await), (Some(Code::OUT_INJECTION.0), (1, 7)));
    let mended = Record::new(RecordRef::new("email", id)).with("subject", "Hi");
    bench.apply(vec![Change::Update(mended)]).await;
    let party = Record::new(RecordRef::new("contact", SHY)).with("donotemail", false);
    bench.apply(vec![Change::Update(party)]).await;
    let mail = bench.entry(id).await.id;
    verbs::release(&bench.store, &bench.ids, bench.clock.now(), mail).await.unwrap();
    bench.turn().await;
    let entry = bench.entry(id).await;
    assert_eq!((entry.hold, entry.code), (Some(Hold::Rule), Some(Code::OUT_FROM.0)));
}
