//! A real Postfix hands its mail on to our SMTP and LMTP listeners.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postroom_core::{Code, Fault, Incoming};
use postroom_mail::client::Client;
use postroom_mail::listener::{Protocol, server_config};
use postroom_testkit::peers::{Postfix, Route};

use crate::harness::{HOST, Running, Shelf, options, ports, until};

/// Sends through Postfix and insists that it takes the mail.
async fn submit(postfix: &Postfix, to: &[&str], mail: &[u8]) {
    let mut client = Client::connect(postfix.address).await.unwrap();
    let answers = client.send("anna@client.example", to, mail).await.unwrap();
    assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
    client.quit().await.unwrap();
}

/// Waits until `count` mails are here and Postfix has none left.
async fn arrived(postfix: &Postfix, shelf: &Shelf, count: usize) -> Vec<Incoming> {
    let explain = || format!("{} of {count} mails are here\n{}", shelf.mails().len(), postfix.log());
    until(|| shelf.mails().len() >= count, explain).await;
    until(|| postfix.queued() == 0, explain).await;
    let mails = shelf.mails();
    assert_eq!(mails.len(), count, "each arrives once");
    mails
}

/// What follows the header.
fn body(mail: &Incoming) -> &[u8] {
    let raw = &mail.raw[..];
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("a header ends");
    &raw[end + 4..]
}

fn number(mail: &Incoming) -> usize {
    let text = String::from_utf8_lossy(&mail.raw);
    let line = text.lines().find_map(|line| line.strip_prefix("X-Number: ")).expect("our header is there");
    line.parse().unwrap()
}

/// Bodies that mail programs get wrong.
fn body_of(number: usize) -> Vec<u8> {
    match number % 6 {
        0 => b".\r\n..\r\n.dots\r\n\r\n.\r\n".to_vec(),
        1 => "8-bit: \u{e4}\u{f6}\u{fc} \u{20ac}\r\n".as_bytes().to_vec(),
        2 => [&b"latin-1: \xe4\xf6\r\n"[..], &[b'x'; 5000], b"\r\n"].concat(),
        3 => "a line of text that is repeated\r\n".repeat(300).into_bytes(),
        4 => b"\r\n\r\n \t\r\ntrailing space \r\n".to_vec(),
        _ => b"From here on\r\n>From there\r\n".to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_mails_arrive_once_and_as_they_were() {
    const MAILS: usize = 200;
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let postfix = Arc::new(Postfix::start(Route::Smtp(running.address), &[]));
    let senders = (0..8).map(|first| {
        let postfix = postfix.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(postfix.address).await.unwrap();
            for number in (first..MAILS).step_by(8) {
                let header = format!("From: anna@client.example\r\nSubject: n\r\nX-Number: {number}\r\n\r\n");
                let mail = [header.as_bytes(), &body_of(number)].concat();
                let to = ["desk@ours.example", "two@ours.example", "\"John Doe/Acme\"@ours.example"];
                let answers = client.send("anna@client.example", &to[..1 + number % 3], &mail).await.unwrap();
                assert!(answers.iter().all(|answer| answer.is_ok()), "{answers:?}");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let mails: BTreeMap<_, _> =
        arrived(&postfix, &shelf, MAILS).await.into_iter().map(|mail| (number(&mail), mail)).collect();
    assert_eq!(mails.len(), MAILS, "no number twice");
    for (number, mail) in &mails {
        assert_eq!(body(mail), body_of(*number), "mail {number}");
        assert_eq!(mail.envelope.to.len(), 1 + number % 3);
        assert_eq!(mail.envelope.from.as_deref(), Some("anna@client.example"));
        assert_eq!(mail.peer.as_deref(), Some("relay.client.example [127.0.0.1]"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_beyond_ascii_arrive() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let postfix = Postfix::start(Route::Smtp(running.address), &[]);
    let mail = "From: j\u{fc}rgen@client.example\r\nSubject: Gr\u{fc}\u{df}e\r\n\r\n\u{1f600}\r\n";
    submit(&postfix, &["j\u{fc}rgen@ours.example", "desk@ours.example"], mail.as_bytes()).await;
    let mails = arrived(&postfix, &shelf, 1).await;
    let mut to = mails[0].envelope.to.clone();
    to.sort();
    assert_eq!(to, ["desk@ours.example", "j\u{fc}rgen@ours.example"]);
    assert!(String::from_utf8_lossy(&mails[0].raw).contains("Subject: Gr\u{fc}\u{df}e\r\n"));
    assert_eq!(body(&mails[0]), "\u{1f600}\r\n".as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_refused_for_now_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = tries.clone();
    let shelf = Shelf::with(move |_| match seen.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Fault::retry(Code::STORE_AWAY, "x")),
        _ => Ok(()),
    });
    let running = Running::smtp(shelf.clone()).await;
    let postfix = Postfix::start(Route::Smtp(running.address), &[]);
    submit(&postfix, &["desk@ours.example"], b"Subject: x\r\n\r\nx\r\n").await;
    until(|| postfix.log().contains("status=deferred"), || postfix.log()).await;
    assert!(postfix.log().contains("451 4.3.0 Not stored"), "{}", postfix.log());
    until(|| (postfix.flush(), !shelf.mails().is_empty()).1, || postfix.log()).await;
    arrived(&postfix, &shelf, 1).await;
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lmtp_tries_again_only_the_recipient_that_was_refused() {
    let refused = AtomicUsize::new(0);
    let shelf = Shelf::with(move |mail| {
        match mail.envelope.to == ["two@ours.example"] && refused.fetch_add(1, Ordering::SeqCst) == 0 {
            true => Err(Fault::retry(Code::STORE_AWAY, "x")),
            false => Ok(()),
        }
    });
    let running = Running::lmtp(shelf.clone()).await;
    let postfix = Postfix::start(Route::Lmtp(running.address), &[]);
    submit(
        &postfix,
        &["one@ours.example", "two@ours.example", "three@ours.example"],
        b"Subject: x\r\n\r\n.\r\n",
    )
    .await;
    until(|| postfix.log().contains("status=deferred"), || postfix.log()).await;
    until(|| (postfix.flush(), shelf.mails().len() == 3).1, || postfix.log()).await;
    let mut mails = arrived(&postfix, &shelf, 3).await;
    mails.sort_by(|a, b| a.envelope.to.cmp(&b.envelope.to));
    let to: Vec<_> = mails.iter().flat_map(|mail| mail.envelope.to.clone()).collect();
    assert_eq!(to, ["one@ours.example", "three@ours.example", "two@ours.example"]);
    assert!(mails.iter().all(|mail| body(mail) == b".\r\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_tls_works_with_openssl_on_the_other_side() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let shelf = Shelf::new();
    let mut options = options(Protocol::Smtp);
    options.tls = Some(server_config(&cert, &key).unwrap());
    let running = Running::start(options, ports(shelf.clone())).await;
    let settings = [("smtp_tls_security_level", "encrypt"), ("smtp_tls_loglevel", "1")];
    let postfix = Postfix::start(Route::Smtp(running.address), &settings);
    submit(&postfix, &["desk@ours.example"], b"Subject: x\r\n\r\nsecret\r\n").await;
    let mails = arrived(&postfix, &shelf, 1).await;
    assert_eq!(body(&mails[0]), b"secret\r\n");
    assert!(postfix.log().contains("TLS connection established"), "{}", postfix.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_s_recipient_bounces_at_postfix() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let postfix = Postfix::start(Route::Smtp(running.address), &[]);
    submit(&postfix, &["anna@else.example", "desk@ours.example"], b"Subject: x\r\n\r\nx\r\n").await;
    // The bounce is for somebody who is not ours either, so Postfix drops it in the end.
    let mails = arrived(&postfix, &shelf, 1).await;
    assert_eq!(mails[0].envelope.to, ["desk@ours.example"]);
    assert!(postfix.log().contains("said: 550 5.7.1 Relay denied"), "{}", postfix.log());
}
