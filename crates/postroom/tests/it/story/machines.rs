//! Bounces, automatic answers and our own mail come back.

use serde_json::json;

use super::*;

/// A delivery report about a mail with this Message-ID and subject.
fn bounce(returned_id: &str, returned_subject: &str) -> Letter {
    let body = format!(
        "--b\nContent-Type: text/plain\n\nmailbox full\n\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.customer.example\n\nFinal-Recipient: rfc822; {ANNA}\nAction: failed\nStatus: 5.2.2\n\
         Diagnostic-Code: smtp; 552 5.2.2 mailbox full\n\n--b\nContent-Type: text/rfc822-headers\n\n\
         From: {DESK}\nTo: {ANNA}\nSubject: {returned_subject}\nMessage-ID: {returned_id}\n\n--b--\n"
    );
    letter("Undelivered Mail Returned to Sender")
        .from("Mail Delivery System <MAILER-DAEMON@mx.customer.example>")
        .body("multipart/report; report-type=delivery-status; boundary=b", &body)
}

#[track_caller]
fn filed_bounce(letter: &Letter) -> Value {
    let message = house().filed("", &[DESK], letter.raw());
    assert_eq!((text(&message["class"]), &message["automatic"]), ("bounce", &json!(true)), "{message:#}");
    message
}

#[test]
fn a_bounce_lies_at_the_mail_it_returns() {
    let case = case();
    let sent = letter(&case.token());
    is_on(&house().filed(ANNA, &[DESK], sent.raw()), &case.at(), "token");
    let message = filed_bounce(&bounce(&sent.id(), "Re: Pump"));
    is_on(&message, &case.at(), "thread");
    let told = &message["bounce"];
    assert_eq!(text(&told["message_id"]), sent.id().trim_matches(['<', '>']));
    let recipient = &told["recipients"][0];
    assert_eq!(
        (text(&recipient["address"]), text(&recipient["status"]), &recipient["code"]),
        (ANNA, "5.2.2", &json!(552))
    );
}

#[test]
fn a_bounce_lies_at_the_record_that_the_returned_subject_names() {
    let case = case();
    let message = filed_bounce(&bounce("<never-seen@ours.example>", &format!("Our offer {}", case.token())));
    is_on(&message, &case.at(), "token");
    assert_eq!(text(&message["decision"]["signals"][0]["place"]), "returned Subject");
}

#[test]
fn a_bounce_of_nothing_we_know_is_for_a_person() {
    is_in_review(&filed_bounce(&bounce("<other@ours.example>", "Hello")), "Nothing in it names a record");
}

#[test]
fn an_automatic_answer_is_filed_and_marked() {
    let case = case();
    let sent = letter(&case.token());
    house().filed(ANNA, &[DESK], sent.raw());
    let away = letter("Automatic reply: Pump").answering(&sent).header("Auto-Submitted", "auto-replied");
    let message = house().filed("", &[DESK], away.raw());
    is_on(&message, &case.at(), "thread");
    assert_eq!((text(&message["class"]), &message["automatic"]), ("auto_reply", &json!(true)));
}
