//! swaks, the mail administrator's own tool, as a client.

use std::net::SocketAddr;
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::harness::{Running, SOON, Shelf};

async fn swaks(address: SocketAddr, arguments: &[&str]) -> Output {
    let run = Command::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &address.port().to_string(), "--ehlo", "client.example"])
        .args(["--from", "anna@client.example"])
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(SOON, run).await.expect("swaks ends in time");
    output.expect("swaks cannot be run: install it (Debian: apt-get install swaks)")
}

#[track_caller]
fn check(output: &Output, status: i32, said: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(status), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in said {
        assert!(text.contains(line), "{line:?} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn sends_a_mail() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let mail = "Subject: x\n\n.a dot\n..\nend\n";
    let output =
        swaks(running.address, &["--to", "desk@ours.example,two@ours.example", "--data", mail]).await;
    check(&output, 0, &["250-CHUNKING", "250 2.0.0 Stored as msg_", "221 2.0.0"]);
    assert_eq!(shelf.mails()[0].envelope.to, ["desk@ours.example", "two@ours.example"]);
    assert!(shelf.only().starts_with("Subject: x\r\n\r\n.a dot\r\n..\r\nend\r\n"), "{}", shelf.only());
}

#[tokio::test]
async fn pipelines() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    let output =
        swaks(running.address, &["--to", "desk@ours.example", "--pipeline", "--body", "piped"]).await;
    check(&output, 0, &["250 2.0.0 Stored as msg_"]);
    assert!(shelf.only().contains("\r\npiped\r\n"));
}

#[tokio::test]
async fn speaks_lmtp() {
    let shelf = Shelf::new();
    let running = Running::lmtp(shelf.clone()).await;
    let output = swaks(running.address, &["--to", "desk@ours.example", "--protocol", "LMTP"]).await;
    check(&output, 0, &["LHLO client.example", "250 2.0.0 Stored as msg_"]);
    assert_eq!(shelf.mails().len(), 1);
}

/// swaks leaves with 24 when no recipient was accepted.
#[tokio::test]
async fn is_refused_as_a_stranger() {
    let shelf = Shelf::new();
    let running = Running::smtp(shelf.clone()).await;
    for to in ["anna@else.example", "anna%else.example@ours.example", "@ours.example:anna@else.example"] {
        let output = swaks(running.address, &["--to", to, "--suppress-data"]).await;
        check(&output, 24, &["550 5.7.1 "]);
    }
    assert!(shelf.mails().is_empty());
}

#[tokio::test]
async fn is_refused_sign_in() {
    let running = Running::smtp(Shelf::new()).await;
    let arguments =
        ["--to", "desk@ours.example", "--auth", "PLAIN", "--auth-user", "a", "--auth-password", "b"];
    let output = swaks(running.address, &arguments).await;
    assert_eq!(output.status.code(), Some(28), "AUTH is not offered");
}
