//! The history of attempts: what each brought, how long it is kept, and what erasing leaves of it.

use jiff::SignedDuration;
use postroom_core::{Code, MailState, Verdict};
use postroom_tracking::privacy::Bodies;
use postroom_tracking::privacy::purging::Purging;
use postroom_tracking::sending::Options;
use postroom_tracking::sending::history::{Attempt, Ending, attempts};
use std::sync::Arc;
use uuid::Uuid;

use super::bench::{BEN, Bench, Draft, On};

async fn history(bench: &Bench, activity: Uuid) -> Vec<Attempt> {
    attempts(&bench.store, bench.entry(activity).await.id).await.unwrap()
}

/// One line an attempt: number, ending, what went wrong, and the answers by place.
fn lines(attempts: &[Attempt]) -> Vec<String> {
    let line = |one: &Attempt| {
        let answers = one.answers.iter().map(|said| format!("{}={}", said.place, said.code.unwrap_or(0)));
        let answers = answers.collect::<Vec<_>>().join(",");
        format!("{} {} {}[{answers}]", one.number, one.ending.map_or("none", Ending::as_str), one.text)
    };
    attempts.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_says_what_its_recipients_were_answered() {
    for on in [On::Sqlite, On::Postgres] {
        let bench = Bench::on(on, Options::default()).await;
        bench.server.fails(Verdict::Retry { after: None }, Code::SMTP_OUT_UNREACHABLE);
        let id = bench.send(Draft::to_anna("Order 12").to(2, BEN)).await;
        bench.server.answers(&["ben@customer.example"], 451, "busy");
        bench.later(SignedDuration::from_mins(2)).await;
        bench.later(SignedDuration::from_mins(6)).await;
        let found = history(&bench, id).await;
        assert_eq!(
            lines(&found),
            ["3 answered [1=250]", "2 answered [0=250,1=451]", "1 failed the line broke[]"],
            "{on:?}"
        );
        assert!(found.iter().all(|one| one.ended >= Some(one.started) && one.host == "mail.test"));
        assert_eq!(found[0].answers[0].text, "250 2.0.0 queued");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_stands_as_unknown() {
    let bench = Bench::new().await;
    bench.server.fails(Verdict::Unknown, Code::SMTP_OUT_UNKNOWN);
    let id = bench.send(Draft::to_anna("Order 12")).await;
    assert_eq!(bench.state(id).await, MailState::Unknown);
    assert_eq!(lines(&history(&bench, id).await), ["1 unknown the line broke[]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_for_ninety_days() {
    let bench = Bench::new().await;
    let id = bench.send(Draft::to_anna("Order 12")).await;
    let purging = Purging {
        store: bench.store.clone(),
        clock: bench.clock.clone(),
        keep: SignedDuration::from_hours(72),
        holders: Arc::new([Arc::new(Bodies), Arc::new(bench.crm.clone())]),
    };
    bench.clock.advance(SignedDuration::from_hours(90 * 24 - 1));
    assert_eq!(purging.run(false).await.unwrap().attempts, 0);
    bench.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(purging.run(true).await.unwrap().attempts, 1);
    assert_eq!(history(&bench, id).await.len(), 1, "a trial changes nothing");
    assert_eq!(purging.run(false).await.unwrap().attempts, 1);
    assert_eq!((history(&bench, id).await.len(), bench.state(id).await), (0, MailState::Sent));
}
