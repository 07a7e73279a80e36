//! Campaigns and sends by commands: counted, refused, asked for, held, decided, and who may do which.

use std::time::Duration;

use postroom_core::marketing::{CampaignDraft, Campaigns as _, Content, ReplyAction};
use postroom_core::{Clock, Ids, Secret};
use postroom_crm::sign_in::Connection;
use postroom_dotdigital::{Credentials, Dotdigital as Client, Settings};
use postroom_embedded::seed::BUSINESS_UNIT;
use postroom_sandbox::dotdigital::{Dotdigital, Region};
use postroom_testkit::poll;
use serde_json::{Value, json};

use super::{ODD, PASSWORD, config, contact, opted_out, quiet, world};
use crate::house::{House, PATIENCE, wait_for};

pub const NAME: &str = "Spring & o'brien";
pub const LIST: &str = "00000000-0000-0000-0000-000000001157";

/// A campaign of the service, made there as a marketer would.
pub fn drafted(world: &Dotdigital) -> i64 {
    let mut settings = Settings::new(&world.url(Region::R1)).expect("an address");
    settings.timeout = Duration::from_secs(20);
    let connection = Connection { timeout: settings.timeout, ..Connection::default() };
    let http = connection.client().expect("a client");
    let user = "apiuser-demo@apiconnector.com".to_owned();
    let credentials = Credentials { user, password: Secret::new(PASSWORD) };
    let client = Client::new(settings, http, credentials, Clock::system(), Ids::random());
    let draft = CampaignDraft {
        name: NAME.to_owned(),
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
    wait_for(client.create_campaign(&draft)).expect("the stand-in makes it").id.0
}

pub fn member(number: u8) -> Value {
    let id = format!("00000000-0000-0000-0000-0000001157{number:02x}");
    let contact = format!("00000000-0000-0000-0000-0000000000{number:02x}");
    json!({ "table": "listmember", "id": id, "columns": { "listid": format!("list/{LIST}"), "entityid": format!("contact/{contact}") } })
}

/// A user of the CRM with one of the solution's roles.
fn user(house: &House, number: u8, name: &str, role: &str) {
    let id = format!("00000000-0000-0000-0000-0000005e{number:04x}");
    let roles = house.list(&["record", "list", "role", "--where", &format!("name={role}")]);
    let role = roles[0]["id"].as_str().expect("an id");
    let columns = json!({ "firstname": name, "lastname": "Baumann", "domainname": name,
        "businessunitid": format!("businessunit/{BUSINESS_UNIT}") });
    let held = json!({ "systemuserid": id, "roleid": role });
    house.records(&[
        json!({ "table": "systemuser", "id": id, "columns": columns }),
        json!({ "table": "systemuserroles", "id": format!("00000000-0000-0000-0000-0000006e{number:04x}"), "columns": held }),
    ]);
}

pub fn run(house: &House, sync_type: &str) {
    let run = house.one(&["marketing", "sync", "run", "main", sync_type, "--wait"]);
    assert_eq!(run["state"], "done", "{run}");
}

#[track_caller]
fn exits(house: &House, arguments: &[&str], exit: i32, part: &str) {
    let all: Vec<&str> = ["marketing", "campaign"].into_iter().chain(arguments.iter().copied()).collect();
    let said = house.run(&all);
    assert!(said.exit == exit && said.err.contains(part), "{arguments:?}: {} {}", said.exit, said.err);
}

/// A list with somebody who may be mailed and somebody who may not, a viewer and a manager.
fn furnished(world: &Dotdigital) -> House {
    let house = quiet(&config(world, false));
    run(&house, "suppressions");
    run(&house, "campaigns");
    let account = &house.list(&["record", "list", "esc_emailaccount"])[0]["id"];
    let account = account.as_str().expect("an id");
    let list = json!({ "listname": "Readers", "createdfromcode": 2, "type": false, "esc_activatedforemail": true,
        "esc_emailaccountid": format!("esc_emailaccount/{account}") });
    house.records(&[
        contact(1, ODD),
        opted_out(contact(2, "bert@x.example")),
        contact(3, "carl@x.example"),
        json!({ "table": "list", "id": LIST, "columns": list }),
        member(1),
        member(2),
    ]);
    user(&house, 1, "Vera", "Email Marketing Viewer");
    user(&house, 2, "Max", "Email Marketing Manager");
    house
}

/// Whoever acts in the name of a user of the CRM may do what that user may, and the books name that user.
#[test]
fn suppressions_and_confirmations_in_the_name_of_a_user() {
    let world = world();
    let house = furnished(&world);
    let file = house.write("opt-outs.csv", b"email\ndora@x.example\n");
    let (file, run) = (file.to_string_lossy().into_owned(), "run_01j8znm0000000000000000001");
    let carl = "carl@x.example";
    let orders: [&[&str]; 4] = [
        &["suppress", "add", carl],
        &["suppress", "import", &file],
        &["suppress", "lift", carl, "--proof", "ticket 1", "--at", "2026-01-31", "--yes"],
        &["sync", "confirm", run, "--yes"],
    ];
    for order in orders {
        for (name, exit) in [("Vera Baumann", 4), ("Nobody", 5)] {
            let said = house.run(&[&["marketing"], order, &["--as", name]].concat());
            assert_eq!(said.exit, exit, "{order:?} as {name}: {}", said.err);
        }
    }
    assert_eq!(house.run(&["marketing", "suppress", "check", carl]).exit, 0, "nothing was written");
    let added = house.one(&["marketing", "suppress", "add", carl, "--as", "Max Baumann"]);
    assert_eq!(added["new"], 1, "{added}");
    let known = house.run(&["marketing", "suppress", "check", carl]);
    let told = String::from_utf8_lossy(&known.out);
    assert!(known.exit == 20 && told.contains("Max Baumann"), "{told}");
}

#[test]
fn a_send_by_commands_goes_only_to_as_many_as_expected_and_by_those_who_may() {
    let world = world();
    let campaign = drafted(&world).to_string();
    let house = furnished(&world);
    let known = &house.list(&["marketing", "campaign", "list"])[0];
    assert_eq!(
        (&known["name"], &known["status"], &known["totals"]),
        (&json!(NAME), &json!("Unsent"), &json!(null))
    );
    let reach = house.one(&["marketing", "campaign", "audience", NAME, "--list", "Readers"]);
    assert_eq!((&reach["to_send"], &reach["left_out"]), (&json!(1), &json!({ "opted_out": 1 })), "{reach}");
    assert_eq!(reach["samples"][0]["address"], ODD);
    let none = house.one(&["marketing", "campaign", "report", &campaign, "--stored"]);
    assert_eq!((&none["totals"]["sent"], &none["service"]), (&json!(0), &json!(null)), "{none}");

    let send = ["send", NAME, "--list", "Readers", "--expect-count"];
    let with = |more: &[&'static str]| send.into_iter().chain(more.iter().copied()).collect::<Vec<&str>>();
    exits(&house, &with(&["2"]), 9, "1 people would be mailed, and 2 were expected");
    exits(&house, &with(&["1", "--as", "Vera Baumann"]), 4, "marketing_send");
    exits(&house, &with(&["1", "--as", "Nobody"]), 5, "Nobody");
    exits(&house, &["audience", NAME, "--list", "Readers", "--as", "Vera"], 4, "marketing_edit");
    exits(&house, &["audience", NAME, "--list", "Strangers"], 5, "Strangers");
    exits(&house, &["audience", "No such", "--list", "Readers"], 5, "No such");
    exits(&house, &with(&["1", "--dry-run"]), 0, "");
    assert!(house.list(&["record", "list", "esc_emailsend"]).is_empty(), "nothing was written until now");

    let asked = with(&["1", "--as", "Max"]);
    let asked = house.one(&[&["marketing", "campaign"], asked.as_slice()].concat());
    let id = asked["id"].as_str().expect("an id").to_owned();
    let row = house.one(&["record", "show", "esc_emailsend", &id]);
    assert!(
        row["columns"]["createdby"].as_str().is_some_and(|by| by.ends_with("5e0002")),
        "in Max's name: {row}"
    );
    // One more joins before it is looked at: another number than expected is a question.
    house.records(&[member(3)]);
    let held = || house.list(&["marketing", "campaign", "sends", "--state", "held"]);
    let looked = || {
        run(&house, "sends");
        !held().is_empty()
    };
    assert!(poll::until(PATIENCE, looked), "{}", house.log());
    let held = held();
    assert_eq!((held.len(), &held[0]["to_send"]), (1, &json!(2)), "{held:?}");
    assert_eq!((&held[0]["asked_by"], &held[0]["lists"]), (&json!("Max Baumann"), &json!(["Readers"])));
    exits(&house, &["pause", &id, "--as", "Vera"], 4, "marketing_send");
    exits(&house, &["approve", &id, "--as", "Max"], 6, "second person");
    let trial = house.one(&["marketing", "campaign", "decide", &id, "--expect", "2", "--dry-run"]);
    assert_eq!((&trial["send"]["state"], &trial["dry_run"]), (&json!("preparing"), &json!(true)), "{trial}");
    let paused = house.one(&["marketing", "campaign", "pause", &id]);
    assert_eq!(
        (&paused["send"]["state"], &paused["send"]["paused_by"]),
        (&json!("paused"), &json!("console"))
    );
    exits(&house, &["cancel", &id], 9, "");
    house.one(&["marketing", "campaign", "cancel", &id, "--yes"]);
    assert_eq!(house.one(&["marketing", "campaign", "show", &id])["state"], "cancelled");
    exits(&house, &["resume", &id], 6, "cancelled");
    assert!(world.log(1).is_empty(), "nobody was mailed");

    // A test goes to whom it names, once, and not to who opted out.
    house.one(&["marketing", "suppress", "add", "left@x.example"]);
    let to = ["marketing", "campaign", "test", NAME, "--to", "ines@demo.example", "left@x.example"];
    exits(&house, &to[2..], 9, "");
    assert!(world.log(1).is_empty(), "nobody was asked, so nobody is mailed");
    let said = house.run(&to.into_iter().chain(["--yes"]).collect::<Vec<_>>());
    assert_eq!(said.exit, 8, "{}", said.err);
    let mailed: Vec<String> = world.log(1).iter().map(|mail| mail.email.to_string()).collect();
    assert_eq!(mailed, ["ines@demo.example"]);
}
