//! The rows of one writing in the order in which they go out: each address once, rows that share it behind the one that speaks
//! for it.

use std::collections::HashMap;

use postroom_core::RecordRef;
use postroom_core::address::normal;
use postroom_core::marketing::{ContactRow, Person};

use super::ledger::Entry;
use super::{Outcome, Row, brake};

pub(super) const NAMELESS: &str = "the person has no address; give the record one in the CRM";

#[derive(Default)]
pub(super) struct Lot {
    /// What goes out; one for each address.
    pub contacts: Vec<ContactRow>,
    /// What is remembered; one for each row.
    pub entries: Vec<Entry>,
    /// Of each contact, where its entries begin.
    starts: Vec<usize>,
    /// Of each entry, the caller's row.
    pub order: Vec<usize>,
    /// Rows that name nobody, with the reason.
    pub nameless: Vec<(usize, String)>,
    pub nameless_records: Vec<RecordRef>,
}

impl Lot {
    pub(super) fn of(rows: Vec<Row>) -> Lot {
        let mut lot = Lot::default();
        let mut by_address: HashMap<String, usize> = HashMap::with_capacity(rows.len());
        let mut groups: Vec<Vec<(usize, Row)>> = Vec::with_capacity(rows.len());
        for (place, row) in rows.into_iter().enumerate() {
            let address = normal(&row.address);
            if row.contact.by.is_none() && row.contact.names.email.is_none() {
                lot.nameless.push((place, NAMELESS.to_owned()));
                lot.nameless_records.push(row.record);
                continue;
            }
            match by_address.get(&address).filter(|_| !address.is_empty()) {
                Some(group) => groups[*group].push((place, row)),
                None => {
                    by_address.insert(address, groups.len());
                    groups.push(vec![(place, row)]);
                }
            }
        }
        for group in groups {
            lot.add(group);
        }
        lot
    }

    fn add(&mut self, group: Vec<(usize, Row)>) {
        self.starts.push(self.entries.len());
        for (nth, (place, row)) in group.into_iter().enumerate() {
            let mark = brake::mark(&row);
            let Row { record, address, contact, digest, base } = row;
            let id = match &contact.by {
                Some(Person::Id(id)) => Some(id.clone()),
                _ => None,
            };
            // Whoever did not speak has sent nothing that could be remembered.
            let (digest, base) = if nth == 0 { (digest.map(Vec::from), base) } else { (None, None) };
            let nth_entry = self.entries.len();
            self.entries.push(Entry {
                place: nth_entry as u64,
                record,
                address: normal(&address),
                contact: id,
                digest,
                base,
                mark,
            });
            self.order.push(place);
            if nth == 0 {
                self.contacts.push(contact);
            }
        }
    }

    /// Where the entries of a contact begin; behind the last one, their number.
    pub(super) fn start_of(&self, contact: usize) -> usize {
        self.starts.get(contact).copied().unwrap_or(self.entries.len())
    }

    pub(super) fn to_list(&self) -> bool {
        self.contacts.iter().any(|contact| !contact.lists.is_empty())
    }

    /// What would become of each row of the caller if nothing went wrong.
    pub(super) fn foretold(&self) -> Vec<(usize, Outcome)> {
        let mut foretold = Vec::with_capacity(self.entries.len());
        for (entry, place) in self.entries.iter().zip(&self.order) {
            let speaks = self.starts.binary_search(&(entry.place as usize)).is_ok();
            let outcome = match (speaks, &entry.contact) {
                (false, _) => Outcome::Same,
                (true, Some(_)) => Outcome::Changed,
                (true, None) => Outcome::New,
            };
            foretold.push((*place, outcome));
        }
        foretold
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
        let lot = Lot::of(vec![row(1, "a@x"), row(2, "b@x"), row(3, "A@x "), row(4, "")]);
        assert_eq!(lot.contacts.len(), 2);
        assert_eq!(lot.order, [0, 2, 1]);
        assert_eq!((lot.start_of(0), lot.start_of(1), lot.start_of(2)), (0, 2, 3));
        assert_eq!(lot.nameless[0].0, 3);
        let outcomes: Vec<_> = lot.foretold();
        assert_eq!(outcomes, [(0, Outcome::New), (2, Outcome::Same), (1, Outcome::New)]);
        assert!(lot.entries[1].digest.is_none() && lot.entries[0].digest.is_some());
    }

    #[test]
    fn nobody_is_nothing() {
        let lot = Lot::of(Vec::new());
        assert!(lot.contacts.is_empty() && lot.start_of(0) == 0 && !lot.to_list());
    }
}
