//! The suite that every CRM must pass, over the Web API: with all that the server can, and without one thing after another.
//!
//! Of older versions the database sees no difference: they run on SQLite. That a server takes no mail itself is known only when it
//! was asked to, so a test in `delivering` shows what is said then.

use std::sync::Arc;

use postroom_core::Crm;
use postroom_embedded::webapi::{Ability, ApiVersion};
use postroom_testkit::conformance;

use crate::server::{Mood, On, Server, on_both, on_sqlite};

on_both!(the_suite, the_suite_without_batches, the_suite_without_multiple, the_suite_without_tracking,);

on_sqlite!(
    the_suite_of_version_8_0,
    the_suite_of_version_8_2,
    the_suite_of_version_9_0,
    the_suite_without_keys,
    the_suite_without_block_uploads,
    the_suite_without_tracking_by_the_definitions,
    the_suite_without_concurrency,
    the_suite_without_conditional_reads,
    the_suite_without_deep_insert,
    the_suite_without_representation,
    the_suite_without_sql,
    the_suite_without_upsert,
);

async fn suite(on: On, mood: Mood) {
    let server = Server::new(on).await;
    server.mood(mood);
    let client = Arc::new(server.client());
    conformance::crm(async || Arc::clone(&client) as Arc<dyn Crm>).await;
}

/// Windows signs in connections, not requests: the same suite passes over it.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_signed_in_with_a_windows_account() {
    let server = Server::new(On::Sqlite).await;
    let (client, front) = server.windows_client();
    let client = Arc::new(client);
    conformance::crm(async || Arc::clone(&client) as Arc<dyn Crm>).await;
    assert!(front.sign_ins() < 20, "{} sign-ins: a connection keeps its own", front.sign_ins());
}

async fn the_suite(on: On) {
    suite(on, Mood::Well).await;
}

/// The first server with a Web API: an older path, refusals without codes, fewer messages, no answers with what was written.
async fn the_suite_of_version_8_0(on: On) {
    suite(on, Mood::Version(ApiVersion::V80)).await;
}

async fn the_suite_of_version_8_2(on: On) {
    suite(on, Mood::Version(ApiVersion::V82)).await;
}

async fn the_suite_of_version_9_0(on: On) {
    suite(on, Mood::Version(ApiVersion::V90)).await;
}

async fn the_suite_without_batches(on: On) {
    suite(on, Mood::Without(Ability::Batch)).await;
}

async fn the_suite_without_multiple(on: On) {
    suite(on, Mood::Without(Ability::MultipleRecords)).await;
}

async fn the_suite_without_tracking(on: On) {
    suite(on, Mood::NoTracking).await;
}

async fn the_suite_without_keys(on: On) {
    suite(on, Mood::Without(Ability::AlternateKeys)).await;
}

async fn the_suite_without_block_uploads(on: On) {
    suite(on, Mood::Without(Ability::BlockUploads)).await;
}

async fn the_suite_without_tracking_by_the_definitions(on: On) {
    suite(on, Mood::Without(Ability::ChangeTracking)).await;
}

async fn the_suite_without_concurrency(on: On) {
    suite(on, Mood::Without(Ability::Concurrency)).await;
}

async fn the_suite_without_conditional_reads(on: On) {
    suite(on, Mood::Without(Ability::ConditionalReads)).await;
}

async fn the_suite_without_deep_insert(on: On) {
    suite(on, Mood::Without(Ability::DeepInsert)).await;
}

async fn the_suite_without_representation(on: On) {
    suite(on, Mood::Without(Ability::Representation)).await;
}

async fn the_suite_without_sql(on: On) {
    suite(on, Mood::Without(Ability::Sql)).await;
}

async fn the_suite_without_upsert(on: On) {
    suite(on, Mood::Without(Ability::Upsert)).await;
}
