//! The suite over the port `Crm`, on a model in memory: right, then wrong in one way at a time.

use std::sync::Arc;

use postroom_core::Crm;
use postroom_testkit::conformance;

use crate::model::{Flaw, Model};

#[tokio::test]
async fn a_right_crm_passes() {
    conformance::crm(async || Arc::new(Model::new(None)) as Arc<dyn Crm>).await;
}

#[tokio::test]
async fn one_crm_can_serve_all_cases() {
    let crm: Arc<dyn Crm> = Arc::new(Model::new(None));
    conformance::crm(async || Arc::clone(&crm)).await;
}

#[tokio::test]
async fn every_flaw_is_found() {
    for (flaw, case) in Flaw::ALL {
        let failures =
            conformance::crm::failures(async || Arc::new(Model::new(Some(*flaw))) as Arc<dyn Crm>).await;
        let cases: Vec<&str> = failures.iter().map(|failure| failure.case).collect();
        assert!(
            cases.iter().any(|found| found.ends_with(case)),
            "{flaw:?} is not found by {case}: {cases:?}"
        );
    }
}
