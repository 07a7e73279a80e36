//! What marketers have before they send: campaigns at the service, lists of the CRM, and rows that ask for a send.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use postroom_core::marketing::{CampaignDraft, Content, ReplyAction};
use postroom_core::{Change, ChangeSet, Crm, Record, RecordRef};
use postroom_jobs::{Options as Jobs, Runner};
use postroom_marketing::engine::Account;
use postroom_marketing::sends::{CampaignSend, Sender};
use postroom_marketing::solution::options::Set;
use postroom_marketing::sync::SyncType;
use uuid::Uuid;

use crate::lab::{ACCOUNT, Lab};

/// An address that is awkward in paths, queries and tables.
pub const ODD: &str = "o'brien+x@example.com";

pub fn option(set: Set, label: &str) -> i32 {
    set.value(label).unwrap()
}

/// A campaign, on both sides.
pub struct Campaign {
    pub id: i64,
    pub row: RecordRef,
}

impl Lab {
    /// A campaign of the service.
    pub async fn draft(&self, name: &str) -> i64 {
        let draft = CampaignDraft {
            name: name.to_owned(),
            subject: "Spring".to_owned(),
            from_name: "Shop".to_owned(),
            from: None,
            content: Content {
                html: "<a href=\"http://$UNSUB$\">leave</a>".to_owned(),
                text: "http://$UNSUB$".to_owned(),
            },
            reply_action: ReplyAction::Unset,
            reply_to: None,
        };
        self.account().service.create_campaign(&draft).await.unwrap().id.0
    }

    pub async fn account_row(&self) -> RecordRef {
        self.engine.connect(self.account()).await.unwrap().row()
    }

    pub async fn campaign_row(&self, id: i64) -> RecordRef {
        let key = self.engine.connect(self.account()).await.unwrap().key.campaign(id);
        RecordRef::new("esc_emailcampaign", key.id("esc_emailcampaign"))
    }

    /// A campaign of the service that the CRM knows.
    pub async fn campaign(&self, name: &str) -> Campaign {
        let id = self.draft(name).await;
        self.run(SyncType::Campaigns).await;
        Campaign { id, row: self.campaign_row(id).await }
    }

    /// A marketing list of contacts, activated for this account.
    pub async fn list(&self, number: u128, members: &[RecordRef]) -> RecordRef {
        let list = RecordRef::new("list", Uuid::from_u128(0x1157_0000 + number));
        let row = Record::new(list.clone())
            .with("listname", format!("List {number}"))
            .with("createdfromcode", 2)
            .with("type", false)
            .with("esc_activatedforemail", true)
            .with("esc_emailaccountid", self.account_row().await);
        self.write(row).await;
        self.join(&list, members).await;
        list
    }

    pub async fn join(&self, list: &RecordRef, members: &[RecordRef]) {
        let sets = members.iter().map(|member| {
            let id = Uuid::from_u128(list.id.as_u128() << 40 ^ member.id.as_u128());
            let row = Record::new(RecordRef::new("listmember", id))
                .with("listid", list.clone())
                .with("entityid", member.clone());
            ChangeSet { changes: vec![Change::Create(row)] }
        });
        for done in self.crm.apply(sets.collect()).await {
            done.unwrap();
        }
    }

    /// A row that asks for a send, made by the user of `crm`.
    pub async fn request_by(
        &self,
        crm: &dyn Crm,
        number: u128,
        campaign: &Campaign,
        lists: &[RecordRef],
        more: impl FnOnce(Record) -> Record,
    ) -> Uuid {
        let at = RecordRef::new("esc_emailsend", Uuid::from_u128(0x5e4d_0000 + number));
        let row = Record::new(at.clone())
            .with("esc_name", format!("Send {number}"))
            .with("esc_emailcampaignid", campaign.row.clone())
            .with("esc_sendstatus", option(Set::SendStatus, "Draft"));
        let made = crm.apply(vec![ChangeSet { changes: vec![Change::CreateNew(more(row))] }]).await.remove(0);
        made.unwrap();
        crm.associate("esc_emailsend_list", &at, lists).await.unwrap();
        let status = option(Set::SendStatus, "Requested");
        let asks = Change::Update(Record::new(at.clone()).with("esc_sendstatus", status));
        crm.apply(vec![ChangeSet { changes: vec![asks] }]).await.remove(0).unwrap();
        at.id
    }

    /// A row that asks for a send to so many people.
    pub async fn request(&self, number: u128, campaign: &Campaign, list: &RecordRef, expected: i64) -> Uuid {
        let lists = std::slice::from_ref(list);
        self.request_by(&self.crm, number, campaign, lists, |row| row.with("esc_expectedcount", expected))
            .await
    }

    /// Sends as far as they go now, by jobs.
    pub async fn send_jobs(&self) {
        let options = Jobs { poll: Duration::from_millis(20), ..Jobs::with_lease(Duration::from_secs(5)) };
        let workers = vec![Arc::new(Sender(self.engine.clone())) as Arc<dyn postroom_jobs::Worker>];
        let (store, ids) = (self.engine.store.clone(), self.engine.ids.clone());
        Runner::new(store, self.clock.clone(), ids, workers, options).drain_due().await.unwrap();
    }

    /// What a minute brings: opt-outs, the scan, the jobs.
    pub async fn minute(&self) {
        self.advance(SignedDuration::from_mins(1));
        for sync_type in [SyncType::Suppressions, SyncType::Sends] {
            self.run_asked(sync_type).await;
        }
        self.send_jobs().await;
    }

    /// Runs what a send asked for, if it did.
    pub async fn run_asked(&self, sync_type: SyncType) {
        self.engine.ask(ACCOUNT, sync_type, "anna").await.unwrap();
        self.begin_all_asked().await;
        self.work().await;
    }

    pub async fn minutes(&self, number: usize) {
        for _ in 0..number {
            self.minute().await;
        }
    }

    pub async fn send(&self, id: Uuid) -> CampaignSend {
        self.engine.campaign_send(id).await.unwrap().unwrap()
    }

    /// The words of the request row's status and error.
    pub async fn shown(&self, id: Uuid) -> (String, String) {
        let row = self.record(&RecordRef::new("esc_emailsend", id)).await.unwrap();
        let status = i32::try_from(row.int("esc_sendstatus").unwrap()).unwrap();
        let status = Set::SendStatus.option(status).unwrap().to_owned();
        (status, row.text("esc_error").unwrap_or_default().to_owned())
    }

    /// Addresses that a campaign went to, in order; each as often as it was mailed.
    pub fn mailed(&self, campaign: i64) -> Vec<String> {
        let log = self.world.log(1);
        let hers = log.iter().filter(|mail| mail.mailed && mail.campaign.map(i64::from) == Some(campaign));
        let mut addresses: Vec<String> = hers.map(|mail| mail.email.to_string()).collect();
        addresses.sort();
        addresses
    }

    /// The judge: nobody was mailed who must not be, and nobody twice by one campaign.
    #[track_caller]
    pub fn judge(&self) {
        let mut had: BTreeMap<(i32, String), u32> = BTreeMap::new();
        for mail in self.world.log(1) {
            assert!(mail.suppressed.is_none() && !mail.departed, "the service had to hold back {mail:?}");
            let times = had.entry((mail.campaign.unwrap_or(0), mail.email.to_string())).or_default();
            *times += 1;
            assert_eq!(*times, 1, "twice: {mail:?}");
        }
    }

    /// Contacts with these addresses, in a list.
    pub async fn people(&self, addresses: &[&str]) -> RecordRef {
        let mut members = Vec::new();
        for (number, address) in (1..).zip(addresses) {
            members.push(self.contact(number, address).await);
        }
        self.list(1, &members).await
    }

    /// Another engine on the same data, as after a restart.
    pub fn restarted(&mut self) {
        let account = Account { ..self.account().clone() };
        self.engine.accounts = Arc::new(BTreeMap::from([(ACCOUNT.to_owned(), account)]));
    }
}
