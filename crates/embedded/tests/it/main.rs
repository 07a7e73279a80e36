//! The embedded CRM on both databases.

mod bench;
mod bodies;
mod conformance;
mod demo;
mod mails;
mod queries;
mod rules;
mod speed;
mod tables;
mod writes;
