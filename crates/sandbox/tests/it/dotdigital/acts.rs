//! What people do after a send, and how it is told; forms; the door for other programs.

use jiff::SignedDuration;
use postroom_sandbox::dotdigital::{
    Act, Arrangement, Behaviour, Form, FormAnswer, FormPage, Options, Question, Status,
};
use serde_json::{Value, json};

use super::{PASSWORD, Service, pluck, request, service, start};

/// A campaign that went to these.
fn sent(service: &Service, people: &[&str]) -> i64 {
    let list = service.list("L");
    for email in people {
        service.member(list, email);
    }
    let campaign = service.campaign("C");
    service.send(campaign, &[list]);
    service.get("/v2/server-time");
    campaign
}

#[test]
fn every_act_is_a_row_and_a_total() {
    let service = start();
    let campaign = sent(&service, &["o'brien+x@example.com", "b@x.io"]);
    let id = service.sandbox.person(1, "o'brien+x@example.com").unwrap().id;
    let act = |act: Act| service.sandbox.act(1, "o'brien+x@example.com", Some(campaign as i32), act).unwrap();
    act(Act::Open { machine: false });
    act(Act::Open { machine: true });
    service.pass(1);
    // Two links in one moment.
    act(Act::Click { url: "https://a.example/1".into() });
    act(Act::Click { url: "https://a.example/2".into() });
    act(Act::PageView { url: "https://a.example/2".into() });
    act(Act::Reply { text: "Hello".into(), automatic: false });
    act(Act::Buy { marker: "Order".into(), value: json!(19.5) });
    act(Act::Social { network: "Facebook".into() });
    act(Act::Forward);
    act(Act::Unsubscribe);
    let base = format!("/v2/campaigns/{campaign}");
    let at = "2026-03-02T10:00:00Z";
    let clicks = service.get(&format!("{base}/clicks/since-date/{at}"));
    assert_eq!(pluck(&clicks, "url"), ["https://a.example/1", "https://a.example/2"]);
    assert_eq!(pluck(&clicks, "dateClicked"), ["2026-03-02T10:00:00.000Z"; 2]);
    let opens = service.get(&format!("{base}/opens"));
    assert_eq!(pluck(&opens, "mailClient"), ["Firefox", "GoogleImageProxy"]);
    let row = service.get(&format!("{base}/activities/{id}"));
    for (name, value) in [
        ("numOpens", json!(2)),
        ("numClicks", json!(2)),
        ("numForwards", json!(1)),
        ("unsubscribed", json!(true)),
        ("hardBounced", json!(false)),
        ("dateFirstOpened", json!("2026-03-02T09:00:00.000Z")),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    let changed = service.get(&format!("{base}/activities/since-date/{at}"));
    assert_eq!(pluck(&changed, "email"), ["o'brien+x@example.com"]);
    for (path, key, value) in [
        (format!("page-views/since-date/{at}"), "url", json!("https://a.example/2")),
        (format!("activities/{id}/replies"), "message", json!("Hello")),
        (format!("roi-details/since-date/{at}"), "value", json!(19.5)),
        ("social-bookmark-views".to_owned(), "bookmarkName", json!("Facebook")),
    ] {
        assert_eq!(service.get(&format!("{base}/{path}"))[0][key], value, "{path}");
    }
    let too_many = format!("{base}/activities/{id}/replies?select=6");
    service.refuses("GET", &too_many, Value::Null, 400, "ERROR_PARAMETER_INVALID");
    let summary = service.get(&format!("{base}/summary"));
    for (name, value) in [
        ("numTotalSent", json!(2)),
        ("numTotalUniqueOpens", json!(1)),
        ("numTotalOpens", json!(2)),
        ("numTotalClicks", json!(2)),
        ("numRecipientsClicked", json!(1)),
        ("numTotalUnsubscribes", json!(1)),
        ("percentageDelivered", json!(1.0)),
        ("revenue", json!("19.50")),
        ("numOrders", json!(1)),
    ] {
        assert_eq!(summary[name], value, "{name}");
    }
    let active = service.get(&format!("/v2/campaigns/with-activity-since/{at}"));
    assert_eq!(active[0]["id"], campaign);
    assert_eq!(service.get("/v2/campaigns/with-activity-since/2026-03-02T10:00:01Z"), json!([]));
}

#[test]
fn activity_outlives_the_contact() {
    let service = start();
    let campaign = sent(&service, &["a@x.io"]);
    service.call("DELETE", "/v2/contacts/a@x.io", Value::Null, 204);
    let click = Act::Click { url: "https://a.example".into() };
    service.sandbox.act(1, "a@x.io", Some(campaign as i32), click).unwrap();
    assert_eq!(service.get(&format!("/v2/campaigns/{campaign}/clicks"))[0]["email"], "a@x.io");
    let stranger = service.sandbox.act(1, "z@x.io", Some(campaign as i32), Act::Open { machine: false });
    assert_eq!(stranger, Err("the campaign did not go to this address"));
}

#[test]
fn the_same_seed_is_the_same_story() {
    let play = |seed: u64| {
        let options = Options { behaviour: Behaviour::lively(seed), ..Options::one_account(PASSWORD) };
        let service = service(options);
        let list = service.list("L");
        for number in 0..200 {
            service.member(list, &format!("p{number}@x.io"));
        }
        let campaign = service.campaign("C");
        let form = service.sandbox.arrange(1, form(None)).unwrap();
        service.send(campaign, &[list]);
        service.pass(24 * 4);
        let answers = service.get(&format!("/v2/surveys/{form}/responses"));
        (service.get(&format!("/v2/campaigns/{campaign}/summary")), answers)
    };
    let (story, answers) = play(7);
    assert_eq!((story.clone(), answers.clone()), play(7));
    assert_ne!(story, play(8).0);
    let complete = answers.as_array().unwrap().iter().filter(|answer| answer["complete"] == true).count();
    assert!(complete > 0, "{answers}");
    assert!(story["numTotalUniqueOpens"].as_i64().unwrap() > 50, "{story}");
    assert!(story["numTotalClicks"].as_i64().unwrap() > 0, "{story}");
}

#[test]
fn four_soft_bounces_are_the_end() {
    let service = start();
    service.contact("a@x.io");
    for expected in [Status::SoftBounced, Status::SoftBounced, Status::SoftBounced, Status::HardBounced] {
        service.sandbox.act(1, "a@x.io", None, Act::SoftBounce).unwrap();
        assert_eq!(service.sandbox.person(1, "a@x.io").unwrap().status, expected);
    }
}

fn form(list: Option<i32>) -> Arrangement {
    let question = |id, kind: &str, field: Option<&str>| Question {
        id,
        kind: kind.into(),
        text: kind.into(),
        data_field: field.map(str::to_owned),
        ..Question::default()
    };
    let colour = Question {
        choices: vec![(1, "Red".into()), (2, "Other".into())],
        other: Some((2, 12)),
        ..question(11, "radiolist", Some("FIRSTNAME"))
    };
    let rows = vec![question(21, "row", None), question(22, "row", None)];
    let matrix = Question { rows, ..question(20, "matrix", None) };
    let fields = vec![question(10, "email", None), colour, question(12, "text", None), matrix];
    let pages = vec![FormPage { id: 1, name: "One".into(), fields }];
    Arrangement::Form(Form { name: "Survey".into(), list, pages, ..Form::default() })
}

#[test]
fn a_form_is_begun_and_completed_later() {
    let service = start();
    let list = service.list("L") as i32;
    let id = service.sandbox.arrange(1, form(Some(list))).unwrap();
    let answer = |answers: Vec<FormAnswer>, complete: bool| {
        service.sandbox.act(1, "new@x.io", None, Act::Answer { form: id, answers, complete })
    };
    let value = |field, row, value| FormAnswer { field, row, value };
    answer(vec![value(11, None, json!(1))], false).unwrap();
    let path = format!("/v2/surveys/{id}/responses");
    assert_eq!(service.get(&path)[0]["complete"], false);
    assert_eq!(service.sandbox.person(1, "new@x.io"), None);
    service.pass(1);
    answer(vec![value(20, Some(21), json!(3)), value(12, None, json!("green"))], true).unwrap();
    let later = format!("{path}/with-activity-since/2026-03-02T10:00:00Z");
    let found = service.get(&later);
    assert_eq!(found[0]["complete"], true);
    assert_eq!(found[0]["givenAnswers"][1], json!({ "fieldId": 20, "subFieldId": 21, "value": 3 }));
    let person = service.sandbox.person(1, "new@x.io").unwrap();
    assert_eq!((person.lists, &person.fields["FIRSTNAME"]), (vec![list], &json!("Red")));
    assert_eq!(answer(vec![], true), Err("the form was answered already"));
    let fields = service.get(&format!("/v2/surveys/{id}/fields"));
    assert_eq!(fields[0]["fields"][1]["otherOptionTextFieldId"], 12);
    assert_eq!(fields[0]["fields"][3]["subFields"][1]["id"], 22);
    let survey = service.get("/v2/surveys?assignedToAddressBookOnly=true");
    assert_eq!(
        (&survey[0]["totalCompleteResponses"], &survey[0]["timeToCompleteMax"]),
        (&json!(1), &json!(3600))
    );
    service.refuses("GET", "/v2/surveys/1", Value::Null, 404, "ERROR_SURVEY_NOT_FOUND");
}

#[test]
fn scores_are_told() {
    let service = start();
    service.contact("a@x.io");
    let score = Arrangement::Score { email: "a@x.io".into(), score: 80, engagement: 90, suitability: 70 };
    service.sandbox.arrange(1, score).unwrap();
    assert_eq!(service.get("/v2/contacts/a@x.io/score")["scoreLabel"], "Hot");
    let since = service.get("/v2/contacts/score/modified-since/2026-03-02T09:00:00Z");
    assert_eq!(since[0]["engagement"], 90);
}

#[test]
fn other_programs_play_through_the_door() {
    let service = start();
    let campaign = sent(&service, &["a@x.io"]);
    let door = |method: &str, path: &str, body: Value| {
        let reply =
            request(&service.base, method, &format!("/_sandbox/{path}"), "", &body.to_string()).unwrap();
        (reply.status, reply.body)
    };
    let click =
        json!({ "act": "click", "url": "https://a.example", "email": "a@x.io", "campaign": campaign });
    assert_eq!(door("POST", "act", click).0, 204);
    let later = json!({ "act": "unsubscribe", "email": "a@x.io", "at": "2026-03-02T09:30:00Z" });
    assert_eq!(door("POST", "act", later).0, 204);
    assert_eq!(
        door("POST", "advance", json!({ "seconds": 3600 })),
        (200, "\"2026-03-02T10:00:00Z\"".to_owned())
    );
    let feed = service.get("/v2/contacts/suppressed-since/2026-03-02T09:30:00Z");
    assert_eq!(feed[0]["dateRemoved"], "2026-03-02T09:30:00.000Z");
    let log: Value = serde_json::from_str(&door("GET", "log", Value::Null).1).unwrap();
    assert_eq!((&log[0]["email"], &log[0]["mailed"]), (&json!("a@x.io"), &json!(true)));
    assert_eq!(door("POST", "act", json!({ "act": "confirm", "email": "a@x.io" })).0, 409);
    assert_eq!(door("POST", "act", json!({ "act": "dance", "email": "a@x.io" })).0, 400);
    let program = json!({ "arrange": "program", "name": "P", "status": "Active" });
    assert_eq!(door("POST", "account/1/arrange", program).0, 200);
    assert_eq!(door("POST", "faults", json!({ "fault": "unavailable", "times": 1 })).0, 204);
    assert_eq!(service.ask("GET", "/v2/server-time", &Value::Null).unwrap().status, 503);
    assert_eq!(service.sandbox.now(), super::monday() + SignedDuration::from_hours(1));
}

#[test]
fn a_crowd_clicks_a_millisecond_apart() {
    let service = start();
    for email in ["a@x.io", "b@x.io", "c@x.io"] {
        service.member(service.list(&format!("L{email}")), email);
    }
    let clicked = Arrangement::Clicked { people: 2, url: "https://a.example".into() };
    let campaign = service.sandbox.arrange(1, clicked).unwrap();
    let clicks = service.get(&format!("/v2/campaigns/{campaign}/clicks"));
    assert_eq!(pluck(&clicks, "email"), ["a@x.io", "b@x.io"]);
    assert_eq!(pluck(&clicks, "dateClicked"), ["2026-03-02T08:59:59.999Z", "2026-03-02T09:00:00.000Z"]);
    let path = format!("/v2/campaigns/{campaign}/activities/since-date/2026-03-02T08:00:00Z");
    assert_eq!(service.get(&path).as_array().unwrap().len(), 2);
}
