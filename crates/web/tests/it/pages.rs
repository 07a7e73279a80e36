//! The pages: what stands on them, and that their buttons do what they say.

use postroom_core::MailState;
use postroom_operations::{Actor, Role};

use crate::house::House;

#[tokio::test]
async fn an_empty_house_says_what_to_do_next() {
    let house = House::open().await;
    let operator = house.browser(Role::Operator).await;
    for (path, words) in [
        ("/", "No mail has come yet"),
        ("/messages", "No mail has come yet"),
        ("/messages?q=zebra", "Nothing matches"),
        ("/shelf", "The shelf is empty"),
        ("/records?table=invoice", "This table is empty"),
        ("/records?table=contact&column=lastname&value=Nobody", "No contact has that value"),
    ] {
        let page = house.look(&operator, path).send().await;
        assert!(page.status == 200 && page.page().contains(words), "{path}: {}", page.page());
    }
}

#[tokio::test]
async fn today_counts_and_names_what_needs_a_person() {
    let house = House::open().await;
    let operator = house.browser(Role::Operator).await;
    house.tracked().await;
    let review = house.review().await;
    house.shelve().await;
    let page = house.look(&operator, "/").send().await.page();
    assert!(page.contains("Needs you") && page.contains(&format!("/messages/{review}")), "{page}");
    assert!(page.contains("The pump leaks"));
}

#[tokio::test]
async fn follow_one_mail_tells_why() {
    let house = House::open().await;
    let operator = house.browser(Role::Operator).await;
    let id = house.tracked().await;
    let page = house.look(&operator, &format!("/messages/{id}")).send().await.page();
    for words in [
        "Its way",
        "Evidence",
        "decided",
        "It still leaks.",
        "one@adler.example",
        "192.0.2.7",
        "Move to record",
    ] {
        assert!(page.contains(words), "{words} is missing");
    }
    assert!(!page.contains("/reject"), "only mail in review is rejected");
    let viewer = house.browser(Role::Viewer).await;
    let page = house.look(&viewer, &format!("/messages/{id}")).send().await.page();
    assert!(
        !page.contains("It still leaks.") && !page.contains("<form class=\"stack\""),
        "a viewer sees no body and no buttons"
    );
    let raw = house.look(&operator, &format!("/messages/{id}/raw")).send().await.page();
    assert!(raw.contains("Message-ID: &lt;one@adler.example&gt;"), "{raw}");
    let file = house.look(&operator, &format!("/messages/{id}/download")).send().await;
    assert!(file.text().contains("It still leaks.\r\n"));
}

#[tokio::test]
async fn buttons_do_what_they_say() {
    let house = House::open().await;
    let operator = house.browser(Role::Operator).await;
    let id = house.review().await;
    let state = || async { house.operations.message(&Actor::console(), id).await.unwrap().message.state };
    let record = house.story.case_pump.to_string();
    let wrong = house.submit(&operator, &format!("/messages/{id}/attach"), "record=nonsense").send().await;
    assert!(wrong.status == 400 && wrong.page().contains("TABLE/GUID"), "{}", wrong.page());
    let done =
        house.submit(&operator, &format!("/messages/{id}/attach"), &format!("record={record}")).send().await;
    assert_eq!(
        (done.status, done.header("location")),
        (303, format!("/messages/{id}?done=attached").as_str())
    );
    assert_eq!(state().await, MailState::Tracked);
    let page = house.look(&operator, done.header("location")).send().await.page();
    assert!(page.contains("Attached. Later replies will follow."));
    let shelf = house.shelve().await;
    assert!(house.look(&operator, "/shelf").send().await.page().contains(&shelf));
    let tried = house.submit(&operator, &format!("/shelf/{shelf}/give-up"), "").send().await;
    assert_eq!(tried.header("location"), "/shelf?done=given-up");
    assert!(house.look(&operator, "/shelf").send().await.page().contains("The shelf is empty"));
}

#[tokio::test]
async fn lists_turn_pages() {
    let house = House::open().await;
    let viewer = house.browser(Role::Viewer).await;
    for n in 0..52 {
        let mail = format!(
            "From: a@x.example\nTo: support@demo.example\nMessage-ID: <{n}@x.example>\nSubject: Number {n}.\n\nx\n"
        );
        house.mail(&mail).await;
    }
    let first = house.look(&viewer, "/messages").send().await.page();
    assert!(first.contains("Number 51.") && !first.contains("Number 1.") && !first.contains("rel=\"prev\""));
    let start = first.find("/messages?cursor=").unwrap();
    let older = first[start..].split('"').next().unwrap();
    let second = house.look(&viewer, older).send().await.page();
    assert!(second.contains("Number 1.") && second.contains("Number 0.") && !second.contains("rel=\"next\""));
    assert!(second.contains("href=\"/messages\" rel=\"prev\""), "{second}");
}

#[tokio::test]
async fn a_record_has_its_timeline() {
    let house = House::open().await;
    let viewer = house.browser(Role::Viewer).await;
    house.tracked().await;
    let page = house.look(&viewer, &format!("/records/{}", house.story.case_pump)).send().await.page();
    assert!(
        page.contains("Timeline")
            && page.contains("The pump leaks")
            && page.contains("anna.adler@adler-brauerei.example"),
        "{page}"
    );
    let list = house.look(&viewer, "/records?table=contact&column=lastname&value=Adler").send().await.page();
    assert!(list.contains(&house.story.contact_anna.id.to_string()));
    let wrong = house.look(&viewer, "/records?table=contact&column=lastnam&value=Adler").send().await;
    assert!(
        wrong.status == 200
            && wrong.page().contains("role=\"alert\"")
            && wrong.page().contains("value=\"Adler\"")
    );
}

#[tokio::test]
async fn problems_are_pages_for_people() {
    let house = House::open().await;
    let viewer = house.browser(Role::Viewer).await;
    let answer = house.look(&viewer, "/messages/msg_00000000000000000000000000").send().await;
    let page = answer.page();
    assert_eq!(answer.status, 404);
    assert!(
        page.contains("PR-8004") && page.contains("What it means") && page.contains("What to do"),
        "{page}"
    );
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn assets_are_kept_by_browsers_and_named_by_content() {
    let house = House::open().await;
    let page = house.get("/sign-in").send().await.page();
    let start = page.find("/assets/").unwrap();
    let path = page[start..].split('"').next().unwrap().to_owned();
    let asset = house.get(&path).send().await;
    assert!(asset.status == 200 && asset.header("cache-control").contains("immutable"));
    assert_eq!(house.get("/assets/000000000000-postroom.css").send().await.status, 404);
}

#[tokio::test]
async fn a_search_after_the_session_ended_leads_to_the_door() {
    let house = House::open().await;
    let answer = house.get("/messages?q=x").header("HX-Request", "true").send().await;
    assert_eq!((answer.status, answer.header("hx-redirect")), (204, "/sign-in"));
}
