//! Purging and erasing as commands.

use serde_json::json;

use super::bench::{ANNA, CLOSED, DESK, SECRET, letter};
use crate::house::House;

const CONFIG: &str = "[tracking]\nkeep_untracked = \"0s\"\n[mailboxes.desk]\naddress = \"desk@ours.example\"\n\
    [mailboxes.closed]\naddress = \"closed@ours.example\"\ntrack = \"none\"\n";

/// Imports a mail into a mailbox; answers its id.
fn import(house: &House, mailbox: &str, mail: &str) -> String {
    let file = house.file("eml", mail.as_bytes());
    house.one(&["message", "import", &file.to_string_lossy(), "--mailbox", mailbox]);
    let newest = house.list(&["message", "list", "--limit", "1"]).remove(0);
    newest["id"].as_str().expect("a message has an id").to_owned()
}

#[test]
fn purge_now() {
    let house = House::quiet(CONFIG);
    let mail = letter("one", ANNA, "", "Hello", SECRET).replace(DESK, CLOSED);
    let id = import(&house, "closed", &mail);
    let trial = house.one(&["message", "purge", "--dry-run"]);
    assert_eq!((&trial["messages"], &trial["dry_run"]), (&json!(1), &json!(true)), "{trial}");
    assert!(String::from_utf8_lossy(&house.run(&["message", "raw", &id]).out).contains(SECRET));
    let purged = house.one(&["message", "purge"]);
    assert_eq!((&purged["messages"], &purged["bodies_removed"]), (&json!(1), &json!(1)), "{purged}");
    let raw = house.run(&["message", "raw", &id]);
    assert!(raw.err.contains("its body was purged on"), "{}", raw.err);
    let shown = String::from_utf8_lossy(&raw.out).into_owned();
    assert!(shown.starts_with("From: ") && !shown.contains(SECRET), "{shown}");
    assert!(house.one(&["message", "show", &id])["purged_at"].is_string());
    assert_eq!(house.one(&["message", "purge"])["messages"], json!(0));
    assert_eq!(house.run(&["verify"]).exit, 0);
}

#[test]
fn erase_a_person() {
    let house = House::quiet(CONFIG);
    let mail = letter("one", ANNA, "", "Hello", SECRET);
    let id = import(&house, "desk", &mail);
    let trial = house.one(&["person", "erase", ANNA, "--dry-run"]);
    assert_eq!((&trial["messages"], &trial["review_closed"]), (&json!(1), &json!(1)), "{trial}");
    // Nobody can be asked here.
    assert_eq!(house.run(&["person", "erase", ANNA]).exit, 9);
    assert_eq!(house.run(&["person", "erase", ANNA, "--yes", "--expect-count", "2"]).exit, 9);
    assert_eq!(house.run(&["person", "erase", DESK, "--yes"]).exit, 2);
    assert_eq!(house.one(&["message", "show", &id])["state"], json!("review"));

    let receipt = house.one(&["person", "erase", ANNA, "--yes", "--expect-count", "1"]);
    assert_eq!((&receipt["messages"], &receipt["refusals"]), (&json!(1), &json!([])), "{receipt}");
    assert!(receipt["finished_at"].is_string() && !receipt.to_string().contains("anna"), "{receipt}");
    let shown = house.one(&["message", "show", &id]);
    assert_eq!((&shown["state"], &shown["from"]), (&json!("not_tracked"), &json!("")), "{shown}");
    // A re-scan adds nothing.
    import(&house, "desk", &mail);
    import(&house, "closed", &mail);
    assert_eq!(house.list(&["message", "list"]).len(), 1);
    assert!(!String::from_utf8_lossy(&house.run(&["message", "raw", &id]).out).contains(SECRET));
    assert_eq!(house.run(&["verify"]).exit, 0);
}
