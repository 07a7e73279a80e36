//! `message write`, `message answer`, `record find` and `message review list --candidates`.

use std::io::Write;
use std::process::Stdio;

use postroom_sandbox::catcher::Catcher;
use postroom_testkit::poll;
use serde_json::json;

use crate::house::{House, PATIENCE};
use crate::story::{ANNA, SALES, at, guid, row, text};

/// A house that sends through this server, with a case of Anna's.
fn house(server: &Catcher) -> House {
    let house = House::open(&format!(
        "[mailboxes.sales]\naddress = \"{SALES}\"\n[smtp_out]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\npoll = \"200ms\"\n",
        server.address().port()
    ));
    house.records(&[
        row("queue", 1, json!({"name": "Sales", "emailaddress": SALES})),
        row("contact", 1, json!({"firstname": "Anna", "lastname": "Adler", "emailaddress1": ANNA})),
        row("account", 1, json!({"name": "Adler Brauerei"})),
        row("incident", 1, json!({"title": "The pump leaks", "customerid": at("account", 1)})),
    ]);
    house
}

#[test]
fn a_mail_is_written_with_a_file_and_answered_in_its_thread() {
    let server = Catcher::start();
    let house = house(&server);
    let case = at("incident", 1);
    let (letter, list) =
        (house.write("letter.txt", b"Dear Anna,\n\nsee the list.\n"), house.write("list.pdf", b"%PDF"));
    let (letter, list) = (letter.to_string_lossy(), list.to_string_lossy());
    let id = "00000000-0000-0000-0000-0000000000f1";
    let arguments = [
        "message",
        "write",
        "--record",
        &case,
        "--to",
        ANNA,
        "--subject",
        "Spare seals",
        "--text",
        &letter,
        "--attach",
        &list,
        "--email-id",
        id,
    ];
    let trial = house.one(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!((&trial["dry_run"], &trial["files"]), (&json!(true), &json!(["list.pdf"])), "{trial}");
    let written = house.one(&arguments);
    assert_eq!((&written["new"], &written["email"]["id"]), (&json!(true), &json!(id)), "{written}");
    assert_eq!(house.one(&arguments)["new"], false, "a repeat with the same id writes nothing");
    let left = poll::until(PATIENCE, || server.mails().len() == 1);
    assert!(left, "it did not leave: {}", house.log());
    let mail = String::from_utf8_lossy(&server.mails()[0].raw).into_owned();
    for words in ["Spare seals CRM:", "list.pdf", "application/pdf", "see the list"] {
        assert!(mail.contains(words), "{words}: {mail}");
    }

    let sent = mail.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("it has an id");
    let reply = format!(
        "From: Anna <{ANNA}>\r\nTo: {SALES}\r\nSubject: Re: Spare seals\r\nMessage-ID: <back@customer.example>\r\n\
         In-Reply-To: {sent}\r\n\r\nWhen?\r\n"
    );
    let came = house.filed(ANNA, &[SALES], reply);
    assert_eq!(came["record"]["id"], json!(guid("incident", 1)), "{came:#}");
    let answered = answer(&house, text(&came["id"]), "Tomorrow.");
    assert_eq!(
        (&answered["to"], &answered["subject"]),
        (&json!(ANNA), &json!("Re: Spare seals")),
        "{answered}"
    );
    let left = poll::until(PATIENCE, || server.mails().len() == 2);
    assert!(left, "the answer did not leave: {}", house.log());
    let mail = String::from_utf8_lossy(&server.mails()[1].raw).into_owned();
    assert!(mail.contains("In-Reply-To: <back@customer.example>") && mail.contains("Tomorrow."), "{mail}");
    house.verify();
}

/// Answers with a text from stdin.
fn answer(house: &House, id: &str, words: &str) -> serde_json::Value {
    let mut command = house.command(&["message", "answer", id, "--text", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().expect("it is piped").write_all(words.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn what_cannot_be_written_is_told() {
    let server = Catcher::start();
    let house = house(&server);
    let letter = house.write("letter.txt", b"x");
    let letter = letter.to_string_lossy();
    let case = at("incident", 1);
    let write = |more: &[&str]| {
        house.run(&[&["message", "write", "--record", &case, "--text", &letter], more].concat())
    };
    let check = |more: &[&str], exit: i32, words: &str| {
        let said = write(more);
        assert_eq!((said.exit, said.err.contains(words)), (exit, true), "{more:?}: {}", said.err);
    };
    check(&["--subject", "x", "--to", "anna"], 2, "is no e-mail address");
    check(&["--to", ANNA], 2, "Give the mail a subject");
    check(&["--subject", "x", "--to", ANNA, "--from", "boss@else.example"], 2, "may not send");
    check(&["--subject", "x", "--to", ANNA, "--attach", "/nowhere.pdf"], 2, "/nowhere.pdf");
    let closed = House::quiet("[mailboxes.sales]\naddress = \"sales@ours.example\"\n");
    let said = closed.run(&["message", "write", "--record", &case, "--text", &letter, "--subject", "x"]);
    assert_eq!(said.exit, 6, "{}", said.err);
    assert!(server.mails().is_empty());
}

#[test]
fn records_are_found_by_words_and_proposed_in_review() {
    let house = House::open("[mailboxes.desk]\naddress = \"desk@ours.example\"\n");
    let mail = "From: Kim <kim@nobody.example>\r\nTo: desk@ours.example\r\nSubject: Pumps\r\nMessage-ID: <k@nobody.example>\r\n\r\nHi\r\n";
    let waiting = house.filed("kim@nobody.example", &["desk@ours.example"], mail);
    assert_eq!(waiting["state"], "review", "{waiting:#}");
    house.records(&[row(
        "contact",
        1,
        json!({"firstname": "Kim", "lastname": "Nowak", "emailaddress1": "kim@nobody.example"}),
    )]);
    let found = house.list(&["record", "find", "nowak", "kim"]);
    assert_eq!((found.len(), &found[0]["record"]["id"]), (1, &json!(guid("contact", 1))), "{found:?}");
    assert!(house.list(&["record", "find", "nowak", "anna"]).is_empty());
    let items = house.list(&["message", "review", "list", "--candidates"]);
    assert_eq!(items[0]["candidates"][0]["record"]["id"], json!(guid("contact", 1)), "{items:?}");
    let shown = house.shown(&["message", "review", "list", "--candidates"]);
    assert!(
        shown.contains(&format!(
            "1 {}  Kim Nowak: the sender's address is its emailaddress1",
            at("contact", 1)
        )),
        "{shown}"
    );
    let plain = house.shown(&["message", "review", "list", "--candidates", "--plain"]);
    assert!(plain.contains(&format!("{}\tKim Nowak\t", at("contact", 1))), "{plain}");
    assert_eq!(house.list(&["message", "review", "list"])[0].get("candidates"), None);
}
