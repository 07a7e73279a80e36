//! The rows of one writing in the order in which they go out: each address once, rows that share it behind the one that speaks
//! for it.

use std::collections::HashMap;

use postroom_core::RecordRef;
use postroom_core::address::normal;
use postroom_core::marketing::{ContactRow, Person};

use super::ledger::Entry;
use super::{Outcome, Row, brake};

pub(super) const NAMELESS: &str = "the person has no address; give the record one in the CRM";

/// What goes out once, and what is remembered of each row that it stands for, with the row's place among the caller's.
pub(super) struct Group {
    pub contact: ContactRow,
    pub entries: Vec<(usize, Entry)>,
}

#[derive(Default)]
pub(super) struct Lot {
    pub groups: Vec<Group>,
    /// Rows that name nobody, with the reason.
    pub nameless: Vec<(usize, String)>,
    pub nameless_records: Vec<RecordRef>,
}

impl Lot {
    /// Of rows, each with its place among the caller's.
    pub(super) fn of(rows: Vec<(usize, Row)>) -> Lot {
        let mut lot = Lot::default();
        let mut by_address: HashMap<String, usize> = HashMap::with_capacity(rows.len());
        for (place, row) in rows {
            let address = normal(&row.address);
            if row.contact.by.is_none() && row.contact.names.email.is_none() {
                lot.nameless.push((place, NAMELESS.to_owned()));
                lot.nameless_records.push(row.record);
                continue;
            }
            let known = by_address.get(&address).copied().filter(|_| !address.is_empty());
            let mut entry = entry(&row, address.clone());
            match known {
                Some(group) => {
                    // Whoever did not speak has sent nothing that could be remembered.
                    (entry.digest, entry.base) = (None, None);
                    lot.groups[group].entries.push((place, entry));
                }
                None => {
                    by_address.insert(address, lot.groups.len());
                    entry.base = row.base;
                    lot.groups.push(Group { contact: row.contact, entries: vec![(place, entry)] });
                }
            }
        }
        lot
    }

    /// What would become of each row of the caller if nothing went wrong.
    pub(super) fn foretold(&self) -> Vec<(usize, Outcome)> {
        let mut foretold = Vec::new();
        for group in &self.groups {
            for (nth, (place, entry)) in group.entries.iter().enumerate() {
                let outcome = match (nth, &entry.contact) {
                    (0, Some(_)) => Outcome::Changed,
                    (0, None) => Outcome::New,
                    _ => Outcome::Same,
                };
                foretold.push((*place, outcome));
            }
        }
        foretold
    }
}

fn entry(row: &Row, address: String) -> Entry {
    let contact = match &row.contact.by {
        Some(Person::Id(id)) => Some(id.clone()),
        _ => None,
    };
    Entry {
        place: 0,
        record: row.record.clone(),
        address,
        contact,
        digest: row.digest.map(Vec::from),
        base: None,
        mark: brake::mark(row),
    }
}

#[cfg(test)]
mod tests {
    use postroom_core::marketing::Names;
    use uuid::Uuid;

    use super::*;

    fn row(number: u128, address: &str) -> Row {
        let email = (!address.is_empty()).then(|| address.to_owned());
        Row {
            record: RecordRef::new("contact", Uuid::from_u128(number)),
            address: address.to_owned(),
            contact: ContactRow { names: Names { email, ..Names::default() }, ..ContactRow::default() },
            digest: Some([7; 32]),
            base: Some("{}".to_owned()),
        }
    }

    #[test]
    fn each_address_goes_out_once() {
        let rows = [row(1, "a@x"), row(2, "b@x"), row(3, "A@x "), row(4, "")];
        let lot = Lot::of(rows.into_iter().enumerate().collect());
        let places: Vec<Vec<usize>> =
            lot.groups.iter().map(|group| group.entries.iter().map(|(place, _)| *place).collect()).collect();
        assert_eq!(places, [vec![0, 2], vec![1]]);
        assert_eq!(lot.nameless[0].0, 3);
        let outcomes: Vec<_> = lot.foretold();
        assert_eq!(outcomes, [(0, Outcome::New), (2, Outcome::Same), (1, Outcome::New)]);
        let [(_, speaks), (_, shares)] = &lot.groups[0].entries[..] else { panic!("two share an address") };
        assert!(speaks.digest.is_some() && speaks.base.is_some());
        assert!(shares.digest.is_none() && shares.base.is_none());
    }

    #[test]
    fn nobody_is_nothing() {
        let lot = Lot::of(Vec::new());
        assert!(lot.groups.is_empty() && lot.nameless.is_empty() && lot.foretold().is_empty());
    }
}
