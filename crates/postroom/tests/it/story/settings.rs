//! Settings that change the decision, each in a house of its own without a server: mail comes by `message import`.

use super::*;

/// Files one mail under these settings; answers the message.
#[track_caller]
fn filed(settings: &[&str], letter: &Letter) -> Value {
    placed(settings, letter).1
}

/// The same with its house.
#[track_caller]
fn placed(settings: &[&str], letter: &Letter) -> (House, Value) {
    let house = House::quiet(CONFIG);
    house.records(&organisation());
    let file = house.file("eml", &letter.raw());
    let mut arguments = vec!["message", "import", file.to_str().expect("UTF-8")];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    house.one(&arguments);
    let mut all = house.list(&["message", "list"]);
    assert_eq!(all.len(), 1);
    house.verify();
    (house, all.remove(0))
}

/// The service account owns nothing: not what a lead became, nor what nobody else owns.
#[test]
fn what_neither_mailbox_nor_record_owns_goes_to_the_owner_of_the_setting() {
    let owner = at("systemuser", 3);
    let setting = format!("tracking.owner={owner}");
    let stranger = |to: &str| letter("Hello").from(STRANGER).to(to);
    let (house, message) = placed(&[&setting], &stranger("front@ours.example"));
    assert_eq!(house.email(&message)["ownerid"], serde_json::json!(owner));
    let (house, message) = placed(&[&setting], &stranger("leads@ours.example"));
    let lead = house.one(&["record", "show", "lead", text(&message["record"]["id"])]);
    assert_eq!(lead["columns"]["ownerid"], serde_json::json!(owner));
    assert_eq!(house.email(&message)["ownerid"], serde_json::json!(owner));
    let qualified = letter(&format!("Hello CRM: {{{}}}:MRC", guid("lead", 2))).to("front@ours.example");
    let (house, message) = placed(&[&setting, "tracking.qualified_lead=opportunity"], &qualified);
    is_on(&message, &at("opportunity", 1), "token");
    assert_eq!(
        house.email(&message)["ownerid"],
        serde_json::json!(at("systemuser", 2)),
        "the record's owner"
    );
}

#[test]
fn a_qualified_lead_s_mail_goes_where_the_setting_says() {
    let letter = letter(&format!("Hello CRM: {{{}}}:MRC", guid("lead", 2)));
    for (setting, expected) in [
        ("lead", at("lead", 2)),
        ("account", at("account", 1)),
        ("contact", at("contact", 1)),
        ("opportunity", at("opportunity", 1)),
    ] {
        is_on(&filed(&[&format!("tracking.qualified_lead={setting}")], &letter), &expected, "token");
    }
}

#[test]
fn trust_says_what_an_unsigned_token_may_do() {
    let case = case();
    let known = letter(&case.token());
    let stranger = letter(&case.token()).from(STRANGER);
    is_on(&filed(&["token.trust=known_sender"], &known), &case.at(), "token");
    is_in_review(&filed(&["token.trust=known_sender"], &stranger), "does not know the sender");
    is_in_review(&filed(&["token.trust=signed"], &known), "only proposes");
}

#[test]
fn only_the_tables_of_the_setting_can_be_named() {
    let letter = letter(&format!("Hello CRM: {{{}}}:MRC", guid("lead", 1)));
    is_in_review(&filed(&["token.tables=[\"incident\"]"], &letter), "names no record here");
}
