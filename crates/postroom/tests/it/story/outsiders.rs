//! Mail that names no record: each mailbox's rule decides.

use serde_json::json;

use super::*;

#[track_caller]
fn filed(from: &str, to: &str, subject: &str) -> Value {
    house().filed(from, &[to], letter(subject).from(&format!("Kim Larsen <{from}>")).to(to).raw())
}

#[track_caller]
fn is_left(message: &Value, why: &str) {
    assert_eq!(
        (text(&message["state"]), &message["activity_id"]),
        ("not_tracked", &Value::Null),
        "{message:#}"
    );
    assert!(text(&message["reason"]).contains(why), "{message:#}");
}

#[test]
fn review_is_where_such_mail_waits() {
    is_in_review(&filed(STRANGER, DESK, "Hello"), "a person decides");
    let waiting = house().list(&["message", "review", "list", "--limit", "0"]);
    assert!(waiting.iter().all(|message| message["state"] == "review"));
}

#[test]
fn activity_files_it_without_a_record() {
    let message = filed(STRANGER, "front@ours.example", "Do you mend old pumps?");
    is_on(&message, "", "none");
    let email = house().email(&message);
    assert_eq!(
        (text(&email["subject"]), &email["regardingobjectid"]),
        ("Do you mend old pumps?", &Value::Null)
    );
}

#[test]
fn skip_leaves_it() {
    is_left(&filed(STRANGER, "news@ours.example", "Hello"), "skips such mail");
}

#[test]
fn a_lead_or_contact_is_made_of_a_stranger_once() {
    for (to, table) in [("leads@ours.example", "lead"), ("people@ours.example", "contact")] {
        let address = format!("new.{table}@nobody.example");
        let message = filed(&address, to, "Solar pumps");
        let made = house().rows(table, "emailaddress1", &address);
        assert_eq!(made.len(), 1);
        assert_eq!((text(&made[0]["firstname"]), text(&made[0]["lastname"])), ("Kim", "Larsen"));
        assert_eq!(text(&message["record"]["table"]), table, "{message:#}");
        assert_eq!(house().email(&message)["regardingobjectid"], json!(record(&message)));
        let sender = house().rows_of(&message, "activityparty", "activityid");
        assert!(
            sender
                .iter()
                .any(|row| row["participationtypemask"] == 1 && row["partyid"] == json!(record(&message))),
            "{sender:?}"
        );
        filed(&address, to, "Solar pumps again");
        assert_eq!(house().rows(table, "emailaddress1", &address).len(), 1);
    }
}

#[test]
fn machines_make_no_new_people() {
    let mail = letter("Automatic reply: x")
        .from("robot@nobody.example")
        .to("leads@ours.example")
        .header("Auto-Submitted", "auto-replied");
    is_in_review(&house().filed("", &["leads@ours.example"], mail.raw()), "machine mail makes no new people");
    assert!(house().rows("lead", "emailaddress1", "robot@nobody.example").is_empty());
}

#[test]
fn track_says_which_mail_counts_at_all() {
    is_left(&filed(ANNA, "answers@ours.example", "Hello"), "tracks replies only");
    is_left(&filed(STRANGER, "known@ours.example", "Hello"), "tracks known senders only");
    is_on(&filed(ANNA, "known@ours.example", "Hello"), "", "none");
    let (one, two, three) = (case(), case(), case());
    is_left(&filed(ANNA, "closed@ours.example", &one.token()), "tracks nothing");
    is_on(&filed(ANNA, "answers@ours.example", &two.token()), &two.at(), "token");
    is_on(&filed(STRANGER, "known@ours.example", &three.token()), &three.at(), "token");
}

/// A known sender names the person, never the record.
#[test]
fn a_known_sender_alone_names_no_record() {
    is_in_review(&filed(ANNA, DESK, "Just hello"), "Nothing in it names a record");
}

/// A mailbox that leaves mail alone does not hide it from one that does not: at once, and when the other sees it later.
#[test]
fn the_mailbox_that_tracks_most_decides() {
    for quiet in ["closed@ours.example", "news@ours.example", "answers@ours.example"] {
        let mail = letter("Hello").from(STRANGER).to(quiet);
        is_in_review(&house().filed(STRANGER, &[quiet, DESK], mail.raw()), "a person decides");
        let mail = letter("Hello").from(STRANGER).to(quiet);
        let message = house().filed(STRANGER, &[quiet], mail.raw());
        assert_eq!(text(&message["state"]), "not_tracked", "{message:#}");
        let id = text(&message["id"]);
        assert_eq!(house().send(STRANGER, &[DESK], mail.raw()), id);
        let message = house().until(id, "the desk's decision", |message| message["state"] != "not_tracked");
        is_in_review(&message, "a person decides");
    }
}
