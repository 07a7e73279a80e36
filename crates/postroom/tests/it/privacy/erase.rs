//! People who asked to be erased.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{
    AddressHit, Change, ChangeSet, Code, Content, Crm, Envelope, Fault, MailId, MailState, Outcome, Query,
    Record, Verdict,
};
use postroom_embedded::Embedded;
use postroom_testkit::on_both;
use uuid::Uuid;

use super::bench::{ANNA, BEN, Bench, SECRET, about_the_case, letter};

on_both!(crate::privacy::bench::Bench:
    nothing_of_the_person_is_left,
    every_way_to_be_in_a_mail_counts,
    what_was_erased_does_not_come_back,
    a_trial_counts_what_would_go,
    others_keep_their_mail_and_their_files,
    what_waits_to_be_filed_is_closed,
    what_the_crm_refuses_stands_in_the_receipt,
    a_crm_that_is_away_is_asked_again,
);

fn to(address: &str) -> Envelope {
    Envelope { from: None, to: vec![address.into()] }
}

/// A mail of Anna's on the case, and one that waits for a person.
async fn two(bench: &Bench) -> (MailId, MailId) {
    let tracked = bench.mail("desk", &letter("one", ANNA, "", &about_the_case("Pump"), SECRET)).await;
    let review = letter("two", ANNA, "References: <one@customer.example.net>\n", "Question", SECRET);
    let review = bench.mail("desk", &review).await;
    assert_eq!(
        (bench.state(tracked).await, bench.state(review).await),
        (MailState::Tracked, MailState::Review)
    );
    (tracked, review)
}

async fn nothing_of_the_person_is_left(bench: Bench) {
    let (tracked, review) = two(&bench).await;
    let activity = bench.detail(tracked).await.message.activity_id.unwrap();
    assert_eq!(bench.attachments(activity).await.len(), 1);
    let receipt = bench.erasing().erase("Anna@Customer.example", false).await.unwrap();
    let counts = &receipt.counts;
    assert_eq!((counts.messages, counts.sightings, counts.review_closed), (2, 2, 1), "{receipt:?}");
    assert_eq!((counts.activities, counts.attachments, counts.bodies_removed), (1, 1, 2), "{receipt:?}");
    assert!(receipt.finished_at.is_some() && receipt.refusals.is_empty(), "{receipt:?}");
    assert!(receipt.is_of(ANNA) && !receipt.is_of(BEN));

    for word in [SECRET, ANNA, "customer.example", "Question", "Somebody"] {
        assert_eq!((bench.bodies_with(word).await, bench.texts_with(word).await), (0, 0), "{word}");
    }
    assert_eq!(
        (bench.state(tracked).await, bench.state(review).await),
        (MailState::Tracked, MailState::NotTracked)
    );
    let email = bench.email(activity).await;
    assert_eq!(email.text("subject"), Some("Erased on request"));
    assert_eq!(email.text("description"), Some("Erased on request"));
    assert_eq!((email.text("sender"), email.text("torecipients")), (None, None));
    assert!(bench.attachments(activity).await.is_empty());
    let parties = bench.crm.query(&Query::of("activityparty")).await.unwrap();
    assert!(parties.iter().all(|row| row.text("addressused") != Some(ANNA)), "{parties:?}");
    bench.balances().await;
    assert_eq!(bench.count("body_doomed").await + bench.count("erasure_todo").await, 0);

    let again = bench.erasing().erase(ANNA, false).await.unwrap();
    assert_eq!(again.counts, Default::default(), "{again:?}");
    // A person's word no longer reaches it.
    let attach = postroom_tracking::filing::place::Placement::Aside("x".into());
    assert!(bench.filing.place(review, attach, "ines").await.is_err());
}

async fn every_way_to_be_in_a_mail_counts(bench: Bench) {
    let mut ids = Vec::new();
    let heads = [
        format!("Reply-To: {ANNA}\n"),
        format!("Cc: Anna <{}>\n", ANNA.to_uppercase()),
        format!("Sender: {ANNA}\n"),
        format!("Bcc: {ANNA}\n"),
    ];
    for (place, head) in heads.iter().enumerate() {
        ids.push(bench.mail("desk", &letter(&format!("m{place}"), BEN, head, "Hello", SECRET)).await);
    }
    let raw = letter("by-envelope", BEN, "", "Hello", SECRET);
    ids.push(bench.taken("desk", to("Anna@customer.example"), &raw).await.id);
    let raw = letter("from-envelope", BEN, "", "Hello", SECRET);
    let from = Envelope { from: Some(ANNA.into()), to: Vec::new() };
    ids.push(bench.taken("desk", from, &raw).await.id);
    let bounce = format!(
        "From: MAILER-DAEMON@ours.example\nTo: desk@ours.example\nMessage-ID: <b@ours.example>\nDate: Mon, 2 Nov 2026 08:00:00 +0000\n\
         Subject: Undelivered Mail\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\n{SECRET}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
         Final-Recipient: rfc822; {ANNA}\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    );
    ids.push(bench.mail("desk", &bounce).await);
    // Alike, and somebody else.
    let other =
        letter("other", "xanna@customer.example", "Cc: anna@customer.example.net\n", "Hello", "not hers");
    let other = bench.mail("desk", &other).await;
    bench.file().await;
    let receipt = bench.erasing().erase(ANNA, false).await.unwrap();
    assert_eq!(receipt.counts.messages, ids.len() as u64, "{receipt:?}");
    for id in ids {
        assert!(bench.detail(id).await.message.erased_at.is_some(), "{id}");
    }
    assert!(bench.raw(other).await.contains("not hers"));
    assert_eq!(bench.bodies_with(SECRET).await, 0);
    bench.balances().await;
}

async fn what_was_erased_does_not_come_back(bench: Bench) {
    let raw = letter("one", ANNA, "", &about_the_case("Pump"), SECRET);
    let id = bench.mail("desk", &raw).await;
    bench.erasing().erase(ANNA, false).await.unwrap();
    // The same door, and another mailbox that never had it.
    for (mailbox, sightings) in [("desk", 1), ("closed", 2)] {
        let again = bench.taken(mailbox, to(ANNA), &raw).await;
        assert_eq!((again.id, again.new), (id, false));
        assert_eq!(bench.count("job").await, 0);
        bench.file().await;
        let detail = bench.detail(id).await;
        assert!(detail.message.sightings <= sightings + 1 && detail.message.erased_at.is_some());
    }
    assert_eq!((bench.bodies_with(SECRET).await, bench.texts_with(ANNA).await), (0, 0));
    let activity = bench.detail(id).await.message.activity_id.unwrap();
    assert_eq!(bench.email(activity).await.text("subject"), Some("Erased on request"));
    bench.balances().await;
}

async fn a_trial_counts_what_would_go(bench: Bench) {
    let (tracked, review) = two(&bench).await;
    let trial = bench.erasing().erase(ANNA, true).await.unwrap();
    assert!(trial.dry_run && trial.finished_at.is_none());
    assert!(bench.raw(tracked).await.contains(SECRET) && bench.raw(review).await.contains(SECRET));
    assert_eq!(bench.count("erasure").await, 0);
    let mut done = bench.erasing().erase(ANNA, false).await.unwrap().counts;
    done.bodies_removed = 0; // known only when it is done
    assert_eq!(trial.counts, done);
}

async fn others_keep_their_mail_and_their_files(bench: Bench) {
    two(&bench).await;
    let ben = bench.mail("desk", &letter("ben", BEN, "", &about_the_case("Pump"), "Ben's words")).await;
    let activity = bench.detail(ben).await.message.activity_id.unwrap();
    bench.erasing().erase(ANNA, false).await.unwrap();
    assert!(bench.raw(ben).await.contains("Ben's words"));
    let detail = bench.detail(ben).await;
    assert_eq!((detail.message.from.as_str(), detail.message.erased_at), (BEN, None));
    let file = bench.attachments(activity).await.remove(0);
    let Some(postroom_core::Value::Content(content)) = file.get("body") else { panic!("{file:?}") };
    assert_eq!(&bench.crm.read(content).await.unwrap()[..], b"note: Ben's words");
}

async fn what_waits_to_be_filed_is_closed(bench: Bench) {
    let raw = letter("one", ANNA, "", &about_the_case("Pump"), SECRET);
    let id = bench.taken("desk", Envelope::default(), &raw).await.id;
    assert_eq!(bench.count("job").await, 1);
    let receipt = bench.erasing().erase(ANNA, false).await.unwrap();
    assert_eq!((receipt.counts.messages, receipt.counts.activities), (1, 0));
    assert_eq!((bench.count("job").await, bench.state(id).await), (0, MailState::NotTracked));
    bench.file().await;
    assert_eq!(bench.bodies_with(SECRET).await, 0);
    bench.balances().await;
}

async fn what_the_crm_refuses_stands_in_the_receipt(bench: Bench) {
    let (tracked, _) = two(&bench).await;
    let activity = bench.detail(tracked).await.message.activity_id.unwrap();
    let crm = Arc::new(Stubborn {
        inner: bench.crm.clone(),
        fault: Fault::reject(Code::CRM_REFUSED, "no"),
        on: AtomicBool::new(true),
    });
    let receipt = bench.erasing_in(crm).erase(ANNA, false).await.unwrap();
    let refused: Vec<(Uuid, &str, &str)> =
        receipt.refusals.iter().map(|one| (one.activity, one.what.as_str(), one.code.as_str())).collect();
    assert_eq!(refused, [(activity, "text", "PR-2002")]);
    // The description still shows the mail: its bytes stay, and the receipt says so.
    assert_eq!((receipt.counts.bodies_removed, receipt.counts.bodies_kept), (1, 1));
    assert!(receipt.finished_at.is_some());
    assert_eq!(bench.attachments(activity).await.len(), 0);
    assert_eq!(bench.texts_with(ANNA).await, 0);
}

async fn a_crm_that_is_away_is_asked_again(bench: Bench) {
    let (tracked, _) = two(&bench).await;
    let activity = bench.detail(tracked).await.message.activity_id.unwrap();
    let away = Fault::retry(Code::CRM_AWAY, "away");
    let crm = Arc::new(Stubborn { inner: bench.crm.clone(), fault: away, on: AtomicBool::new(true) });
    let fault = bench.erasing_in(crm.clone()).erase(ANNA, false).await.unwrap_err();
    assert!(matches!(fault.verdict, Verdict::Retry { .. }), "{fault}");
    // Ours is done, the CRM's is noted.
    assert_eq!((bench.texts_with(ANNA).await, bench.count("erasure").await), (0, 1));
    crm.on.store(false, Ordering::SeqCst);
    let receipt = bench.erasing_in(crm).erase(ANNA, false).await.unwrap();
    assert_eq!((receipt.counts.messages, receipt.counts.activities, bench.count("erasure").await), (2, 1, 1));
    assert_eq!(bench.email(activity).await.text("description"), Some("Erased on request"));
    assert_eq!(bench.bodies_with(SECRET).await, 0);
}

/// A CRM that answers changes of a subject with this fault.
struct Stubborn {
    inner: Embedded,
    fault: Fault,
    on: AtomicBool,
}

#[async_trait]
impl Crm for Stubborn {
    async fn find(&self, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
        self.inner.find(tables, ids).await
    }

    async fn find_addresses(&self, addresses: &[String]) -> Result<Vec<AddressHit>, Fault> {
        self.inner.find_addresses(addresses).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        self.inner.query(query).await
    }

    async fn apply(&self, sets: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        let mut answers = Vec::new();
        for set in sets {
            let rewrites = set.changes.iter().any(|change| {
                matches!(change, Change::Update(row) if row.at.table == "email" && row.get("subject").is_some())
            });
            if rewrites && self.on.load(Ordering::SeqCst) {
                let fault = &self.fault;
                answers.push(Err(Fault::new(fault.verdict, fault.code, fault.message.clone())));
            } else {
                answers.extend(self.inner.apply(vec![set]).await);
            }
        }
        answers
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.inner.read(content).await
    }

    async fn check(&self) -> Result<String, Fault> {
        self.inner.check().await
    }
}
