//! Chores that are not cargo's: the rules of the house as checks ([`tidy`]), the list of durable steps ([`steps`])
//! and the figures of the product ([`mod@bench`]).
//!
//! Nothing here runs in the product, and nothing of the product is used here: the checks read sources and cargo's own
//! answers.

pub mod bench;
pub mod cargo;
pub mod consent;
pub mod crash;
pub mod rust;
pub mod steps;
pub mod tidy;
pub mod tree;
