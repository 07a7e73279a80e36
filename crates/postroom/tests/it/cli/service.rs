//! The daily verbs: `init`, `check`, `doctor`, `backup`, `restore`, `reconcile`, and the small ones beside them.

use std::path::Path;

use postroom_sandbox::catcher::Catcher;
use postroom_testkit::poll;
use serde_json::{Value, json};

use crate::Place;
use crate::crash::inside;
use crate::house::{House, PATIENCE};
use crate::installed;
use crate::story::{ANNA, SALES, at, row, text};

/// A house that sends through this server, with a mail that is written and not yet asked to be sent.
fn house(server: &Catcher) -> House {
    let port = server.address().port();
    let house = House::open(&format!(
        "[mailboxes.sales]\naddress = \"{SALES}\"\n[smtp_out]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\npoll = \"200ms\"\n"
    ));
    let party = |number, mask: i64, who: String, address: &str| {
        let columns = json!({"activityid": at("email", 1), "participationtypemask": mask, "partyid": who, "addressused": address});
        row("activityparty", number, columns)
    };
    house.records(&[
        row("queue", 1, json!({"name": "Sales", "emailaddress": SALES})),
        row("contact", 1, json!({"lastname": "Adler", "emailaddress1": ANNA})),
        row("email", 1, json!({"subject": "Offer", "description": "<p>Hello</p>", "directioncode": true})),
        party(1, 1, at("queue", 1), SALES),
        party(2, 2, at("contact", 1), ANNA),
    ]);
    house
}

/// What one part of `check` or `doctor` says.
fn part<'v>(lines: &'v [Value], name: &str) -> &'v Value {
    lines.iter().find(|line| line["part"] == name).unwrap_or_else(|| panic!("no {name:?} in {lines:#?}"))
}

fn lines(said: &crate::house::Said) -> Vec<Value> {
    let text = String::from_utf8_lossy(&said.out);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn a_backup_is_restored_and_nothing_leaves_until_it_is_reconciled() {
    let server = Catcher::start();
    let house = house(&server);
    let copy = house.path("copy.db");
    let copy = copy.to_string_lossy();
    let made = house.one(&["backup", &copy]);
    assert_eq!((&made["balances"], &made["messages"]), (&json!(true), &json!(0)), "{made}");
    assert_eq!(house.run(&["backup", &copy]).exit, 6, "no backup is written over");

    let refused = house.run(&["restore", &copy, "--yes"]);
    assert_eq!(refused.exit, 6, "{}", refused.err);
    assert!(refused.err.contains("serve runs") && refused.err.contains("Stop it"), "{}", refused.err);
    assert!(house.stop());
    for bad in [house.write("empty.db", b""), house.write("letter.txt", b"Dear Anna, this is no database.")] {
        let refused = house.run(&["restore", &bad.to_string_lossy(), "--yes"]);
        assert_eq!(refused.exit, 2, "{}", refused.err);
        assert!(refused.err.contains("is no backup"), "{}", refused.err);
    }
    assert_eq!(house.run(&["restore", &copy]).exit, 9, "nobody can be asked");
    assert_eq!(house.one(&["restore", &copy, "-n"])["dry_run"], true);
    let before = house.one(&["restore", &copy, "--yes"]);
    assert_eq!((&before["safe_mode"], &before["messages"]), (&json!(true), &json!(0)), "{before}");
    let again = house.one(&["restore", &copy, "--yes"]);
    assert_ne!(before["kept"], again["kept"], "each keeps what it replaced");
    for kept in [&before, &again] {
        assert!(Path::new(text(&kept["kept"])).is_file(), "{kept}");
    }

    let house = house.started();
    house.records(&[row("email", 1, json!({"statecode": 1, "statuscode": 6}))]);
    let mut listed = Vec::new();
    let held = poll::until(PATIENCE, || {
        listed = house.list(&["queue", "list", "--state", "held"]);
        listed.first().is_some_and(|mail| mail["hold"] == "safe_mode")
    });
    assert!(held, "{listed:#?}\n{}", house.log());
    let doctor = house.run(&["doctor"]);
    assert_eq!((doctor.exit, &part(&lines(&doctor), "safe mode")["ok"]), (20, &json!(false)));
    assert_eq!(house.run(&["reconcile"]).exit, 9, "nobody can be asked");
    assert_eq!(house.one(&["reconcile", "-n"])["safe_mode"], true);
    assert!(server.mails().is_empty(), "nothing has left");
    house.one(&["reconcile", "--yes"]);
    assert!(poll::until(PATIENCE, || server.mails().len() == 1), "{}", house.log());
    assert_eq!(house.run(&["reconcile", "--yes"]).exit, 6, "it is over");
    assert_eq!(house.run(&["doctor"]).exit, 0);
}

/// A database that `pg_restore` brought back begins in safe mode by one command.
#[test]
fn a_database_restored_by_other_means_is_marked() {
    for url in ["sqlite", "postgresql"] {
        let house = match url {
            "sqlite" => House::quiet(""),
            _ => House::quiet_on(&installed::postgres(), ""),
        };
        assert_eq!(house.run(&["reconcile", "--yes"]).exit, 6, "it is not in safe mode");
        assert_eq!(house.run(&["restore", "--mark"]).exit, 9, "nobody can be asked");
        assert_eq!(house.one(&["restore", "--mark", "-n"])["safe_mode"], false);
        assert_eq!(house.one(&["restore", "--mark", "--yes"])["safe_mode"], true);
        assert_eq!(house.run(&["doctor"]).exit, 20);
        house.one(&["reconcile", "--yes"]);
        assert_eq!(house.one(&["reconcile", "-n"])["safe_mode"], false);
    }
}

#[test]
fn postgresql_s_own_tools_are_named() {
    let house = House::quiet_on(&installed::postgres(), "");
    let file = house.write("copy.db", b"x");
    let restore = house.run(&["restore", &file.to_string_lossy(), "--yes"]);
    assert_eq!((restore.exit, restore.err.contains("restore --mark")), (2, true), "{}", restore.err);
    let backup = house.run(&["backup", &house.path("new.db").to_string_lossy()]);
    assert_eq!((backup.exit, backup.err.contains("pg_dump")), (2, true), "{}", backup.err);
}

#[test]
fn init_writes_a_configuration_that_is_valid_and_a_database() {
    let place = Place::new();
    let trial = place.run(&["init", "new", "--dry-run"]).exits(0);
    assert!(trial.out.contains("[storage]") && !place.folder.path().join("new").exists(), "{}", trial.out);
    place.run(&["init", "new"]).exits(0);
    assert!(place.folder.path().join("new/postroom.db").is_file());
    place.run(&["config", "validate", "-c", "new/postroom.toml"]).exits(0);
    place.run(&["verify", "-c", "new/postroom.toml"]).exits(0);
    let again = place.run(&["init", "new"]).exits(0);
    assert!(again.err.contains("is there already"), "{}", again.err);
}

#[test]
fn check_says_how_each_part_is() {
    let house = House::quiet("");
    let said = |name: &str| part(&house.list(&["check", name]), name)["said"].to_string();
    assert!(said("config").contains("every key"));
    assert!(said("storage").contains("durable"));
    assert!(said("http").contains("free"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("http.listen={}", taken.local_addr().expect("it has one"));
    let line = house.one(&["check", "http", "--set", &listen]);
    assert!(text(&line["said"]).contains("in use"), "{line}");
}

#[test]
fn doctor_finds_nothing_in_a_fresh_house() {
    let house = House::quiet("");
    let found = house.list(&["doctor"]);
    for name in ["review", "shelf", "safe mode", "disk", "books"] {
        assert_eq!(part(&found, name)["ok"], true, "{name}");
    }
}

#[test]
fn token_verify_knows_ours_from_others() {
    let house = House::quiet("");
    house.records(&[row("contact", 1, json!({"lastname": "Adler", "emailaddress1": ANNA}))]);
    house.records(&[row("incident", 1, json!({"title": "Leak", "customerid": at("contact", 1)}))]);
    let id = at("incident", 1).split_once('/').expect("table and id").1.to_owned();
    let made = house.one(&["token", "make", &id]);
    let check = |words: &str, exit: i32, valid: bool| {
        let said = house.run(&["token", "verify", words]);
        assert_eq!((said.exit, &lines(&said)[0]["valid"]), (exit, &json!(valid)), "{words}");
    };
    check(&format!("RE: Leak {}", text(&made["token"])), 0, true);
    check(text(&made["message_id"]), 0, true);
    check("RE: Leak", 20, false);
    check("CRM: {00000000-0000-0000-0000-000000000009}:MRC", 20, false);
}

#[test]
fn what_lies_on_the_shelf_is_tried_again() {
    let house = House::quiet("");
    inside::shelved_job(&format!("sqlite://{}", house.path("postroom.db").display()));
    let item = house.one(&["shelf", "list"]);
    let trial = house.one(&["shelf", "replay", "--all", "-n"]);
    assert_eq!(trial, json!({ "changed": [item["id"]], "dry_run": true }));
    let none = house.one(&["shelf", "replay", "--code", "PR-2001"]);
    assert_eq!(none["changed"], json!([]), "it failed with another code");
    let tried = house.one(&["shelf", "replay", text(&item["id"])]);
    assert_eq!(tried["changed"], json!([item["id"]]));
    // It can never succeed, so it comes back, with a reason.
    let back = house.one(&["shelf", "list"]);
    assert_eq!(back["id"], item["id"]);
    assert!(back["code"].is_string() && !text(&back["reason"]).is_empty(), "{back}");
}
