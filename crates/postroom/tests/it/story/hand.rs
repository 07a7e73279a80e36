//! What a person decides: attach, reject, skip, and decide again.

use serde_json::json;

use super::*;

#[track_caller]
fn waiting() -> (Letter, String) {
    let letter = letter("Whose is this?");
    let message = house().filed(ANNA, &[DESK], letter.raw());
    is_in_review(&message, "Nothing in it names a record");
    (letter, text(&message["id"]).to_owned())
}

#[test]
fn attach_files_it_where_the_person_says() {
    let (case, (_, id)) = (case(), waiting());
    let dry = house().one(&["message", "review", "attach", &id, &case.at(), "--dry-run"]);
    assert_eq!(dry, json!({"changed": [id], "dry_run": true}));
    is_in_review(&house().settled(&id), "");
    house().one(&["message", "review", "attach", &id, &case.at()]);
    let message = house().settled(&id);
    is_on(&message, &case.at(), "person");
    assert_eq!(house().email(&message)["regardingobjectid"], json!(case.at()));
    let again = house().one(&["message", "review", "attach", &id, &case.at()]);
    assert_eq!(again["changed"], json!([]), "it stands so already");
}

#[test]
fn attach_refuses_what_is_not_there() {
    let (_, id) = waiting();
    let said = house().run(&["message", "review", "attach", &id, &at("incident", 7777)]);
    assert_eq!(said.exit, 5, "{}", said.err);
    is_in_review(&house().settled(&id), "");
}

#[test]
fn reject_and_skip_leave_it_untracked() {
    for (word, why) in [("reject", "rejected"), ("skip", "skipped")] {
        let (letter, id) = waiting();
        house().one(&["message", "review", word, &id]);
        let message = house().settled(&id);
        assert_eq!((text(&message["state"]), &message["activity_id"]), ("not_tracked", &Value::Null));
        assert!(text(&message["reason"]).contains(why), "{message:#}");
        // It stands when the mail is seen again, and when it is decided again.
        assert_eq!(house().send(ANNA, &[SALES], letter.raw()), id);
        house().list(&["message", "replay", &id]);
        let message = house().until(&id, "the second sighting", |message| message["sightings"] == 2);
        assert_eq!(text(&message["state"]), "not_tracked");
    }
}

/// What came before its record was in the CRM is found when it is decided again.
#[test]
fn replay_decides_under_what_is_known_now() {
    let late = 8800;
    let message =
        house().filed(ANNA, &[DESK], letter(&format!("Hello CRM: {{{}}}:MRC", guid("incident", late))).raw());
    is_in_review(&message, "names no record here");
    house().records(&[row("incident", late, json!({"title": "Late", "customerid": at("account", 1)}))]);
    let id = text(&message["id"]);
    house().list(&["message", "replay", id]);
    let message = house().until(id, "its record", |message| message["state"] == "tracked");
    is_on(&message, &at("incident", late), "token");
    house().list(&["message", "replay", id]);
    house().settled(id);
    assert_eq!(house().rows("email", "regardingobjectid", &at("incident", late)).len(), 1);
}
