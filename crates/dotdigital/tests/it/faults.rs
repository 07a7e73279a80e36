//! What goes wrong on the way: limits, lost answers, other regions, rows that shift, passwords that are wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::*;
use postroom_core::{Clock, Code, Fault, Verdict};
use serde_json::{Value, json};

use crate::server::{Answer, PASSWORD, Server, client_as};
use crate::story::{GUID, ODD, Told, good_server, order, singles, tell};

fn refusal(constant: &str) -> Value {
    json!({ "message": format!("Error: {constant}") })
}

fn sent() -> Answer {
    Answer::Json(202, json!({"id": GUID, "campaignId": 77, "status": "Scheduled"}))
}

fn limited(reset: &str) -> Answer {
    let headers = vec![
        ("X-RateLimit-Scope", "lowCallRate".to_owned()),
        ("X-RateLimit-Limit", "150".to_owned()),
        ("X-RateLimit-Remaining", "0".to_owned()),
        ("X-RateLimit-Reset", reset.to_owned()),
    ];
    Answer::With(429, headers, json!({}))
}

#[tokio::test]
async fn a_minute_that_is_spent_is_waited_for() {
    let server = Server::new().await;
    server.on("GET /v2/address-books", [limited("1"), Answer::Json(200, json!([]))]);
    let service = server.client();
    let begun = std::time::Instant::now();
    service.lists(&Ask::default()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(900));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_handed_on_and_nobody_asks_meanwhile() {
    let server = Server::new().await;
    server.on("GET /v2/address-books", [limited("50")]);
    let service = server.client();
    for _ in 0..3 {
        let fault = service.lists(&Ask::default()).await.unwrap_err();
        assert_eq!(fault.code, Code::MARKETING_LIMIT);
        let Verdict::Retry { after: Some(after) } = fault.verdict else { panic!("{:?}", fault.verdict) };
        assert!((45..=50).contains(&after.as_secs()), "{after}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn refusals_without_headers_and_of_the_hour() {
    let flat = Answer::Json(
        400,
        json!({"message": "excess API activity and is being temporarily capped. ERROR_APIUSAGE_EXCEEDED"}),
    );
    for (answer, seconds) in [(Answer::Text(429, String::new()), 60), (flat, 300)] {
        let server = Server::new().await;
        server.on("GET /v2/address-books", [answer]);
        let service = server.client();
        let fault = service.lists(&Ask::default()).await.unwrap_err();
        assert_eq!(fault.code, Code::MARKETING_LIMIT);
        assert_eq!(fault.verdict, Verdict::Retry { after: Some(SignedDuration::from_secs(seconds)) });
        let other = service.send(&order()).await.unwrap_err();
        assert_eq!(other.code, Code::MARKETING_LIMIT, "everything rests");
        assert_eq!(server.seen().len(), 1);
    }
}

/// A limit turns a request away before any work: even a send is then made again.
#[tokio::test]
async fn sends_wait_for_limits() {
    let server = Server::new().await;
    let away = Answer::Json(503, refusal("ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE"));
    server.on("POST /v2/campaigns/send", [limited("1"), away, sent()]);
    server.client().send(&order()).await.unwrap();
    assert_eq!(server.seen().len(), 3);
}

/// Whatever happens after the request left, a send is made once.
#[tokio::test]
async fn sends_are_made_once() {
    let odd = [
        Answer::Lost,
        Answer::Cut(json!({"id": GUID, "campaignId": 77})),
        Answer::Json(500, json!({})),
        Answer::Text(502, "<html>".into()),
        Answer::Json(503, json!({})),
        Answer::Text(504, String::new()),
        Answer::Text(202, "<html>".into()),
        Answer::Json(202, json!({"status": "Scheduled"})),
        Answer::Silent,
    ];
    for answer in odd {
        let server = Server::new().await;
        server.on("POST /v2/campaigns/send", [answer.clone(), sent()]);
        let service = server.client_with(|settings| settings.timeout = Duration::from_millis(300));
        let fault = service.send(&order()).await.unwrap_err();
        assert_eq!((fault.verdict, fault.code), (Verdict::Unknown, Code::MARKETING_UNKNOWN), "{answer:?}");
        assert_eq!(server.seen().len(), 1, "{answer:?}");
    }
}

/// The same for single mails, enrolments, challenges, and things that are made by name.
#[tokio::test]
async fn whatever_reaches_people_is_done_once() {
    let server = Server::new().await;
    server.on("POST ", [Answer::Lost]);
    let service = server.client();
    let check = |what: &str, fault: Option<Fault>| {
        assert_eq!(fault.map(|fault| fault.verdict), Some(Verdict::Unknown), "{what}");
    };
    for answer in service.send_single(&singles()).await {
        check("single", answer.err());
    }
    check("enrol", service.enrol(&ProgramId(1), &order().to).await.err());
    let challenge = Challenge::Ask { locale: None, return_to: None };
    let who = Resubscribe { email: ODD.into(), list: None, challenge };
    check("challenge", service.resubscribe(&who).await.err());
    check("list", service.create_list("x", &Visibility::Private).await.err());
    check("copy", service.copy_campaign(&CampaignId(1)).await.err());
    assert_eq!(server.seen().len(), 7, "{:?}", server.whats());
}

#[tokio::test]
async fn what_may_be_repeated_is_repeated() {
    for answer in [
        Answer::Lost,
        Answer::Cut(json!([{"id": 1}])),
        Answer::Json(503, json!({})),
        Answer::Text(200, "<html>".into()),
    ] {
        let server = Server::new().await;
        let reply = json!({"suppressedContact": {"id": 9, "email": ODD}, "reason": "Unsubscribed"});
        server.on("POST /v2/contacts/unsubscribe", [answer.clone(), Answer::Json(200, reply)]);
        server.on(
            "GET /v2/address-books",
            [answer.clone(), Answer::Json(200, json!([{"id": 1, "name": "n"}]))],
        );
        let service = server.client();
        service.unsubscribe(ODD).await.unwrap();
        assert_eq!(service.lists(&Ask::default()).await.unwrap().rows.len(), 1, "{answer:?}");
        assert_eq!(server.seen().len(), 4, "{answer:?}");
    }
}

#[tokio::test]
async fn nothing_is_tried_for_ever() {
    let server = Server::new().await;
    server.on("GET /v2/address-books", [Answer::Json(500, json!({}))]);
    let fault = server.client().lists(&Ask::default()).await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Retry { after: None }, Code::MARKETING_AWAY));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn wrong_passwords_stop_everything() {
    for body in [Answer::Text(401, "Unauthorized".into()), Answer::Json(401, refusal("ERROR_INVALID_LOGIN"))]
    {
        let server = Server::new().await;
        server.on("GET /v2/address-books", [body]);
        let clock = Clock::manual("2026-11-22T06:00:00Z".parse().unwrap());
        let service = client_as(&server.url, "wrong horse", clock.clone(), |_| {});
        for _ in 0..5 {
            let fault = service.lists(&Ask::default()).await.unwrap_err();
            assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::MARKETING_SIGN_IN));
        }
        assert_eq!(server.seen().len(), 1, "the service locks users that try again and again");
        clock.advance(SignedDuration::from_mins(1));
        service.lists(&Ask::default()).await.unwrap_err();
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn an_account_that_lives_elsewhere_is_followed() {
    let (first, second) = (Server::new().await, Server::new().await);
    let home = second.url.clone();
    let info = move || json!({"id": 1, "properties": [{"name": "ApiEndpoint", "value": home}]});
    first.json("GET /v2/account-info", info());
    second.json("GET /v2/account-info", info()).json("GET /v2/address-books", json!([]));
    let service = first.client();
    service.lists(&Ask::default()).await.unwrap();
    assert_eq!(service.account().await.unwrap().endpoint, second.url);
    assert_eq!((first.seen().len(), second.seen().len()), (0, 1));
    // What was remembered has become wrong: the account has moved.
    let third = Server::new().await;
    third.on("GET /v2/address-books", [Answer::Text(403, "Forbidden".into())]);
    let old = third.url.clone();
    let service = first.client_with(|settings| *settings = settings.clone().with_endpoint(&old).unwrap());
    service.lists(&Ask::default()).await.unwrap();
    assert_eq!((third.seen().len(), second.seen().len()), (1, 2));
}

#[tokio::test]
async fn the_password_does_not_follow_to_strangers() {
    let server = Server::new().await;
    let elsewhere = json!({"id": 1, "properties": [{"name": "ApiEndpoint", "value": "https://dotdigital.com.evil.example"}]});
    server.json("GET /v2/account-info", elsewhere);
    let fault = server.client().lists(&Ask::default()).await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Hold, Code::MARKETING_REGION));
}

#[tokio::test]
async fn a_feature_that_is_missing_is_not_another_region() {
    let server = Server::new().await;
    server.on("GET /v2/programs", [Answer::Json(403, refusal("ERROR_FEATURENOTACTIVE"))]);
    server.on("GET /v2/surveys", [Answer::Text(403, String::new())]);
    server.json("GET /v2/preferences", json!([])).json("GET /v2/contacts/score", json!([]));
    server.json("GET /configuration/v3/customIdentifiers", json!([{"name": "CRM"}]));
    let can = server.client().capabilities().await.unwrap();
    assert_eq!(can.missing, [Feature::Programs, Feature::Forms]);
    assert_eq!(can.custom_identifiers, ["CRM"]);
}

/// Members of a list, some of whom leave while it is read.
struct Shifting {
    rows: Arc<Mutex<Vec<i64>>>,
    server: Server,
}

impl Shifting {
    async fn new(count: i64, gone_after_each: usize) -> Shifting {
        let server = Server::new().await;
        let rows = Arc::new(Mutex::new((1..=count).collect::<Vec<i64>>()));
        let kept = Arc::clone(&rows);
        server.rule(move |seen| {
            let number = |name: &str| -> Option<usize> {
                seen.what.split(name).nth(1)?.split('&').next()?.parse().ok()
            };
            let (select, skip) = (number("select=")?, number("skip=")?);
            let mut rows = kept.lock().unwrap();
            let row = |id: &i64| json!({"suppressedContact": {"id": id, "email": format!("p{id}@x.example")}, "reason": "Unsubscribed"});
            let page: Value = rows.iter().skip(skip).take(select).map(row).collect();
            let gone = gone_after_each.min(rows.len());
            rows.drain(..gone);
            Some(Answer::Json(200, page))
        });
        Shifting { rows, server }
    }

    async fn read(&self) -> Result<Vec<i64>, Fault> {
        let service = self.server.client_with(|settings| settings.overlap = 5);
        let (mut ask, mut all) = (Ask { size: 50, after: None }, Vec::new());
        loop {
            let page = service.suppressions(Timestamp::UNIX_EPOCH, &ask).await?;
            all.extend(page.rows.into_iter().filter_map(|row| row.contact).map(|id| id.0));
            let Some(next) = page.next else { return Ok(all) };
            ask = ask.after(next);
        }
    }
}

#[tokio::test]
async fn rows_that_shift_are_all_read() {
    for gone in [0, 1, 5, 6, 20] {
        let list = Shifting::new(500, gone).await;
        let found = list.read().await.unwrap();
        let left = list.rows.lock().unwrap().clone();
        assert!(left.iter().all(|row| found.contains(row)), "{gone} go after each page");
        if gone == 0 {
            assert_eq!(found, (1..=500).collect::<Vec<i64>>(), "and none twice when nothing shifts");
            assert!(list.server.seen().len() <= 12, "{} calls", list.server.seen().len());
        }
    }
}

#[tokio::test]
async fn rows_that_shift_too_fast_are_not_given_up_silently() {
    let fault = Shifting::new(1000, 49).await.read().await.unwrap_err();
    assert_eq!((fault.verdict, fault.code), (Verdict::Retry { after: None }, Code::MARKETING_BUSY));
}

/// Whatever is refused, and however: no fault names a person, a password, a header or a body.
#[tokio::test]
async fn faults_hold_nothing_of_people() {
    let nasty = json!({
        "message": format!("The contact {ODD} with password {PASSWORD} is not fine"),
        "errorCode": "contacts:brandNew",
        "description": format!("{ODD} is wrong"),
        "details": [{"item": ODD, "description": ODD}],
    });
    for answer in [
        Answer::Json(400, nasty.clone()),
        Answer::Json(500, nasty.clone()),
        Answer::Lost,
        Answer::Text(404, nasty.to_string()),
    ] {
        let server = Server::new().await;
        server.on("", [answer.clone()]);
        server.json("GET /v2/account-info", json!({"id": 1, "properties": []}));
        let mut told = Told(Vec::new());
        tell(&server.client_with(|settings| settings.tries = 1), &mut told).await;
        assert!(told.0.len() > 40, "{}", told.0.len());
        for (what, fault) in &told.0 {
            let mut text = format!("{fault} {fault:?}");
            let mut source = std::error::Error::source(fault);
            while let Some(cause) = source {
                text.push_str(&cause.to_string());
                source = cause.source();
            }
            for secret in ["brien", "correct horse", "Basic ", "127.0.0.1", "apiuser-1"] {
                assert!(!text.contains(secret), "{what}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn traces_of_a_send() {
    let server = good_server().await;
    let traces = server.client().traces(&order(), "2024-05-02T08:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(
        (traces.lists.clone(), traces.recipients, traces.campaign.as_str()),
        (vec![ListId(123)], 1, "Sent")
    );
    assert!(traces.left());
    let traces = server.client().traces(&order(), "2024-05-03T08:00:00Z".parse().unwrap()).await.unwrap();
    assert!(!traces.left(), "an older send is no trace");
}
