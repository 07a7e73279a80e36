//! Mail that a customer's server hands to Postfix, and Postfix to us.

use postroom_mail::client::Client;
use postroom_testkit::peers::{Postfix, Route};
use postroom_testkit::poll;
use serde_json::Value;

use super::HOUSE;
use crate::house::{PATIENCE, wait_for};
use crate::story::{ANNA, DESK, SALES, at, guid, letter, record, text};

/// Gives mails to Postfix, each to these recipients.
fn submit(postfix: &Postfix, to: &[&str], mails: &[Vec<u8>]) {
    wait_for(async {
        let mut client = Client::connect(postfix.address).await.expect("Postfix greets");
        for mail in mails {
            let answers = client.send(ANNA, to, mail).await.expect("Postfix answers");
            assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
        }
        client.quit().await.expect("Postfix says goodbye");
    });
}

/// Waits until Postfix has nothing left and these mails lie on the record.
#[track_caller]
fn arrived(postfix: &Postfix, on: &str, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    let come = poll::until(PATIENCE, || {
        found = HOUSE.list(&["message", "list", "--record", on, "--limit", "0"]);
        found.len() >= count
    });
    assert!(come, "{} of {count} are on {on}\n{}\n{}", found.len(), postfix.log(), HOUSE.log());
    assert!(
        poll::until(PATIENCE, || (postfix.flush(), postfix.queued() == 0).1),
        "Postfix still has mail:\n{}",
        postfix.log()
    );
    assert_eq!(found.len(), count, "each once");
    found
}

#[track_caller]
fn carried(route: Route, settings: &[(&str, &str)], case: u32, source: &str) -> Postfix {
    const MAILS: usize = 25;
    let postfix = Postfix::start(route, settings);
    let mail = |number: usize| {
        let subject =
            format!("Pump {number} =?utf-8?Q?f=C3=BCr?= you\r\n CRM: {{{}}}:MRC", guid("incident", case));
        let body = format!(".\r\n..\r\nnumber {number}\r\n{}", "a line\r\n".repeat(number * 20));
        letter(&subject).body("text/plain; charset=us-ascii", &body).raw()
    };
    let mails: Vec<Vec<u8>> = (0..MAILS).map(mail).collect();
    submit(&postfix, &[DESK, SALES], &mails);
    let found = arrived(&postfix, &at("incident", case), MAILS);
    for message in &found {
        let shown = HOUSE.one(&["message", "show", text(&message["id"])]);
        let seen = &shown["sightings_seen"][0];
        assert_eq!((text(&seen["source"]), text(&seen["envelope_from"])), (source, ANNA), "{shown:#}");
        assert!(text(&message["subject"]).contains("f\u{fc}r you CRM: {"), "{message:#}");
    }
    let ours = HOUSE.raw(text(&found[0]["id"]));
    let body =
        |raw: &[u8]| String::from_utf8_lossy(raw).split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    assert!(mails.iter().any(|mail| body(mail) == body(&ours)), "the body arrived as it was sent");
    assert_eq!(HOUSE.rows("email", "regardingobjectid", &at("incident", case)).len(), MAILS);
    postfix
}

#[test]
fn postfix_delivers_by_smtp_over_tls() {
    let smtp = HOUSE.smtp.expect("it listens");
    let settings = [("smtp_tls_security_level", "encrypt"), ("smtp_tls_loglevel", "1")];
    let postfix = carried(Route::Smtp(smtp), &settings, 190, "smtp");
    assert!(postfix.log().contains("TLS connection established"), "{}", postfix.log());
}

#[test]
fn postfix_delivers_by_lmtp() {
    carried(Route::Lmtp(HOUSE.lmtp.expect("it listens")), &[], 191, "lmtp");
}

/// No relay: Postfix is told at once, and what is for us arrives.
#[test]
fn postfix_is_refused_a_stranger_s_recipient() {
    let postfix = Postfix::start(Route::Smtp(HOUSE.smtp.expect("it listens")), &[]);
    let mail = letter(&format!("CRM: {{{}}}:MRC", guid("incident", 192)));
    submit(&postfix, &["somebody@else.example", DESK], &[mail.raw()]);
    let found = arrived(&postfix, &at("incident", 192), 1);
    assert_eq!(record(&found[0]), at("incident", 192));
    assert!(postfix.log().contains("said: 550 5.7.1"), "{}", postfix.log());
}

/// A mail larger than we take bounces at Postfix at once, for SIZE says so.
#[test]
fn postfix_learns_the_size_limit() {
    let postfix = Postfix::start(
        Route::Smtp(HOUSE.smtp.expect("it listens")),
        &[("message_size_limit", "0"), ("mailbox_size_limit", "0")],
    );
    let body = "0123456789012345678901234567890123456789\r\n".repeat(1_000_000);
    submit(&postfix, &[DESK], &[letter("too large").body("text/plain", &body).raw()]);
    let told = || postfix.log().contains("size limit") || postfix.log().contains("552");
    assert!(poll::until(PATIENCE, told), "{}", postfix.log());
}
