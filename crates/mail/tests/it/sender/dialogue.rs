//! What is asked, what the answers become, and how connections are used again.

use std::time::Duration;

use bytes::Bytes;
use postroom_core::{Fate, MailSender, Outgoing};
use postroom_mail::sender::{Limits, Options, Security, SmtpSender};

use super::script::{Act, Server, say, usual};
use super::{MAIL, options, outgoing, send, sender, short};

const TWO: &[&str] = &["one@x.example", "two@x.example"];
const THREE: &[&str] = &["one@x.example", "two@x.example", "three@x.example"];

#[tokio::test]
async fn the_whole_dialogue() {
    let server = Server::start(|_, command| usual(command)).await;
    let sender = sender(&server);
    let handed = sender.send(outgoing(TWO)).await.unwrap();
    assert_eq!(handed[1].0, "two@x.example");
    assert_eq!(
        (handed[1].1.code, handed[1].1.status.as_deref(), handed[1].1.text.as_str()),
        (250, Some("2.0.0"), "Queued as 4711")
    );
    sender.close().await;
    assert_eq!(
        server.heard(),
        [
            "0 EHLO crm.client.example",
            "0 MAIL FROM:<anna@client.example> SIZE=39 RET=HDRS ENVID=out.7",
            "0 RCPT TO:<one@x.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;one@x.example",
            "0 RCPT TO:<two@x.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;two@x.example",
            "0 DATA",
            "0 QUIT",
        ]
    );
    assert_eq!(server.mails(), [MAIL.replace("\r\n.", "\r\n..") + ".\r\n"]);
}

/// With each set of offers the answers come out the same.
#[tokio::test]
async fn each_recipient_has_its_own_answer() {
    for hello in ["250 mx.example", "250-mx.example\r\n250 PIPELINING"] {
        let server = Server::start(move |_, command| match command {
            "EHLO crm.client.example" => say(hello),
            _ if command.contains("<two@") => say("550 5.1.1 Who?"),
            _ if command.contains("<three@") => say("452 4.2.2 Full"),
            _ => usual(command),
        })
        .await;
        let handed = sender(&server).send(outgoing(THREE)).await.unwrap();
        let fates: Vec<Fate> = handed.iter().map(|(_, answer)| answer.fate()).collect();
        assert_eq!(fates, [Fate::Accepted, Fate::Refused, Fate::Later]);
        assert_eq!(handed[2].1.text, "Full");
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn when_all_are_refused_nothing_is_sent() {
    let server = Server::start(|_, command| match command {
        _ if command.contains("<one@") => say("550 5.1.1 Who?"),
        _ if command.contains("<two@") => say("451 4.7.1 Greylisted"),
        _ => usual(command),
    })
    .await;
    let sender = sender(&server);
    assert_eq!(short(sender.send(outgoing(TWO)).await), Ok(vec![550, 451]));
    // The connection is as good as new.
    assert_eq!(short(sender.send(outgoing(&["three@x.example"])).await), Ok(vec![250]));
    assert_eq!(server.heard().iter().filter(|line| line.ends_with("RSET")).count(), 1);
    assert_eq!((server.mails().len(), server.connections()), (1, 1));
}

#[tokio::test]
async fn a_refusal_of_the_mail_is_everybodys() {
    for (at, said, expected) in [
        ("MAIL", "452 4.3.1 No room", 452),
        ("MAIL", "550 5.7.1 Not you", 550),
        ("DATA", "451 4.3.0 Not now", 451),
        ("DATA", "554 5.5.1 No", 554),
        (".", "451 4.3.0 Not now", 451),
        (".", "554 5.6.0 Spam", 554),
    ] {
        let server =
            Server::start(move |_, command| if command.starts_with(at) { say(said) } else { usual(command) })
                .await;
        assert_eq!(send(&server, TWO).await, Ok(vec![expected; 2]), "{at} {said}");
    }
}

/// Those that were refused stay refused when the mail fails for the rest.
#[tokio::test]
async fn a_refused_recipient_keeps_its_answer() {
    let server = Server::start(|_, command| match command {
        "." => say("451 4.3.0 Not now"),
        _ if command.contains("<one@") => say("550 5.1.1 Who?"),
        _ => usual(command),
    })
    .await;
    assert_eq!(send(&server, TWO).await, Ok(vec![550, 451]));
}

#[tokio::test]
async fn a_server_that_goes_is_heard_out() {
    // In the middle of the recipients: nobody has the mail, those refused stay refused.
    let server = Server::start(|_, command| match command {
        _ if command.contains("<one@") => say("550 5.1.1 Who?"),
        _ if command.contains("<three@") => Act::Last("421 4.3.2 Closing".to_owned()),
        _ => usual(command),
    })
    .await;
    assert_eq!(send(&server, THREE).await, Ok(vec![550, 421, 421]));
    assert!(server.mails().is_empty());
    for at in ["GREETING", "EHLO", "MAIL"] {
        let server = Server::start(move |_, command| match command.starts_with(at) {
            true => Act::Last("421 4.3.2 Closing".to_owned()),
            false => usual(command),
        })
        .await;
        let expected = if at == "MAIL" { "retry 4001" } else { "retry 4005" };
        assert_eq!(send(&server, TWO).await, Err(expected.to_owned()), "{at}");
    }
}

#[tokio::test]
async fn a_server_that_wants_nothing_from_us() {
    for (at, said, expected) in [
        ("GREETING", "554 5.3.2 No SMTP here", "hold 4005"),
        ("GREETING", "450 4.3.2 Later", "retry 4005"),
        ("GREETING", "HTTP/1.1 400 Bad Request", "hold 4001"),
        ("EHLO", "521 5.3.2 Go away", "hold 4005"),
        ("MAIL", "Bad", "retry 4001"),
        ("DATA", "250 2.0.0 Ok", "retry 4001"),
    ] {
        let server =
            Server::start(move |_, command| if command.starts_with(at) { say(said) } else { usual(command) })
                .await;
        assert_eq!(send(&server, TWO).await, Err(expected.to_owned()), "{at} {said}");
        assert!(server.mails().is_empty());
    }
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sender = SmtpSender::new(Options::new("127.0.0.1", closed, Security::None, "c.example")).unwrap();
    assert_eq!(short(sender.send(outgoing(TWO)).await), Err("retry 4001".to_owned()));
}

#[tokio::test]
async fn a_server_without_ehlo() {
    let server = Server::start(|_, command| match command {
        "EHLO crm.client.example" => say("502 What?"),
        "HELO crm.client.example" => say("250 mx"),
        _ => usual(command),
    })
    .await;
    assert_eq!(send(&server, TWO).await, Ok(vec![250, 250]));
    assert!(server.heard().contains(&"0 MAIL FROM:<anna@client.example>".to_owned()));
}

#[tokio::test]
async fn connections_are_used_again_within_their_limits() {
    let server = Server::start(|_, command| usual(command)).await;
    let limits = Limits { max_mails: 3, ..options(&server).limits };
    let sender = SmtpSender::new(Options { limits, ..options(&server) }).unwrap();
    for _ in 0..7 {
        assert_eq!(short(sender.send(outgoing(TWO)).await), Ok(vec![250, 250]));
    }
    assert_eq!((server.connections(), server.mails().len()), (3, 7));
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let server = Server::start(|_, command| usual(command)).await;
    let limits = Limits { max_connections: 2, command: Duration::from_secs(30), ..options(&server).limits };
    let sender = SmtpSender::new(Options { limits, ..options(&server) }).unwrap();
    let mails = (0..20).map(|_| {
        let sender = sender.clone();
        tokio::spawn(async move { short(sender.send(outgoing(TWO)).await) })
    });
    for mail in mails.collect::<Vec<_>>() {
        assert_eq!(mail.await.unwrap(), Ok(vec![250, 250]));
    }
    assert!(server.connections() <= 2, "{}", server.connections());
    assert_eq!(server.mails().len(), 20);
}

/// A connection that the server gave up while it waited, in each way a server has.
#[tokio::test]
async fn a_connection_that_died_waiting_costs_nothing() {
    for dying in [Act::Last("421 4.4.2 Idle too long".to_owned()), Act::Cut] {
        let server = Server::start(move |connection, command| match (connection, command) {
            (0, _) if command.contains("<two@") => dying.clone(),
            // The first mail is taken, and at the second the server goes.
            _ => usual(command),
        })
        .await;
        let sender = sender(&server);
        assert_eq!(short(sender.send(outgoing(&["one@x.example"])).await), Ok(vec![250]));
        let second = short(sender.send(outgoing(&["two@x.example"])).await);
        assert!(matches!(second.as_ref().map(Vec::as_slice), Ok([421]) | Err(_)), "{second:?}");
        assert_eq!(short(sender.send(outgoing(&["two@x.example"])).await), Ok(vec![250]));
        assert_eq!(server.mails().len(), 2);
    }
    for dying in [Act::Last("421 4.4.2 Idle too long".to_owned()), Act::Cut] {
        let seen = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |connection, command| {
            let mail = connection == 0 && command.starts_with("MAIL");
            match mail && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                true => dying.clone(),
                false => usual(command),
            }
        })
        .await;
        let sender = sender(&server);
        for _ in 0..2 {
            assert_eq!(short(sender.send(outgoing(TWO)).await), Ok(vec![250, 250]));
        }
        assert_eq!((server.connections(), server.mails().len()), (2, 2));
    }
}

#[tokio::test]
async fn lines_that_do_not_end_with_crlf_are_our_bug() {
    let server = Server::start(|_, command| usual(command)).await;
    for raw in ["Subject: x\n\r\n", "a\r\n.\n", "a\rb\r\n"] {
        let mail = Outgoing { raw: Bytes::from_static(raw.as_bytes()), ..outgoing(TWO) };
        assert_eq!(short(sender(&server).send(mail).await), Err("bug 9001".to_owned()), "{raw:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_the_server_cannot_take_is_refused_without_it() {
    let server = Server::start(|_, command| usual(command)).await;
    let to = ["one@x.example", "\u{e4}@x.example"];
    assert_eq!(send(&server, &to).await, Ok(vec![250, 553]));
    let raw = Bytes::from("x".repeat(2000) + "\r\n");
    let handed = sender(&server).send(Outgoing { raw, ..outgoing(TWO) }).await.unwrap();
    assert!(handed.iter().all(|(_, answer)| answer.status.as_deref() == Some("5.3.4")), "{handed:?}");
    assert_eq!(server.mails().len(), 1);
}

/// More recipients than one group of pipelined commands, with refusals here and there.
#[tokio::test]
async fn many_recipients() {
    let server = Server::start(|_, command| match command.contains("7@") {
        true => say("550 5.1.1 Who?"),
        false => usual(command),
    })
    .await;
    let to: Vec<String> = (0..450).map(|number| format!("r{number}@x.example")).collect();
    let names: Vec<&str> = to.iter().map(String::as_str).collect();
    let codes = send(&server, &names).await.unwrap();
    for (name, code) in names.iter().zip(codes) {
        assert_eq!(code, if name.contains("7@") { 550 } else { 250 }, "{name}");
    }
}

#[tokio::test]
async fn the_check_says_where_and_how() {
    let server = Server::start(|_, command| usual(command)).await;
    let text = sender(&server).check().await.unwrap();
    let start = format!("127.0.0.1:{}: without TLS, on this machine; not signed in; offers", server.port);
    assert!(text.starts_with(&start) && text.ends_with("PIPELINING, 8BITMIME, DSN, SIZE 1000"), "{text}");
    assert_eq!(server.heard().last().unwrap(), "0 QUIT");
}

#[test]
fn options_that_cannot_work() {
    for (host, hello) in [("", "c.example"), ("mx.example", "c.example\r\nRSET"), ("m x", "c"), ("mx", "")] {
        assert!(
            SmtpSender::new(Options::new(host, 25, Security::None, hello)).is_err(),
            "{host:?} {hello:?}"
        );
    }
}
