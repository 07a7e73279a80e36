//! The consent ledger: what was said about an address, by whom, when, where, and with what proof. Entries are only ever added.
//!
//! [`on`] answers *could we mail this person on that day, and why*. An entry has two times: when it happened, and when we came
//! to know of it; what we could do on a day follows from what we knew that day, what was right from all we know now.

use jiff::Timestamp;
use postroom_core::marketing::Status;

use super::reason::{Meaning, meaning};

/// What an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// All marketing mail of an account.
    Account,
    /// One list, by its id at the service.
    List(i64),
    /// One marketing preference, by its id at the service.
    Preference(i64),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// No; the status says how the service calls it.
    Out(Status),
    /// Yes, with evidence.
    In,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub scope: Scope,
    pub said: Said,
    /// When it happened.
    pub at: Timestamp,
    /// When it came to be known here; never before `at` but for clocks that differ.
    pub known: Timestamp,
    /// Where: `form 12`, `suppression list`, `crm contact/…`, `import imp_…`.
    pub source: String,
    /// Who: a user, or empty for the person in question.
    pub actor: String,
    /// What shows it: an address of a page, a text, a document's number. An opt-in without it does not count.
    pub proof: String,
}

/// The answer for one scope on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    pub open: bool,
    /// The entry that decides; none when nobody ever said anything.
    pub by: Option<&'a Entry>,
}

/// Whether an entry may lift an opt-out: explicit, dated and with proof; and newer than the opt-out, which the order sees to.
fn lifts(entry: &Entry) -> bool {
    entry.said == Said::In && !entry.proof.trim().is_empty()
}

/// What the entries of an address say about a scope, as of a moment, counting only what was known by `known_by`.
///
/// The newest entry decides; of two at the same moment the opt-out does. What is a matter of deliverability is never lifted by
/// an opt-in: only a person who looked at the mailbox can say that it works again (`actor` is not empty).
pub fn on<'a>(entries: &'a [Entry], scope: &Scope, moment: Timestamp, known_by: Timestamp) -> Answer<'a> {
    let mut counted: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.scope == *scope && entry.at <= moment && entry.known <= known_by)
        .filter(|entry| matches!(entry.said, Said::Out(_)) || lifts(entry))
        .collect();
    counted.sort_by_key(|entry| (entry.at, matches!(entry.said, Said::Out(_))));
    let state = counted.into_iter().fold(State::default(), State::after);
    let by = state.bounced.or(state.said);
    Answer { open: by.is_none_or(|entry| entry.said == Said::In), by }
}

/// What the entries so far add up to. Bounces and complaints stand beside what the person said, not in its place.
#[derive(Default)]
struct State<'a> {
    said: Option<&'a Entry>,
    bounced: Option<&'a Entry>,
}

impl<'a> State<'a> {
    fn after(self, entry: &'a Entry) -> Self {
        match &entry.said {
            Said::In if entry.actor.is_empty() => State { said: Some(entry), ..self },
            Said::In => State { said: Some(entry), bounced: None },
            Said::Out(status) => match meaning(status) {
                Meaning::Open => self,
                Meaning::Deliverability => State { bounced: Some(entry), ..self },
                _ => State { said: Some(entry), ..self },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u8) -> Timestamp {
        format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn entry(on: u8, said: Said, proof: &str) -> Entry {
        let (source, actor) = ("form 1".to_owned(), String::new());
        Entry {
            scope: Scope::Account,
            said,
            at: day(on),
            known: day(on),
            source,
            actor,
            proof: proof.to_owned(),
        }
    }

    fn out(on: u8) -> Entry {
        entry(on, Said::Out(Status::Unsubscribed), "")
    }

    #[track_caller]
    fn check(entries: &[Entry], on_day: u8, open: bool) {
        assert_eq!(on(entries, &Scope::Account, day(on_day), day(31)).open, open, "day {on_day}");
    }

    #[test]
    fn the_newest_decides() {
        let entries = [entry(9, Said::In, "page 7"), out(5)];
        check(&entries, 4, true);
        check(&entries, 5, false);
        check(&entries, 8, false);
        check(&entries, 9, true);
        assert_eq!(on(&entries, &Scope::Account, day(9), day(31)).by.unwrap().proof, "page 7");
    }

    #[test]
    fn an_opt_in_needs_its_proof() {
        check(&[out(5), entry(9, Said::In, " ")], 10, false);
    }

    #[test]
    fn an_older_opt_in_lifts_nothing() {
        check(&[out(5), entry(4, Said::In, "imported later")], 10, false);
        check(&[out(5), entry(5, Said::In, "at the same moment")], 10, false);
    }

    #[test]
    fn bounces_are_not_lifted_by_a_form() {
        let bounced = entry(5, Said::Out(Status::HardBounced), "");
        let form = entry(9, Said::In, "page 7");
        let by_hand = Entry { actor: "anna".into(), ..form.clone() };
        check(&[bounced.clone(), form.clone()], 10, false);
        check(&[bounced.clone(), by_hand], 10, true);
        // Not even when the person left in between.
        check(&[bounced, out(6), form], 10, false);
    }

    #[test]
    fn what_was_not_known_did_not_count_then() {
        let late = Entry { known: day(20), ..out(5) };
        assert!(on(std::slice::from_ref(&late), &Scope::Account, day(10), day(10)).open);
        assert!(!on(std::slice::from_ref(&late), &Scope::Account, day(10), day(31)).open);
    }

    #[test]
    fn scopes_are_apart() {
        let list = Entry { scope: Scope::List(4), ..out(5) };
        check(std::slice::from_ref(&list), 10, true);
        assert!(!on(&[list], &Scope::List(4), day(10), day(31)).open);
    }
}
