//! Postfix in its shapes: it discards, hands on by domain, asks for a password, and filters.

use std::process::{Command, Stdio};
use std::time::Duration;

use postroom_testkit::net;
use postroom_testkit::peers::{self, Certificate, Dovecot, DovecotOptions, PASSWORD, Postfix, Route, Shape};
use postroom_testkit::poll;

const SOON: Duration = Duration::from_secs(60);

/// Runs swaks; answers its exit code and what was said.
fn swaks(door: std::net::SocketAddr, to: &str, options: &[&str]) -> (i32, String) {
    let mut command = Command::new(peers::require("swaks"));
    command.args(["--server", &door.ip().to_string(), "--port", &door.port().to_string()]);
    command.args(["--ehlo", "client.example", "--from", "anna@ours.example", "--to", to]).args(options);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
fn sent(door: std::net::SocketAddr, to: &str, options: &[&str]) {
    let (exit, said) = swaks(door, to, options);
    assert_eq!(exit, 0, "{said}");
}

#[test]
fn it_discards_and_survives() {
    let postfix = Postfix::start(Route::Discard, &[("message_size_limit", "30000")]);
    sent(postfix.address, "bert@else.example", &[]);
    assert!(
        poll::until(SOON, || postfix.log().contains("relay=none") && postfix.queued() == 0),
        "{}",
        postfix.log()
    );
    postfix.kill();
    postfix.start_again();
    let (_, said) = swaks(postfix.address, "bert@else.example", &["--quit-after", "EHLO"]);
    assert!(said.contains("SIZE 30000"), "{said}");
}

#[test]
fn it_keeps_mail_while_the_next_hop_is_away() {
    let postfix = Postfix::start(Route::Smtp(net::loopback(net::free_port())), &[]);
    sent(postfix.address, "bert@else.example", &[]);
    assert!(poll::until(SOON, || postfix.log().contains("status=deferred")), "{}", postfix.log());
    postfix.restart();
    assert_eq!(postfix.queued(), 1);
}

#[test]
fn mail_goes_to_the_mailboxes_of_a_domain_and_bounces_come_back() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna", "bert"]));
    let routes = vec![("ours.example".to_owned(), Route::Lmtp(dovecot.lmtp()))];
    let postfix = Postfix::with(Route::Discard, Shape { routes, ..Shape::default() });
    sent(postfix.address, "bert@ours.example", &["--body", "to Bert"]);
    sent(postfix.address, "nobody@ours.example", &[]);
    let arrived =
        || !dovecot.messages("bert", "INBOX").is_empty() && !dovecot.messages("anna", "INBOX").is_empty();
    assert!(poll::until(SOON, arrived), "{}{}", postfix.log(), dovecot.log());
    let text = |user: &str| String::from_utf8(dovecot.messages(user, "INBOX").remove(0).1).unwrap();
    assert!(text("bert").contains("Delivered-To: bert@ours.example") && text("bert").contains("to Bert"));
    assert!(
        text("anna").contains("Content-Type: multipart/report")
            && text("anna").contains("nobody@ours.example")
    );
}

#[test]
fn submission_needs_tls_and_a_password() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    let (tls, submission) = (Some(Certificate::local()), Some(dovecot.auth_socket()));
    let postfix = Postfix::with(Route::Discard, Shape { tls, submission, ..Shape::default() });
    let credentials = |password| ["--auth-user", "anna", "--auth-password", password];
    let (door, to) = (postfix.submission(), "bert@else.example");
    sent(door, to, &[&["--tls", "--auth", "PLAIN"][..], &credentials(PASSWORD)].concat());
    sent(door, to, &[&["--tls", "--auth", "LOGIN"][..], &credentials(PASSWORD)].concat());
    sent(postfix.submissions(), to, &[&["--tlsc", "--auth", "PLAIN"][..], &credentials(PASSWORD)].concat());
    let (_, said) = swaks(door, to, &[&["--tls", "--auth", "PLAIN"][..], &credentials("wrong")].concat());
    assert!(said.contains("535 5.7.8"), "{said}");
    let (_, said) = swaks(door, to, &["--tls"]);
    assert!(said.contains("554 5.7.1"), "{said}");
    let (_, said) = swaks(door, to, &[]);
    assert!(said.contains("530 5.7.0"), "{said}");
}

/// Two servers stand in a ring: the first filters through the second, which hands all back.
#[test]
fn a_content_filter_sees_each_mail_once() {
    let world = Postfix::start(Route::Discard, &[]);
    let office = Postfix::start(Route::Smtp(world.address), &[]);
    let filter = Postfix::start(Route::Smtp(office.reinjection()), &[]);
    office.reshape(|shape| shape.filter = Some(filter.address));
    sent(office.address, "bert@else.example", &[]);
    let arrived = || world.log().contains("status=sent");
    assert!(poll::until(SOON, arrived), "{}\n{}", office.log(), filter.log());
    assert!(poll::until(SOON, || [&office, &filter, &world].iter().all(|postfix| postfix.queued() == 0)));
    for (postfix, mails) in [(&world, 1), (&filter, 1), (&office, 2)] {
        assert_eq!(postfix.log().matches("status=sent").count(), mails, "{}", postfix.log());
    }
    assert!(office.log().contains("postfix/reinjection"), "{}", office.log());
}
