//! `queue …`: what a person sees of outgoing mail, and does to it.

use postroom_testkit::{net, poll};
use serde_json::{Value, json};

use crate::house::{House, PATIENCE};
use crate::story::{ANNA, SALES, at, guid, row, text};

/// A house whose mail server is away, with one mail to send.
fn house() -> (House, String) {
    let port = net::free_port();
    let house = House::open(&format!(
        "[mailboxes.sales]\naddress = \"{SALES}\"\n[smtp_out]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\npoll = \"200ms\"\n"
    ));
    let party = |number, mask: i64, who: String, address: &str| {
        let columns = json!({"activityid": at("email", 1), "participationtypemask": mask, "partyid": who, "addressused": address});
        row("activityparty", number, columns)
    };
    let email = json!({"subject": "Offer", "description": "<p>Hello</p>", "directioncode": true});
    house.records(&[
        row("queue", 1, json!({"name": "Sales", "emailaddress": SALES})),
        row("contact", 1, json!({"lastname": "Adler", "emailaddress1": ANNA})),
        row("email", 1, email),
        party(1, 1, at("queue", 1), SALES),
        party(2, 2, at("contact", 1), ANNA),
    ]);
    house.records(&[row("email", 1, json!({"statecode": 1, "statuscode": 6}))]);
    let mut listed = Vec::new();
    let tried = poll::until(PATIENCE, || {
        listed = house.list(&["queue", "list"]);
        listed.first().is_some_and(|mail| mail["state"] == "queued" && !mail["next_try"].is_null())
    });
    assert!(tried, "it was not tried: {listed:#?}\n{}", house.log());
    let id = text(&listed[0]["id"]).to_owned();
    (house, id)
}

#[test]
fn a_mail_is_shown_held_released_and_given_up() {
    let (house, id) = house();
    let show = || house.one(&["queue", "show", &id]);
    let mail = show();
    assert_eq!(
        (&mail["activity_id"], &mail["code"]),
        (&json!(guid("email", 1)), &json!("PR-4001")),
        "{mail:#}"
    );
    assert!(text(&mail["message_id"]).starts_with('<') && mail["attempts"].as_u64() >= Some(1), "{mail:#}");
    let recipient = &mail["recipients"][0];
    assert_eq!((&recipient["address"], &recipient["role"]), (&json!(ANNA), &json!("to")), "{mail:#}");
    assert_eq!(
        (&recipient["code"], &recipient["status"]),
        (&Value::Null, &Value::Null),
        "nobody has answered"
    );

    let change = |verb: &str, more: &[&str]| house.one(&[&["queue", verb, &id], more].concat());
    assert_eq!(change("hold", &["-n"])["to"], "held");
    assert_eq!(show()["state"], "queued");
    let held = poll::until(PATIENCE, || house.run(&["queue", "hold", &id]).exit == 0);
    assert!(held, "between two tries it can be held");
    assert_eq!((&show()["state"], &show()["hold"]), (&json!("held"), &json!("person")));
    assert_eq!(house.list(&["queue", "list", "--state", "held"]).len(), 1);
    assert_eq!(house.list(&["queue", "list", "--state", "sent"]).len(), 0);
    assert_eq!(house.run(&["queue", "hold", &id]).exit, 6, "it is held already");

    assert_eq!(house.run(&["queue", "release", "--all"]).exit, 9, "nobody can be asked");
    assert_eq!(house.run(&["queue", "release", "--all", "--yes", "--expect-count", "2"]).exit, 9);
    assert_eq!(show()["state"], "held");
    assert_eq!(change("release", &[])["from"], "held");
    let held = poll::until(PATIENCE, || house.run(&["queue", "hold", &id]).exit == 0);
    assert!(held, "it is on its way again, and can be held again");

    assert_eq!(change("fail", &["--dry-run"])["to"], "failed");
    assert_eq!(house.run(&["queue", "fail", &id]).exit, 9);
    assert_eq!(change("fail", &["--yes"])["to"], "failed");
    assert_eq!(show()["recipients"][0]["state"], "expired");
    assert_eq!(house.run(&["queue", "release", &id]).exit, 6, "given up is given up");
    assert_eq!(house.run(&["queue", "show", "msg_00000000000000000000000000"]).exit, 5);

    let listed = house.api("/api/v1/outgoing").answers(200).json();
    let lines = house.list(&["queue", "list"]);
    assert_eq!(listed["items"], json!(lines), "the API answers what the command prints");
    // The attempts stand with the one mail only.
    assert!(lines[0]["history"].is_null() && show()["history"][0]["outcome"] == "failed", "{}", show());
    assert_eq!(house.api(&format!("/api/v1/outgoing/{id}")).answers(200).json(), show());
    house.api("/api/v1/outgoing?state=sleeping").refuses(400);
    let audit = house.api(&format!("/api/v1/audit?object={id}")).answers(200).json();
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|entry| text(&entry["action"])).collect();
    assert_eq!(actions, ["outgoing.fail", "outgoing.hold", "outgoing.release", "outgoing.hold"]);
}

/// It was written in the CRM and is not for filing to decide about.
#[test]
fn an_outgoing_mail_is_not_moved_by_hand() {
    let (house, id) = house();
    for arguments in [
        &["message", "move", &id, &at("contact", 1)][..],
        &["message", "undo", &id],
        &["message", "replay", &id],
    ] {
        let said = house.run(arguments);
        assert_eq!(said.exit, 6, "{arguments:?}: {}", said.err);
    }
}
