//! Who took part: addresses to users, queues, contacts, leads and accounts.
//!
//! The rule for an address that several rows have: active rows before inactive ones; then the record that the mail is
//! filed on; then queue, user, contact, lead, account in that order; then the row that changed last; then the lowest id.
//! That the choice was not unique is kept as evidence ([`doubts`]) and on the activity (`isduplicatesenderunresolved`).

use std::collections::HashSet;

use postroom_core::{Address, AddressHit, Direction, RecordRef};

use crate::filing::known::Known;
use crate::filing::reading::Reading;

/// participationtypemask of an email's parties (dataverse.md B3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Sender = 1,
    To = 2,
    Cc = 3,
    Bcc = 4,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Role::Sender => "sender",
            Role::To => "to",
            Role::Cc => "cc",
            Role::Bcc => "bcc",
        }
    }
}

/// One party of the activity.
#[derive(Debug, Clone, PartialEq)]
pub struct Party {
    pub role: Role,
    /// As it stood in the mail.
    pub address: Address,
    /// `None`: the party keeps its address only.
    pub record: Option<RecordRef>,
    /// Several rows have this address.
    pub ambiguous: bool,
}

/// At most this many parties are written; a mail to more is marked. Dataverse itself refuses beyond some thousands.
const PARTIES: usize = 1000;
/// Ambiguous parties of one mail, and rows of one of them, that are named.
const NAMED: usize = 10;

/// The parties of a mail filed on `regarding`.
pub fn of(reading: &Reading, known: &Known, regarding: Option<&RecordRef>) -> Vec<Party> {
    let mut parties = Vec::new();
    for (role, address) in written(reading).take(PARTIES) {
        let hits = known.who(&address.normal());
        let record = pick(hits, regarding).map(|hit| hit.record.clone());
        let ambiguous = rivals(hits).len() > 1;
        parties.push(Party { role, address, record, ambiguous });
    }
    parties
}

/// What a person should know about the parties: for whom several rows stood, and whether some were left out.
pub fn doubts(reading: &Reading, known: &Known) -> Vec<String> {
    let mut doubts = Vec::new();
    for (place, (role, address)) in written(reading).enumerate() {
        if place == PARTIES {
            doubts.push(format!("only the first {PARTIES} parties were written"));
            break;
        }
        let rows = rivals(known.who(&address.normal()));
        if rows.len() > 1 && doubts.len() < NAMED {
            let named: Vec<String> = rows.iter().take(NAMED).map(ToString::to_string).collect();
            doubts.push(format!("ambiguous {}: {}", role.word(), named.join(", ")));
        }
    }
    doubts
}

/// Everybody in a mail, each once in a role. Who is among the recipients already is no blind copy.
fn written(reading: &Reading) -> impl Iterator<Item = (Role, Address)> + '_ {
    let headers = [
        (Role::Sender, &reading.from),
        (Role::To, &reading.to),
        (Role::Cc, &reading.cc),
        (Role::Bcc, &reading.bcc),
    ];
    let headers = headers.into_iter().flat_map(|(role, addresses)| {
        let some = addresses.iter().filter(|address| !address.address.is_empty());
        some.map(move |address| (role, address.clone()))
    });
    // A recipient that only the envelope names was a blind copy, or the list's expansion.
    let incoming = reading.stored.direction == Direction::Incoming;
    let envelope = reading.stored.envelope_to.iter().filter(move |_| incoming);
    let envelope = envelope.map(|recipient| (Role::Bcc, Address::new("", recipient.clone())));
    // Sets: a hostile mail has tens of thousands.
    let (mut seen, mut recipients) = (HashSet::new(), HashSet::new());
    headers.chain(envelope).filter(move |(role, address)| {
        let normal = address.normal();
        if *role == Role::Bcc && recipients.contains(&normal) {
            return false;
        }
        if *role != Role::Sender {
            recipients.insert(normal.clone());
        }
        seen.insert((*role, normal))
    })
}

/// The active rows that have an address.
fn rivals(hits: &[AddressHit]) -> Vec<&RecordRef> {
    let mut records: Vec<&RecordRef> = hits.iter().filter(|hit| hit.active).map(|hit| &hit.record).collect();
    records.sort_unstable();
    records.dedup();
    records
}

/// The row that stands for an address; inactive rows only when there is no other.
pub fn pick<'h>(hits: &'h [AddressHit], regarding: Option<&RecordRef>) -> Option<&'h AddressHit> {
    hits.iter().min_by(|a, b| {
        let key = |hit: &AddressHit| (!hit.active, Some(&hit.record) != regarding, order(&hit.record.table));
        key(a).cmp(&key(b)).then(b.modified_on.cmp(&a.modified_on)).then(a.record.id.cmp(&b.record.id))
    })
}

fn order(table: &str) -> usize {
    let tables = ["queue", "systemuser", "contact", "lead", "account"];
    tables.iter().position(|known| *known == table).unwrap_or(tables.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn hit(table: &str, id: u128, active: bool) -> AddressHit {
        let record = RecordRef::new(table, Uuid::from_u128(id));
        let column = "emailaddress1".into();
        AddressHit { address: "a@x.example".into(), record, column, active, owner: None, modified_on: None }
    }

    #[track_caller]
    fn check(hits: &[AddressHit], regarding: Option<RecordRef>, expected: &str) {
        assert_eq!(pick(hits, regarding.as_ref()).map(|hit| hit.record.table.as_str()), Some(expected));
    }

    #[test]
    fn ambiguous_addresses_follow_the_stated_rule() {
        check(&[hit("account", 1, true), hit("contact", 2, true)], None, "contact");
        check(&[hit("contact", 1, false), hit("account", 2, true)], None, "account");
        check(
            &[hit("contact", 1, true), hit("lead", 2, true)],
            Some(RecordRef::new("lead", Uuid::from_u128(2))),
            "lead",
        );
        check(&[hit("contact", 1, true), hit("queue", 2, true)], None, "queue");
        let two = [hit("contact", 9, true), hit("contact", 3, true)];
        assert_eq!(pick(&two, None).map(|hit| hit.record.id), Some(Uuid::from_u128(3)));
    }

    #[test]
    fn doubts_name_the_rows_that_competed_and_what_was_left_out() {
        let reading = |to: &str| {
            let raw = format!("From: a@x.example\r\nTo: {to}\r\nCc: A@x.example\r\n\r\nHello\r\n");
            let now = jiff::Timestamp::UNIX_EPOCH;
            let stored = crate::why::pretend(raw.as_bytes(), Direction::Incoming, None, now);
            let rules = crate::rules::Rules::new(Uuid::nil());
            crate::filing::reading::read(stored, raw.as_bytes(), &rules, None)
        };
        let mut known = Known::default();
        let one = reading("b@x.example, B@x.example");
        assert_eq!((of(&one, &known, None).len(), doubts(&one, &known)), (3, vec![]));
        let hits = vec![hit("contact", 1, true), hit("lead", 2, true), hit("lead", 3, false)];
        known.people.insert("a@x.example".into(), hits);
        let rows = format!("contact/{}, lead/{}", Uuid::from_u128(1), Uuid::from_u128(2));
        let both = [format!("ambiguous sender: {rows}"), format!("ambiguous cc: {rows}")];
        assert_eq!(doubts(&one, &known), both);
        let crowd: Vec<String> = (0..1_100).map(|number| format!("p{number}@x.example")).collect();
        let crowd = reading(&crowd.join(", "));
        assert_eq!(of(&crowd, &known, None).len(), PARTIES);
        assert_eq!(doubts(&crowd, &known).pop().as_deref(), Some("only the first 1000 parties were written"));
    }
}
