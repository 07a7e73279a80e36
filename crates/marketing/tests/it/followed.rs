//! Opt-outs follow people: to another address, through a merge, and when a record leaves before anybody heard it.

use jiff::SignedDuration;
use postroom_core::marketing::{FieldValue, ListId, Status};
use postroom_core::{Record, RecordRef, Value};
use postroom_embedded::messages::Parameter;
use postroom_marketing::consent::gate::{self, Asked};
use postroom_marketing::consent::ledger::{self, Noted};
use postroom_marketing::consent::standing::{Block, Known, Purpose, blocks};
use postroom_marketing::engine::{Scope, Settings};
use postroom_marketing::preferences::choices::{self, SaidChoice};
use postroom_marketing::preferences::scoped;
use postroom_marketing::suppressions::OnSuppress;
use postroom_marketing::suppressions::rows::{self, Origin, SaidOut};
use postroom_marketing::sync::{RunState, SyncType};
use postroom_marketing::unsubscribes::{self, unlinked};
use postroom_sandbox::dotdigital::Act;
use postroom_store::Insert;
use uuid::Uuid;

use crate::bench::{On, on_all};
use crate::lab::{ACCOUNT, Lab};

on_all!(
    an_opt_out_of_the_address_before,
    every_kind_follows_a_changed_address,
    what_is_kept_of_one_list_follows_a_changed_address,
    a_bounce_stays_with_its_mailbox,
    a_no_follows_a_merge,
    a_no_of_who_left_is_heard,
    two_made_one_by_hand,
    a_no_is_one_entry_of_the_ledger,
    who_confirmed_waits_no_more,
);

const LIST: i64 = 4;
const PREFERENCE: i64 = 7;

async fn lab(on: On) -> Lab {
    // Nothing is marked in the CRM, so the marks do not do the work.
    let settings =
        Settings { scope: Scope::Everybody, on_suppress: OnSuppress::Nothing, ..Settings::default() };
    Lab::with(on, settings).await
}

impl Lab {
    async fn exchange(&self) {
        let run = self.run(SyncType::Suppressions).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }

    pub async fn known_of(&self, address: &str, list: Option<Uuid>) -> Known {
        let asked = vec![Asked { address: address.to_owned(), member: None }];
        let read = self
            .engine
            .store
            .read(move |tx| Box::pin(async move { gate::known(tx, ACCOUNT, &asked, list).await }));
        let known: Result<Vec<Known>, postroom_store::Error> = read.await;
        known.unwrap().remove(0)
    }

    /// Whether anything but that nobody has the address keeps marketing mail from it.
    pub async fn is_out(&self, address: &str) -> bool {
        let blocks = blocks(&self.known_of(address, None).await, Purpose::Marketing);
        blocks.iter().any(|block| !matches!(block, Block::Inactive(_)))
    }

    pub async fn entries(&self, address: &'static str) -> Vec<Noted> {
        let read = self.engine.store.read(move |tx| Box::pin(async move { ledger::of(tx, address).await }));
        let entries: Result<_, postroom_store::Error> = read.await;
        entries.unwrap()
    }

    async fn merges(&self, from: &RecordRef, into: &RecordRef) {
        let parameters = vec![
            ("Target", Parameter::Reference(into.clone())),
            ("SubordinateId", Parameter::Guid(from.id)),
            ("PerformParentingChecks", Parameter::Bool(false)),
        ];
        assert!(self.consent_message("Merge", parameters).await);
    }
}

async fn an_opt_out_of_the_address_before(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.first().await;
    lab.exchange().await;
    // The CRM has another address; the service still knows the person by the first one, and there the person leaves.
    lab.write(Record::new(anna.clone()).with("emailaddress1", "new@x.example")).await;
    lab.engine.read_people().await.unwrap();
    lab.advance(SignedDuration::from_mins(1));
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.exchange().await;
    assert!(lab.is_out("new@x.example").await);
    let there = lab.account().service.suppressions(jiff::Timestamp::UNIX_EPOCH, &Default::default()).await;
    assert!(there.unwrap().rows.iter().any(|row| row.email == "new@x.example"));
    let rows = lab.rows("esc_emailsupression").await;
    let row = rows.iter().find(|row| row.text("esc_emailaddress") == Some("new@x.example")).unwrap();
    assert_eq!(row.lookup("esc_contactid"), Some(&anna));
}

async fn every_kind_follows_a_changed_address(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.patch("anna@x.example", |_| {}).await;
    lab.engine.read_people().await.unwrap();
    lab.world.act(1, "anna@x.example", None, Act::Unsubscribe).unwrap();
    lab.exchange().await;
    let (ids, now, list) = (lab.engine.ids.clone(), lab.clock.now(), Uuid::from_u128(0x11));
    let unit = lab.engine.store.write("test.said", move |tx| {
        Box::pin(async move {
            let out = SaidOut {
                address: "anna@x.example".to_owned(),
                status: Status::Unsubscribed,
                at: now,
                contact: None,
                source: "test".to_owned(),
                actor: String::new(),
            };
            unsubscribes::rows::take(tx, &ids, now, (ACCOUNT, LIST), Origin::Here, &[out]).await?;
            let ids_of = ["account", "list", "service"];
            let words = ["name", "visibility", "member_table", "state", "fingerprint"];
            let mut link = Insert::into("list_link", &[&ids_of[..], &words, &["made_here", "told"]].concat());
            link.row([
                ACCOUNT.into(),
                list.into(),
                LIST.into(),
                "News".into(),
                "Private".into(),
                "contact".into(),
                "linked".into(),
                "".into(),
                true.into(),
                Vec::<u8>::new().into(),
            ]);
            tx.insert(&link).await?;
            let no = SaidChoice {
                address: "anna@x.example".to_owned(),
                chosen: false,
                at: now,
                source: "test".to_owned(),
                actor: String::new(),
            };
            choices::take(tx, &ids, now, (ACCOUNT, PREFERENCE), Origin::Here, &[no]).await
        })
    });
    let written: Result<_, postroom_store::Error> = unit.await;
    written.unwrap();
    lab.write(Record::new(anna).with("emailaddress1", "new@x.example")).await;
    lab.engine.read_people().await.unwrap();
    let known = lab.known_of("new@x.example", Some(list)).await;
    assert!(known.suppression.is_some() && known.left_list.is_some(), "{known:?}");
    let scopes: Vec<_> = lab.entries("new@x.example").await.into_iter().map(|one| one.entry.scope).collect();
    assert_eq!(scopes.len(), 3, "{scopes:?}");
}

async fn what_is_kept_of_one_list_follows_a_changed_address(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.engine.read_people().await.unwrap();
    let (ids, now, list) = (lab.engine.ids.clone(), lab.clock.now(), Uuid::from_u128(0x12));
    let unit = lab.engine.store.write("test.said", move |tx| {
        Box::pin(async move {
            let (address, source, actor) = ("anna@x.example".to_owned(), "test".to_owned(), String::new());
            let no = SaidChoice {
                address: address.clone(),
                chosen: false,
                at: now,
                source: source.clone(),
                actor: actor.clone(),
            };
            scoped::take(tx, now, (ACCOUNT, PREFERENCE), &ListId(LIST), &[no]).await?;
            let out =
                SaidOut { address, status: Status::Unsubscribed, at: now, contact: None, source, actor };
            // The list has none at the service.
            unlinked::take(tx, &ids, now, (ACCOUNT, list), Origin::Here, &[out]).await.map(drop)
        })
    });
    let written: Result<_, postroom_store::Error> = unit.await;
    written.unwrap();
    lab.write(Record::new(anna).with("emailaddress1", "new@x.example")).await;
    lab.engine.read_people().await.unwrap();
    let known = lab.known_of("new@x.example", Some(list)).await;
    assert!(known.left_list.is_some(), "{known:?}");
    let scope: Vec<_> = lab.entries("new@x.example").await.into_iter().map(|one| one.entry.scope).collect();
    assert!(scope.is_empty(), "only what the service has is in the ledger: {scope:?}");
    let read = lab
        .engine
        .store
        .read(|tx| Box::pin(async move { scoped::declined_by(tx, &["new@x.example".to_owned()]).await }));
    let declined: Result<Vec<_>, postroom_store::Error> = read.await;
    assert_eq!(declined.unwrap().len(), 1);
}

async fn a_bounce_stays_with_its_mailbox(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.patch("anna@x.example", |_| {}).await;
    lab.engine.read_people().await.unwrap();
    lab.world.act(1, "anna@x.example", None, Act::HardBounce).unwrap();
    lab.exchange().await;
    assert!(lab.is_out("anna@x.example").await);
    lab.write(Record::new(anna).with("emailaddress1", "new@x.example")).await;
    lab.exchange().await;
    assert!(!lab.is_out("new@x.example").await);
}

async fn a_no_follows_a_merge(on: On) {
    let lab = lab(on).await;
    let (out, left) = (lab.contact(1, "out@x.example").await, lab.contact(2, "left@x.example").await);
    let both = lab.contact(3, "both@x.example").await;
    lab.patch("left@x.example", |_| {}).await;
    lab.world.act(1, "left@x.example", None, Act::Unsubscribe).unwrap();
    lab.exchange().await;
    // One said no to the service, the other in the CRM a moment ago.
    lab.merges(&left, &both).await;
    lab.engine.read_people().await.unwrap();
    assert!(lab.is_out("both@x.example").await);
    let other = lab.contact(4, "other@x.example").await;
    lab.write(Record::new(out.clone()).with("donotbulkemail", true)).await;
    lab.merges(&out, &other).await;
    lab.engine.read_people().await.unwrap();
    assert!(lab.is_out("other@x.example").await, "before the next exchange");
    lab.exchange().await;
    assert!(lab.known_of("other@x.example", None).await.suppression.is_some());
}

async fn a_no_of_who_left_is_heard(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.exchange().await;
    lab.write(Record::new(anna.clone()).with("donotbulkemail", true)).await;
    // Another flow reads it, and it is gone before opt-outs are exchanged.
    lab.engine.read_people().await.unwrap();
    lab.delete(&anna).await;
    lab.engine.read_people().await.unwrap();
    assert!(lab.is_out("anna@x.example").await, "before the next exchange");
    lab.exchange().await;
    lab.contact(1, "anna@x.example").await;
    lab.exchange().await;
    assert!(lab.is_out("anna@x.example").await);
}

async fn two_made_one_by_hand(on: On) {
    let lab = lab(on).await;
    let (out, left) = (lab.contact(1, "out@x.example").await, lab.contact(2, "left@x.example").await);
    let (one, two) = (lab.contact(3, "one@x.example").await, lab.contact(4, "two@x.example").await);
    lab.patch("left@x.example", |_| {}).await;
    lab.world.act(1, "left@x.example", None, Act::Unsubscribe).unwrap();
    lab.exchange().await;
    lab.write(Record::new(out.clone()).with("donotemail", true)).await;
    lab.engine.read_people().await.unwrap();
    for (from, into, address) in [(&left, &one, "one@x.example"), (&out, &two, "two@x.example")] {
        lab.engine.rehearse_merge(from, into).await.unwrap();
        assert!(!lab.is_out(address).await);
        lab.engine.merge_people(from, into).await.unwrap();
        assert!(lab.is_out(address).await, "{address}");
    }
}

async fn a_no_is_one_entry_of_the_ledger(on: On) {
    let lab = lab(on).await;
    let anna = lab.contact(1, "anna@x.example").await;
    lab.exchange().await;
    lab.advance(SignedDuration::from_hours(1));
    let said = lab.clock.now();
    lab.write(Record::new(anna.clone()).with("donotbulkemail", true)).await;
    lab.exchange().await;
    for name in ["Anne", "Anna"] {
        lab.advance(SignedDuration::from_hours(1));
        lab.write(Record::new(anna.clone()).with("firstname", name)).await;
        lab.exchange().await;
    }
    let said_there = async || {
        let mut entries = lab.entries("anna@x.example").await;
        entries.retain(|noted| noted.entry.source == anna.to_string());
        entries
    };
    let entries = said_there().await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].entry.at, said);
    let who = lab.record(&anna).await.unwrap().lookup("modifiedby").unwrap().to_string();
    assert_eq!(entries[0].entry.actor, who);
    // Said again after it was taken back.
    lab.write(Record::new(anna.clone()).with("donotbulkemail", Value::from(false))).await;
    lab.exchange().await;
    lab.advance(SignedDuration::from_hours(1));
    lab.write(Record::new(anna.clone()).with("donotbulkemail", true)).await;
    lab.exchange().await;
    assert_eq!(said_there().await.len(), 2);
}

async fn who_confirmed_waits_no_more(on: On) {
    let lab = lab(on).await;
    lab.contact(1, "anna@x.example").await;
    lab.first().await;
    lab.exchange().await;
    let (ids, now) = (lab.engine.ids.clone(), lab.clock.now());
    let waits = SaidOut {
        address: "anna@x.example".to_owned(),
        status: Status::PendingOptIn,
        at: now,
        contact: None,
        source: "import".to_owned(),
        actor: String::new(),
    };
    let unit = lab.engine.store.write("test.waits", move |tx| {
        Box::pin(async move { rows::take(tx, &ids, now, ACCOUNT, Origin::Service, &[waits]).await })
    });
    let written: Result<_, postroom_store::Error> = unit.await;
    written.unwrap();
    assert!(lab.is_out("anna@x.example").await);
    lab.advance(SignedDuration::from_hours(1));
    lab.patch("anna@x.example", |row| {
        drop(row.fields.insert("LASTNAME".into(), FieldValue::Text("x".into())))
    })
    .await;
    lab.contacts_done().await;
    assert!(!lab.is_out("anna@x.example").await);
}
