//! Delivery by the server over both wires, while things go wrong: nothing is lost and nothing doubled.

use std::sync::Arc;

use bytes::Bytes;
use postroom_core::{
    Change, ChangeSet, Code, Content, Crm, Delivery, Fault, Filter, Ids, Importance, IncomingMail, Query,
    ReasonCode, Record, RecordRef, Verdict,
};
use postroom_embedded::seed;
use postroom_embedded::soap::{Generation, Settings as SoapSettings};
use postroom_embedded::webapi::Ability;

use crate::server::{Mood, On, Server, on_both};

on_both!(lost_answers, cut_answers, limits, away, without_batches, the_oldest_service);

const DESK: &str = "desk@ours.example";
const COUNT: usize = 12;

fn mail(number: usize, to: &str) -> IncomingMail {
    let file = Record::new(RecordRef::new("activitymimeattachment", Ids::random().next()));
    let file = file.with("filename", "a.txt").with("body", Content::Bytes(Bytes::from_static(b"hello")));
    IncomingMail {
        message_id: format!("<mail-{number}@customer.example>"),
        subject: format!("It's mail {number} & more: 100 % 'Grüße'"),
        from: "anna@customer.example".into(),
        to: vec![to.to_owned()],
        cc: Vec::new(),
        bcc: Vec::new(),
        received_on: "2026-11-01T09:00:00Z".parse().unwrap(),
        submitted_by: "anna@customer.example".into(),
        importance: Importance::Normal,
        body: Content::Bytes(Bytes::from_static(b"<p>Hi</p>")),
        attachments: vec![file],
        in_reply_to: (number > 0).then(|| format!("<mail-{}@customer.example>", number - 1)),
    }
}

async fn desk(server: &Server) {
    let queue = Record::new(RecordRef::new("queue", Ids::random().next()));
    let queue = queue.with("name", "Desk").with("emailaddress", DESK);
    let set = ChangeSet { changes: vec![Change::Create(queue)] };
    server.embedded.apply(vec![set]).await.remove(0).unwrap();
}

/// Delivers while every nth call goes wrong, trying again what may be tried again, and looks at the CRM from behind.
async fn check(server: &Server, client: Arc<dyn Crm>, mood: Mood) {
    desk(server).await;
    client.metadata(&["email", "activitymimeattachment", "organization"]).await.unwrap();
    server.mood(mood);
    let mut left: Vec<IncomingMail> = (0..COUNT).map(|number| mail(number, DESK)).collect();
    left.insert(3, mail(99, "nobody@ours.example"));
    let mut refused = 0;
    for round in 0..20 {
        // When every second call fails, it may always be the same one of a round: the server recovers in the end.
        if round == 5 {
            server.mood(Mood::Well);
        }
        let answers = client.deliver(left.clone(), false).await;
        let still = |(mail, answer): (IncomingMail, Result<Delivery, Fault>)| match answer {
            Ok(Delivery::Delivered(_)) => None,
            Ok(Delivery::Refused(reason)) => {
                assert_eq!(reason, ReasonCode::NoRecipientMatch, "{mood:?}");
                refused += 1;
                None
            }
            Ok(other) => panic!("{mood:?}: {other:?}"),
            Err(fault) => {
                assert!(matches!(fault.verdict, Verdict::Retry { .. }), "{mood:?}: {fault}");
                Some(mail)
            }
        };
        left = left.into_iter().zip(answers).filter_map(still).collect();
        if left.is_empty() {
            break;
        }
    }
    server.mood(Mood::Well);
    assert_eq!((left.len(), refused), (0, 1), "{mood:?}: what was never delivered, and what was refused");
    for number in 0..COUNT {
        let id = mail(number, DESK).message_id;
        let of = Query::of("email").filter(Filter::eq("messageid", id.as_str()));
        let rows = server.embedded.query(&of).await.unwrap();
        assert_eq!(rows.len(), 1, "{mood:?}: {id}");
        assert_eq!(rows[0].text("subject"), Some(mail(number, DESK).subject.as_str()));
        let files = Query::of("activitymimeattachment").filter(Filter::eq("objectid", rows[0].at.clone()));
        assert_eq!(server.embedded.query(&files).await.unwrap().len(), 1, "{mood:?}: {id}");
    }
}

async fn over_both(on: On, mood: impl Fn(usize) -> Mood) {
    for nth in [2, 3, 4] {
        let server = Server::new(on).await;
        check(&server, Arc::new(server.client_with(|settings| settings.batch = 5)), mood(nth)).await;
        let server = Server::new(on).await;
        check(&server, Arc::new(server.soap_with(|settings| settings.batch = 5)), mood(nth)).await;
    }
}

async fn lost_answers(on: On) {
    over_both(on, Mood::Lost).await;
}

async fn cut_answers(on: On) {
    over_both(on, Mood::Cut).await;
}

async fn limits(on: On) {
    over_both(on, Mood::Limits).await;
}

async fn away(on: On) {
    over_both(on, Mood::Away).await;
}

async fn without_batches(on: On) {
    let server = Server::new(on).await;
    check(&server, Arc::new(server.client()), Mood::Without(Ability::Batch)).await;
}

async fn the_oldest_service(on: On) {
    let server = Server::new(on).await;
    server.be(SoapSettings { generation: Generation::Crm2011, ..SoapSettings::default() });
    check(&server, Arc::new(server.soap()), Mood::Lost(3)).await;
}

/// A lot goes in as few calls as the server allows: one look, one question, one delivery.
#[tokio::test(flavor = "multi_thread")]
async fn a_lot_goes_together() {
    let server = Server::new(On::Sqlite).await;
    desk(&server).await;
    let client = server.client();
    client.metadata(&["email", "activitymimeattachment", "organization"]).await.unwrap();
    client.deliver(vec![mail(50, DESK)], false).await.remove(0).unwrap();
    let before = server.calls();
    let mails: Vec<IncomingMail> = (0..COUNT).map(|number| mail(number, DESK)).collect();
    for answer in client.deliver(mails, false).await {
        assert!(matches!(answer.unwrap(), Delivery::Delivered(_)));
    }
    assert_eq!(server.calls() - before, 3);
}

/// A blocked attachment stays behind, and the answer says so for who writes it down.
#[tokio::test(flavor = "multi_thread")]
async fn what_stays_behind_is_told() {
    let server = Server::new(On::Sqlite).await;
    desk(&server).await;
    let own =
        Record::new(RecordRef::new("organization", seed::ORGANIZATION)).with("blockedattachments", "txt");
    let set = ChangeSet { changes: vec![Change::Update(own)] };
    server.embedded.apply(vec![set]).await.remove(0).unwrap();
    for client in [Arc::new(server.client()) as Arc<dyn Crm>, Arc::new(server.soap())] {
        for _ in 0..2 {
            let answer = client.deliver(vec![mail(1, DESK)], false).await.remove(0).unwrap();
            let Delivery::Delivered(delivered) = answer else { panic!("it was refused") };
            assert!(delivered.shortened, "also when it was there already");
        }
    }
}

/// The organisation refuses what it took before: the mail goes without it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_stays_behind() {
    let server = Server::new(On::Sqlite).await;
    desk(&server).await;
    let clients = [Arc::new(server.client()) as Arc<dyn Crm>, Arc::new(server.soap())];
    for (number, client) in (1..).zip(clients) {
        client.metadata(&["email", "activitymimeattachment", "organization"]).await.unwrap();
        server.mood(Mood::Blocks("a.txt"));
        let answer = client.deliver(vec![mail(number, DESK)], false).await.remove(0).unwrap();
        let Delivery::Delivered(delivered) = answer else { panic!("it was refused") };
        assert!(delivered.shortened && delivered.new);
    }
    let files = Query::of("activitymimeattachment");
    assert_eq!(server.embedded.query(&files).await.unwrap().len(), 0);
}

/// A server that does not know the message asks for the other setting.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_message_says_what_to_set() {
    let server = Server::new(On::Sqlite).await;
    let client = server.client();
    client.metadata(&["email", "activitymimeattachment", "organization"]).await.unwrap();
    server.mood(Mood::Without(Ability::IncomingMail));
    let fault = client.deliver(vec![mail(1, DESK)], false).await.remove(0).unwrap_err();
    assert_eq!((fault.code, fault.verdict), (Code::CRM_REFUSED, Verdict::Hold));
    assert!(fault.message.contains("crm.delivery = \"rows\""), "{fault}");
}
