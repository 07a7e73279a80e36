//! From the CRM to the customer and back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postroom_core::{MailState, RecordRef};
use postroom_mail::trust::dns::Zone;
use postroom_mail::trust::{Evaluator, Options, Outcome, Peer};
use postroom_tracking::sending::Standing;
use postroom_tracking::token::Verification;
use uuid::Uuid;

use super::{World, outside, plain, read, world};
use crate::house::wait_for;
use crate::sending::bench::{BEN, CASE, Draft, status};

/// What the issue asks for, from Pending Send to the mail server.
const SOON: Duration = Duration::from_secs(5);

/// A mail to Anna is in her mailbox soon; answers its activity and its bytes. A busy machine may be late once or twice.
fn sent_soon(world: &World, subject: &str) -> (Uuid, Vec<u8>) {
    let mut took = Vec::new();
    for turn in 0..3 {
        let subject = format!("{subject} {turn}");
        let start = Instant::now();
        let id = world.put(Draft::to_anna(&subject));
        let raw = world.mails("anna", "INBOX", &subject, 1).remove(0);
        took.push(start.elapsed());
        if took[turn] < SOON {
            return (id, raw);
        }
    }
    panic!("no mail left within {SOON:?}: {took:?}");
}

#[test]
fn a_mail_of_the_crm_goes_out_and_its_answer_comes_home() {
    there_and_back(world());
}

#[test]
fn the_same_with_a_crm_outside() {
    there_and_back(outside());
    bounce(outside());
}

fn there_and_back(world: &World) {
    let (id, raw) = sent_soon(world, "Order 12");
    let mail = read(&raw);
    assert_eq!(mail.subject.matches(":MRC").count(), 1, "one token: {}", mail.subject);
    assert!(mail.subject.trim_end().ends_with(":MRC"), "{}", mail.subject);
    let own = mail.message_id.clone().expect("it has a Message-ID");
    let signed = world.signer().verify(&own);
    assert!(matches!(signed, Verification::Valid { id: of, .. } if of == id), "{own}: {signed:?}");
    let entry = world.outgoing(id, "the copy in Sent", |entry| entry.is_copied());
    assert_eq!((entry.state, entry.message_id.as_deref()), (MailState::Sent, Some(own.as_str())));
    assert_eq!(wait_for(status(&world.crm, id)), (1, 3));
    // The copy in the Sent folder is the same mail seen again.
    let copies = world.mails("sales", "Sent", &mail.subject, 1);
    assert_eq!(read(&copies[0]).message_id.as_ref(), Some(&own));
    let sent = world.message(&own, "a sighting in Sent", |message| message.sightings > 0);
    assert_eq!((sent.state, sent.sightings, sent.activity_id), (MailState::Sent, 1, Some(id)));
    assert_eq!(sent.record, Some(RecordRef::new("incident", CASE)));
    // Her program knows no token; the thread is in the headers alone.
    let thread = format!("In-Reply-To: <{own}>\r\nReferences: <{own}>\r\n");
    let answer = plain(
        "Anna Adler <anna@customer.example>",
        "AW: ganz was anderes",
        "answer-12@customer.example",
        &thread,
    );
    world.receives("anna@customer.example", &answer);
    let answer = world
        .message("answer-12@customer.example", "a decision", |message| message.state != MailState::Received);
    assert_eq!(
        (answer.state, answer.record),
        (MailState::Tracked, Some(RecordRef::new("incident", CASE))),
        "{}",
        answer.reason
    );
    let activity = world.row("email", "activityid", answer.activity_id.expect("it is tracked"));
    assert_eq!(activity.lookup("parentactivityid"), Some(&RecordRef::new("email", id)), "{activity:#?}");
}

#[test]
fn what_leaves_is_signed() {
    let world = world();
    let id = world.put(Draft::to_anna("Signed and sealed"));
    let raw = world.mails("anna", "INBOX", "Signed and sealed", 1).remove(0);
    world.outgoing(id, "the answer", |entry| entry.state == MailState::Sent);
    let zone = Arc::new(Zone::parse(&world.zone).expect("a zone"));
    let check = async |raw: &[u8]| {
        let evaluator =
            Evaluator::start(zone.clone(), Options::new("mx.customer.example")).await.expect("it starts");
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        evaluator.evaluate(Peer { address, hello: "crm.example", from: "sales@crm.example" }, raw).await.dkim
    };
    assert_eq!(wait_for(check(&raw)), Outcome::Pass, "{}", String::from_utf8_lossy(&raw));
    let changed = String::from_utf8_lossy(&raw).replace("Hello", "Hullo");
    assert_ne!(wait_for(check(changed.as_bytes())), Outcome::Pass);
}

#[test]
fn a_bounce_finds_its_recipient() {
    bounce(world());
}

fn bounce(world: &World) {
    let id = world.put(Draft::to_anna("Half of it comes back").to(3, BEN));
    let of = |entry: &postroom_tracking::sending::Entry, address: &str| {
        entry.recipients.iter().find(|one| one.address == address).cloned()
    };
    let entry = world.outgoing(id, "the bounce", |entry| {
        of(entry, "ben@customer.example").is_some_and(|ben| ben.state == Standing::Bounced)
    });
    let (anna, ben) =
        (of(&entry, "anna@customer.example"), of(&entry, "ben@customer.example").expect("seen above"));
    assert!(anna.expect("she was asked for").state.was_accepted());
    assert_eq!((entry.state, ben.status.as_deref()), (MailState::Sent, Some("5.1.1")), "{}", ben.text);
    world.mails("anna", "INBOX", "Half of it comes back", 1);
    assert_eq!(wait_for(status(&world.crm, id)), (1, 3));
    let lost = world.put(Draft::new("All of it comes back").to(2, BEN));
    let entry = world.outgoing(lost, "the bounce", |entry| entry.state == MailState::Bounced);
    assert_eq!(entry.recipients[0].state, Standing::Bounced);
}
