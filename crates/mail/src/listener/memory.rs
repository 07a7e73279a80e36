//! The budget of message bytes in flight over all sessions. A lease is taken before a mail is read, grows when the mail
//! does, and is given back when the mail is stored or refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all sessions of all listeners may hold together. Cheap to clone; clones share the budget.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: u64,
    used: Arc<AtomicU64>,
}

impl Budget {
    /// 64 MiB.
    pub const DEFAULT: u64 = 64 * 1024 * 1024;

    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Budget { limit, used: Arc::default() }
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes leased at this moment.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// Whether `size` bytes would fit now.
    pub fn has_room(&self, size: u64) -> bool {
        self.used().checked_add(size).is_some_and(|sum| sum <= self.limit)
    }

    /// Takes `size` bytes, or nothing.
    pub fn lease(&self, size: u64) -> Option<Lease> {
        let mut lease = Lease { budget: self.clone(), size: 0 };
        lease.cover(size).then_some(lease)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Budget::new(Budget::DEFAULT)
    }
}

/// A part of the budget; dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    size: u64,
}

impl Lease {
    /// Grows the lease to at least `size` bytes. False, and nothing changed, when the budget has not so much left.
    #[must_use]
    pub fn cover(&mut self, size: u64) -> bool {
        let Some(more) = size.checked_sub(self.size).filter(|more| *more > 0) else { return true };
        let grown = self.budget.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            used.checked_add(more).filter(|sum| *sum <= self.budget.limit)
        });
        if grown.is_ok() {
            self.size = size;
        }
        grown.is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.size, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_share_the_budget_and_give_it_back() {
        let budget = Budget::new(100);
        let mut first = budget.lease(40).unwrap();
        let second = budget.lease(50).unwrap();
        assert!(budget.lease(20).is_none());
        assert!(!first.cover(60), "40 more than 10");
        assert!(first.cover(50) && first.cover(10));
        assert_eq!((budget.used(), budget.has_room(1)), (100, false));
        drop(second);
        assert_eq!(budget.used(), 50);
        drop(first);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_size_that_overflows_is_refused() {
        let budget = Budget::new(u64::MAX);
        let _held = budget.lease(1).unwrap();
        assert!(!budget.has_room(u64::MAX));
        assert!(budget.lease(u64::MAX).is_none());
    }
}
