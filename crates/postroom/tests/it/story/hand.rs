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

/// A mail moved to another record takes its later replies along; taken back, the next ones come back too.
#[test]
fn undo_puts_a_moved_mail_back_and_its_thread_follows() {
    let (first, second, parent) = (case(), case(), letter("A thread"));
    let parent_id = {
        let message = house().filed(ANNA, &[DESK], parent.clone().header("Subject", &first.token()).raw());
        is_on(&message, &first.at(), "token");
        text(&message["id"]).to_owned()
    };
    assert_eq!(house().run(&["message", "undo", &parent_id]).exit, 6, "no person decided");
    house().one(&["message", "move", &parent_id, &second.at()]);
    let reply = || house().filed(ANNA, &[DESK], letter("Re: A thread").answering(&parent).raw());
    is_on(&reply(), &second.at(), "thread");
    let dry = house().one(&["message", "undo", &parent_id, "--dry-run"]);
    assert_eq!(dry, json!({"changed": [parent_id], "dry_run": true}));
    is_on(&house().settled(&parent_id), &second.at(), "person");
    house().one(&["message", "undo", &parent_id]);
    let message = house().settled(&parent_id);
    is_on(&message, &first.at(), "token");
    assert_eq!(house().email(&message)["regardingobjectid"], json!(first.at()));
    is_on(&reply(), &first.at(), "thread");
}

#[test]
fn undo_of_an_attaching_brings_it_back_to_review_without_an_activity() {
    let (case, (_, id)) = (case(), waiting());
    house().one(&["message", "review", "attach", &id, &case.at()]);
    let activity = text(&house().settled(&id)["activity_id"]).to_owned();
    house().one(&["message", "undo", &id]);
    let message = house().settled(&id);
    is_in_review(&message, "Undone by console");
    assert_eq!(message["activity_id"], Value::Null);
    assert_eq!(house().run(&["record", "show", "email", &activity]).exit, 5);
    house().one(&["message", "review", "reject", &id]);
    house().one(&["message", "undo", &id]);
    is_in_review(&house().settled(&id), "Undone by console");
}

#[test]
fn a_dry_replay_tells_what_would_change_and_writes_nothing() {
    let late = 8801;
    let message =
        house().filed(ANNA, &[DESK], letter(&format!("Hello CRM: {{{}}}:MRC", guid("incident", late))).raw());
    let id = text(&message["id"]);
    let replay = || house().one(&["message", "replay", id, "--dry-run"]);
    assert_eq!((&replay()["changed"], &replay()["looked_at"]), (&json!([]), &json!(1)));
    house().records(&[row("incident", late, json!({"title": "Late", "customerid": at("account", 1)}))]);
    let turn = &replay()["changes"][0];
    assert_eq!(
        (&turn["to"]["state"], &turn["to"]["record"]["id"]),
        (&json!("tracked"), &json!(guid("incident", late)))
    );
    is_in_review(&house().settled(id), "");
}
