//! Who took part, who owns the activity, and which queues get an item.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// The parties as `mask address` to `table/guid`.
fn parties(message: &Value) -> BTreeMap<String, String> {
    let rows = house().rows_of(message, "activityparty", "activityid");
    let written = rows.iter().filter(|row| !text(&row["addressused"]).is_empty());
    written
        .map(|row| {
            (
                format!("{} {}", row["participationtypemask"], text(&row["addressused"])),
                text(&row["partyid"]).to_owned(),
            )
        })
        .collect()
}

fn queues(message: &Value) -> Vec<String> {
    let mut queues: Vec<String> = house()
        .rows_of(message, "queueitem", "objectid")
        .iter()
        .map(|row| text(&row["queueid"]).to_owned())
        .collect();
    queues.sort();
    queues
}

#[test]
fn parties_are_resolved_over_all_address_columns() {
    let case = case();
    let mail = letter(&case.token())
        .from("\"Adler, Anna\" <ANNA.second@home.example>")
        .to(&format!("{DESK}, Ines <{INES}>, mira@lead.example, office@customer.example"))
        .header("Cc", "anna.third@home.example, Kim <kim@nobody.example>, gone@customer.example");
    let message = house().filed("anna.second@home.example", &[DESK], mail.raw());
    is_on(&message, &case.at(), "token");
    let expected = [
        ("1 ANNA.second@home.example", at("contact", 1)),
        ("2 desk@ours.example", at("queue", 1)),
        ("2 ines@ours.example", at("systemuser", 1)),
        ("2 mira@lead.example", at("lead", 1)),
        ("2 office@customer.example", at("account", 1)),
        ("3 anna.third@home.example", at("contact", 1)),
        ("3 gone@customer.example", at("contact", 6)),
        ("3 kim@nobody.example", String::new()),
    ];
    let expected: BTreeMap<String, String> =
        expected.map(|(party, record)| (party.to_owned(), record)).into();
    assert_eq!(parties(&message), expected);
}

#[test]
fn an_ambiguous_sender_is_marked() {
    let case = case();
    let mail = letter(&case.token()).from("twin@customer.example");
    let message = house().filed("twin@customer.example", &[DESK], mail.raw());
    assert_eq!(house().email(&message)["isduplicatesenderunresolved"], json!(true));
    let sender = &parties(&message)["1 twin@customer.example"];
    assert!([at("contact", 3), at("contact", 4)].contains(sender), "{sender}");
    let rivals = format!("ambiguous sender: {}, {}", at("contact", 3), at("contact", 4));
    has_flag(&message, &rivals);
    let decided = message["decision"]["flags"].to_string();
    assert!(decided.contains(&rivals), "the decision keeps it too: {decided}");
}

#[test]
fn the_row_says_what_the_mail_was() {
    let case = case();
    let mail = letter(&format!("Pump {}", case.token())).to(&format!("{DESK}, {INES}"));
    let message = house().filed(ANNA, &[DESK], mail.raw());
    let email = house().email(&message);
    let expected = [
        ("subject", json!(format!("Pump {}", case.token()))),
        ("directioncode", json!(false)),
        ("statecode", json!(1)),
        ("statuscode", json!(4)),
        ("messageid", json!(mail.id())),
        ("trackingtoken", json!(case.token())),
        ("sender", json!(ANNA)),
        ("torecipients", json!(format!("{DESK};{INES};"))),
        ("actualend", json!("2026-11-02T10:00:00Z")),
        ("regardingobjectid", json!(case.at())),
    ];
    for (column, value) in expected {
        assert_eq!(email[column], value, "{column}");
    }
    let view = house().one(&["record", "show", "incident", &case.guid()]);
    let activity = &view["activities"][0];
    assert_eq!(
        (text(&activity["type"]), text(&activity["direction"]), text(&activity["state"])),
        ("email", "incoming", "completed")
    );
    assert_eq!(activity["id"], message["activity_id"]);
}

/// The mailbox's user, else the queue's owner, else the record's; never the service account.
#[test]
fn the_owner_is_the_mailbox_s_user_the_queue_s_owner_or_the_record_s() {
    for (to, owner) in [
        (INES, at("systemuser", 1)),
        (SALES, at("systemuser", 3)),
        ("front@ours.example", at("systemuser", 2)),
    ] {
        let case = case();
        let message = house().filed(ANNA, &[to], letter(&case.token()).to(to).raw());
        is_on(&message, &case.at(), "token");
        assert_eq!(house().email(&message)["ownerid"], json!(owner), "mail to {to}");
    }
}

/// A user who only gets a copy owns nothing: it came to the sales queue.
#[test]
fn a_user_in_copy_is_not_the_mailbox_s_user() {
    let case = case();
    let mail = letter(&case.token()).to(SALES).header("Cc", "tom@ours.example");
    let message = house().filed(ANNA, &[SALES], mail.raw());
    assert_eq!(house().email(&message)["ownerid"], json!(at("systemuser", 3)));
}

#[test]
fn each_queue_addressed_gets_an_item_blind_copies_too() {
    let case = case();
    let message = house().filed(ANNA, &[DESK, SALES], letter(&case.token()).raw());
    let mut both = [at("queue", 1), at("queue", 2)];
    both.sort();
    assert_eq!(queues(&message), both);
    assert_eq!(
        parties(&message)["4 sales@ours.example"],
        at("queue", 2),
        "the envelope knew more than the header"
    );
    let user = super::case();
    let message = house().filed(ANNA, &[INES], letter(&user.token()).to(INES).raw());
    assert_eq!(queues(&message), Vec::<String>::new());
}

#[test]
fn one_mail_to_two_mailboxes_is_one_activity_seen_twice() {
    let case = case();
    let mail = letter(&case.token());
    let id = house().send(ANNA, &[DESK], mail.raw());
    house().settled(&id);
    // The second copy came another way: other trace headers, another mailbox, a blind copy.
    let copy =
        [b"Received: from a by b; Mon, 2 Nov 2026 10:00:01 +0000\r\n".as_slice(), &mail.raw()].concat();
    assert_eq!(house().send(ANNA, &[SALES], copy), id);
    let message = house().until(&id, "the second queue item", |message| {
        message["sightings"] == 2 && queues(message).len() == 2
    });
    assert_eq!(house().rows("email", "regardingobjectid", &case.at()).len(), 1);
    assert_eq!(message["sightings_seen"].as_array().map(Vec::len), Some(2));
}

#[test]
fn lmtp_answers_for_each_recipient_and_stores_one_message() {
    let case = case();
    let ids = house().deliver(ANNA, &[DESK, INES], letter(&case.token()).raw());
    assert_eq!(ids[0], ids[1]);
    is_on(&house().settled(&ids[0]), &case.at(), "token");
}
