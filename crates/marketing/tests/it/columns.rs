//! Columns that people add to the CRM, or take away, while we run: a CRM outside tells nobody.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use postroom_core::metadata::{ColumnInfo, Label};
use postroom_core::{Crm, Record, Value};
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::sync::{RunState, SyncType};
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::Lab;
use crate::office::ODD;

on_all!(a_column_that_came_later_can_be_mapped, a_mapped_column_that_went_is_said);

impl Lab {
    /// A new text column of contacts.
    async fn columns_add(&self, schema_name: &str) {
        self.door.changing.store(true, Ordering::SeqCst);
        let known = self.crm.metadata(&["contact"]).await.unwrap();
        let like = known.table("contact").unwrap().column("jobtitle").unwrap().clone();
        let column = ColumnInfo {
            id: Uuid::nil(),
            logical_name: String::new(),
            schema_name: schema_name.to_owned(),
            label: Label::english(schema_name),
            is_custom: true,
            ..like
        };
        self.crm.add_column("contact", column).await.unwrap();
    }

    async fn columns_run(&self, sync_type: SyncType) {
        self.advance(SignedDuration::from_mins(20));
        let run = self.run(sync_type).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }

    /// Maps the post code to this column; answers what the check says of it.
    async fn columns_map(&self, column: &str) -> Option<String> {
        let rows = self.rows("esc_emaildatamapping").await;
        let mapping = rows.iter().find(|row| row.text("esc_name").unwrap().starts_with("POSTCODE: contact."));
        let at = mapping.unwrap().at.clone();
        self.write(Record::new(at.clone()).with("esc_fieldpath", column)).await;
        self.columns_run(SyncType::Labels).await;
        self.record(&at).await.unwrap().text("esc_validationmessage").map(str::to_owned)
    }
}

async fn everybody(on: On) -> Lab {
    let lab = Lab::with(on, Settings { scope: Scope::Everybody, ..Settings::default() }).await;
    lab.contact(1, ODD).await;
    lab.columns_run(SyncType::Labels).await;
    lab.columns_run(SyncType::Contacts).await;
    lab
}

async fn a_column_that_came_later_can_be_mapped(on: On) {
    let lab = everybody(on).await;
    lab.columns_add("new_Nick").await;
    let odd = lab.rows("contact").await.into_iter().find(|row| row.text("emailaddress1") == Some(ODD));
    lab.write(Record::new(odd.unwrap().at).with("new_nick", "Paddy")).await;
    lab.columns_run(SyncType::Labels).await;
    let shown = lab.rows("esc_crmfield").await;
    assert!(shown.iter().any(|row| row.text("esc_logicalname") == Some("new_nick")));
    assert_eq!(lab.columns_map("new_nick").await, None);
    lab.columns_run(SyncType::Contacts).await;
    assert_eq!(lab.world.person(1, ODD).unwrap().fields["POSTCODE"], "Paddy");
}

async fn a_mapped_column_that_went_is_said(on: On) {
    let lab = everybody(on).await;
    lab.columns_add("new_Nick").await;
    assert_eq!(lab.columns_map("new_nick").await, None);
    lab.columns_run(SyncType::Contacts).await;
    lab.crm.delete_column("contact", "new_nick").await.unwrap();
    lab.advance(SignedDuration::from_mins(20));
    let run = lab.run(SyncType::Contacts).await;
    assert!(run.counts.balances(), "{run:?}");
    lab.columns_run(SyncType::Labels).await;
    let rows = lab.rows("esc_emaildatamapping").await;
    let gone = rows.iter().find(|row| row.text("esc_fieldpath") == Some("new_nick")).unwrap();
    assert_eq!(gone.get("esc_isvalid").and_then(Value::as_bool), Some(false), "{gone:?}");
    assert!(gone.text("esc_validationmessage").unwrap().contains("no column new_nick"), "{gone:?}");
    // Everybody else's fields go on.
    let odd = lab.contact(1, ODD).await;
    lab.write(Record::new(odd).with("firstname", "Patrick")).await;
    lab.columns_run(SyncType::Contacts).await;
    assert_eq!(lab.world.person(1, ODD).unwrap().fields["FIRSTNAME"], "Patrick");
}
