//! Mail that the CRM refuses: the message says so as long as its job lies on the shelf, in a house of its own.

use serde_json::json;

use super::*;

/// Owns what nobody else does; not in the CRM at first.
const NOBODY_YET: u32 = 7;

fn house() -> House {
    let owner = format!("[tracking]\nowner = \"{}\"\n", at("systemuser", NOBODY_YET));
    let house = House::open(&format!("{CONFIG}{owner}"));
    house.records(&organisation());
    house
}

/// A mail whose activity is to have an owner that is not there; its item on the shelf.
#[track_caller]
fn refused(house: &House) -> (String, String) {
    let to = "front@ours.example";
    let message = house.filed(STRANGER, &[to], letter("Hello").from(STRANGER).to(to).raw());
    assert_eq!(text(&message["state"]), "shelf", "{message:#}");
    assert!(text(&message["reason"]).starts_with("It could not be filed: PR-"), "{message:#}");
    house.verify();
    let id = text(&message["id"]).to_owned();
    let items = house.list(&["shelf", "list"]);
    let item = items.iter().find(|item| item["subject"] == json!(id)).expect("it lies on the shelf");
    (id, text(&item["id"]).to_owned())
}

#[test]
fn a_refused_mail_is_on_the_shelf_until_it_is_filed_or_given_up() {
    let house = house();
    let (tried, item) = refused(&house);
    let (dropped, dropped_item) = refused(&house);
    house.run(&["shelf", "drop", &dropped_item, "--yes", "--expect-count", "1"]).done();
    let message = house.settled(&dropped);
    is_in_review(&message, "gave it up on the shelf");
    house.verify();

    let user = json!({"firstname": "Nora", "lastname": "Neu", "internalemailaddress": "nora@ours.example", "domainname": "nora"});
    house.records(&[row("systemuser", NOBODY_YET, user)]);
    house.run(&["shelf", "replay", &item]).done();
    let message = house.settled(&tried);
    assert_eq!(text(&message["state"]), "tracked", "{message:#}");
    assert_eq!(house.email(&message)["ownerid"], json!(at("systemuser", NOBODY_YET)));
    assert!(house.list(&["shelf", "list"]).is_empty());
    house.verify();
}
