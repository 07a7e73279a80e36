//! The suite that every CRM must pass.

use std::sync::Arc;

use postroom_core::Crm;

use crate::bench::{Bench, On, on_both};

on_both!(the_suite_of_the_port);

async fn the_suite_of_the_port(on: On) {
    let bench = Bench::new(on).await;
    postroom_testkit::conformance::crm(async || Arc::new(bench.crm.clone()) as Arc<dyn Crm>).await;
}
