//! What the CRM says about tracking a mailbox: the user's or queue's own filter and approval (`dataverse.md`, `queue`,
//! `systemuser` and `usersettings`). It holds for mailboxes whose configuration says nothing.

use std::collections::HashMap;

use postroom_core::query::Filter;
use postroom_core::{Crm, Fault, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::known::Known;
use crate::rules::{Rules, Track};

const FILTER: &str = "incomingemailfilteringmethod";
const APPROVAL: &str = "emailrouteraccessapproval";

/// Where it stands: table, the column with the owner's id, and what is read. A user's filter is one of its settings.
const PLACES: [(&str, &str, &str, &[&str]); 3] = [
    ("queue", "queue", "queueid", &[FILTER, APPROVAL]),
    ("systemuser", "systemuser", "systemuserid", &[APPROVAL]),
    ("systemuser", "usersettings", "systemuserid", &["systemuserid", FILTER]),
];

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
    let mut said: HashMap<Uuid, (Option<i64>, Option<i64>)> = HashMap::new();
    for (owner, table, key, columns) in PLACES {
        let of = owners.iter().filter(|(_, record)| record.table == owner);
        let ids: Vec<Value> = of.map(|(_, record)| Value::Guid(record.id)).collect();
        if ids.is_empty() {
            continue;
        }
        let query = Query::of(table).select(columns).filter(Filter::In(key.into(), ids));
        for row in crm.query(&query).await? {
            let (filter, approval) = said.entry(owner_of(&row)).or_default();
            *filter = row.int(FILTER).or(*filter);
            *approval = row.int(APPROVAL).or(*approval);
        }
    }
    known.policies = owners
        .into_iter()
        .filter_map(|(name, owner)| said.get(&owner.id).map(|said| (name.to_owned(), policy(said.0, said.1))))
        .collect();
    Ok(())
}

/// The user of a row of settings, else the row itself.
fn owner_of(row: &Record) -> Uuid {
    match row.get("systemuserid") {
        Some(Value::Guid(id)) => *id,
        Some(Value::Lookup(at)) => at.id,
        _ => row.at.id,
    }
}

fn policy(filter: Option<i64>, approval: Option<i64>) -> Track {
    // 0 Empty (nobody was asked), 1 Approved, 2 Pending Approval, 3 Rejected.
    if matches!(approval, Some(2 | 3)) {
        return Track::None;
    }
    match filter {
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
            assert_eq!(policy(Some(filter), Some(approval)), wanted, "{filter} {approval}");
        };
        check(0, 0, Track::All);
        check(0, 1, Track::All);
        check(1, 1, Track::Replies);
        check(2, 1, Track::Known);
        check(3, 0, Track::Known);
        check(4, 1, Track::None);
        check(0, 2, Track::None);
        check(0, 3, Track::None);
        assert_eq!(policy(None, None), Track::All);
    }
}
