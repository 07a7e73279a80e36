//! SMTP smuggling: whatever looks like an end of mail to some servers and is none, never lets a second mail through.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::*;

/// Ends of data that other servers have taken for one (SEC Consult, 2023, and the list of CVE-2023-51764 to 51766).
const ENDS: &[&str] = &[
    "\n.\n",
    "\n.\r\n",
    "\r.\r\n",
    "\r\n.\n",
    "\r\n.\r",
    "\r.\r",
    "\n.\r",
    "\r.\n",
    "\r\n.\0\r\n",
    "\r\n\0.\r\n",
    "\0\r\n.\n",
    "\r\r\n.\r\r\n",
    "\n\n.\r\n\n",
];

/// Says the lines one by one, each after the answer to the one before.
fn greeted(smtp: &BufReader<TcpStream>, lines: &[&str]) {
    let mut stream = smtp.get_ref();
    for line in lines {
        write!(stream, "{line}\r\n").expect("the server reads");
    }
}

/// Sends one mail whose text holds `end` and then commands for a second one. Answers everything the server said.
fn smuggle(end: &str) -> String {
    let stream = TcpStream::connect(HOUSE.smtp.expect("it listens")).expect("the listener takes us");
    stream.set_read_timeout(Some(crate::house::PATIENCE)).expect("a socket takes a time-out");
    let mut smtp = BufReader::new(stream);
    greeted(&smtp, &["EHLO x.example", &format!("MAIL FROM:<{ANNA}>"), &format!("RCPT TO:<{DESK}>"), "DATA"]);
    let mut said = String::new();
    while !said.lines().any(|line| line.starts_with("354")) {
        assert_ne!(smtp.read_line(&mut said).expect("the server answers"), 0, "{said}");
    }
    let second =
        format!("MAIL FROM:<boss@ours.example>\r\nRCPT TO:<{DESK}>\r\nDATA\r\nSubject: smuggled\r\n\r\nx");
    let mail = format!("{}Subject: carrier\r\n\r\nbefore{end}{second}\r\n.\r\nQUIT\r\n", headers("smuggle"));
    // The server may hang up while we still talk.
    drop(smtp.get_mut().write_all(mail.as_bytes()));
    drop(smtp.read_to_string(&mut said));
    said
}

#[test]
fn no_sequence_lets_a_second_mail_through() {
    for end in ENDS {
        let said = smuggle(end);
        let (_, after) = said.split_once("354").expect("data was asked for");
        let taken = after.lines().filter(|line| line.starts_with("250")).count();
        assert!(taken <= 1 && !after.contains("354"), "{end:?}: {said}");
    }
    let all = HOUSE.all_settled();
    assert!(!all.iter().any(|message| text(&message["subject"]).starts_with("smuggled")), "{all:#?}");
    survives(&neighbour());
}

/// Real dots and a real end: two mails over one connection are two.
#[test]
fn an_honest_second_mail_is_a_second_mail() {
    let stream = TcpStream::connect(HOUSE.smtp.expect("it listens")).expect("the listener takes us");
    let mut smtp = BufReader::new(stream);
    let mail = |subject: &str| format!("{}Subject: {subject}\r\n\r\n..\r\n.", headers("honest"));
    let envelope = [format!("MAIL FROM:<{ANNA}>"), format!("RCPT TO:<{DESK}>"), "DATA".to_owned()];
    let mut said = String::new();
    greeted(&smtp, &["EHLO x.example"]);
    for subject in ["honest one", "honest two"] {
        greeted(&smtp, &envelope.each_ref().map(String::as_str));
        let asked = said.matches("354").count();
        while said.matches("354").count() == asked {
            assert_ne!(smtp.read_line(&mut said).expect("the server answers"), 0, "{said}");
        }
        greeted(&smtp, &[&mail(subject)]);
    }
    greeted(&smtp, &["QUIT"]);
    smtp.read_to_string(&mut said).expect("the server answers and hangs up");
    assert_eq!(said.matches("Stored as msg_").count(), 2, "{said}");
}
