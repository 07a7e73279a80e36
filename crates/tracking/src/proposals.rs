//! Where a mail in review may belong: records that a person is offered, each with its reason. Reads only, decides nothing.
//!
//! Three sources, strongest first: the signals that the decision found and could not follow; other mail with the same words
//! in its subject and two people in common within 90 days (`design.md` 4.3: subject and people only ever propose); and what
//! the caller knows of the sender.

use std::collections::HashSet;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Decision, MailId, MailState, RecordRef};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Row, Store};
use uuid::Uuid;

use crate::prefix::base_subject;

/// Candidates offered for one mail.
pub const MOST: usize = 3;
/// Mail further away in time is no sign.
const NEAR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// People that two mails must have in common: one is only a correspondent.
const SHARED: usize = 2;
/// Mails compared with one in review, the newest.
const COMPARED: u64 = 500;
/// Parties of a mail whose other mail is looked at.
const PARTIES: usize = 20;

/// A record that a mail may belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub record: RecordRef,
    /// One clause for a person.
    pub why: String,
}

/// Another mail of the same exchange, as far as subject and people tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similar {
    pub mail: MailId,
    pub record: RecordRef,
    /// Addresses that both mails name.
    pub shared: usize,
    pub received_at: Timestamp,
}

/// What of a mail is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Traits {
    words: Vec<String>,
    parties: HashSet<String>,
    received_at: Timestamp,
}

impl Traits {
    fn new(subject: &str, parties: &str, received_at: Timestamp) -> Traits {
        let base = base_subject(&crate::token::without_tokens(subject));
        let mut words: Vec<String> = base
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        words.sort_unstable();
        words.dedup();
        let parties = parties.split_whitespace().map(str::to_owned).collect();
        Traits { words, parties, received_at }
    }

    /// How many people both name, when it is the same exchange.
    fn shared_with(&self, other: &Traits) -> Option<usize> {
        let near = self.received_at.duration_since(other.received_at).abs() <= NEAR;
        let same = !self.words.is_empty() && self.words == other.words;
        let shared = self.parties.intersection(&other.parties).count();
        (near && same && shared >= SHARED).then_some(shared)
    }
}

/// The candidates of a mail: its signals first, then similar mail, then `known`. Each record once, at most [`MOST`].
pub fn candidates(
    decision: Option<&Decision>,
    similar: &[Similar],
    known: impl IntoIterator<Item = Candidate>,
) -> Vec<Candidate> {
    let signals = decision.into_iter().flat_map(|decision| &decision.signals);
    let signals = signals.filter_map(|signal| {
        let kind = signal.kind.method().as_str().replace('_', " ");
        let note = signal.note.trim_end_matches('.');
        let why = if note.is_empty() { String::new() } else { format!(": {note}") };
        Some(Candidate { record: signal.record.clone()?, why: format!("{kind} in {}{why}", signal.place) })
    });
    let similar = similar.iter().map(|similar| Candidate {
        record: similar.record.clone(),
        why: format!(
            "a mail of {} has the same words in its subject and {} of the same people",
            similar.received_at.strftime("%-d %b %Y"),
            similar.shared
        ),
    });
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in signals.chain(similar).chain(known) {
        if chosen.len() < MOST && !chosen.iter().any(|known| known.record == candidate.record) {
            chosen.push(candidate);
        }
    }
    chosen
}

/// Filed mail that resembles this one: the most people in common first, then the nearest in time. Each record once.
pub async fn similar(store: &Store, id: MailId) -> Result<Vec<Similar>, Error> {
    let own = Query::select()
        .columns(["subject", "parties", "received_at"])
        .from("message")
        .and_where(Expr::col("id").eq(id.0))
        .to_owned();
    let read = store.read(move |tx| {
        async move {
            let Some(row) = tx.query_one(&own).await? else { return Ok((None, Vec::new())) };
            let mail = traits(&row, 0)?;
            let others = tx.query(&around(id, &mail)).await?;
            Ok::<_, Error>((Some(mail), others))
        }
        .boxed()
    });
    let (mail, others) = read.await?;
    let Some(mail) = mail else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for row in &others {
        if let Some(shared) = mail.shared_with(&traits(row, 0)?) {
            found.push(Similar {
                mail: MailId(row.at(3)?),
                record: RecordRef::new(row.at::<String>(4)?, row.at(5)?),
                shared,
                received_at: row.at(2)?,
            });
        }
    }
    found.sort_by_key(|other| {
        (std::cmp::Reverse(other.shared), mail.received_at.duration_since(other.received_at).abs())
    });
    let mut records = HashSet::new();
    found.retain(|other| records.insert(other.record.clone()));
    Ok(found)
}

fn traits(row: &Row, at: usize) -> Result<Traits, Error> {
    let (subject, parties): (String, Option<String>) = (row.at(at)?, row.at(at + 1)?);
    Ok(Traits::new(&subject, &parties.unwrap_or_default(), row.at(at + 2)?))
}

/// Filed mail that one of the mail's people sent. Ids are ordered by time, so the index on sender and id bounds the look.
fn around(id: MailId, mail: &Traits) -> postroom_store::sql::SelectStatement {
    let mut senders: Vec<String> = mail.parties.iter().cloned().collect();
    senders.sort_unstable();
    senders.truncate(PARTIES);
    Query::select()
        .columns(["subject", "parties", "received_at", "id", "record_table", "record_id"])
        .from("message")
        .and_where(Expr::col("from_address").is_in(senders))
        .and_where(Expr::col("id").gte(first_id(mail.received_at - NEAR)))
        .and_where(Expr::col("id").ne(id.0))
        .and_where(Expr::col("record_id").is_not_null())
        .and_where(Expr::col("state").is_in([MailState::Tracked, MailState::Sent].map(MailState::as_str)))
        .order_by("id", Order::Desc)
        .limit(COMPARED)
        .to_owned()
}

/// The lowest UUIDv7 of a moment (RFC 9562 section 5.7): 48 bits of milliseconds.
fn first_id(at: Timestamp) -> Uuid {
    let milliseconds = u128::try_from(at.as_millisecond()).unwrap_or(0);
    Uuid::from_u128(milliseconds << 80)
}

#[cfg(test)]
mod tests {
    use postroom_core::{DecisionId, Method, Signal, SignalKind};

    use super::*;

    fn at(day: &str) -> Timestamp {
        format!("{day}T09:00:00Z").parse().unwrap()
    }

    #[track_caller]
    fn check(subject: &str, parties: &str, day: &str, expected: Option<usize>) {
        let mail = Traits::new(
            "Re: Leaking pump",
            "anna@x.example support@us.example tom@us.example",
            at("2026-03-10"),
        );
        assert_eq!(
            mail.shared_with(&Traits::new(subject, parties, at(day))),
            expected,
            "{subject} {parties} {day}"
        );
    }

    #[test]
    fn the_same_words_two_people_and_ninety_days() {
        check("Leaking pump", "anna@x.example support@us.example", "2026-03-01", Some(2));
        check("AW: [EXTERNAL] leaking  PUMP!", "anna@x.example support@us.example", "2026-04-01", Some(2));
        check("Leaking pump", "anna@x.example support@us.example tom@us.example", "2026-01-01", Some(3));
        check("Leaking pumps", "anna@x.example support@us.example", "2026-03-01", None);
        check("Leaking pump", "support@us.example bert@x.example", "2026-03-01", None);
        check("Leaking pump", "anna@x.example support@us.example", "2025-12-01", None);
        check(
            "Leaking pump CRM: {00000000-0000-0000-0000-000000000007}:MRC",
            "anna@x.example support@us.example",
            "2026-03-01",
            Some(2),
        );
    }

    #[test]
    fn no_words_are_no_resemblance() {
        let mail = |subject| Traits::new(subject, "a@x.example b@x.example", at("2026-03-10"));
        assert_eq!(mail("Re:").shared_with(&mail("Re: ")), None);
    }

    fn record(id: u128) -> RecordRef {
        RecordRef::new("incident", Uuid::from_u128(id))
    }

    fn decision(records: &[Option<u128>]) -> Decision {
        let signal = |id: &Option<u128>| Signal {
            kind: SignalKind::Token,
            value: "x".into(),
            place: "Subject".into(),
            record: id.map(record),
            note: "the sender is unknown.".into(),
        };
        Decision {
            id: DecisionId(Uuid::nil()),
            at: at("2026-03-10"),
            rules: 1,
            state: MailState::Review,
            method: Method::None,
            record: None,
            reason: String::new(),
            signals: records.iter().map(signal).collect(),
            flags: Vec::new(),
            class_evidence: Vec::new(),
        }
    }

    #[test]
    fn signals_come_first_each_record_once_and_three_at_most() {
        let like = |id| Similar {
            mail: MailId(Uuid::nil()),
            record: record(id),
            shared: 2,
            received_at: at("2026-03-01"),
        };
        let known = [6, 7].map(|id| Candidate { record: record(id), why: "theirs".into() });
        let chosen = candidates(Some(&decision(&[Some(1), None, Some(1)])), &[like(1), like(2)], known);
        let ids: Vec<u128> = chosen.iter().map(|chosen| chosen.record.id.as_u128()).collect();
        assert_eq!(ids, [1, 2, 6]);
        assert_eq!(chosen[0].why, "token in Subject: the sender is unknown");
        assert_eq!(
            chosen[1].why,
            "a mail of 1 Mar 2026 has the same words in its subject and 2 of the same people"
        );
    }

    #[test]
    fn ids_of_a_moment_stand_below_those_after_it() {
        let first = first_id(at("2026-03-10"));
        assert_eq!(first.as_u128() >> 80, 1_773_133_200_000);
    }
}
