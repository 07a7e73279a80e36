//! What is kept out.

use postroom_core::{Change, Code, MailState, Record, RecordRef, Value};
use postroom_tracking::sending::{Hold, Options, verbs};
use postroom_tracking::settings;

use super::bench::{ANNA, BEN, Bench, CASE, Draft, SHY};

async fn check_held(bench: &Bench, draft: Draft, code: Code) -> uuid::Uuid {
    let id = bench.send(draft).await;
    let entry = bench.entry(id).await;
    assert_eq!(
        (entry.state, entry.code, entry.hold),
        (MailState::Held, Some(code.0), Some(Hold::Rule)),
        "{}",
        entry.reason
    );
    assert!(bench.server.book().is_empty());
    id
}

async fn check_failed(bench: &Bench, draft: Draft, code: Code, said: &str) {
    let id = bench.send(draft).await;
    let entry = bench.entry(id).await;
    assert_eq!((entry.state, entry.code), (MailState::Failed, Some(code.0)), "{}", entry.reason);
    assert_eq!(bench.status(id).await, (0, 8));
    let notes = bench.notes(id).await;
    assert!(notes.len() == 1 && notes[0].contains(said), "{notes:?}");
    assert!(bench.server.book().is_empty());
}

async fn release(bench: &Bench, activity: uuid::Uuid) {
    let id = bench.entry(activity).await.id;
    let answer = verbs::release(&bench.store, &bench.ids, bench.clock.now(), id).await.unwrap();
    assert!(matches!(answer, verbs::Answer::Done(_)), "{answer:?}");
    bench.turn().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_mail_gets_none() {
    let bench = Bench::new().await;
    check_failed(&bench, Draft::to_anna("Hello").to(4, SHY), Code::OUT_OPT_OUT, "does not allow e-mails")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_without_parties_fails() {
    let bench = Bench::new().await;
    check_failed(&bench, Draft::new("Hello"), Code::OUT_UNWRITABLE, "no recipient").await;
    check_failed(
        &bench,
        Draft::new("Hello").addressed(2, "nobody at all"),
        Code::OUT_UNWRITABLE,
        "cannot be written",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn header_injection_is_held_until_the_column_is_mended() {
    let bench = Bench::new().await;
    let id = check_held(&bench, Draft::to_anna("Hi\r\nBcc: thief@x.example"), Code::OUT_INJECTION).await;
    release(&bench, id).await;
    assert!(bench.server.book().is_empty(), "a release does not make it safe");
    let mended = Record::new(RecordRef::new("email", id)).with("subject", "Hi");
    bench.apply(vec![Change::Update(mended)]).await;
    release(&bench, id).await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Sent, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachments_name_cannot_forge_either() {
    let bench = Bench::new().await;
    let draft = Draft::to_anna("Hi").file("a\r\nX: y.pdf", "application/pdf", None, b"1");
    check_held(&bench, draft, Code::OUT_INJECTION).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_recipients_need_a_release() {
    let bench = Bench::with(Options { max_recipients: 1, ..Options::default() }).await;
    let id = check_held(&bench, Draft::to_anna("Hello").to(3, BEN), Code::OUT_TOO_MANY).await;
    release(&bench, id).await;
    assert_eq!(bench.state(id).await, MailState::Sent);
    let bench = Bench::with(Options { max_recipients: 1, many_allowed: true, ..Options::default() }).await;
    let id = bench.send(Draft::to_anna("Hello").to(3, BEN)).await;
    assert_eq!(bench.state(id).await, MailState::Sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_about_one_record_in_an_hour_are_a_loop() {
    let bench = Bench::with(Options { per_record: 2, ..Options::default() }).await;
    for _ in 0..2 {
        let id = bench.send(Draft::to_anna("Hello")).await;
        assert_eq!(bench.state(id).await, MailState::Sent);
    }
    let id = bench.send(Draft::to_anna("Hello")).await;
    assert_eq!(
        (bench.state(id).await, bench.entry(id).await.code),
        (MailState::Held, Some(Code::OUT_LOOP.0))
    );
    bench.later(jiff::SignedDuration::from_hours(2)).await;
    let id = bench.send(Draft::to_anna("Hello")).await;
    assert_eq!(bench.state(id).await, MailState::Sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_in_one_thread_without_a_record_are_a_loop() {
    let bench = Bench::with(Options { per_record: 2, ..Options::default() }).await;
    let parents = ["first", "other"].map(|name| {
        Record::new(RecordRef::new("email", bench.ids.next()))
            .with("subject", "Question")
            .with("messageid", format!("<{name}@customer.example>"))
            .with("directioncode", false)
    });
    bench.apply(parents.iter().cloned().map(Change::Create).collect()).await;
    let answer = |parent: &Record| {
        let draft = Draft::to_anna("Re: Question").with("regardingobjectid", Value::Null);
        draft.with("parentactivityid", Value::lookup("email", parent.at.id))
    };
    let [first, other] = &parents;
    for (parent, state) in [
        (first, MailState::Sent),
        (first, MailState::Sent),
        (first, MailState::Held),
        (other, MailState::Sent),
    ] {
        let id = bench.send(answer(parent)).await;
        assert_eq!(bench.state(id).await, state, "{}", bench.entry(id).await.reason);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_reply_address_is_a_loop() {
    let bench = Bench::new().await;
    let own = bench.sending.signer.reply_address(postroom_tracking::token::Kind::Record, CASE);
    check_held(&bench, Draft::new("Hello").addressed(2, &own), Code::OUT_LOOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safe_mode_holds_everything_until_it_ends() {
    let bench = Bench::new().await;
    settings::set(&bench.store, settings::SAFE_MODE, "on".into()).await.unwrap();
    let id = bench.send(Draft::to_anna("Hello").to(2, ANNA)).await;
    let entry = bench.entry(id).await;
    assert_eq!(
        (entry.state, entry.hold, bench.status(id).await),
        (MailState::Held, Some(Hold::SafeMode), (1, 6))
    );
    bench.turn().await;
    assert!(bench.server.book().is_empty());
    settings::set(&bench.store, settings::SAFE_MODE, "off".into()).await.unwrap();
    bench.turn().await;
    assert_eq!((bench.state(id).await, bench.server.book().len()), (MailState::Sent, 1));
}
