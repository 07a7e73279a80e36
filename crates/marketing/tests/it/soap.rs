//! Opt-outs and people over an account that takes SOAP alone: the flows are the same, no call goes another way. The database
//! cannot matter to that.

use postroom_core::marketing::{ContactRow, Names};
use postroom_core::{Record, Value};
use postroom_dotdigital::Api;
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::sync::{Run, RunState, SyncType};
use postroom_sandbox::dotdigital::{Act, Status};
use serde_json::json;

use crate::bench::On;
use crate::lab::{Lab, PASSWORD, service_with};

const ODD: &str = "o'brien+x@example.com";

impl Lab {
    /// The same account by SOAP.
    fn dotsoap_alone(mut self) -> Lab {
        let soap = service_with(&self.world, &self.clock, PASSWORD, |settings| settings.api = Api::Soap);
        self.serve(soap);
        self
    }

    async fn dotsoap_done(&self, sync_type: SyncType) -> Run {
        let run = self.run(sync_type).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
        let calls = self.world.calls();
        assert!(!calls.is_empty() && calls.keys().all(|name| name.starts_with("SOAP ")), "{calls:?}");
        run
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opt_outs_go_both_ways() {
    let lab = Lab::new(On::Sqlite).await.dotsoap_alone();
    let (anna, bert) = (lab.contact(1, "Anna@x.example").await, lab.contact(2, ODD).await);
    for address in ["anna@x.example", ODD] {
        let names = Names { email: Some(address.to_owned()), ..Names::default() };
        let row = ContactRow { names, ..ContactRow::default() };
        lab.account().service.patch_contact(&row, Default::default()).await.unwrap();
    }
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.write(Record::new(bert).with("donotbulkemail", true)).await;
    lab.dotsoap_done(SyncType::Suppressions).await;
    let record = lab.record(&anna).await.unwrap();
    assert_eq!(record.get("donotbulkemail").and_then(Value::as_bool), Some(true));
    let there = lab.world.person(1, ODD).unwrap();
    assert_eq!(there.status, Status::Unsubscribed);
    let again = lab.dotsoap_done(SyncType::Suppressions).await;
    assert_eq!((again.counts.to_crm.sent, again.counts.to_service.sent), (0, 0), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_go_out_and_change() {
    let everybody = Settings { scope: Scope::Everybody, ..Settings::default() };
    let lab = Lab::with(On::Sqlite, everybody).await.dotsoap_alone();
    let anna = lab.contact(1, ODD).await;
    lab.contact(2, "Bert@x.example").await;
    lab.dotsoap_done(SyncType::Labels).await;
    let run = lab.dotsoap_done(SyncType::Contacts).await;
    assert_eq!((run.counts.to_service.sent, run.counts.to_service.new), (2, 2), "{run:?}");
    let there = lab.world.person(1, ODD).unwrap();
    assert_eq!(there.fields["FULLNAME"], "First1 Last1");
    // The service names its people when they are read; then an address that changes is a change.
    lab.dotsoap_done(SyncType::Contacts).await;
    let changed = Record::new(anna).with("emailaddress1", "anna@x.example").with("firstname", "=Ann, \"A\"");
    lab.write(changed).await;
    lab.dotsoap_done(SyncType::Contacts).await;
    let moved = lab.world.person(1, "anna@x.example").unwrap();
    assert_eq!((moved.id, lab.world.contacts(1)), (there.id, 2));
    assert_eq!(moved.fields["FIRSTNAME"], json!("=Ann, \"A\""));
}
