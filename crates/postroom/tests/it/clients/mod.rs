//! Clients that others wrote, unmodified, against the doors of the embedded CRM: one test for each, and in
//! `tests/clients` one script for each, which goes through all that the client can do. docs/CLIENTS.md lists it.
//!
//! A test starts the real binary with TLS and an embedded CRM, makes a token, imports a few people, runs the script and
//! shows all of what it printed when a feature failed. Those that have Microsoft's host name or port 443 built in run
//! in a network namespace of their own, where our server has both.

mod bench;

use bench::{Bench, Place};

/// The client's own fault: its `create` tells nobody what it made.
const NO_ID: &[&str] = &[
    "create, createWithReturnData",
    "create with a lookup",
    "actions, bound and unbound, with and without inputs",
    "a batch: a change set and reads",
    "a batch: all or nothing",
];

#[test]
fn microsofts_python_sdk() {
    Bench::new(Place::Here).python("sdk", &[]);
}

#[test]
fn pdynamics() {
    Bench::new(Place::Here).python("pdynamics", &[]);
}

#[test]
fn dynamics_client() {
    Bench::new(Place::Here).python("dynamics-client", &[]);
}

#[test]
fn dataverse_api() {
    Bench::new(Place::Here).python("dataverse-api", &[]);
}

#[test]
fn azure_identity_and_msal() {
    Bench::new(Place::Here).python("identity", &[]);
}

#[test]
fn zeep() {
    Bench::new(Place::Here).python("zeep", &[]);
}

#[test]
fn dynamics_web_api() {
    Bench::new(Place::Here).node("dynamics-web-api", &[]);
}

#[test]
fn dynamics365crm_python() {
    Bench::new(Place::Namespace).python("crm365", &[]);
}

#[test]
fn the_singer_tap() {
    Bench::new(Place::Namespace).python("tap", &[]);
}

#[test]
fn the_airbyte_source() {
    Bench::new(Place::Namespace).python("airbyte", &[]);
}

#[test]
fn dataverse_webapi() {
    Bench::new(Place::Namespace).node("dataverse-webapi", &[]);
}

#[test]
fn xrm_webapi() {
    Bench::new(Place::Namespace).node("xrm-webapi", NO_ID);
}
