//! Settings that change the decision, each in a house of its own without a server: mail comes by `message import`.

use super::*;

/// Files one mail under these settings; answers the message.
#[track_caller]
fn filed(settings: &[&str], letter: &Letter) -> Value {
    let house = House::quiet(CONFIG);
    house.records(&organisation());
    let file = house.file("eml", &letter.raw());
    let mut arguments = vec!["message", "import", file.to_str().expect("UTF-8")];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    house.one(&arguments);
    let mut all = house.list(&["message", "list"]);
    assert_eq!(all.len(), 1);
    house.verify();
    all.remove(0)
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
