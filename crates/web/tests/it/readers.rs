//! Who opens the bodies of a mailbox: its readers and its own user, by every door; and what erasing and purging look like.

use bytes::Bytes;
use postroom_core::{Direction, Envelope, MailId};
use postroom_operations::{Actor, Posted, Role, Scope};
use postroom_tracking::rules::Mailbox;

use crate::house::{Browser, House};

fn boss(owner: Option<&str>, readers: &[&str]) -> Mailbox {
    Mailbox {
        name: "boss".into(),
        addresses: vec!["boss@demo.example".into()],
        owner: owner.map(str::to_owned),
        readers: Some(readers.iter().map(|role| (*role).to_owned()).collect()),
        ..Mailbox::default()
    }
}

/// A mail to the boss on the demo's case, with a file.
async fn letter(house: &House) -> MailId {
    let case = house.story.case_pump.id;
    let raw = format!(
        "From: Anna Adler <anna.adler@adler-brauerei.example>\nTo: boss@demo.example\nMessage-ID: <boss@adler.example>\n\
         Date: Tue, 10 Mar 2026 09:00:00 +0000\nSubject: The pump CRM: {{{case}}}:MRC\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>for your eyes</p>\n\
         --b\nContent-Type: text/x-note; name=note.txt\nContent-Disposition: attachment\n\nfor your eyes\n--b--\n"
    );
    let posted = Posted {
        mailbox: Some("boss".into()),
        direction: Direction::Incoming,
        envelope: Envelope::default(),
        source_id: None,
        peer: None,
        raw: Bytes::from(raw.replace('\n', "\r\n")),
    };
    let accepted = house.operations.import_message(&Actor::console(), posted).await.unwrap();
    house.drain().await;
    accepted.id
}

/// Every door to what is in the mail, for a signed-in browser: pages, files, the record, the API.
async fn doors(house: &House, id: MailId) -> Vec<String> {
    let message = house.operations.message(&Actor::console(), id).await.unwrap().message;
    let email = message.activity_id.unwrap();
    let case = house.operations.record(&Actor::console(), &house.story.case_pump).await.unwrap();
    let file = case.activities.iter().find(|activity| activity.id == email).unwrap().attachments[0].id;
    [
        format!("/messages/{id}"),
        format!("/messages/{id}/raw"),
        format!("/messages/{id}/body"),
        format!("/messages/{id}/download"),
        format!("/messages/{id}/parts/2"),
        format!("/records/email/{email}"),
        format!("/attachments/{file}"),
        format!("/api/v1/messages/{id}/raw"),
        format!("/api/v1/records/email/{email}"),
        format!("/api/v1/attachments/{file}"),
    ]
    .to_vec()
}

/// How many of the doors show what is in the mail.
async fn open_doors(house: &House, browser: &Browser, doors: &[String]) -> Vec<String> {
    let mut open = Vec::new();
    for door in doors {
        let answer = house.look(browser, door).send().await;
        let text = answer.text();
        assert!(answer.status == 200 || answer.status == 403, "{door}: {} {text}", answer.status);
        if text.contains("for your eyes") || text.contains("Zm9yIHlvdXIgZXllcw") {
            open.push(door.clone());
        }
    }
    open
}

#[tokio::test]
async fn only_the_readers_of_a_mailbox_open_its_mail() {
    let house = House::with_mailbox(boss(None, &["owner"])).await;
    let id = letter(&house).await;
    let doors = doors(&house, id).await;
    let owner = open_doors(&house, &house.browser(Role::Owner).await, &doors).await;
    assert_eq!(owner, doors);
    let none: Vec<String> = Vec::new();
    for role in [Role::Operator, Role::Viewer] {
        assert_eq!(open_doors(&house, &house.browser(role).await, &doors).await, none, "{role:?}");
    }
    let api = house.token(Scope::Api).await;
    for door in doors.iter().filter(|door| door.starts_with("/api/")) {
        let answer = house.get(door).bearer(&api).send().await;
        assert!(!answer.text().contains("for your eyes"), "{door}");
    }
    // The other mailbox is as open as before.
    let other = house.tracked().await;
    let raw = house.get(&format!("/api/v1/messages/{other}/raw")).bearer(&api).send().await;
    assert!(raw.status == 200 && raw.text().contains("leaks"));
}

#[tokio::test]
async fn a_mailbox_s_own_user_opens_it_on_the_pages() {
    // Sessions of the tests bear the name of their role.
    let house = House::with_mailbox(boss(Some("viewer"), &[])).await;
    let id = letter(&house).await;
    let doors = doors(&house, id).await;
    let open = open_doors(&house, &house.browser(Role::Viewer).await, &doors).await;
    let pages: Vec<String> = doors.iter().filter(|door| !door.starts_with("/api/")).cloned().collect();
    assert_eq!(open, pages);
    let none: Vec<String> = Vec::new();
    assert_eq!(open_doors(&house, &house.browser(Role::Owner).await, &doors).await, none);
    // Whoever looked stands in the trail, whoever was turned away does not.
    let trail = house.operations.audit_of(&Actor::console(), &id.to_string(), 50).await.unwrap();
    assert!(!trail.is_empty() && trail.iter().all(|entry| entry.actor == "viewer"), "{trail:?}");
}

#[tokio::test]
async fn an_owner_erases_a_person_and_everybody_sees_that_it_was_done() {
    let house = House::open().await;
    let id = house.tracked().await;
    let owner = house.browser(Role::Owner).await;
    let erase = |trial: &str| {
        let call = house.post(&format!("/api/v1/people/erase{trial}")).header("Cookie", &owner.cookie);
        let call = call.header("X-CSRF-Token", &owner.csrf).header("Sec-Fetch-Site", "same-origin");
        call.body("application/json", r#"{"address":"anna.adler@adler-brauerei.example"}"#)
    };
    let trial = erase("?dry_run=true").send().await.json();
    assert_eq!((&trial["messages"], &trial["dry_run"]), (&1.into(), &true.into()), "{trial}");
    let receipt = erase("").send().await.json();
    assert_eq!(
        (&receipt["messages"], &receipt["refusals"]),
        (&1.into(), &serde_json::json!([])),
        "{receipt}"
    );
    assert!(!receipt.to_string().contains("adler"), "{receipt}");
    let page = house.look(&owner, &format!("/messages/{id}")).send().await;
    assert!(page.page().contains("Erased on request") && !page.page().contains("leaks"), "{}", page.page());
    let raw = house.look(&owner, &format!("/api/v1/messages/{id}/raw")).send().await;
    assert!(!raw.header("x-postroom-body-purged").is_empty());
    let trail =
        house.operations.audit_of(&Actor::console(), receipt["id"].as_str().unwrap(), 9).await.unwrap();
    assert_eq!((trail.len(), trail[0].action.as_str()), (1, "person.erase"));
    // Our own addresses and what is none are refused.
    for address in ["support@demo.example", "nobody", "@demo.example"] {
        let console = Actor::console();
        let refused = house.operations.erase_person(&console, address, true).await.unwrap_err();
        assert_eq!(refused.code, postroom_core::Code::API_INPUT, "{address}");
    }
}
