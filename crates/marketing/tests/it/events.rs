//! What people did, into the inbox and into the CRM.

use jiff::SignedDuration;
use postroom_core::marketing::{
    Audience, CampaignDraft, ContactRow, Content, Merge, Names, ReplyAction, SendOrder, SendTime, Visibility,
};
use postroom_core::{Record, RecordRef};
use postroom_marketing::engine::{Account, Settings};
use postroom_marketing::events::report::{self, Report};
use postroom_marketing::events::{Ip, Kind, rows};
use postroom_marketing::keys;
use postroom_marketing::people::links::{self, Link};
use postroom_marketing::sync::{Run, RunState, SyncType, Trial};
use postroom_sandbox::dotdigital::{Act, Fault, Switch};
use postroom_store::sql::{Expr, ExprTrait};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

use crate::bench::{On, on_all, on_old};
use crate::lab::{ACCOUNT, Lab};
use crate::sweep::{Wrong, sweep};

/// An address that is awkward in paths, queries and tables.
pub const ODD: &str = "o'brien+x@example.com";
const ANNA: &str = "anna@x.example";

const SUMMARY: &str = "esc_emailcampaigncontactsummary";
const CLICK: &str = "esc_emailcampaigncontactclick";

on_all!(
    what_people_did_becomes_rows,
    an_event_on_the_very_second_of_the_mark_is_not_lost,
    two_links_in_one_second_are_two_clicks,
    equal_clicks_over_the_end_of_a_page_are_counted,
    nothing_new_asks_a_constant_few_calls,
    a_cut_between_inbox_and_crm_goes_on,
    a_dry_run_writes_nothing,
    whoever_changed_address_keeps_the_rows,
    a_qualified_lead_s_rows_gain_the_contact,
    somebody_who_turns_up_later_gets_the_rows,
    a_campaign_that_is_switched_off_waits,
    settings_decide_what_the_crm_gets_and_for_how_long,
    pages_that_shift_lose_nothing,
    unknown_words_are_stored,
    marks_of_purchases_become_rows,
    ten_thousand_clicks_in_few_calls,
    a_refused_row_stops_no_other,
    the_report_adds_up,
);

on_old!(
    what_people_did_becomes_rows,
    equal_clicks_over_the_end_of_a_page_are_counted,
    a_cut_between_inbox_and_crm_goes_on,
    a_qualified_lead_s_rows_gain_the_contact,
    settings_decide_what_the_crm_gets_and_for_how_long,
    marks_of_purchases_become_rows,
);

impl Lab {
    /// A campaign that went to these people; the mail left a minute ago.
    pub async fn sent_to(&self, addresses: &[&str]) -> i64 {
        let service = &self.account().service;
        let name = format!("List {}", addresses.join(" "));
        let list = service.create_list(&name, &Visibility::Private).await.unwrap();
        for address in addresses {
            let names = Names { email: Some((*address).to_owned()), ..Names::default() };
            let row = ContactRow { names, lists: vec![list.id.clone()], ..ContactRow::default() };
            service.patch_contact(&row, Merge::default()).await.unwrap();
        }
        let draft = CampaignDraft {
            name: "Spring".into(),
            subject: "Spring sale".into(),
            from_name: "Shop".into(),
            from: None,
            content: Content { html: "<a href=\"http://$UNSUB$\">x</a>".into(), text: "$UNSUB$".into() },
            reply_action: ReplyAction::Webmail,
            reply_to: None,
        };
        let campaign = service.create_campaign(&draft).await.unwrap().id;
        let order = SendOrder {
            campaign: campaign.clone(),
            to: Audience::new(vec![list.id], vec![], vec![]).unwrap(),
            when: SendTime::Now,
            split: None,
        };
        service.send(&order).await.unwrap();
        self.advance(SignedDuration::from_mins(1));
        campaign.0
    }

    pub fn act(&self, campaign: i64, address: &str, act: Act) {
        self.world.act(1, address, Some(i32::try_from(campaign).unwrap()), act).unwrap();
    }

    fn click(&self, campaign: i64, address: &str, url: &str) {
        self.act(campaign, address, Act::Click { url: url.into() });
    }

    /// Runs the flow; it ends well and its books balance.
    async fn events(&self) -> Run {
        let run = self.run(SyncType::Events).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
        run
    }

    pub async fn stored(&self, kind: Kind) -> Vec<rows::Stored> {
        let read = self.engine.store.read(move |tx| {
            Box::pin(async move {
                let mut all = rows::select(ACCOUNT);
                all.and_where(Expr::col("kind").eq(kind.as_str()));
                rows::load(tx, &all).await
            })
        });
        read.await.unwrap()
    }

    async fn report(&self, campaign: i64) -> Report {
        let read = self
            .engine
            .store
            .read(move |tx| Box::pin(async move { report::of(tx, ACCOUNT, campaign).await }));
        read.await.unwrap()
    }

    /// With these settings of behaviour.
    fn keep_events(&mut self, change: impl FnOnce(&mut postroom_marketing::events::Settings)) {
        let mut settings = Settings::clone(&self.account().settings);
        change(&mut settings.events);
        let account = Account { settings: Arc::new(settings), ..self.account().clone() };
        self.engine.accounts = Arc::new([(ACCOUNT.to_owned(), account)].into());
    }

    async fn key(&self) -> keys::Account {
        self.engine.connect(self.account()).await.unwrap().key
    }

    async fn linked_to(&self, record: &RecordRef, address: &str, contact: i64) {
        let link = Link {
            record: record.clone(),
            address: address.to_owned(),
            contact: Some(postroom_core::marketing::ContactId(contact)),
            digest: None,
            base: None,
        };
        let unit = self
            .engine
            .store
            .write("test.link", move |tx| Box::pin(async move { links::put(tx, ACCOUNT, vec![link]).await }));
        let put: Result<(), postroom_store::Error> = unit.await;
        put.unwrap();
    }
}

fn int(row: &Record, column: &str) -> i64 {
    row.int(column).unwrap_or_else(|| panic!("{column} of {row:?}"))
}

async fn what_people_did_becomes_rows(on: On) {
    let lab = Lab::new(on).await;
    let (odd, anna) = (lab.contact(1, "O'Brien+X@example.com").await, lab.contact(2, ANNA).await);
    let campaign = lab.sent_to(&[ODD, ANNA]).await;
    for act in [
        Act::Open { machine: false },
        Act::Click { url: "https://x.example/a".into() },
        Act::PageView { url: "https://x.example/p".into() },
        Act::Reply { text: "no, thanks".into(), automatic: true },
        Act::Social { network: "LinkedIn".into() },
    ] {
        lab.act(campaign, ODD, act);
    }
    lab.act(campaign, ANNA, Act::Open { machine: true });
    let run = lab.events().await;
    assert_eq!(run.counts.to_crm.new, 4, "{run:?}");

    let summaries = lab.rows(SUMMARY).await;
    let of = |who: &RecordRef| summaries.iter().find(|row| row.lookup("esc_contactid") == Some(who)).unwrap();
    let row = of(&odd);
    assert_eq!(row.text("esc_emailaddress"), Some(ODD));
    let figures =
        ["esc_numopens", "esc_numclicks", "esc_numviews", "esc_numreplies"].map(|name| int(row, name));
    assert_eq!(figures, [1, 1, 1, 1]);
    assert_eq!(int(of(&anna), "esc_numopens"), 1);
    // A send made at the service itself.
    let sends = lab.rows("esc_emailsend").await;
    assert_eq!(sends.len(), 1, "{sends:?}");
    assert_eq!(row.lookup("esc_emailsendid"), Some(&sends[0].at));
    let click = &lab.rows(CLICK).await[0];
    assert_eq!(
        (click.text("esc_url"), click.lookup("esc_contactid")),
        (Some("https://x.example/a"), Some(&odd))
    );
    let social = &lab.rows("esc_socialbookmark").await[0];
    assert_eq!((social.text("esc_bookmarkname"), int(social, "esc_numviews")), (Some("LinkedIn"), 1));
    let campaigns = lab.rows("esc_emailcampaign").await;
    assert_eq!(campaigns[0].text("esc_campaignname"), Some("Spring"));

    // What has no table stays here, with its flag.
    let opens = lab.stored(Kind::Open).await;
    let machines: Vec<_> =
        opens.iter().map(|open| (open.event.address.as_str(), open.event.machine)).collect();
    assert!(machines.contains(&(ODD, false)) && machines.contains(&(ANNA, true)), "{machines:?}");
    assert_eq!((lab.stored(Kind::PageView).await.len(), lab.stored(Kind::Reply).await.len()), (1, 1));

    // Counters go on; rows stay the same ones.
    lab.act(campaign, ODD, Act::Open { machine: false });
    let run = lab.events().await;
    assert_eq!((run.counts.to_crm.new, run.counts.to_crm.changed), (0, 1), "{run:?}");
    let summaries = lab.rows(SUMMARY).await;
    assert_eq!(summaries.len(), 2);
    assert!(summaries.iter().any(|row| row.int("esc_numopens") == Some(2)));
    assert_eq!(lab.rows("esc_emailsend").await.len(), 1);
}

async fn an_event_on_the_very_second_of_the_mark_is_not_lost(on: On) {
    let mut lab = Lab::new(on).await;
    lab.rule(|rules| rules.overlap = SignedDuration::ZERO);
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.click(campaign, ODD, "https://x.example/a");
    lab.events().await;
    // The clock stands still: the same instant as the mark.
    lab.click(campaign, ODD, "https://x.example/b");
    lab.click(campaign, ODD, "https://x.example/a");
    let run = lab.events().await;
    assert_eq!((run.counts.to_crm.new, lab.rows(CLICK).await.len()), (2, 3), "{run:?}");
    assert_eq!(lab.rows(SUMMARY).await[0].int("esc_numclicks"), Some(3));
}

async fn two_links_in_one_second_are_two_clicks(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    let long = format!("https://x.example/{}", "ä".repeat(3000));
    for url in ["https://x.example/a", "https://x.example/b", "https://x.example/a", &long] {
        lab.click(campaign, ODD, url);
    }
    for _ in 0..2 {
        lab.events().await;
        let clicks = lab.rows(CLICK).await;
        assert_eq!(clicks.len(), 4);
        let cut: Vec<_> =
            clicks.iter().filter(|row| row.get("esc_urlistruncated") == Some(&true.into())).collect();
        assert_eq!(cut[0].text("esc_url").unwrap().chars().count(), 2000);
        assert_eq!(cut.len(), 1);
        lab.advance(SignedDuration::from_mins(1));
    }
}

async fn equal_clicks_over_the_end_of_a_page_are_counted(on: On) {
    let mut lab = Lab::new(on).await;
    let service = crate::lab::service_with(&lab.world, &lab.clock, crate::lab::PASSWORD, |settings| {
        (settings.page, settings.overlap) = (10, 4);
    });
    lab.serve(service);
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    // The same row several times, again and again, wherever a page may end.
    for number in 0..35 {
        lab.click(campaign, ODD, "https://x.example/a");
        lab.advance(SignedDuration::from_secs(i64::from(number % 3 == 0)));
    }
    for _ in 0..2 {
        lab.events().await;
        assert_eq!(lab.rows(CLICK).await.len(), 35);
    }
}

async fn nothing_new_asks_a_constant_few_calls(on: On) {
    let lab = Lab::new(on).await;
    for number in 0..4 {
        let address = format!("p{number}@x.example");
        lab.contact(number, &address).await;
        let campaign = lab.sent_to(&[&address]).await;
        lab.click(campaign, &address, "https://x.example/a");
    }
    lab.events().await;
    lab.advance(SignedDuration::from_hours(1));
    // This one still names what was active within the overlap of the one before.
    lab.events().await;
    lab.advance(SignedDuration::from_hours(1));
    lab.world.forget_calls();
    let run = lab.events().await;
    assert_eq!((run.counts.to_crm.sent, run.counts.read), (0, 0), "{run:?}");
    let calls: u64 = lab.world.calls().values().sum();
    assert_eq!(calls, 2, "{:?}", lab.world.calls());
}

async fn a_cut_between_inbox_and_crm_goes_on(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.click(campaign, ODD, "https://x.example/a");
    // The inbox is filled, and the run ends there: the flow of marks has nothing to tell, this one is dropped before it tells.
    let mut turn = lab.turn(SyncType::Events).await;
    let latest = lab.account().service.server_time().await.unwrap();
    use postroom_marketing::events::{Flow, campaigns, streams};
    let due = campaigns::due(&mut turn, Flow::Events, latest).await.unwrap();
    for kind in [Kind::Recipient, Kind::Click] {
        streams::read(&mut turn, kind, due[0].campaign, latest, &Vec::new()).await.unwrap();
    }
    drop(turn);
    assert!(lab.rows(CLICK).await.is_empty());
    let run = lab.events().await;
    assert_eq!((run.counts.to_crm.new, lab.rows(CLICK).await.len()), (2, 1), "{run:?}");
    assert_eq!(lab.rows("esc_emailsend").await.len(), 1);
}

async fn a_dry_run_writes_nothing(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.click(campaign, ODD, "https://x.example/a");
    let Trial { counts, question, samples, .. } =
        lab.engine.dry_run(ACCOUNT, SyncType::Events).await.unwrap();
    assert_eq!((counts.read, counts.to_crm.sent, question), (2, 2, None), "{counts:?}");
    assert!(samples.iter().any(|sample| sample.subject == format!("click of {ODD}")), "{samples:?}");
    for table in [SUMMARY, CLICK, "esc_emailsend", "esc_emailcampaign"] {
        assert!(lab.rows(table).await.is_empty(), "{table}");
    }
    assert!(lab.stored(Kind::Click).await.is_empty());
    assert_eq!(lab.events().await.counts.to_crm.new, 2);
}

async fn whoever_changed_address_keeps_the_rows(on: On) {
    let lab = Lab::new(on).await;
    let odd = lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    let there = lab.world.person(1, ODD).unwrap().id;
    lab.linked_to(&odd, ODD, i64::from(there)).await;
    lab.write(Record::new(odd.clone()).with("emailaddress1", "new@x.example")).await;
    // Somebody else has the old address by now.
    lab.contact(2, ODD).await;
    lab.click(campaign, ODD, "https://x.example/a");
    lab.events().await;
    assert_eq!(lab.rows(CLICK).await[0].lookup("esc_contactid"), Some(&odd));
}

async fn a_qualified_lead_s_rows_gain_the_contact(on: On) {
    let lab = Lab::new(on).await;
    let lead = RecordRef::new("lead", Uuid::from_u128(77));
    let row = Record::new(lead.clone()).with("subject", "x").with("lastname", "y").with("emailaddress1", ODD);
    lab.write(row).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.click(campaign, ODD, "https://x.example/a");
    lab.events().await;
    let click = &lab.rows(CLICK).await[0];
    assert_eq!((click.lookup("esc_leadid"), click.lookup("esc_contactid")), (Some(&lead), None));
    // Qualified; the contact has another address.
    let contact = lab.contact(1, "work@x.example").await;
    lab.write(Record::new(contact.clone()).with("originatingleadid", lead.clone())).await;
    lab.advance(SignedDuration::from_hours(1));
    lab.events().await;
    let clicks = lab.rows(CLICK).await;
    assert_eq!(clicks.len(), 1);
    assert_eq!(
        (clicks[0].lookup("esc_leadid"), clicks[0].lookup("esc_contactid")),
        (Some(&lead), Some(&contact))
    );
}

async fn somebody_who_turns_up_later_gets_the_rows(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.click(campaign, ODD, "https://x.example/a");
    let run = lab.events().await;
    assert_eq!((lab.rows(CLICK).await.len(), run.counts.skipped.get("nobody in the CRM")), (0, Some(&2)));
    let odd = lab.contact(1, ODD).await;
    lab.advance(SignedDuration::from_hours(1));
    lab.events().await;
    assert_eq!(lab.rows(CLICK).await[0].lookup("esc_contactid"), Some(&odd));
}

async fn a_campaign_that_is_switched_off_waits(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.events().await;
    let id = lab.key().await.campaign(campaign).id("esc_emailcampaign");
    let row = Record::new(RecordRef::new("esc_emailcampaign", id));
    lab.write(row.clone().with("esc_syncenabled", false)).await;
    lab.click(campaign, ODD, "https://x.example/a");
    lab.events().await;
    assert!(lab.rows(CLICK).await.is_empty());
    lab.write(row.with("esc_syncenabled", true)).await;
    lab.advance(SignedDuration::from_hours(24));
    lab.events().await;
    assert_eq!(lab.rows(CLICK).await.len(), 1);
}

async fn settings_decide_what_the_crm_gets_and_for_how_long(on: On) {
    let mut lab = Lab::new(on).await;
    lab.keep_events(|settings| {
        settings.to_crm = BTreeSet::from([Kind::Click]);
        (settings.ip, settings.user_agents) = (Ip::Shorten, false);
        settings.keep_in_crm = Some(SignedDuration::from_hours(24 * 30));
        settings.keep = Some(SignedDuration::from_hours(24 * 90));
    });
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.click(campaign, ODD, "https://x.example/a");
    lab.events().await;
    let click = &lab.rows(CLICK).await[0];
    assert!(click.text("esc_ipaddress").unwrap().ends_with(".0"), "{click:?}");
    assert_eq!(click.text("esc_useragent"), None);
    assert!(lab.rows(SUMMARY).await.is_empty());
    lab.advance(SignedDuration::from_hours(24 * 31));
    let run = lab.events().await;
    assert_eq!((lab.rows(CLICK).await.len(), run.counts.removed), (0, 1), "{run:?}");
    assert_eq!((lab.stored(Kind::Click).await.len(), lab.stored(Kind::Recipient).await.len()), (1, 1));
    // Reading it again brings nothing back.
    lab.events().await;
    assert!(lab.rows(CLICK).await.is_empty());
    lab.advance(SignedDuration::from_hours(24 * 60));
    lab.events().await;
    assert_eq!((lab.stored(Kind::Click).await.len(), lab.stored(Kind::Recipient).await.len()), (0, 0));
}

async fn pages_that_shift_lose_nothing(on: On) {
    let mut lab = Lab::new(on).await;
    let service = crate::lab::service_with(&lab.world, &lab.clock, crate::lab::PASSWORD, |settings| {
        (settings.page, settings.overlap) = (10, 4);
    });
    lab.serve(service);
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    for number in 0..60 {
        lab.click(campaign, ODD, &format!("https://x.example/{}", number % 7));
        lab.advance(SignedDuration::from_secs(i64::from(number % 3 == 0)));
    }
    lab.world.fault(Switch { path: "/clicks".into(), ..Switch::always(Fault::ShiftingPages { rows: 2 }) });
    lab.events().await;
    lab.world.clear_faults();
    // The stand-in's pages begin two rows late: what went out of them comes with the next reading.
    lab.events().await;
    assert_eq!(lab.rows(CLICK).await.len(), 60);
}

async fn unknown_words_are_stored(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    lab.act(campaign, ODD, Act::Buy { marker: "order".into(), value: json!(12.5) });
    lab.click(campaign, ODD, "https://x.example/a");
    lab.world.fault(Switch::always(Fault::UnknownValues));
    lab.events().await;
    let run = lab.run(SyncType::Roi).await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    assert_eq!((lab.rows(CLICK).await.len(), lab.rows("esc_emailroidetail").await.len()), (1, 1));
}

async fn marks_of_purchases_become_rows(on: On) {
    let lab = Lab::new(on).await;
    let odd = lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    for value in [json!(12.5), json!(12.5), json!("o'brien")] {
        lab.act(campaign, ODD, Act::Buy { marker: "order".into(), value });
    }
    for _ in 0..2 {
        let run = lab.run(SyncType::Roi).await;
        assert_eq!((run.state, run.counts.balances()), (RunState::Done, true), "{run:?}");
    }
    let rows = lab.rows("esc_emailroidetail").await;
    assert_eq!(rows.len(), 3, "two of one value are two");
    assert!(rows.iter().all(|row| row.lookup("esc_contactid") == Some(&odd)));
    let numbers: Vec<_> = rows.iter().filter_map(|row| row.text("esc_numericvalue")).collect();
    assert_eq!(numbers.len(), 2, "{rows:?}");
}

async fn ten_thousand_clicks_in_few_calls(on: On) {
    let mut lab = Lab::new(on).await;
    // The inbox alone: what the CRM takes is the CRM's speed.
    lab.keep_events(|settings| settings.to_crm = BTreeSet::new());
    let campaign = lab.sent_to(&[ODD]).await;
    for number in 0..10_000 {
        lab.click(campaign, ODD, &format!("https://x.example/{}", number % 3));
        // Two in each instant.
        if number % 2 == 1 {
            lab.advance(SignedDuration::from_millis(1));
        }
    }
    lab.world.forget_calls();
    lab.events().await;
    let calls = lab.world.calls();
    let clicks: u64 =
        calls.iter().filter(|(name, _)| name.contains("clicks")).map(|(_, number)| number).sum();
    // Each page after the first carries an overlap of rows that are known.
    assert!(clicks <= 11, "{calls:?}");
    // One each: the account, the time, active campaigns, recipients, opens, page views, social views.
    assert!(calls.values().sum::<u64>() <= clicks + 7, "{calls:?}");
    let report = lab.report(campaign).await;
    assert_eq!(report.human_clicks + report.machine_clicks, 10_000);
    assert_eq!(report.totals.clicks, 10_000);
}

async fn a_refused_row_stops_no_other(on: On) {
    let lab = Lab::new(on).await;
    lab.contact(1, ODD).await;
    lab.contact(2, ANNA).await;
    let (one, two) = (lab.sent_to(&[ODD]).await, lab.sent_to(&[ANNA]).await);
    lab.click(one, ODD, "https://x.example/a");
    lab.click(two, ANNA, "https://x.example/b");
    let refuse = Fault::Refuse { status: 404, code: "ERROR_CAMPAIGN_NOT_FOUND".into() };
    lab.world.fault(Switch { path: format!("/v2/campaigns/{one}/activities"), ..Switch::always(refuse) });
    let run = lab.run(SyncType::Events).await;
    assert!(run.counts.balances(), "{run:?}");
    assert_eq!(run.counts.skipped.get("campaigns that were refused"), Some(&1), "{run:?}");
    assert_eq!(lab.rows(CLICK).await.len(), 1);
}

async fn the_report_adds_up(on: On) {
    let lab = Lab::new(on).await;
    let campaign = lab.sent_to(&[ODD, ANNA]).await;
    lab.act(campaign, ODD, Act::Open { machine: false });
    lab.act(campaign, ANNA, Act::Open { machine: true });
    for url in ["https://x.example/a", "https://x.example/a", "https://x.example/b"] {
        lab.click(campaign, ODD, url);
    }
    lab.advance(SignedDuration::from_hours(24));
    lab.act(campaign, ANNA, Act::Click { url: "https://x.example/a".into() });
    lab.act(campaign, ANNA, Act::Unsubscribe);
    lab.events().await;
    let (report, summary, gaps) = lab.engine.reconcile_campaign(ACCOUNT, campaign).await.unwrap();
    assert_eq!(gaps, [], "{summary:?}");
    assert_eq!((report.totals.sent, report.totals.clicks, report.totals.unsubscribes), (2, 4, 1));
    assert_eq!((report.human_opens, report.machine_opens, report.human_clicks), (1, 1, 4));
    let links: Vec<_> =
        report.links.iter().map(|link| (link.url.as_str(), link.clicks, link.people)).collect();
    assert_eq!(links, [("https://x.example/a", 3, 2), ("https://x.example/b", 1, 1)]);
    let days: Vec<_> = report.days.values().map(|day| (day.sent, day.opens, day.clicks)).collect();
    assert_eq!(days, [(2, 1, 3), (0, 0, 1)]);
    lab.click(campaign, ODD, "https://x.example/c");
    let (_, _, gaps) = lab.engine.reconcile_campaign(ACCOUNT, campaign).await.unwrap();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].figure, gaps[0].rows, gaps[0].summary), ("clicks", 4, 5));
}

async fn some_behaviour(lab: &Lab) {
    lab.contact(1, ODD).await;
    let campaign = lab.sent_to(&[ODD]).await;
    for act in [
        Act::Open { machine: false },
        Act::Click { url: "https://x.example/a".into() },
        Act::Click { url: "https://x.example/a".into() },
        Act::Reply { text: "yes".into(), automatic: false },
        Act::Social { network: "LinkedIn".into() },
    ] {
        lab.act(campaign, ODD, act);
    }
}

async fn all_there_once(lab: &Lab, named: &str) {
    for (table, number) in [(SUMMARY, 1), (CLICK, 2), ("esc_socialbookmark", 1), ("esc_emailsend", 1)] {
        assert_eq!(lab.rows(table).await.len(), number, "{named}: {table}");
    }
    for (kind, number) in [(Kind::Open, 1), (Kind::Reply, 1), (Kind::Click, 2), (Kind::Recipient, 1)] {
        assert_eq!(lab.stored(kind).await.len(), number, "{named}: {kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn behaviour_survives_every_lost_answer() {
    sweep(On::Sqlite, Wrong::LostAnswer, some_behaviour, SyncType::Events, all_there_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn behaviour_survives_lost_answers_of_the_crm() {
    sweep(On::WebApi, Wrong::LostInCrm, some_behaviour, SyncType::Events, all_there_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn behaviour_survives_death_at_every_call() {
    sweep(On::Sqlite, Wrong::Death, some_behaviour, SyncType::Events, all_there_once).await;
}
