//! The marketing half in REST and pages: what stands in the ledger of runs is put there as the flows put it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::marketing::Polling;
use postroom_core::{Change, ChangeSet, Clock, Code, Ids, Query, Record, RecordRef, RunId, Secret};
use postroom_dotdigital::{Credentials, Dotdigital, Settings};
use postroom_marketing::Engine;
use postroom_marketing::engine::{Account, Rules, Scope as Whose, Settings as AccountSettings};
use postroom_marketing::mandate::{Mandate, Open};
use postroom_marketing::solution::mark::Connector;
use postroom_marketing::sync::run::{self, Ending};
use postroom_marketing::sync::{Counts, Reject, Run, RunState, Side, SyncType};
use postroom_operations::marketing::Duty;
use postroom_operations::{Actor, Door, Role, Scope, TokenOrder};
use postroom_tracking::filing::Filing;
use uuid::Uuid;

use crate::house::House;
use crate::openapi::{check, document};

/// An address that is awkward in paths, queries and tables.
const ODD: &str = "o'brien+x@example.com";

/// An engine whose account, if there is one, is at this address. Nothing begins by itself, and nothing waits.
pub fn engine(filing: &Filing, service: Option<&str>) -> Engine {
    let mut accounts = BTreeMap::new();
    if let Some(url) = service {
        let mut settings = Settings::new(url).unwrap().with_endpoint(url).unwrap();
        (settings.tries, settings.pause) = (1, Duration::from_millis(1));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let credentials =
            Credentials { user: "apiuser-demo@apiconnector.com".into(), password: Secret::new("hunter2") };
        let service = Arc::new(Dotdigital::new(settings, http, credentials, Clock::system(), Ids::random()));
        let every = SyncType::ALL.iter().map(|sync_type| (*sync_type, None)).collect();
        let settings = AccountSettings { every, scope: Whose::Everybody, ..AccountSettings::default() };
        let account = Account { name: "main".to_owned(), service, settings: Arc::new(settings) };
        accounts.insert("main".to_owned(), account);
    }
    let connector = Connector { id: filing.rules.installation.to_string(), name: "postroom".to_owned() };
    Engine {
        store: filing.store.clone(),
        clock: filing.clock.clone(),
        ids: filing.ids.clone(),
        crm: filing.crm.clone(),
        accounts: Arc::new(accounts),
        rules: Arc::new(Rules {
            polling: Polling { first: SignedDuration::ZERO, longest: SignedDuration::ZERO },
            ..Rules::default()
        }),
        mandate: Arc::new(Mandate::new(connector, Open)),
    }
}

/// A run that ended, with two rows that the service did not take when it is `Partly`.
pub async fn ran(house: &House, sync_type: SyncType, state: RunState, reason: Option<&str>) -> RunId {
    let (ids, now) = (house.engine.ids.clone(), house.clock.now());
    let rejected = if state == RunState::Partly { 2 } else { 0 };
    let side = Side { sent: 5 + rejected, new: 3, changed: 1, same: 1, rejected, suppressed: 0 };
    let mut counts = Counts { read: 12, to_service: side, ..Counts::default() };
    counts.skip("no address", 5);
    let fresh = Run {
        id: RunId(ids.next()),
        account: "main".into(),
        sync_type,
        asked: "anna".into(),
        dry: false,
        confirmed: false,
        state: RunState::Running,
        started: now,
        ended: None,
        counts: counts.clone(),
        code: None,
        reason: None,
        undoes: None,
    };
    let id = fresh.id;
    let rejects: Vec<Reject> = (0..rejected)
        .map(|number| Reject {
            subject: format!("contact/{}", Uuid::from_u128(u128::from(number) + 7)),
            code: Some(Code::MARKETING_DATA),
            reason: "the address cannot be used".into(),
            sent: format!("{{\"email\":\"<{ODD}>\",\"number\":{number}}}"),
            received: "ERROR_CONTACT_INVALID".into(),
        })
        .collect();
    let reason = reason.map(str::to_owned);
    let unit = house.engine.store.write("test.ran", move |tx| {
        async move {
            run::begin(tx, &fresh).await?;
            run::reject(tx, &ids, now, (id, "main", sync_type), &rejects).await?;
            run::end(tx, id, now, &counts, &Ending { state, code: None, reason }).await
        }
        .boxed()
    });
    let done: Result<(), postroom_store::Error> = unit.await;
    done.unwrap();
    id
}

/// Everything that the marketing pages have to show.
pub async fn furnish(house: &House) -> [RunId; 2] {
    let question = "25 of 25 would be suppressed at the service, which is more than is done without asking";
    ran(house, SyncType::Suppressions, RunState::Done, None).await;
    let partly = ran(house, SyncType::Contacts, RunState::Partly, None).await;
    let held = ran(house, SyncType::Lists, RunState::Held, Some(question)).await;
    let asking = |address: &str| postroom_operations::marketing::Asking {
        address: address.into(),
        reason: Some("DirectComplaint".into()),
        ..Default::default()
    };
    for address in [ODD, "anna@customer.example"] {
        house.operations.suppress(&Actor::console(), &asking(address), false).await.unwrap();
    }
    [partly, held]
}

#[tokio::test]
async fn the_overview_shows_each_type_and_what_waits_for_a_person() {
    let house = House::with_marketing().await;
    let [partly, held] = furnish(&house).await;
    let operator = house.browser(Role::Operator).await;
    let page = house.look(&operator, "/sync").send().await.page();
    for part in [
        "Needs you",
        "25 of 25 would be suppressed",
        "2 rows were rejected.",
        "Opt-outs have not been exchanged yet",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    assert!(page.contains(&format!("/sync/runs/{partly}")) && page.contains(&format!("/sync/runs/{held}")));
    assert!(
        page.contains("Sync now") && !page.contains("accounts/main/pause"),
        "an operator pauses no account"
    );
    let viewer = house.browser(Role::Viewer).await;
    assert!(!house.look(&viewer, "/sync").send().await.page().contains("Sync now"));

    let order = house.submit(&operator, "/sync/accounts/main/contacts/run", "").send().await;
    assert_eq!((order.status, order.header("location")), (303, "/sync?done=asked"));
    assert!(house.look(&operator, "/sync").send().await.page().contains("asked for by operator"));
    let owner = house.browser(Role::Owner).await;
    let paused = house.submit(&owner, "/sync/accounts/main/pause", "").send().await;
    assert_eq!(paused.header("location"), "/sync?done=account-paused");
    assert!(house.look(&owner, "/sync").send().await.page().contains("Paused by owner."));
}

#[tokio::test]
async fn a_run_shows_counts_that_add_up_and_both_payloads_and_gives_rows_another_try() {
    let house = House::with_marketing().await;
    let [partly, held] = furnish(&house).await;
    let operator = house.browser(Role::Operator).await;
    let path = format!("/sync/runs/{partly}");
    let page = house.look(&operator, &path).send().await.page();
    for part in [
        "They add up",
        "no address",
        "ERROR_CONTACT_INVALID",
        "&lt;o&#x27;brien+x@example.com&gt;",
        "PR-5013",
    ] {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    let rows =
        house.get("/api/v1/marketing/rejected").bearer(&house.token(Scope::Api).await).send().await.json();
    let row = rows["items"][0]["id"].as_str().unwrap();
    let one = house.submit(&operator, &format!("{path}/replay"), &format!("row={row}")).send().await;
    assert_eq!(one.header("location"), format!("{path}?done=put-back"));
    let rest = house.submit(&operator, &format!("{path}/replay"), "").send().await;
    assert_eq!(rest.header("location"), format!("{path}?done=put-back"));
    let none = house.submit(&operator, &format!("{path}/replay"), "").send().await;
    assert_eq!(none.header("location"), format!("{path}?done=as-it-was"));
    assert!(house.look(&operator, "/sync").send().await.page().contains("asked for by operator"));

    let path = format!("/sync/runs/{held}");
    assert!(house.look(&operator, &path).send().await.page().contains("Go on"));
    let confirmed = house.submit(&operator, &format!("{path}/confirm"), "").send().await;
    assert!(confirmed.header("location").ends_with("?done=confirmed"), "{}", confirmed.page());
    let again = house.submit(&operator, &format!("{path}/confirm"), "").send().await;
    assert_eq!(again.status, 409, "{}", again.page());
}

#[tokio::test]
async fn an_opt_out_is_entered_looked_up_and_lifted_only_with_newer_proof() {
    let house = House::with_marketing().await;
    let operator = house.browser(Role::Operator).await;
    let odd = "o%27brien%2Bx%40example.com";
    let wrong = house.submit(&operator, "/suppressions/add", "address=nobody").send().await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.page().contains("is no e-mail address") && wrong.page().contains("value=\"nobody\""));
    let added = house.submit(&operator, "/suppressions/add", &format!("address={odd}")).send().await;
    assert!(added.header("location").ends_with("&done=suppressed"), "{}", added.header("location"));
    let looked = house.look(&operator, added.header("location")).send().await.page();
    assert!(looked.contains("It gets no marketing mail") && looked.contains("by operator"), "{looked}");
    let again = house.submit(&operator, "/suppressions/add", &format!("address={odd}")).send().await;
    assert!(again.header("location").ends_with("&done=as-it-was"));

    let lift =
        |fields: &str| house.submit(&operator, "/suppressions/lift", &format!("address={odd}&{fields}"));
    let said = house.clock.now().strftime("%Y-%m-%dT%H%%3A%M%%3A%S%.6f").to_string();
    let no_proof = lift(&format!("proof=&at={said}")).send().await;
    assert!(no_proof.status == 422 && no_proof.page().contains("say what shows"), "{}", no_proof.page());
    let older = lift("proof=ticket+1&at=2020-01-01").send().await;
    assert!(older.status == 422 && older.page().contains("it stands"), "{}", older.page());
    let future = lift("proof=ticket+1&at=2999-01-01").send().await;
    assert!(future.status == 422 && future.page().contains("future"), "{}", future.page());
    let undated = lift("proof=ticket+1&at=").send().await;
    assert!(undated.status == 422 && undated.page().contains("Say when"), "{}", undated.page());
    let said = house.clock.now().strftime("%Y-%m-%dT%H%%3A%M%%3A%S%.6f").to_string();
    let lifted = lift(&format!("proof=ticket+4711&at={said}")).send().await;
    assert!(lifted.header("location").ends_with("&done=lifted"), "{}", lifted.page());
    let looked = house.look(&operator, lifted.header("location")).send().await.page();
    assert!(
        looked.contains("Nothing holds marketing mail back") && looked.contains("ticket 4711"),
        "{looked}"
    );
    let audit = house.operations.audit_of(&Actor::console(), ODD, 9).await.unwrap();
    let actions: Vec<&str> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["suppression.lift", "suppression.add", "suppression.add"]);
}

#[tokio::test]
async fn marketing_answers_are_as_described() {
    let house = House::with_marketing().await;
    let [partly, _] = furnish(&house).await;
    let (owner, document) = (house.browser(Role::Owner).await, document());
    let cases = [
        ("/api/v1/marketing/accounts", "/api/v1/marketing/accounts".to_owned()),
        ("/api/v1/marketing/sync", "/api/v1/marketing/sync?account=main".into()),
        ("/api/v1/marketing/runs", "/api/v1/marketing/runs?limit=1".into()),
        ("/api/v1/marketing/runs/{id}", format!("/api/v1/marketing/runs/{partly}")),
        ("/api/v1/marketing/rejected", format!("/api/v1/marketing/rejected?run={partly}&limit=1")),
        ("/api/v1/marketing/suppressions", "/api/v1/marketing/suppressions?limit=1".into()),
        (
            "/api/v1/marketing/suppressions/check",
            "/api/v1/marketing/suppressions/check?address=o%27brien%2Bx%40example.com".into(),
        ),
    ];
    for (pattern, path) in cases {
        let answer = house.look(&owner, &path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let schema =
            &document["paths"][pattern]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        check(&document, schema, &answer.json(), pattern);
    }
    let token = house.token(Scope::Api).await;
    let named = |name: &str| document["components"]["schemas"][name].clone();
    let sent = async |path: &str, body: &str| {
        let kind = if path.contains("/import") { "text/csv" } else { "application/json" };
        let answer =
            house.post(&format!("/api/v1/marketing{path}")).bearer(&token).body(kind, body).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let file = "email,reason\nnew@x.example,\nnobody,\no'brien+x@example.com,\n";
    let report = sent("/suppressions/import?dry_run=true", file).await;
    check(&document, &named("SuppressReport"), &report, "import");
    assert_eq!((&report["new"], &report["rejected"][0]["line"]), (&1.into(), &3.into()), "{report}");
    let order = sent("/sync/main/contacts/run?dry_run=true", "").await;
    check(&document, &named("SyncOrder"), &order, "order");
    let replayed = sent("/rejected/replay", &format!("{{\"run\":\"{partly}\"}}")).await;
    check(&document, &named("Replayed"), &replayed, "replayed");
    let body = serde_json::json!({ "address": ODD, "proof": "page 7", "at": house.clock.now() }).to_string();
    let lifted = sent("/suppressions/lift", &body).await;
    check(&document, &named("LiftReport"), &lifted, "lifted");
    // Nobody answers there: the check says how far it came.
    let found = house.operations.check_account(&Actor::console(), "main").await.unwrap();
    assert!(!found.ok, "{found:?}");
    check(&document, &named("AccountCheck"), &serde_json::to_value(&found).unwrap(), "check");
    let steps: Vec<(&str, bool)> = found.steps.iter().map(|step| (step.name.as_str(), step.ok)).collect();
    assert_eq!(steps[..2], [("name", true), ("reach", false)], "{found:?}");
    assert!(steps.contains(&("crm contact", true)) && steps.contains(&("crm esc_emailaccount", false)));
}

/// A page user is the CRM's user of that name, and the CRM's roles decide, whatever the sign-in link said.
#[tokio::test]
async fn the_crm_s_roles_decide_for_its_users() {
    let house = House::with_marketing().await;
    let users = house.engine.crm.query(&Query::of("systemuser").select(&["businessunitid"])).await.unwrap();
    let unit = users.iter().find_map(|user| user.lookup("businessunitid")).cloned().unwrap();
    let user = RecordRef::new("systemuser", Uuid::from_u128(0x4040));
    let row = Record::new(user.clone())
        .with("firstname", "Ines")
        .with("lastname", "Baumann")
        .with("domainname", "ines")
        .with("businessunitid", unit.clone());
    let made = vec![ChangeSet { changes: vec![Change::Create(row)] }];
    house.engine.crm.apply(made).await.remove(0).unwrap();
    let actor = |name: &str, signed_in: bool| Actor {
        name: name.into(),
        role: Role::Operator,
        door: Door::Page,
        signed_in,
    };
    let may = async |actor: &Actor, duty| house.operations.has_duty(actor, duty).await.unwrap();
    let (ines, stranger) = (actor("Ines Baumann", true), actor("Somebody", true));
    assert!(may(&stranger, Duty::Sync).await && may(&actor("Ines Baumann", false), Duty::Sync).await);
    assert!(!may(&ines, Duty::View).await, "a user without a marketing role sees nothing");
    // So it is for a token that acts as her, which is an operator for mail.
    let life = std::time::Duration::from_secs(3600);
    let order = |user| TokenOrder { scope: Scope::Api, name: "nightly", user: Some(user), life };
    let token = house.operations.create_token(&Actor::console(), order("ines")).await.unwrap();
    assert_eq!(token.user, Some(user.id));
    let stranger = house.operations.create_token(&Actor::console(), order("nobody")).await;
    assert_eq!(stranger.unwrap_err().code, Code::API_NOT_FOUND);
    let ask = async |path: &str| house.get(path).bearer(&token.token).send().await.status;
    assert_eq!((ask("/api/v1/messages").await, ask("/api/v1/marketing/accounts").await), (200, 403));
    let role = RecordRef::new("role", Uuid::from_u128(0x4041));
    let given = RecordRef::new("systemuserroles", Uuid::from_u128(0x4042));
    let rows = [
        Record::new(role.clone()).with("name", "Email Marketing Viewer").with("businessunitid", unit),
        Record::new(given).with("systemuserid", user.id).with("roleid", role.id),
    ];
    for row in rows {
        let set = ChangeSet { changes: vec![Change::Create(row)] };
        house.engine.crm.apply(vec![set]).await.remove(0).unwrap();
    }
    assert!(may(&ines, Duty::View).await);
    assert_eq!(ask("/api/v1/marketing/accounts").await, 200);
    let gone = Actor { name: Uuid::from_u128(0x4049).to_string(), ..ines.clone() };
    let refused = house.operations.needs_duty(&gone, Duty::View).await;
    assert_eq!(refused.unwrap_err().code, Code::API_DENIED, "a token outlives its user, and may nothing");
    let refused = house.operations.sync_now(&ines, "main", SyncType::Contacts, false).await;
    assert_eq!(refused.unwrap_err().code, Code::API_DENIED);
}
