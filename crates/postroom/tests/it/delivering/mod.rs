//! `crm.delivery = "server"`: mail that our rules track is delivered by the CRM itself, under its ids and by its rules. On both
//! databases, with the embedded CRM; kills stand in `crash/points.rs`, the outside makes in `corpus`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use postroom_core::{
    AddressHit, Change, ChangeSet, Content, Crm, Delivery, Direction, Envelope, Fault, Filter, Inbox,
    Incoming, IncomingMail, MailId, MailState, Outcome, Query, Record, RecordRef, Source, Value,
};
use postroom_embedded::Embedded;
use postroom_testkit::database::Database;
use postroom_testkit::on_both;
use postroom_tracking::filing::place::Placement;
use postroom_tracking::intake::Intake;
use postroom_tracking::messages::Detail;
use postroom_tracking::rules::{DeliveryBy, OnUnmatched, Rules};
use postroom_tracking::why;
use uuid::Uuid;

use crate::privacy::bench::{ANNA, BEN, Bench, CASE, DESK, about_the_case, letter};

on_both!(crate::delivering::Delivering:
    a_tracked_mail_is_delivered_and_lies_on_its_record,
    what_the_crm_does_not_take_waits_in_review,
    an_answer_that_was_lost_is_looked_for,
    two_mails_with_one_id_are_not_one_activity,
    a_mail_without_an_id_is_delivered_once,
    sent_mail_is_written_as_rows,
    a_person_may_attach_and_move,
    what_only_the_crm_correlates_is_taken_over,
    an_unknown_sender_becomes_a_lead_first,
    a_question_writes_nothing,
);

const UMA: &str = "uma@ours.example";
const USER: Uuid = Uuid::from_u128(0x05e2);
const ACCOUNT: Uuid = Uuid::from_u128(0xacc);

/// A bench whose CRM has the desk as a queue, and a user who takes replies only.
pub struct Delivering(Bench);

impl Delivering {
    pub async fn on(database: Database) -> Delivering {
        let mut bench = Bench::on(database).await;
        let queue = Record::new(RecordRef::new("queue", Uuid::from_u128(0xde5c)));
        let user = Record::new(RecordRef::new("systemuser", USER)).with("lastname", "Uma");
        let account = Record::new(RecordRef::new("account", ACCOUNT)).with("name", "Adler & Co");
        bench
            .apply(vec![
                Change::Create(queue.with("name", "Desk").with("emailaddress", DESK)),
                Change::Create(user.with("internalemailaddress", UMA)),
                Change::Create(account),
            ])
            .await;
        rule(&mut bench, |rules| rules.delivery = DeliveryBy::Server);
        Delivering(bench)
    }

    /// A mail to this address comes in and is filed.
    async fn to(&self, to: &str, raw: &str) -> Detail {
        let id = self.0.mail("desk", &raw.replace(DESK, to)).await;
        self.0.detail(id).await
    }

    /// All e-mails of the CRM.
    async fn emails(&self) -> Vec<Record> {
        self.0.crm.query(&Query::of("email")).await.unwrap()
    }

    async fn again(&self) {
        self.0.clock.advance(SignedDuration::from_hours(1));
        self.0.file().await;
    }
}

fn rule(bench: &mut Bench, change: impl FnOnce(&mut Rules)) {
    let mut rules = Rules::clone(&bench.filing.rules);
    change(&mut rules);
    bench.filing.rules = Arc::new(rules);
}

fn case() -> RecordRef {
    RecordRef::new("incident", CASE)
}

async fn a_tracked_mail_is_delivered_and_lies_on_its_record(it: Delivering) {
    let shown =
        it.to(DESK, &letter("one", ANNA, "Importance: high\n", &about_the_case("Pump"), "It drips")).await;
    let message = &shown.message;
    assert_eq!((message.state, &message.record), (MailState::Tracked, &Some(case())), "{}", message.reason);
    let email = it.0.email(message.activity_id.unwrap()).await;
    assert_eq!(email.lookup("regardingobjectid"), Some(&case()), "our record is set");
    assert_eq!((email.int("statuscode"), email.int("prioritycode")), (Some(4), Some(2)));
    assert_eq!(email.text("messageid"), Some("<one@customer.example>"));
    assert!(matches!(email.get("description"), Some(Value::Content(Content::MailBody { .. }))), "{email:?}");
    assert_eq!(it.0.attachments(email.at.id).await.len(), 1);
    let items = Query::of("queueitem").filter(Filter::eq("objectid", email.at.clone()));
    assert_eq!(it.0.crm.query(&items).await.unwrap().len(), 1);
    // A reply in the same thread: the server's own correlation finds the case, and the parent.
    let reply = letter("two", ANNA, "In-Reply-To: <one@customer.example>\n", "Re: Pump", "Still");
    let shown = it.to(UMA, &reply).await;
    assert_eq!((shown.message.state, &shown.message.record), (MailState::Tracked, &Some(case())));
    let reply = it.0.email(shown.message.activity_id.unwrap()).await;
    assert_eq!(reply.lookup("parentactivityid"), Some(&email.at));
    it.0.balances().await;
}

async fn what_the_crm_does_not_take_waits_in_review(it: Delivering) {
    let shown = it.to(UMA, &letter("one", ANNA, "", &about_the_case("Pump"), "It drips")).await;
    let message = &shown.message;
    assert_eq!((message.state, &message.record, message.activity_id), (MailState::Review, &None, None));
    for words in ["NoRecipientMatch (3)", "personal options", "names incident/"] {
        assert!(message.reason.contains(words), "{words:?} is not in {:?}", message.reason);
    }
    assert!(message.flags.contains(&"refused_by_crm".to_owned()), "{:?}", message.flags);
    assert!(
        shown.decision.unwrap().signals.iter().any(|signal| signal.record == Some(case())),
        "the proposal stays"
    );
    assert_eq!(
        (it.emails().await.len(), it.0.count("job").await),
        (0, 0),
        "nothing waits, nothing is on the shelf"
    );
    it.0.balances().await;
    // Set right and decided again, it is delivered.
    let settings = Record::new(RecordRef::new("usersettings", USER)).with("incomingemailfilteringmethod", 0);
    it.0.apply(vec![Change::Upsert(settings)]).await;
    let id = message.id;
    replay(&it, id).await;
    let message = it.0.detail(id).await.message;
    assert_eq!((message.state, message.record), (MailState::Tracked, Some(case())), "{}", message.reason);
    assert_eq!(it.emails().await.len(), 1);
    it.0.balances().await;
}

async fn replay(it: &Delivering, id: MailId) {
    let (ids, now) = (it.0.ids.clone(), it.0.clock.now());
    let unit = it.0.store.write("test.replay", move |tx| {
        futures_util::FutureExt::boxed(async move {
            let job = postroom_tracking::intake::filing_job(id);
            postroom_jobs::enqueue(tx, &ids, now, vec![job]).await
        })
    });
    let _: u64 = unit.await.unwrap();
    it.0.file().await;
}

/// The answers of the first deliveries are lost, after they were done: as if the process had died there.
async fn an_answer_that_was_lost_is_looked_for(mut it: Delivering) {
    let forgetful = Arc::new(Forgetful { inner: it.0.crm.clone(), lost: AtomicUsize::new(0) });
    it.0.filing.crm = forgetful.clone();
    let raw = letter("one", ANNA, "", &about_the_case("Pump"), "It drips");
    let id = it.0.taken("desk", Envelope::default(), &raw).await.id;
    it.0.file().await;
    assert_eq!((it.0.state(id).await, it.emails().await.len()), (MailState::Received, 1));
    it.again().await;
    let message = it.0.detail(id).await.message;
    assert_eq!((message.state, message.record), (MailState::Tracked, Some(case())), "{}", message.reason);
    assert_eq!((it.emails().await.len(), forgetful.lost.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(it.0.email(message.activity_id.unwrap()).await.lookup("regardingobjectid"), Some(&case()));
    it.0.balances().await;
}

async fn two_mails_with_one_id_are_not_one_activity(it: Delivering) {
    let first = letter("one", ANNA, "", &about_the_case("Pump"), "It drips");
    let other = letter("one", BEN, "", &about_the_case("Hose"), "It bursts");
    // The same in all that the CRM keeps, and yet another mail: its Date is.
    let later = first.replace("08:00:00", "09:00:00");
    it.to(DESK, &first).await;
    for raw in [other, later] {
        let shown = it.to(DESK, &raw).await;
        assert_eq!(shown.message.state, MailState::Review, "{}", shown.message.reason);
        assert!(shown.message.reason.contains("Duplicate (0)"), "{}", shown.message.reason);
    }
    assert_eq!(it.emails().await.len(), 1);
    it.0.balances().await;
}

async fn a_mail_without_an_id_is_delivered_once(it: Delivering) {
    let raw = letter("one", ANNA, "", &about_the_case("Pump"), "It drips");
    let raw = raw.replace("Message-ID: <one@customer.example>\n", "");
    let shown = it.to(DESK, &raw).await;
    let email = it.0.email(shown.message.activity_id.unwrap()).await;
    let made = email.text("messageid").unwrap().to_owned();
    assert!(made.ends_with("@postroom.invalid>"), "{made}");
    it.to(DESK, &raw).await;
    assert_eq!(it.emails().await.len(), 1);
    it.0.balances().await;
}

async fn sent_mail_is_written_as_rows(it: Delivering) {
    let first = it.to(DESK, &letter("one", ANNA, "", &about_the_case("Pump"), "It drips")).await;
    let answer = format!(
        "From: {DESK}\r\nTo: {ANNA}\r\nSubject: Re: Pump\r\nMessage-ID: <answer@ours.example>\r\n\
         In-Reply-To: <one@customer.example>\r\nDate: Mon, 2 Nov 2026 09:00:00 +0000\r\n\r\nWe come\r\n"
    );
    let intake = Intake::new(it.0.store.clone(), it.0.clock.clone(), it.0.ids.clone());
    let sent = Incoming {
        source: Source::Imap,
        direction: Direction::Outgoing,
        mailbox: Some("desk".into()),
        folder: Some("Sent".into()),
        envelope: Envelope::default(),
        source_id: None,
        peer: None,
        authentication: postroom_core::mail::Authentication::Unknown,
        received_at: it.0.clock.now(),
        raw: Bytes::from(answer),
    };
    let id = intake.accept(sent).await.unwrap().id;
    it.0.file().await;
    let message = it.0.detail(id).await.message;
    assert_eq!((message.state, &message.record), (MailState::Tracked, &Some(case())), "{}", message.reason);
    let email = it.0.email(message.activity_id.unwrap()).await;
    assert_eq!(email.int("statuscode"), Some(3));
    let parent = first.message.activity_id.map(|id| RecordRef::new("email", id));
    assert_eq!(email.lookup("parentactivityid").cloned(), parent, "it names the activity that the CRM made");
    it.0.balances().await;
}

async fn a_person_may_attach_and_move(it: Delivering) {
    let account = RecordRef::new("account", ACCOUNT);
    // What the CRM refused, attached by hand: rows, whatever its rules say.
    let refused = it.to(UMA, &letter("one", ANNA, "", &about_the_case("Pump"), "It drips")).await.message.id;
    let at = RecordRef::new("incident", CASE);
    it.0.filing.place(refused, Placement::Attach(at), "Pia").await.unwrap();
    let message = it.0.detail(refused).await.message;
    assert_eq!((message.state, &message.record), (MailState::Tracked, &Some(case())));
    it.0.balances().await;
    // What the CRM delivered, moved by hand: the same activity.
    let shown = it.to(DESK, &letter("two", ANNA, "", &about_the_case("Hose"), "It bursts")).await.message;
    it.0.filing.place(shown.id, Placement::Attach(account.clone()), "Pia").await.unwrap();
    let moved = it.0.detail(shown.id).await.message;
    assert_eq!((&moved.record, moved.activity_id), (&Some(account.clone()), shown.activity_id));
    let email = it.0.email(moved.activity_id.unwrap()).await;
    assert_eq!(email.lookup("regardingobjectid"), Some(&account));
    replay(&it, shown.id).await;
    assert_eq!(it.emails().await.len(), 2);
    it.0.balances().await;
}

/// A mail of the CRM that we know nothing of.
async fn what_only_the_crm_correlates_is_taken_over(mut it: Delivering) {
    rule(&mut it.0, |rules| {
        rules.mailboxes.iter_mut().for_each(|mailbox| mailbox.on_unmatched = OnUnmatched::Activity);
    });
    let known =
        Record::new(RecordRef::new("email", Uuid::from_u128(7))).with("messageid", "<crm@ours.example>");
    it.0.apply(vec![Change::Create(known.with("regardingobjectid", RecordRef::new("account", ACCOUNT)))])
        .await;
    let shown =
        it.to(DESK, &letter("one", ANNA, "In-Reply-To: <crm@ours.example>\n", "Re: Offer", "Yes")).await;
    assert_eq!(shown.message.record, Some(RecordRef::new("account", ACCOUNT)), "{}", shown.message.reason);
    assert!(shown.message.reason.contains("The CRM itself put it on account/"), "{}", shown.message.reason);
    replay(&it, shown.message.id).await;
    let email = it.0.email(shown.message.activity_id.unwrap()).await;
    assert!(email.lookup("regardingobjectid").is_some(), "decided again, it stays there");
    it.0.balances().await;
}

async fn an_unknown_sender_becomes_a_lead_first(mut it: Delivering) {
    rule(&mut it.0, |rules| {
        rules.mailboxes.iter_mut().for_each(|mailbox| mailbox.on_unmatched = OnUnmatched::CreateLead);
    });
    let shown = it.to(DESK, &letter("one", "new@customer.example", "", "Hello", "Who are you?")).await;
    let lead = shown.message.record.clone().unwrap();
    assert_eq!(lead.table, "lead", "{}", shown.message.reason);
    let email = it.0.email(shown.message.activity_id.unwrap()).await;
    assert_eq!(email.lookup("regardingobjectid"), Some(&lead));
    let sender =
        Filter::All(vec![Filter::eq("activityid", email.at.clone()), Filter::eq("participationtypemask", 1)]);
    let sender = it.0.crm.query(&Query::of("activityparty").filter(sender)).await.unwrap();
    assert_eq!(sender[0].lookup("partyid"), Some(&lead), "the CRM knew the sender already");
    it.0.balances().await;
}

async fn a_question_writes_nothing(it: Delivering) {
    let ask = async |to: &str| {
        let raw = letter("one", ANNA, "", &about_the_case("Pump"), "It drips").replace(DESK, to);
        let raw = raw.replace('\n', "\r\n");
        why::explain(&it.0.filing, raw.as_bytes(), Direction::Incoming, Some("desk".into())).await.unwrap()
    };
    let taken = ask(DESK).await;
    assert_eq!((taken.state, taken.record), (MailState::Tracked, Some(case())), "{}", taken.reason);
    let refused = ask(UMA).await;
    assert_eq!(refused.state, MailState::Review);
    assert!(refused.reason.contains("NoRecipientMatch (3)"), "{}", refused.reason);
    assert_eq!(it.emails().await.len(), 0);
}

/// Loses the answer to the first delivery.
struct Forgetful {
    inner: Embedded,
    lost: AtomicUsize,
}

#[async_trait]
impl Crm for Forgetful {
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
        self.inner.apply(sets).await
    }

    async fn deliver(&self, mails: Vec<IncomingMail>, dry_run: bool) -> Vec<Result<Delivery, Fault>> {
        let answers = self.inner.deliver(mails, dry_run).await;
        if self.lost.fetch_max(1, Ordering::SeqCst) > 0 {
            return answers;
        }
        let lost = || Fault::retry(postroom_core::Code::CRM_AWAY, "the answer was lost");
        answers.iter().map(|_| Err(lost())).collect()
    }

    async fn read(&self, content: &Content) -> Result<Bytes, Fault> {
        self.inner.read(content).await
    }

    async fn check(&self) -> Result<String, Fault> {
        self.inner.check().await
    }
}
