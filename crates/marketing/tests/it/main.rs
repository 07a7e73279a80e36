//! The marketing half's rules, tested from outside.

mod solution;
