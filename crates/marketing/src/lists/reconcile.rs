//! Two sorted sets of members compared: who joins, who leaves, on which side.
//!
//! Deltas alone miss people (M1, M2), so the sets are compared whole; both come as sorted streams, and memory stays flat. A
//! loss beyond a set share or number stops before anything is written and asks (design.md 6).

use std::cmp::Ordering;
use std::iter::Peekable;

/// What happens to one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<T> {
    /// In the CRM's list, not in the service's.
    OnlyInCrm(T),
    OnlyInService(T),
    InBoth(T),
}

/// Compares two ascending streams. A value that comes twice in one of them counts once.
pub fn compare<T: Ord>(
    crm: impl IntoIterator<Item = T>,
    service: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = Change<T>> {
    let (mut crm, mut service) = (crm.into_iter().peekable(), service.into_iter().peekable());
    std::iter::from_fn(move || {
        let order = match (crm.peek(), service.peek()) {
            (Some(here), Some(there)) => here.cmp(there),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        match order {
            Ordering::Less => take(&mut crm).map(Change::OnlyInCrm),
            Ordering::Greater => take(&mut service).map(Change::OnlyInService),
            Ordering::Equal => {
                take(&mut service);
                take(&mut crm).map(Change::InBoth)
            }
        }
    })
}

/// The next value, and its repeats with it.
fn take<T: Ord>(values: &mut Peekable<impl Iterator<Item = T>>) -> Option<T> {
    let value = values.next()?;
    while values.next_if(|next| *next == value).is_some() {}
    Some(value)
}

/// How much may go in one run without a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Percent of the members there were.
    pub share: u64,
    /// So few may always go, whatever their share.
    pub number: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Guard { share: 10, number: 20 }
    }
}

/// A run that would take too many away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{going} of {members} members would be removed, which is more than is done without asking; look at who they are in the dry run, then confirm this run or correct the list"
)]
pub struct TooMany {
    pub going: u64,
    pub members: u64,
}

impl Guard {
    /// # Errors
    /// [`TooMany`]; nothing is to be removed then. A list that would be emptied always asks.
    pub fn admit(self, going: u64, members: u64) -> Result<(), TooMany> {
        let emptied = going > 0 && going >= members;
        let few =
            going <= self.number || u128::from(going) * 100 <= u128::from(members) * u128::from(self.share);
        match few && !emptied {
            true => Ok(()),
            false => Err(TooMany { going, members }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(guard: Guard, going: u64, members: u64, may: bool) {
        assert_eq!(guard.admit(going, members).is_ok(), may, "{going} of {members}");
    }

    #[test]
    fn losses() {
        let guard = Guard::default();
        check(guard, 0, 0, true);
        check(guard, 20, 30, true);
        check(guard, 21, 30, false);
        check(guard, 100, 1000, true);
        check(guard, 101, 1000, false);
        // The last member: is the query still the one that was meant?
        check(guard, 1, 1, false);
        check(guard, u64::MAX, u64::MAX, false);
    }

    #[test]
    fn nothing_to_compare() {
        assert_eq!(compare::<u8>([], []).count(), 0);
        assert_eq!(compare([1, 1], []).collect::<Vec<_>>(), [Change::OnlyInCrm(1)]);
        assert_eq!(compare([], [1, 1, 2]).count(), 2);
    }

    proptest! {
        #[test]
        fn as_sets_say(crm in prop::collection::vec(0u8..40, 0..60), service in prop::collection::vec(0u8..40, 0..60)) {
            let sorted = |mut values: Vec<u8>| { values.sort_unstable(); values };
            let (here, there): (BTreeSet<u8>, BTreeSet<u8>) =
                (crm.iter().copied().collect(), service.iter().copied().collect());
            let mut found = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
            for change in compare(sorted(crm), sorted(service)) {
                let (place, value) = match change {
                    Change::OnlyInCrm(value) => (0, value),
                    Change::OnlyInService(value) => (1, value),
                    Change::InBoth(value) => (2, value),
                };
                prop_assert!(found[place].insert(value), "each once");
            }
            let expected = [
                here.difference(&there).copied().collect(),
                there.difference(&here).copied().collect(),
                here.intersection(&there).copied().collect(),
            ];
            prop_assert_eq!(found, expected);
        }
    }
}
