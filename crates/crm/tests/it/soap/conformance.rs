//! The suite that every CRM must pass, over SOAP: with every generation of the server, and with the newest one without one
//! thing after another.
//!
//! Abilities are switched at the door, and the database behind it sees of them only how sets are written (row by row, in
//! messages of many requests, in transactions) and how changes are looked for. The servers that differ in that run on both
//! databases: without any ability, with `ExecuteMultiple`, with all. The others ask the database what one of these asks it,
//! in another order, and run on SQLite.

use std::sync::Arc;

use postroom_core::Crm;
use postroom_embedded::soap::{Ability, Generation, Settings};
use postroom_testkit::conformance;

use crate::server::{On, Server, on_both, on_sqlite};

on_both!(crm_2011, crm_2011_rollup_12, dataverse, without_anything);

on_sqlite!(
    crm_2013,
    crm_2015,
    crm_2015_update_1,
    crm_2016,
    without_upsert,
    without_change_tracking,
    without_execute_multiple,
    without_execute_transaction,
    without_states_by_update,
    without_concurrency,
);

async fn suite(on: On, settings: Settings) {
    let server = Server::new(on).await;
    server.be(settings);
    let client = Arc::new(server.soap());
    conformance::crm(async || Arc::clone(&client) as Arc<dyn Crm>).await;
}

async fn generation(on: On, generation: Generation) {
    suite(on, Settings { generation, ..Settings::default() }).await;
}

async fn without(on: On, without: &[Ability]) {
    suite(on, Settings { without: without.to_vec(), ..Settings::default() }).await;
}

async fn crm_2011(on: On) {
    generation(on, Generation::Crm2011).await;
}

async fn crm_2011_rollup_12(on: On) {
    generation(on, Generation::Crm2011Ur12).await;
}

async fn crm_2013(on: On) {
    generation(on, Generation::Crm2013).await;
}

async fn crm_2015(on: On) {
    generation(on, Generation::Crm2015).await;
}

async fn crm_2015_update_1(on: On) {
    generation(on, Generation::Crm2015Update1).await;
}

async fn crm_2016(on: On) {
    generation(on, Generation::Crm2016).await;
}

async fn dataverse(on: On) {
    generation(on, Generation::Dataverse).await;
}

async fn without_upsert(on: On) {
    without(on, &[Ability::Upsert]).await;
}

async fn without_change_tracking(on: On) {
    without(on, &[Ability::ChangeTracking]).await;
}

async fn without_execute_multiple(on: On) {
    without(on, &[Ability::ExecuteMultiple]).await;
}

async fn without_execute_transaction(on: On) {
    without(on, &[Ability::ExecuteTransaction]).await;
}

async fn without_states_by_update(on: On) {
    without(on, &[Ability::StateByUpdate]).await;
}

async fn without_concurrency(on: On) {
    without(on, &[Ability::Concurrency]).await;
}

/// A server that says it is the newest and knows nothing: everything is learned from what it refuses.
async fn without_anything(on: On) {
    without(on, Ability::ALL).await;
}
