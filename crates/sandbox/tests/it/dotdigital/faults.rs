//! The switches.

use postroom_sandbox::dotdigital::{Fault, Switch};
use serde_json::{Value, json};

use super::{pluck, start};

#[test]
fn a_lost_answer_is_lost_after_the_deed() {
    let service = start();
    service.contact("a@x.io");
    let campaign = service.campaign("C");
    service.sandbox.fault(Switch::once(Fault::LoseAnswer, "POST", "/v2/campaigns/send"));
    let body = json!({ "campaignId": campaign, "contactIds": [1] });
    assert!(service.ask("POST", "/v2/campaigns/send", &body).is_none());
    assert_eq!(service.mailed(), ["a@x.io"]);
    service.sandbox.fault(Switch::once(Fault::Drop, "POST", "/v2/campaigns/send"));
    assert!(service.ask("POST", "/v2/campaigns/send", &body).is_none());
    assert_eq!(service.mailed(), ["a@x.io"], "nothing was done");
}

#[test]
fn a_cut_answer_is_shorter_than_it_says() {
    let service = start();
    service.contact("a@x.io");
    service.sandbox.fault(Switch::once(Fault::CutAnswer, "GET", "/v2/contacts"));
    let reply = service.ask("GET", "/v2/contacts", &Value::Null).unwrap();
    assert!(!reply.whole && !reply.body.is_empty(), "{reply:?}");
    assert!(service.ask("GET", "/v2/contacts", &Value::Null).unwrap().whole);
}

#[test]
fn refusals_come_with_their_words() {
    let service = start();
    let cases = [
        (Fault::Unavailable, 503, "ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE"),
        (Fault::FlatLimit, 400, "ERROR_APIUSAGE_EXCEEDED"),
        (Fault::Broken, 500, "ERROR_UNKNOWN"),
        (Fault::Refuse { status: 403, code: "ERROR_FEATURENOTACTIVE".into() }, 403, "ERROR_FEATURENOTACTIVE"),
    ];
    for (fault, status, code) in cases {
        service.sandbox.fault(Switch::once(fault, "", ""));
        service.refuses("GET", "/v2/server-time", Value::Null, status, code);
    }
    service.sandbox.fault(Switch::once(Fault::TooMany, "", ""));
    let reply = service.ask("GET", "/contacts/v3", &Value::Null).unwrap();
    assert_eq!((reply.status, reply.header("x-ratelimit-remaining")), (429, "0"));
    assert!(!reply.header("x-ratelimit-reset").is_empty());
}

#[test]
fn shifting_pages_miss_rows_that_an_overlap_finds() {
    let service = start();
    let expected: Vec<_> = (0..10).map(|number| format!("p{number}@x.io")).collect();
    for email in &expected {
        service.contact(email);
    }
    service.sandbox.fault(Switch::always(Fault::ShiftingPages { rows: 1 }));
    let read = |skips: &[usize]| {
        let mut found: Vec<String> = Vec::new();
        for skip in skips {
            let page = service.get(&format!("/v2/contacts?select=4&skip={skip}"));
            found.extend(pluck(&page, "email").into_iter().map(str::to_owned));
        }
        found.sort();
        found.dedup();
        found
    };
    assert!(read(&[0, 4, 8]).len() < 10);
    assert_eq!(read(&[0, 2, 4, 6]), expected);
}

#[test]
fn words_from_the_future_appear_in_v2_only() {
    let service = start();
    service.contact("a@x.io");
    service.sandbox.fault(Switch::always(Fault::UnknownValues));
    let row = service.get("/v2/contacts")[0].clone();
    let words = ["status", "optInType", "emailType"].map(|name| row[name] == "NotAvailableInThisVersion");
    assert!(words.contains(&true) && words.contains(&false), "{row}");
    assert_eq!(row["addedInALaterVersion"], 1);
    assert_eq!(service.get("/contacts/v3/email/a@x.io")["status"], "subscribed");
}

#[test]
fn moments_are_spelled_in_every_way() {
    let service = start();
    for email in ["a@x.io", "b@x.io", "c@x.io"] {
        service.post("/v2/contacts/unsubscribe", json!({ "email": email }), 200);
    }
    service.sandbox.fault(Switch::always(Fault::DateSpellings));
    let feed = service.get("/v2/contacts/suppressed-since/2000-01-01");
    let expected = ["2026-03-02T09:00:00", "2026-03-02T09:00:00.00Z", "2026-03-02T09:00:00.000Z"];
    assert_eq!(pluck(&feed, "dateRemoved"), expected);
}

#[test]
fn a_slow_answer_keeps_nobody_else_waiting() {
    let service = start();
    let slow = Fault::Slow { milliseconds: 3_000 };
    service.sandbox.fault(Switch::once(slow, "GET", "/v2/contacts"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| service.ask("GET", "/v2/contacts/count", &Value::Null));
        while !service.sandbox.calls().contains_key("GET /v2/contacts/count") {
            std::thread::yield_now();
        }
        service.get("/v2/server-time");
        assert!(!asked.is_finished());
        assert_eq!(asked.join().unwrap().unwrap().body, "0");
    });
}
