//! The loss guard: how much a run that reconciles two sides may take away without a person's word (design.md 6; M1, M2).
//!
//! What is compared, and how, is [`super::compare`]'s and [`super::decide`]'s.

/// How much may go in one run without a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Percent of the members there were.
    pub share: u64,
    /// So few may always go, whatever their share.
    pub number: u64,
    /// More than this always asks, however many there are.
    pub most: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Guard { share: 10, number: 20, most: 10_000 }
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
        match few && !emptied && going <= self.most {
            true => Ok(()),
            false => Err(TooMany { going, members }),
        }
    }
}

#[cfg(test)]
mod tests {
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
        // A share of very many is many.
        check(guard, 10_000, 1_000_000, true);
        check(guard, 10_001, 1_000_000, false);
        check(guard, u64::MAX, u64::MAX, false);
    }
}
