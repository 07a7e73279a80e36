//! The HTTP faces through a real listener, with the embedded CRM on a temporary SQLite database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helper functions too")]

mod agents;
mod api;
mod browser;
mod campaigns;
mod client;
mod doors;
mod health;
mod house;
mod imports;
mod marketing;
mod openapi;
mod openings;
mod pages;
mod pages_in;
mod pages_out;
mod people;
mod readers;
mod roles;
mod security;
mod solution;
mod stamping;
mod takeback;
mod trials;
mod wire;
mod writing;
