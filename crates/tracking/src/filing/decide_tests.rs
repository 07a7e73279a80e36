//! The decision, row by row: what was found, what is decided.

use postroom_core::mail::Authentication;
use postroom_core::{Class, Direction, MailState, Method, RecordRef, Signal, SignalKind};
use uuid::Uuid;

use super::{Create, Facts, Ruling, decide};
use crate::filing::signals::Found;
use crate::rules::{Mailbox, OnUnmatched, Track, Trust};

fn record(n: u128) -> RecordRef {
    RecordRef::new("incident", Uuid::from_u128(n))
}

/// A signal of `kind` that leads to record `n`; 0 leads nowhere.
fn found(kind: SignalKind, n: u128) -> Found {
    let record = (n > 0).then(|| record(n));
    let note = if n > 0 { "" } else { "names no record here" };
    let signal = Signal { kind, value: "v".into(), place: "Subject".into(), record, note: note.into() };
    Found { signal, email: None, gone: false }
}

/// A signal of `kind` whose record is not there any more.
fn gone(kind: SignalKind) -> Found {
    Found { gone: true, ..found(kind, 0) }
}

struct Case {
    facts: Facts<'static>,
}

/// An ordinary mail of a known sender to a mailbox that tracks all and reviews the rest.
fn ordinary() -> Case {
    let mailbox: &'static Mailbox = Box::leak(Box::default());
    Case {
        facts: Facts {
            class: Class::Normal,
            automatic: false,
            direction: Direction::Incoming,
            authentication: Authentication::Unknown,
            known_sender: true,
            mailbox,
            trust: Trust::Seed,
            never: None,
            only_open: None,
        },
    }
}

impl Case {
    fn mailbox(mut self, track: Track, on_unmatched: OnUnmatched) -> Self {
        self.facts.mailbox = Box::leak(Box::new(Mailbox { track, on_unmatched, ..Mailbox::default() }));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Facts<'static>)) -> Self {
        change(&mut self.facts);
        self
    }

    #[track_caller]
    fn check(self, signals: &[Found], state: MailState, method: Method, expected: u128) -> Ruling {
        let mut sorted = signals.to_vec();
        sorted.sort_by_key(|found| found.signal.kind.rank());
        let ruling = decide(&self.facts, &sorted);
        let wanted = (expected > 0).then(|| record(expected));
        assert_eq!(
            (ruling.state, ruling.method, &ruling.record),
            (state, method, &wanted),
            "{}",
            ruling.reason
        );
        ruling
    }
}

use MailState::{NotTracked, Review, Tracked};
use SignalKind::{ConversationIndex, Folder, MicrosoftToken, SignedAddress, SignedId, Thread, Token};

#[test]
fn one_signal_attaches() {
    ordinary().check(&[found(Token, 1)], Tracked, Method::Token, 1);
    ordinary().check(&[found(Thread, 1)], Tracked, Method::Thread, 1);
    ordinary().check(&[found(SignedId, 1)], Tracked, Method::SignedId, 1);
    ordinary().check(&[found(Folder, 1)], Tracked, Method::Folder, 1);
    ordinary().check(&[found(MicrosoftToken, 1)], Tracked, Method::MicrosoftToken, 1);
    ordinary().check(&[found(ConversationIndex, 1)], Tracked, Method::ConversationIndex, 1);
}

#[test]
fn the_stronger_kind_wins_and_the_loser_is_flagged() {
    let ruling = ordinary().check(&[found(Token, 1), found(Thread, 2)], Tracked, Method::Thread, 2);
    assert!(ruling.flags.contains(&"weaker_signal_disagrees".to_owned()));
    assert_eq!(ruling.signals.len(), 2, "the loser stays as evidence");
    ordinary().check(&[found(Thread, 1), found(SignedId, 2)], Tracked, Method::SignedId, 2);
    ordinary().check(&[found(Thread, 1), found(Folder, 2)], Tracked, Method::Folder, 2);
}

#[test]
fn the_same_kind_twice_goes_to_review() {
    ordinary().check(&[found(Token, 1), found(Token, 2)], Review, Method::None, 0);
    ordinary().check(&[found(Token, 1), found(Token, 1)], Tracked, Method::Token, 1);
    ordinary().check(&[found(Token, 1), found(Token, 2), found(Thread, 3)], Tracked, Method::Thread, 3);
}

#[test]
fn a_token_that_names_nothing_goes_to_review_whatever_the_mailbox_says() {
    ordinary().check(&[found(Token, 0)], Review, Method::None, 0);
    ordinary().mailbox(Track::All, OnUnmatched::Skip).check(&[found(Token, 0)], Review, Method::None, 0);
    ordinary().check(&[found(Token, 0), found(Thread, 1)], Tracked, Method::Thread, 1);
    let skips = || ordinary().mailbox(Track::All, OnUnmatched::Skip);
    for kind in [SignedId, SignedAddress, Folder, Thread, MicrosoftToken] {
        let ruling = skips().check(&[gone(kind)], Review, Method::None, 0);
        assert!(ruling.reason.contains("names no record here"), "{}", ruling.reason);
        skips().check(&[gone(kind), found(Token, 1)], Tracked, Method::Token, 1);
        // A forward, an older ancestor, a parent that lies on no record.
        skips().check(&[found(kind, 0)], NotTracked, Method::None, 0);
    }
}

#[test]
fn trust_limits_unsigned_signals_only() {
    let stranger = || ordinary().with(|facts| facts.known_sender = false);
    let ruling = stranger().check(&[found(Token, 1)], Tracked, Method::Token, 1);
    assert!(ruling.flags.contains(&"unknown_sender".to_owned()));
    let known_only = || stranger().with(|facts| facts.trust = Trust::KnownSender);
    known_only().check(&[found(Token, 1)], Review, Method::None, 0);
    known_only().check(&[found(Thread, 1)], Tracked, Method::Thread, 1);
    known_only().with(|facts| facts.class = Class::Bounce).check(
        &[found(Token, 1)],
        Tracked,
        Method::Token,
        1,
    );
    let signed_only = || ordinary().with(|facts| facts.trust = Trust::Signed);
    signed_only().check(&[found(Token, 1)], Review, Method::None, 0);
    signed_only().check(&[found(SignedId, 1)], Tracked, Method::SignedId, 1);
}

#[test]
fn a_sender_that_its_domain_disowns_goes_to_review() {
    let forged = ordinary().with(|facts| facts.authentication = Authentication::Fail);
    forged.check(&[found(Token, 1)], Review, Method::None, 0);
    let unmatched = |on_unmatched| {
        let stranger = ordinary().mailbox(Track::All, on_unmatched);
        stranger.with(|facts| (facts.known_sender, facts.authentication) = (false, Authentication::Fail))
    };
    for what in [OnUnmatched::Activity, OnUnmatched::CreateLead, OnUnmatched::CreateContact] {
        let ruling = unmatched(what).check(&[], Review, Method::None, 0);
        assert!(ruling.reason.contains("DMARC fail"), "{}", ruling.reason);
    }
    unmatched(OnUnmatched::Skip).check(&[], NotTracked, Method::None, 0);
    let sent = unmatched(OnUnmatched::Activity).with(|facts| facts.direction = Direction::Outgoing);
    sent.check(&[], Tracked, Method::None, 0);
}

#[test]
fn mailboxes_say_what_is_tracked() {
    let review = OnUnmatched::Review;
    ordinary().mailbox(Track::None, review).check(&[found(Token, 1)], NotTracked, Method::None, 0);
    ordinary().mailbox(Track::Replies, review).check(&[], NotTracked, Method::None, 0);
    ordinary().mailbox(Track::Replies, review).check(&[found(Thread, 1)], Tracked, Method::Thread, 1);
    ordinary().mailbox(Track::Known, review).check(&[], Review, Method::None, 0);
    let stranger = ordinary().mailbox(Track::Known, review).with(|facts| facts.known_sender = false);
    stranger.check(&[], NotTracked, Method::None, 0);
}

#[test]
fn mailboxes_say_what_becomes_of_the_rest() {
    let all = |on_unmatched| ordinary().mailbox(Track::All, on_unmatched);
    all(OnUnmatched::Review).check(&[], Review, Method::None, 0);
    all(OnUnmatched::Activity).check(&[], Tracked, Method::None, 0);
    all(OnUnmatched::Skip).check(&[], NotTracked, Method::None, 0);
    let stranger = |on_unmatched| all(on_unmatched).with(|facts| facts.known_sender = false);
    assert_eq!(
        stranger(OnUnmatched::CreateLead).check(&[], Tracked, Method::None, 0).create,
        Some(Create::Lead)
    );
    assert_eq!(
        stranger(OnUnmatched::CreateContact).check(&[], Tracked, Method::None, 0).create,
        Some(Create::Contact)
    );
    let machine = stranger(OnUnmatched::CreateLead).with(|facts| facts.automatic = true);
    machine.check(&[], Review, Method::None, 0);
    assert_eq!(
        all(OnUnmatched::CreateLead).check(&[], Tracked, Method::None, 0).create,
        None,
        "a known sender makes no lead"
    );
}

#[test]
fn sent_mail_follows_its_only_recipient_to_the_only_open_record() {
    let only: &'static RecordRef = Box::leak(Box::new(record(9)));
    let sent =
        |direction| ordinary().with(|facts| (facts.direction, facts.only_open) = (direction, Some(only)));
    sent(Direction::Outgoing).check(&[], Tracked, Method::None, 9);
    sent(Direction::Outgoing).check(&[found(Token, 1)], Tracked, Method::Token, 1);
    sent(Direction::Incoming).check(&[], Review, Method::None, 0);
    let replies = Box::leak(Box::new(Mailbox { track: Track::Replies, ..Mailbox::default() }));
    sent(Direction::Outgoing).with(|facts| facts.mailbox = replies).check(&[], NotTracked, Method::None, 0);
}

#[test]
fn our_own_mail_come_back_adds_nothing() {
    let echo = ordinary().with(|facts| facts.class = Class::Echo);
    echo.check(&[found(Token, 1)], NotTracked, Method::None, 0);
}
