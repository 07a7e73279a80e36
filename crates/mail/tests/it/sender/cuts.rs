//! The connection is cut, or the server falls silent, at each step: before the final dot nobody has the mail, after it
//! nobody knows.

use bytes::Bytes;
use postroom_core::{MailSender, Outgoing};

use super::script::{Act, Server, usual};
use super::{outgoing, send, sender, short};

const TO: &[&str] = &["one@x.example", "two@x.example"];

async fn at(step: &'static str, act: Act) -> Result<Vec<u16>, String> {
    let server = Server::start(move |_, command| match command.starts_with(step) {
        true => act.clone(),
        false => usual(command),
    })
    .await;
    send(&server, TO).await
}

#[tokio::test]
async fn before_the_final_dot_it_can_be_tried_again() {
    for step in ["GREETING", "EHLO", "MAIL", "RCPT TO:<one", "RCPT TO:<two", "DATA"] {
        assert_eq!(at(step, Act::Cut).await, Err("retry 4001".to_owned()), "cut at {step}");
        assert_eq!(at(step, Act::Silence).await, Err("retry 4001".to_owned()), "silence at {step}");
    }
}

#[tokio::test]
async fn after_the_final_dot_nobody_knows() {
    for act in [Act::Cut, Act::Silence, Act::Say("what a mess".to_owned()), Act::Say("354 Go on".to_owned())]
    {
        assert_eq!(at(".", act.clone()).await, Err("unknown 4004".to_owned()), "{act:?}");
    }
    // Half an answer is no answer.
    assert_eq!(at(".", Act::Last("250-2.0.0 Queued".to_owned())).await, Err("unknown 4004".to_owned()));
    // A goodbye together with the answer is an answer.
    assert_eq!(at(".", Act::Last("250 2.0.0 Queued".to_owned())).await, Ok(vec![250, 250]));
    assert_eq!(at(".", Act::Last("421 4.3.2 Not taken".to_owned())).await, Ok(vec![421, 421]));
}

/// A server that stops reading in the middle of a large mail: the final dot never left.
#[tokio::test]
async fn a_mail_cut_in_the_middle_is_not_unknown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        for answer in ["220 mx\r\n", "250 mx\r\n", "250 Ok\r\n", "250 Ok\r\n", "354 Go\r\n"] {
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut line = String::new();
            if answer != "354 Go\r\n" {
                stream.read_line(&mut line).await.unwrap();
            }
        }
        let mut some = vec![0; 100_000];
        stream.read_exact(&mut some).await.unwrap();
    });
    let options = postroom_mail::sender::Options::new(
        "127.0.0.1",
        port,
        postroom_mail::sender::Security::None,
        "c.example",
    );
    let sender = postroom_mail::sender::SmtpSender::new(options).unwrap();
    let raw = Bytes::from("a line of a large mail\r\n".repeat(1_000_000));
    let outcome = short(sender.send(Outgoing { raw, ..outgoing(&TO[..1]) }).await);
    assert_eq!(outcome, Err("retry 4001".to_owned()));
    server.await.unwrap();
}

/// Whatever happens at the first try, the second delivers: no state of a broken connection is left.
#[tokio::test]
async fn after_a_cut_the_next_mail_goes_out() {
    for step in ["EHLO", "MAIL", "RCPT", "DATA", "."] {
        let server =
            Server::start(move |connection, command| match connection == 0 && command.starts_with(step) {
                true => Act::Cut,
                false => usual(command),
            })
            .await;
        let sender = sender(&server);
        assert!(sender.send(outgoing(TO)).await.is_err(), "{step}");
        assert_eq!(short(sender.send(outgoing(TO)).await), Ok(vec![250, 250]), "{step}");
    }
}
