//! Signing in, regions, accounts, call limits, and the file.

use jiff::SignedDuration;
use postroom_core::Clock;
use postroom_sandbox::dotdigital::{AccountOptions, ApiUser, Dotdigital, Limit, Options, Region};
use serde_json::{Value, json};

use super::{PASSWORD, USER, basic, monday, request, service, start};

#[test]
fn a_wrong_password_is_401_and_five_lock_the_user() {
    let service = start();
    let ask = |password: &str| {
        request(&service.base, "GET", "/v2/server-time", &basic(USER, password), "").unwrap().status
    };
    assert_eq!(ask(PASSWORD), 200);
    for _ in 0..5 {
        assert_eq!(ask("wrong"), 401);
    }
    assert_eq!(ask(PASSWORD), 401, "locked");
    service.sandbox.advance(SignedDuration::from_mins(31));
    assert_eq!(ask(PASSWORD), 200);
    let nobody = request(&service.base, "GET", "/contacts/v3", "", "").unwrap();
    assert_eq!((nobody.status, nobody.body.as_str()), (401, ""));
}

fn account(id: i32, region: Region, user: &str) -> AccountOptions {
    let user = ApiUser { name: user.into(), password: PASSWORD.into(), limit: Limit::None };
    AccountOptions { id, name: format!("Account {id}"), region, users: vec![user], most_contacts: None }
}

#[test]
fn the_wrong_region_refuses_and_the_first_tells_the_right_one() {
    let accounts = vec![account(1, Region::R1, "one"), account(2, Region::R3, "two")];
    let sandbox = Dotdigital::start(Options { accounts, ..Options::default() }, Clock::manual(monday()));
    let ask = |region, path: &str, user: &str| {
        request(&sandbox.url(region), "GET", path, &basic(user, PASSWORD), "").unwrap()
    };
    assert_eq!(ask(Region::R1, "/v2/contacts", "two").status, 403);
    assert_eq!(ask(Region::R2, "/v2/account-info", "two").status, 403);
    let info = ask(Region::R1, "/v2/account-info", "two").json();
    let properties = info["properties"].as_array().unwrap();
    let endpoint = properties.iter().find(|property| property["name"] == "ApiEndpoint").unwrap();
    assert_eq!(
        (&info["id"], endpoint["value"].as_str()),
        (&json!(2), Some(sandbox.url(Region::R3).as_str()))
    );
    assert_eq!(ask(Region::R3, "/v2/contacts", "two").status, 200);
    assert_eq!(ask(Region::R1, "/v2/contacts", "one").status, 200);
}

#[test]
fn accounts_know_nothing_of_each_other() {
    let accounts = vec![account(1, Region::R1, "one"), account(2, Region::R1, "two")];
    let sandbox = Dotdigital::start(Options { accounts, ..Options::default() }, Clock::manual(monday()));
    let ask = |user: &str, method: &str, body: &str| {
        request(&sandbox.url(Region::R1), method, "/v2/contacts", &basic(user, PASSWORD), body).unwrap()
    };
    assert_eq!(ask("one", "POST", r#"{"email":"a@x.io"}"#).status, 201);
    assert_eq!(ask("two", "GET", "").json(), json!([]));
    assert_eq!((sandbox.contacts(1), sandbox.contacts(2)), (1, 0));
}

#[test]
fn a_tier_says_in_its_headers_what_is_left() {
    let service = start();
    service.sandbox.limit(USER, Limit::Tiered { low: 2, medium: 5, high: 5 });
    let page = || service.ask("GET", "/v2/contacts", &Value::Null).unwrap();
    for left in ["1", "0"] {
        let reply = page();
        assert_eq!((reply.status, reply.header("x-ratelimit-remaining")), (200, left));
    }
    let reply = page();
    assert_eq!((reply.status, reply.header("x-ratelimit-scope")), (429, "lowCallRate"));
    let reset: i64 = reply.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset, monday().as_second() + 60);
    service.get("/v2/server-time");
    service.sandbox.advance(SignedDuration::from_secs(60));
    let reply = page();
    assert_eq!(reply.status, 200);
    // The answer's own time is of the clock by which the window ends.
    let date = jiff::fmt::rfc2822::parse(reply.header("date")).unwrap();
    assert_eq!(date.timestamp().as_second(), monday().as_second() + 60);
}

#[test]
fn the_flat_limit_is_a_400() {
    let service = start();
    service.sandbox.limit(USER, Limit::Flat { hourly: 2 });
    let info = service.get("/v2/account-info");
    let left =
        info["properties"].as_array().unwrap().iter().find(|it| it["name"] == "ApiCallsRemaining").unwrap();
    assert_eq!(left["value"], "1");
    service.get("/v2/server-time");
    service.refuses("GET", "/v2/server-time", Value::Null, 400, "ERROR_APIUSAGE_EXCEEDED");
    service.pass(1);
    service.get("/v2/server-time");
}

#[test]
fn the_file_keeps_accounts_and_time() {
    let folder = std::env::temp_dir().join(format!("postroom-dotdigital-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let options = || Options { file: Some(folder.join("state.json")), ..Options::one_account(PASSWORD) };
    let first = service(options());
    let list = first.list("L");
    first.member(list, "a@x.io");
    let campaign = first.campaign("C");
    first.send(campaign, &[list]);
    first.pass(2);
    drop(first);
    let second = service(options());
    assert_eq!(second.get(&format!("/v2/campaigns/{campaign}/activities"))[0]["email"], "a@x.io");
    assert_eq!(second.sandbox.person(1, "a@x.io").unwrap().lists, [list as i32]);
    assert_eq!(second.sandbox.now(), monday() + SignedDuration::from_hours(2));
    assert_eq!(second.contact("b@x.io"), 2);
    drop(second);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_plan_has_room_for_so_many_contacts() {
    let mut options = Options::one_account(PASSWORD);
    options.accounts[0].most_contacts = Some(1);
    let service = service(options);
    let people = ["a@x.io", "b@x.io"]
        .map(|email| json!({ "matchIdentifier": "email", "identifiers": { "email": email } }));
    let job = service.call("PUT", "/contacts/v3/import", json!({ "contacts": people }), 202);
    let path = format!("/contacts/v3/import/{}", job["importId"].as_str().unwrap());
    (0..2).for_each(|_| drop(service.get(&path)));
    assert_eq!(service.get(&path)["status"], "ExceedsAllowedContactLimit");
}
