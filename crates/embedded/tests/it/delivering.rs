//! The port's own delivery: every reason of the platform by name, what is written, and what stays behind.

use bytes::Bytes;
use postroom_core::{
    Change, Content, Crm, Delivered, Delivery, Filter, Importance, IncomingMail, ReasonCode, Record,
    RecordRef,
};
use postroom_embedded::seed;
use uuid::Uuid;

use crate::bench::{Bench, On, on_both};

on_both!(
    every_reason_has_its_case,
    approval_is_asked_for_where_the_organisation_wants_it,
    what_is_too_large_or_blocked_stays_behind,
    bodies_are_kept_as_handles,
);

const ANNA: &str = "anna@customer.example";
const DESK: &str = "desk@ours.example";
const UMA: &str = "uma@ours.example";
const TOM: &str = "tom@ours.example";

fn mail(id: &str, from: &str, to: &str, subject: &str) -> IncomingMail {
    IncomingMail {
        message_id: format!("<{id}@customer.example>"),
        subject: subject.to_owned(),
        from: from.to_owned(),
        to: vec![to.to_owned()],
        cc: Vec::new(),
        bcc: Vec::new(),
        received_on: "2026-11-01T09:00:00Z".parse().unwrap(),
        submitted_by: from.to_owned(),
        importance: Importance::Normal,
        body: Content::Bytes(Bytes::from_static(b"<p>Hi</p>")),
        attachments: Vec::new(),
        in_reply_to: None,
    }
}

/// A queue that takes all, a user who takes replies and one who takes mail of people, and a contact.
async fn people(bench: &Bench) -> [Record; 3] {
    let queue = bench.row("queue").with("name", "Desk").with("emailaddress", DESK);
    let user = |name: &str, address: &str| {
        bench.row("systemuser").with("lastname", name).with("internalemailaddress", address)
    };
    let (uma, tom) = (user("Uma", UMA), user("Tom", TOM));
    let anna = bench.contact("Anna").with("emailaddress1", ANNA);
    bench.create(&[queue.clone(), uma.clone(), tom.clone(), anna]).await;
    let settings = Record::new(RecordRef::new("usersettings", tom.at.id));
    bench.must(Change::Upsert(settings.with("incomingemailfilteringmethod", 2))).await;
    [queue, uma, tom]
}

async fn organisation(bench: &Bench, column: &str, value: bool) {
    bench.update(&RecordRef::new("organization", seed::ORGANIZATION), column, value).await;
}

async fn deliver(bench: &Bench, mail: IncomingMail, dry_run: bool) -> Delivery {
    bench.crm.deliver(vec![mail], dry_run).await.remove(0).unwrap()
}

/// The question and the delivery say the same, by the reason expected.
async fn check(bench: &Bench, mail: IncomingMail, taken: bool, reason: ReasonCode) {
    let asked = deliver(bench, mail.clone(), true).await;
    let done = deliver(bench, mail.clone(), false).await;
    let there = bench.all("email", Filter::eq("messageid", mail.message_id.as_str())).await.len();
    if taken {
        assert_eq!(asked, Delivery::Accepted(reason), "{mail:?}");
        assert!(matches!(done, Delivery::Delivered(Delivered { new: true, .. })), "{done:?}");
        assert_eq!(there, 1);
    } else {
        assert_eq!((asked, done), (Delivery::Refused(reason), Delivery::Refused(reason)), "{mail:?}");
        assert_eq!(there, usize::from(reason == ReasonCode::Duplicate));
        assert!(reason.explanation().len() > 60, "{reason} says what to change");
    }
}

async fn every_reason_has_its_case(on: On) {
    let bench = Bench::new(on).await;
    people(&bench).await;
    let earlier =
        bench.email().with("messageid", "<earlier@ours.example>").with("trackingtoken", "CRM:0001007");
    bench.create(&[earlier]).await;
    check(&bench, mail("all", ANNA, DESK, "Hello"), true, ReasonCode::AcceptAll).await;
    let reply = IncomingMail {
        in_reply_to: Some("<earlier@ours.example>".into()),
        ..mail("reply", ANNA, UMA, "Re: Offer")
    };
    check(&bench, reply, true, ReasonCode::CorrelationMatch).await;
    check(&bench, mail("token", ANNA, UMA, "Re: CRM:0001007"), true, ReasonCode::CorrelationMatch).await;
    check(&bench, mail("person", ANNA, TOM, "Hello"), true, ReasonCode::SenderMatch).await;
    // Another mail under the id of one that is there.
    check(&bench, mail("all", "who@else.example", DESK, "Other"), false, ReasonCode::Duplicate).await;
    check(&bench, mail("lost", ANNA, UMA, "Re: CRM:0009999"), false, ReasonCode::NoCorrelationMatch).await;
    check(&bench, mail("none", ANNA, "nobody@ours.example", "Hello"), false, ReasonCode::NoRecipientMatch)
        .await;
    check(&bench, mail("new", ANNA, UMA, "Hello"), false, ReasonCode::NoRecipientMatch).await;
    check(&bench, mail("sender", "", DESK, "Hello"), false, ReasonCode::InvalidSender).await;
    organisation(&bench, "ignoreinternalemail", true).await;
    check(&bench, mail("internal", UMA, TOM, "Lunch"), false, ReasonCode::InternalEmailReject).await;
    check(&bench, mail("to-queue", UMA, DESK, "Help"), true, ReasonCode::AcceptAll).await;
}

async fn approval_is_asked_for_where_the_organisation_wants_it(on: On) {
    let bench = Bench::new(on).await;
    let [queue, _, tom] = people(&bench).await;
    organisation(&bench, "requireapprovalforuseremail", true).await;
    organisation(&bench, "requireapprovalforqueueemail", true).await;
    check(&bench, mail("user", ANNA, TOM, "Hello"), false, ReasonCode::NoRecipientMatch).await;
    check(&bench, mail("queue", ANNA, DESK, "Hello"), false, ReasonCode::NoRecipientMatch).await;
    bench.update(&tom.at, "emailrouteraccessapproval", 1).await;
    check(&bench, mail("user", ANNA, TOM, "Hello"), true, ReasonCode::SenderMatch).await;
    bench.update(&queue.at, "emailrouteraccessapproval", 2).await;
    check(&bench, mail("queue", ANNA, DESK, "Hello"), false, ReasonCode::NoRecipientMatch).await;
}

fn file(name: &str, size: usize) -> Record {
    let row = Record::new(RecordRef::new("activitymimeattachment", Uuid::nil()));
    row.with("filename", name).with("body", Content::Bytes(vec![7; size].into()))
}

async fn what_is_too_large_or_blocked_stays_behind(on: On) {
    let bench = Bench::new(on).await;
    people(&bench).await;
    let own = RecordRef::new("organization", seed::ORGANIZATION);
    bench.update(&own, "blockedattachments", "exe;js").await;
    bench.update(&own, "maxuploadfilesize", 8192).await;
    let attachments = vec![file("a.txt", 10), file("b.exe", 10), file("c.bin", 8193), file("d.bin", 8192)];
    let whole = IncomingMail { attachments, ..mail("files", ANNA, DESK, "Files") };
    let Delivery::Delivered(delivered) = deliver(&bench, whole, false).await else {
        panic!("it was refused")
    };
    let of = Filter::eq("objectid", RecordRef::new("email", delivered.email));
    let mut names: Vec<String> = bench
        .all("activitymimeattachment", of)
        .await
        .iter()
        .map(|row| row.text("filename").unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["a.txt", "d.bin"]);
    let row = bench.found(&RecordRef::new("email", delivered.email)).await;
    assert_eq!(row.int("notifications"), Some(1), "the mail says that something stayed behind");
}

/// What is stored once is not stored again by a delivery.
async fn bodies_are_kept_as_handles(on: On) {
    let bench = Bench::new(on).await;
    people(&bench).await;
    let raw = b"From: a@x\r\nSubject: s\r\nContent-Type: text/plain\r\n\r\nDear Sir";
    let body = postroom_store::body::Body::prepare(raw);
    let hash = body.hash;
    let put = bench.store.write("test.body", move |tx| {
        futures_util::FutureExt::boxed(async move { postroom_store::body::put(tx, vec![body]).await })
    });
    put.await.unwrap();
    let handle = Content::MailBody { mail: hash };
    let mail = IncomingMail { body: handle.clone(), ..mail("handle", ANNA, DESK, "Handle") };
    let Delivery::Delivered(delivered) = deliver(&bench, mail, false).await else { panic!("it was refused") };
    let row = bench.found(&RecordRef::new("email", delivered.email)).await;
    assert_eq!(row.get("description"), Some(&postroom_core::Value::Content(handle)));
}
