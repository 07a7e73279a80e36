//! Sends, split tests, single mails, programs, and the log that judges them.

use postroom_sandbox::dotdigital::{Act, Arrangement, MailKind, ProgramStatus, Status};
use serde_json::{Value, json};

use super::{Service, pluck, start};

fn status(service: &Service, send: &str) -> Value {
    service.get(&format!("/v2/campaigns/send/{send}"))["status"].clone()
}

#[test]
fn a_send_goes_to_who_is_there_and_willing_at_its_moment() {
    let service = start();
    let list = service.list("L");
    for email in ["a@x.io", "b@x.io", "c@x.io"] {
        service.member(list, email);
    }
    let campaign = service.campaign("C");
    let body =
        json!({ "campaignId": campaign, "addressBookIds": [list], "sendDate": "2026-03-02T12:00:00Z" });
    let answer = service.post("/v2/campaigns/send", body, 202);
    assert_eq!(answer["status"], "Scheduled");
    let send = answer["id"].as_str().unwrap();
    service.pass(1);
    service.sandbox.act(1, "b@x.io", None, Act::Unsubscribe).unwrap();
    service.member(list, "d@x.io");
    assert_eq!(service.mailed(), [""; 0]);
    assert_eq!(status(&service, send), "Scheduled");
    service.pass(3);
    assert_eq!(status(&service, send), "Sent");
    assert_eq!(service.mailed(), ["a@x.io", "c@x.io", "d@x.io"]);
    let log = service.sandbox.log(1);
    let held = log.iter().find(|mail| !mail.mailed).unwrap();
    assert_eq!(
        (&*held.email, held.suppressed, held.list),
        ("b@x.io", Some(Status::Unsubscribed), Some(list as i32))
    );
    assert_eq!(held.at.to_string(), "2026-03-02T12:00:00Z", "at the planned moment, whenever somebody looks");
    assert_eq!(service.get(&format!("/v2/campaigns/{campaign}"))["status"], "Sent");
    let lists = service.get(&format!("/v2/campaigns/{campaign}/address-books"));
    assert_eq!(pluck(&lists, "name"), ["L"]);
    let campaigns = service.get(&format!("/v2/address-books/{list}/campaigns"));
    assert_eq!(pluck(&campaigns, "name"), ["C"]);
}

#[test]
fn acts_and_sends_happen_in_the_order_of_time() {
    let service = start();
    let list = service.list("L");
    for email in ["before@x.io", "after@x.io"] {
        service.member(list, email);
    }
    let at = |text: &str| text.parse().unwrap();
    service.sandbox.act_at(1, at("2026-03-02T11:59:59Z"), "before@x.io", None, Act::Unsubscribe).unwrap();
    service.sandbox.act_at(1, at("2026-03-02T12:00:01Z"), "after@x.io", None, Act::Unsubscribe).unwrap();
    let body = json!({
        "campaignId": service.campaign("C"), "addressBookIds": [list], "sendDate": "2026-03-02T12:00:00Z",
    });
    service.post("/v2/campaigns/send", body, 202);
    service.pass(24);
    assert_eq!(service.mailed(), ["after@x.io"]);
}

#[test]
fn an_empty_audience_is_everybody() {
    let service = start();
    service.contact("a@x.io");
    service.contact("b@x.io");
    let campaign = service.campaign("C");
    service.send(campaign, &[]);
    assert_eq!(service.mailed(), ["a@x.io", "b@x.io"]);
}

#[test]
fn one_person_on_two_lists_gets_one_mail_and_two_sends_are_two() {
    let service = start();
    let (one, two) = (service.list("One"), service.list("Two"));
    service.member(one, "a@x.io");
    service.member(two, "a@x.io");
    let campaign = service.campaign("C");
    service.send(campaign, &[one, two]);
    assert_eq!(service.mailed(), ["a@x.io"]);
    service.send(campaign, &[one]);
    assert_eq!(service.mailed(), ["a@x.io", "a@x.io"]);
}

#[test]
fn one_suppressed_contact_stops_the_call() {
    let service = start();
    let (good, bad) = (service.contact("good@x.io"), service.contact("bad@x.io"));
    service.sandbox.act(1, "bad@x.io", None, Act::Complain).unwrap();
    let campaign = service.campaign("C");
    let ask =
        |contacts: Value| json!({ "campaignId": campaign, "addressBookIds": [], "contactIds": contacts });
    let path = "/v2/campaigns/send";
    service.refuses("POST", path, ask(json!([good, bad])), 400, "ERROR_CONTACT_SUPPRESSED");
    service.refuses("POST", path, ask(json!([good, 999])), 404, "ERROR_CONTACT_NOT_FOUND");
    service.refuses("POST", path, json!({ "campaignId": 7 }), 404, "ERROR_CAMPAIGN_NOT_FOUND");
    let no_list = json!({ "campaignId": campaign, "addressBookIds": [999] });
    service.refuses("POST", path, no_list, 404, "ERROR_ADDRESSBOOK_NOT_FOUND");
    service.post(path, ask(json!([good])), 202);
    assert_eq!(service.mailed(), ["good@x.io"]);
}

#[test]
fn a_split_test_sends_the_winner_to_the_rest() {
    let service = start();
    let list = service.list("L");
    for number in 0..100 {
        service.member(list, &format!("p{number}@x.io"));
    }
    let body = json!({
        "name": "Split", "subjects": ["A", "B"], "fromNames": ["Shop"], "htmlContents": ["<p>x</p>"],
        "plainTextContents": ["x"],
    });
    let campaign = service.post("/v2/campaigns/split-test", body, 201)["id"].as_i64().unwrap();
    let options = json!({ "testMetric": "Opens", "testPercentage": 30, "testPeriodHours": 4 });
    let ask = json!({ "campaignId": campaign, "addressBookIds": [list], "splitTestOptions": options });
    let send = service.post("/v2/campaigns/send", ask, 202)["id"].as_str().unwrap().to_owned();
    assert_eq!(status(&service, &send), "Sending");
    let tested = service.mailed();
    assert!((15..45).contains(&tested.len()), "{}", tested.len());
    // Whoever got the second version opens it.
    let path = format!("/v2/campaigns/{campaign}/activities");
    for email in &tested {
        service.sandbox.act(1, email, Some(campaign as i32), Act::Open { machine: false }).unwrap();
        if service.get(&format!("/v2/campaigns/{campaign}/split-test"))["versions"][1]["resultsActual"] == 0 {
            continue;
        }
        break;
    }
    let leaves =
        (0..100).map(|number| format!("p{number}@x.io")).find(|email| !tested.contains(email)).unwrap();
    service.sandbox.act(1, &leaves, None, Act::Unsubscribe).unwrap();
    service.pass(5);
    assert_eq!(status(&service, &send), "Sent");
    let mailed = service.mailed();
    assert_eq!(mailed.len(), 99, "everybody once, but who left during the test");
    assert!(!mailed.contains(&leaves));
    let versions = service.get(&format!("/v2/campaigns/{campaign}/split-test"))["versions"].clone();
    let winners = versions.as_array().unwrap().iter().filter(|version| version["winningVersion"] == true);
    assert_eq!(winners.count(), 1);
    assert_eq!(service.get(&path).as_array().unwrap().len(), 99);
    let plain = json!({ "campaignId": campaign, "addressBookIds": [list] });
    service.refuses("POST", "/v2/campaigns/send", plain, 400, "ERROR_CAMPAIGN_SEND_INVALID");
}

#[test]
fn a_sent_campaign_is_read_only_and_a_copy_is_not() {
    let service = start();
    let campaign = service.campaign("C");
    service.contact("a@x.io");
    service.send(campaign, &[]);
    let body = json!({
        "name": "D", "subject": "s", "fromName": "f", "htmlContent": "h", "plainTextContent": "p",
    });
    let path = format!("/v2/campaigns/{campaign}");
    service.refuses("PUT", &path, body, 400, "ERROR_CAMPAIGN_READONLY");
    let copy = service.post(&format!("{path}/copy"), Value::Null, 201);
    assert_eq!((&copy["name"], &copy["status"]), (&json!("Copy of C"), &json!("Unsent")));
    let sent = service.get("/v2/campaigns/filtered?~statuses=Sent");
    assert_eq!(pluck(&sent, "name"), ["C"]);
    service.call("DELETE", &path, Value::Null, 204);
    service.refuses("GET", &path, Value::Null, 404, "ERROR_CAMPAIGN_NOT_FOUND");
}

#[test]
fn transactional_mail_ignores_opt_outs_and_marketing_mail_does_not() {
    let service = start();
    service.contact("a@x.io");
    service.sandbox.act(1, "a@x.io", None, Act::Unsubscribe).unwrap();
    let mail = json!({ "toAddresses": ["a@x.io"], "subject": "Invoice", "htmlContent": "<p>x</p>" });
    assert_eq!(service.post("/v2/email", mail, 200), "");
    let content = json!({ "source": "html", "subject": "Sale", "htmlContent": "<p>$UNSUB$</p>" });
    let marketing = |to: &str| json!({ "to": to, "content": content });
    let path = "/marketing-email/v3/send";
    service.refuses("POST", path, marketing("a@x.io"), 409, "marketingEmail:unsubscribed");
    service.post(path, marketing("new@x.io"), 201);
    assert_eq!(service.sandbox.person(1, "new@x.io").unwrap().status, Status::Subscribed);
    let no_link =
        json!({ "to": "b@x.io", "content": { "source": "html", "subject": "s", "htmlContent": "x" } });
    service.refuses("POST", path, no_link, 400, "marketingemail:badRequest");
    let batch =
        service.post("/marketing-email/v3/batch", json!([marketing("a@x.io"), marketing("new@x.io")]), 201);
    assert_eq!(batch["summary"], json!({ "sent": 1, "uncontactable": 1, "failed": 0 }));
    let log = service.sandbox.log(1);
    let rows: Vec<_> = log.iter().map(|mail| (mail.kind, &*mail.email, mail.mailed)).collect();
    let marketing = MailKind::Marketing;
    assert_eq!(
        rows,
        [
            (MailKind::Transactional, "a@x.io", true),
            (marketing, "a@x.io", false),
            (marketing, "new@x.io", true),
            (marketing, "a@x.io", false),
            (marketing, "new@x.io", true),
        ]
    );
}

#[test]
fn a_batch_fails_row_by_row_inside_a_200() {
    let service = start();
    let campaign = service.campaign("T");
    service.sandbox.arrange(1, Arrangement::Triggered { campaign: campaign as i32 }).unwrap();
    let row = |to: &str, campaign: i64| json!({ "toAddresses": [to], "campaignId": campaign });
    let body = json!([row("a@x.io", campaign), row("bad", campaign), row("b@x.io", 7)]);
    let answer = service.post("/v2/email/triggered-campaign/batch", body, 200);
    assert_eq!(pluck(&answer, "failureCode"), ["", "ERROR_INVALID_EMAIL", "ERROR_CAMPAIGN_NOT_FOUND"]);
    assert_eq!(service.mailed(), ["a@x.io"]);
}

#[test]
fn programs_take_twenty_calls_an_hour_and_report_faults() {
    let service = start();
    let (campaign, list) = (service.campaign("Welcome"), service.list("L"));
    let program = |status| Arrangement::Program { name: "P".into(), status, campaign: Some(campaign as i32) };
    let id = service.sandbox.arrange(1, program(ProgramStatus::Active)).unwrap();
    let draft = service.sandbox.arrange(1, program(ProgramStatus::Draft)).unwrap();
    let (a, b) = (service.member(list, "a@x.io"), service.contact("b@x.io"));
    service.sandbox.act(1, "b@x.io", None, Act::Unsubscribe).unwrap();
    let path = "/v2/programs/enrolments";
    let ask = |program: i32| json!({ "programId": program, "contacts": [b], "addressBooks": [list] });
    service.refuses("POST", path, ask(draft), 400, "ERROR_PROGRAM_NOT_ACTIVE");
    service.refuses("POST", path, ask(1), 404, "ERROR_PROGRAM_NOT_FOUND");
    let first = service.post(path, ask(id), 201)["id"].as_str().unwrap().to_owned();
    let faults = format!("{path}/{first}/report-faults");
    service.refuses("GET", &faults, Value::Null, 400, "ERROR_ENROLMENT_IS_PROCESSING");
    for status in ["Processing", "Processing", "Finished"] {
        assert_eq!(service.get(&format!("{path}/{first}"))["status"], status);
    }
    assert_eq!(
        service.get(&faults),
        format!("Id,Email,TelephoneNumber,Reason\r\n{b},b@x.io,,Unsubcribed\r\n")
    );
    assert_eq!(service.mailed(), ["a@x.io"]);
    for _ in 1..20 {
        service.post(path, ask(id), 201);
    }
    service.refuses("POST", path, ask(id), 400, "ERROR_ENROLMENT_ALLOWANCE_EXCEEDED");
    service.pass(1);
    let again = service.post(path, json!({ "programId": id, "contacts": [a] }), 201);
    (0..3).for_each(|_| drop(service.get(&format!("{path}/{}", again["id"].as_str().unwrap()))));
    let faults = service.get(&format!("{path}/{}/report-faults", again["id"].as_str().unwrap()));
    assert!(faults.as_str().unwrap().contains("AlreadyInProgram"), "{faults}");
    assert_eq!(service.mailed(), ["a@x.io"]);
}
