//! Whom an event is about.
//!
//! First whoever the service's person was when we last wrote or read them (`person_link.contact`), which an address that
//! changed since does not break; then every record with the address, now or when it was written. People who left a list are
//! found as well. Of several records one leads, by the rule: the kind of the list's members, then active ones, then the newest,
//! then the lowest id; the others have their lookups all the same, one for each table (marketing-sync.md 4.4, B5).
//!
//! A merged record is its survivor; the contact that a lead became stands beside the lead.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postroom_core::RecordRef;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::people::{self, TABLES, links};

/// Values of one statement.
const ASKED: usize = 256;
/// Merges of merges that are followed.
const DEEP: usize = 5;

/// What is known of the person behind an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The service's number; 0 for none.
    pub contact: i64,
    /// In normal form.
    pub address: String,
    /// The table of the list's members, when the send went to such.
    pub members: Option<&'static str>,
}

/// The records that an event is about: the first of each table, the one that leads before the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whom {
    pub records: Vec<RecordRef>,
    /// Several records of one table would have fitted.
    pub ambiguous: bool,
}

impl Whom {
    /// The one that leads.
    pub fn leader(&self) -> Option<&RecordRef> {
        self.records.first()
    }

    pub fn of(&self, table: &str) -> Option<RecordRef> {
        self.records.iter().find(|record| record.table == table).cloned()
    }
}

/// How a record stands in the store.
#[derive(Debug, Clone, Copy)]
struct Stand {
    active: bool,
    gone: bool,
    master: Option<Uuid>,
    modified: i64,
}

/// A record that an event may be about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// 0 was the service's person, 1 has or had the address.
    pub from: u8,
    pub inactive: bool,
    /// Microseconds; the newest comes first.
    pub modified: std::cmp::Reverse<i64>,
    pub record: RecordRef,
}

/// Chooses among candidates, a pure function.
pub fn choose(mut candidates: Vec<Candidate>, members: Option<&str>) -> Whom {
    let place = |candidate: &Candidate| {
        let table = &candidate.record.table;
        // Without a list to go by, a contact speaks before a lead, and a lead before an account.
        let kind = TABLES.iter().position(|known| known == table).unwrap_or(TABLES.len());
        let other = members.is_some_and(|members| members != table);
        (
            candidate.inactive && candidate.record.table != "lead",
            other,
            candidate.inactive,
            candidate.from,
            kind,
        )
    };
    candidates.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.cmp(b)));
    let mut whom = Whom::default();
    for candidate in candidates {
        match whom.of(&candidate.record.table) {
            None => whom.records.push(candidate.record),
            Some(chosen) => whom.ambiguous |= chosen != candidate.record && !candidate.inactive,
        }
    }
    whom
}

/// Whom events are about.
pub async fn find(tx: &mut Tx, account: &str, asked: &BTreeSet<(i64, String)>) -> Result<Candidates, Error> {
    let contacts: BTreeSet<i64> = asked.iter().map(|(contact, _)| *contact).filter(|id| *id != 0).collect();
    let addresses: BTreeSet<String> =
        asked.iter().map(|(_, address)| address.clone()).filter(|address| !address.is_empty()).collect();
    let contacts: Vec<i64> = contacts.into_iter().collect();
    let addresses: Vec<String> = addresses.into_iter().collect();
    let mut found = Candidates::default();
    for (contact, record) in links::numbered_by(tx, account, &contacts).await? {
        found.by_contact.entry(contact).or_default().insert(record);
    }
    for (address, record) in links::named_by(tx, account, &addresses).await? {
        found.by_address.entry(address).or_default().insert(record);
    }
    let holders = people::holders(tx, &addresses).await?;
    for (address, holders) in holders {
        let records = found.by_address.entry(address).or_default();
        records.extend(holders.into_iter().map(|holder| holder.at));
    }
    found.stand(tx).await?;
    Ok(found)
}

/// Everybody that events of a lot may be about.
#[derive(Debug, Default)]
pub struct Candidates {
    by_contact: HashMap<i64, BTreeSet<RecordRef>>,
    by_address: HashMap<String, BTreeSet<RecordRef>>,
    stands: BTreeMap<RecordRef, Stand>,
    became: HashMap<Uuid, Uuid>,
}

impl Candidates {
    /// Reads how all of them stand, following merges and qualified leads.
    async fn stand(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let all = self.by_contact.values().chain(self.by_address.values()).flatten();
        let mut next: BTreeSet<RecordRef> = all.cloned().collect();
        for _ in 0..DEEP {
            let leads: Vec<Uuid> =
                next.iter().filter(|record| record.table == "lead").map(|record| record.id).collect();
            let became = became(tx, &leads).await?;
            let stands = stands(tx, &next).await?;
            let masters = stands
                .iter()
                .filter_map(|(record, stand)| Some(RecordRef::new(record.table.as_str(), stand.master?)));
            let contacts = became.values().map(|contact| RecordRef::new("contact", *contact));
            let further: BTreeSet<RecordRef> = masters.chain(contacts).collect();
            self.stands.extend(stands);
            self.became.extend(became);
            next = further.into_iter().filter(|record| !self.stands.contains_key(record)).collect();
            if next.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Whom one event is about.
    pub fn whom(&self, asked: &Asked) -> Whom {
        let mut candidates = BTreeMap::new();
        let of_contact = self.by_contact.get(&asked.contact).into_iter().flatten().map(|record| (0, record));
        let of_address = self.by_address.get(&asked.address).into_iter().flatten().map(|record| (1, record));
        for (from, record) in of_contact.chain(of_address) {
            self.add(&mut candidates, from, record);
        }
        choose(candidates.into_values().collect(), asked.members)
    }

    fn add(&self, to: &mut BTreeMap<RecordRef, Candidate>, from: u8, record: &RecordRef) {
        let mut record = record.clone();
        for _ in 0..DEEP {
            let Some(stand) = self.stands.get(&record) else { return };
            match stand.master {
                Some(master) => record = RecordRef::new(record.table.as_str(), master),
                None => break,
            }
        }
        let Some(stand) = self.stands.get(&record).filter(|stand| !stand.gone) else { return };
        if to.contains_key(&record) {
            return;
        }
        let modified = std::cmp::Reverse(stand.modified);
        let candidate = Candidate { from, inactive: !stand.active, modified, record: record.clone() };
        to.insert(record.clone(), candidate);
        if let Some(contact) = self.became.get(&record.id).filter(|_| record.table == "lead") {
            self.add(to, from, &RecordRef::new("contact", *contact));
        }
    }
}

async fn stands(tx: &mut Tx, records: &BTreeSet<RecordRef>) -> Result<Vec<(RecordRef, Stand)>, Error> {
    let ids: Vec<Uuid> = records.iter().map(|record| record.id).collect();
    let mut found = Vec::new();
    for some in ids.chunks(ASKED) {
        let select = Query::select()
            .columns(["record_table", "record", "active", "gone", "master", "modified"])
            .from("person")
            .and_where(Expr::col("record_table").is_in(TABLES))
            .and_where(Expr::col("record").is_in(some.iter().copied()))
            .to_owned();
        for row in tx.query(&select).await? {
            let (table, record): (String, Uuid) = (row.at(0)?, row.at(1)?);
            let modified: Option<i64> = row.at(5)?;
            let stand = Stand {
                active: row.at(2)?,
                gone: row.at(3)?,
                master: row.at(4)?,
                modified: modified.unwrap_or_default(),
            };
            found.push((RecordRef::new(table, record), stand));
        }
    }
    Ok(found)
}

/// The contacts that leads became.
async fn became(tx: &mut Tx, leads: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, Error> {
    let mut found = HashMap::new();
    for some in leads.chunks(ASKED) {
        let select = Query::select()
            .columns(["lead", "contact"])
            .from("lead_contact")
            .and_where(Expr::col("lead").is_in(some.iter().copied()))
            .to_owned();
        for row in tx.query(&select).await? {
            found.insert(row.at(0)?, row.at(1)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(table: &str, id: u128, active: bool, from: u8, modified: i64) -> Candidate {
        let record = RecordRef::new(table, Uuid::from_u128(id));
        Candidate { from, inactive: !active, modified: std::cmp::Reverse(modified), record }
    }

    #[track_caller]
    fn check(candidates: &[Candidate], members: Option<&str>, expected: &[(&str, u128)], ambiguous: bool) {
        let whom = choose(candidates.to_vec(), members);
        let expected: Vec<RecordRef> =
            expected.iter().map(|(table, id)| RecordRef::new(*table, Uuid::from_u128(*id))).collect();
        assert_eq!((whom.records, whom.ambiguous), (expected, ambiguous));
    }

    #[test]
    fn the_rule() {
        let contact = candidate("contact", 1, true, 1, 5);
        let lead = candidate("lead", 2, true, 1, 9);
        check(&[], None, &[], false);
        check(&[lead.clone(), contact.clone()], None, &[("contact", 1), ("lead", 2)], false);
        check(&[contact.clone(), lead.clone()], Some("lead"), &[("lead", 2), ("contact", 1)], false);
        // The newest of two, then the lowest id.
        check(&[contact.clone(), candidate("contact", 3, true, 1, 7)], None, &[("contact", 3)], true);
        check(&[contact.clone(), candidate("contact", 0, true, 1, 5)], None, &[("contact", 0)], true);
        // An inactive one does not compete.
        check(&[contact.clone(), candidate("contact", 3, false, 0, 7)], None, &[("contact", 1)], false);
        // The service's person before somebody who only has the address.
        check(&[contact, candidate("contact", 8, true, 0, 1)], None, &[("contact", 8)], true);
    }

    #[test]
    fn a_qualified_lead_stands_behind_its_contact() {
        let (lead, contact) = (candidate("lead", 2, false, 0, 9), candidate("contact", 1, true, 0, 1));
        check(&[lead.clone(), contact], None, &[("contact", 1), ("lead", 2)], false);
        check(&[lead], None, &[("lead", 2)], false);
    }
}
