//! What reports mean.

use postroom_core::RecordRef;
use postroom_core::marketing::{ImportCounts, Names};
use uuid::Uuid;

use super::*;

fn entry(place: u64, address: &str, contact: Option<i64>) -> Entry {
    Entry {
        place,
        record: RecordRef::new("contact", Uuid::from_u128(u128::from(place))),
        address: address.to_owned(),
        contact: contact.map(ContactId),
        digest: Some(vec![1]),
        base: None,
        mark: Vec::new(),
    }
}

fn names(address: &str) -> Names {
    Names { email: Some(address.to_owned()), ..Names::default() }
}

fn named(id: i64, address: &str) -> Named {
    Named { id: ContactId(id), email: Some(address.to_owned()) }
}

fn head(place: u64, address: &str, contact: Option<i64>) -> Head {
    Head { place, address: address.to_owned(), contact: contact.map(ContactId) }
}

fn fault(address: &str, reason: &str, class: FaultClass) -> ImportFault {
    ImportFault { reason: reason.to_owned(), class, id: None, names: names(address), detail: String::new() }
}

/// One row of `a@x` of which a report has only this fault: the outcome, whether it is not sent again, and the opt-out.
#[track_caller]
fn check(reason: &str, class: FaultClass, to_list: bool, expected: (Outcome, bool, Option<Status>)) {
    let report = ImportReport { faults: vec![fault("A@x", reason, class)], ..ImportReport::default() };
    let judged = judge(&[head(0, "a@x", None)], &report, to_list).remove(0);
    assert_eq!((judged.outcome, judged.tried, judged.opted_out), expected, "{reason}");
}

#[test]
fn faults() {
    use FaultClass::{Consent, Data, Deliverability, Duplicate, Unknown};
    let suppressed = |reason: &str, status| (Outcome::Suppressed(reason.to_owned()), false, status);
    let rejected = |reason: &str| (Outcome::Rejected(reason.to_owned()), true, None);
    check("globallySuppressed", Consent, false, suppressed("globallySuppressed", Some(Status::Suppressed)));
    check("Unsubscribed", Consent, false, suppressed("Unsubscribed", Some(Status::Unsubscribed)));
    check("Unsubscribed", Consent, true, suppressed("Unsubscribed", None));
    check("suppressedForList", Consent, true, suppressed("suppressedForList", None));
    let blocked = suppressed("contacts:bannedDomain", Some(Status::MailBlocked));
    check("contacts:bannedDomain", Deliverability, false, blocked);
    check("Hard Bounced", Deliverability, true, suppressed("Hard Bounced", Some(Status::MailBlocked)));
    let pending = suppressed("Pending Double Optin", Some(Status::PendingOptIn));
    check("Pending Double Optin", Consent, false, pending);
    check("invalidDataField", Data, false, rejected("invalidDataField"));
    check("duplicateIdentifier", Duplicate, false, rejected("duplicateIdentifier"));
    check("Brand new", Unknown, false, rejected("Brand new"));
    check("", Unknown, false, rejected("no reason was given"));
}

#[test]
fn people_are_found_by_address_or_number() {
    let entries = [head(0, "a@x", None), head(1, "b@x", Some(7)), head(2, "", Some(8))];
    let report = ImportReport {
        created: vec![named(6, "A@X")],
        updated: vec![named(7, "b@x"), named(8, "old@x")],
        ..ImportReport::default()
    };
    let judged = judge(&entries, &report, false);
    let outcomes: Vec<_> = judged.iter().map(|judged| judged.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::New, Outcome::Changed, Outcome::Changed]);
    assert_eq!(judged[0].contact, Some(ContactId(6)));
}

#[test]
fn who_is_not_mentioned_is_sent_again() {
    let report = ImportReport { created: vec![named(6, "a@x")], ..ImportReport::default() };
    let judged = judge(&[head(0, "a@x", None), head(1, "b@x", None)], &report, false);
    assert!(matches!(judged[1].outcome, Outcome::Rejected(_)) && !judged[1].tried);
}

#[test]
fn an_account_without_identifiers_counts_only() {
    let counts = ImportCounts { created: 1, updated: 1, suppressed: 1, ..ImportCounts::default() };
    let faults = vec![fault("c@x", "Unsubscribed", FaultClass::Consent)];
    let report = ImportReport { counts, faults, ..ImportReport::default() };
    let entries = [head(0, "a@x", None), head(1, "b@x", None), head(2, "c@x", None)];
    let judged = judge(&entries, &report, false);
    let outcomes: Vec<_> = judged.into_iter().map(|judged| judged.outcome).collect();
    assert_eq!(outcomes, [Outcome::New, Outcome::Changed, Outcome::Suppressed("Unsubscribed".into())]);
}

#[test]
fn one_speaks_for_an_address() {
    let entries = [head(0, "a@x", None), head(1, "a@x", None), head(2, "b@x", None)];
    let faults = vec![fault("b@x", "invalidEmail", FaultClass::Data)];
    let report = ImportReport { updated: vec![named(6, "a@x")], faults, ..ImportReport::default() };
    let judged = judge(&entries, &report, false);
    assert_eq!((judged[1].outcome.clone(), judged[1].contact.clone()), (Outcome::Same, Some(ContactId(6))));
}

#[test]
fn one_who_is_written_may_have_a_value_refused() {
    let faults = vec![fault("a@x", "invalidDataField", FaultClass::Data)];
    let report = ImportReport { updated: vec![named(6, "a@x")], faults, ..ImportReport::default() };
    let judged = judge(&[head(0, "a@x", None)], &report, false).remove(0);
    assert!(judged.written && judged.tried && judged.contact == Some(ContactId(6)));
    assert!(matches!(judged.outcome, Outcome::Rejected(_)));
}

#[test]
fn a_refused_rename_keeps_the_address_that_the_service_has() {
    let known = Link {
        record: entry(0, "", None).record,
        address: "old@x".into(),
        contact: Some(ContactId(6)),
        digest: Some(vec![9]),
        base: Some("{}".into()),
    };
    let report = ImportReport {
        faults: vec![fault("new@x", "duplicateIdentifier", FaultClass::Duplicate)],
        ..ImportReport::default()
    };
    let entry = entry(0, "new@x", Some(6));
    let judged = judge(&[head(0, "new@x", Some(6))], &report, false).remove(0);
    let next = after(Some(known.clone()), &entry, &judged);
    assert_eq!(next, Link { digest: Some(vec![1]), ..known });
}

#[test]
fn who_shares_an_address_is_settled_together() {
    let check = |addresses: &[&str], most: usize, expected: usize| {
        let heads: Vec<Head> =
            (0_u64..).zip(addresses).map(|(place, address)| head(place, address, None)).collect();
        assert_eq!(together(&heads, most), expected, "{addresses:?}");
    };
    check(&[], 2, 0);
    check(&["a@x"], 2, 1);
    check(&["a@x", "b@x", "c@x"], 2, 2);
    check(&["a@x", "b@x", "b@x", "b@x", "c@x"], 2, 4);
    check(&["", "", ""], 2, 2);
}
