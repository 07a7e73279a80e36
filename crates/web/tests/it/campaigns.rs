//! Campaigns, reports and sends in REST and pages. What the flows would have read is put into the tables as they put it; the
//! CRM is real, and nobody answers for the service.

use futures_util::FutureExt;
use postroom_core::marketing::{Click, ContactId, Open, Recipient, RoiDetail};
use postroom_core::{Change, ChangeSet, Query, Record, RecordRef};
use postroom_marketing::events::facts::{self, Row as _};
use postroom_marketing::events::{Settings, rows};
use postroom_marketing::sends::row::{self, CampaignSend, Details, Evidence, Request, Target, Word};
use postroom_marketing::sends::state::State;
use postroom_marketing::solution::options::Set;
use postroom_operations::{Actor, Role, Scope, SolutionAsk};
use postroom_store::Insert;
use serde_json::json;
use uuid::Uuid;

use crate::house::{Browser, House};
use crate::openapi::{check, document};

/// The campaign's number, with a name that is awkward in pages.
pub const CAMPAIGN: i64 = 4711;
const NAME: &str = "Spring <news> & o'brien+x";
pub const LIST: &str = "00000000-0000-0000-0000-00000000115a";

/// Sends of [`furnish`], by what holds them.
pub struct Sends {
    pub approval: Uuid,
    pub question: Uuid,
    pub lost: Uuid,
    pub sent: Uuid,
}

async fn write(house: &House, record: Record) {
    let set = ChangeSet { changes: vec![Change::Create(record)] };
    house.engine.crm.apply(vec![set]).await.remove(0).unwrap();
}

/// The solution, the account as it was once reached, and a list with a contact who may be mailed, one who may not, and one
/// without an address.
async fn furnish_crm(house: &House) {
    let ask = SolutionAsk::default();
    house.operations.solution_install(&Actor::console(), &ask, |_| {}).await.unwrap();
    let now = house.clock.now().as_microsecond();
    let store = house.store();
    let unit = store.write("test.account", move |tx| {
        async move {
            let columns =
                ["name", "region", "service_id", "endpoint", "state", "first_exchange", "exchanged"];
            let mut account = Insert::into("sync_account", &columns).or_skip();
            account.row([
                "main".into(),
                "r1".into(),
                7_i64.into(),
                "https://r1-api.example".into(),
                "connected".into(),
                now.into(),
                now.into(),
            ]);
            tx.insert(&account).await?;
            let columns = [
                "account", "id", "name", "status", "sent", "header", "totals", "counted", "gone", "seen",
                "told", "made", "version",
            ];
            let mut campaigns = Insert::into("campaign", &columns);
            let totals = r#"{"esc_numtotalsent":3,"esc_numtotalopens":3,"esc_numtotaluniqueopens":1,"esc_numtotalclicks":2,"esc_numrecipientsclicked":2,"esc_numorders":1,"esc_revenue":{"d":"99.50"}}"#;
            for (id, name, totals) in [(CAMPAIGN, NAME, Some(totals)), (12, "Never sent", None)] {
                campaigns.row([
                    "main".into(),
                    id.into(),
                    name.into(),
                    if totals.is_some() { "Sent" } else { "Unsent" }.into(),
                    totals.map(|_| now).into(),
                    r#"{"esc_subject":"Pumps for spring"}"#.into(),
                    totals.into(),
                    totals.map(|_| now).into(),
                    false.into(),
                    1_i64.into(),
                    true.into(),
                    true.into(),
                    1_i64.into(),
                ]);
            }
            tx.insert(&campaigns).await
        }
        .boxed()
    });
    let done: Result<u64, postroom_store::Error> = unit.await;
    done.unwrap();
    let connected = house.engine.connect(house.engine.account("main").unwrap()).await.unwrap();
    write(house, Record::new(connected.row()).with("esc_name", "main")).await;
    let campaign =
        RecordRef::new("esc_emailcampaign", connected.key.campaign(CAMPAIGN).id("esc_emailcampaign"));
    let row = Record::new(campaign)
        .with("esc_name", "Spring")
        .with("esc_emailaccountid", connected.row())
        .with("esc_servicecampaignid", CAMPAIGN);
    write(house, row).await;
    let list = RecordRef::new("list", LIST.parse().unwrap());
    let row = Record::new(list.clone())
        .with("listname", "Pump owners")
        .with("createdfromcode", 2)
        .with("type", false)
        .with("esc_activatedforemail", true)
        .with("esc_emailaccountid", connected.row());
    write(house, row).await;
    let people = [("fine@x.example", false), ("out@x.example", true), ("", false)];
    for (number, (address, out)) in (1_u128..).zip(people) {
        let contact = RecordRef::new("contact", Uuid::from_u128(0xca4 << 16 | number));
        let row = Record::new(contact.clone()).with("lastname", "Reader").with("donotbulkemail", out);
        write(house, if address.is_empty() { row } else { row.with("emailaddress1", address) }).await;
        let member = Record::new(RecordRef::new("listmember", Uuid::from_u128(0x3e3 << 16 | number)));
        write(house, member.with("listid", list.clone()).with("entityid", contact)).await;
    }
}

/// Three recipients; opens by a person and by machines, clicks on two links, a purchase.
async fn furnish_events(house: &House) {
    let now = house.clock.now();
    let at = |hours: i64| Some(now - jiff::SignedDuration::from_hours(hours));
    let contact = |number: i64| Some(ContactId(number));
    let mut events: Vec<facts::Event> = Vec::new();
    for number in 1..=3 {
        let opened = u64::from(number == 1);
        let row = Recipient {
            contact: contact(number),
            email: format!("p{number}@x.example"),
            sent_at: at(30),
            opens: 2 * opened,
            clicks: u64::from(number < 3),
            unsubscribed: number == 3,
            ..Recipient::default()
        };
        events.push(row.event(CAMPAIGN).unwrap());
    }
    for (number, hours, agent) in [
        (1, 29, "Firefox/128.0"),
        (1, 4, "Firefox/128.0"),
        (2, 29, "Firefox/11.0 (via ggpht.com GoogleImageProxy)"),
    ] {
        let row = Open {
            contact: contact(number),
            at: at(hours),
            user_agent: Some(agent.into()),
            ..Open::default()
        };
        events.push(row.event(CAMPAIGN).unwrap());
    }
    for (number, url) in [(1, "https://shop.example/spring?a=1&b=<2>"), (2, "https://shop.example/manual")] {
        let row = Click { contact: contact(number), url: url.into(), at: at(3), ..Click::default() };
        events.push(row.event(CAMPAIGN).unwrap());
    }
    let bought = RoiDetail {
        contact: contact(1),
        marker: "Order".into(),
        value: "99.50".into(),
        at: at(2),
        ..RoiDetail::default()
    };
    events.push(bought.event(CAMPAIGN).unwrap());
    let key = postroom_marketing::keys::Account::new("r1", 7);
    facts::number(&key, &mut events);
    // As the streams mark them.
    for event in &mut events {
        event.machine = serde_json::to_string(&event.facts).unwrap().contains("GoogleImageProxy");
    }
    let store = house.store();
    let unit = store.write("test.events", move |tx| {
        async move {
            let fresh = |event| rows::fresh(event, &Settings::default(), now, None);
            rows::put(tx, "main", events.into_iter().map(fresh).collect()).await
        }
        .boxed()
    });
    let done: Result<(), postroom_store::Error> = unit.await;
    done.unwrap();
}

async fn furnish_sends(house: &House) -> Sends {
    let now = house.clock.now();
    let users = house.engine.crm.query(&Query::of("systemuser").select(&["fullname"])).await.unwrap();
    let actor = users.first().map(|user| user.at.id);
    let send = |number: u128, state: State, change: fn(&mut Details)| {
        let target = Target { list: LIST.parse().unwrap(), name: "Pump owners".into() };
        let request = Request {
            campaign_name: NAME.into(),
            actor,
            lists: vec![target],
            expected: Some(6000),
            ..Request::default()
        };
        let asked = Some(now - jiff::SignedDuration::from_mins(i64::try_from(number).unwrap()));
        let mut details = Details { request, asked, members: 6002, to_send: 6000, ..Details::default() };
        details.left_out = [("opted_out".to_owned(), 2)].into();
        change(&mut details);
        let (account, campaign) = ("main".to_owned(), Some(CAMPAIGN));
        let id = Uuid::from_u128(0x5e4d_0000 + number);
        CampaignSend { id, account, campaign, state, version: 1, told: 1, wake: None, list: None, details }
    };
    let sends = [
        send(1, State::Due, |_| {}),
        send(2, State::Snapshot, |details| {
            details.question = Some("6000 people would be mailed, and 5 were expected".into());
        }),
        send(3, State::Unknown, |details| {
            let looked = "2026-03-10T09:00:00Z".parse().unwrap();
            let campaign = "Sending".to_owned();
            details.evidence = Some(Evidence { looked, list: false, recipients: 0, first: None, campaign });
        }),
        send(4, State::Sent, |details| {
            let at = "2026-03-10T09:00:00Z".parse().unwrap();
            (details.sent, details.approved) = (Some(at), Some(Word { who: "Tom".into(), at }));
        }),
    ];
    let [approval, question, lost, sent] = [0, 1, 2, 3].map(|place: usize| sends[place].id);
    let store = house.store();
    let unit = store.write("test.sends", move |tx| async move { row::add(tx, &sends).await }.boxed());
    let done: Result<u64, postroom_store::Error> = unit.await;
    assert_eq!(done.unwrap(), 4);
    Sends { approval, question, lost, sent }
}

/// Everything that the pages of campaigns and sends have to show.
pub async fn furnish(house: &House) -> Sends {
    furnish_crm(house).await;
    furnish_events(house).await;
    furnish_sends(house).await
}

#[track_caller]
fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
}

#[track_caller]
fn lacks(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(!page.contains(part), "{part:?} in {page}");
    }
}

async fn seen(house: &House, who: &Browser, path: &str) -> String {
    let answer = house.look(who, path).send().await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.page()
}

#[tokio::test]
async fn a_campaign_shows_what_came_of_it_and_whom_it_would_reach() {
    let house = House::with_marketing().await;
    furnish(&house).await;
    let (owner, viewer) = (house.browser(Role::Owner).await, house.browser(Role::Viewer).await);
    has(
        &seen(&house, &viewer, "/campaigns").await,
        &["Spring &lt;news&gt;", "3 people", "Never sent", "nobody yet"],
    );
    let path = format!("/campaigns/main/{CAMPAIGN}");
    let page = seen(&house, &owner, &path).await;
    has(
        &page,
        &[
            "It went to 3 people",
            "2 opens by people and 1 by machines",
            "2 clicks by people and 0 by machines",
            "https://shop.example/spring?a=1&amp;b=&lt;2&gt;",
            "99.50",
            "unsubscribes",
            "role=\"img\"",
            "Pump owners",
            "33.3 %",
        ],
    );
    lacks(&page, &["<news>", "<script>alert"]);
    lacks(&seen(&house, &viewer, &path).await, &["Count people"]);
    // Nobody answers there: the page stands, and says so.
    has(
        &seen(&house, &owner, &format!("{path}?ask=yes")).await,
        &["It was not asked", "It went to 3 people"],
    );

    let reach = format!("{path}/audience?list={LIST}");
    let page = seen(&house, &owner, &reach).await;
    has(
        &page,
        &["<strong>1</strong> of 3 people", "opted out", "out@x.example", "no address", "fine@x.example"],
    );
    assert_eq!(house.look(&viewer, &reach).send().await.status, 403);
    has(&seen(&house, &owner, &format!("{path}/audience")).await, &["name at least one list"]);

    let id = Uuid::from_u128(0xa5c);
    let form = |expected: &str, at: &str| format!("lists={LIST}&expected={expected}&at={at}&id={id}");
    let send = |who, form: String| house.submit(who, &format!("{path}/send"), &form).send();
    let wrong = send(&owner, form("7", "")).await;
    assert_eq!(wrong.status, 422, "{}", wrong.page());
    has(&wrong.page(), &["1 people would be mailed, and 7 were expected", "value=\"7\""]);
    assert_eq!(send(&owner, form("", "")).await.status, 422);
    assert_eq!(send(&viewer, form("1", "")).await.status, 403);
    let operator = house.browser(Role::Operator).await;
    assert_eq!(send(&operator, form("1", "")).await.status, 403, "a send needs a marketer");
    for _ in 0..2 {
        let asked = send(&owner, form("1", "2999-03-10T09:00")).await;
        assert_eq!(asked.header("location"), "/sends?done=send-asked", "{}", asked.page());
    }
    let rows = house.engine.crm.query(&Query::of("esc_emailsend")).await.unwrap();
    assert_eq!(rows.len(), 1, "the same form twice asks once");
    let requested = Set::SendStatus.value("Requested").map(i64::from);
    assert_eq!((rows[0].at.id, rows[0].int("esc_sendstatus")), (id, requested));
    assert_eq!(rows[0].int("esc_expectedcount"), Some(1));
    let audit = house.operations.audit_of(&Actor::console(), &id.to_string(), 9).await.unwrap();
    assert!(audit.iter().all(|entry| entry.action == "send.request" && entry.actor == "owner"), "{audit:?}");
}

#[tokio::test]
async fn a_send_shows_what_holds_it_and_only_the_orders_that_one_may_give() {
    let house = House::with_marketing().await;
    let sends = furnish(&house).await;
    let (owner, viewer) = (house.browser(Role::Owner).await, house.browser(Role::Viewer).await);
    let list = seen(&house, &viewer, "/sends").await;
    has(
        &list,
        &[
            "waits until a second person approves",
            "5 were expected",
            "no trace of the send",
            "It went to 6000",
        ],
    );
    lacks(&seen(&house, &viewer, "/sends?state=held").await, &["It went to 6000"]);
    has(&seen(&house, &viewer, "/sends?state=paused").await, &["No such send"]);
    let page = |id: Uuid| format!("/sends/{id}");
    let orders = |id: Uuid, order: &str| format!("/sends/{id}/{order}");
    lacks(&seen(&house, &viewer, &page(sends.approval)).await, &["Approve</button>", "/pause"]);
    for order in ["approve", "pause", "cancel", "expect", "found"] {
        let refused = house.submit(&viewer, &orders(sends.approval, order), "expected=1").send().await;
        assert_eq!(refused.status, 403, "{order}");
    }
    has(&seen(&house, &owner, &page(sends.approval)).await, &["/approve", "/pause", "/cancel", "opted out"]);
    let done = house.submit(&owner, &orders(sends.approval, "approve"), "").send().await;
    assert_eq!(done.header("location"), format!("/sends/{}?done=send-ordered", sends.approval));
    has(&seen(&house, &owner, &page(sends.approval)).await, &["Approved by", "owner"]);
    house.submit(&owner, &orders(sends.approval, "pause"), "").send().await;
    has(&seen(&house, &owner, &page(sends.approval)).await, &["Somebody paused it", "/resume"]);
    has(&seen(&house, &owner, &page(sends.question)).await, &["How many people are right?"]);
    house.submit(&owner, &orders(sends.question, "expect"), "expected=6000").send().await;
    lacks(&seen(&house, &owner, &page(sends.question)).await, &["How many people are right?"]);
    has(&seen(&house, &owner, &page(sends.lost)).await, &["/found", "/unsent", "That proves nothing"]);
    let late = house.submit(&owner, &orders(sends.sent, "cancel"), "").send().await;
    assert_eq!(late.status, 409, "{}", late.page());
    let nothing = house.submit(&owner, &orders(sends.sent, "explode"), "").send().await;
    assert_eq!(nothing.status, 404);
}

#[tokio::test]
async fn answers_about_campaigns_are_as_described() {
    let house = House::with_marketing().await;
    let sends = furnish(&house).await;
    let (owner, document) = (house.browser(Role::Owner).await, document());
    let base = "/api/v1/marketing";
    let one = "/api/v1/marketing/campaigns/{account}/{campaign}";
    let cases = [
        (format!("{base}/campaigns"), format!("{base}/campaigns?limit=1")),
        (one.to_owned(), format!("{base}/campaigns/main/{CAMPAIGN}")),
        (format!("{one}/report"), format!("{base}/campaigns/main/{CAMPAIGN}/report?ask=true")),
        (format!("{base}/sends"), format!("{base}/sends?state=unknown")),
        (format!("{base}/sends/{{id}}"), format!("{base}/sends/{}", sends.sent)),
    ];
    for (pattern, path) in cases {
        let answer = house.look(&owner, &path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let schema =
            &document["paths"][&pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        check(&document, schema, &answer.json(), &pattern);
    }
    let first = house.look(&owner, &format!("{base}/campaigns?limit=1")).send().await.json();
    let next = first["next"].as_str().unwrap().replace('/', "%2F");
    let rest = house.look(&owner, &format!("{base}/campaigns?limit=1&cursor={next}")).send().await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&json!(12), &json!(null)), "{first} {rest}");

    let named = |name: &str| document["components"]["schemas"][name].clone();
    let post = |who: &Browser, path: &str, body: &str| {
        house
            .post(&format!("{base}{path}"))
            .header("Cookie", &who.cookie)
            .header("X-CSRF-Token", &who.csrf)
            .header("Sec-Fetch-Site", "same-origin")
            .body("application/json", body.to_owned())
    };
    let campaign = format!("/campaigns/main/{CAMPAIGN}");
    let lists = "{\"lists\":[\"Pump owners\"]}";
    let audience = post(&owner, &format!("{campaign}/audience"), lists).send().await;
    assert_eq!(audience.status, 200, "{}", audience.text());
    check(&document, &named("CampaignAudience"), &audience.json(), "audience");
    assert_eq!((&audience.json()["to_send"], &audience.json()["people"]), (&json!(1), &json!(3)));
    let order = |expected: u64| format!("{{\"lists\":[\"{LIST}\"],\"expected_count\":{expected}}}");
    let trial = post(&owner, &format!("{campaign}/send?dry_run=true"), &order(1)).send().await;
    check(&document, &named("SendOrder"), &trial.json(), "order");
    assert_eq!(trial.json()["id"], json!(null));
    let refused = post(&owner, &format!("{campaign}/send"), &order(2)).send().await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("PR-5019")), "{}", refused.text());
    let change = post(&owner, &format!("/sends/{}/pause?dry_run=true", sends.approval), "{}").send().await;
    check(&document, &named("SendChange"), &change.json(), "change");
    assert_eq!(change.json()["send"]["state"], "paused");
    let now = house.look(&owner, &format!("{base}/sends/{}", sends.approval)).send().await.json();
    assert_eq!(now["state"], "held", "a trial writes nothing");
    // An API token is an operator: it may count, and may not send.
    let token = house.token(Scope::Api).await;
    let denied = house
        .post(&format!("{base}{campaign}/send"))
        .bearer(&token)
        .body("application/json", order(1))
        .send()
        .await;
    assert_eq!((denied.status, &denied.json()["code"]), (403, &json!("PR-8003")));
}
