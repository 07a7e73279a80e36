//! What the CRM says about tracking a mailbox: the user's or queue's own filter and approval (`dataverse.md`, `queue` and
//! `systemuser`). It holds for mailboxes whose configuration says nothing.

use std::collections::HashMap;

use postroom_core::query::Filter;
use postroom_core::{Crm, Fault, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::known::Known;
use crate::rules::{Rules, Track};

/// The columns that say it, on both tables.
const COLUMNS: [&str; 2] = ["incomingemailfilteringmethod", "emailrouteraccessapproval"];

/// Reads what the owners of the open mailboxes want, by mailbox name.
pub(super) async fn gather(crm: &dyn Crm, rules: &Rules, known: &mut Known) -> Result<(), Fault> {
    let mut owners: Vec<(&str, RecordRef)> = Vec::new();
    for mailbox in rules.mailboxes.iter().filter(|mailbox| mailbox.track_by_crm) {
        let hits = mailbox.addresses.iter().filter_map(|address| known.people.get(address)).flatten();
        let owner = hits
            .map(|hit| &hit.record)
            .find(|record| matches!(record.table.as_str(), "queue" | "systemuser"));
        owners.extend(owner.map(|owner| (mailbox.name.as_str(), owner.clone())));
    }
    let mut policies: HashMap<Uuid, Track> = HashMap::new();
    for (table, key) in [("queue", "queueid"), ("systemuser", "systemuserid")] {
        let ids: Vec<Value> = owners
            .iter()
            .filter(|(_, owner)| owner.table == table)
            .map(|(_, owner)| Value::Guid(owner.id))
            .collect();
        if ids.is_empty() {
            continue;
        }
        let query = Query::of(table).select(&COLUMNS).filter(Filter::In(key.into(), ids));
        policies.extend(crm.query(&query).await?.iter().map(|row| (row.at.id, policy(row))));
    }
    known.policies = owners
        .into_iter()
        .filter_map(|(name, owner)| Some((name.to_owned(), *policies.get(&owner.id)?)))
        .collect();
    Ok(())
}

fn policy(row: &Record) -> Track {
    // 0 Empty (nobody was asked), 1 Approved, 2 Pending Approval, 3 Rejected.
    if matches!(row.int("emailrouteraccessapproval"), Some(2 | 3)) {
        return Track::None;
    }
    match row.int("incomingemailfilteringmethod") {
        // 1: in response to CRM email.
        Some(1) => Track::Replies,
        // 2: from leads, contacts and accounts; 3: from anything that has an address.
        Some(2 | 3) => Track::Known,
        // 4: no messages.
        Some(4) => Track::None,
        _ => Track::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_columns_mean() {
        let check = |filter: i64, approval: i64, wanted: Track| {
            let row = Record::new(RecordRef::new("queue", Uuid::nil()))
                .with("incomingemailfilteringmethod", filter)
                .with("emailrouteraccessapproval", approval);
            assert_eq!(policy(&row), wanted, "{filter} {approval}");
        };
        check(0, 0, Track::All);
        check(0, 1, Track::All);
        check(1, 1, Track::Replies);
        check(2, 1, Track::Known);
        check(3, 0, Track::Known);
        check(4, 1, Track::None);
        check(0, 2, Track::None);
        check(0, 3, Track::None);
    }
}
