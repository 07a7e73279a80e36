//! Marketing lists of the CRM and lists of the service (marketing-sync.md 3, 4 and 10).
//!
//! [`reconcile`] compares whole sets of members. What runs it keeps the sets in the store, sorted, and streams them.

pub mod reconcile;
