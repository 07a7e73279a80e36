//! Which ancestor names the thread, and what is a forward: letters stand for mails, `References` as they stand in the header.

use postroom_core::{AddressHit, MailId, MailState, Record};

use super::*;
use crate::filing::decide::{self, Facts, Ruling};
use crate::filing::reading;
use crate::token::Signer;
use crate::token::signed::Key;
use crate::why;

const A: u128 = 0xa;
const B: u128 = 0xb;
/// Not in the CRM any more.
const GONE: u128 = 0xdead;

fn signer() -> Signer {
    let key = Key { id: 1, secret: [7; 32] };
    Signer::new(Uuid::from_u128(1), vec![key], "crm.example").unwrap()
}

fn incident(id: u128) -> RecordRef {
    RecordRef::new("incident", Uuid::from_u128(id))
}

/// What the store and the CRM know.
struct Scene {
    known: Known,
    rules: Rules,
}

fn scene() -> Scene {
    let mut known = Known::default();
    for id in [A, B] {
        known.records.insert(Uuid::from_u128(id), vec![Record::new(incident(id))]);
    }
    Scene { known, rules: Rules::new(Uuid::from_u128(1)) }
}

/// The Message-ID of a mail that we sent about a record.
fn ours(record: u128) -> String {
    signer().sign_message_id(Kind::Record, Uuid::from_u128(record))
}

impl Scene {
    /// A mail that is stored and lies on this record; 0: on none.
    fn mail(mut self, name: &str, record: u128) -> Self {
        let id = name.trim_matches(['<', '>']).to_lowercase();
        let parent = Parent {
            id: MailId(Uuid::from_u128(0x1000 + self.known.parents.len() as u128)),
            state: MailState::Tracked,
            record: (record > 0).then(|| incident(record)),
            activity: None,
            mailbox: "default".into(),
            parties: ["anna@customer.example", "desk@ours.example"].map(str::to_owned).into(),
        };
        self.known.parents.entry(id).or_default().push(parent);
        self
    }

    /// An address that the CRM knows as a queue.
    fn queue(mut self, address: &str, id: u128) -> Self {
        let record = RecordRef::new("queue", Uuid::from_u128(id));
        let (column, active) = ("emailaddress".into(), true);
        let hit =
            AddressHit { address: address.into(), record, column, active, owner: None, modified_on: None };
        self.known.people.insert(address.into(), vec![hit]);
        self
    }

    fn decide(&self, references: &str, to: &str) -> Ruling {
        let raw = format!(
            "From: anna@customer.example\r\nTo: {to}\r\nSubject: Re: Pump\r\nMessage-ID: <own@customer.example>\r\n\
             References: {references}\r\n\r\nHello\r\n"
        );
        let stored = why::pretend(raw.as_bytes(), Direction::Incoming, None, jiff::Timestamp::UNIX_EPOCH);
        let reading = reading::read(stored, raw.as_bytes(), &self.rules, Some(&signer()));
        let found = gather(&reading, &self.known, &self.rules);
        let facts = Facts {
            class: reading.class,
            automatic: false,
            direction: Direction::Incoming,
            authentication: reading.stored.authentication,
            known_sender: true,
            mailbox: &self.rules.fallback,
            trust: self.rules.trust,
            never: None,
            only_open: None,
        };
        decide::decide(&facts, &found)
    }

    /// The answer lies on `record`; 0: it waits for a person.
    #[track_caller]
    fn check(&self, references: &str, record: u128, method: &str) {
        let ruling = self.decide(references, "desk@ours.example");
        let state = if record > 0 { MailState::Tracked } else { MailState::Review };
        assert_eq!(
            (ruling.state, ruling.record, ruling.method.as_str()),
            (state, (record > 0).then(|| incident(record)), method),
            "{}\n{:#?}",
            ruling.reason,
            ruling.signals
        );
    }
}

#[test]
fn the_nearest_ancestor_that_leads_to_a_record_names_the_thread_signed_or_not() {
    let (first, answer) = (ours(A), ours(B));
    let scene = scene().mail("<m2@x>", B).mail("<m3@x>", 0).mail("<m1@x>", A);
    scene.check(&first, A, "signed_id");
    scene.check("<m2@x>", B, "thread");
    // Ours on A, then the customer's mail that a person moved to B.
    scene.check(&format!("{first} <m2@x>"), B, "thread");
    // Then our answer from B.
    scene.check(&format!("{first} <m2@x> {answer}"), B, "signed_id");
    scene.check(&format!("{answer} {first}"), A, "signed_id");
    scene.check(&format!("{first} <m1@x> <m2@x>"), B, "thread");
    // Who leads to no record names nothing.
    scene.check(&format!("{first} <m3@x>"), A, "signed_id");
    scene.check(&format!("<m2@x> {first} <m3@x> <unknown@x>"), A, "signed_id");
    // An older signed id that agrees keeps its strength.
    scene.check(&format!("{first} <m1@x>"), A, "signed_id");
}

#[test]
fn what_disagrees_in_one_place_is_for_a_person() {
    let scene = scene().mail("<twice@x>", A).mail("<twice@x>", B);
    scene.check("<twice@x>", 0, "none");
}

#[test]
fn an_ancestor_whose_record_is_gone_is_for_a_person_unless_another_leads_on() {
    let mut scene = scene().mail("<m1@x>", A).mail("<lost@x>", GONE).mail("<m3@x>", 0);
    scene.rules.fallback.on_unmatched = OnUnmatched::Skip;
    scene.check("<lost@x>", 0, "none");
    scene.check(&ours(GONE), 0, "none");
    scene.check("<m1@x> <lost@x>", A, "thread");
    scene.check(&format!("{} <m1@x>", ours(GONE)), A, "thread");
    let skipped = scene.decide("<m3@x>", "desk@ours.example");
    assert_eq!(skipped.state, MailState::NotTracked, "a parent on no record: {}", skipped.reason);
}

#[test]
fn queues_that_no_configuration_names_tell_a_forward_too() {
    let scene = scene().mail("<m1@x>", A).queue("desk@ours.example", 1).queue("sales@ours.example", 2);
    let on = |to: &str| scene.decide("<m1@x>", to).record;
    assert_eq!(on("sales@ours.example"), None);
    assert_eq!(on("desk@ours.example"), Some(incident(A)));
    assert_eq!(on("sales@ours.example, desk@ours.example"), Some(incident(A)));
    assert_eq!(on("ines@ours.example"), Some(incident(A)), "no queue");
    let forward = scene.decide("<m1@x>", "sales@ours.example");
    assert!(forward.signals.iter().any(|signal| signal.note.contains("forward")), "{:?}", forward.signals);
}
