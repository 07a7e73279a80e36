//! `message import`: what goes wrong with one file leaves the others alone, and a repeat adds nothing.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::house::{House, Said};

/// A mail of its own.
fn mail(number: u32) -> String {
    format!(
        "From: a@x.example\r\nTo: info@ours.example\r\nSubject: {number}\r\nMessage-ID: <{number}@import>\r\n\r\nHello {number}\r\n"
    )
}

fn mbox(mails: impl IntoIterator<Item = String>) -> String {
    let one =
        |mail: String| format!("From a@x.example Thu Jan  1 00:00:00 1970\n{}\n", mail.replace('\r', ""));
    mails.into_iter().map(one).collect()
}

#[track_caller]
fn counts(said: &Said, exit: i32) -> Value {
    assert_eq!(said.exit, exit, "{}{}", String::from_utf8_lossy(&said.out), said.err);
    serde_json::from_slice(&said.out).expect("one object")
}

#[test]
fn one_unreadable_file_leaves_its_neighbours_alone() {
    let house = House::quiet("");
    for number in 1..4 {
        house.write(&format!("Maildir/cur/{number}:2,S"), mail(number).as_bytes());
    }
    // As a live Maildir looks when a file was renamed after it was listed.
    std::os::unix::fs::symlink("gone", house.path("Maildir/cur/2:2,")).expect("a link can be made");
    house.write("Maildir/cur/4:2,S", b"");
    let import = || counts(&house.run(&["message", "import", &house.path("Maildir").to_string_lossy()]), 8);
    let first = import();
    assert_eq!((&first["new"], &first["failed"]), (&json!(3), &json!(2)), "{first}");
    fs::remove_file(house.path("Maildir/cur/2:2,")).expect("it is there");
    let again = import();
    assert_eq!((&again["known"], &again["failed"]), (&json!(3), &json!(1)), "{again}");
    assert_eq!(house.run(&["message", "import", "nowhere"]).exit, 5, "a path that is none");
}

#[test]
fn a_mailbox_that_nobody_configured_is_refused() {
    let house = House::quiet("[mailboxes.desk]\naddress = \"desk@ours.example\"\n");
    let file = house.file("eml", mail(1).as_bytes());
    let import =
        |mailbox: &str| house.run(&["message", "import", &file.to_string_lossy(), "--mailbox", mailbox]);
    let refused = import("dsk");
    assert_eq!((refused.exit, refused.err.contains("configured are: desk")), (2, true), "{}", refused.err);
    assert_eq!(house.list(&["message", "list"]).len(), 0);
    assert_eq!(counts(&import("desk@ours.example"), 0)["new"], 1);
    assert_eq!(house.list(&["mailbox", "list"])[0]["messages"], 1);
}

#[test]
fn an_mbox_is_unquoted_as_its_writer_quoted() {
    let check = |quoting: &[&str], expected: &str| {
        let house = House::quiet("");
        let text = mail(1).replace("Hello", ">From here\r\n>>From there\r\nHello");
        let file = house.file("mbox", mbox([text]).as_bytes());
        house.one(&[&["message", "import", &file.to_string_lossy()], quoting].concat());
        let id = house.list(&["message", "list"])[0]["id"].as_str().expect("an id").to_owned();
        let raw = house.shown(&["message", "raw", &id]).replace('\r', "");
        assert!(raw.contains(expected), "{quoting:?}: {raw}");
    };
    check(&[], "\nFrom here\n>From there\n");
    check(&["--mbox-quoting", "mboxo"], "\nFrom here\n>>From there\n");
}

#[test]
fn a_mail_comes_from_stdin() {
    let house = House::quiet("");
    let mut command = house.command(&["message", "import", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(mail(1).as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((output.status.code(), &report["new"]), (Some(0), &json!(1)), "{report}");
}

#[test]
fn a_killed_import_is_started_again_and_ends_with_every_mail_once() {
    let house = House::quiet("");
    let file = house.file("mbox", mbox((0..300).map(mail)).as_bytes());
    let file = file.to_string_lossy();
    let mut command = house.command(&["message", "import", &file, "--json"]);
    let killed = command.env("POSTROOM_KILL_AT", "mail.accept.after_commit:2").output().expect("it starts");
    assert_eq!(killed.status.code(), None, "it was not killed: {killed:?}");
    let stored = house.list(&["message", "list", "--limit", "0"]).len();
    assert!((1..300).contains(&stored), "{stored}");
    let report = house.one(&["message", "import", &file]);
    assert_eq!(report["read"], 300);
    let sum = report["new"].as_u64().zip(report["known"].as_u64()).map(|(new, known)| new + known);
    assert!(sum == Some(300) && report["known"].as_u64() > Some(0), "{report}");
    assert_eq!(house.list(&["message", "list", "--limit", "0"]).len(), 300);
    house.verify();
}
