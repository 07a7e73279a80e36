//! A subject stays as it is while nobody can say which record its mail belongs to: mail leaves whatever the CRM does.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_core::{
    AddressHit, ChangeSet, Clock, Code, Content, Crm, Fault, Ids, Outcome, Query, Record, StampAsk, Stamper,
    Verdict,
};
use postroom_tracking::filing::Filing;
use postroom_tracking::rules::{Mailbox, Rules};
use postroom_tracking::stamping::Stamping;
use uuid::Uuid;

use crate::house::House;

/// A CRM that is of no use.
enum Away {
    Refuses(Verdict),
    Hangs,
}

impl Away {
    async fn fault(&self) -> Fault {
        match self {
            Away::Refuses(verdict) => Fault::new(*verdict, Code::CRM_REFUSED, "not now"),
            Away::Hangs => pending().await,
        }
    }
}

#[async_trait]
impl Crm for Away {
    async fn find(&self, _: &[&str], _: &[Uuid]) -> Result<Vec<Record>, Fault> {
        Err(self.fault().await)
    }

    async fn find_addresses(&self, _: &[String]) -> Result<Vec<AddressHit>, Fault> {
        Err(self.fault().await)
    }

    async fn query(&self, _: &Query) -> Result<Vec<Record>, Fault> {
        Err(self.fault().await)
    }

    async fn apply(&self, _: Vec<ChangeSet>) -> Vec<Result<Vec<Outcome>, Fault>> {
        vec![Err(self.fault().await)]
    }

    async fn read(&self, _: &Content) -> Result<Bytes, Fault> {
        Err(self.fault().await)
    }

    async fn check(&self) -> Result<String, Fault> {
        Err(self.fault().await)
    }
}

async fn check(crm: Away, reason: &str) {
    let house = House::open().await;
    let mut rules = Rules::new(Uuid::from_u128(1));
    let addresses = vec!["support@demo.example".into()];
    rules.mailboxes = vec![Mailbox { name: "support".into(), addresses, ..Mailbox::default() }];
    let filing = Filing {
        store: house.store().clone(),
        clock: Clock::system(),
        ids: Ids::random(),
        crm: Arc::new(crm),
        rules: Arc::new(rules),
        signer: None,
        directory: None,
    };
    let stamping = Stamping { filing, patience: Duration::from_millis(200) };
    let ask = StampAsk {
        subject: "The pump".into(),
        from: "support@demo.example".into(),
        to: vec!["one@adler.example".into()],
        ..StampAsk::default()
    };
    let stamp = stamping.stamp(ask).await;
    assert_eq!((stamp.subject.as_str(), stamp.record), ("The pump", None));
    assert!(stamp.reason.contains(reason), "{}", stamp.reason);
}

#[tokio::test]
async fn a_crm_that_refuses_changes_no_subject() {
    for verdict in [Verdict::Retry { after: None }, Verdict::Reject, Verdict::Hold, Verdict::Bug] {
        check(Away::Refuses(verdict), "could not be looked up").await;
    }
}

#[tokio::test]
async fn a_crm_that_hangs_keeps_no_mail_waiting() {
    check(Away::Hangs, "no answer in time").await;
}
