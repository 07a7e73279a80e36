//! The listener over TCP: ports, seats, stopping, our own client, and mail-send as somebody else's.

use std::net::SocketAddr;
use std::time::Duration;

use mail_send::SmtpClientBuilder;
use mail_send::smtp::message::Message;
use postroom_core::{Code, Fault};
use postroom_mail::client::{Client, Error as ClientError};
use postroom_mail::listener::{Budget, Error, Listener, Protocol, Recipients};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Running, SOON, Shelf, options, ports};

fn codes(answers: &[postroom_mail::client::Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.code).collect()
}

#[tokio::test]
async fn our_client_sends_any_bytes() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let mut client = Client::connect(running.address).await.unwrap();
    let mails: [&[u8]; 5] = [b"", b"a", b".\r\n.\r\n", b"bare\n.\nlines\r", "\u{e4}\r\n".as_bytes()];
    for mail in mails {
        let answers = client.send("a@client.example", &["desk@ours.example"], mail).await.unwrap();
        assert_eq!(codes(&answers), [250]);
    }
    assert_eq!(shelf.mails().iter().map(|mail| mail.raw.to_vec()).collect::<Vec<_>>(), mails);
    client.quit().await.unwrap();
}

#[tokio::test]
async fn our_client_tells_each_recipient_s_answer() {
    let to = ["one@ours.example", "no@else.example", "two@ours.example"];
    let shelf = || {
        Shelf::with(|mail| match mail.envelope.to == ["two@ours.example"] {
            true => Err(Fault::retry(Code::STORE_AWAY, "x")),
            false => Ok(()),
        })
    };
    let (smtp, lmtp) = (Running::smtp(shelf()).await, Running::lmtp(shelf()).await);
    let mut client = Client::connect(smtp.address).await.unwrap();
    assert_eq!(codes(&client.send("", &to, b"x\r\n").await.unwrap()), [250, 550, 250]);
    assert_eq!(codes(&client.send("nobody", &to, b"x\r\n").await.unwrap()), [553, 553, 553]);
    assert_eq!(
        codes(&client.send("j\u{fc}rgen@client.example", &to, b"x\r\n").await.unwrap()),
        [250, 550, 250]
    );
    let mut client = Client::connect_lmtp(lmtp.address).await.unwrap();
    assert_eq!(codes(&client.send("", &to, b"x\r\n").await.unwrap()), [250, 550, 451]);
    assert_eq!(codes(&client.send("", &to[1..2], b"x\r\n").await.unwrap()), [550]);
}

#[tokio::test]
async fn somebody_else_s_client_sends_a_mail() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let builder = SmtpClientBuilder::new("127.0.0.1".to_owned(), running.address.port()).unwrap();
    let mut client = builder.connect_plain().await.unwrap();
    let mail =
        Message::new("a@client.example", ["desk@ours.example"], &b"Subject: x\r\n\r\n.dots\r\n..\r\n"[..]);
    client.send(mail).await.unwrap();
    let relayed = Message::new("a@client.example", ["anna@else.example"], &b"x"[..]);
    match client.send(relayed).await.unwrap_err() {
        mail_send::Error::UnexpectedReply(reply) => assert_eq!((reply.code, reply.esc), (550, [5, 7, 1])),
        other => panic!("{other}"),
    }
    client.quit().await.unwrap();
    assert!(shelf.only().starts_with("Subject: x\r\n\r\n.dots\r\n..\r\n"));
}

#[tokio::test]
async fn a_client_too_many_is_turned_away_and_let_in_later() {
    let mut options = options(Protocol::Smtp);
    options.limits.max_connections_per_peer = 1;
    let running = Running::start(options, ports(Shelf::new())).await;
    let first = Client::connect(running.address).await.unwrap();
    match Client::connect(running.address).await {
        Err(ClientError::Greeting(answer)) => assert_eq!(answer.code, 421),
        other => panic!("{other:?}"),
    }
    first.quit().await.unwrap();
    let again = async {
        while Client::connect(running.address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, again).await.expect("the seat is free again");
}

#[tokio::test]
async fn stopping_closes_the_port_and_every_session() {
    let mut running = Running::smtp(Shelf::new()).await;
    let mut idle = BufReader::new(TcpStream::connect(running.address).await.unwrap());
    idle.read_line(&mut String::new()).await.unwrap();
    running.stop.cancel();
    let mut rest = String::new();
    idle.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("421 4.3.2 "), "{rest}");
    drop(idle);
    timeout(SOON, &mut running.task).await.expect("stops in time").unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_session_that_hangs_is_cut_off_when_stopping() {
    let shelf = Shelf::held();
    let mut options = options(Protocol::Smtp);
    options.limits.stop = Duration::from_millis(50);
    let mut running = Running::start(options, ports(shelf.clone())).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream
        .write_all(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<desk@ours.example>\r\nBDAT 1 LAST\r\nx")
        .await
        .unwrap();
    let mut greeting = [0; 20];
    stream.read_exact(&mut greeting).await.unwrap();
    running.stop.cancel();
    timeout(SOON, &mut running.task).await.expect("stops in time").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await; // cut off, perhaps rudely
    assert!(
        !String::from_utf8_lossy(&rest).contains("Stored"),
        "nothing was stored, nothing was acknowledged"
    );
}

#[tokio::test]
async fn bad_options_say_what_to_do() {
    let bind = async |options, ports| {
        Listener::bind(options, ports).await.err().map(|error| error.to_string()).unwrap()
    };
    let good = || options(Protocol::Smtp);

    let running = Running::smtp(Shelf::new()).await;
    let mut taken = good();
    taken.listen = running.address;
    assert!(bind(taken, ports(Shelf::new())).await.contains(&running.address.to_string()));

    let mut small = ports(Shelf::new());
    small.budget = Budget::new(1000);
    assert!(bind(good(), small).await.contains("raise the memory"));

    let mut few = good();
    few.limits.max_commands = 1000;
    assert!(bind(few, ports(Shelf::new())).await.contains("max_recipients"));

    let mut nobody = good();
    nobody.recipients = Recipients::default();
    assert!(matches!(Listener::bind(nobody, ports(Shelf::new())).await, Err(Error::Nobody)));
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_told_by_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Client::connect(free).await.unwrap_err();
    assert!(error.to_string().contains(&SocketAddr::to_string(&free)), "{error}");
}

/// Thirty-two sessions, and each mail arrives once: the figure is for the eye, the count is the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once() {
    const SESSIONS: usize = 32;
    const MAILS: usize = 40;
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let mail =
        format!("Subject: x\r\n\r\n{}", "0123456789abcdef 0123456789abcdef 0123456789\r\n".repeat(190))
            .into_bytes();
    let started = std::time::Instant::now();
    let senders = (0..SESSIONS).map(|_| {
        let (address, mail) = (running.address, mail.clone());
        tokio::spawn(async move {
            let mut client = Client::connect(address).await.unwrap();
            for _ in 0..MAILS {
                assert_eq!(
                    codes(&client.send("a@b.example", &["desk@ours.example"], &mail).await.unwrap()),
                    [250]
                );
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    let rate = (SESSIONS * MAILS) as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.0} mails/s of {} bytes", mail.len());
    let mails = shelf.mails();
    assert_eq!(mails.len(), SESSIONS * MAILS);
    let ids: std::collections::HashSet<_> = mails.iter().map(|mail| mail.source_id.clone()).collect();
    assert_eq!(ids.len(), mails.len(), "each has its own source id");
}
