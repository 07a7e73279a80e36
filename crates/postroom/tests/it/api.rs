//! The HTTP faces of the running binary: the agents' door, the REST API beside the commands, and pages that stay inert.

mod pages;
pub mod wire;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::story::{ANNA, DESK, case, house, is_on, letter, record, text};
use wire::{Answer, Request, get, post};

static AGENT: LazyLock<String> = LazyLock::new(|| token("agent"));

fn token(scope: &str) -> String {
    text(&house().one(&["apitoken", "create", "--scope", scope])["token"]).to_owned()
}

#[track_caller]
fn agent(request: Request<'_>) -> Answer {
    request.bearer(&AGENT).to(house().http.expect("it listens"))
}

/// Hands a raw mail in; answers the message's id.
#[track_caller]
fn hand_in(query: &str, mail: &[u8]) -> String {
    let answer = agent(post(format!("/agent/v1/messages?{query}"), "message/rfc822", mail)).answers(202);
    text(&answer.json()["id"]).to_owned()
}

#[test]
fn it_is_ready_and_alive() {
    for path in ["/readyz", "/healthz"] {
        get(path).to(house().http.expect("it listens")).answers(200);
    }
    let metrics = get("/metrics").to(house().http.expect("it listens")).answers(200).text();
    assert!(metrics.contains("postroom_"), "{metrics}");
}

#[test]
fn an_agent_hands_in_a_raw_mail_and_a_repeat_is_the_same_message() {
    let case = case();
    let mail = letter(&case.token()).raw();
    let query = format!(
        "mailbox=desk&direction=incoming&from={ANNA}&to={DESK}&to=sales@ours.example&source=rep1:unid1"
    );
    let id = hand_in(&query, &mail);
    let message = house().settled(&id);
    is_on(&message, &case.at(), "token");
    assert_eq!(message["sightings_seen"][0]["source"], "http");
    assert_eq!(message["sightings_seen"][0]["envelope_to"], json!([DESK, "sales@ours.example"]));
    assert_eq!(hand_in(&query, &mail), id, "a repeat answers the same id");
    assert_eq!(hand_in(&query.replace("incoming", "Inbox"), &mail), id);
    assert_eq!(house().settled(&id)["sightings"], 1, "and adds nothing");
    let shown = agent(get(format!("/agent/v1/messages/{id}"))).answers(200).json();
    assert_eq!((shown["state"].as_str(), record(&shown)), (Some("tracked"), case.at()));
    assert!(house().raw(&id) == mail);
}

#[test]
fn an_agent_hands_in_a_kernel_of_json() {
    let case = case();
    let kernel = json!({
        "mailbox": "desk", "direction": "incoming", "source": format!("rep1:{}", case.guid()),
        "envelope": {"from": ANNA, "to": [DESK]},
        "headers": [["From", format!("\u{c4}nna <{ANNA}>")], ["To", DESK], ["Subject", format!("Gr\u{fc}\u{df}e {}", case.token())],
            ["Message-ID", format!("<kernel-{}@customer.example>", case.guid())], ["Date", "Mon, 2 Nov 2026 10:00:00 +0000"]],
        "text": "Hello", "html": "<p>Hello <b>there</b></p>",
        "attachments": [{"name": "\u{fc}ber.pdf", "type": "application/pdf", "content_id": "c1", "content": "JVBERi0xLjQKJQ=="}],
    });
    let answer = agent(post("/agent/v1/messages", "application/json", kernel.to_string())).answers(202);
    let message = house().settled(text(&answer.json()["id"]));
    is_on(&message, &case.at(), "token");
    assert_eq!(text(&message["from_name"]), "\u{c4}nna");
    let files = house().rows_of(&message, "activitymimeattachment", "objectid");
    assert_eq!(json!([files[0]["filename"], files[0]["filesize"]]), json!(["\u{fc}ber.pdf", 10]));
    assert!(text(&house().email(&message)["description"]).contains("<b>there</b>"));
    let again = agent(post("/agent/v1/messages", "application/json", kernel.to_string())).answers(202);
    assert_eq!(again.json(), answer.json());
}

#[test]
fn what_an_agent_does_wrong_is_told() {
    let server = house().http.expect("it listens");
    let mail = letter("x").raw();
    post("/agent/v1/messages", "message/rfc822", mail.clone()).to(server).refuses(401);
    post("/agent/v1/messages", "message/rfc822", mail.clone())
        .bearer("no-such-token")
        .to(server)
        .refuses(401);
    agent(post("/agent/v1/messages?mailbox=no-such-box", "message/rfc822", mail)).refuses(400);
    agent(post("/agent/v1/messages", "application/json", "{\"headers\": 7}")).refuses(400);
    let injected = json!({"headers": [["Subject", "x\r\nBcc: victim@x.example"]], "text": "x"});
    agent(post("/agent/v1/messages", "application/json", injected.to_string())).refuses(400);
    agent(post("/agent/v1/messages", "message/rfc822", vec![b'x'; 37 << 20])).refuses(413);
}

#[test]
fn the_api_answers_what_the_commands_print() {
    let case = case();
    let message = house().filed(ANNA, &[DESK], letter(&case.token()).raw());
    let id = text(&message["id"]);
    assert_eq!(house().one(&["message", "show", id]), message);
    let raw = house().run(&["message", "raw", id]);
    assert!((raw.exit, raw.out) == (0, house().raw(id)));
    let listed = house().api(&format!("/api/v1/messages?record={}", case.at())).answers(200).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let shown = house().one(&["record", "show", "incident", &case.guid()]);
    assert_eq!(house().api(&format!("/api/v1/records/incident/{}", case.guid())).answers(200).json(), shown);
    let openapi = house().api("/api/v1/openapi.json").answers(200).json();
    assert!(openapi["paths"]["/api/v1/messages/{id}"].is_object());
    house().api("/api/v1/messages/msg_00000000000000000000000000").refuses(404);
    get("/api/v1/messages").to(house().http.expect("it listens")).refuses(401);
    get("/api/v1/messages").bearer(&AGENT).to(house().http.expect("it listens")).refuses(403);
}

#[test]
fn a_person_s_decision_by_api_counts_like_one_by_command() {
    let case = case();
    let message = house().filed(ANNA, &[DESK], letter("Whose is this?").raw());
    let id = text(&message["id"]);
    let place = json!({"record": case.at()});
    let answer: Value = post(format!("/api/v1/messages/{id}/attach"), "application/json", place.to_string())
        .bearer(&token("api"))
        .to(house().http.expect("it listens"))
        .answers(200)
        .json();
    assert_eq!(answer["changed"], json!([id]), "{answer}");
    is_on(&house().settled(id), &case.at(), "person");
}

/// What a mail is stamped with is where it will be filed.
#[test]
fn a_reply_is_stamped_with_the_record_of_its_thread() {
    let case = case();
    let parent = letter(&case.token());
    let message = house().filed(ANNA, &[DESK], parent.raw());
    is_on(&message, &case.at(), "token");
    let stamp = |asked: Value| {
        let answer = agent(post("/agent/v1/stamp", "application/json", asked.to_string())).answers(200);
        answer.json()
    };
    let ask = json!({"subject": "Re: your pump", "from": DESK, "to": ["kim@nobody.example"], "in_reply_to": message["message_id"], "references": []});
    let stamped = stamp(ask);
    assert_eq!(record(&stamped), case.at(), "{stamped:#}");
    assert!(text(&stamped["subject"]).to_lowercase().contains(&case.guid()), "{stamped:#}");
    assert!(text(&stamped["subject"]).starts_with("Re: your pump"), "{stamped:#}");
    let unknown = stamp(json!({"subject": "Hello", "from": DESK, "to": ["kim@nobody.example"]}));
    assert_eq!((&unknown["subject"], &unknown["record"]), (&json!("Hello"), &Value::Null), "{unknown:#}");
    assert!(!text(&unknown["reason"]).is_empty());
    let server = house().http.expect("it listens");
    post("/agent/v1/stamp", "application/json", "{}").to(server).refuses(401);
    post("/agent/v1/stamp", "application/json", "{}").bearer(&token("api")).to(server).refuses(403);
}
