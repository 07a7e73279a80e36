//! `mailbox …` on a real Dovecot: trials, orders, and a section for the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use postroom_testkit::peers::{Dovecot, DovecotOptions, PASSWORD, Postfix, Route};
use serde_json::{Value, json};

use crate::Place;
use crate::house::House;
use crate::story::{row, text};

const ANNA: &str = "anna@ours.example";

fn dovecot() -> Dovecot {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    let old = b"From: a@x.example\r\nTo: anna@ours.example\r\nSubject: Old\r\nMessage-ID: <old@x.example>\r\n\r\nHi\r\n";
    for folder in ["INBOX", "Sent"] {
        dovecot.deliver("anna", folder, old);
    }
    dovecot
}

/// A mailbox of this name at this port, with its password in `NAME.secret`.
fn section(name: &str, port: u16) -> String {
    format!(
        "[mailboxes.{name}]\naddress = \"{name}@ours.example\"\n[mailboxes.{name}.imap]\nhost = \"127.0.0.1\"\nport = {port}\n\
         tls = \"none\"\nusername = \"{name}\"\npassword = {{ file = \"{name}.secret\" }}\n"
    )
}

fn secret(house: &House, name: &str, password: &str) -> PathBuf {
    let path = house.write(&format!("{name}.secret"), password.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    path
}

/// A house with Anna's mailbox, whose owner the CRM knows.
fn house(port: u16, more: &str) -> House {
    let house = House::quiet(&format!("{}{more}", section("anna", port)));
    secret(&house, "anna", PASSWORD);
    let anna =
        json!({"firstname": "Anna", "lastname": "Ost", "internalemailaddress": ANNA, "domainname": "anna"});
    house.records(&[row("systemuser", 1, anna)]);
    house
}

fn test(house: &House, more: &[&str]) -> (i32, Value) {
    let said = house.run(&[&["mailbox", "test", "anna"], more].concat());
    (said.exit, serde_json::from_slice(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.err)))
}

fn step<'v>(tested: &'v Value, name: &str) -> &'v Value {
    let steps = tested["steps"].as_array().expect("steps are a list");
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}: {tested:#}"))
}

#[test]
fn a_trial_tells_each_step_and_what_to_do_about_the_one_that_fails() {
    let dovecot = dovecot();
    let house = house(dovecot.imap().port(), "");
    let (exit, tested) = test(&house, &[]);
    assert_eq!((exit, &tested["ok"], &tested["do"]), (0, &json!(true), &Value::Null), "{tested:#}");
    for name in ["dns", "tcp", "tls", "sign_in", "capabilities", "namespaces", "folders", "header", "owner"] {
        assert_eq!(step(&tested, name)["ok"], true, "{tested:#}");
    }
    assert!(text(&step(&tested, "folders")["text"]).contains("INBOX (1)"), "{tested:#}");
    let shown = house.shown(&["mailbox", "test", "anna"]);
    assert!(shown.contains("✓ sign_in") && !shown.contains('✗'), "{shown}");

    secret(&house, "anna", "another password");
    let (exit, tested) = test(&house, &[]);
    assert_eq!((exit, &step(&tested, "sign_in")["ok"]), (20, &json!(false)), "{tested:#}");
    assert!(text(&tested["do"]).contains("password"), "{tested:#}");

    dovecot.stop();
    let (exit, tested) = test(&house, &[]);
    assert_eq!((exit, &step(&tested, "tcp")["ok"]), (7, &json!(false)), "{tested:#}");
    let checked = house.run(&["check", "mailbox", "anna"]);
    assert_eq!(checked.exit, 20, "{}", checked.err);
    assert!(String::from_utf8_lossy(&checked.out).contains("mailbox anna tcp"));
}

#[test]
fn an_empty_sent_folder_and_a_stranger_s_mailbox_are_told() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    dovecot.run("anna", &["CREATE Sent"]);
    let house = House::quiet(&section("anna", dovecot.imap().port()));
    secret(&house, "anna", PASSWORD);
    let failed = || -> (Value, Vec<String>) {
        let (exit, tested) = test(&house, &[]);
        assert_eq!(exit, 20, "nobody knows whose mailbox it is: {tested:#}");
        let steps = tested["steps"].as_array().unwrap().iter().filter(|step| step["ok"] == false);
        let names = steps.map(|step| text(&step["name"]).to_owned()).collect();
        (tested, names)
    };
    let (tested, names) = failed();
    assert_eq!(names, ["owner"], "in a new mailbox nobody has sent anything: {tested:#}");
    assert!(tested.to_string().contains("Sent is empty, as it is where nobody has sent"), "{tested:#}");
    (0..10).for_each(|n| {
        dovecot.deliver("anna", "INBOX", format!("Message-ID: <{n}@x.example>\r\n\r\nHi\r\n").as_bytes())
    });
    let (tested, names) = failed();
    assert_eq!(names, ["folders", "owner"], "one that is used should have sent mail: {tested:#}");
    assert!(tested.to_string().contains("Sent is empty, though 10 mails lie in the Inbox"), "{tested:#}");
}

#[test]
fn a_round_trip_is_sent_and_found_and_needs_a_way_out() {
    let dovecot = dovecot();
    let port = dovecot.imap().port();
    let (exit, tested) = test(&house(port, ""), &["--round-trip"]);
    assert_eq!((exit, &step(&tested, "send")["ok"]), (20, &json!(false)), "{tested:#}");

    let postfix = Postfix::start(Route::Lmtp(dovecot.lmtp()), &[]);
    let smtp_out =
        format!("[smtp_out]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\n", postfix.address.port());
    let house = house(port, &smtp_out);
    let (exit, tested) = test(&house, &["--round-trip"]);
    assert_eq!(exit, 0, "{tested:#}\n{}\n{}", postfix.log(), dovecot.log());
    assert!(text(&step(&tested, "send")["text"]).starts_with("250"), "{tested:#}");
    assert!(text(&step(&tested, "round_trip")["text"]).contains("arrived"), "{tested:#}");
    let mails = dovecot.messages("anna", "INBOX");
    let (_, raw) = mails.last().expect("it arrived");
    assert_eq!(mails.len(), 2);
    // Read by a watcher, it is nobody's mail.
    let why = house.one(&["message", "why", &house.file("eml", raw).to_string_lossy()]);
    assert_eq!((&why["class"], &why["state"]), (&json!("echo"), &json!("not_tracked")), "{why:#}");
    let checked = house.list(&["check", "smtp-out"]);
    assert_eq!((&checked[0]["part"], &checked[0]["ok"]), (&json!("smtp_out"), &json!(true)), "{checked:?}");
}

#[test]
fn orders_are_remembered_and_audited() {
    let house = house(1, "");
    let one = |arguments: &[&str]| house.one(&[&["mailbox"], arguments].concat());
    let state = || text(&one(&["show", "anna"])["state"]).to_owned();
    assert_eq!(state(), "waiting");
    assert_eq!(one(&["pause", "anna", "--dry-run"])["changed"], true);
    assert_eq!(state(), "waiting", "a dry run does nothing");
    assert_eq!(one(&["pause", "anna"])["changed"], true);
    assert_eq!((state().as_str(), &one(&["pause", "anna"])["changed"]), ("paused", &json!(false)));
    assert_eq!(one(&["resume", "anna"])["changed"], true);
    assert_eq!(state(), "waiting");
    let since = "2026-01-31T00:00:00Z";
    assert_eq!(one(&["rescan", "anna", "--since", "2026-01-31", "-n"])["stored"], 0);
    assert_eq!(one(&["show", "anna"])["rescan_since"], Value::Null);
    assert_eq!(one(&["rescan", "anna", "--since", since])["since"], since);
    assert_eq!(one(&["show", "anna"])["rescan_since"], since);
    assert_eq!(house.run(&["mailbox", "rescan", "anna", "--since", "2999-01-01"]).exit, 2);
    assert_eq!(house.run(&["mailbox", "pause", "nobody"]).exit, 5);
    assert_eq!(house.run(&["mailbox", "remove", "anna"]).exit, 9, "nobody can be asked");
    assert_eq!(one(&["show", "anna"])["rescan_since"], since);
    let removed = house.run(&["mailbox", "remove", "anna", "--yes"]);
    assert_eq!(removed.exit, 0, "{}", removed.err);
    assert!(
        removed.err.contains("[mailboxes.anna]") && removed.err.contains("postroom.toml"),
        "{}",
        removed.err
    );
    assert_eq!(one(&["show", "anna"])["rescan_since"], Value::Null);
}

#[test]
fn a_mailbox_that_is_sent_to_us_takes_no_orders() {
    let house = House::quiet("[mailboxes.desk]\naddress = \"desk@ours.example\"\n");
    assert_eq!(house.run(&["mailbox", "pause", "desk"]).exit, 6);
    let listed = house.list(&["mailbox", "list"]);
    let desk = listed.iter().find(|mailbox| mailbox["name"] == "desk").expect("it is configured");
    assert_eq!((&desk["watched"], &desk["lag_seconds"]), (&json!(false), &Value::Null));
}

#[test]
fn a_mailbox_is_added_once_it_can_be_signed_in_to() {
    let dovecot = dovecot();
    let place = Place::new();
    let database = place.folder.path().join("postroom.db");
    let before = format!("[storage]\nurl = \"sqlite://{}\"", database.display()); // no line end
    let file = place.write("postroom.toml", &before);
    let port = dovecot.imap().port().to_string();
    let add = |more: &[&str]| {
        let arguments = ["mailbox", "add", ANNA, "--host", "127.0.0.1", "--port", &port, "--tls", "none"];
        place.run(&[&arguments, more].concat())
    };
    let password = place.write("anna.secret", "wrong");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = add(&["--password-file", "anna.secret", "--write"]).exits(20);
    assert!(refused.out.contains("✗ sign_in"), "{}", refused.out);
    fs::write(&password, PASSWORD).unwrap();
    // The address is tried first, then what stands before its @: this server knows both.
    let printed = add(&["--password-file", "anna.secret"]).exits(0);
    assert!(
        printed.out.starts_with("[mailboxes.anna]\naddress = \"anna@ours.example\"\n"),
        "{}",
        printed.out
    );
    assert!(printed.err.contains("sign_in"), "{}", printed.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), before, "nothing was written");
    add(&["--password-file", "anna.secret", "--write", "--dry-run"]).exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let written = add(&["--password-file", "anna.secret", "--write", "--json"]).exits(0).json_lines();
    assert!(text(&written[0]["written"]).ends_with("postroom.toml"), "{written:?}");
    let after = fs::read_to_string(&file).unwrap();
    assert!(after.starts_with(&before) && after.ends_with(text(&written[0]["section"])), "{after}");
    assert!(!place.folder.path().join("postroom.toml.new").exists());
    // What was written is what works.
    let tested = place.run(&["mailbox", "test", "anna", "--json"]).json_lines();
    assert_eq!(step(&tested[0], "sign_in")["ok"], true, "{tested:?}");
    let again = add(&["--password-file", "anna.secret", "--write", "--json"]).exits(0).json_lines();
    assert_eq!(again[0]["already_there"], true);
    assert_eq!(fs::read_to_string(&file).unwrap(), after, "and nothing was added");
    add(&["--name", "other", "--password-file", "anna.secret"]).fails(6, "PR-8005");
}

#[test]
fn without_a_password_nothing_is_signed_in_to() {
    let place = Place::new();
    let database = place.folder.path().join("postroom.db");
    place.write("postroom.toml", &format!("[storage]\nurl = \"sqlite://{}\"\n", database.display()));
    let printed =
        place.run(&["mailbox", "add", ANNA, "--host", "mail.ours.example", "--tls", "starttls"]).exits(0);
    assert!(printed.out.contains("port = 143\ntls = \"starttls\"\n"), "{}", printed.out);
    assert!(printed.err.contains("nothing was signed in to"), "{}", printed.err);
    place.run(&["mailbox", "add", ANNA, "--write"]).exits(2);
    place.run(&["mailbox", "add", "nonsense"]).exits(2);
}

/// A configuration that would not hold together with the section stays as it is.
#[test]
fn a_section_that_does_not_fit_is_not_written() {
    let dovecot = dovecot();
    let place = Place::new();
    let text = format!(
        "mailboxes = {{ desk = {{ address = \"desk@ours.example\" }} }}\n[storage]\nurl = \"sqlite://{}\"\n",
        place.folder.path().join("postroom.db").display()
    );
    let file = place.write("postroom.toml", &text);
    let password = place.write("anna.secret", PASSWORD);
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let port = dovecot.imap().port().to_string();
    let flags = [
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--tls",
        "none",
        "--password-file",
        "anna.secret",
        "--write",
    ];
    place.run(&[&["mailbox", "add", ANNA][..], &flags].concat()).exits(3);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert!(!place.folder.path().join("postroom.toml.new").exists());
}
