//! Bodies: who may read them by which door, and what the audit trail says of it.

use postroom_core::MailId;
use postroom_operations::{Actor, Role, Scope};

use crate::client::Answer;
use crate::house::{Browser, House};

/// A mail on the demo's case, with text, HTML and a file whose name wants out.
async fn letter(house: &House) -> MailId {
    let case = house.story.case_pump.id;
    house
        .mail(&format!(
            "From: Anna Adler <anna.adler@adler-brauerei.example>\nTo: support@demo.example\nMessage-ID: <three@adler.example>\n\
             Date: Tue, 10 Mar 2026 09:00:00 +0000\nSubject: The pump leaks CRM: {{{case}}}:MRC\nMIME-Version: 1.0\n\
             Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>It <b>still</b> leaks.</p>\n\
             --b\nContent-Type: text/html; name=\"../../page.html\"\nContent-Disposition: attachment\n\n<script>evil()</script>\n--b--\n"
        ))
        .await
}

/// `action detail` of what was done to an object, oldest first; other readings than of `message.open` and `record.open`
/// leave nothing here.
async fn trail(house: &House, object: impl ToString) -> Vec<String> {
    let mut entries = house.operations.audit_of(&Actor::console(), &object.to_string(), 50).await.unwrap();
    entries.reverse();
    entries.iter().map(|entry| format!("{} {} {}", entry.door, entry.action, entry.detail)).collect()
}

async fn looked(house: &House, browser: &Browser, path: &str) -> Answer {
    let answer = house.look(browser, path).send().await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

/// The address of the frame on a message's page.
fn frame(page: &Answer) -> String {
    let page = page.page();
    let from = page.find("src=\"/messages/").unwrap() + "src=\"".len();
    page[from..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_page_with_its_formatted_view_is_one_opening() {
    let house = House::open().await;
    let (id, owner) = (letter(&house).await, house.browser(Role::Owner).await);
    let page = looked(&house, &owner, &format!("/messages/{id}")).await;
    assert!(looked(&house, &owner, &frame(&page)).await.text().contains("<b>still</b>"));
    looked(&house, &owner, &frame(&page)).await;
    assert_eq!(trail(&house, id).await, ["page message.open shown"]);
    // The next look is the next opening.
    looked(&house, &owner, &format!("/messages/{id}")).await;
    assert_eq!(trail(&house, id).await.len(), 2);
}

#[tokio::test]
async fn a_frame_without_its_page_is_an_opening_of_its_own() {
    let house = House::open().await;
    let (id, other) = (letter(&house).await, house.review().await);
    let (owner, operator) = (house.browser(Role::Owner).await, house.browser(Role::Operator).await);
    let frame = frame(&looked(&house, &owner, &format!("/messages/{id}")).await);
    looked(&house, &operator, &frame).await; // somebody else's opening
    looked(&house, &owner, &format!("/messages/{id}/body")).await;
    looked(&house, &owner, &format!("/messages/{id}/body?opening=rubbish")).await;
    assert_eq!(trail(&house, id).await.len(), 4);
    let elsewhere = frame.replace(&id.to_string(), &other.to_string());
    house.look(&owner, &elsewhere).send().await; // another message's
    assert_eq!(trail(&house, other).await.len(), 1);
}

#[tokio::test]
async fn a_mail_s_body_read_from_its_record_is_in_both_trails() {
    let house = House::open().await;
    let (id, api) = (letter(&house).await, house.token(Scope::Api).await);
    let message = house.operations.message(&Actor::console(), id).await.unwrap().message;
    let email = format!("email/{}", message.activity_id.unwrap());
    let shown = house.get(&format!("/api/v1/records/{email}")).bearer(&api).send().await.json();
    assert!(shown["columns"]["description"].as_str().unwrap().contains("<b>still</b>"), "{shown}");
    assert_eq!(trail(&house, &email).await, ["api record.open description"]);
    assert_eq!(trail(&house, id).await, [format!("api message.open description of {email}")]);
    let owner = house.browser(Role::Owner).await;
    assert!(looked(&house, &owner, &format!("/records/{email}")).await.page().contains("leaks"));
    assert_eq!(trail(&house, id).await.len(), 2);
    // A record without a body, and a list, open nothing.
    looked(&house, &owner, &format!("/records/{}", house.story.case_pump)).await;
    assert_eq!(trail(&house, &house.story.case_pump).await, Vec::<String>::new());
    let list = house.get("/api/v1/records/email").bearer(&api).send().await;
    assert!(!list.text().contains("still") && list.text().contains("body:"), "{}", list.text());
    assert_eq!(trail(&house, id).await.len(), 2);
}

#[tokio::test]
async fn a_viewer_sees_no_body_by_any_door() {
    let house = House::open().await;
    let id = letter(&house).await;
    let (viewer, api) = (house.browser(Role::Viewer).await, house.token(Scope::Api).await);
    // Written by hand, bodies stand in their rows as they are; they are no less bodies.
    let by_hand = "{\"table\":\"email\",\"id\":\"00000000-0000-0000-0000-0000000000e1\",\"columns\":{\"subject\":\"x\",\"description\":\"it still leaks\"}}\n\
        {\"table\":\"activitymimeattachment\",\"id\":\"00000000-0000-0000-0000-0000000000a1\",\"columns\":{\"filename\":\"x\",\
        \"objectid\":\"email/00000000-0000-0000-0000-0000000000e1\",\"body\":\"aXQgc3RpbGwgbGVha3M=\"}}";
    let import = house.post("/api/v1/records/import").bearer(&api);
    let report = import.body("application/x-ndjson", by_hand).send().await.json();
    assert_eq!(report["created"], 2, "{report}");
    let message = house.operations.message(&Actor::console(), id).await.unwrap().message;
    for path in [
        format!("/messages/{id}"),
        format!("/records/email/{}", message.activity_id.unwrap()),
        format!("/api/v1/records/email/{}", message.activity_id.unwrap()),
        "/api/v1/records/email/00000000-0000-0000-0000-0000000000e1".into(),
        "/api/v1/records/email".into(),
        "/api/v1/records/activitymimeattachment/00000000-0000-0000-0000-0000000000a1".into(),
        "/api/v1/records/activitymimeattachment".into(),
    ] {
        let text = looked(&house, &viewer, &path).await.text();
        assert!(!text.contains("still") && !text.contains("aXQgc3"), "{path}: {text}");
    }
    assert_eq!(trail(&house, id).await, Vec::<String>::new());
    let attachment = "00000000-0000-0000-0000-0000000000a1";
    assert_eq!(house.look(&viewer, &format!("/attachments/{attachment}")).send().await.status, 403);
}

#[tokio::test]
async fn an_attachment_on_a_timeline_is_a_file_and_its_opening_is_audited() {
    let house = House::open().await;
    let (id, owner) = (letter(&house).await, house.browser(Role::Owner).await);
    let case = looked(&house, &owner, &format!("/api/v1/records/{}", house.story.case_pump)).await.json();
    let file = &case["activities"][0]["attachments"][0];
    assert_eq!(file["name"], "page.html", "{case}");
    let number = file["id"].as_str().unwrap();
    let page = looked(&house, &owner, &format!("/records/{}", house.story.case_pump)).await.page();
    assert!(page.contains(&format!("href=\"/attachments/{number}\" download")), "{page}");
    for (path, door) in
        [(format!("/attachments/{number}"), "page"), (format!("/api/v1/attachments/{number}"), "api")]
    {
        let answer = looked(&house, &owner, &path).await;
        assert_eq!(answer.text().trim(), "<script>evil()</script>");
        assert_eq!(answer.header("content-disposition"), "attachment; filename*=UTF-8''page%2Ehtml");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("sandbox"));
        let at = format!("activitymimeattachment/{number}");
        assert_eq!(trail(&house, &at).await.pop(), Some(format!("{door} record.open body")));
        assert_eq!(trail(&house, id).await.pop(), Some(format!("{door} message.open body of {at}")));
    }
    assert_eq!(trail(&house, id).await.len(), 2);
    let missing = "/attachments/00000000-0000-0000-0000-000000000009";
    assert_eq!(house.look(&owner, missing).send().await.status, 404);
    assert_eq!(house.look(&owner, "/attachments/..%2f..%2fetc").send().await.status, 404);
}

/// Rows that came by import keep the name they came with; what leaves is safe.
#[tokio::test]
async fn a_file_name_cannot_leave_its_folder() {
    let house = House::open().await;
    let (owner, api) = (house.browser(Role::Owner).await, house.token(Scope::Api).await);
    let case = &house.story.case_pump;
    let lines = format!(
        "{{\"table\":\"email\",\"id\":\"00000000-0000-0000-0000-0000000000e2\",\"columns\":{{\"subject\":\"x\",\"regardingobjectid\":\"{case}\"}}}}\n\
         {{\"table\":\"activitymimeattachment\",\"id\":\"00000000-0000-0000-0000-0000000000a2\",\"columns\":{{\"body\":\"eA==\",\
         \"objectid\":\"email/00000000-0000-0000-0000-0000000000e2\",\"filename\":\"..\\\\..\\\\etc/\\u202epas\\\"swd\"}}}}"
    );
    let import = house.post("/api/v1/records/import").bearer(&api).body("application/x-ndjson", lines);
    let report = import.send().await.json();
    assert_eq!(report["created"], 2, "{report}");
    let answer = looked(&house, &owner, "/attachments/00000000-0000-0000-0000-0000000000a2").await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename*=UTF-8''pas%5Fswd");
}
