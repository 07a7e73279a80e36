//! What stands in the mail.

use postroom_core::{Direction, MailState, RecordRef, Value};
use postroom_tracking::messages;
use postroom_tracking::sending::Options;
use postroom_tracking::token::{self, Kind, Verification};

use super::bench::{ANNA, BEN, Bench, CASE, Draft, EVA, SALES, read};

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_ends_with_exactly_one_token() {
    let bench = Bench::new().await;
    let other = token::make(ANNA);
    for subject in
        ["Order 12", "", &format!("Re: {other} Order 12 {}", token::make(CASE)), &"long ".repeat(90)]
    {
        bench.send(Draft::to_anna(subject)).await;
        let book = bench.server.book();
        let sent = read(book.last().unwrap()).subject;
        assert!(sent.ends_with(&token::make(CASE)), "{sent}");
        assert_eq!(token::find_tokens(&sent).len(), 1, "{sent}");
        assert!(sent.encode_utf16().count() <= 255, "{sent}");
    }
    let id = bench.send(Draft::to_anna("No record").with("regardingobjectid", Value::Null)).await;
    let book = bench.server.book();
    assert!(
        read(book.last().unwrap()).subject.ends_with(&token::make(id)),
        "without a record it is the activity's own"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn blind_copies_are_not_in_the_bytes() {
    let bench = Bench::new().await;
    bench.send(Draft::to_anna("Order").to(4, BEN).addressed(4, "hidden@x.example")).await;
    let mail = &bench.server.book()[0];
    assert_eq!(mail.to, ["anna@customer.example", "ben@customer.example", "hidden@x.example"]);
    let raw = String::from_utf8_lossy(&mail.raw).to_lowercase();
    assert!(!raw.contains("bcc") && !raw.contains("ben@") && !raw.contains("hidden@"), "{raw}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parties_bodies_and_files_are_those_of_the_activity() {
    let bench = Bench::new().await;
    let html = "<p>Gr\u{fc}\u{df}e <img src=\"cid:logo@crm\"></p>";
    let draft = Draft::to_anna("Angebot f\u{fc}r K\u{f6}ln")
        .to(3, BEN)
        .with("description", html)
        .with("prioritycode", 2)
        .file("Angebot f\u{fc}r K\u{f6}ln.pdf", "application/pdf", None, b"%PDF")
        .file("logo.png", "image/png", Some("logo@crm"), b"\x89PNG");
    bench.send(draft).await;
    let book = bench.server.book();
    let mail = read(&book[0]);
    assert_eq!(mail.from[0].to_string(), format!("Sales <{SALES}>"));
    assert_eq!(
        (mail.to[0].to_string(), mail.cc[0].to_string()),
        ("Anna Adler <anna@customer.example>".into(), "Ben Adler <ben@customer.example>".into())
    );
    assert_eq!(mail.html_body().unwrap().trim_end(), html);
    assert!(mail.text_body().unwrap().contains("Gr\u{fc}\u{df}e"));
    let kinds: Vec<&str> = mail.parts.iter().map(|part| part.content_type.as_str()).collect();
    let expected = "multipart/mixed multipart/related multipart/alternative text/plain text/html image/png application/pdf";
    assert_eq!(kinds.join(" "), expected);
    assert_eq!(mail.parts[6].file_name.as_deref(), Some("Angebot f\u{fc}r K\u{f6}ln.pdf"));
    assert_eq!(mail.header("Importance").as_deref(), Some("high"));
    assert!(mail.header("X-Postroom-Loop").unwrap().ends_with("; 1"));
    assert_eq!(mail.header("Auto-Submitted"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_in_anothers_name_is_shown() {
    let options = Options { senders: vec!["crm.example".into()], ..Options::default() };
    let bench = Bench::with(options).await;
    let boss = RecordRef::new("systemuser", uuid::Uuid::from_u128(0x6f1ed002_ab5e_4a2c_8d0c_0000000000ff));
    let row = postroom_core::Record::new(boss.clone()).with("firstname", "Bo").with("lastname", "Boss");
    bench
        .apply(vec![postroom_core::Change::Create(row.with("internalemailaddress", "bo@crm.example"))])
        .await;
    let eva = Value::lookup("systemuser", EVA);
    bench.send(Draft::to_anna("As Bo").from("systemuser", boss.id).with("ownerid", eva.clone())).await;
    bench.send(Draft::to_anna("As queue").with("ownerid", eva.clone())).await;
    bench.send(Draft::to_anna("As owner").without_sender().with("ownerid", eva)).await;
    let book = bench.server.book();
    let who = |place: usize| {
        let mail = read(&book[place]);
        (mail.from[0].address.clone(), mail.sender.map(|sender| sender.address))
    };
    assert_eq!(who(0), ("bo@crm.example".into(), Some("eva@crm.example".into())));
    assert_eq!(who(1), (SALES.into(), None));
    assert_eq!(who(2), ("eva@crm.example".into(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_signed_and_addresses_too_when_asked() {
    let options = Options { reply_address: true, bounce_address: true, ..Options::default() };
    let bench = Bench::with(options).await;
    let id = bench.send(Draft::to_anna("Order")).await;
    let book = bench.server.book();
    let (mail, signer) = (read(&book[0]), &bench.sending.signer);
    let valid = |kind| Verification::Valid { kind, id, key: 1 };
    assert_eq!(signer.verify(mail.message_id.as_deref().unwrap()), valid(Kind::Message));
    assert_eq!(signer.verify_address(&mail.reply_to[0].address), valid(Kind::Message));
    assert_eq!(signer.verify_address(&book[0].from), valid(Kind::Bounce));
    let entry = bench.entry(id).await;
    assert_eq!(book[0].envelope_id.as_deref(), Some(entry.id.0.simple().to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_its_parent_and_the_answer_to_it_comes_home() {
    let bench = Bench::new().await;
    let raw = format!(
        "From: Anna <anna@customer.example>\r\nTo: {SALES}\r\nSubject: Question {}\r\nDate: Mon, 02 Nov 2026 07:00:00 +0000\r\n\
         Message-ID: <q1@customer.example>\r\nReferences: <q0@customer.example>\r\n\r\nHow much?\r\n",
        token::make(CASE)
    );
    let question = bench.comes_in(raw.into(), Direction::Incoming).await;
    let asked = messages::show(&bench.store, question).await.unwrap().unwrap().message;
    let parent = asked.activity_id.expect("it was filed");
    bench.send(Draft::to_anna("Re: Question").with("parentactivityid", Value::lookup("email", parent))).await;
    let book = bench.server.book();
    let mail = read(&book[0]);
    assert_eq!(mail.in_reply_to, ["q1@customer.example"]);
    assert_eq!(mail.references, ["q0@customer.example", "q1@customer.example"]);
    let own = mail.message_id.clone().unwrap();
    let reply = format!(
        "From: Anna <anna@customer.example>\r\nTo: {SALES}\r\nSubject: quite another subject\r\nDate: Mon, 02 Nov 2026 09:00:00 +0000\r\n\
         Message-ID: <q2@customer.example>\r\nIn-Reply-To: <{own}>\r\n\r\nThanks\r\n"
    );
    let reply = bench.comes_in(reply.into(), Direction::Incoming).await;
    let reply = messages::show(&bench.store, reply).await.unwrap().unwrap().message;
    assert_eq!(reply.record, Some(RecordRef::new("incident", CASE)), "{}", reply.reason);
    // The copy in the Sent folder is a sighting of the same mail, and moves nothing.
    let copy = bench.comes_in(book[0].raw.clone(), Direction::Outgoing).await;
    let sent = messages::show(&bench.store, copy).await.unwrap().unwrap();
    assert_eq!((sent.message.state, sent.message.sightings), (MailState::Sent, 1));
    assert_eq!(sent.message.record, Some(RecordRef::new("incident", CASE)));
    let books = postroom_tracking::verify::verify(&bench.store, &bench.crm, super::bench::INSTALLATION)
        .await
        .unwrap();
    assert!(books.balance(), "{:?}", books.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_goes_as_plain_text() {
    let bench = Bench::new().await;
    bench.send(Draft::to_anna("Order").with("description", "Dear Anna,\n1 < 2\nSales")).await;
    let book = bench.server.book();
    let mail = read(&book[0]);
    assert_eq!((mail.parts.len(), mail.parts[0].content_type.as_str()), (1, "text/plain"));
    assert!(mail.text_body().unwrap().contains("1 < 2"));
}
