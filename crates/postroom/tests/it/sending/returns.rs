//! What comes back about a mail: reports, bounces in plain words, receipts; and what the CRM is told of it.

use bytes::Bytes;
use postroom_core::{Direction, MailState};
use postroom_tracking::sending::reports::{About, Report, Reported, reported};
use postroom_tracking::sending::{Options, Standing};
use postroom_tracking::token::Kind;

use super::bench::{BEN, Bench, Draft, SALES, read};

fn bounce(address: &str, what: Report) -> Reported {
    let (code, status) = (Some(550), Some("5.1.1".to_owned()));
    Reported {
        address: address.into(),
        what,
        code,
        status,
        hard: what == Report::Failed,
        text: "userunknown: no such user".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_put_to_the_recipient_it_is_about() {
    let bench = Bench::new().await;
    let id = bench.send(Draft::to_anna("Order 12").to(2, BEN)).await;
    let mail = read(&bench.server.book()[0]).message_id.clone();
    let about = About { message_id: mail, ..About::default() };
    let say = |about: &About, reports| {
        reported(&bench.store, &bench.ids, about.clone(), reports, bench.clock.now())
    };
    let found = say(&about, vec![bounce("Ben@Customer.example", Report::Failed)]).await.unwrap();
    let entry = bench.entry(id).await;
    assert_eq!(found, Some(entry.id));
    let states: Vec<_> = entry.recipients.iter().map(|one| one.state).collect();
    assert_eq!((entry.state, &states[..]), (MailState::Sent, &[Standing::Accepted, Standing::Bounced][..]));
    let by_envelope = About { envelope_id: Some(entry.id.0.simple().to_string()), ..About::default() };
    say(&by_envelope, vec![bounce("anna@customer.example", Report::Delayed)]).await.unwrap();
    assert_eq!(bench.entry(id).await.recipients[0].state, Standing::Delayed);
    say(&by_envelope, vec![bounce("anna@customer.example", Report::Failed)]).await.unwrap();
    assert_eq!(bench.state(id).await, MailState::Bounced);
    assert_eq!(say(&about, vec![bounce("else@x.example", Report::Failed)]).await.unwrap(), None);
    let forged = About { message_id: Some("other@x.example".into()), ..About::default() };
    assert_eq!(say(&forged, vec![bounce("anna@customer.example", Report::Failed)]).await.unwrap(), None);
    bench.turn().await;
    assert_eq!(bench.status(id).await, (1, 3));
}

/// A bounce as Domino writes it: in words, without the Message-ID of what it returns.
fn domino(to: &str, named: &str) -> Bytes {
    let raw = format!(
        "From: Postmaster@customer.example\r\nTo: <{to}>\r\nMessage-ID: <1@customer.example>\r\n\
         Subject: DELIVERY FAILURE: User anna not listed in Domino Directory\r\n\r\n\
         Your message\r\n\r\n  Subject: Order 12\r\n\r\nwas not delivered to:\r\n\r\n  {named}\r\n\r\n\
         because:\r\n\r\n  User anna ({named}) not listed in Domino Directory\r\n"
    );
    Bytes::from(raw)
}

fn to_bounce_address() -> Options {
    Options { bounce_address: true, ..Options::default() }
}

/// Where a mail stands with its first recipient after a Domino bounce that went to `to`.
async fn after_bounce(bench: &Bench, id: uuid::Uuid, to: &str, named: &str) -> (MailState, Standing) {
    bench.comes_in(domino(to, named), Direction::Incoming).await;
    bench.turn().await;
    let entry = bench.entry(id).await;
    (entry.state, entry.recipients[0].state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_bounce_is_known_by_the_address_it_went_to() {
    let bench = Bench::with(to_bounce_address()).await;
    let id = bench.send(Draft::to_anna("Order 12")).await;
    let path = bench.server.book()[0].from.clone();
    assert_eq!(path, bench.sending.signer.reply_address(Kind::Bounce, id));
    let bounced = (MailState::Bounced, Standing::Bounced);
    assert_eq!(after_bounce(&bench, id, &path, "anna@customer.example").await, bounced);
    assert_eq!(bench.entry(id).await.recipients[0].hard, Some(true));
    let notes = bench.notes(id).await;
    assert!(notes.len() == 1 && notes[0].contains("anna@customer.example: userunknown"), "{notes:?}");
    assert!(notes[0].contains("sending again is of no use"), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_signed_address_a_plain_bounce_is_about_no_mail_of_ours() {
    let bench = Bench::with(to_bounce_address()).await;
    let id = bench.send(Draft::to_anna("Order 12")).await;
    let sent = (MailState::Sent, Standing::Accepted);
    assert_eq!(after_bounce(&bench, id, SALES, "anna@customer.example").await, sent);
    let other = bench.sending.signer.reply_address(Kind::Bounce, uuid::Uuid::from_u128(9));
    assert_eq!(after_bounce(&bench, id, &other, "anna@customer.example").await, sent);
    let path = bench.sending.signer.reply_address(Kind::Bounce, id);
    let forged = path.replacen(&path[5..6], if &path[5..6] == "0" { "1" } else { "0" }, 1);
    assert_eq!(after_bounce(&bench, id, &forged, "anna@customer.example").await, sent);
}

/// A report of several ends, each of them for its own recipient.
#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_of_a_report_has_its_own_end() {
    let bench = Bench::new().await;
    let draft = Draft::to_anna("Order 12").to(2, BEN).addressed(3, "cleo@customer.example");
    let id = bench.send(draft).await;
    let envelope = bench.entry(id).await.id.0.simple().to_string();
    let one = |name: &str, action: &str, status: &str, said: &str| {
        format!(
            "Final-Recipient: rfc822; {name}@customer.example\r\nAction: {action}\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; {said}\r\n\r\n"
        )
    };
    let groups = [
        one("anna", "delivered", "2.0.0", "250 stored"),
        one("ben", "failed", "5.1.1", "550 5.1.1 no such user here"),
        one("cleo", "delayed", "4.4.1", "451 4.4.1 no answer"),
    ];
    let raw = format!(
        "From: mailer-daemon@customer.example\r\nTo: {SALES}\r\nSubject: Undelivered mail\r\n\
         Message-ID: <2@customer.example>\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSome have it.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.customer.example\r\n\
         Original-Envelope-Id: {envelope}\r\n\r\n{}--b--\r\n",
        groups.concat()
    );
    bench.comes_in(Bytes::from(raw), Direction::Incoming).await;
    bench.turn().await;
    let entry = bench.entry(id).await;
    let ends: Vec<_> = entry.recipients.iter().map(|one| (one.state, one.hard)).collect();
    let expected = [(Standing::Delivered, None), (Standing::Bounced, Some(true)), (Standing::Delayed, None)];
    assert_eq!((entry.state, &ends[..]), (MailState::Sent, &expected[..]));
    let notes = bench.notes(id).await;
    assert!(notes.len() == 1 && notes[0].contains("550 5.1.1 no such user here"), "{notes:?}");
    assert!(!notes[0].contains("cleo"), "{notes:?}");
}

/// A bounce that comes after another gets a note of its own; a repeat gets none.
#[tokio::test(flavor = "multi_thread")]
async fn each_bounce_is_noted_once() {
    let bench = Bench::new().await;
    let id = bench.send(Draft::to_anna("Order 12").to(2, BEN)).await;
    let envelope_id = Some(bench.entry(id).await.id.0.simple().to_string());
    for address in ["ben@customer.example", "ben@customer.example", "anna@customer.example"] {
        let about = About { envelope_id: envelope_id.clone(), ..About::default() };
        let now = bench.clock.now();
        let told = vec![bounce(address, Report::Failed)];
        reported(&bench.store, &bench.ids, about, told, now).await.unwrap();
        bench.later(jiff::SignedDuration::from_mins(1)).await;
    }
    let notes = bench.notes(id).await;
    let about = |name: &str| notes.iter().filter(|note| note.contains(name)).count();
    assert_eq!((notes.len(), about("ben@"), about("anna@")), (2, 1, 1), "{notes:?}");
    assert_eq!((bench.state(id).await, bench.status(id).await), (MailState::Bounced, (1, 3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_receipt_is_asked_for_when_the_user_wants_one() {
    for wanted in [true, false] {
        let bench = Bench::new().await;
        bench.send(Draft::to_anna("Order 12").with("deliveryreceiptrequested", wanted)).await;
        assert_eq!(bench.server.book()[0].receipt, wanted);
    }
}
