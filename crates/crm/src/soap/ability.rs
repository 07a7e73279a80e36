//! What a server can do: as its version says, less what it turned out not to know (dataverse.md 0).

use std::sync::atomic::{AtomicBool, Ordering};

use postroom_formats::soap::Generation;

/// CRM 2015 Update 1: keys, upsert, change tracking, transactions, versions, states and owners by update.
const UPDATE_1: [u32; 4] = [7, 1, 0, 0];
/// CRM 2011 Update Rollup 12: `ExecuteMultiple`.
const ROLLUP_12: [u32; 4] = [5, 0, 9690, 3448];

/// What not every server can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ability {
    /// Many messages in one.
    Multiple,
    /// Many messages together or not at all.
    Transaction,
    Upsert,
    /// `RetrieveEntityChanges`
    Tracking,
    /// A state and an owner by an update; without it, by `SetState` and `Assign`.
    State,
    /// Versions checked by the server.
    Conditions,
    Keys,
}

impl Ability {
    pub(super) const ALL: [Ability; 7] = [
        Ability::Multiple,
        Ability::Transaction,
        Ability::Upsert,
        Ability::Tracking,
        Ability::State,
        Ability::Conditions,
        Ability::Keys,
    ];

    /// The first version that has it.
    fn since(self) -> [u32; 4] {
        match self {
            Ability::Multiple => ROLLUP_12,
            _ => UPDATE_1,
        }
    }
}

/// What one server can. Everything, until it is known.
pub(super) struct Abilities {
    missing: [AtomicBool; Ability::ALL.len()],
}

impl Abilities {
    pub(super) fn new() -> Self {
        Abilities { missing: Default::default() }
    }

    pub(super) fn has(&self, ability: Ability) -> bool {
        !self.missing[ability as usize].load(Ordering::Relaxed)
    }

    /// The server does not know it: another way is taken from here on.
    pub(super) fn lose(&self, ability: Ability) {
        if !self.missing[ability as usize].swap(true, Ordering::Relaxed) {
            tracing::info!(event = "crm.lacks", ability = ?ability, "This CRM does not know {ability:?}: another way is taken");
        }
    }

    /// The server says which one it is.
    pub(super) fn learn(&self, version: &str) {
        let version = numbers(version);
        for ability in Ability::ALL.into_iter().filter(|ability| version < ability.since()) {
            self.missing[ability as usize].store(true, Ordering::Relaxed);
        }
    }
}

/// How a server of this version is written to: members that it does not know stand nowhere.
pub(super) fn generation(version: &str) -> Generation {
    match numbers(version) {
        version if version < UPDATE_1 => Generation::Crm2011,
        [..=8, ..] => Generation::Crm2016,
        _ => Generation::Dataverse,
    }
}

/// `5.0.9690.3448`; what is missing or no number counts as 0.
fn numbers(version: &str) -> [u32; 4] {
    let mut numbers = [0; 4];
    for (number, part) in numbers.iter_mut().zip(version.split('.')) {
        *number = part.trim().parse().unwrap_or_default();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, expected: &[Ability], wire: Generation) {
        let abilities = Abilities::new();
        abilities.learn(version);
        let found: Vec<Ability> =
            Ability::ALL.into_iter().filter(|ability| abilities.has(*ability)).collect();
        assert_eq!((found.as_slice(), generation(version)), (expected, wire), "{version}");
    }

    #[test]
    fn what_came_when() {
        check("5.0.9690.1992", &[], Generation::Crm2011);
        check("5.0.9690.3448", &[Ability::Multiple], Generation::Crm2011);
        check("6.1.1.1143", &[Ability::Multiple], Generation::Crm2011);
        check("7.0.0.3543", &[Ability::Multiple], Generation::Crm2011);
        check("7.1.0.1040", &Ability::ALL, Generation::Crm2016);
        check("8.2.2.112", &Ability::ALL, Generation::Crm2016);
        check("9.2.24042.175", &Ability::ALL, Generation::Dataverse);
        check("who knows", &[], Generation::Crm2011);
    }
}
